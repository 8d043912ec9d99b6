"""The clock rule: how far ahead of ours a sender's clock may run."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from store.ingest.rejections import CellError
from store.tables.base import to_microseconds

__all__ = ["Clock"]

_ALLOWED_AHEAD = timedelta(hours=24)


class Clock:
    """Judges instants by when we received them.

    Parameters
    ----------
    received_at : datetime
        Aware.
    """

    def __init__(self, received_at: datetime) -> None:
        self.received_at = to_microseconds(received_at)
        self._latest = to_microseconds(received_at + _ALLOWED_AHEAD)

    def admit(self, reported_at: int) -> int:
        """Return an instant in microseconds as it is; raise `CellError` if it lies more than 24 h ahead."""
        if reported_at > self._latest:
            raise CellError("future", "lies more than 24 hours ahead of when it was received; check date and time zone")
        return reported_at

    def admits(self, reported_at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of instants whether `admit` would return them."""
        return reported_at <= self._latest

    def occurred_at(self, reported_at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when things count as having happened: never after they were received."""
        return np.minimum(reported_at, self.received_at)
