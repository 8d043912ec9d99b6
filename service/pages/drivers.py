"""What drives the scores of a model: the analyst's page, by target and segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from features.catalogue import find_feature
from features.targets import CHURN
from models.charts import driver_bars
from models.driver_report import EVERYBODY, Direction, FeatureDriver, GroupDriver
from models.driver_words import Sides, direction_in_words, sides_of, summary, title_of
from service.deps import OpenDatabase, TheSettings
from service.pages.links import href
from service.pages.templating import render
from service.parameters import SegmentInQuery, TargetInQuery
from service.published_drivers import PublishedDrivers, read_drivers
from service.segment_rules import TITLES
from service.work_list import AT_RISK
from store.settings import Settings

__all__ = ["Choice", "DriversPage", "FeatureRow", "GroupRow", "router"]

router = APIRouter()

_FEATURES_DRAWN = 12
_EVERYBODY_TITLE = "All judged"


@dataclass(frozen=True, slots=True)
class Choice:
    """A report that there is: its title, its address, and whether it is the one shown."""

    title: str
    href: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group of features; `share` is its mean size as a share of the largest."""

    title: str
    features: str
    share: float
    row: GroupDriver


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature; `share` as of a group. `customers_href` lists whose reason it is, where there is such a list."""

    title: str
    description: str
    words: str
    share: float
    row: FeatureDriver
    customers_href: str | None


@dataclass(frozen=True, slots=True)
class DriversPage:
    """Context of `drivers.html`.

    Attributes
    ----------
    target, segment_title : str
        What the report is of.
    targets, segments : tuple of Choice
    customers : int
        Judged by the model.
    summary : str
        What weighs most.
    mean_contribution : float or None
        Of all features; None without customers.
    sides : Sides
        What the two directions speak for.
    groups, features : tuple of GroupRow, of FeatureRow
        The largest first.
    features_drawn : int
        How many features the chart shows at most.
    group_chart, feature_chart : Markup
    unused : tuple of str
        Features that contribute to nobody here.
    as_of, timezone, model_version
        Of the run.
    """

    template: ClassVar[str] = "drivers.html"
    section: ClassVar[str] = "drivers"

    target: str
    segment_title: str
    targets: tuple[Choice, ...]
    segments: tuple[Choice, ...]
    customers: int
    summary: str
    mean_contribution: float | None
    sides: Sides
    groups: tuple[GroupRow, ...]
    features: tuple[FeatureRow, ...]
    features_drawn: int
    group_chart: Markup
    feature_chart: Markup
    unused: tuple[str, ...]
    as_of: datetime | None
    timezone: str
    model_version: int | None

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Drivers of {self.target.replace('_', ' ')}"


@router.get("/drivers", response_class=HTMLResponse)
def show_drivers(
    database: OpenDatabase, settings: TheSettings, model: TargetInQuery = None, segment: SegmentInQuery = EVERYBODY
) -> HTMLResponse:
    """Show what drives a model's scores of a segment."""
    with database.read() as session:
        found = read_drivers(session, target=model, segment=segment)
    return render(_page(found, settings))


def _page(found: PublishedDrivers, settings: Settings) -> DriversPage:
    report, run = found.report, found.published.run
    sides = sides_of(found.target)
    largest_group = max((row["mean_size"] for row in report["drivers"]), default=0.0) or 1.0
    largest = max((row["mean_size"] for row in report["features"]), default=0.0) or 1.0
    groups = tuple(
        GroupRow(
            title=row["driver"].capitalize(),
            features=", ".join(title_of(name) for name in row["features"]),
            share=row["mean_size"] / largest_group,
            row=row,
        )
        for row in report["drivers"]
    )
    is_listed = (found.target, found.segment) == (CHURN, AT_RISK.name)
    features = tuple(
        FeatureRow(
            title=title_of(row["feature"]),
            description=_description(row["feature"]),
            words=direction_in_words(row, target=found.target, currency=found.published.aggregates.currency),
            share=row["mean_size"] / largest,
            row=row,
            customers_href=href("/", reason=row["feature"]) if is_listed and row["among_strongest"] else None,
        )
        for row in report["features"]
    )
    return DriversPage(
        target=found.target,
        segment_title=_segment_title(found.segment),
        targets=tuple(
            Choice(name.replace("_", " ").capitalize(), href("/drivers", model=name), name == found.target)
            for name in found.targets
        ),
        segments=tuple(
            Choice(_segment_title(name), href("/drivers", model=found.target, segment=name), name == found.segment)
            for name in found.segments
        ),
        customers=report["customers"],
        summary=summary(report),
        mean_contribution=report["mean_contribution"],
        sides=sides,
        groups=groups,
        features=features,
        features_drawn=_FEATURES_DRAWN,
        group_chart=_chart("Drivers", [(group.title, group.row, None) for group in groups], sides),
        feature_chart=_chart(
            "Single features",
            [(feature.title, feature.row, feature.row["direction"]) for feature in features[:_FEATURES_DRAWN]],
            sides,
        ),
        unused=tuple(title_of(name) for name in report["unused"]),
        as_of=run.as_of,
        timezone=settings.timezone,
        model_version=run.model_version,
    )


def _chart(
    what: str, bars: Sequence[tuple[str, GroupDriver | FeatureDriver, Direction | None]], sides: Sides
) -> Markup:
    chart = driver_bars(
        [title for title, _, _ in bars],
        [row["mean_towards"] for _, row, _ in bars],
        [row["mean_against"] for _, row, _ in bars],
        [direction for _, _, direction in bars],
        title=f"{what} by mean size of their contribution, in log-odds",
        description="The longer a bar, the more it moves scores, one way or the other.",
        towards_caption=f"speaks {sides.towards}",
        against_caption=f"speaks {sides.against}",
    )
    # Made by our own code, which escapes every label.
    return Markup(chart)  # noqa: S704


def _segment_title(segment: str) -> str:
    return _EVERYBODY_TITLE if segment == EVERYBODY else TITLES[segment]


def _description(name: str) -> str:
    feature = find_feature(name)
    return name if feature is None else feature.description
