"""What a training knows: the log up to the instant that the models speak of, and how far back it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from features.event_log import EventLog
from features.targets import Target
from features.windows import Snapshot
from store.settings import Settings
from store.training_request import TrainingRequest
from training.splits import Splits, plan_splits
from training.target_check import log_days

__all__ = ["History"]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is known before the instant that the models speak of, and how far back it goes.

    Attributes
    ----------
    log : EventLog
    has_purchases : bool
    first_day, end_day : int
        Local days of the first event that counts, and after the last, at whose midnight the log ends. With purchases
        only these count. Without any event both are the day that attributes are looked at.
    """

    log: EventLog
    has_purchases: bool
    first_day: int
    end_day: int

    @classmethod
    def of(cls, log: EventLog, settings: Settings, request: TrainingRequest, today: datetime) -> History:
        """Leave out what is not known yet at the instant asked for, by the request, else by the setting, else today."""
        calendar = log.calendar
        if request.as_of is not None:
            as_of = Snapshot.at_midnight((request.as_of - date(1970, 1, 1)).days, calendar)
        else:
            as_of = Snapshot.at(settings.as_of or today, calendar)
        # What lies ahead of an instant that was asked for is not known then.
        if request.as_of is not None or settings.as_of is not None:
            log = log.before(as_of.as_of)
        first_day, end_day = log_days(log) or (as_of.last_day + 1, as_of.last_day + 1)
        return cls(log, log.last_purchase_day() is not None, first_day, end_day)

    @property
    def days(self) -> int:
        """Its length."""
        return self.end_day - self.first_day

    @property
    def end(self) -> Snapshot:
        """The midnight at which it ends."""
        return Snapshot.at_midnight(self.end_day, self.log.calendar)

    def plan_splits(self, target: Target) -> Splits:
        """Plan the snapshots of a target; raises `TrainingError` where the history is too short for them."""
        return plan_splits(
            first_day=self.first_day,
            end_day=self.end_day,
            horizon_days=target.horizon,
            activity_days=target.activity,
        )
