"""Why the scores of one customer moved between two instants, by one and the same bundle."""

from __future__ import annotations

from features.rfm import Rfm
from features.targets import CHURN
from models.change_reasons import Change, change_sentence, classifier_change, clv_change
from models.clv_game import ClvInputs
from models.exceptions import InputError
from models.purchase_model import spent
from models.scoring import Scores, TargetScores

__all__ = ["CLV", "change_in_words", "score_changes"]

CLV = "clv"


def score_changes(before: Scores, now: Scores) -> dict[str, Change]:
    """Say which inputs moved each score, and by how much.

    Parameters
    ----------
    before, now : Scores
        Of the same customer at two instants, alone.

    Returns
    -------
    dict
        `Change` by name of the target, for those whose model judges the customer at both; and under "clv" where the
        customer had purchased by the first.

    Raises
    ------
    InputError
        Not one customer, not the same one, or not by the same bundle.
    """
    if before.frame.customer_ids != now.frame.customer_ids or len(now.frame.customer_ids) != 1:
        raise InputError("expected the scores of one customer at two instants, got those of others; pass one log")
    if before.bundle is not now.bundle:
        raise InputError("expected scores by one bundle, got two; what moved would then be the model too")
    changes = {}
    for name, scores in now.targets.items():
        earlier = before.targets[name]
        if scores.eligible[0] and earlier.eligible[0]:
            changes[name] = _of_target(earlier, scores, now)
    clv = _of_clv(before, now)
    return changes if clv is None else {**changes, CLV: clv}


def change_in_words(name: str, change: Change, currency: str, *, opening: str = "") -> str:
    """Say in a sentence or two why a score moved.

    Parameters
    ----------
    name : str
        As `score_changes` has it.
    change : Change
    currency : str
        Of the amounts of clv.
    opening : str
        What the sentence begins with, such as "since 2024-03-01 ".
    """
    subject = "clv" if name == CLV else "the risk of leaving" if name == CHURN else f"the propensity {name}"
    return change_sentence(change, f"{opening}{subject}", currency=currency if name == CLV else None)


def _of_target(before: TargetScores, now: TargetScores, scores: Scores) -> Change:
    return classifier_change(
        now.names,
        before=before.values[0],
        now=now.values[0],
        contributions_before=before.contributions[0],
        contributions_now=now.contributions[0],
        base_value=now.base_value,
        categories=scores.bundle.categories,
        currency=scores.bundle.currency,
    )


def _of_clv(before: Scores, now: Scores) -> Change | None:
    outlook = now.bundle.outlook
    if outlook is None:
        return None
    was, is_now = (
        ClvInputs.of(frequency=rfm.frequency, recency=rfm.recency, T=rfm.T, monetary_value=spent(rfm))
        for rfm in map(Rfm.of, (before.frame, now.frame))
    )
    if not len(was):
        return None
    return clv_change(outlook.purchases, outlook.terms, before=was, now=is_now, currency=now.bundle.currency)
