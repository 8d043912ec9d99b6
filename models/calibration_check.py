"""What calibration error chance alone leaves: the figure of probabilities that are exactly right.

Of 600 customers at 10 % each, not exactly 60 come; so even true probabilities show an error, the larger the fewer the
customers. An observed error speaks against a model only where it is beyond what outcomes drawn from the model's own
probabilities show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.binary_classifier import FloatArray
from models.exceptions import InputError
from models.metrics import calibration_error

__all__ = ["ErrorIfPerfect", "calibration_error_if_perfect"]


@dataclass(frozen=True, slots=True)
class ErrorIfPerfect:
    """Calibration error of outcomes that follow the probabilities.

    Attributes
    ----------
    mean : float
        Over the draws, in [0, 1].
    p95 : float
        What 95 % of the draws don't exceed.
    """

    mean: float
    p95: float


def calibration_error_if_perfect(
    p: FloatArray, *, draws: int, seed: int, bins: int = 10, fold: NDArray[np.int64] | None = None
) -> ErrorIfPerfect:
    """Return the calibration error that is left when every outcome comes about with exactly its probability.

    Parameters
    ----------
    p : ndarray, shape (n,)
        Probabilities, in [0, 1]; each row's outcome is drawn by itself.
    draws : int
        Sets of outcomes, from 1; 1,000 are customary.
    seed : int
        From 0. The same seed draws the same outcomes.
    bins : int
        As for ``models.metrics.calibration_error``.
    fold : ndarray of int64, shape (n,), optional
        The fold that each row was left out with; then each fold has an error of its own, and their mean counts.

    Raises
    ------
    InputError
        As ``models.metrics.calibration_error``, or fewer than one draw.
    """
    if draws < 1:
        raise InputError(f"expected at least one draw, got {draws}")
    fold = np.zeros(len(p), dtype=np.int64) if fold is None else fold
    parts = [_Bins.of(p[fold == number], bins) for number in np.unique(fold)]
    rng = np.random.default_rng(seed)
    errors = np.array([np.mean([part.error_of_chance(rng) for part in parts]) for _ in range(draws)])
    return ErrorIfPerfect(float(errors.mean()), float(np.quantile(errors, 0.95)))


@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    """Rows in ascending order of their probability, cut as for the calibration error, once for all draws.

    Attributes
    ----------
    p : ndarray, shape (n,)
        Ascending.
    starts : ndarray of int64, shape (n_bins,)
        First row of each bin.
    predicted : ndarray, shape (n_bins,)
        Sum of the probabilities in each bin.
    tie : ndarray of int64, shape (n,)
        Number of each row's distinct probability; rows that share one share their mean outcome.
    tied : ndarray of int64
        Rows of each of them.
    """

    p: FloatArray
    starts: NDArray[np.int64]
    predicted: FloatArray
    tie: NDArray[np.int64]
    tied: NDArray[np.int64]

    @classmethod
    def of(cls, p: FloatArray, bins: int) -> _Bins:
        calibration_error(np.zeros(len(p)), p, bins)  # refuses what are no probabilities
        ascending = np.sort(p)
        sizes = [len(part) for part in np.array_split(ascending, min(bins, len(p)))]
        starts = np.cumsum([0, *sizes[:-1]])
        tie = np.cumsum(np.diff(ascending, prepend=ascending[0]) != 0)
        return cls(ascending, starts, np.add.reduceat(ascending, starts), tie, np.bincount(tie))

    def error_of_chance(self, rng: np.random.Generator) -> float:
        """Draw the outcomes and return their calibration error."""
        came = np.bincount(self.tie, weights=rng.random(len(self.p)) < self.p)
        observed = np.add.reduceat((came / self.tied)[self.tie], self.starts)
        return float(np.abs(self.predicted - observed).sum() / len(self.p))
