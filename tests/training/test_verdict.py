"""Verdicts on hand-made figures."""

from __future__ import annotations

from typing import Any

import pytest

from training.verdict import among_buyers_in_words, verdict

Ends = tuple[float | None, float | None]


def _report(ranking: Ends, loss: Ends, **changes: Any) -> dict[str, Any]:
    return {
        "auc": 0.75,
        "log_loss": 0.55,
        "calibration_error": 0.02,
        "classifier": "lightgbm",
        "baselines": {"p_alive": {"auc": 0.74}, "logit_rfm": {"auc": 0.73, "log_loss": 0.56}},
        "differences": {
            "auc": {"low": ranking[0], "high": ranking[1], "against": "p_alive"},
            "log_loss": {"low": loss[0], "high": loss[1], "against": "logit_rfm"},
        },
        "calibration_error_if_perfect": {"mean": 0.015, "p95": 0.021},
        **changes,
    }


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.001, 0.02), "It ranks customers better than every baseline (AUC 0.7500 against 0.7400 of P(alive) of the "),
        ((-0.01, 0.02), "no difference can be told (AUC 0.7500 against 0.7400 of P(alive) of the purchase model, "),
        ((-0.01, -0.001), "It ranks customers worse than its best baseline, so use it with care (AUC 0.7500 against"),
    ],
)
def test_the_ranking_is_better_no_different_or_worse_as_the_interval_says(ends: Ends, words: str) -> None:
    told = verdict(_report(ends, (-0.01, 0.01)))
    assert words in told
    assert f"difference {ends[0]:+.4f} to {ends[1]:+.4f})" in told


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (
            (-0.02, -0.001),
            "its probabilities are better (log loss 0.5500 against 0.5600 of logistic regression on ",
        ),
        ((-0.02, 0.001), "between the probabilities no difference can be told (log loss 0.5500 against 0.5600"),
        ((0.001, 0.02), "its probabilities are worse (log loss 0.5500 against 0.5600 of logistic regression on "),
    ],
)
def test_of_the_log_loss_less_is_better(ends: Ends, words: str) -> None:
    assert words in verdict(_report((-0.01, 0.02), ends))


def test_calibration_is_held_against_what_true_probabilities_would_show() -> None:
    ends = (-0.01, 0.02)
    within, beyond = (verdict(_report(ends, ends, calibration_error=error)) for error in (0.021, 0.0211))
    assert "Its calibration error of 0.0210 is within what true probabilities would show" in within
    assert "of 0.0211 is beyond what true probabilities would show on as many customers (0.0150 on average" in beyond


def test_logistic_regression_is_said_to_be_what_is_used_and_not_compared_with_itself() -> None:
    itself = verdict(_report((0.0, 0.0), (0.0, 0.0), classifier="logistic"))
    assert itself.startswith(
        "Logistic regression did best on the selection rows and is what is used. Its best baseline"
    )
    assert "is itself (AUC 0.7500, log loss 0.5500)." in itself
    other = verdict(_report((-0.01, 0.02), (-0.02, 0.01), classifier="logistic"))
    assert "is what is used. Between its ranking" in other


def test_too_few_customers_and_a_common_fate_are_said() -> None:
    assert "Too few customers were tested to compare" in verdict(_report((None, None), (-0.02, 0.01)))
    told = verdict(_report((None, None), (None, None), auc=None))
    assert told.startswith("All customers of the test rows had the same fate")


def _among(**changes: Any) -> dict[str, Any]:
    return {
        "auc": 0.6,
        "baselines": {"buys_at_all": {"auc": 0.5}},
        "difference": {"low": 0.01, "high": 0.19},
        "above_chance": {"low": -0.02, "high": 0.22},
        "beats_buys_at_all": True,
        "beats_chance": True,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "it says more than who buys at all (AUC 0.6000 against 0.5000, difference +0.0100 to +0.1900)."),
        ({"beats_buys_at_all": False}, "it says no more than who buys at all (AUC 0.6000"),
        (
            {"beats_chance": False},
            "it ranks no better than chance (AUC 0.6000, 0.4800 to 0.7200), so it makes no segment",
        ),
        # A single event has an AUC, but no interval.
        ({"difference": {"low": None, "high": None}, "beats_chance": False}, "Too few of the test rows purchased"),
    ],
)
def test_among_buyers_it_is_said_whether_it_makes_a_segment(changes: dict[str, Any], words: str) -> None:
    told = among_buyers_in_words(_among(**changes))
    assert words in told
    assert ("makes no segment" in told) == bool(changes)
