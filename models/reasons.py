"""From SHAP contributions to reasons: ranked numbers that sum, and a sentence that a person can say.

Contributions are in log-odds. They are ranked and compared here, never turned into percentage points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from models.binary_classifier import FloatArray
from models.exceptions import InputError

__all__ = ["Reason", "Wording", "sentence", "top_contributions"]

# A driver weaker than this share of the strongest one is not worth a person's breath.
_FAINT = 0.1
# Where nothing else speaks towards the target, a sign may be half as strong: it is what there is.
_FAINT_LONE_SIGN = 0.05
# A driver against is said where it weighs at least this share of the strongest one for.
_STRONG_AGAINST = 0.5


class Reason(NamedTuple):
    """One feature's part in one customer's score.

    Attributes
    ----------
    feature, driver : str
        Name of the feature and of the group it belongs to.
    value : float, str or None
        The customer's own value; the name of a category; None where missing.
    contribution : float
        Log-odds; above 0 pushes towards the target.
    text : str
        The clause, not capitalised and without a full stop; may be empty.
    """

    feature: str
    driver: str
    value: float | str | None
    contribution: float
    text: str


@dataclass(frozen=True)
class Wording:
    """The words around the clauses, which depend on the target.

    Attributes
    ----------
    lone_sign : str
        Opens what little pushes towards the target where all drivers push against it.
    nothing_towards : str
        Said where nothing at all pushes towards the target.
    against : str
        Opens what speaks against it.
    """

    lone_sign: str
    nothing_towards: str
    against: str


def top_contributions(
    contributions: FloatArray, k: int, *, towards: int = 0
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return k contributions of each row, largest absolute size first, and the sum of all others.

    Parameters
    ----------
    contributions : ndarray, shape (n, n_features)
        SHAP values in log-odds, finite.
    k : int
        How many to keep, from 1; all of them if there are fewer.
    towards : int
        Places kept for the largest ones above 0, up to k; the others go to the largest of the rest by absolute size.
        So a customer whom nearly everything speaks for still has what speaks against.

    Returns
    -------
    index : ndarray of int16, shape (n, min(k, n_features))
        Columns, largest first; of equal ones the lower column first.
    value : ndarray of float64, same shape
        Their contributions.
    other : ndarray of float64, shape (n,)
        Sum of the rest, so that base_value + value.sum(axis=1) + other is the raw margin.

    Raises
    ------
    InputError
        k below 1, an array that is not two-dimensional, values that are not finite, or more columns than int16 counts.
    """
    values = np.array(contributions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] > np.iinfo(np.int16).max or not np.isfinite(values).all():
        raise InputError(
            f"expected finite contributions of shape (n, n_features) with up to 32,767 features, got shape "
            f"{values.shape} with {int((~np.isfinite(values)).sum())} not finite"
        )
    if k < 1:
        raise InputError(f"expected to keep at least 1 contribution a row, got k = {k}")
    n, k = len(values), min(k, values.shape[1])
    index, value, other = np.empty((n, k), dtype=np.int16), np.empty((n, k)), np.empty(n)
    _pick(values, min(towards, k), index, value, other)
    return index, value, other


@njit(cache=True, nogil=True)
def _pick(values: FloatArray, towards: int, index: npt.NDArray[np.int16], value: FloatArray, other: FloatArray) -> None:
    """Pick the reasons of each row, which are then marked in `values`; k scans cost less than one sort."""
    for row in range(len(values)):
        left = values[row]
        for place in range(index.shape[1]):
            best = _largest(left, True) if place < towards else -1
            if best < 0:
                best = _largest(left, False)
            index[row, place], value[row, place] = best, left[best]
            left[best] = np.nan
        _order_by_size(index[row], value[row])
        other[row] = np.nansum(left)


@njit(cache=True, nogil=True)
def _largest(left: FloatArray, above_0: bool) -> int:
    """Return the first column of the largest value above 0, or else of the largest absolute one; -1 for none."""
    best, most = -1, 0.0 if above_0 else -1.0
    for column in range(len(left)):
        size = left[column] if above_0 else abs(left[column])
        if size > most:  # not so for NaN, which marks what is picked already
            best, most = column, size
    return best


