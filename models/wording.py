"""How stored reasons are told: read back, worded by today's catalogue, and joined into a sentence for their target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
    entries: Sequence[Any] = json.loads(stored) if isinstance(stored, str) else stored
    *told, (_, _, other) = entries
    reasons = []
    for name, value, contribution in told:
        feature = find_feature(name)
        if feature is None:
            # A list made before an upgrade that did away with a feature still sums, though nobody can tell of it.
            reasons.append(Reason(name, name, value, contribution, text=""))
            continue
        text = feature.tell(float("nan") if value is None else value, currency)
        reasons.append(Reason(name, feature.driver, value, contribution, text))
    return tuple(reasons), other


def target_sentence(target: str, reasons: Sequence[Reason]) -> str:
    """Say why a customer may leave, or may do what a propensity is of, in reasons that agree with common sense.

    To the classifier a silence of 1.7 times the usual may speak for staying, because most are silent for longer; said
    aloud it would not.
    """
    for_life = target != CHURN
    told = []
    for reason in reasons:
        unsaid = "life" if (reason.contribution > 0) != for_life else "quiet"
        text = "" if _shows(reason) == unsaid else reason.text
        # Features of other drivers tell the same story in other words; each attribute has its own.
        driver = reason.feature if reason.driver == "attributes" else reason.driver
        told.append(replace(reason, text=text, driver=driver))
    return sentence(told, wording=_PROPENSITY if for_life else _CHURN)


def _shows(reason: Reason) -> str | None:
    feature = find_feature(reason.feature)
    if feature is None or not isinstance(reason.value, float | int):
        return None
    return feature.shows(reason.value)
