"""What drives a model's scores, over all customers and over each segment, feature by feature and group by group.

SHAP contributions are in log-odds and add up to what sets a customer's raw margin apart from the base value (Lundberg
& Lee, 2017, property 1). Their means add up likewise, so that groups of features have exact sums: a group's
contribution to one customer is the sum of its features', and its size is the mean of that sum's absolute value, in
which features that work against each other cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.catalogue import find_feature
from models.driver_direction import find_direction, find_turn
from models.driver_report import EVERYBODY, CategoryMean, Direction, DriverReport, FeatureDriver, GroupDriver
from models.driver_tally import AGAINST, TOWARDS, Layout, Tally, sum_of
from models.exceptions import InputError

__all__ = ["DriverSums", "find_edges"]

FloatArray = NDArray[np.float64]

_MOST_EDGES = 20
# More rows would hardly move an edge; sorting them would take minutes.
_MOST_ROWS = 200_000
_DIGITS = 12


class DriverSums:
    """Adds up contributions, some customers at a time, and reports on all of them together.

    Nothing is kept of a single customer. In whatever portions and order customers are added, the reports are the same
    to 12 significant digits, to which they are rounded.

    Parameters
    ----------
    features : sequence of str
        Names of the columns, known to the catalogue.
    categories : mapping of feature to sequence of str
        For categorical features, what the codes 0, 1, … stand for; any other code counts as missing.
    edges : mapping of feature to sequence of float
        For the others, ascending values at which bins begin; see `find_edges`. A feature without is told in one bin.
    segments : sequence of str
        Names of the columns of `member`; "all" comes by itself.

    Raises
    ------
    InputError
        A feature that the catalogue does not know, edges that do not ascend, or names that come twice.
    """

    def __init__(
        self,
        features: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        edges: Mapping[str, Sequence[float]],
        segments: Sequence[str],
    ) -> None:
        self._features = tuple(features)
        self._segments = (EVERYBODY, *segments)
        for names in (self._features, self._segments):
            if len(set(names)) < len(names):
                raise InputError(f"expected names that differ from each other, got {', '.join(names)}")
        driver_of = [_driver(name) for name in self._features]
        self._groups = tuple(dict.fromkeys(driver_of))
        self._categories = {name: tuple(categories[name]) for name in self._features if name in categories}
        self._edges = {name: _ascending(name, edges.get(name, ())) for name in self._features}
        self._layout = self._lay_out([self._groups.index(driver) for driver in driver_of])
        self._tally = Tally.zeros(self._layout, segments=len(self._segments))

    def add(self, contributions: FloatArray, values: FloatArray, member: NDArray[np.bool_]) -> None:
        """Add some customers.

        Parameters
        ----------
        contributions : ndarray, shape (n, n_features)
            SHAP values in log-odds, finite.
        values : ndarray, shape (n, n_features)
            What the classifier read; NaN is missing.
        member : ndarray of bool, shape (n, n_segments)
            Who is in which of `segments`.

        Raises
        ------
        InputError
            Another shape, or a contribution that is not finite.
        """
        n = len(contributions)
        expected = ((n, len(self._features)),) * 2 + ((n, len(self._segments) - 1),)
        came = (contributions.shape, values.shape, member.shape)
        if came != expected or not np.isfinite(contributions).all():
            raise InputError(
                f"expected finite contributions, values and members of the shapes {', '.join(map(str, expected))}; got "
                f"{', '.join(map(str, came))} with {int((~np.isfinite(contributions)).sum())} not finite"
            )
        # Arrays of one kind, so that the loop is compiled once.
        self._tally.add(
            np.ascontiguousarray(contributions, dtype=np.float64),
            np.ascontiguousarray(values, dtype=np.float64),
            np.ascontiguousarray(np.column_stack([np.ones(n, dtype=np.bool_), member])),
            self._layout,
        )

    def merge(self, other: DriverSums) -> None:
        """Add the customers that another has added up.

        Raises
        ------
        InputError
            It is of other features, categories, edges or segments.
        """
        if self._shape() != other._shape():
            raise InputError("expected sums of the same features, categories, edges and segments to merge with")
        self._tally.merge(other._tally)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that has been added up."""
        return self._tally._asdict()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Have added up what the state says, which sums of the same features, bins and segments gave."""
        self._tally = Tally(**state)

    def reports(self) -> dict[str, DriverReport]:
        """Return the report of each segment, that of everybody first."""
        return {segment: self.report(segment) for segment in self._segments}

    def report(self, segment: str = EVERYBODY) -> DriverReport:
        """Return what drives the scores of one segment.

        Raises
        ------
        InputError
            No such segment.
        """
        if segment not in self._segments:
            raise InputError(f"expected one of the segments {', '.join(self._segments)}, got {segment!r}")
        at = self._segments.index(segment)
        n = int(self._tally.customers[at])
        if n == 0:
            return DriverReport(customers=0, mean_contribution=None, drivers=[], features=[], unused=[])
        features = [self._feature(at, i, n) for i in range(len(self._features))]
        used = sorted((row for row in features if row["mean_size"] > 0), key=lambda row: -row["mean_size"])
        groups = [self._group(at, i, n) for i in range(len(self._groups))]
        return DriverReport(
            customers=n,
            mean_contribution=_rounded(float(np.sum(sum_of(self._tally.group_pushes[at])) / n)),
            drivers=sorted(groups, key=lambda row: -row["mean_size"]),
            features=used,
            unused=[row["feature"] for row in features if row["mean_size"] == 0],
        )

    def _shape(self) -> tuple[object, ...]:
        edges = {name: tuple(of_one.tolist()) for name, of_one in self._edges.items()}
        return self._features, self._categories, edges, self._segments

    def _lay_out(self, groups: list[int]) -> Layout:
        edges = list(self._edges.values())
        # Beside the bins that its values make, each feature has one for those who have none.
        widths = [
            1 + (len(self._categories[name]) if name in self._categories else len(of_one) + 1)
            for name, of_one in self._edges.items()
        ]
        return Layout(
            bins=np.concatenate([[0], np.cumsum(widths, dtype=np.int64)]),
            edges=np.concatenate([np.empty(0), *edges]),
            first_edges=np.concatenate([[0], np.cumsum([len(of_one) for of_one in edges], dtype=np.int64)]),
            is_categorical=np.array([name in self._categories for name in self._features], dtype=np.bool_),
            centres=np.array([float(of_one[len(of_one) // 2]) if len(of_one) else 0.0 for of_one in edges]),
            groups=np.array(groups, dtype=np.int64),
        )

    def _feature(self, at: int, i: int, n: int) -> FeatureDriver:
        name, tally = self._features[i], self._tally
        slots = slice(self._layout.bins[i], self._layout.bins[i + 1])
        in_bin, pushes = tally.in_bin[at, slots], sum_of(tally.pushes[at, slots])
        towards, against = (float(side) / n for side in pushes.sum(axis=0))
        means = pushes.sum(axis=1) / np.maximum(in_bin, 1)
        is_categorical = name in self._categories
        direction, turns_at = (None, None) if is_categorical else self._direction(at, i, in_bin[:-1], means[:-1])
        return FeatureDriver(
            feature=name,
            driver=self._groups[self._layout.groups[i]],
            mean_size=_rounded(towards - against),
            mean_contribution=_rounded(towards + against),
            mean_towards=_rounded(towards),
            mean_against=_rounded(against),
            towards=_rounded(int(tally.pushed[at, i, TOWARDS]) / n),
            against=_rounded(int(tally.pushed[at, i, AGAINST]) / n),
            among_strongest=int(tally.strongest[at, i]),
            direction=direction,
            turns_at=turns_at,
            missing=_category("", in_bin[-1], means[-1]) if in_bin[-1] else None,
            categories=_categories(self._categories[name], in_bin, means) if is_categorical else None,
        )

    def _direction(
        self, at: int, i: int, in_bin: NDArray[np.int64], means: FloatArray
    ) -> tuple[Direction | None, float | None]:
        """Return the direction of a feature and where it turns; its missing values have no say."""
        deviations, products = sum_of(self._tally.deviations[at, i]), sum_of(self._tally.products[at, i])
        covariance = float(products - deviations * (means * in_bin).sum() / max(1, in_bin.sum()))
        direction = find_direction(in_bin, means, covariance)
        edges = self._edges[self._features[i]]
        return direction, None if direction is None else find_turn(direction, edges, in_bin, means)

    def _group(self, at: int, i: int, n: int) -> GroupDriver:
        tally = self._tally
        towards, against = (float(side) / n for side in sum_of(tally.group_pushes[at, i]))
        return GroupDriver(
            driver=self._groups[i],
            features=[name for name, group in zip(self._features, self._layout.groups, strict=True) if group == i],
            mean_size=_rounded(towards - against),
            mean_contribution=_rounded(towards + against),
            mean_towards=_rounded(towards),
            mean_against=_rounded(against),
            towards=_rounded(int(tally.group_pushed[at, i, TOWARDS]) / n),
            against=_rounded(int(tally.group_pushed[at, i, AGAINST]) / n),
            strongest_of=int(tally.group_strongest[at, i]),
        )


def find_edges(
    X: ArrayLike, names: Sequence[str], *, categorical: Collection[str] = (), most: int = _MOST_EDGES
) -> dict[str, tuple[float, ...]]:
    """Find for each feature some values, 20 at most by default, at which bins of about equally many rows begin.

    An edge is a value that occurs. A value that many rows share has a bin to itself, and the others are spread over the
    rest, so that a feature that is mostly 0 is still seen in detail above it; one of few distinct values has a bin for
    each.

    Parameters
    ----------
    X : array_like, shape (n, n_features)
        Training rows; NaN is missing.
    names : sequence of str
    categorical : collection of str
        Features that have categories instead.
    most : int
        Edges of a feature.

    Returns
    -------
    dict of feature to tuple of float, ascending
        Empty for a feature of one value, or none.

    Examples
    --------
    >>> find_edges([[0.0], [0.0], [1.0], [7.0], [float("nan")]], ["frequency"])
    {'frequency': (1.0, 7.0)}
    """
    matrix = np.asarray(X, dtype=np.float64)
    rows = matrix[:: max(1, -(-len(matrix) // _MOST_ROWS))]
    return {name: _edges(rows[:, i], most) for i, name in enumerate(names) if name not in categorical}


def _edges(column: FloatArray, most: int) -> tuple[float, ...]:
    distinct, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if len(distinct) <= most + 1:
        return tuple(distinct[1:].tolist())
    below = np.concatenate([[0], np.cumsum(counts)])  # rows below each value
    edges: list[float] = []
    start = 0
    for bins_left in range(most + 1, 1, -1):
        share = (below[-1] - below[start]) / bins_left
        start = int(np.searchsorted(below, below[start] + share))
        if start >= len(distinct):
            break
        edges.append(float(distinct[start]))
    return tuple(edges)


def _categories(names: Sequence[str], in_bin: NDArray[np.int64], means: FloatArray) -> list[CategoryMean]:
    rows = [_category(name, in_bin[i], means[i]) for i, name in enumerate(names) if in_bin[i]]
    return sorted(rows, key=lambda row: -row["mean_contribution"])


def _category(name: str, customers: np.int64, mean: np.float64) -> CategoryMean:
    return CategoryMean(category=name, customers=int(customers), mean_contribution=_rounded(float(mean)))


def _driver(name: str) -> str:
    feature = find_feature(name)
    if feature is None:
        raise InputError(f"expected features of the catalogue, got {name!r}; train again with the present catalogue")
    return feature.driver


def _ascending(name: str, edges: Sequence[float]) -> FloatArray:
    ascending = np.array(edges, dtype=np.float64)
    if not (np.diff(ascending) > 0).all():
        raise InputError(f"expected edges of {name!r} that ascend, got {ascending.tolist()}")
    return ascending


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}") + 0.0
