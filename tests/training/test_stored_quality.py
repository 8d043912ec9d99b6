"""Whether scores came true: figures of stored runs are those of the whole log, once their horizon has passed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from features.windows import Snapshot
from store import quality
from store.exceptions import StoreError
from store.quality import FORECAST, PURCHASES, TARGET
from store.tables import Customer, DriftReport, QualityReport, Score, ScoringRun, SupersededScore
from tests.shop import AS_OF, HORIZON_DAYS, N_CUSTOMERS, PROSPECTS, shop_log, shop_rows
from tests.shop_databases import Shop
from tests.training.stopping import StopAfter
from training import worker
from training.score_all import score_all
from training.stored_comparison import comparisons
from training.stored_quality import compare_due
from training.worker import work

CHURN, UPSELL, FORECASTS = (TARGET, "churn"), (TARGET, "upsell"), (FORECAST, PURCHASES)
# The last order of the shop was on the last day before AS_OF.
THEN = AS_OF - timedelta(days=HORIZON_DAYS)


def _score(shop: Shop, as_of: datetime = THEN) -> ScoringRun:
    return score_all(shop.database, shop.settings, now=shop.clock, as_of=as_of)


def _compare(shop: Shop, **options: Any) -> list[int]:
    return compare_due(shop.database, shop.settings, now=shop.clock(), **options)


def _stored(shop: Shop, run: ScoringRun) -> dict[str, Score]:
    with shop.database.read() as session:
        rows = session.execute(
            select(Customer.customer_id, Score)
            .join(Score, Score.customer_key == Customer.id)
            .where(Score.scoring_run_id == run.id)
        )
        return {row.customer_id: row.Score for row in rows}


def _reports(shop: Shop, run: ScoringRun) -> dict[tuple[str, str], QualityReport]:
    with shop.database.read() as session:
        return quality.quality_of(session, [run.id])[run.id]


def _orders_within() -> dict[str, list[tuple[datetime, float]]]:
    found: dict[str, list[tuple[datetime, float]]] = {}
    for row in shop_rows():
        if row.value is not None and THEN <= row.at < AS_OF:
            found.setdefault(row.customer_id, []).append((row.at, row.value))
    return found


def test_figures_of_churn_are_those_of_the_rows_and_of_sklearn(trained: Shop) -> None:
    run = _score(trained)
    assert _compare(trained) == [run.id]
    stored, orders = _stored(trained, run), _orders_within()
    judged = {name: score for name, score in stored.items() if score.churn_probability is not None}
    y = np.array([float(name not in orders) for name in judged])
    p = np.array([score.churn_probability for score in judged.values()], dtype=np.float64)
    row = _reports(trained, run)[CHURN]
    told = row.report
    assert (told["n"], told["rate"]) == (len(judged), pytest.approx(y.mean(), abs=1e-12))
    assert told["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, p), abs=1e-12)
    assert told["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, p), abs=1e-12)
    assert told["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(y, p), abs=1e-12)
    assert told["mean_probability"] == pytest.approx(p.mean(), abs=1e-12)
    assert (told["horizon_days"], told["left_out"]) == (HORIZON_DAYS, {"gone": 0, "later": 0})
    assert sum(told["calibration_curve"]["counts"]) == told["n"]
    assert datetime.fromisoformat(told["until"]) == row.known_until == AS_OF
    assert told["test"]["auc"] is not None
    assert told["base_rate_drift"]["level"] in ("stable", "watch", "act")


def test_figures_of_the_list_are_what_became_of_its_customers(trained: Shop) -> None:
    run = _score(trained)
    _compare(trained)
    orders = _orders_within()
    listed = {name: score for name, score in _stored(trained, run).items() if "at_risk" in score.segments.split()}
    returned = [name for name in listed if name in orders]
    told = _reports(trained, run)[CHURN].report["listed"]
    assert (told["customers"], told["churned"]) == (len(listed), len(listed) - len(returned))
    assert told["precision"] == pytest.approx(1 - len(returned) / len(listed))
    assert told["low"] < told["precision"] < told["high"]
    assert told["value_at_risk"] == pytest.approx(sum(score.value_at_risk or 0.0 for score in listed.values()))
    assert told["value_at_risk_of_returned"] == pytest.approx(sum(listed[name].value_at_risk or 0 for name in returned))
    assert told["clv_of_returned"] == pytest.approx(sum(listed[name].clv or 0.0 for name in returned))
    assert told["spent_by_returned"] == pytest.approx(sum(value for name in returned for _, value in orders[name]))


def test_figures_of_the_forecast_are_sums_over_the_rows(trained: Shop) -> None:
    run = _score(trained)
    _compare(trained)
    orders = _orders_within()
    told = _reports(trained, run)[FORECASTS].report
    rows = {name: score for name, score in _stored(trained, run).items() if score.expected_purchases is not None}
    days = {name: len({at.date() for at, _ in orders.get(name, ())}) for name in rows}
    assert told["customers"] == len(rows)
    assert told["purchases"]["actual"] == sum(days.values())
    assert told["purchases"]["expected"] == pytest.approx(
        sum(score.expected_purchases or 0.0 for score in rows.values())
    )
    assert told["spend"]["actual"] == pytest.approx(sum(value for name in rows for _, value in orders.get(name, ())))
    expected = sum((s.expected_purchases or 0.0) * (s.expected_average_value or 0.0) for s in rows.values())
    assert told["spend"]["expected"] == pytest.approx(expected)
    within = [
        (score.expected_purchases_low or 0.0) <= days[name] <= (score.expected_purchases_high or 0.0)
        for name, score in rows.items()
    ]
    assert told["interval"]["within"] == pytest.approx(np.mean(within))
    assert told["interval"]["within"] + told["interval"]["below"] + told["interval"]["above"] == pytest.approx(1.0)


def test_a_propensity_is_compared_with_its_own_labels(trained: Shop) -> None:
    run = _score(trained)
    _compare(trained)
    orders, stored = _orders_within(), _stored(trained, run)
    judged = {
        name: (json.loads(score.propensities)["upsell"]["probability"], score.expected_average_value)
        for name, score in stored.items()
        if score.propensities is not None
    }
    y = np.array(
        [
            bool(orders.get(name)) and np.mean([value for _, value in orders[name]]) > 1.25 * (average or 0.0)
            for name, (_, average) in judged.items()
        ]
    )
    told = _reports(trained, run)[UPSELL].report
    assert (told["n"], told["rate"]) == (len(judged), pytest.approx(y.mean(), abs=1e-12))
    p = np.array([probability for probability, _ in judged.values()])
    assert told["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, p), abs=1e-12)
    assert "listed" not in told


def test_nothing_is_compared_before_the_stored_events_reach_the_end_of_the_horizon(trained: Shop) -> None:
    run = _score(trained, THEN + timedelta(microseconds=1))
    assert _compare(trained) == []
    # The clock alone does not do: nothing has been stored of what comes after.
    later = trained.settings.model_copy(update={"as_of": None})
    assert compare_due(trained.database, later, now=AS_OF + timedelta(days=400)) == []
    assert _reports(trained, run) == {}


def test_an_instant_within_a_day_is_followed_for_just_its_horizon(trained: Shop) -> None:
    as_of = datetime(2024, 3, 20, 15, 30, tzinfo=UTC)
    run = _score(trained, as_of)
    assert _compare(trained) == [run.id]
    end = as_of + timedelta(days=HORIZON_DAYS)
    bought = {row.customer_id for row in shop_rows() if row.value is not None and as_of <= row.at < end}
    judged = [name for name, score in _stored(trained, run).items() if score.churn_probability is not None]
    told = _reports(trained, run)[CHURN].report
    assert told["rate"] == pytest.approx(np.mean([name not in bought for name in judged]), abs=1e-12)
    assert datetime.fromisoformat(told["until"]) == end


def test_scores_in_hindsight_are_marked_and_never_the_latest(trained: Shop) -> None:
    run = _score(trained)
    _compare(trained)
    assert [row.report["in_hindsight"] for row in _reports(trained, run).values()] == [True] * 3
    with trained.database.read() as session:
        assert quality.latest_quality(session) == {}
        drift = quality.drift_of(session, [run.id])[run.id]
    for day, in_hindsight in ((THEN, False), (THEN + timedelta(days=1), True)):
        with trained.database.write() as session:
            of_then = {name: {**(report or {}), "trained_as_of": f"{day:%Y-%m-%d}"} for name, report in drift.items()}
            quality.write_drift(session, run.id, of_then)
        _compare(trained, run_ids=[run.id])
        with trained.database.read() as session:
            latest = quality.latest_quality(session)
        assert latest.keys() == (set() if in_hindsight else {CHURN, UPSELL, FORECASTS})


def test_what_a_run_said_at_first_counts_and_the_gone_are_told(trained: Shop) -> None:
    run = _score(trained)
    _compare(trained)
    before = {part: row.report for part, row in _reports(trained, run).items()}
    stored = _stored(trained, run)
    some = [score.customer_key for name, score in sorted(stored.items())[::3]]
    with trained.database.write() as session:
        quality.keep_first_scores(session.connection(), [run.id], some)
        session.execute(
            update(Score).where(Score.customer_key.in_(some)).values(rescored_at=AS_OF, churn_probability=0.001)
        )
    assert _compare(trained) == []
    assert _compare(trained, run_ids=[run.id]) == [run.id]
    assert {part: row.report for part, row in _reports(trained, run).items()} == before
    with trained.database.write() as session:
        session.execute(delete(SupersededScore).where(SupersededScore.customer_key == some[0]))
        session.execute(delete(Score).where(Score.customer_key == some[1]))
        session.execute(delete(SupersededScore).where(SupersededScore.customer_key == some[1]))
    _compare(trained, run_ids=[run.id])
    assert _reports(trained, run)[CHURN].report["left_out"] == {"gone": 1, "later": 1}


def test_a_run_whose_scores_or_events_have_been_deleted_says_so(trained: Shop) -> None:
    run = _score(trained)
    kept = trained.settings.model_copy(update={"retention_days": 30})
    compare_due(trained.database, kept, now=trained.clock())
    assert "has been deleted in part" in _reports(trained, run)[CHURN].report["not_comparable"]
    with trained.database.write() as session:
        # A pruning has begun.
        session.execute(update(ScoringRun).values(is_pruned=True))
        session.execute(delete(QualityReport))
    _compare(trained, run_ids=[run.id])
    assert "have been deleted" in _reports(trained, run)[CHURN].report["not_comparable"]
    with trained.database.write() as session:
        session.execute(update(ScoringRun).values(is_pruned=False))
        session.execute(delete(QualityReport))
        session.execute(delete(Score).where(Score.scoring_run_id == run.id))
    _compare(trained, run_ids=[run.id])
    assert "have been deleted" in _reports(trained, run)[FORECASTS].report["not_comparable"]


def test_a_run_that_is_pruned_while_it_is_compared_is_not_judged_by_what_is_left(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _score(trained)
    read_said = quality.read_said

    def read_and_prune(*args: Any) -> quality.SaidRows:
        said = read_said(*args)
        with trained.database.write() as session:
            session.execute(update(ScoringRun).values(is_pruned=True))
        return said

    monkeypatch.setattr(quality, "read_said", read_and_prune)
    _compare(trained, run_ids=[run.id])
    for part in (CHURN, UPSELL, FORECASTS):
        assert "have been deleted" in _reports(trained, run)[part].report["not_comparable"]


def test_the_worker_compares_each_run_once(trained: Shop) -> None:
    first, second = _score(trained), _score(trained, THEN - timedelta(days=1))
    stop = StopAfter(3)
    work(trained.database, trained.settings, stop=stop, now=trained.clock)
    assert set(_reports(trained, first)) == set(_reports(trained, second)) == {CHURN, UPSELL, FORECASTS}
    assert all(one.done == {CHURN, UPSELL, FORECASTS} for one in comparisons(trained.database, [first.id, second.id]))


def test_the_worker_deletes_no_run_before_all_that_are_due_are_compared(trained: Shop) -> None:
    due = [_score(trained, THEN - timedelta(days=days)) for days in range(3)]
    settings = trained.settings.model_copy(update={"run_retention_days": 1, "worker_poll_seconds": 0.01})
    later = trained.clock() + timedelta(days=2)
    # It begins with the scoring that was queued by the training, which is published instead of these.
    work(trained.database, settings, stop=StopAfter(6), now=lambda: later)
    with trained.database.read() as session:
        assert session.scalars(select(ScoringRun.id).where(ScoringRun.is_pruned)).all() == [run.id for run in due]
    for run in due:
        assert "auc" in _reports(trained, run)[CHURN].report


def test_nothing_is_deleted_while_the_database_keeps_runs_from_being_compared(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = [_score(trained, THEN - timedelta(days=days)) for days in range(2)]
    looks: list[int] = []

    def away_at_first(*positional: Any, **named: Any) -> list[int]:
        looks.append(1)
        if len(looks) < 3:
            raise OperationalError("SELECT", {}, Exception("the server closed the connection"))
        return compare_due(*positional, **named)

    monkeypatch.setattr(worker, "compare_due", away_at_first)
    settings = trained.settings.model_copy(update={"run_retention_days": 1, "worker_poll_seconds": 0.01})
    later = trained.clock() + timedelta(days=2)
    work(trained.database, settings, stop=StopAfter(8), now=lambda: later)
    with trained.database.read() as session:
        assert session.scalars(select(ScoringRun.id).where(ScoringRun.is_pruned)).all() == [run.id for run in due]
    for run in due:
        assert "auc" in _reports(trained, run)[CHURN].report


def test_a_run_that_is_not_there_is_refused(trained: Shop) -> None:
    with pytest.raises(StoreError, match="There is no completed scoring run 99"):
        _compare(trained, run_ids=[99])


def test_a_run_as_of_training_has_not_drifted_and_an_older_one_has(trained: Shop) -> None:
    now, then = _score(trained, AS_OF), _score(trained, AS_OF - timedelta(days=365))
    with trained.database.read() as session:
        drift = quality.drift_of(session, [now.id, then.id])
    assert set(drift[now.id]) == {"churn", "upsell"}
    for report in drift[now.id].values():
        assert report is not None
        assert report["score"]["psi"] == 0.0
        assert {row["psi"] for row in report["features"]} == {0.0}
        assert report["customers"] == report["customers_at_training"] == N_CUSTOMERS + len(PROSPECTS)
        assert report["judged"] == report["judged_at_training"]
    of_churn = drift[then.id]["churn"]
    assert of_churn is not None
    assert of_churn["judged"] < of_churn["judged_at_training"]
    assert of_churn["features"][0]["psi"] > 0.0
    _counts_are_those_of_the_rows(trained, then, of_churn)


def _counts_are_those_of_the_rows(shop: Shop, run: ScoringRun, report: dict[str, Any]) -> None:
    p = np.array([s.churn_probability for s in _stored(shop, run).values() if s.churn_probability is not None])
    shares = np.histogram(p, [0.0, *report["score_edges"], 1.0])[0] / len(p)
    np.testing.assert_allclose(report["score_shares"], shares, atol=1e-12)
    assert report["mean_probability"] == pytest.approx(p.mean(), abs=1e-6)
    log = shop_log()
    assert report["customers"] == log.n_customers
    assert Snapshot.at(AS_OF, log.calendar).date.isoformat() == report["trained_as_of"]


def test_a_run_of_a_model_without_distributions_says_so(trained: Shop) -> None:
    run = _score(trained)
    with trained.database.write() as session:
        quality.write_drift(session, run.id, {"churn": None})
        assert session.scalars(select(DriftReport.report)).all() == [None]
