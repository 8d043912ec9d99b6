"""How reasons of clv are told: a clause for each input beside what is typical, and a sentence with amounts of money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from features.units import Unit, format_value, rounded
from models.clv_game import CLV_INPUTS
from models.clv_reasons import ClvReference
from models.reason_texts import reason_texts
from models.weighed_clauses import joined, strongest

__all__ = ["ClvReason", "clv_sentence", "clv_texts", "read_clv_reasons"]

FloatArray = NDArray[np.float64]


class ClvReason(NamedTuple):
    """The part of one input in a customer's clv.

    Attributes
    ----------
    feature : str
        One of `CLV_INPUTS`.
    value, typical : float or None
        The customer's own, and the reference customer's; None for the value of repeat purchases that there are none of.
    contribution : float
        Currency; what the input adds to the clv of the reference customer.
    text : str
        The clause, not capitalised and without a full stop.
    """

    feature: str
    value: float | None
    typical: float | None
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class _Clauses:
    """What is told of an input: as such, and where more or less of it than is typical adds to clv or takes off it."""

    unit: Unit
    plain: str
    more_adds: str
    more_takes: str
    less_adds: str
    less_takes: str


# More purchases take off where a long silence follows them: it would be short for somebody who buys rarely. A longer
# recency adds, as life; it takes off, as the same purchases made at a slower pace.
_CLAUSES: Mapping[str, _Clauses] = MappingProxyType(
    {
        "frequency": _Clauses(
            unit="purchase days",
            plain="the customer has come back to buy on {value}",
            more_adds="the customer has come back to buy on {value}, more often than is typical",
            more_takes="the customer has come back to buy on {value}, which makes the silence a sign of leaving",
            less_adds="the customer has come back to buy on {value}, after which the silence says less",
            less_takes="the customer has come back to buy on {value}, less often than is typical",
        ),
        "recency": _Clauses(
            unit="days",
            plain="the first and the last purchase lie {value} apart",
            more_adds="the customer has kept buying for {value}, longer than is typical",
            more_takes="the purchases are spread over {value}, longer than is typical",
            less_adds="the purchases fell within {value}, closer together than is typical",
            less_takes="the customer has kept buying for {value}, less long than is typical",
        ),
        "days_since_last_purchase": _Clauses(
            unit="days",
            plain="it has been {value} since the last purchase",
            more_adds="it has been {value} since the last purchase",
            more_takes="it has been {value} since the last purchase, longer than is typical",
            less_adds="it has been {value} since the last purchase, less long than is typical",
            less_takes="it has been {value} since the last purchase",
        ),
        "monetary_value": _Clauses(
            unit="currency",
            plain="each day of repeat purchases came to {value} on average",
            more_adds="each day of repeat purchases came to {value} on average, more than is typical",
            more_takes="each day of repeat purchases came to {value} on average",
            less_adds="each day of repeat purchases came to {value} on average",
            less_takes="each day of repeat purchases came to {value} on average, less than is typical",
        ),
    }
)
_ONE_DAY = "the customer has bought on one day only"
_ONE_DAY_ADDS = "the customer has bought on one day only, after which the silence says little"
# What has these words where the frequency is 0.
_OF_ONE_DAY = ("frequency", "recency")
_NO_VALUE = "what repeat purchases would come to is not known yet, so that everybody's average is expected"


def clv_texts(inputs: FloatArray, contributions: FloatArray) -> list[str | None]:
    """Return the reasons of each customer as JSON, as they are kept.

    Parameters
    ----------
    inputs, contributions : ndarray, shape (n, 4)
        As `models.clv_reasons.ClvReasons` has them; rows of NaN where nothing applies.

    Returns
    -------
    list of str or None
        [[input, value, contribution], …] in the order of `CLV_INPUTS`; the value is null where it is NaN. None for
        customers whose contributions are NaN.
    """
    applies = ~np.isnan(contributions[:, 0])
    index = np.broadcast_to(np.arange(len(CLV_INPUTS)), (int(applies.sum()), len(CLV_INPUTS)))
    told = iter(reason_texts(CLV_INPUTS, index, inputs[applies], contributions[applies], categories={}))
    return [next(told) if has_reasons else None for has_reasons in applies.tolist()]


def read_clv_reasons(stored: str | Sequence[Any], reference: ClvReference, currency: str) -> tuple[ClvReason, ...]:
    """Read the reasons of one customer as `clv_texts` gives them.

    Parameters
    ----------
    stored : str or sequence
        JSON, or what it holds.
    reference : ClvReference
        Whom the customer was compared with.
    currency : str
        For amounts in the clauses.

    Returns
    -------
    tuple of ClvReason
        Largest contribution first, whether it adds or takes off.
    """
    entries: Sequence[Any] = from_json(stored) if isinstance(stored, str) else stored
    told = {name: (value, contribution) for name, value, contribution in entries}
    is_of_one_day = told["frequency"][0] == 0
    # Frequency and recency then tell of one and the same thing, which has one direction.
    one_day = sum(told[name][1] for name in _OF_ONE_DAY) if is_of_one_day else 0.0
    reasons = []
    for name in CLV_INPUTS:
        value, contribution = told[name]
        typical = getattr(reference, name)
        if value is None:
            clause = _NO_VALUE
        elif is_of_one_day and name in _OF_ONE_DAY:
            clause = _ONE_DAY_ADDS if one_day > 0 else _ONE_DAY
        else:
            # Where the reference has no repeat purchases, its value was read as the mean of the population.
            compared = reference.mean_value if typical is None else typical
            clause = _clause(name, value, compared, _sign(contribution), currency)
        reasons.append(ClvReason(name, value, typical, contribution, clause))
    reasons.sort(key=lambda reason: -abs(reason.contribution))
    return tuple(reasons)


def clv_sentence(
    reasons: Sequence[ClvReason], clv: float, reference: ClvReference, currency: str, *, most: int = 3
) -> str:
    """Say what is expected of a customer, how that compares, and the strongest reasons with their amounts.

    Reasons that tell the same, as frequency and recency of somebody who bought once, are told once with the sum of
    their amounts. A reason under a tenth of the strongest is left out. Those that go the way of the whole difference
    come first.

    Parameters
    ----------
    reasons : sequence of ClvReason
        One customer's, in any order.
    clv : float
        The customer's.
    reference : ClvReference
    currency : str
        Put before amounts of money.
    most : int
        Reasons told at most, from 1.

    Returns
    -------
    str
        Such as "USD 312.40 is expected of the customer, USD 180.10 more than of the typical active customer. The main
        reason is that the customer has come back to buy on 7 days, more often than is typical (plus USD 220.10). On
        the other hand, it has been 97 days since the last purchase, longer than is typical (minus USD 40.00)."
    """
    difference = clv - reference.clv
    told = strongest([(reason.text, rounded(reason.contribution, "currency")) for reason in reasons], most)
    with_it = [clause for clause in told if clause[1] * difference > 0]
    against = [clause for clause in told if clause[1] * difference <= 0]
    compared = f"{_compared(difference, currency)} {reference.name}"
    sentences = [f"{format_value(clv, 'currency', currency)} is expected of the customer, {compared}"]
    if with_it:
        opening = "The main reason is" if len(with_it) == 1 else "The main reasons are"
        sentences.append(f"{opening} that {joined(with_it, currency)}")
    if against:
        sentences.append(f"On the other hand, {joined(against, currency)}")
    return " ".join(f"{each}." for each in sentences)


# Most values are counts and days, which customers share.
@lru_cache(maxsize=20_000)
def _clause(name: str, value: float, typical: float, sign: int, currency: str) -> str:
    clauses = _CLAUSES[name]
    difference = rounded(value, clauses.unit) - rounded(typical, clauses.unit)
    if difference == 0 or sign == 0:
        clause = clauses.plain
    elif difference > 0:
        clause = clauses.more_adds if sign > 0 else clauses.more_takes
    else:
        clause = clauses.less_adds if sign > 0 else clauses.less_takes
    return clause.format(value=format_value(value, clauses.unit, currency))


def _sign(contribution: float) -> int:
    return (contribution > 0) - (contribution < 0)


def _compared(difference: float, currency: str) -> str:
    if not rounded(difference, "currency"):
        return "as much as of"
    return f"{format_value(abs(difference), 'currency', currency)} {'more' if difference > 0 else 'less'} than of"
