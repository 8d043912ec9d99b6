"""What a page reads of a target's report: differences and calibration, where they are there."""

from __future__ import annotations

from service.pages.target_report import Difference, read_target

_TOLD = {
    "calibration_error": 0.0154,
    "differences": {
        "auc": {"low": -0.0006, "high": 0.0091, "against": "logit_rfm"},
        "log_loss": {"low": None, "high": None, "against": "logit_rfm"},
    },
    "calibration_error_if_perfect": {"mean": 0.0146, "p95": 0.02},
}


def test_differences_are_read_with_their_baseline_and_left_out_where_they_can_not_be_told() -> None:
    found = read_target("churn", _TOLD).differences
    assert found == (Difference("AUC", "-0.001 to +0.009", "Logistic regression on RFM"),)


def test_the_calibration_error_stands_beside_what_chance_alone_would_leave() -> None:
    figures = read_target("churn", _TOLD).figures
    assert figures == (("calibration error", "0.015"), ("of it chance alone would leave", "0.015, up to 0.020"))


def test_a_report_of_an_older_version_has_neither() -> None:
    found = read_target("churn", {"calibration_error": 0.0154})
    assert found.differences == ()
    assert found.figures == (("calibration error", "0.015"),)
