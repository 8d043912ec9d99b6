"""What can go wrong in features.

FeatureError
├── CheckError           columns that are not what they must be
├── TargetError          a target, or a condition of one, that can't be meant
└── UnknownFeatureError  a feature that the catalogue does not have, or has with another definition
"""

__all__ = ["CheckError", "FeatureError", "TargetError", "UnknownFeatureError"]


class FeatureError(Exception):
    """Base of everything features raise on purpose; its text is fit for a person."""


class CheckError(FeatureError):
    """Columns that are not what they must be."""


class TargetError(FeatureError):
    """A target, or a condition of one, that can't be meant; its text names target and key."""


class UnknownFeatureError(FeatureError):
    """A feature that the catalogue does not have, or has with another definition."""
