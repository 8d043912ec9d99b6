"""Whether scores came true, and how far customers have moved since training: the analyst's page, by target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from features.targets import CHURN
from models.charts import calibration_chart
from models.drift import DriftReport
from models.drift_charts import drift_lines, shift_bars
from models.driver_words import title_of
from models.metrics import CalibrationCurve
from service.deps import Now, OpenDatabase, TheSettings
from service.exceptions import UnknownTargetError
from service.pages.drivers import Choice
from service.pages.formats import count, decimal, percent
from service.pages.links import href
from service.pages.templating import render
from service.parameters import BeforeRun, TargetInQuery
from service.run_quality import PartQuality, QualityOverview, RunQuality, read_quality
from store.quality import FORECAST, TARGET

__all__ = ["CameTrue", "DriftShown", "Figure", "QualityPage", "RunRow", "router"]

router = APIRouter()

_RUNS = 20
_FEATURES_DRAWN = 10
_STATUS = {"compared": "compared", "due": "due", "not_due": "not yet due", "not_comparable": "can't be compared"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what came, and what stands beside it: on the test rows at training, or what was expected."""

    name: str
    came: str
    beside: str


@dataclass(frozen=True, slots=True)
class CameTrue:
    """What came of what one run said of a target, or expected of purchases."""

    run_id: int
    as_of: datetime | None
    model_version: int | None
    horizon_days: int
    figures: tuple[Figure, ...]
    listed: tuple[Figure, ...]
    calibration_chart: Markup | None
    left_out: str | None


