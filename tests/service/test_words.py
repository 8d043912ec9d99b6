"""Words that depend on what a model predicts: notes, rules of segments, targets of older reports."""

from __future__ import annotations

from typing import Any

import pytest

from features.targets import Target
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs
from service.explained import explain
from service.modelled_targets import horizon_of, in_words, targets_of_report
from service.segment_rules import rules_in_words
from store.scores import SCORE_COLUMNS

INACTIVITY = Target(name="churn", kind="inactivity").with_defaults(90, None)
CANCELLED = Target(name="churn", kind="event", event="Subscription Cancelled").with_defaults(30, 45)
LABEL = Target(name="churn", kind="label").with_defaults(90, None)
UPSELL = Target(name="upsell", kind="upsell").with_defaults(90, None)


def _rules(*targets: Target, has_clv: bool = True, cutoffs: Cutoffs | None = None) -> dict[str, str]:
    by_name = {target.name: target for target in targets}
    return rules_in_words(SegmentPolicy(), cutoffs=cutoffs, targets=by_name, has_clv=has_clv, currency="EUR")


def _nothing_said(**known: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SCORE_COLUMNS), **known}


@pytest.mark.parametrize(
    ("target", "known", "note"),
    [
        (INACTIVITY, {}, "No purchase is known before this date"),
        (INACTIVITY, {"days_since_last_purchase": 1234}, "The last purchase was 1,234 days before this date"),
        (
            CANCELLED,
            {"days_since_last_purchase": 3},
            "or the last thing known is the event “Subscription Cancelled” itself",
        ),
        (CANCELLED, {}, "Nothing is known of the 45 days before this date"),
        (UPSELL, {}, "The model has no target named churn"),
    ],
)
def test_a_note_says_why_churn_is_not_judged(target: Target, known: dict[str, Any], note: str) -> None:
    score = explain(_nothing_said(**known), targets={target.name: target}, currency="EUR")
    assert note in str(score.note)
    assert score.explanations == ()


def test_the_rules_of_churn_by_inactivity_name_days_and_amounts() -> None:
    rules = _rules(INACTIVITY, cutoffs=Cutoffs(at_risk_value=12.5, high_value_clv=300.0))
    assert rules["at_risk"] == (
        "Active, a churn probability of 30% or more, and 10% of the value at risk is more than the EUR 1.00 that a "
        "contact costs; at most 20% of the active customers, those with the most value at risk (from EUR 12.50 on)."
    )
    assert "(from EUR 300.00 on)" in rules["high_value"]
    assert rules["dormant"] == "No purchase within 180 days: not active."
    assert "less than 90 days ago" in rules["new"]


def test_the_rules_of_churn_by_an_event_say_who_is_not_active() -> None:
    rules = _rules(CANCELLED)
    assert rules["dormant"] == (
        "Nothing known of them within 45 days, or the event “Subscription Cancelled” was the last of it: not active."
    )


def test_the_rules_of_labels_without_clv_speak_of_likelihood_alone() -> None:
    rules = _rules(LABEL, has_clv=False, cutoffs=Cutoffs(at_risk_value=0.63, high_value_clv=0.0))
    assert rules["at_risk"] == (
        "A churn probability of 30% or more; at most 20% of the customers, those most likely to leave (from 63% on)."
    )
    assert rules["upsell_ready"] == "An upsell propensity of 2 times the usual rate or more."


def test_without_a_model_of_churn_nobody_is_at_risk() -> None:
    assert _rules(UPSELL)["at_risk"] == "Nobody: the model has no target named churn."


def test_targets_are_told_with_their_horizon_unless_a_file_says_what_came() -> None:
    assert in_words(CANCELLED) == "the event “Subscription Cancelled” within 30 days"
    assert horizon_of(LABEL) is None


def test_the_targets_of_a_report_come_churn_first_and_older_ones_are_churn_by_inactivity() -> None:
    report = {
        "targets": {name: {"target": target.to_dict()} for name, target in (("upsell", UPSELL), ("churn", LABEL))}
    }
    assert list(targets_of_report(report).items()) == [("churn", LABEL), ("upsell", UPSELL)]
    older = {"targets": {"churn": {"auc": 0.8}}, "settings": {"horizon_days": 90, "activity_days": 180}}
    assert targets_of_report(older) == {"churn": INACTIVITY}
    assert targets_of_report({}) == {}
