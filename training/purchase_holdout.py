"""A period kept back from the end of what is known: what went before it, and what customers bought in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure, aggregate
from features.build import build_features
from features.event_log import EventLog
from features.rfm import Rfm
from features.windows import Snapshot
from training.exceptions import TrainingError

__all__ = ["PurchaseHoldout"]


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseHoldout:
    """A period kept back, the customers who had purchased before it, and their purchase days in it.

    Attributes
    ----------
    start : Snapshot
        At which it begins, and before which everything is learnt.
    days : int
        Its length.
    rfm : Rfm
        Of the customers at `start`; `rfm.rows` are their positions in the log. All below is in that order.
    before : float64, shape (n,)
        Purchase days in as many days before `start`.
    actual : float64, shape (n,)
        Purchase days in it.
    spent : float64, shape (n,)
        What was spent in it, 0 where refunds of earlier orders outweigh it.
    """

    start: Snapshot
    days: int
    rfm: Rfm
    before: NDArray[np.float64]
    actual: NDArray[np.float64]
    spent: NDArray[np.float64]

    @classmethod
    def of(cls, log: EventLog, *, end_day: int, days: int) -> Self:
        """Keep back the days before the midnight of a local day.

        Parameters
        ----------
        log : EventLog
        end_day : int
            Local day since 1970-01-01 at whose midnight the period ends.
        days : int
            From 1.

        Raises
        ------
        TrainingError
            Nobody purchased before it.
        """
        start, end = (Snapshot.at_midnight(day, log.calendar) for day in (end_day - days, end_day))
        rfm = Rfm.of(build_features(log, start))
        if not len(rfm.rows):
            raise TrainingError(
                f"Nobody purchased before {start.date}, where a hold-out of {days} days begins. Choose a shorter one."
            )
        within = (Aggregate(Measure.PURCHASE_DAYS, days=days), Aggregate(Measure.VALUE, days=days))
        before, came = (np.nan_to_num(aggregate(log, snapshot, within)[rfm.rows], nan=0.0) for snapshot in (start, end))
        return cls(start, days, rfm, before[:, 0], came[:, 0], np.maximum(came[:, 1], 0.0))

    @property
    def history(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Frequency, recency and T of the customers at `start`."""
        return self.rfm.frequency, self.rfm.recency, self.rfm.T
