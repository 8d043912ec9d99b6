"""Rows whose label came in a file: of the customers that it names, at its dates or at the end of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.checks import check_frame
from features.event_log import EventLog
from features.targets import Target
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from store.customer_keys import find_customers
from store.engine import Database
from store.ingest.labels import Labels
from training.dataset import Dataset, Rows, require_enough
from training.exceptions import TrainingError
from training.splits import ROLES, customer_draws, role_of_draws

__all__ = ["KnownLabels", "dated_dataset", "under_own_ids"]

# The latest labels test, as the latest snapshot does where labels come from events.
_TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class KnownLabels:
    """The labels of customers of whom something is known, in the order of their days.

    Attributes
    ----------
    customers : int64, shape (n,)
        Positions in the log.
    positive : bool, shape (n,)
    day : int32, shape (n,)
        Local day at whose midnight each is looked at.
    has_dates : bool
        Whether the file said the days.
    unknown, ahead, differing : int
        Labels left out: of customers of whom nothing is known, those that look ahead from after the log's end, and
        those that differ under several ids of one customer.
    """

    customers: NDArray[np.int64]
    positive: NDArray[np.bool_]
    day: NDArray[np.int32]
    has_dates: bool
    unknown: int
    ahead: int
    differing: int

    @classmethod
    def of(cls, log: EventLog, labels: Labels, *, end_day: int) -> Self:
        """Find the customers of labels.

        Parameters
        ----------
        log : EventLog
        labels : Labels
            Under the customers' own ids.
        end_day : int
            Local day at whose midnight the log ends; labels without a date are looked at then.

        Raises
        ------
        TrainingError
            No label is of a known customer, or all look ahead from beyond the end.
        """
        position = {customer_id: i for i, customer_id in enumerate(log.customer_ids)}
        at = np.array([position.get(customer_id, -1) for customer_id in labels.customer_ids], dtype=np.int64)
        days = np.full(len(at), end_day, dtype=np.int32) if labels.day is None else labels.day
        if not len(at):
            raise TrainingError(
                f"All {labels.n_differing:,} labels differ from others of the same customer, whose ids were merged. "
                "Let each customer have one label."
            )
        if not (at >= 0).any():
            raise TrainingError(
                f"None of the {len(at):,} labelled customers is known, the first being {labels.customer_ids[0]!r}. "
                "Ingest their events or attributes first, under the same ids."
            )
        ahead = (at >= 0) & (days > end_day)
        kept = np.flatnonzero((at >= 0) & ~ahead)
        if not len(kept):
            raise TrainingError(
                f"All labels look ahead from after {_iso(end_day)}, where what is known ends. Ingest later events, or "
                "choose a later --as-of."
            )
        kept = kept[np.lexsort((at[kept], days[kept]))]
        return cls(
            customers=at[kept],
            positive=labels.positive[kept],
            day=days[kept],
            has_dates=labels.day is not None,
            unknown=int((at < 0).sum()),
            ahead=int(ahead.sum()),
            differing=labels.n_differing,
        )

    @property
    def days(self) -> list[int]:
        """The different days, ascending."""
        return [int(day) for day in np.unique(self.day)]

    @property
    def first_test_day(self) -> int:
        """The day from which on labels test: that of the first of the latest fifth."""
        return int(np.quantile(self.day, 1.0 - _TEST_SHARE, method="higher"))

    def rows(self, log: EventLog, inputs: ModelInputs) -> Rows:
        """Return one row a label, with what was known of its customer at its day."""
        parts = []
        for day in self.days:
            here = self.day == day
            some = log.take(self.customers[here])
            frame = inputs.frame(some, Snapshot.at_midnight(day, log.calendar))
            check_frame(frame)
            everybody, unknown = np.ones(len(frame.values), dtype=np.bool_), np.full(len(frame.values), np.nan)
            outcome = self.positive[here].astype(np.float64)
            draws = customer_draws(some.customer_ids)
            parts.append(Rows.of(frame, everybody, y=outcome, draw=draws, bought=unknown))
        return Rows.stack(parts)


def under_own_ids(database: Database, labels: Labels) -> Labels:
    """Return the labels of the customers for whom ids stand, some of which may have been merged into others."""
    with database.read() as session:
        return labels.under_own_ids(find_customers(session, labels.customer_ids).merged)


def dated_dataset(labels: KnownLabels, rows: Rows, target: Target) -> Dataset:
    """Divide dated rows: the latest fifth tests, and who is in it is in no other part.

    Parameters
    ----------
    labels : KnownLabels
    rows : Rows
        Theirs.
    target : Target

    Raises
    ------
    TrainingError
        A part has too few rows, or too few of one class.
    """
    in_test = labels.day >= labels.first_test_day
    is_free = ~np.isin(labels.customers, labels.customers[in_test])
    role = role_of_draws(rows.draw)
    test = rows.where(in_test)
    parts = {name: rows.where(is_free & (role == name)) for name in ROLES}
    for name, part in (*parts.items(), ("test", test)):
        require_enough(name, part, target)
    span = [_iso(int(labels.day[is_free].min())), _iso(int(labels.day[is_free].max()))]
    return Dataset(
        method="dates of labels",
        snapshots={**dict.fromkeys(ROLES, span), "test": _iso(labels.first_test_day)},
        train=parts["train"],
        early_stopping=parts["early_stopping"],
        calibration=parts["calibration"],
        test=test,
    )


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
