"""The training job: what it registers, its story, and how it fails."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models.bundle import Bundle, load_bundle
from models.segment_policy import SegmentPolicy
from store import policies, registry
from store.tables import ScoringRun, TrainingRun
from store.training_request import TrainingRequest
from tests.shop import (
    AS_OF,
    N_CUSTOMERS,
    NOW,
    PROSPECTS,
    REQUEST,
    Row,
    local_day,
    shop_log,
    shop_rows,
    shop_settings,
    to_log,
)
from tests.shop_databases import Shop
from training import train as job
from training.exceptions import TrainingError
from training.fit_bundle import fit_bundle
from training.search import SearchResult, search
from training.train import train


def _runs(shop: Shop) -> list[TrainingRun]:
    with shop.database.read() as session:
        return list(session.scalars(select(TrainingRun).order_by(TrainingRun.id)))


def test_the_first_version_becomes_champion_and_a_scoring_run_is_queued(trained: Shop) -> None:
    with trained.database.read() as session:
        assert registry.aliases(session) == {"champion": 1}
        version = registry.find_version(session)
        (queued,) = session.scalars(select(ScoringRun))
        assert policies.read_cutoffs(session, model_version=1, policy_version=1) is not None
    assert (queued.status, queued.as_of) == ("queued", None)
    bundle = load_bundle(trained.settings.bundle_dir / version.bundle, expected_hash=version.bundle_hash)
    assert version.report == bundle.report
    assert version.test_metrics["champion"] is None


def test_the_second_becomes_challenger_with_the_metrics_of_the_champion_beside_its_own(trained: Shop) -> None:
    request = REQUEST.model_copy(update={"seed": 1})
    assert train(trained.database, trained.settings, request, now=trained.clock) == 2
    with trained.database.read() as session:
        assert registry.aliases(session) == {"champion": 1, "challenger": 2}
        first, second = (registry.find_version(session, name) for name in ("1", "2"))
        assert len(list(session.scalars(select(ScoringRun)))) == 1
    beside = second.test_metrics["champion"]
    assert beside["version"] == 1
    assert set(beside) == {"version", "auc", "log_loss"}
    # The champion's settings on the same rows: not far from what they reached at their own training.
    assert beside["auc"] == pytest.approx(first.test_metrics["target"]["auc"], abs=0.02)
    assert set(second.test_metrics["target"]) == {"name", "auc", "log_loss"}


def test_training_the_same_again_registers_nothing_new(trained: Shop) -> None:
    assert train(trained.database, trained.settings, REQUEST, now=trained.clock) == 1
    with trained.database.read() as session:
        assert registry.aliases(session) == {"champion": 1}
        assert len(registry.list_versions(session)) == 1
    assert len(list(trained.settings.bundle_dir.iterdir())) == 1


def test_a_run_keeps_its_story_with_counts_and_seconds(trained: Shop) -> None:
    (run,) = _runs(trained)
    assert run.status == "completed"
    assert run.error is None
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.started_at < run.finished_at
    assert TrainingRequest.model_validate(run.settings) == REQUEST
    story = dict(run.story or {})
    seconds = story.pop("seconds")
    assert story == {
        "customers": N_CUSTOMERS + len(PROSPECTS),
        "events": len(shop_rows()),
        "history_days": local_day(2024, 7, 1) - int(shop_log().day.min()),
        "model_version": 1,
    }
    assert set(seconds) == {"churn", "upsell", "purchase model", "cut-offs"}
    assert all(passed >= 0 for passed in seconds.values())


def test_a_training_that_can_not_learn_is_recorded_as_failed_with_its_reason(untrained: Shop) -> None:
    request = TrainingRequest(horizon_days=400)
    with pytest.raises(TrainingError, match="spans 911 days; a horizon of 400 days needs at least 1200") as raised:
        train(untrained.database, untrained.settings, request, now=untrained.clock)
    (run,) = _runs(untrained)
    assert (run.status, run.error) == ("failed", str(raised.value))
    assert run.finished_at is not None
    with untrained.database.read() as session:
        assert registry.list_versions(session) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("inside"), r"An unexpected error, ZeroDivisionError; the output .* has it\."),
        (KeyboardInterrupt(), r"Interrupted\."),
    ],
)
def test_a_training_that_breaks_off_is_recorded_as_failed(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(job, "fit_bundle", break_off)
    with pytest.raises(type(error), match=f"^{error}$"):
        train(untrained.database, untrained.settings, REQUEST, now=untrained.clock)
    (run,) = _runs(untrained)
    assert run.status == "failed"
    assert run.error is not None
    assert re.fullmatch(told, run.error)


def test_a_log_without_orders_says_what_to_do(tmp_path: Path) -> None:
    nobody = to_log([Row("v", AS_OF - timedelta(days=9), None, "Session Started")])
    with pytest.raises(TrainingError, match=r"no orders to learn from.* regulars ingest events"):
        fit_bundle(nobody, shop_settings("sqlite:///unused.db", tmp_path), REQUEST, today=NOW, policy=SegmentPolicy())


def _fit(request: TrainingRequest, tmp_path: Path, *, rows: tuple[Row, ...] = (), cut: bool = True) -> Bundle:
    settings = shop_settings("sqlite:///unused.db", tmp_path, as_of=AS_OF if cut else None)
    log = to_log([*shop_rows(), *rows]) if rows else shop_log()
    return fit_bundle(log, settings, request, today=NOW, policy=SegmentPolicy()).bundle


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """What the shop's events teach in one trial."""
    return _fit(TrainingRequest(trials=1), tmp_path_factory.mktemp("plain"))


