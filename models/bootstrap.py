"""How far a difference between two predictions can be trusted: a bootstrap by customer (Efron 1979).

A test has the customers that it happens to have. Drawing as many of them again and again, with replacement, shows how
much a difference owes to that: the middle 95 % of what the draws give is its interval. A customer is drawn with all of
its rows, since they share one fate; both predictions are measured on the same draws, so that what is hard for both
cancels out. Where rows were predicted fold by fold, each fold has figures of its own, and their mean counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.binary_classifier import FloatArray
from models.exceptions import InputError
from models.metrics import auc, log_losses

__all__ = ["Resampling", "auc_difference_interval", "log_loss_difference_interval"]

# What is left out at either end of the draws.
_TAILS = (0.025, 0.975)
_FEWEST_OF_A_CLASS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How the customers of some rows are drawn again.

    Attributes
    ----------
    owner : ndarray of int64, shape (n,)
        Number of each row's customer, from 0.
    folds : tuple of ndarrays of int64
        Numbers of the rows of each fold.
    draws : int
        How often as many customers are drawn as there are.
    seed : int
        The same seed draws the same customers.
    """

    owner: NDArray[np.int64]
    folds: tuple[NDArray[np.int64], ...]
    draws: int
    seed: int

    @classmethod
    def of(cls, customer: NDArray[Any], *, draws: int, seed: int, fold: NDArray[np.int64] | None = None) -> Self:
        """Plan the draws.

        Parameters
        ----------
        customer : ndarray, shape (n,)
            Whose row it is, in whatever form.
        draws : int
            From 1; 1,000 are customary.
        seed : int
            From 0.
        fold : ndarray of int64, shape (n,), optional
            The fold that each row was left out with; without it all rows are measured together.

        Raises
        ------
        InputError
            No rows, fewer than one draw, or folds of other rows.
        """
        fold = np.zeros(len(customer), dtype=np.int64) if fold is None else fold
        if len(customer) == 0 or fold.shape != customer.shape or draws < 1:
            raise InputError(
                f"expected at least one draw from at least one row, with a fold each; got {draws} draws, customers of "
                f"shape {customer.shape} and folds of shape {fold.shape}"
            )
        owner = np.unique(customer, return_inverse=True)[1].astype(np.int64)
        return cls(owner, tuple(np.flatnonzero(fold == number) for number in np.unique(fold)), draws, seed)

    def counts(self) -> Iterator[NDArray[np.int64]]:
        """Yield for each draw how often it holds each customer, shape (n_customers,)."""
        rng = np.random.default_rng(self.seed)
        n_customers = int(self.owner.max()) + 1
        for _ in range(self.draws):
            yield np.bincount(rng.integers(n_customers, size=n_customers), minlength=n_customers)


def auc_difference_interval(
    y: FloatArray, score: FloatArray, other: FloatArray, resampling: Resampling
) -> tuple[float, float] | None:
    """Return the 95 % interval of how much higher the AUC of one score is than that of another on the same rows.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    score, other : ndarray, shape (n,)
        Any finite scores, higher for likelier.
    resampling : Resampling
        Of the customers of these rows.

    Returns
    -------
    (low, high), each in [-1, 1], or None where a fold has fewer than two rows of a class.

    Raises
    ------
    InputError
        As ``models.metrics.auc``.
    """
    pairs = []
    for rows in resampling.folds:
        events = float(y[rows].sum())
        if min(events, len(rows) - events) < _FEWEST_OF_A_CLASS:
            return None
        pairs.append([_ranked(y[rows], one[rows], resampling.owner[rows]) for one in (score, other)])
    differences = np.array(
        [
            np.mean([_drawn_auc(count, *ours) - _drawn_auc(count, *theirs) for ours, theirs in pairs])
            for count in resampling.counts()
        ]
    )
    # A draw in which a fold has but one class says nothing of its ranking.
    return _middle(differences[~np.isnan(differences)])


def log_loss_difference_interval(
    y: FloatArray, p: FloatArray, other: FloatArray, resampling: Resampling
) -> tuple[float, float] | None:
    """Return the 95 % interval of how much higher the log loss of some probabilities is than that of others.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    p, other : ndarray, shape (n,)
        Probabilities of 1.
    resampling : Resampling
        Of the customers of these rows.

    Returns
    -------
    (low, high) in nats, below 0 where ``p`` is better; None where no draw reaches every fold.

    Raises
    ------
    InputError
        As ``models.metrics.log_loss``.
    """
    excess = log_losses(y, p) - log_losses(y, other)
    n_customers = int(resampling.owner.max()) + 1
    # What a customer brings to the sum and to the number of rows of each fold.
    brought = [
        tuple(
            np.bincount(resampling.owner[rows], weights=weights, minlength=n_customers)
            for weights in (excess[rows], np.ones(len(rows)))
        )
        for rows in resampling.folds
    ]
    differences = np.array(
        [
            np.mean([_ratio(np.sum(count * sums), np.sum(count * sizes)) for sums, sizes in brought])
            for count in resampling.counts()
        ]
    )
    return _middle(differences[~np.isnan(differences)])


def _middle(differences: FloatArray) -> tuple[float, float] | None:
    if not len(differences):
        return None
    low, high = np.quantile(differences, _TAILS)
    return float(low), float(high)


def _ratio(total: float, size: float) -> float:
    return total / size if size > 0 else np.nan


def _ranked(
    y: FloatArray, score: FloatArray, owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return in ascending order of the score: whose row it is, whether it is an event, whether it ends a tie."""
    auc(y, score)  # refuses what is no ranking
    order = np.argsort(score, kind="stable")
    return owner[order], y[order] == 1.0, np.append(np.diff(score[order]) != 0, True)


@njit(cache=True, nogil=True)
def _drawn_auc(
    count: NDArray[np.int64], owner: NDArray[np.int64], is_event: NDArray[np.bool_], ends_tie: NDArray[np.bool_]
) -> float:
    """AUC (Mann & Whitney 1947) of ranked rows, each taken as often as its customer was drawn; NaN with one class."""
    events, rows, events_below, rows_below, won = 0, 0, 0, 0, 0.0
    for position in range(len(owner)):
        drawn = count[owner[position]]
        rows += drawn
        # No branch: outcomes in the order of a score can't be foretold, and a wrong guess costs more than the sum.
        events += drawn * is_event[position]
        if ends_tie[position]:
            others, others_below = rows - events, rows_below - events_below
            won += (events - events_below) * (0.5 * (others + others_below))
            events_below, rows_below = events, rows
    if events == 0 or events == rows:
        return np.nan
    return won / (float(events) * (rows - events))
