"""A score as it is answered and shown: numbers, reasons that sum, the sentence, and why a number is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.reasons import Reason
from models.scoring import churn_sentence, read_reasons
from store.scores import SCORE_COLUMNS
from store.tables import Score

__all__ = ["ExplainedScore", "explain", "stored_columns"]

_DORMANT = (
    "The last purchase was {days:,} days before this date, too long ago to count as an active customer; churn is "
    "judged for active customers only."
)
_PROSPECT = "No purchase is known before this date, so there is nothing to compute churn and clv from."


@dataclass(frozen=True, slots=True)
class ExplainedScore:
    """One customer's score.

    Attributes
    ----------
    columns : mapping of name to value
        As the store keeps them; None for what does not apply.
    reasons : tuple of Reason
        Largest contribution first; empty without a churn probability.
    all_other_features : float or None
        Contribution of all other features, in log-odds: base_value plus the contributions of the reasons plus this is
        raw_margin.
    sentence : str or None
        The reasons in words.
    note : str or None
        Why there is no churn probability.
    """

    columns: Mapping[str, Any]
    reasons: tuple[Reason, ...]
    all_other_features: float | None
    sentence: str | None
    note: str | None


def explain(columns: Mapping[str, Any], currency: str) -> ExplainedScore:
    """Put the columns of a score, computed just now or stored by a run, into words.

    Parameters
    ----------
    columns : mapping of name to value
    currency : str
        Of the amounts in the words.
    """
    if columns["reasons"] is None:
        days = columns["days_since_last_purchase"]
        note = _PROSPECT if days is None else _DORMANT.format(days=days)
        return ExplainedScore(columns, (), None, None, note)
    reasons, other = read_reasons(columns["reasons"], currency)
    return ExplainedScore(columns, reasons, other, churn_sentence(reasons), None)


def stored_columns(score: Score) -> dict[str, Any]:
    """Return the columns of a stored score."""
    return {name: getattr(score, name) for name in SCORE_COLUMNS}
