"""What a stored report says of one target, as tables: what is there is shown, what is missing is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from features.exceptions import TargetError
from features.targets import CHURN, Target
from models.charts import calibration_chart
from models.metrics import CalibrationCurve
from service.modelled_targets import in_words
from service.pages.formats import count, decimal, percent
from service.pages.ranked import titled

__all__ = ["AmongBuyers", "Comparison", "Difference", "LeakRow", "TargetReport", "named", "part_of", "read_target"]

_NAMES = {
    "base_rate": "The same chance for everybody",
    "buys_at_all": "The propensity to buy at all",
    "days_since_last_purchase": "Days since the last purchase",
    "logit_all": "Logistic regression on all features",
    "logit_rfm": "Logistic regression on RFM",
    "own_mean_value": "The customer’s own mean value",
    "p_alive": "P(alive) of the purchase model",
    "same_rate": "Everybody goes on at the same rate",
    "nobody_returns": "Nobody returns",
    "bg_nbd": "BG/NBD",
    "mbg_nbd": "MBG/NBD",
    "pareto_nbd": "Pareto/NBD",
    "lightgbm_poisson": "Boosted trees on the purchase model",
    "same_as_before": "Everybody buys as in the period before",
    "mean_for_everybody": "The same rate for everybody",
    "lightgbm": "Boosted trees",
    "logistic": "Logistic regression",
}
_FURTHER_FIGURES = (
    ("average_precision", "average precision"),
    ("brier", "Brier score"),
    ("calibration_error", "calibration error"),
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
    figures : tuple of str
        In the order of the table's columns, with their standard deviation where there is one.
    bar : float or None
        Length of its bar, from 0 to 1.
    """

    name: str
    is_model: bool
    figures: tuple[str, ...]
    bar: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the model is from its best baseline by one figure.

    Attributes
    ----------
    figure : str
    interval : str
        Of 95 %, of the model's figure less the baseline's.
    against : str
        Name of the baseline.
    """

    figure: str
    interval: str
    against: str


@dataclass(frozen=True, slots=True)
class AmongBuyers:
    """How well customers are ranked among those who purchase: whether there is more in it than who buys at all.

    Attributes
    ----------
    customers, rate : str
        How many purchased, and for how many of them it came about.
    rows : tuple of Comparison
        Figures: AUC. Bars: AUC above a coin toss.
    difference : str or None
        From that of "buys at all", as an interval of 95 %.
    """

    customers: str
    rate: str
    rows: tuple[Comparison, ...]
    difference: str | None


@dataclass(frozen=True, slots=True)
class LeakRow:
    """A feature that the leak guard named: its own AUC, and why."""

    feature: str
    auc: str
    why: str


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What a report holds of one target; every part may be empty.

    Attributes
    ----------
    name, target_title : str
    asked : str or None
        What has to come about.
    verdict : str or None
        In plain words.
    classifier, splits : str or None
    has_deviations : bool
        Whether figures are means over folds, with their standard deviation.
    rows : tuple of Comparison
        Figures: AUC, log loss. Bars: AUC above a coin toss.
    differences : tuple of Difference
        From the best baseline by each of these figures.
    figures : tuple of (text, number)
        Further figures of the model.
    calibration_chart : Markup or None
    snapshots : tuple of (text, dates)
    among_buyers : AmongBuyers or None
    leaks : tuple of LeakRow
    """

    name: str
    target_title: str
    asked: str | None
    verdict: str | None
    classifier: str | None
    splits: str | None
    has_deviations: bool
    rows: tuple[Comparison, ...]
    differences: tuple[Difference, ...]
    figures: tuple[tuple[str, str], ...]
    calibration_chart: Markup | None
    snapshots: tuple[tuple[str, str], ...]
    among_buyers: AmongBuyers | None
    leaks: tuple[LeakRow, ...]


def read_target(name: str, told: Mapping[str, Any]) -> TargetReport:
    """Read what training stored of a target, or any part of it."""
    classifier = told.get("classifier")
    return TargetReport(
        name=name,
        target_title=titled(name),
        asked=_asked(part_of(told, "target")),
        verdict=told.get("verdict"),
        classifier=None if classifier is None else named(str(classifier)),
        splits=None if told.get("splits") is None else str(told["splits"]).replace("_", " "),
        has_deviations=bool(part_of(told, "standard_deviation")),
        rows=_rows(told, ("auc", "log_loss")),
        differences=_differences(told),
        figures=tuple(_further_figures(name, told)),
        calibration_chart=_calibration(name, part_of(told, "calibration_curve")),
        snapshots=tuple(
            (text, _dates(told["snapshots"][role])) for role, text in _SNAPSHOTS if part_of(told, "snapshots").get(role)
        ),
        among_buyers=_among_buyers(part_of(told, "among_buyers")),
        leaks=tuple(
            LeakRow(leak.get("feature", ""), decimal(leak.get("auc")), leak["why"])
            for leak in told.get("leaks") or ()
            if leak.get("why")
        ),
    )


