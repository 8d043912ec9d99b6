"""What became of runs: first scores are kept when a customer is scored again, and go with the customer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, text, update

from store import quality, scores
from store.engine import Database
from store.erasure import hide_customer, resume_erasures
from store.export import export_customer
from store.ingest.known_customers import KnownCustomers
from store.ingest.merging import Merging
from store.keyed_hash import KeyedHash
from store.quality import FORECAST, PURCHASES, TARGET
from store.retention import prune
from store.tables import Event, QualityReport, Score, ScoringRun, SupersededScore
from store.tables.base import to_microseconds
from tests.store.builders import NOW, Scored, add_customers, publish_run, queue_run
from tests.store.held import ANNA, BERT, add_events, fill

CHURN = (TARGET, "churn")


def _score_again(database: Database, run_id: int, key: int, probability: float) -> None:
    """Do what a live re-score does: keep the first score, write the new one over it."""
    with database.write() as session:
        quality.keep_first_scores(session.connection(), [run_id], [key])
        session.execute(
            update(Score)
            .where(Score.scoring_run_id == run_id, Score.customer_key == key)
            .values(churn_probability=probability, segments="steady", rescored_at=NOW)
        )


def _said(database: Database, run_id: int) -> quality.SaidRows:
    with database.read() as session:
        return quality.read_said(session, run_id, 1, 1_000)


def _count(database: Database, table: type[Any]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_what_a_run_said_at_first_is_read_however_often_a_customer_is_scored_again(database: Database) -> None:
    keys = add_customers(database, ["a", "b", "c"])
    run_id = publish_run(
        database,
        {
            keys["a"]: Scored("at_risk high_value", 3.5, 4.0, 0.5, {"upsell": 0.25}),
            keys["b"]: Scored("steady", 1.0, 2.0, 0.25),
            keys["c"]: Scored("dormant"),
        },
    )
    before = _said(database, run_id)
    for probability in (0.9, 0.1):
        _score_again(database, run_id, keys["a"], probability)
    after = _said(database, run_id)
    for said in (before, after):
        order = np.argsort(said.keys)
        assert said.keys[order].tolist() == [1, 2, 3]
        assert [said.segments[i] for i in order] == ["at_risk high_value", "steady", "dormant"]
        np.testing.assert_array_equal(said.numbers["churn_probability"][order], [0.5, 0.25, np.nan])
        np.testing.assert_array_equal(said.numbers["value_at_risk"][order], [3.5, 1.0, np.nan])
        assert json.loads(said.propensities[order[0]] or "") == {"upsell": {"probability": 0.25}}
        assert said.later == 0
    assert _count(database, SupersededScore) == 1


def test_a_score_of_another_instant_without_a_first_one_is_counted_and_left_out(database: Database) -> None:
    keys = add_customers(database, ["a", "b"])
    run_id = publish_run(database, {keys["a"]: Scored("steady", 1.0, 2.0, 0.25), keys["b"]: Scored("dormant")})
    with database.write() as session:
        session.execute(update(Score).where(Score.customer_key == keys["a"]).values(rescored_at=NOW))
    said = _said(database, run_id)
    assert (said.keys.tolist(), said.later) == ([keys["b"]], 1)


def test_an_erased_customer_leaves_no_first_score(database: Database) -> None:
    keys = fill(database)
    for run_id in (1, 2):
        _score_again(database, run_id, keys[ANNA], 0.1)
        _score_again(database, run_id, keys[BERT], 0.1)
    hide_customer(database, ANNA, KeyedHash(b"k" * 32), now=NOW + timedelta(days=2))
    assert resume_erasures(database) == 0
    with database.read() as session:
        assert set(session.scalars(select(SupersededScore.customer_key))) == {keys[BERT]}


def test_an_id_that_is_merged_has_no_first_score_of_its_own_any_more(database: Database) -> None:
    keys = add_customers(database, ["a", "b"])
    run_id = publish_run(database, {keys["a"]: Scored("steady", 1.0, 2.0, 0.25), keys["b"]: Scored("dormant")})
    for key in keys.values():
        _score_again(database, run_id, key, 0.1)
    with database.bulk() as connection, database.transaction(connection):
        customers = KnownCustomers(connection, KeyedHash(b"k" * 32), created_at=0)
        customers.keys(("a", "b"))
        Merging(connection, customers).merge("a", "b", now=to_microseconds(NOW), number=9)
    assert _said(database, run_id).keys.tolist() == [keys["b"]]
    assert _count(database, SupersededScore) == 1


def test_the_export_of_a_customer_tells_first_scores(database: Database) -> None:
    keys = fill(database)
    _score_again(database, 2, keys[ANNA], 0.1)
    told = json.loads("".join(export_customer(database, ANNA)))
    (first,) = told["superseded_scores"]
    assert (first["scoring_run"], first["segments"], first["churn_probability"]) == (2, "at_risk high_value", 0.5)
    assert first["propensities"] == {"upsell": {"probability": 0.25}}
    assert [score["churn_probability"] for score in told["scores"]] == [0.75, 0.1]


def test_pruned_scores_of_an_old_run_leave_its_reports(database: Database) -> None:
    keys = fill(database)
    _score_again(database, 1, keys[ANNA], 0.1)
    with database.write() as session:
        quality.write_quality(session, 1, {CHURN: {"auc": 0.7}}, computed_at=NOW, known_until=NOW)
        quality.write_drift(session, 1, {"churn": {"score": 1}, "upsell": None})
    pruned = prune(database, before=NOW + timedelta(days=1))
    assert pruned.scores == 3  # two, and one first score
    assert _count(database, SupersededScore) == 0
    with database.read() as session:
        assert quality.quality_of(session, [1])[1][CHURN].report == {"auc": 0.7}
        assert quality.drift_of(session, [1, 2]) == {1: {"churn": {"score": 1}, "upsell": None}, 2: {}}


def test_a_run_that_begins_again_keeps_nothing_of_before(database: Database) -> None:
    keys = add_customers(database, ["a"])
    run_id = publish_run(database, {keys["a"]: Scored("steady", 1.0, 2.0, 0.25)})
    _score_again(database, run_id, keys["a"], 0.1)
    with database.write() as session:
        quality.write_drift(session, run_id, {"churn": None})
        session.get_one(ScoringRun, run_id).status = "running"
    scores.begin(database, run_id, claimed_at=NOW, as_of=NOW, model_version=1, policy_version=1)
    assert _count(database, SupersededScore) == 0
    with database.read() as session:
        assert quality.drift_of(session, [run_id]) == {run_id: {}}


def test_figures_are_not_replaced_by_that_there_are_none_any_more(database: Database) -> None:
    run_id = publish_run(database, {})
    for report in ({"not_comparable": "not yet"}, {"auc": 0.5}, {"not_comparable": "It has been deleted."}):
        with database.write() as session:
            quality.write_quality(session, run_id, {CHURN: report}, computed_at=NOW, known_until=NOW)
    with database.read() as session:
        assert quality.quality_of(session, [run_id])[run_id][CHURN].report == {"auc": 0.5}


def test_reports_are_replaced_and_the_newest_that_has_figures_is_the_latest(database: Database) -> None:
    first, second, third = (publish_run(database, {}, as_of=NOW + timedelta(days=day)) for day in range(3))
    written: tuple[tuple[int, dict[tuple[quality.Kind, str], dict[str, Any]]], ...] = (
        (first, {CHURN: {"auc": 0.1}, (FORECAST, PURCHASES): {"customers": 5}}),
        (second, {CHURN: {"auc": 0.5}}),
        (second, {CHURN: {"auc": 0.6}}),
        (third, {CHURN: {"not_comparable": "gone"}}),
    )
    for run_id, reports in written:
        with database.write() as session:
            quality.write_quality(session, run_id, reports, computed_at=NOW, known_until=NOW)
    with database.read() as session:
        latest = quality.latest_quality(session)
        assert {part: (row.scoring_run_id, row.report) for part, row in latest.items()} == {
            CHURN: (second, {"auc": 0.6}),
            (FORECAST, PURCHASES): (first, {"customers": 5}),
        }
        assert quality.parts_done(session) == {first: {CHURN, (FORECAST, PURCHASES)}, second: {CHURN}, third: {CHURN}}
        assert session.scalar(select(func.count()).select_from(QualityReport)) == 4


def test_runs_without_figures_do_not_hide_the_newest_that_has_some(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "_REPORTS_LOOKED_AT", 2)
    first, *later = (publish_run(database, {}, as_of=NOW + timedelta(days=day)) for day in range(4))
    reports: tuple[dict[str, Any], ...] = (
        {"auc": 0.1, "in_hindsight": False},
        {"not_comparable": "gone"},
        {"auc": 0.9, "in_hindsight": True},
        {"not_comparable": "gone"},
    )
    for run_id, report in zip((first, *later), reports, strict=True):
        with database.write() as session:
            quality.write_quality(session, run_id, {CHURN: report}, computed_at=NOW, known_until=NOW)
    with database.read() as session:
        assert [row.scoring_run_id for row in quality.latest_quality(session).values()] == [first]


def test_completed_runs_come_newest_first_a_page_at_a_time(database: Database) -> None:
    numbers = [publish_run(database, {}) for _ in range(3)]
    waiting = queue_run(database)
    with database.read() as session:
        assert [run.id for run in quality.completed_runs(session)] == numbers[::-1]
        assert [run.id for run in quality.completed_runs(session, before=numbers[2], limit=1)] == [numbers[1]]
    assert waiting not in numbers


def test_the_last_event_is_the_last_order_or_without_orders_the_last_of_all(database: Database) -> None:
    assert quality.last_event(database) is None
    keys = fill(database)
    last = NOW - timedelta(days=3)
    add_events(database, keys[BERT], [NOW], event_type=2)
    assert quality.last_event(database) == last
    with database.write() as session:
        session.execute(text("UPDATE event SET event_type_id = 2"))
    assert quality.last_event(database) == NOW
    assert _count(database, Event) == 5


@pytest.mark.parametrize("number", [1, 2])
def test_drift_is_written_once_a_run(database: Database, number: int) -> None:
    run_id = publish_run(database, {})
    for _ in range(number):
        with database.write() as session:
            quality.write_drift(session, run_id, {"churn": {"n": number}})
    with database.read() as session:
        assert quality.drift_of(session, [run_id]) == {run_id: {"churn": {"n": number}}}
