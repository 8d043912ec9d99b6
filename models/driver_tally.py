"""What is counted and summed of contributions for reports of drivers: one pass over the customers, none of them kept.

Sums are compensated (Neumaier, Zeitschrift für Angewandte Mathematik und Mechanik 54, 1974, algorithm IV): beside each
total stands what rounding took from it. So a million customers sum as exactly as ten, in whatever portions they come.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["AGAINST", "TOWARDS", "Layout", "Tally", "sum_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Sides of the axes of two below.
TOWARDS, AGAINST = 0, 1

# Reasons of a customer that count as the strongest.
_STRONGEST = 3


class Layout(NamedTuple):
    """Where values and contributions are counted.

    Attributes
    ----------
    bins : int64, shape (n_features + 1,)
        First bin of each feature, and their number in all. The last bin of each feature is for values that are missing.
    edges : float64, shape (n_edges,)
        Of all features one after another, ascending within each: the values at which its second and later bins begin.
    first_edges : int64, shape (n_features + 1,)
        First edge of each feature, and their number in all.
    is_categorical : bool, shape (n_features,)
        Values are then codes, each with a bin of its own; others than those count as missing.
    centres : float64, shape (n_features,)
        Values from which deviations are counted.
    groups : int64, shape (n_features,)
        Group of each feature.
    """

    bins: IntArray
    edges: FloatArray
    first_edges: IntArray
    is_categorical: NDArray[np.bool_]
    centres: FloatArray
    groups: IntArray


class Tally(NamedTuple):
    """Counts and sums by segment; a last axis of two holds a total and what rounding took from it (see `sum_of`).

    Attributes
    ----------
    customers : int64, shape (n_segments,)
    in_bin : int64, shape (n_segments, n_bins)
        Customers by bin; each feature has bins of its own.
    pushes : float64, shape (n_segments, n_bins, 2, 2)
        Sum of the contributions above 0, and of those below.
    pushed : int64, shape (n_segments, n_features, 2)
        Customers whom a feature pushes towards the target, and against.
    strongest : int64, shape (n_segments, n_features)
        Customers among whose three strongest reasons it is.
    deviations, products : float64, shape (n_segments, n_features, 2)
        Sum of the values (less a fixed centre) that are not missing, and of their products with the contributions.
    group_pushes : float64, shape (n_segments, n_groups, 2, 2)
        As `pushes`, of the sums that groups of features come to for each customer.
    group_pushed : int64, shape (n_segments, n_groups, 2)
    group_strongest : int64, shape (n_segments, n_groups)
        Customers for whom it is the strongest group.
    """

    customers: IntArray
    in_bin: IntArray
    pushes: FloatArray
    pushed: IntArray
    strongest: IntArray
    deviations: FloatArray
    products: FloatArray
    group_pushes: FloatArray
    group_pushed: IntArray
    group_strongest: IntArray

    @classmethod
    def zeros(cls, layout: Layout, *, segments: int) -> Self:
        """Return a tally of nobody."""
        features, bins = len(layout.groups), int(layout.bins[-1])
        groups = int(layout.groups.max(initial=-1)) + 1
        return cls(
            customers=np.zeros(segments, dtype=np.int64),
            in_bin=np.zeros((segments, bins), dtype=np.int64),
            pushes=np.zeros((segments, bins, 2, 2)),
            pushed=np.zeros((segments, features, 2), dtype=np.int64),
            strongest=np.zeros((segments, features), dtype=np.int64),
            deviations=np.zeros((segments, features, 2)),
            products=np.zeros((segments, features, 2)),
            group_pushes=np.zeros((segments, groups, 2, 2)),
            group_pushed=np.zeros((segments, groups, 2), dtype=np.int64),
            group_strongest=np.zeros((segments, groups), dtype=np.int64),
        )

    def add(self, contributions: FloatArray, values: FloatArray, member: NDArray[np.bool_], layout: Layout) -> None:
        """Add some customers.

        Parameters
        ----------
        contributions, values : float64, shape (n, n_features)
            Contributions in log-odds, finite; a value that is missing is NaN.
        member : bool, shape (n, n_segments)
        layout : Layout
            The one that the tally was made with.
        """
        _add(self, contributions, values, member, layout)

    def merge(self, other: Tally) -> None:
        """Add what another tally of the same features, bins, groups and segments has counted and summed."""
        for ours, theirs in zip(self, other, strict=True):
            if ours.dtype == np.int64:
                np.add(ours, theirs, out=ours)
            else:
                _merge(ours, theirs)


def sum_of(totals: FloatArray) -> FloatArray:
    """Return the sums of a tally, from their totals and what rounding took from them (the last axis)."""
    summed: FloatArray = totals[..., 0] + totals[..., 1]
    return summed


def _merge(ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    before, added = ours[..., 0].copy(), theirs[..., 0]
    after = before + added
    came = after - before
    ours[..., 0] = after
    ours[..., 1] += ((before - (after - came)) + (added - came)) + theirs[..., 1]


@njit(cache=True)
def _accumulate(total: FloatArray, added: float) -> None:
    # Knuth's exact error of an addition, which needs no comparison of the two sizes.
    before = total[0]
    after = before + added
    came = after - before
    total[0] = after
    total[1] += (before - (after - came)) + (added - came)


@njit(cache=True)
def _slot(value: float, feature: int, layout: Layout) -> np.int64:
    """Return the bin that a value of a feature is counted in."""
    first: np.int64 = layout.bins[feature]
    missing: np.int64 = layout.bins[feature + 1] - 1
    if layout.is_categorical[feature]:
        is_known = 0.0 <= value < missing - first
        return first + np.int64(value) if is_known else missing
    if np.isnan(value):
        return missing
    # Halving by hand: with numba's searchsorted the whole tally takes twice as long.
    begin: np.int64 = layout.first_edges[feature]
    low, high = begin, layout.first_edges[feature + 1]
    while low < high:
        middle = (low + high) // 2
        if value < layout.edges[middle]:
            high = middle
        else:
            low = middle + 1
    return first + low - begin


@njit(cache=True)
def _rank(feature: int, contributions: FloatArray, leaders: IntArray) -> None:
    """Give a feature its place among the strongest so far, -1 where there is none yet; the first of equals leads."""
    place = len(leaders)
    while place > 0:
        holder = leaders[place - 1]
        # A contribution of 0 is no reason.
        to_beat = 0.0 if holder < 0 else abs(contributions[holder])
        if abs(contributions[feature]) <= to_beat:
            break
        place -= 1
    if place < len(leaders):
        leaders[place + 1 :] = leaders[place:-1].copy()
        leaders[place] = feature


@njit(cache=True)
def _add(
    tally: Tally, contributions: FloatArray, values: FloatArray, member: NDArray[np.bool_], layout: Layout
) -> None:
    n, n_features = contributions.shape
    n_segments, n_groups = tally.group_strongest.shape
    group_sums = np.empty(n_groups)
    leaders = np.empty(_STRONGEST, dtype=np.int64)
    slots = np.empty(n_features, dtype=np.int64)
    for row in range(n):
        group_sums[:] = 0.0
        leaders[:] = -1
        for feature in range(n_features):
            contribution = contributions[row, feature]
            group_sums[layout.groups[feature]] += contribution
            slots[feature] = _slot(values[row, feature], feature, layout)
            _rank(feature, contributions[row], leaders)
        leading_group = int(np.argmax(np.abs(group_sums)))

        for segment in range(n_segments):
            if not member[row, segment]:
                continue
            tally.customers[segment] += 1
            for feature in range(n_features):
                contribution, slot = contributions[row, feature], slots[feature]
                deviation = values[row, feature] - layout.centres[feature]
                tally.in_bin[segment, slot] += 1
                if contribution != 0.0:
                    side = TOWARDS if contribution > 0.0 else AGAINST
                    tally.pushed[segment, feature, side] += 1
                    _accumulate(tally.pushes[segment, slot, side], contribution)
                if not np.isnan(deviation):
                    _accumulate(tally.deviations[segment, feature], deviation)
                    _accumulate(tally.products[segment, feature], deviation * contribution)
            for leader in leaders:
                if leader >= 0:
                    tally.strongest[segment, leader] += 1
            for group in range(n_groups):
                if group_sums[group] != 0.0:
                    side = TOWARDS if group_sums[group] > 0.0 else AGAINST
                    tally.group_pushed[segment, group, side] += 1
                    _accumulate(tally.group_pushes[segment, group, side], group_sums[group])
            if group_sums[leading_group] != 0.0:
                tally.group_strongest[segment, leading_group] += 1
