"""One customer: the score of now with its reasons, what it rests on, and where the customer stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.targets import CHURN
from features.units import Unit
from features.windows import Snapshot
from models.charts import contribution_bars
from models.driver_words import sides_of
from models.predictive import interval_in_words
from models.purchase_timing import PURCHASE_DAYS
from service.deps import OpenDatabase, TheScorer, TheSettings
from service.exceptions import ModelUnavailableError
from service.explained import ClvExplanation, ExplainedScore, Explanation
from service.modelled_targets import in_words
from service.pages.ranked import titled
from service.pages.templating import render
from service.pages.timeline import PurchaseDay, purchase_days, timeline
from service.parameters import CustomerIdInPath, CustomerIdInQuery
from service.published_list import read_run
from service.scorer import ScoredCustomers, Scorer
from service.segment_rules import TITLES
from store import memberships
from store.customers import CustomerFacts, read_facts
from store.engine import Database
from store.events import CustomerKeys, find_customer, read_events
from store.scores import published_run, stored_score
from store.settings import Settings

__all__ = ["CustomerPage", "ListedScore", "ReasonsPanel", "ScorePanel", "Stay", "router"]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ReasonsPanel:
    """Why the model of one target says what it says: the numbers, their picture, and what was asked."""

    target_title: str
    asked: str
    told: Explanation
    chart: Markup


@dataclass(frozen=True, slots=True)
class ScorePanel:
    """A score computed now: what it says, how it comes about, and what it was made with.

    `churn_asked` is what has to come about for a customer to have left, None without a model of churn; `propensities`
    are title, probability and what has to come about, for each other target; without purchases (`has_clv`) there are no
    amounts. The intervals are in words; `chances` are those of a purchase, by days; `clv_chart` draws the reasons of
    the clv.
    """

    score: ExplainedScore
    segments: tuple[str, ...]
    reasons: tuple[ReasonsPanel, ...]
    churn_asked: str | None
    propensities: tuple[tuple[str, float | None, str], ...]
    has_clv: bool
    clv_interval: str | None
    purchases_interval: str | None
    chances: tuple[tuple[int, float], ...]
    clv_chart: Markup | None
    model_version: int
    policy_version: int
    horizon_days: int
    caveats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedScore:
    """What the published list says of the customer, to be compared with now."""

    score: ExplainedScore
    as_of: datetime | None
    model_version: int | None


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in a segment; `left_at` is None while it lasts."""

    segment: str
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """Context of `customer.html`.

    Attributes
    ----------
    customer_id, currency, timezone : str
    as_of : datetime
        The instant that the score and the purchases speak of.
    panel : ScorePanel or None
        None while there is no model; `unavailable` then says why.
    facts : CustomerFacts
    purchases : tuple of PurchaseDay
        Ascending, before `as_of`.
    timeline : Markup
        Their picture.
    listed : ListedScore or None
    stays : tuple of Stay
        The latest first.
    """

    template: ClassVar[str] = "customer.html"
    section: ClassVar[str] = ""

    customer_id: str
    currency: str
    timezone: str
    as_of: datetime
    panel: ScorePanel | None
    unavailable: str | None
    facts: CustomerFacts
    purchases: tuple[PurchaseDay, ...]
    timeline: Markup
    listed: ListedScore | None
    stays: tuple[Stay, ...]

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Customer {self.customer_id}"


@router.get("/customer", response_class=HTMLResponse)
def show_customer_by_query(
    customer_id: CustomerIdInQuery, database: OpenDatabase, scorer: TheScorer, settings: TheSettings
) -> HTMLResponse:
    """Show the customer that was searched for."""
    return _show(customer_id, database, scorer, settings)


@router.get("/customers/{customer_id}", response_class=HTMLResponse)
def show_customer(
    customer_id: CustomerIdInPath, database: OpenDatabase, scorer: TheScorer, settings: TheSettings
) -> HTMLResponse:
    """Show one customer."""
    return _show(customer_id, database, scorer, settings)


