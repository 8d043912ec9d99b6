"""Rows whose label came in a file: of the customers that it names, at its dates or at the end of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.checks import check_frame
from features.event_log import EventLog
from features.targets import Target
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from store.ingest.labels import Labels
from training.dataset import Dataset, Rows, require_enough
from training.exceptions import TrainingError
from training.splits import ROLES, customer_draws, role_of_draws

__all__ = ["SuppliedRows", "dated_dataset", "supplied_rows"]

# The latest labels test, as the latest snapshot does where labels come from events.
_TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class SuppliedRows:
    """Rows of the labelled customers, one a label.

    Attributes
    ----------
    rows : Rows
    customer_ids : tuple of str, length n
    day : int32, length n
        Local day at whose midnight each is looked at.
    unknown : int
        Labels of customers of whom nothing is known; they make no row.
    """

    rows: Rows
    customer_ids: tuple[str, ...]
    day: NDArray[np.int32]
    unknown: int

    @property
    def has_dates(self) -> bool:
        """Whether they speak of more than one day."""
        return len(np.unique(self.day)) > 1


def supplied_rows(log: EventLog, labels: Labels, inputs: ModelInputs, *, end_day: int) -> SuppliedRows:
    """Make a row of each label whose customer is known.

    Parameters
    ----------
    log : EventLog
    labels : Labels
        As read from a file.
    inputs : ModelInputs
        Makes the features.
    end_day : int
        Local day at whose midnight labels without a date are looked at.

    Raises
    ------
    TrainingError
        No label is of a known customer.
    """
    position = {customer_id: i for i, customer_id in enumerate(log.customer_ids)}
    at = np.array([position.get(customer_id, -1) for customer_id in labels.customer_ids], dtype=np.int64)
    known = np.flatnonzero(at >= 0)
    if not len(known):
        raise TrainingError(
            f"None of the {len(at):,} labelled customers is known, the first being {labels.customer_ids[0]!r}. Ingest "
            "their events or attributes first, under the same ids."
        )
    days = np.full(len(at), end_day, dtype=np.int32) if labels.day is None else labels.day
    parts: list[Rows] = []
    places: list[NDArray[np.int64]] = []
    for day in np.unique(days[known]).tolist():
        here = known[days[known] == day]
        # A log's customers ascend by id.
        here = here[np.argsort(at[here], kind="stable")]
        some = log.take(at[here])
        frame = inputs.frame(some, Snapshot.at_midnight(day, log.calendar))
        check_frame(frame)
        draws = customer_draws(some.customer_ids)
        everybody, unknown = np.ones(len(here), dtype=np.bool_), np.full(len(here), np.nan)
        outcome = labels.positive[here].astype(np.float64)
        parts.append(Rows.of(frame, everybody, y=outcome, draw=draws, bought=unknown))
        places.append(here)
    in_order = np.concatenate(places)
    return SuppliedRows(
        Rows.stack(parts),
        tuple(labels.customer_ids[i] for i in in_order.tolist()),
        days[in_order],
        len(at) - len(known),
    )


def dated_dataset(supplied: SuppliedRows, target: Target) -> Dataset:
    """Divide dated rows: the latest fifth tests, and who is in it is in no other part.

    Raises
    ------
    TrainingError
        A part has too few rows, or too few of one class.
    """
    first_test_day = int(np.quantile(supplied.day, 1.0 - _TEST_SHARE, method="higher"))
    in_test = supplied.day >= first_test_day
    tested = {supplied.customer_ids[i] for i in np.flatnonzero(in_test).tolist()}
    is_free = np.array([customer_id not in tested for customer_id in supplied.customer_ids], dtype=np.bool_)
    role = role_of_draws(supplied.rows.draw)
    test = supplied.rows.where(in_test)
    parts = {name: supplied.rows.where(is_free & (role == name)) for name in ROLES}
    for name, rows in (*parts.items(), ("test", test)):
        require_enough(name, rows, target)
    span = [_iso(int(supplied.day[is_free].min())), _iso(int(supplied.day[is_free].max()))]
    return Dataset(
        method="dates of labels",
        snapshots={**dict.fromkeys(ROLES, span), "test": _iso(first_test_day)},
        train=parts["train"],
        early_stopping=parts["early_stopping"],
        calibration=parts["calibration"],
        test=test,
    )


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
