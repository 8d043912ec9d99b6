"""Labelled rows: features of the eligible customers at past snapshots, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.build import build_features
from features.catalogue import CATALOGUE
from features.checks import check_frame
from features.event_log import EventLog
from features.labels import churned, eligible
from features.windows import Snapshot
from models.purchase_model import PurchaseModel
from training.exceptions import TrainingError
from training.progress import Progress
from training.splits import ROLES, Role, Splits, customer_draws, role_of_draws

__all__ = ["Dataset", "Rows", "build_dataset", "labelled_rows", "usable_features"]

_FEWEST_ROWS = 50
_FEWEST_OF_A_CLASS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Eligible customers at one or more snapshots.

    Attributes
    ----------
    names : tuple of str, length k
    X : float64, shape (n, k)
    y : float64, shape (n,)
        1 where the target came about.
    draw : float64, shape (n,)
        In [0, 1), by the customer alone; folds are cut by it.
    """

    names: tuple[str, ...]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    draw: NDArray[np.float64]

    def inputs(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns of some features, shape (n, len(names))."""
        return self.X[:, [self.names.index(name) for name in names]]

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.names, self.X[kept], self.y[kept], self.draw[kept])

    @classmethod
    def stack(cls, parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts."""
        return cls(
            parts[0].names,
            np.vstack([part.X for part in parts]),
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.draw for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Rows by what they are for."""

    splits: Splits
    train: Rows
    early_stopping: Rows
    calibration: Rows
    test: Rows


def usable_features(history_days: int) -> tuple[str, ...]:
    """Names of the features that a log of this length can teach a model anything by."""
    return tuple(name for name, feature in CATALOGUE.items() if feature.needs_history_days <= history_days)


def labelled_rows(
    log: EventLog,
    day: int,
    purchases: PurchaseModel,
    *,
    horizon_days: int,
    activity_days: int,
) -> Rows:
    """Return the eligible customers at the midnight of one local day, with their label.

    Parameters
    ----------
    log : EventLog
        Reaching to the end of the label window.
    day : int
        Local day since 1970-01-01.
    purchases : PurchaseModel
        Gives the BTYD features.
    horizon_days, activity_days : int
    """
    snapshot = Snapshot.at_midnight(day, log.calendar)
    frame = build_features(log, snapshot)
    check_frame(frame)
    kept = eligible(frame, activity_days)
    frame = purchases.add_features(frame, horizon_days)
    draws = customer_draws(
        [customer_id for customer_id, is_kept in zip(log.customer_ids, kept, strict=True) if is_kept]
    )
    return Rows(frame.names, frame.values[kept], churned(log, snapshot, horizon_days)[kept], draws)


def build_dataset(
    log: EventLog,
    splits: Splits,
    purchases: PurchaseModel,
    *,
    horizon_days: int,
    activity_days: int,
    progress: Progress,
) -> Dataset:
    """Return the rows of each role.

    Raises
    ------
    TrainingError
        A role has too few rows, or too few of one class, to learn or measure anything by.
    """
    days = sorted({day for role in ROLES for day in splits.days(role)} | {splits.test})
    of_day: dict[int, Rows] = {}
    for done, day in enumerate(days, start=1):
        of_day[day] = labelled_rows(log, day, purchases, horizon_days=horizon_days, activity_days=activity_days)
        progress("Building features", done / len(days))

    def rows_of(role: Role) -> Rows:
        rows = Rows.stack([of_day[day] for day in splits.days(role)])
        return rows if splits.method == "separate snapshots" else rows.where(role_of_draws(rows.draw) == role)

    dataset = Dataset(splits, rows_of("train"), rows_of("early_stopping"), rows_of("calibration"), of_day[splits.test])
    for role in ROLES:
        _require_enough(role, getattr(dataset, role))
    _require_enough("test", dataset.test)
    return dataset


def _require_enough(name: str, rows: Rows) -> None:
    n, positive = len(rows.y), int(rows.y.sum())
    if n < _FEWEST_ROWS or min(positive, n - positive) < _FEWEST_OF_A_CLASS:
        raise TrainingError(
            f"There are too few rows for {name.replace('_', ' ')}: {n} of an eligible customer at a snapshot, "
            f"{positive} of them churned; at least {_FEWEST_ROWS} are needed, with {_FEWEST_OF_A_CLASS} of either "
            "kind. Choose another --horizon-days or a longer --activity-days, or bring more history."
        )
