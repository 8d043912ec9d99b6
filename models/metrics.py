"""How good predictions of a binary target are.

Every figure is a property of the pairs (truth, prediction), whatever the order of the rows: where a figure depends on
a ranking, rows with equal predictions share their mean outcome.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from models.binary_classifier import FloatArray, as_outcomes
from models.exceptions import InputError

__all__ = [
    "BinaryReport",
    "CalibrationCurve",
    "auc",
    "auc_difference",
    "average_precision",
    "binary_report",
    "brier",
    "calibration_curve",
    "calibration_error",
    "lift_at",
    "log_loss",
    "log_losses",
]


class BinaryReport(TypedDict):
    """Figures of a binary target; None where the data doesn't define one."""

    n: int
    rate: float | None
    auc: float | None
    average_precision: float | None
    log_loss: float | None
    brier: float | None
    calibration_error: float | None
    lift_at_10: float | None


@dataclass(frozen=True)
class CalibrationCurve:
    """Mean prediction against observed share, by bins of equal count in ascending order of the prediction.

    Attributes
    ----------
    predicted, observed : ndarray, shape (n_bins,)
        Mean probability and share of events in each bin, in [0, 1].
    count : ndarray of int64, shape (n_bins,)
        Rows in each bin; they differ by at most one.
    """

    predicted: FloatArray
    observed: FloatArray
    count: npt.NDArray[np.int64]


def auc(y: FloatArray, score: FloatArray) -> float | None:
    """Return the chance that a random event is ranked above a random non-event, ties counting half.

    From the rank sum (Mann & Whitney 1947): (R+ - n+ (n+ + 1) / 2) / (n+ n-), with average ranks for ties.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    score : ndarray, shape (n,)
        Any finite score, higher for likelier.

    Returns
    -------
    float in [0, 1], or None if there is one class only. A constant score gives .5.

    Raises
    ------
    InputError
        No rows, shapes that differ, scores that are not finite, or outcomes other than 0 and 1.
    """
    outcomes, scores = _pairs(y, score)
    events = outcomes.sum()
    others = len(outcomes) - events
    if events == 0 or others == 0:
        return None
    rank_sum = rankdata(scores)[outcomes == 1.0].sum()
    return float((rank_sum - events * (events + 1) / 2) / (events * others))


def auc_difference(y: FloatArray, score: FloatArray, other: FloatArray) -> tuple[float, float] | None:
    """Return how much higher the AUC of one score is than that of another on the same rows, with its standard error.

    By DeLong, DeLong & Clarke-Pearson (1988), eq. 4 to 6: each AUC is a mean over events of the share of non-events
    ranked below, and over non-events of the share of events ranked above; the error comes from how these shares differ.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    score, other : ndarray, shape (n,)
        Any finite scores, higher for likelier.

    Returns
    -------
    (difference, standard_error), or None with fewer than two rows of a class.

    Raises
    ------
    InputError
        As ``auc``.
    """
    outcomes, _ = _pairs(y, score)
    is_event = outcomes == 1.0
    n_events, n_others = int(is_event.sum()), int((~is_event).sum())
    if n_events < 2 or n_others < 2:
        return None
    below, above = (
        np.subtract(*parts)
        for parts in zip(_placements(score, is_event), _placements(_pairs(y, other)[1], is_event), strict=True)
    )
    variance = below.var(ddof=1) / n_events + above.var(ddof=1) / n_others
    return float(below.mean()), float(np.sqrt(variance))


def average_precision(y: FloatArray, score: FloatArray) -> float | None:
    """Return the mean of the precision over the events, going down the ranking one distinct score at a time.

    sum_k (recall_k - recall_{k-1}) precision_k, without interpolation.

    Returns
    -------
    float in (0, 1], or None if there are no events. A constant score gives the rate.

    Raises
    ------
    InputError
        As ``auc``.
    """
    outcomes, scores = _pairs(y, score)
    events = outcomes.sum()
    if events == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    events_so_far = np.cumsum(outcomes[order])[last_of_tie]
    rows_so_far = np.flatnonzero(last_of_tie) + 1
    new_events = np.diff(events_so_far, prepend=0.0)
    return float(np.sum(new_events * events_so_far / rows_so_far) / events)


def log_loss(y: FloatArray, p: FloatArray) -> float:
    """Return the mean negative log-likelihood in nats, from 0.

    Raises
    ------
    InputError
        As ``log_losses``.
    """
    return float(np.mean(log_losses(y, p)))


def log_losses(y: FloatArray, p: FloatArray) -> FloatArray:
    """Return the negative log-likelihood of each row in nats, from 0, shape (n,).

    Probabilities of exactly 0 and 1 count as 2.2e-16 away from it, so that one impossible event costs 36 and not
    infinity.

    Raises
    ------
    InputError
        As ``auc``, or a probability outside [0, 1].
    """
    outcomes, probabilities = _probability_pairs(y, p)
    smallest = np.finfo(np.float64).eps
    bounded = np.clip(probabilities, smallest, 1.0 - smallest)
    return np.asarray(-np.where(outcomes == 1.0, np.log(bounded), np.log1p(-bounded)))


