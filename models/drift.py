"""How far the customers whom a model judges have moved away from those whom it was trained on.

Of each feature and of the score, training keeps how many customers fell into each of about ten bins. A scoring run
counts its own customers in the same bins, and `models.stability_index` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypedDict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.drivers import find_edges
from models.exceptions import InputError
from models.stability_index import Drift, drift_between

__all__ = ["DriftReport", "DriftSums", "FeatureDrift", "TrainingDistribution"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_EDGES = 9  # of ten bins
_SCORE = "raw_margin"
# Probabilities are added up as whole millionths, so that their sum is the same in whatever order they come.
_MILLION = 1_000_000


class FeatureDrift(Drift):
    """Drift of one feature."""

    feature: str
    missing: float
    missing_at_training: float


class DriftReport(TypedDict):
    """Drift of what one model reads and says, between training and a run; JSON-safe.

    `score` is that of the raw margin. Calibration is strictly increasing, so that it is that of the probability too;
    `score_edges` are probabilities, `score_shares` and `score_shares_at_training` are those of the bins between them.
    The features that moved most come first.
    """

    trained_as_of: str
    customers: int
    customers_at_training: int
    judged: int
    judged_at_training: int
    judged_drift: Drift
    mean_probability: float | None
    mean_probability_at_training: float | None
    base_rate_at_training: float
    score: Drift
    score_edges: list[float]
    score_shares: list[float]
    score_shares_at_training: list[float]
    features: list[FeatureDrift]


@dataclass(frozen=True, slots=True)
class TrainingDistribution:
    """How what a model reads and says was distributed over the customers whom it judged at training.

    Attributes
    ----------
    customers : int
        Known then, judged or not.
    judged : int
    millionths : int
        Sum of their probabilities, each in whole millionths.
    edges : mapping of feature to tuple of float
        Ascending values at which the second and later bins begin; "raw_margin" is the score.
    counts : mapping of feature to tuple of int
        Customers in each bin; the last bin is of those without a value. A category has a bin of its own.
    """

    customers: int
    judged: int
    millionths: int
    edges: Mapping[str, tuple[float, ...]]
    counts: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        values: FloatArray,
        raw_margin: FloatArray,
        probability: FloatArray,
        *,
        customers: int,
        categories: Mapping[str, Sequence[str]],
    ) -> Self:
        """Learn the bins from the customers judged, and count them.

        Parameters
        ----------
        names : sequence of str
            Features of the classifier.
        values : float64, shape (n, len(names))
            What it read of the customers judged; NaN is missing.
        raw_margin, probability : float64, shape (n,)
        customers : int
            All that were known, judged or not.
        categories : mapping of feature to sequence of str
            What the codes of categorical features stand for.
        """
        edges = find_edges(values, names, categorical=categories, most=_EDGES)
        edges |= find_edges(raw_margin[:, np.newaxis], [_SCORE], most=_EDGES)
        unfilled = {name: (0,) * _width(name, edges, categories) for name in (*names, _SCORE)}
        sums = DriftSums(cls(0, 0, 0, edges, unfilled), names, categories)
        sums.add(values, raw_margin, probability, customers=customers)
        return cls(sums.customers, len(raw_margin), sums.millionths, edges, sums.counted())

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-safe."""
        return {
            "customers": self.customers,
            "judged": self.judged,
            "millionths": self.millionths,
            "edges": {name: list(of_one) for name, of_one in self.edges.items()},
            "counts": {name: list(of_one) for name, of_one in self.counts.items()},
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return what `to_dict` told."""
        return cls(
            customers=told["customers"],
            judged=told["judged"],
            millionths=told["millionths"],
            edges={name: tuple(of_one) for name, of_one in told["edges"].items()},
            counts={name: tuple(of_one) for name, of_one in told["counts"].items()},
        )


class DriftSums:
    """Counts customers in the bins of training, some at a time; in whatever portions and order, counts are the same.

    Parameters
    ----------
    training : TrainingDistribution
    features : sequence of str
        Names of the columns, as the classifier reads them.
    categories : mapping of feature to sequence of str

    Raises
    ------
    InputError
        The training distribution is of other features, or of other categories.
    """

    def __init__(
        self, training: TrainingDistribution, features: Sequence[str], categories: Mapping[str, Sequence[str]]
    ) -> None:
        self.training = training
        self.customers = 0
        self.judged = 0
        self.millionths = 0
        self._names = (*features, _SCORE)
        expected = {name: _width(name, training.edges, categories) for name in self._names}
        came = {name: len(counts) for name, counts in training.counts.items()}
        if expected != came:
            raise InputError(f"expected bins of the features of the model, {expected}; got {came}. Train again.")
        # No value reaches an edge that is NaN, so that rows of edges may be filled up with them.
        self._edges = np.full((len(self._names), _EDGES), np.nan)
        for i, name in enumerate(self._names):
            if name not in categories:
                self._edges[i, : len(training.edges[name])] = training.edges[name]
        self._is_categorical = np.array([name in categories for name in self._names], dtype=np.bool_)
        self._bins = np.cumsum([0, *expected.values()], dtype=np.int64)
        self._last = self._bins[1:] - 1  # of each feature, the bin of what is missing
        self._counts = np.zeros(int(self._bins[-1]), dtype=np.int64)

    def add(self, values: FloatArray, raw_margin: FloatArray, probability: FloatArray, *, customers: int) -> None:
        """Add some customers.

        Parameters
        ----------
        values : float64, shape (n, n_features)
            What the classifier read of those judged.
        raw_margin, probability : float64, shape (n,)
            Theirs.
        customers : int
            Judged or not.
        """
        self.customers += customers
        self.judged += len(raw_margin)
        self.millionths += int(np.rint(probability * _MILLION).astype(np.int64).sum())
        columns = np.ascontiguousarray(values, dtype=np.float64)
        margin = np.ascontiguousarray(raw_margin, dtype=np.float64)[:, np.newaxis]
        features = slice(0, len(self._names) - 1)
        for part, column in ((features, columns), (slice(-1, None), margin)):
            _count(
                self._counts,
                column,
                self._edges[part],
                self._is_categorical[part],
                self._bins[:-1][part],
                self._last[part],
            )

    def merge(self, other: DriftSums) -> None:
        """Add the customers that another, of the same model, has counted."""
        self.customers += other.customers
        self.judged += other.judged
        self.millionths += other.millionths
        self._counts += other._counts

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that has been counted."""
        return {"counts": self._counts, "in_all": np.array([self.customers, self.judged, self.millionths])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Have counted what the state says, which another of the same model gave."""
        self._counts = state["counts"]
        self.customers, self.judged, self.millionths = state["in_all"].tolist()

    def counted(self) -> dict[str, tuple[int, ...]]:
        """Return the customers in each bin, by feature."""
        bins = self._bins.tolist()
        return {name: tuple(self._counts[bins[i] : bins[i + 1]].tolist()) for i, name in enumerate(self._names)}

    def report(self, *, trained_as_of: str, base_rate: float, edges: Sequence[float]) -> DriftReport:
        """Compare what was counted with training.

        Parameters
        ----------
        trained_as_of : str
            ISO date.
        base_rate : float
            Share of the training rows for whom the target came about.
        edges : sequence of float
            The probabilities that stand for the edges of the raw margin (see `margin_edges`).
        """
        before, now = self.training, self.counted()
        features = [
            FeatureDrift(
                feature=name,
                **drift_between(before.counts[name], now[name]),
                missing=_share_of_last(now[name]),
                missing_at_training=_share_of_last(before.counts[name]),
            )
            for name in self._names[:-1]
        ]
        return DriftReport(
            trained_as_of=trained_as_of,
            customers=self.customers,
            customers_at_training=before.customers,
            judged=self.judged,
            judged_at_training=before.judged,
            judged_drift=drift_between(
                (before.judged, before.customers - before.judged), (self.judged, self.customers - self.judged)
            ),
            mean_probability=self.millionths / _MILLION / self.judged if self.judged else None,
            mean_probability_at_training=before.millionths / _MILLION / before.judged if before.judged else None,
            base_rate_at_training=base_rate,
            score=drift_between(before.counts[_SCORE], now[_SCORE]),
            score_edges=list(edges),
            # Nobody who is judged is without a score.
            score_shares=_shares(now[_SCORE][:-1]),
            score_shares_at_training=_shares(before.counts[_SCORE][:-1]),
            features=sorted(features, key=lambda row: (-row["psi"], row["feature"])),
        )

    @property
    def margin_edges(self) -> FloatArray:
        """Raw margins at which the bins of the score begin."""
        return np.array(self.training.edges[_SCORE], dtype=np.float64)


def _width(name: str, edges: Mapping[str, Sequence[float]], categories: Mapping[str, Sequence[str]]) -> int:
    """Return the number of bins of a feature, that of missing values included."""
    return 1 + (len(categories[name]) if name in categories else len(edges[name]) + 1)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _share_of_last(counts: Sequence[int]) -> float:
    return _shares(counts)[-1]


@njit(cache=True)
def _count(
    counts: IntArray,
    values: FloatArray,
    edges: FloatArray,
    is_categorical: NDArray[np.bool_],
    first: IntArray,
    last: IntArray,
) -> None:
    """Count the values of each column in its bins, from `first` to `last`; what is missing in the last one."""
    n, n_columns = values.shape
    for row in range(n):
        for column in range(n_columns):
            value = values[row, column]
            missing = last[column] - first[column]
            slot = 0
            if is_categorical[column]:
                slot = int(value) if 0.0 <= value < missing else int(missing)
            elif np.isnan(value):
                slot = int(missing)
            else:
                # Edges are few: to compare with all takes less than to guess which half comes next.
                for edge in edges[column]:
                    slot += value >= edge
            counts[first[column] + slot] += 1
