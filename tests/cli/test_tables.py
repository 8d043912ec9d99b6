"""What the table of a target shows under its figures."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from cli.tables import target_table

_REPORT = {
    "n": 6_046,
    "rate": 0.614,
    "auc": 0.7276,
    "log_loss": 0.5824,
    "calibration_error": 0.0154,
    "lift_at_10": 1.37,
    "classifier": "lightgbm",
    "snapshots": {"test": "1998-04-02"},
    "baselines": {"logit_rfm": {"auc": 0.7232, "log_loss": 0.5916}},
    "differences": {
        "auc": {"low": -0.00061, "high": 0.0091, "against": "logit_rfm"},
        "log_loss": {"low": -0.0135, "high": -0.0051, "against": "logit_rfm"},
    },
    "calibration_error_if_perfect": {"mean": 0.0145, "p95": 0.02},
}


def _shown(report: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(target_table("churn", report))
    assert isinstance(console.file, io.StringIO)
    return [line.strip() for line in console.file.getvalue().splitlines()]


def test_differences_and_the_calibration_that_chance_leaves_stand_under_the_figures() -> None:
    assert _shown(_REPORT)[-4:] == [
        "calibration error 0.0154 (by chance alone 0.0145, up to 0.0200)",
        "lift in the top tenth 1.37",
        "AUC -0.0006 to +0.0091 against logit rfm (95 %)",
        "log loss -0.0135 to -0.0051 against logit rfm (95 %)",
    ]


def test_a_report_of_an_older_version_is_shown_without_them() -> None:
    added = ("differences", "calibration_error_if_perfect")
    shown = _shown({name: part for name, part in _REPORT.items() if name not in added})
    assert not any("against" in line or "chance" in line for line in shown)


def test_differences_that_can_not_be_told_are_left_out() -> None:
    unknown = {"low": None, "high": None, "against": "logit_rfm"}
    shown = _shown({**_REPORT, "differences": {"auc": unknown, "log_loss": unknown}})
    assert not any("against" in line for line in shown)


def test_figures_of_folds_are_said_to_be_means() -> None:
    shown = _shown({**_REPORT, "standard_deviation": {"auc": 0.01, "calibration_error": 0.004}})
    assert "mean ± standard deviation" in shown
    assert "calibration error 0.0154 ± 0.0040 (by chance alone 0.0145, up to 0.0200)" in shown
