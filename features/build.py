"""From events to rows of features: one code for training and scoring, for one customer and for a million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.aggregate import aggregate
from features.catalogue import CATALOGUE
from features.event_log import EventLog
from features.exceptions import UnknownFeatureError
from features.feature import Feature
from features.windows import Snapshot

__all__ = ["FeatureFrame", "build_features"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFrame:
    """Features of some customers at one snapshot.

    Attributes
    ----------
    customer_ids : tuple of str, length n
    features : tuple of Feature, length k
    values : float64, shape (n, k)
        NaN where there is nothing to compute from; a customer without purchases is NaN throughout.
    """

    customer_ids: tuple[str, ...]
    features: tuple[Feature, ...]
    values: NDArray[np.float64]

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
        position = {name: i for i, name in enumerate(self.names)}
        if missing := [name for name in names if name not in position]:
            raise UnknownFeatureError(
                f"expected features of this frame ({', '.join(self.names)}), got {', '.join(missing)}; take another "
                "name, or compute the feature first"
            )
        return self.values[:, [position[name] for name in names]]

    def with_columns(self, names: Sequence[str], columns: Sequence[NDArray[np.float64]]) -> FeatureFrame:
        """Return the frame with further columns that the catalogue declares."""
        if missing := [name for name in names if name not in CATALOGUE]:
            raise UnknownFeatureError(
                f"expected features of the catalogue, got {', '.join(missing)}; declare them there"
            )
        return FeatureFrame(
            self.customer_ids,
            (*self.features, *(CATALOGUE[name] for name in names)),
            np.column_stack((self.values, *columns)),
        )


# What build_features computes: everything that comes from purchases alone.
_FEATURES = tuple(feature for feature in CATALOGUE.values() if feature.source == "purchases")
_AGGREGATES = tuple(dict.fromkeys(a for feature in _FEATURES for a in feature.inputs))
_POSITIONS = tuple(tuple(_AGGREGATES.index(a) for a in feature.inputs) for feature in _FEATURES)


def build_features(log: EventLog, snapshot: Snapshot) -> FeatureFrame:
    """Compute every feature of the catalogue that comes from purchases.

    Parameters
    ----------
    log : EventLog
        Of one or of a million customers.
    snapshot : Snapshot
        Nothing at or after its instant is read.

    Returns
    -------
    FeatureFrame
        One row a customer of the log, in its order.
    """
    measured = aggregate(log, snapshot, _AGGREGATES)
    values = np.empty((log.n_customers, len(_FEATURES)))
    for column, (feature, positions) in enumerate(zip(_FEATURES, _POSITIONS, strict=True)):
        values[:, column] = feature.column([measured[:, position] for position in positions])
    return FeatureFrame(log.customer_ids, _FEATURES, values)
