"""A score as it is answered and shown: numbers, reasons that sum, sentences, and why a number is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.targets import CHURN, Target
from models.clv_reasons import ClvReference
from models.clv_wording import ClvReason, clv_sentence, read_clv_reasons
from models.reasons import Reason
from models.wording import read_reasons, target_sentence
from store.scores import SCORE_COLUMNS
from store.tables import Score

__all__ = ["ClvExplanation", "ExplainedScore", "Explanation", "explain", "stored_columns"]

_NO_CHURN_TARGET = "The model has no target named churn, so nothing is said of leaving."
_DORMANT = (
    "The last purchase was {days:,} days before this date, too long ago to count as an active customer; churn is "
    "judged for active customers only."
)
_PROSPECT = "No purchase is known before this date, so there is nothing to compute churn and clv from."
_NOT_ACTIVE = (
    "Nothing is known of the {days:,} days before this date, or the last thing known is {event} itself; churn is "
    "judged for active customers only."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the model of one target says of one customer.

    Attributes
    ----------
    target : Target
    probability : float
        Calibrated.
    base_value, all_other_features, raw_margin : float
        Log-odds: base_value plus the contributions of the reasons plus all_other_features is raw_margin.
    reasons : tuple of Reason
        Largest contribution first.
    sentence : str
        The reasons in words.
    """

    target: Target
    probability: float
    base_value: float
    reasons: tuple[Reason, ...]
    all_other_features: float
    raw_margin: float
    sentence: str


@dataclass(frozen=True, slots=True)
class ClvExplanation:
    """Why one customer's clv is what it is.

    Attributes
    ----------
    reference : ClvReference
        The customer with whom this one is compared.
    reference_phrase : str
        Who that is, in words.
    reasons : tuple of ClvReason
        Largest first; with the clv of the reference they sum to the customer's.
    sentence : str
        The reasons in words.
    """

    reference: ClvReference
    reference_phrase: str
    reasons: tuple[ClvReason, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class ExplainedScore:
    """One customer's score.

    Attributes
    ----------
    columns : mapping of name to value
        As the store keeps them; None for what does not apply.
    churn : Explanation or None
        None for a customer whom the model does not judge, and without a model of churn; `note` then says why.
    propensities : mapping of target to Explanation or None
        Every target of the model but churn; None for a customer whom its model does not judge.
    note : str or None
        Why there is no churn probability.
    clv : ClvExplanation or None
        Why the clv is what it is; None without one, or where the run that stored it kept no reasons of it.
    """

    columns: Mapping[str, Any]
    churn: Explanation | None
    propensities: Mapping[str, Explanation | None]
    note: str | None
    clv: ClvExplanation | None = None

    def of(self, target: str) -> Explanation | None:
        """Return what is said of one target of the model."""
        return self.churn if target == CHURN else self.propensities[target]

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """All that is said of the customer, churn first."""
        return tuple(told for told in (self.churn, *self.propensities.values()) if told is not None)


def explain(
    columns: Mapping[str, Any],
    *,
    targets: Mapping[str, Target],
    currency: str,
    clv_reference: ClvReference | None = None,
) -> ExplainedScore:
    """Put the columns of a score, computed just now or stored by a run, into words.

    Parameters
    ----------
    columns : mapping of name to value
    targets : mapping of name to Target
        Those of the model.
    currency : str
        Of the amounts in the words.
    clv_reference : ClvReference, optional
        The customer with whom reasons of clv compare.
    """
    churn = None
    if columns["reasons"] is not None:
        told = {name: columns[name] for name in ("base_value", "reasons", "raw_margin")}
        churn = _explanation(targets[CHURN], {**told, "probability": columns["churn_probability"]}, currency)
    propensities = {} if columns["propensities"] is None else json.loads(columns["propensities"])
    return ExplainedScore(
        columns=columns,
        churn=churn,
        propensities={
            name: _explanation(target, propensities[name], currency) if name in propensities else None
            for name, target in targets.items()
            if name != CHURN
        },
        note=_why_no_churn(columns, targets.get(CHURN)) if churn is None else None,
        clv=_clv(columns, clv_reference, currency),
    )


def stored_columns(score: Score) -> dict[str, Any]:
    """Return the columns of a stored score."""
    return {name: getattr(score, name) for name in SCORE_COLUMNS}


def _explanation(target: Target, told: Mapping[str, Any], currency: str) -> Explanation:
    reasons, other = read_reasons(told["reasons"], currency)
    return Explanation(
        target=target,
        probability=told["probability"],
        base_value=told["base_value"],
        reasons=reasons,
        all_other_features=other,
        raw_margin=told["raw_margin"],
        sentence=target_sentence(target.name, reasons),
    )


def _clv(columns: Mapping[str, Any], reference: ClvReference | None, currency: str) -> ClvExplanation | None:
    stored = columns["clv_reasons"]
    if stored is None or reference is None:
        return None
    reasons = read_clv_reasons(stored, reference, currency)
    told = clv_sentence(reasons, columns["clv"], reference, currency)
    return ClvExplanation(reference, reference.phrase(currency), reasons, told)


def _why_no_churn(columns: Mapping[str, Any], churn: Target | None) -> str:
    if churn is None:
        return _NO_CHURN_TARGET
    if churn.kind == "event":
        return _NOT_ACTIVE.format(days=churn.activity, event=churn.describe())
    days = columns["days_since_last_purchase"]
    return _PROSPECT if days is None else _DORMANT.format(days=days)