def test_as_of_trains_as_if_later_events_had_not_come_yet(tmp_path: Path) -> None:
    request = TrainingRequest(trials=1, as_of=date(2024, 5, 2))
    bundle = _fit(request, tmp_path)
    assert bundle.snapshot_date == "2024-05-02"
    assert bundle.report["targets"]["churn"]["snapshots"]["test"] == "2024-02-02"


def test_what_happened_after_the_instant_that_scores_speak_of_teaches_nothing(plain: Bundle, tmp_path: Path) -> None:
    later = (Row("k0001", AS_OF + timedelta(days=40), 10.0),)
    request = TrainingRequest(trials=1)
    assert _fit(request, tmp_path, rows=later).report == plain.report
    assert _fit(request, tmp_path, rows=later, cut=False).snapshot_date == "2024-08-11"


def test_history_begins_with_the_first_order_not_with_the_first_visit(plain: Bundle, tmp_path: Path) -> None:
    visit = (Row("k0001", AS_OF - timedelta(days=3_000), None, "Session Started"),)
    report = _fit(TrainingRequest(trials=1), tmp_path, rows=visit).report
    assert report["targets"]["churn"]["snapshots"] == plain.report["targets"]["churn"]["snapshots"]


def test_the_report_says_whose_figures_they_are_and_how_short_the_history_is(plain: Bundle, tmp_path: Path) -> None:
    request = TrainingRequest(trials=1, as_of=date(2023, 12, 1))
    notes = " ".join(_fit(request, tmp_path).report["notes"])
    assert "refitted with the same settings on all labelled rows, test included" in notes
    assert "With 698 days of history, season can't be told from trend." in notes
    assert "season" not in " ".join(plain.report["notes"])


def test_a_time_limit_that_struck_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*positional: Any, **named: Any) -> SearchResult:
        return replace(search(*positional, **named), stopped_by_time=True)

    monkeypatch.setattr("training.fit_target.search", stopped)
    report = _fit(TrainingRequest(trials=1), tmp_path).report
    assert report["targets"]["churn"]["search"]["stopped_by_time"] is True
    assert any("time limit stopped the search" in note for note in report["notes"])


def test_the_terms_of_the_deployment_go_into_the_bundle(tmp_path: Path) -> None:
    settings = shop_settings("sqlite:///unused.db", tmp_path).model_copy(
        update={"margin": 0.25, "yearly_discount_rate": 0.2, "clv_horizon_days": 180, "currency": "EUR"}
    )
    bundle = fit_bundle(
        shop_log(), settings, TrainingRequest(trials=1), today=NOW, policy=SegmentPolicy(contact_cost=9.0)
    ).bundle
    assert bundle.outlook is not None
    terms = bundle.outlook.terms
    assert (terms.margin, terms.yearly_discount_rate, terms.horizon_days) == (0.25, 0.2, 180.0)
    assert bundle.currency == "EUR"
    assert bundle.policy.contact_cost == 9.0
    assert bundle.snapshot_date == "2024-07-01"
    assert local_day(2024, 7, 1) == shop_log().last_purchase_day() + 1  # type: ignore[operator]
