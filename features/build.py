"""From events to rows of features: one code for training and scoring, for one customer and for a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Measuring
from features.blocks import for_blocks
from features.catalogue import CATALOGUE, find_feature
from features.event_log import EventLog
from features.exceptions import UnknownFeatureError
from features.feature import Feature
from features.plan import FeaturePlan
from features.reference import NOTHING, Reference
from features.windows import Snapshot

__all__ = ["PURCHASES", "FeatureFrame", "FeaturePlan", "build_features", "build_features_at"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFrame:
    """Features of some customers at one snapshot.

    Attributes
    ----------
    customer_ids : tuple of str, length n
    features : tuple of Feature, length k
    values : float64, shape (n, k)
        NaN where there is nothing to compute from; features of purchases are NaN for a customer without any. Categories
        are codes of the `Reference`.
    """

    customer_ids: tuple[str, ...]
    features: tuple[Feature, ...]
    values: NDArray[np.float64]
    _position: dict[str, int] = field(init=False, repr=False)  # of each feature by its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "_position", {feature.name: i for i, feature in enumerate(self.features)})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(feature.name for feature in self.features)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Return the column of a feature, length n."""
        column: NDArray[np.float64] = self.select([name])[:, 0]
        return column

    def select(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns of some features, shape (n, len(names)), in that order."""
        if missing := [name for name in names if name not in self._position]:
            raise UnknownFeatureError(
                f"expected features of this frame ({', '.join(self.names)}), got {', '.join(missing)}; take another "
                "name, or compute the feature first"
            )
        return self.values[:, [self._position[name] for name in names]]

    def with_columns(self, names: Sequence[str], columns: Sequence[NDArray[np.float64]]) -> FeatureFrame:
        """Return the frame with further columns that the catalogue declares, or makes by rule."""
        found = [(name, find_feature(name)) for name in names]
        if missing := [name for name, feature in found if feature is None]:
            raise UnknownFeatureError(
                f"expected features of the catalogue, got {', '.join(missing)}; declare them there"
            )
        return FeatureFrame(
            self.customer_ids,
            (*self.features, *(feature for _, feature in found if feature is not None)),
            np.column_stack((self.values, *columns)),
        )


# Everything that comes from purchases alone, and so needs no reference.
PURCHASES = FeaturePlan.of([feature for feature in CATALOGUE.values() if feature.needs == "purchases"])


def build_features(
    log: EventLog, snapshot: Snapshot, reference: Reference = NOTHING, plan: FeaturePlan = PURCHASES
) -> FeatureFrame:
    """Compute features of customers as they were known at an instant.

    Parameters
    ----------
    log : EventLog
        Of one or of a million customers.
    snapshot : Snapshot
        Nothing at or after its instant is read.
    reference : Reference
        Since when the business has which data, and what is usual there.
    plan : FeaturePlan
        Which features; by default everything that comes from purchases.

    Returns
    -------
    FeatureFrame
        One row a customer of the log, in its order.
    """
    return build_features_at(log, (snapshot,), reference, plan)[0]


def build_features_at(
    log: EventLog,
    snapshots: Sequence[Snapshot],
    reference: Reference = NOTHING,
    plan: FeaturePlan = PURCHASES,
    *,
    num_threads: int = 1,
) -> tuple[FeatureFrame, ...]:
    """Compute features of customers as they were known at some instants, several times as fast as one after another.

    Parameters
    ----------
    log, reference, plan
        As for `build_features`.
    snapshots : sequence of Snapshot
        In any order; ascending is fastest.
    num_threads : int
        Threads that share the customers; the result does not depend on it.

    Returns
    -------
    tuple of FeatureFrame
        One a snapshot, each bit for bit that of `build_features`. They share one array.
    """
    values = np.empty((len(snapshots), log.n_customers, len(plan.features)))
    measuring = Measuring(log, snapshots, plan.program, reference)

    def compute(first: int, end: int) -> None:
        rows = np.empty((plan.n_rows, end - first, len(snapshots)))
        measuring.measure(first, end, rows[: len(plan.aggregates)])
        plan.evaluate(rows, values[:, first:end])

    for_blocks(log.n_customers, len(snapshots), compute, num_threads)
    for snapshot, of_snapshot in zip(snapshots, values, strict=True):
        of_snapshot[:, plan.missing(reference, snapshot)] = np.nan
        plan.read_attributes(log, snapshot, reference, of_snapshot)
    return tuple(FeatureFrame(log.customer_ids, plan.features, of_snapshot) for of_snapshot in values)