def _show(customer_id: str, database: Database, scorer: Scorer, settings: Settings) -> HTMLResponse:
    with database.read() as session:
        customer = find_customer(session, customer_id)
        own_id, key = customer.customer_ids[0], int(customer.keys[0])
        scored, unavailable = _score(session, customer, scorer)
        as_of = scorer.as_of() if scored is None else scored.as_of
        calendar = LocalCalendar(settings.timezone) if scored is None else scored.model.calendar
        snapshot = Snapshot.at(as_of, calendar)
        purchases = purchase_days(read_events(session, customer, calendar).before(snapshot.as_of))
        page = CustomerPage(
            customer_id=own_id,
            currency=settings.currency if scored is None else scored.model.bundle.currency,
            timezone=calendar.timezone,
            as_of=as_of,
            panel=None if scored is None else _panel(own_id, scored),
            unavailable=unavailable,
            facts=read_facts(session, key),
            purchases=purchases,
            timeline=_timeline(purchases, snapshot.last_day, settings.currency),
            listed=_listed(session, key),
            stays=tuple(
                Stay(TITLES.get(stay.segment, stay.segment), stay.entered_at, stay.left_at)
                for stay in memberships.history(session, key)
            ),
        )
    return render(page)


def _score(session: Session, customer: CustomerKeys, scorer: Scorer) -> tuple[ScoredCustomers | None, str | None]:
    # What is known of a customer is worth showing without a model too.
    try:
        return scorer.score(session, customer), None
    except ModelUnavailableError as error:
        return None, str(error)


def _panel(customer_id: str, scored: ScoredCustomers) -> ScorePanel:
    bundle, targets = scored.model.bundle, scored.targets
    score = scored.explained(customer_id)
    return ScorePanel(
        score=score,
        segments=tuple(TITLES[name] for name in score.columns["segments"].split()),
        reasons=tuple(map(_reasons, score.explanations)),
        churn_asked=in_words(targets[CHURN]) if CHURN in targets else None,
        propensities=tuple(
            (titled(name), None if told is None else told.probability, in_words(targets[name]))
            for name, told in score.propensities.items()
        ),
        has_clv=bundle.purchases is not None,
        clv_interval=_interval(score, "clv", "currency", bundle.currency),
        purchases_interval=_interval(score, "expected_purchases", "count", bundle.currency),
        chances=_chances(score),
        clv_chart=None if score.clv is None else _clv_chart(score.clv, bundle.currency),
        model_version=scored.model.version,
        policy_version=scored.policy_version,
        horizon_days=bundle.horizon_days,
        caveats=tuple(scored.model.caveats),
    )


def _interval(score: ExplainedScore, name: str, unit: Unit, currency: str) -> str | None:
    low, high = (score.columns[f"{name}_{end}"] for end in ("low", "high"))
    return None if low is None else interval_in_words(low, high, unit, currency)


def _chances(score: ExplainedScore) -> tuple[tuple[int, float], ...]:
    chances = {days: score.columns[f"purchase_within_{days}d"] for days in PURCHASE_DAYS}
    return tuple((days, chance) for days, chance in chances.items() if chance is not None)


def _clv_chart(told: ClvExplanation, currency: str) -> Markup:
    chart = contribution_bars(
        [reason.text for reason in told.reasons],
        [reason.contribution for reason in told.reasons],
        title="What adds to this clv and what takes off it",
        description=f"Contributions in {currency}, the largest first, compared with {told.reference_phrase}.",
        towards="adds to it",
        against="takes off it",
    )
    # Made by our own code, which escapes every label.
    return Markup(chart)  # noqa: S704


def _reasons(told: Explanation) -> ReasonsPanel:
    name, sides = told.target.name, sides_of(told.target.name)
    chart = contribution_bars(
        [*(reason.text or reason.feature for reason in told.reasons), "all other features"],
        [*(reason.contribution for reason in told.reasons), told.all_other_features],
        title=f"What speaks {sides.towards} and what {sides.against}",
        description=f"Contributions to the {name} score in log-odds, the largest first.",
        towards=f"speaks {sides.towards}",
        against=f"speaks {sides.against}",
    )
    # Made by our own code, which escapes every label.
    return ReasonsPanel(titled(name), in_words(told.target), told, Markup(chart))  # noqa: S704


def _timeline(purchases: tuple[PurchaseDay, ...], last_day: int, currency: str) -> Markup:
    last_observed = datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(days=last_day)
    # Made by our own code from dates and numbers alone.
    return Markup(timeline(purchases, last_observed, currency))  # noqa: S704


def _listed(session: Session, key: int) -> ListedScore | None:
    run, score = published_run(session), stored_score(session, key)
    if run is None or score is None:
        return None
    published = read_run(session, run)
    return ListedScore(published.explained(score), published.as_of(score), run.model_version)
