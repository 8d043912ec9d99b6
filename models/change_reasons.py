"""Why a score moved between two dates: which inputs changed, and how much of the movement is theirs.

Of a classifier the contributions of both dates start from the same base value, so that their differences sum to the
change of the raw margin. Of clv the customer's earlier self is the reference customer of the game (`models.clv_game`),
whose Shapley values sum to the change in currency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import find_feature
from features.feature import Feature
from features.units import format_value, rounded
from models.clv import ClvTerms
from models.clv_game import CLV_INPUTS, ClvInputs, clv_of_all_mixtures, shapley_values
from models.driver_words import title_of
from models.exceptions import InputError
from models.purchase_model import PurchaseModel
from models.reasons import top_contributions
from models.weighed_clauses import joined, strongest

__all__ = ["Change", "ChangeReason", "change_sentence", "classifier_change", "clv_change"]

FloatArray = NDArray[np.float64]
Value = float | str | None

REASONS_KEPT = 8

# Names of the literature that say nothing to whoever has not read it.
_TITLES = {
    "T": "days since first purchase",
    "frequency": "repeat purchase days",
    "recency": "days from first to last purchase",
    "monetary_value": "mean value of a repeat purchase day",
    "p_alive": "chance of still being a customer by the purchases alone",
}
# Of the days since an event.
_SINCE = ": days since"
_WINDOW = re.compile(r" (\d+)d$")
_COUNTED = frozenset(
    {"days", "purchase days", "orders", "items", "pieces", "products", "categories", "channels", "refunds"}
)


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """The part of one input in the movement of a score.

    Attributes
    ----------
    feature : str
    before, now : float, str or None
        Its value at either date; the name of a category; None where missing.
    contribution : float
        Log-odds for a classifier, currency for clv; above 0 raised the score.
    text : str
        The clause, not capitalised and without a full stop: "days since last purchase went from 12 to 75".
    """

    feature: str
    before: Value
    now: Value
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """The movement of one customer's score.

    Attributes
    ----------
    before, now : float
        Raw margin in log-odds, or clv in currency.
    reasons : tuple of ChangeReason
        Largest contribution first, whether it raised or lowered.
    other : float
        Contribution of all other features: with those of the reasons it sums to ``now - before``.
    """

    before: float
    now: float
    reasons: tuple[ChangeReason, ...]
    other: float


def classifier_change(
    names: Sequence[str],
    *,
    before: FloatArray,
    now: FloatArray,
    contributions_before: FloatArray,
    contributions_now: FloatArray,
    base_value: float,
    categories: Mapping[str, Sequence[str]],
    currency: str,
    kept: int = REASONS_KEPT,
) -> Change:
    """Say why one customer's raw margin moved between two dates, by one and the same model.

    Parameters
    ----------
    names : sequence of str
        The features, in order.
    before, now : ndarray, shape (n_features,)
        Their values at either date; NaN where missing, codes for categories.
    contributions_before, contributions_now : ndarray, shape (n_features,)
        SHAP values of either date, in log-odds.
    base_value : float
        Log-odds from which both start.
    categories : mapping of feature to sequence of str
        What the codes of categorical features stand for.
    currency : str
        For amounts in the clauses.
    kept : int
        Reasons kept, from 1.

    Raises
    ------
    InputError
        The arrays are not of one length, contributions are not finite, or `kept` is below 1.
    """
    arrays = (before, now, contributions_before, contributions_now)
    if any(array.shape != (len(names),) for array in arrays):
        raise InputError(
            f"expected values and contributions of {len(names)} features at both dates, got arrays of the shapes "
            f"{[array.shape for array in arrays]}. Pass one customer, with the same model for both dates."
        )
    index, contribution, other = top_contributions((contributions_now - contributions_before)[np.newaxis], kept)
    return Change(
        before=base_value + float(contributions_before.sum()),
        now=base_value + float(contributions_now.sum()),
        reasons=tuple(
            _reason(
                names[i],
                _value(before[i], categories.get(names[i])),
                _value(now[i], categories.get(names[i])),
                weight,
                currency,
            )
            for i, weight in zip(index[0].tolist(), contribution[0].tolist(), strict=True)
        ),
        other=float(other[0]),
    )


def clv_change(
    purchases: PurchaseModel, terms: ClvTerms, *, before: ClvInputs, now: ClvInputs, currency: str
) -> Change:
    """Say why one customer's clv moved between two dates, by one and the same model.

    Parameters
    ----------
    purchases : PurchaseModel
        Fitted in days.
    terms : ClvTerms
    before, now : ClvInputs
        The customer's at either date.
    currency : str
        For amounts in the clauses.

    Returns
    -------
    Change
        With all four inputs and nothing other.

    Raises
    ------
    InputError
        Not one customer at either date.
    """
    if len(before) != 1 or len(now) != 1:
        raise InputError(
            f"expected one customer at both dates, got {len(before)} and {len(now)} rows. Pass one customer who had "
            "purchased by the earlier date."
        )
    worth = clv_of_all_mixtures(purchases, terms, now, before)
    contribution = shapley_values(worth)[0]
    reasons = (
        _reason(name, _value(was, None), _value(is_now, None), weight, currency)
        for name, was, is_now, weight in zip(
            CLV_INPUTS, before.columns[0], now.columns[0], contribution.tolist(), strict=True
        )
    )
    return Change(
        before=float(worth[0, 0]),
        now=float(worth[-1, 0]),
        reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution))),
        other=0.0,
    )


def change_sentence(change: Change, subject: str, *, currency: str | None = None, most: int = 3) -> str:
    """Say in a sentence or two why a score moved.

    Inputs whose own value stayed, and which moved it only by what became of others, are left unsaid.

    Parameters
    ----------
    change : Change
    subject : str
        What moved, such as "the risk of leaving".
    currency : str, optional
        For clv, whose amounts are then told. Log-odds never are.
    most : int
        Clauses at most, from 1.

    Returns
    -------
    str
        Such as "The risk of leaving rose, mainly because days since last purchase went from 12 to 75. On the other
        hand, orders in the last 90 days went from 1 to 2."
    """
    told = strongest([(reason.text, reason.contribution) for reason in change.reasons if _moved(reason)], most)
    difference = change.now - change.before
    with_it = [clause for clause in told if clause[1] * difference > 0]
    against = [clause for clause in told if clause[1] * difference <= 0]
    movement = "rose" if difference > 0 else "fell" if difference < 0 else "is what it was"
    reason = f", mainly because {joined(with_it, currency)}" if with_it else ""
    first = f"{subject[0].upper()}{subject[1:]} {movement}{reason}."
    return f"{first} On the other hand, {joined(against, currency)}." if against else first


def _moved(reason: ChangeReason) -> bool:
    feature = find_feature(reason.feature)
    if feature is None:
        return False
    was, is_now = (_written(feature, value, currency="") for value in (reason.before, reason.now))
    return was != is_now


def _reason(name: str, before: Value, now: Value, contribution: float, currency: str) -> ChangeReason:
    feature = find_feature(name)
    text = "" if feature is None else _clause(feature, before, now, currency)
    return ChangeReason(name, before, now, contribution, text)


def _value(value: float, categories: Sequence[str] | None) -> Value:
    if np.isnan(value):
        return None
    return float(value) if categories is None else categories[int(value)]


def _clause(feature: Feature, before: Value, now: Value, currency: str) -> str:
    title = _title(feature)
    was, is_now = (_written(feature, value, currency) for value in (before, now))
    if now is not None and was is None:
        return f"{feature.tell(now, currency)}, of which nothing was known before"
    if is_now is None:
        return f"{title} is not known" if was is None else f"{title} was {was} and is not known any more"
    return f"{title} stayed at {is_now}" if was == is_now else f"{title} went from {was} to {is_now}"


def _title(feature: Feature) -> str:
    title = _TITLES.get(feature.name) or title_of(feature.name)
    if title.endswith(_SINCE):
        return f"days since {title.removesuffix(_SINCE)}"
    window = _WINDOW.search(title)
    if window is None:
        return title
    days = f"{window[1]} days"
    # What compares two windows, or looks a year back, is no matter of these last days alone.
    return f"{title[: window.start()]} {f'in the last {days}' if feature.window == f'last {days}' else days}"


def _written(feature: Feature, value: Value, currency: str) -> str | None:
    """Write a value; what is counted is written as a mere number where the title names it."""
    if value is None or isinstance(value, str):
        return value
    if feature.unit == "stage":
        return f'"{feature.written(value, currency)}"'
    named = _WINDOW.sub("", _TITLES.get(feature.name) or title_of(feature.name)).split()
    if feature.unit in _COUNTED and feature.unit.split()[-1] in named:
        return format_value(rounded(value, feature.unit), "count", currency)
    return feature.written(value, currency)