def _asked(target: Mapping[str, Any]) -> str | None:
    try:
        return in_words(Target.from_dict(target))
    except TargetError:
        # Of an older version, or a part of a report only: the figures are shown without it.
        return None


def _rows(told: Mapping[str, Any], columns: Sequence[str]) -> tuple[Comparison, ...]:
    """Return the model and its baselines, by AUC first."""
    if told.get("auc") is None:
        return ()
    found = [
        ("This model", True, told),
        *((named(name), False, row) for name, row in part_of(told, "baselines").items()),
    ]
    return tuple(
        Comparison(
            name,
            is_model,
            tuple(_with_deviation(row, column) for column in columns),
            _above_a_coin_toss(row.get("auc")),
        )
        for name, is_model, row in found
    )


def _with_deviation(figures: Mapping[str, Any], name: str) -> str:
    deviation = part_of(figures, "standard_deviation").get(name)
    written = decimal(figures.get(name))
    return written if deviation is None else f"{written} ± {decimal(deviation)}"


def _above_a_coin_toss(auc: float | None) -> float | None:
    return None if auc is None else min(max((auc - _NO_SKILL) / (1.0 - _NO_SKILL), 0.0), 1.0)


def _further_figures(name: str, told: Mapping[str, Any]) -> list[tuple[str, str]]:
    is_churn = name == CHURN
    figures = []
    if told.get("n") is not None:
        figures.append(("customers judged", count(told["n"])))
    if told.get("rate") is not None:
        figures.append(("of them churned" if is_churn else "for whom it came about", percent(told["rate"], 1)))
    figures += [(text, _with_deviation(told, key)) for key, text in _FURTHER_FIGURES if told.get(key) is not None]
    perfect = part_of(told, "calibration_error_if_perfect")
    if perfect:
        figures.append(
            ("of it chance alone would leave", f"{decimal(perfect.get('mean'))}, up to {decimal(perfect.get('p95'))}")
        )
    if told.get("lift_at_10") is not None:
        among = "lift among the 10 % most likely to churn" if is_churn else "lift among the 10 % most likely"
        figures.append((among, _with_deviation(told, "lift_at_10")))
    return figures


def _differences(told: Mapping[str, Any]) -> tuple[Difference, ...]:
    found = []
    for figure, text in (("auc", "AUC"), ("log_loss", "Log loss")):
        difference = part_of(part_of(told, "differences"), figure)
        low, high = (difference.get(end) for end in ("low", "high"))
        if low is not None and high is not None:
            found.append(Difference(text, f"{low:+.3f} to {high:+.3f}", named(str(difference.get("against", "")))))
    return tuple(found)


def _among_buyers(among: Mapping[str, Any]) -> AmongBuyers | None:
    rows = _rows(among, ("auc",))
    if not rows:
        return None
    low, high = (part_of(among, "difference").get(end) for end in ("low", "high"))
    return AmongBuyers(
        customers=count(among.get("n")),
        rate=percent(among.get("rate"), 1),
        rows=rows,
        difference=None if low is None or high is None else f"{low:+.3f} to {high:+.3f}",
    )


def part_of(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of a report, empty where it is missing."""
    part = content.get(name)
    return part if isinstance(part, Mapping) else {}


def named(name: str) -> str:
    """Return the name of a model or baseline as a heading.

    Examples
    --------
    >>> named("lightgbm"), named("last_year")
    ('Boosted trees', 'last year')
    """
    return _NAMES.get(name, name.replace("_", " "))


def _calibration(name: str, curve: Mapping[str, Any]) -> Markup | None:
    if not curve.get("predicted"):
        return None
    share = "that churned" if name == CHURN else "for whom it came about"
    chart = calibration_chart(
        CalibrationCurve(
            predicted=np.array(curve["predicted"], dtype=np.float64),
            observed=np.array(curve["observed"], dtype=np.float64),
            count=np.array(curve["counts"], dtype=np.int64),
        ),
        title=f"Calibration of {name} on the test rows",
        description=f"Customers in groups by predicted probability of {name}, and the share of each {share}.",
    )
    # Made by our own code from numbers, and names of targets, which have no character to escape.
    return Markup(chart)  # noqa: S704


def _dates(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