@njit(cache=True, nogil=True)
def _order_by_size(index: npt.NDArray[np.int16], value: FloatArray) -> None:
    """Order a few reasons by absolute size, largest first; of equal ones the lower column first."""
    for i in range(1, len(index)):
        column, weight = index[i], value[i]
        j = i
        while j > 0 and (
            abs(value[j - 1]) < abs(weight) or (abs(value[j - 1]) == abs(weight) and index[j - 1] > column)
        ):
            index[j], value[j] = index[j - 1], value[j - 1]
            j -= 1
        index[j], value[j] = column, weight


def sentence(reasons: Sequence[Reason], *, wording: Wording, most_towards: int = 3, most_against: int = 1) -> str:
    """Return the reasons as one or two English sentences that a retention agent can say.

    Each driver speaks once: features of one driver share what they know, and trees deal it out among them with either
    sign, so the driver's sum decides whether it pushes towards the target or against, and its strongest feature in that
    direction gives the clause. Drivers come strongest first. A driver under a tenth of the strongest is left out; one
    against the target is added to reasons for it where it weighs at least half as much as the strongest of those.
    Where no driver pushes towards the target, the one feature that does most is named as the lone sign.

    Parameters
    ----------
    reasons : sequence of Reason
        One customer's, in any order.
    wording : Wording
        The words around the clauses.
    most_towards, most_against : int
        Clauses at most in either sentence.

    Returns
    -------
    str
        Such as "It has been 97 days since the last purchase and there were no purchases in the last 90 days. Speaking
        for staying: there were 12 purchases in the year before."
    """
    towards, against = _by_direction(reasons)
    if towards:
        if against and against[0][0] < _STRONG_AGAINST * towards[0][0]:
            against = []
        first = _capitalised(_joined([reason.text for _, reason in towards[:most_towards]]))
    elif (lone := _lone_sign(reasons)) is not None:
        against = [(weight, reason) for weight, reason in against if reason.driver != lone.driver]
        first = f"{wording.lone_sign} {lone.text}"
    else:
        first = wording.nothing_towards
    against_text = _joined([reason.text for _, reason in against[:most_against]])
    return f"{first}. {wording.against} {against_text}." if against_text else f"{first}."


def _lone_sign(reasons: Sequence[Reason]) -> Reason | None:
    """Return the feature that pushes most towards the target, None if none does so noticeably."""
    strongest = max((abs(reason.contribution) for reason in reasons), default=0.0)
    signs = [reason for reason in reasons if reason.contribution > _FAINT_LONE_SIGN * strongest and reason.text]
    return min(signs, key=lambda reason: (-reason.contribution, reason.feature), default=None)


def _by_direction(reasons: Sequence[Reason]) -> tuple[list[tuple[float, Reason]], list[tuple[float, Reason]]]:
    """Return (weight, speaking reason) of each driver towards the target, and of each against, strongest first."""
    sums: dict[str, float] = {}
    for reason in reasons:
        sums[reason.driver] = sums.get(reason.driver, 0.0) + reason.contribution
    faint = _FAINT * max(map(abs, sums.values()), default=0.0)
    speakers: dict[str, Reason] = {}
    for reason in reasons:
        total = sums[reason.driver]
        if reason.contribution * total > 0 and reason.text and abs(total) >= faint:
            speaker = speakers.get(reason.driver)
            if speaker is None or abs(reason.contribution) > abs(speaker.contribution):
                speakers[reason.driver] = reason
    weighed = [(abs(sums[driver]), speaker) for driver, speaker in speakers.items()]
    weighed.sort(key=lambda told: (-told[0], told[1].feature))
    towards = [told for told in weighed if told[1].contribution > 0]
    return towards, [told for told in weighed if told[1].contribution < 0]


def _joined(clauses: Sequence[str]) -> str:
    if len(clauses) < 2:
        return "".join(clauses)
    return f"{', '.join(clauses[:-1])} and {clauses[-1]}"


def _capitalised(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
