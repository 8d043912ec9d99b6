"""The exceptions of the package ``models``.

::

    ModelError
    ├── NotFittedError      a prediction was asked of a model that has no parameters yet
    ├── InputError          the data or settings given are not legal (also a ``ValueError``)
    └── FitError            legal data, but no parameters can be found from it

Each message says what was expected, what came, and what to do next.
"""

__all__ = ["FitError", "InputError", "ModelError", "NotFittedError"]


class ModelError(Exception):
    """Base of everything this package raises on purpose."""


class NotFittedError(ModelError):
    """A fitted model was needed, and ``fit`` has not been called."""


class InputError(ModelError, ValueError):
    """Data or settings are outside what the model is defined for."""


class FitError(ModelError):
    """The data is legal, but holds nothing that parameters could be found from."""
