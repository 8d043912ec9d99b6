"""How stored reasons are told: read back, worded by today's catalogue, and joined into a sentence for their target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from features.catalogue import find_feature
from features.targets import CHURN
from models.reasons import Reason, Wording, sentence

__all__ = ["read_reasons", "target_sentence"]

_CHURN = Wording(
    lone_sign="The main sign of leaving is that",
    nothing_towards="No sign of leaving stands out: the risk is the one that every customer carries",
    against="What speaks for staying is that",
)
_PROPENSITY = Wording(
    lone_sign="The main sign of it is that",
    nothing_towards="Nothing stands out that speaks for it: the chance is the one that every customer has",
    against="What speaks against it is that",
)


def read_reasons(stored: str | Sequence[Any], currency: str) -> tuple[tuple[Reason, ...], float]:
    """Read the reasons of one customer as `Scores.columns` gives them.

    Parameters
    ----------
    stored : str or sequence
        JSON, or what it holds.
    currency : str
        For amounts in the clauses.

    Returns
    -------
    reasons : tuple of Reason
        Largest first, told by today's catalogue.
    other : float
        Contribution of all other features, in log-odds.
    """
    entries: Sequence[Any] = from_json(stored) if isinstance(stored, str) else stored
    *told, (_, _, other) = entries
    reasons = []
    for name, value, contribution in told:
        driver, clause = _driver_and_clause(name, value, currency)
        reasons.append(Reason(name, driver, value, contribution, clause))
    return tuple(reasons), other


def target_sentence(target: str, reasons: Sequence[Reason]) -> str:
    """Say why a customer may leave, or may do what a propensity is of, in reasons that agree with common sense.

    To the classifier a silence of 1.7 times the usual may speak for staying, because most are silent for longer; said
    aloud it would not.
    """
    for_life = target != CHURN
    told = []
    for reason in reasons:
        name, driver, value, contribution, text = reason
        shown = _shows(name, value)
        # Features of other drivers tell the same story in other words; each attribute has its own.
        if shown is not None or driver == "attributes":
            unsaid = "life" if (contribution > 0) != for_life else "quiet"
            own_driver = name if driver == "attributes" else driver
            reason = Reason(name, own_driver, value, contribution, "" if shown == unsaid else text)
        told.append(reason)
    return sentence(told, wording=_PROPENSITY if for_life else _CHURN)


# Most values are counts and days, which customers share.
@lru_cache(maxsize=20_000)
def _driver_and_clause(name: str, value: float | str | None, currency: str) -> tuple[str, str]:
    feature = find_feature(name)
    if feature is None:
        # A list made before an upgrade that did away with a feature still sums, though nobody can tell of it.
        return name, ""
    return feature.driver, feature.tell(math.nan if value is None else value, currency)


@lru_cache(maxsize=20_000)
def _shows(name: str, value: float | str | None) -> str | None:
    feature = find_feature(name)
    return feature.shows(value) if feature is not None and isinstance(value, float | int) else None
