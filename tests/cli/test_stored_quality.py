"""`regulars evaluate --stored`: what came of runs, as tables and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.cli.conftest import At, Regulars
from tests.shop import AS_OF, HORIZON_DAYS


def test_stored_scores_are_compared_once_they_are_due_and_again_when_asked(regulars: Regulars, at: At) -> None:
    at("trained")
    # Run 1 is the one that the training queued.
    then = (AS_OF - timedelta(days=HORIZON_DAYS)).date().isoformat()
    for as_of in (then, AS_OF.date().isoformat()):
        assert regulars("score", "--as-of", as_of).exit_code == 0
    shown = regulars("evaluate", "--stored")
    assert shown.exit_code == 0, shown.err
    assert f"churn of run 2, as of {then}, over 90 days (model 1, which had" in shown.out
    assert "on the at-risk list" in shown.out
    assert "within their interval" in shown.out
    assert "Run 3, churn: Not due until 2024-09-29 00:00 UTC" in " ".join(shown.out.split())
    again = regulars("evaluate", "--stored", "--run", 2, "--json")
    told = json.loads(again.out)
    assert told["compared"] == [2]
    assert [(part["name"], part["status"]) for part in told["parts"]] == [
        ("churn", "compared"),
        ("upsell", "compared"),
        ("purchases", "compared"),
    ]
    assert f"{told['parts'][0]['auc']:.4f}" in shown.out
    assert "No further run could be compared." in regulars("evaluate", "--stored").err


def test_a_run_that_is_not_there_or_not_asked_for_is_refused(regulars: Regulars, at: At) -> None:
    at("trained")
    assert "no completed scoring run 9" in regulars("evaluate", "--stored", "--run", 9).complaint()
    assert "--run says which run --stored is to compare" in regulars("evaluate", "--run", 1).complaint()
