"""What can go wrong in features.

FeatureError
├── CheckError           columns that are not what they must be
└── UnknownFeatureError  a feature that the catalogue does not have, or has with another definition
"""

__all__ = ["CheckError", "FeatureError", "UnknownFeatureError"]


class FeatureError(Exception):
    """Base of everything features raise on purpose; its text is fit for a person."""


class CheckError(FeatureError):
    """Columns that are not what they must be."""


class UnknownFeatureError(FeatureError):
    """A feature that the catalogue does not have, or has with another definition."""
