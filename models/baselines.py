"""Predictions that need no model; a model that doesn't beat them is not worth its keep."""

import numpy as np

from models.binary_classifier import FloatArray
from models.exceptions import InputError

__all__ = ["days_since_last_purchase", "mean_for_everybody", "nobody_returns", "same_rate"]


def days_since_last_purchase(recency: FloatArray, T: FloatArray) -> FloatArray:
    """Return T - recency in days, shape (n,): the churn score of whoever sorts customers by their last order.

    Parameters
    ----------
    recency : ndarray, shape (n,)
        Days from first to last purchase day.
    T : ndarray, shape (n,)
        Days from the first purchase day to the last day observed.
    """
    return np.asarray(T, dtype=np.float64) - np.asarray(recency, dtype=np.float64)


def same_rate(frequency: FloatArray, T: FloatArray, horizon_days: float) -> FloatArray:
    """Return the purchase days expected if each customer went on as before: frequency / T x horizon.

    A customer first seen on the last day (T = 0) has no rate yet and counts as 0.

    Parameters
    ----------
    frequency : ndarray, shape (n,)
        Repeat purchase days.
    T : ndarray, shape (n,)
        Days observed, from 0.
    horizon_days : float
        Length of the period predicted, above 0.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InputError
        The horizon is not above 0.
    """
    if not horizon_days > 0:
        raise InputError(f"horizon_days must be above 0, got {horizon_days!r}")
    observed = np.asarray(T, dtype=np.float64)
    repeats = np.asarray(frequency, dtype=np.float64)
    return np.divide(repeats * horizon_days, observed, out=np.zeros(observed.shape), where=observed > 0)


def nobody_returns(n_customers: int) -> FloatArray:
    """Return zeros, shape (n_customers,): no purchase of anyone, ever again."""
    return np.zeros(n_customers)


def mean_for_everybody(frequency: FloatArray, T: FloatArray, horizon_days: float) -> FloatArray:
    """Return the same number for each customer: repeat purchase days a day observed, over all of them, x horizon.

    Parameters
    ----------
    frequency : ndarray, shape (n,)
        Repeat purchase days.
    T : ndarray, shape (n,)
        Days observed, from 0; where all are 0 there is no rate yet, and it counts as 0.
    horizon_days : float
        Length of the period predicted, above 0.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InputError
        The horizon is not above 0.
    """
    everybody = same_rate(np.sum(frequency, keepdims=True), np.sum(T, keepdims=True), horizon_days)
    return np.full(len(frequency), everybody[0])