@dataclass(frozen=True, slots=True)
class DriftShown:
    """How far the customers of one run have moved since training, feature by feature."""

    run_id: int
    trained_as_of: str
    summary: str
    report: DriftReport
    titles: tuple[str, ...]
    features_drawn: int
    feature_chart: Markup
    score_chart: Markup


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list: whether it came true, and how far its customers have moved."""

    run_id: int
    as_of: datetime | None
    model_version: int | None
    status: str
    why: str | None
    auc: float | None
    calibration_error: float | None
    psi: float | None
    level: str | None
    moved: int | None


@dataclass(frozen=True, slots=True)
class QualityPage:
    """Context of `quality.html`.

    Attributes
    ----------
    target : str or None
        None before the first run.
    targets : tuple of Choice
    came_true, forecast : CameTrue or None
        Of the newest run compared; None before one is.
    drift : DriftShown or None
        Of the newest run shown; None where training kept no distributions.
    runs : tuple of RunRow
        The newest first.
    older_href : str or None
    timezone : str
    """

    template: ClassVar[str] = "quality.html"
    section: ClassVar[str] = "quality"

    target: str | None
    targets: tuple[Choice, ...]
    came_true: CameTrue | None
    forecast: CameTrue | None
    drift: DriftShown | None
    runs: tuple[RunRow, ...]
    older_href: str | None
    timezone: str

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Quality" if self.target is None else f"Quality of {self.target.replace('_', ' ')}"


@router.get("/quality", response_class=HTMLResponse)
def show_quality(
    database: OpenDatabase, settings: TheSettings, now: Now, model: TargetInQuery = None, before: BeforeRun = None
) -> HTMLResponse:
    """Show whether scores of a target came true, and how far its customers have moved since training."""
    with database.read() as session:
        found = read_quality(session, timezone=settings.timezone, now=settings.as_of or now, before=before, limit=_RUNS)
        return render(_page(found, model, settings.timezone))


def _page(found: QualityOverview, asked: str | None, timezone: str) -> QualityPage:
    parts = [part for run in found.runs for part in run.parts] + list(found.latest)
    names = sorted({part.name for part in parts if part.kind == TARGET}, key=lambda name: (name != CHURN, name))
    if asked is not None and asked not in names:
        raise UnknownTargetError(f"There is no model of the target {asked!r}. Targets: {', '.join(names) or 'none'}.")
    target = asked or (names[0] if names else None)
    latest = {(part.kind, part.name): part for part in found.latest}
    came = latest.get((TARGET, target or ""))
    forecast = next((part for part in found.latest if part.kind == FORECAST), None)
    return QualityPage(
        target=target,
        targets=tuple(
            Choice(name.replace("_", " ").capitalize(), href("/quality", model=name), name == target) for name in names
        ),
        came_true=None if came is None else _came_true(came),
        forecast=None if forecast is None else _forecast(forecast),
        drift=None if target is None else _drift(found.runs, target),
        runs=tuple(_row(run, target) for run in found.runs),
        older_href=None if found.next_before is None else href("/quality", model=target, before=found.next_before),
        timezone=timezone,
    )


def _came_true(part: PartQuality) -> CameTrue:
    told, test = part.figures, part.figures["test"]
    came = "churned" if part.name == CHURN else "came about"
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("Customers judged", count(told["n"]), count(test["n"])),
        (f"Share that {came}", percent(told["rate"], 1), percent(test["rate"], 1)),
        ("Mean probability", percent(told["mean_probability"], 1), ""),
        ("AUC", decimal(told["auc"]), decimal(test["auc"])),
        ("Log loss", decimal(told["log_loss"]), decimal(test["log_loss"])),
        ("Brier score", decimal(told["brier"]), decimal(test["brier"])),
        ("Calibration error", decimal(told["calibration_error"]), decimal(test["calibration_error"])),
        ("Lift of the top tenth", decimal(told["lift_at_10"], 2), decimal(test["lift_at_10"], 2)),
        ("Lift of the top fifth", decimal(told["lift_at_20"], 2), ""),
    )
    return _compared(
        part,
        figures=tuple(Figure(*pair) for pair in pairs),
        listed=_listed(told.get("listed")),
        chart=_calibration(part.name, told["calibration_curve"]),
    )


def _forecast(part: PartQuality) -> CameTrue:
    figures = []
    for key, name in (("purchases", "Purchase days"), ("spend", "Spending")):
        if (amount := part.figures[key]) is not None:
            error = "–" if amount["error"] is None else f"{amount['error']:+.1%} expected".replace("-", "−")
            figures.append(Figure(name, f"{amount['actual']:,.0f}", f"{amount['expected']:,.0f} ({error})"))
            figures.append(Figure(f"{name}: mean error of a customer", decimal(amount["mae"]), ""))
    if (interval := part.figures["interval"]) is not None:
        held = percent(interval["within"], 1)
        figures.append(Figure("Customers within their interval", held, f"{interval['level']:.0%} at least"))
    return _compared(part, figures=tuple(figures), listed=(), chart=None)


def _compared(
    part: PartQuality, *, figures: tuple[Figure, ...], listed: tuple[Figure, ...], chart: Markup | None
) -> CameTrue:
    left_out = part.figures["left_out"]
    said = [
        f"{left_out[key]:,} {words}"
        for key, words in (
            ("gone", "erased, merged or not kept since"),
            ("later", "of whom scores speak of a later instant only"),
        )
        if left_out[key]
    ]
    remarks = ["Its model had learnt from what came afterwards, so that this proves nothing."]
    if not part.figures.get("in_hindsight"):
        remarks = []
    if said:
        remarks.append(f"Left out: {'; '.join(said)}.")
    return CameTrue(
        run_id=part.run.id,
        as_of=part.run.as_of,
        model_version=part.run.model_version,
        horizon_days=part.figures["horizon_days"],
        figures=figures,
        listed=listed,
        calibration_chart=chart,
        left_out=" ".join(remarks) or None,
    )


def _listed(told: Mapping[str, Any] | None) -> tuple[Figure, ...]:
    if told is None or not told["customers"]:
        return ()
    between = f"{percent(told['low'], 1)} to {percent(told['high'], 1)}; of all judged {percent(told['base_rate'], 1)}"
    return (
        Figure("Customers on the list", count(told["customers"]), ""),
        Figure("Of them churned", percent(told["precision"], 1), between),
        Figure(
            "Value at risk listed",
            f"{told['value_at_risk']:,.0f}",
            f"{told['value_at_risk_of_churned']:,.0f} of it of those who churned",
        ),
        Figure(
            "Spent by those who returned",
            f"{told['spent_by_returned']:,.0f}",
            f"their value at risk was {told['value_at_risk_of_returned']:,.0f}",
        ),
    )


def _drift(runs: Sequence[RunQuality], target: str) -> DriftShown | None:
    told = [(run, run.drift.get(target)) for run in runs]
    known = [(run, report) for run, report in told if report is not None]
    if not known:
        return None
    newest, report = known[0]
    drawn = [row["feature"] for row in report["features"][:_FEATURES_DRAWN]]
    by_run = [
        {row["feature"]: row["psi"] for row in of_run["features"]} | {"": of_run["score"]["psi"]}
        for _, of_run in reversed(known)
    ]
    chart = drift_lines(
        ["Score", *map(title_of, drawn)],
        [[of_run.get(name, float("nan")) for of_run in by_run] for name in ("", *drawn)],
        title="Population stability index over runs",
        description="The score, then the features that moved most by the newest run. The dashed line is at .25, the "
        "thin one at .1; what is above .5 is drawn at the top.",
    )
    bounds = [0.0, *report["score_edges"], 1.0]
    shift = shift_bars(
        [f"{percent(low, 1)} to {percent(high, 1)}" for low, high in pairwise(bounds)],
        report["score_shares_at_training"],
        report["score_shares"],
        title="Probabilities at training and now",
        description="Share of the judged customers in each range of the probability.",
    )
    return DriftShown(
        run_id=newest.run.id,
        trained_as_of=report["trained_as_of"],
        summary=_in_words(report),
        report=report,
        titles=tuple(title_of(row["feature"]) for row in report["features"]),
        features_drawn=len(drawn),
        # Made by our own code, which escapes every label.
        feature_chart=Markup(chart),  # noqa: S704
        score_chart=Markup(shift),  # noqa: S704
    )


def _in_words(report: DriftReport) -> str:
    act, watch = ([row for row in report["features"] if row["level"] == level] for level in ("act", "watch"))
    if not act and not watch:
        return "No feature has moved far from what the model was trained on."
    parts = []
    if act:
        parts.append(f"{len(act)} feature{'s have' if len(act) > 1 else ' has'} moved far")
    if watch:
        parts.append(f"{len(watch)} {'are' if len(watch) > 1 else 'is'} worth watching")
    ending = " Consider training again." if act else ""
    return f"{' and '.join(parts)}, of {len(report['features'])}.{ending}"


def _row(run: RunQuality, target: str | None) -> RunRow:
    part = next((part for part in run.parts if part.kind == TARGET and part.name == target), None)
    report = run.drift.get(target or "")
    return RunRow(
        run_id=run.run.id,
        as_of=run.run.as_of,
        model_version=run.run.model_version,
        status="" if part is None else _STATUS[part.status],
        why=None if part is None else part.why,
        auc=None if part is None else part.figures.get("auc"),
        calibration_error=None if part is None else part.figures.get("calibration_error"),
        psi=None if report is None else report["score"]["psi"],
        level=None if report is None else report["score"]["level"],
        moved=None if report is None else sum(row["level"] == "act" for row in report["features"]),
    )


def _calibration(name: str, curve: Mapping[str, Any]) -> Markup | None:
    if not curve["predicted"]:
        return None
    share = "that churned" if name == CHURN else "for whom it came about"
    chart = calibration_chart(
        CalibrationCurve(
            predicted=np.array(curve["predicted"], dtype=np.float64),
            observed=np.array(curve["observed"], dtype=np.float64),
            count=np.array(curve["counts"], dtype=np.int64),
        ),
        title=f"Calibration of {name} as it came true",
        description=f"Customers in groups by the probability that the run told, and the share of each {share}, with "
        "its 95 % interval.",
        interval=(np.array(curve["low"], dtype=np.float64), np.array(curve["high"], dtype=np.float64)),
    )
    # Made by our own code from numbers, and names of targets, which have no character to escape.
    return Markup(chart)  # noqa: S704
