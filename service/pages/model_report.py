"""A stored report as tables: what is there is shown, what is missing is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.charts import calibration_chart
from models.metrics import CalibrationCurve

__all__ = ["Comparison", "ModelReport", "read_report"]

_NAMES = {
    "days_since_last_purchase": "Days since the last purchase",
    "logit_rfm": "Logistic regression on RFM",
    "p_alive": "P(alive) of the purchase model",
    "same_rate": "Everybody goes on at the same rate",
    "nobody_returns": "Nobody returns",
    "bg_nbd": "BG/NBD",
    "lightgbm": "Boosted trees",
    "logistic": "Logistic regression",
}
_CHURN_FIGURES = (
    ("n", "customers judged"),
    ("rate", "of them churned"),
    ("average_precision", "average precision"),
    ("brier", "Brier score"),
    ("calibration_error", "calibration error"),
    ("lift_at_10", "lift among the 10 % most likely to churn"),
)
_SNAPSHOTS = (
    ("train", "fitted on"),
    ("early_stopping", "stopped by"),
    ("calibration", "calibrated on"),
    ("test", "tested on"),
)
# AUC of a coin toss: where its bars begin.
_NO_SKILL = 0.5


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of a table of quality: the model, or a baseline.

    Attributes
    ----------
    name : str
    is_model : bool
    figures : tuple of float or None
        In the order of the table's columns.
    bar : float or None
        Length of its bar, from 0 to 1.
    """

    name: str
    is_model: bool
    figures: tuple[float | None, ...]
    bar: float | None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a report holds, ready to be shown; every part may be empty.

    Attributes
    ----------
    verdict : str or None
        In plain words.
    classifier, splits : str or None
    churn : tuple of Comparison
        Figures: AUC, log loss. Bars: AUC above a coin toss.
    churn_figures : tuple of (text, number)
        Further figures of the model.
    calibration_chart : str or None
        SVG.
    snapshots : tuple of (text, dates)
    clv : tuple of Comparison
        Figures: mean absolute error, root mean squared error, in purchase days. Bars: the latter.
    clv_facts, settings : tuple of (text, text)
    notes : tuple of str
    """

    verdict: str | None
    classifier: str | None
    splits: str | None
    churn: tuple[Comparison, ...]
    churn_figures: tuple[tuple[str, float], ...]
    calibration_chart: str | None
    snapshots: tuple[tuple[str, str], ...]
    clv: tuple[Comparison, ...]
    clv_facts: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def read_report(report: Mapping[str, Any]) -> ModelReport:
    """Read a report as training stored it, or any part of one."""
    churn, clv = _part(_part(report, "targets"), "churn"), _part(report, "clv")
    classifier = churn.get("classifier")
    return ModelReport(
        verdict=churn.get("verdict"),
        classifier=None if classifier is None else _named(str(classifier)),
        splits=None if churn.get("splits") is None else str(churn["splits"]).replace("_", " "),
        churn=_churn_rows(churn),
        churn_figures=tuple((text, churn[name]) for name, text in _CHURN_FIGURES if churn.get(name) is not None),
        calibration_chart=_calibration(_part(churn, "calibration_curve")),
        snapshots=tuple(
            (text, _dates(churn["snapshots"][name])) for name, text in _SNAPSHOTS if _part(churn, "snapshots").get(name)
        ),
        clv=_clv_rows(clv),
        clv_facts=_clv_facts(clv),
        settings=tuple(_flat(_part(report, "settings"))),
        notes=tuple(str(note) for note in report.get("notes") or ()),
    )


def _churn_rows(churn: Mapping[str, Any]) -> tuple[Comparison, ...]:
    if churn.get("auc") is None:
        return ()
    found = [
        ("This model", True, churn),
        *((_named(name), False, row) for name, row in _part(churn, "baselines").items()),
    ]
    return tuple(
        Comparison(name, is_model, (row.get("auc"), row.get("log_loss")), _above_a_coin_toss(row.get("auc")))
        for name, is_model, row in found
    )


def _above_a_coin_toss(auc: float | None) -> float | None:
    return None if auc is None else min(max((auc - _NO_SKILL) / (1.0 - _NO_SKILL), 0.0), 1.0)


def _clv_rows(clv: Mapping[str, Any]) -> tuple[Comparison, ...]:
    holdout = _part(clv, "holdout")
    if holdout.get("rmse") is None:
        return ()
    model = _named(str(clv.get("model", "this model")))
    found = [(model, True, holdout), *((_named(name), False, row) for name, row in _part(holdout, "baselines").items())]
    largest = max((row.get("rmse") or 0.0 for _, _, row in found), default=0.0) or 1.0
    return tuple(
        Comparison(name, is_model, (row.get("mae"), row.get("rmse")), (row.get("rmse") or 0.0) / largest)
        for name, is_model, row in found
    )


def _clv_facts(clv: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    holdout = _part(clv, "holdout")
    facts = [
        ("hold-out", f"{holdout['days']:,} days" if "days" in holdout else None),
        ("fitted up to", clv.get("calibration_end")),
        ("customers", f"{clv['n_customers']:,}" if "n_customers" in clv else None),
        ("log likelihood", f"{clv['log_likelihood']:,.1f}" if "log_likelihood" in clv else None),
        ("bias", f"{holdout['bias']:+.3f} purchase days" if holdout.get("bias") is not None else None),
        ("rank correlation", f"{holdout['spearman']:.3f}" if holdout.get("spearman") is not None else None),
        *((name, f"{value:.4g}") for name, value in _part(clv, "params").items()),
    ]
    return tuple((name, str(value)) for name, value in facts if value is not None)


def _calibration(curve: Mapping[str, Any]) -> str | None:
    if not curve.get("predicted"):
        return None
    return calibration_chart(
        CalibrationCurve(
            predicted=np.array(curve["predicted"], dtype=np.float64),
            observed=np.array(curve["observed"], dtype=np.float64),
            count=np.array(curve["counts"], dtype=np.int64),
        ),
        title="Calibration on the test snapshot",
        description="Customers in groups by predicted churn probability, and the share of each that churned.",
    )


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    return part if isinstance(part, Mapping) else {}


def _named(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))


def _dates(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines, with what is within what in the name."""
    lines: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines.extend(_flat(value, f"{prefix}{name}."))
        elif isinstance(value, list | tuple):
            lines.append((prefix + name, ", ".join(str(item) for item in value)))
        elif isinstance(value, bool):
            lines.append((prefix + name, "yes" if value else "no"))
        elif value is not None:
            lines.append((prefix + name, f"{value:.6g}" if isinstance(value, float) else str(value)))
    return lines
