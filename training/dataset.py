"""Labelled rows: features of the eligible customers at past snapshots, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame
from features.checks import check_frame
from features.event_log import EventLog
from features.labels import bought, eligible_for, outcome
from features.targets import Target
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from training.exceptions import TrainingError
from training.progress import Progress
from training.splits import ROLES, Role, Splits, customer_draws, role_of_draws

__all__ = ["Dataset", "Rows", "all_labelled", "build_dataset", "labelled_rows", "require_enough"]

FEWEST_ROWS = 50
FEWEST_OF_A_CLASS = 10


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
    bought : float64, shape (n,)
        1 where the customer purchased within the horizon; NaN where nothing is known of purchases.
    categorical : tuple of str
        Those of the names whose columns hold codes of categories.
    """

    names: tuple[str, ...]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    draw: NDArray[np.float64]
    bought: NDArray[np.float64]
    categorical: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        frame: FeatureFrame,
        kept: NDArray[np.bool_],
        *,
        y: NDArray[np.float64],
        draw: NDArray[np.float64],
        bought: NDArray[np.float64],
    ) -> Self:
        """Return the rows of some customers of a frame; labels and the like are theirs only."""
        categorical = tuple(feature.name for feature in frame.features if feature.categorical)
        return cls(frame.names, frame.values[kept], y, draw, bought, categorical)

    def inputs(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns of some features, shape (n, len(names))."""
        return self.X[:, [self.names.index(name) for name in names]]

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.names, self.X[kept], self.y[kept], self.draw[kept], self.bought[kept], self.categorical)

    def asking_who_buys(self) -> Rows:
        """Return the same rows, asked whether they purchase at all."""
        return replace(self, y=self.bought)

    @classmethod
    def stack(cls, parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts."""
        return cls(
            names=parts[0].names,
            X=np.vstack([part.X for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            draw=np.concatenate([part.draw for part in parts]),
            bought=np.concatenate([part.bought for part in parts]),
            categorical=parts[0].categorical,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Rows by what they are for.

    Attributes
    ----------
    method : str
        How they were divided, as the report says it.
    snapshots : dict
        ISO dates of each part.
    train, early_stopping, calibration, test : Rows
    """

    method: str
    snapshots: dict[str, Any]
    train: Rows
    early_stopping: Rows
    calibration: Rows
    test: Rows

    def asking_who_buys(self) -> Dataset:
        """Return the same rows, asked whether they purchase at all."""
        parts = {name: getattr(self, name).asking_who_buys() for name in (*ROLES, "test")}
        return replace(self, **parts)


def labelled_rows(log: EventLog, day: int, target: Target, inputs: ModelInputs) -> Rows:
    """Return the eligible customers at the midnight of one local day, with their label.

    Parameters
    ----------
    log : EventLog
        Reaching to the end of the label window.
    day : int
        Local day since 1970-01-01.
    target : Target
        With its horizon and activity window.
    inputs : ModelInputs
        Makes the features.
    """
    snapshot = Snapshot.at_midnight(day, log.calendar)
    frame = inputs.frame(log, snapshot)
    check_frame(frame)
    kept = eligible_for(target, log, snapshot, frame)
    draws = customer_draws(
        [customer_id for customer_id, is_kept in zip(log.customer_ids, kept, strict=True) if is_kept]
    )
    buys = np.full(len(draws), np.nan)
    if inputs.purchases is not None:
        buys = bought(log, snapshot, target.horizon)[kept].astype(np.float64)
    return Rows.of(frame, kept, y=outcome(target, log, snapshot, frame)[kept], draw=draws, bought=buys)


def all_labelled(log: EventLog, splits: Splits, target: Target, inputs: ModelInputs) -> Rows:
    """Return the rows of all snapshots together, test included."""
    return Rows.stack([labelled_rows(log, day, target, inputs) for day in _days(splits)])


def build_dataset(log: EventLog, splits: Splits, target: Target, inputs: ModelInputs, *, progress: Progress) -> Dataset:
    """Return the rows of each role.

    Raises
    ------
    TrainingError
        A role has too few rows, or too few of one class, to learn or measure anything by.
    """
    days = _days(splits)
    of_day: dict[int, Rows] = {}
    for done, day in enumerate(days, start=1):
        of_day[day] = labelled_rows(log, day, target, inputs)
        progress(f"Building features: {target.name}", done / len(days))

    def rows_of(role: Role) -> Rows:
        rows = Rows.stack([of_day[day] for day in splits.days(role)])
        return rows if splits.method == "separate snapshots" else rows.where(role_of_draws(rows.draw) == role)

    dataset = Dataset(
        splits.method,
        splits.as_dates(),
        rows_of("train"),
        rows_of("early_stopping"),
        rows_of("calibration"),
        of_day[splits.test],
    )
    for role in ROLES:
        require_enough(role, getattr(dataset, role), target)
    require_enough("test", dataset.test, target)
    return dataset


def require_enough(part: str, rows: Rows, target: Target) -> None:
    """Raise `TrainingError` where some rows are too few to learn or measure anything by."""
    n, positive = len(rows.y), int(rows.y.sum())
    if n < FEWEST_ROWS or min(positive, n - positive) < FEWEST_OF_A_CLASS:
        what = "of an eligible customer at a snapshot" if target.kind != "label" else "with a label"
        came = "churned" if target.is_churn else f"with {target.name}"
        remedy = (
            "Choose another --horizon-days or a longer --activity-days, or bring more history."
            if target.kind != "label"
            else "Bring more labels."
        )
        raise TrainingError(
            f"There are too few rows for {part.replace('_', ' ')}: {n} {what}, {positive} of them {came}; at least "
            f"{FEWEST_ROWS} are needed, with {FEWEST_OF_A_CLASS} of either kind. {remedy}"
        )


def _days(splits: Splits) -> list[int]:
    return sorted({day for role in ROLES for day in splits.days(role)} | {splits.test})
