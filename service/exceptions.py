"""What can go wrong in the service itself.

ServiceError
├── ModelUnavailableError  there is no model to score with: none is champion, or its bundle is refused
├── UnknownSegmentError    no such segment
├── UnknownTargetError     the model has no such target
├── UnknownRunError        no such training or scoring run
├── ListFilterError        what is wanted of a list can't be asked for
├── SyncError              a segment can't be sent, or was not taken
├── UnknownReceiptError    no receipt that this service gave
├── GoneReceiptError       what a score rested on is not there any more
├── PeriodError            two instants that are no period, or go beyond the present
├── RejectedEventError     an event that somebody supposes can't be taken
├── AbortedResponseError   an answer that had begun could not be ended
├── BodyTooLargeError      more came than is taken
├── BrokenGzipError        a body begins as gzip and is none
├── RejectedCallError      a call that came alone can't be taken
├── IngestBusyError        events could not be stored in time
├── NoKeyError             a key is needed and none came
├── UnknownKeyError        nobody holds the key that came
├── ScopeError             the key may do other things
├── TooManyRequestsError   more came than may
└── ForeignRequestError    the service is open, and a request may come from elsewhere
"""

import math
from datetime import datetime

__all__ = [
    "AbortedResponseError",
    "BodyTooLargeError",
    "BrokenGzipError",
    "ForeignRequestError",
    "FutureScoresError",
    "GoneReceiptError",
    "IngestBusyError",
    "ListFilterError",
    "ModelUnavailableError",
    "NoKeyError",
    "PeriodError",
    "RejectedCallError",
    "RejectedEventError",
    "ScopeError",
    "ServiceError",
    "SyncError",
    "TooManyRequestsError",
    "UnknownKeyError",
    "UnknownReceiptError",
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


class ListFilterError(ServiceError):
    """What is wanted of a list can't be asked for; says which names there are."""


class SyncError(ServiceError):
    """A segment can't be sent to a target, or the target did not take it."""


class UnknownReceiptError(ServiceError):
    """No receipt that this service gave."""


class GoneReceiptError(ServiceError):
    """What a score rested on is not there any more.

    Parameters
    ----------
    code : str
        What became of it, as a short stable name.
    text : str

    Attributes
    ----------
    code : str
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"The score can't be computed again: {text}")
        self.code = code


class PeriodError(ServiceError):
    """Two instants that are no period, or go beyond the present.

    Parameters
    ----------
    since, until, as_of : datetime
        The last is the latest that `until` may be.
    """

    def __init__(self, since: datetime, until: datetime, as_of: datetime) -> None:
        super().__init__(
            f"Expected instants one after another, up to {as_of.isoformat()}, of which scores speak now; got "
            f"{since.isoformat()} and {until.isoformat()}."
        )


class FutureScoresError(ServiceError):
    """Scores are asked for of an instant that has not come.

    Parameters
    ----------
    asked, latest : datetime
    """

    def __init__(self, asked: datetime, latest: datetime) -> None:
        super().__init__(
            f"Expected an instant up to {latest.isoformat()}, of which scores speak now; got {asked.isoformat()}, by "
            "which nobody would have done anything for long."
        )


class RejectedEventError(ServiceError):
    """An event that somebody supposes can't be taken.

    Parameters
    ----------
    where : str
        Such as "events.3".
    reason : str
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}.")


class AbortedResponseError(ServiceError):
    """An answer that had begun could not be ended; the log says why."""


class BodyTooLargeError(ServiceError):
    """More came than is taken.

    Parameters
    ----------
    most_bytes : int
    """

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"Expected a body of at most {most_bytes:,} bytes, unpacked; more came. Send it in parts.")


class BrokenGzipError(ServiceError):
    """A body begins as gzip and is none."""

    def __init__(self) -> None:
        super().__init__("Expected a whole body, plain or as gzip; this one begins as gzip and then goes wrong.")


class RejectedCallError(ServiceError):
    """A call that came alone can't be taken.

    Attributes
    ----------
    code : str
        Stable name of the reason.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class IngestBusyError(ServiceError):
    """Events could not be stored in time."""

    def __init__(self) -> None:
        super().__init__("The events could not be stored in time. Send them again: what is stored already stays once.")


class NoKeyError(ServiceError):
    """A key is needed and none came.

    Parameters
    ----------
    scope : str
        What it has to be good for.
    """

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"Expected a key with the scope {scope}, as user name of Basic authentication or as bearer token; none "
            "came that can be read. Make one with: regulars keys create"
        )


class UnknownKeyError(ServiceError):
    """Nobody holds the key that came."""

    def __init__(self) -> None:
        super().__init__("The key that came is none, or was revoked. Make another with: regulars keys create")


class ScopeError(ServiceError):
    """The key may do other things.

    Parameters
    ----------
    needed, held : str
    """

    def __init__(self, needed: str, held: str) -> None:
        super().__init__(f"Expected a key with the scope {needed}; the one that came has {held}.")


class TooManyRequestsError(ServiceError):
    """More came than may.

    Parameters
    ----------
    seconds : float
        Until one may come again.

    Attributes
    ----------
    retry_after : int
        The same in whole seconds, at least 1.
    """

    def __init__(self, seconds: float) -> None:
        self.retry_after = max(math.ceil(seconds), 1)
        super().__init__(f"More requests came than may. Send it again in {self.retry_after} s.")


class ForeignRequestError(ServiceError):
    """The service is open, and a request may come from elsewhere.

    Parameters
    ----------
    header : str
        What tells so.
    """

    def __init__(self, header: str) -> None:
        super().__init__(
            f"Expected a request from this machine and for it; the header {header} says otherwise. Without any key the "
            "service answers http://localhost alone. Make keys, and it answers whoever has one: regulars keys create"
        )
