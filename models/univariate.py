"""One feature against one label: its rows counted by value, and how well it ranks customers by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from models.binary_classifier import FloatArray

__all__ = ["ValueCounts", "cross_fitted_auc", "random_halves"]

_QUANTILE_BINS = 20
# Rows of the overall rate that are added to each bin, so that a handful of rows doesn't lead the ranking.
_SMOOTHING = 5.0

_IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Rows of one feature, by value, half of the customers, and label.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Distinct known values, ascending.
    counts : ndarray of int64, shape (2, 2, k)
        Rows by half, label and value.
    missing : ndarray of int64, shape (2, 2)
        Rows without a value.
    categorical : bool
        Whether the values are codes of categories.
    """

    values: FloatArray
    counts: _IntArray
    missing: _IntArray
    categorical: bool

    @classmethod
    def of(cls, column: FloatArray, label: FloatArray, half: _IntArray, *, categorical: bool) -> Self:
        """Count the rows of a column, shape (n,); NaN is missing."""
        cell = 2 * half + label.astype(np.int64)
        order = np.argsort(column)  # puts NaN last
        n_known = len(column) - int(np.isnan(column).sum())
        ascending = column[order[:n_known]]
        is_first = np.append(True, ascending[1:] != ascending[:-1])[:n_known]
        number = np.cumsum(is_first) - 1
        values = ascending[is_first]
        counts = np.bincount(len(values) * cell[order[:n_known]] + number, minlength=4 * len(values))
        missing = np.bincount(cell[order[n_known:]], minlength=4)
        return cls(values, counts.reshape(2, 2, len(values)), missing.reshape(2, 2), categorical)

    def known(self) -> _IntArray:
        """Return the rows with any value, by half and label, shape (2, 2)."""
        return np.asarray(self.counts.sum(axis=2), dtype=np.int64)

    def by_label(self) -> _IntArray:
        """Return the rows by label and value, shape (2, k)."""
        return np.asarray(self.counts[0] + self.counts[1], dtype=np.int64)

    def bins(self) -> _IntArray:
        """Return the rows that are missing, then those of each category or quantile, shape (2, 2, n_bins).

        Numbers are cut into up to 20 bins at quantiles; equal values share a bin.
        """
        if self.categorical or not len(self.values):
            return np.dstack([self.missing, self.counts])
        rows = self.by_label().sum(axis=0)
        below = np.cumsum(rows) - rows
        number = below * _QUANTILE_BINS // rows.sum()
        starts = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
        return np.dstack([self.missing, np.add.reduceat(self.counts, starts, axis=2)])


def random_halves(label: FloatArray, rng: np.random.Generator) -> _IntArray:
    """Divide rows at random into halves 0 and 1 with equally many of either label, shape (n,)."""
    half = np.empty(len(label), dtype=np.int64)
    for value in (0.0, 1.0):
        rows = np.flatnonzero(label == value)
        half[rows] = rng.permutation(len(rows)) % 2
    return half


def cross_fitted_auc(bins: _IntArray) -> float:
    """Return how well the rates of some bins rank rows by label, when found on other rows than those ranked.

    Each half is ranked by the smoothed rates of the other; the mean of both AUCs counts, which can be below .5 by
    chance. A half that lacks a label counts .5.

    Parameters
    ----------
    bins : ndarray of int64, shape (2, 2, n_bins)
        Rows by half, label and bin.
    """
    return float(np.mean([_auc_of_bins(bins[1 - half], bins[half]) for half in (0, 1)]))


def _auc_of_bins(taught: _IntArray, ranked: _IntArray) -> float:
    overall = taught[1].sum() / max(1, taught.sum())
    rate = (taught[1] + _SMOOTHING * overall) / (taught.sum(axis=0) + _SMOOTHING)
    _, place = np.unique(rate, return_inverse=True)
    negative, positive = (np.bincount(place, weights=ranked[label]) for label in (0, 1))
    pairs = negative.sum() * positive.sum()
    # As Mann & Whitney (1947) count: events above non-events, those of one rate half each.
    return float(((np.cumsum(negative) - negative / 2) @ positive) / pairs) if pairs else 0.5