def brier(y: FloatArray, p: FloatArray) -> float:
    """Return the mean squared difference of probability and outcome, in [0, 1] (Brier 1950, halved as is usual).

    Raises
    ------
    InputError
        As ``log_loss``.
    """
    outcomes, probabilities = _probability_pairs(y, p)
    return float(np.mean((probabilities - outcomes) ** 2))


def calibration_curve(y: FloatArray, p: FloatArray, bins: int = 10) -> CalibrationCurve:
    """Return mean prediction and observed share in bins of equal count.

    Rows are sorted by probability and cut into ``bins`` runs whose sizes differ by at most one, the larger ones first;
    there are never more bins than rows. Rows with equal probabilities that fall on a cut bring their mean outcome to
    both sides, so that their order is without influence.

    Raises
    ------
    InputError
        As ``log_loss``, or less than one bin.
    """
    outcomes, probabilities = _probability_pairs(y, p)
    if bins < 1:
        raise InputError(f"expected at least 1 bin, got {bins}")
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    shared = _shared_by_ties(outcomes, probabilities)
    return CalibrationCurve(
        predicted=np.array([probabilities[part].mean() for part in parts]),
        observed=np.array([shared[part].mean() for part in parts]),
        count=np.array([len(part) for part in parts], dtype=np.int64),
    )


def calibration_error(y: FloatArray, p: FloatArray, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal count, in [0, 1].

    The mean over the bins of ``calibration_curve``, weighted by their rows, of the absolute difference between mean
    probability and observed share (Naeini, Cooper & Hauskrecht 2015, with bins of equal count instead of equal width).

    Raises
    ------
    InputError
        As ``calibration_curve``.
    """
    curve = calibration_curve(y, p, bins)
    return float(np.average(np.abs(curve.predicted - curve.observed), weights=curve.count))


def lift_at(y: FloatArray, score: FloatArray, share: float = 0.1) -> float | None:
    """Return how many times the overall rate the events are in the highest-scored share of the rows.

    The share is rounded up to whole rows, at least one. Of rows tied at the cut, the mean outcome counts.

    Returns
    -------
    float in [0, 1 / rate], or None if there are no events.

    Raises
    ------
    InputError
        As ``auc``, or a share outside (0, 1].
    """
    outcomes, scores = _pairs(y, score)
    if not 0 < share <= 1:
        raise InputError(f"expected a share above 0 and up to 1, got {share!r}; .1 is the top tenth")
    if outcomes.sum() == 0:
        return None
    # The subtraction keeps .1 x 30 = 3.0000000000000004 from asking for a fourth row.
    n_top = max(1, int(np.ceil(share * len(outcomes) - 1e-9)))
    top = np.argsort(-scores, kind="stable")[:n_top]
    return float(_shared_by_ties(outcomes, scores)[top].mean() / outcomes.mean())


def binary_report(y: FloatArray, p: FloatArray) -> BinaryReport:
    """Return every figure of this module for a binary target.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcomes, 0 or 1.
    p : ndarray, shape (n,)
        Probabilities of 1.

    Returns
    -------
    BinaryReport
        All figures None for no rows; auc None for one class; average_precision and lift_at_10 None without events.

    Raises
    ------
    InputError
        As ``log_loss``, but for no rows.
    """
    if len(y) == 0 and len(p) == 0:
        return BinaryReport(
            n=0,
            rate=None,
            auc=None,
            average_precision=None,
            log_loss=None,
            brier=None,
            calibration_error=None,
            lift_at_10=None,
        )
    return BinaryReport(
        n=len(y),
        rate=float(np.mean(y)),
        auc=auc(y, p),
        average_precision=average_precision(y, p),
        log_loss=log_loss(y, p),
        brier=brier(y, p),
        calibration_error=calibration_error(y, p),
        lift_at_10=lift_at(y, p),
    )


def _shared_by_ties(outcomes: FloatArray, scores: FloatArray) -> FloatArray:
    _, group = np.unique(scores, return_inverse=True)
    return np.asarray((np.bincount(group, weights=outcomes) / np.bincount(group))[group])


def _placements(score: FloatArray, is_event: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return for each event the share of non-events below it, for each non-event the share of events above it."""
    ranks = rankdata(score)
    events, others = ranks[is_event], ranks[~is_event]
    below = (events - rankdata(score[is_event])) / len(others)
    above = 1.0 - (others - rankdata(score[~is_event])) / len(events)
    return np.asarray(below), np.asarray(above)


def _pairs(y: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    scores = np.asarray(score, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise InputError(
            f"expected finite scores of shape (n,), got shape {scores.shape} with "
            f"{int((~np.isfinite(scores)).sum())} not finite"
        )
    return as_outcomes(y, len(scores)), scores


def _probability_pairs(y: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    outcomes, probabilities = _pairs(y, p)
    if probabilities.min() < 0.0 or probabilities.max() > 1.0:
        raise InputError(
            f"expected probabilities between 0 and 1, got {probabilities.min():g} to {probabilities.max():g}; "
            "pass margins through a Calibrator first"
        )
    return outcomes, probabilities
