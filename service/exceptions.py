"""What can go wrong in the service itself.

ServiceError
├── ModelUnavailableError  there is no model to score with: none is champion, or its bundle is refused
├── UnknownSegmentError    no such segment
├── UnknownTargetError     the model has no such target
├── UnknownRunError        no such training or scoring run
└── AbortedResponseError   an answer that had begun could not be ended
"""

__all__ = [
    "AbortedResponseError",
    "ModelUnavailableError",
    "ServiceError",
    "UnknownRunError",
    "UnknownSegmentError",
    "UnknownTargetError",
]


class ServiceError(Exception):
    """Base of everything the service raises on purpose; its text is fit for a person."""


class ModelUnavailableError(ServiceError):
    """There is no model to score with: none is champion, or its bundle is refused."""


class UnknownSegmentError(ServiceError):
    """No such segment."""


class UnknownTargetError(ServiceError):
    """The model has no such target."""


class UnknownRunError(ServiceError):
    """No such training or scoring run."""


class AbortedResponseError(ServiceError):
    """An answer that had begun could not be ended; the log says why."""
