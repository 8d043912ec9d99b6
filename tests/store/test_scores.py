"""Scores of a run: invisible until it is published, and free of what an interrupted attempt left."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import func, select

from store.engine import Database
from store.exceptions import StoreError
from store.listings import propensity_list
from store.lists import list_segment
from store.publishing import publish
from store.runs import fail_run
from store.scores import (
    SCORE_COLUMNS,
    begin,
    published_run,
    require_published_run,
    stored_score,
    write,
)
from store.tables import Score, ScoringRun, SegmentListing
from tests.store.builders import NOW, Scored, add_customers, publish_run, queue_run, write_scores

FIRST = {1: Scored("at_risk", 5.0, 10.0), 2: Scored("high_value", 1.0, 100.0)}
SECOND = {1: Scored("steady", 0.5, 10.0), 2: Scored("at_risk high_value", 50.0, 100.0)}


def shown(database: Database, segment: str = "at_risk") -> list[str]:
    with database.read() as session:
        return [row.customer_id for row in list_segment(session, segment, limit=100).rows]


def rows_of(database: Database, run_id: int) -> tuple[int, int]:
    with database.read() as session:
        scores, listings = (
            session.scalar(select(func.count()).select_from(table).where(table.scoring_run_id == run_id)) or 0
            for table in (Score, SegmentListing)
        )
    return scores, listings


def test_before_the_first_run_there_is_nothing_to_show_and_it_is_said(database: Database) -> None:
    add_customers(database, ["ada"])
    with database.read() as session:
        assert published_run(session) is None
        assert stored_score(session, 1) is None
        with pytest.raises(StoreError, match=r"No customer has been scored yet\. Run: regulars score"):
            require_published_run(session)


def test_scores_show_all_at_once_when_their_run_is_published(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    run_id = queue_run(database)
    write_scores(database, run_id, FIRST)
    with database.read() as session:
        assert published_run(session) is None
        assert stored_score(session, 1) is None

    publish(database, run_id, n_customers=2, aggregates={"total": 2}, now=lambda: NOW, claimed_at=NOW)
    with database.read() as session:
        run = require_published_run(session)
        assert (run.id, run.status, run.n_customers, run.aggregates) == (run_id, "completed", 2, {"total": 2})
        assert (run.as_of, run.finished_at, run.model_version, run.policy_version) == (NOW, NOW, 1, 1)
        score = stored_score(session, 1)
        assert score is not None
        assert (score.segment, score.segments, score.value_at_risk, score.clv) == ("at_risk", "at_risk", 5.0, 10.0)
        assert score.frequency is None
        assert stored_score(session, 3) is None


def test_a_list_stays_as_it_is_while_the_next_run_is_written_and_changes_when_that_is_published(
    database: Database,
) -> None:
    add_customers(database, ["ada", "bob"])
    publish_run(database, FIRST)
    second = queue_run(database)
    for key, score in SECOND.items():
        write_scores(database, second, {key: score})
        assert shown(database) == ["ada"]
        assert shown(database, "high_value") == ["bob"]
    with database.read() as reading:
        assert [row.customer_id for row in list_segment(reading, "at_risk", limit=10).rows] == ["ada"]
        publish(database, second, n_customers=2, aggregates={}, now=lambda: NOW, claimed_at=NOW)
        # One read is one view of the data, even across statements.
        assert [row.customer_id for row in list_segment(reading, "at_risk", limit=10).rows] == ["ada"]
    assert shown(database) == shown(database, "high_value") == ["bob"]


def test_beginning_removes_what_an_interrupted_attempt_left_and_nothing_of_other_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.scores._ROWS_A_TRANSACTION", 3)
    keys = range(1, 11)
    add_customers(database, [f"customer {key}" for key in keys])
    first = publish_run(database, {key: Scored("at_risk high_value", float(key), 1.0) for key in keys})
    second = queue_run(database)
    write_scores(database, second, {key: Scored("at_risk new", 1.0, 1.0) for key in keys if key not in (4, 5)})
    assert rows_of(database, second) == (8, 16)

    begin(database, second, claimed_at=NOW, as_of=NOW, model_version=1, policy_version=1)
    assert rows_of(database, second) == (0, 0)
    assert rows_of(database, first) == (10, 20)
    write_scores(database, second, dict.fromkeys(keys, Scored("steady", 1.0, 1.0)))
    assert rows_of(database, second) == (10, 10)


def test_beginning_again_after_it_was_cut_off_itself_removes_the_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.scores._ROWS_A_TRANSACTION", 2)
    keys = range(1, 8)
    add_customers(database, [f"customer {key}" for key in keys])
    run_id = queue_run(database)
    write_scores(database, run_id, dict.fromkeys(keys, Scored("at_risk new", 1.0, 1.0)))
    whole_write = database.write
    left = [3]

    def cut_off() -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt("cut off")
        return whole_write()

    monkeypatch.setattr(database, "write", cut_off)
    with pytest.raises(KeyboardInterrupt, match="cut off"):
        begin(database, run_id, claimed_at=NOW, as_of=NOW, model_version=1, policy_version=1)
    monkeypatch.undo()
    assert rows_of(database, run_id) != (0, 0)
    begin(database, run_id, claimed_at=NOW, as_of=NOW, model_version=1, policy_version=1)
    assert rows_of(database, run_id) == (0, 0)


def test_the_rank_is_value_at_risk_else_clv_else_nought(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cyd"])
    run_id = publish_run(
        database, {1: Scored("new"), 2: Scored("new", clv=7.0), 3: Scored("new", value_at_risk=3.0, clv=9.0)}
    )
    with database.read() as session:
        listings = session.scalars(select(SegmentListing).where(SegmentListing.scoring_run_id == run_id))
        assert {row.customer_key: row.rank_value for row in listings} == {1: 0.0, 2: 7.0, 3: 3.0}
    assert shown(database, "new") == ["bob", "cyd", "ada"]


def test_without_clv_the_rank_is_the_churn_probability(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cyd"])
    publish_run(
        database,
        {
            1: Scored("at_risk", churn_probability=0.4),
            2: Scored("at_risk", churn_probability=0.9),
            3: Scored("at_risk", churn_probability=0.6),
        },
    )
    assert shown(database) == ["bob", "cyd", "ada"]


def test_everybody_with_a_propensity_is_on_its_list_whatever_the_segment(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cyd"])
    run_id = publish_run(
        database,
        {
            1: Scored("steady", 5.0, 10.0, propensities={"upsell": 0.2, "visit": 0.9}),
            2: Scored("", propensities={"upsell": 0.7}),
            3: Scored("at_risk", 9.0, 10.0),
        },
    )
    assert shown(database, propensity_list("upsell")) == ["bob", "ada"]
    assert shown(database, propensity_list("visit")) == ["ada"]
    assert shown(database, propensity_list("renewal")) == []
    assert rows_of(database, run_id) == (3, 5)


def test_customers_in_no_segment_are_scored_and_not_listed(database: Database) -> None:
    add_customers(database, ["ada"])
    assert rows_of(database, publish_run(database, {1: Scored("")})) == (1, 0)


def test_columns_that_are_missing_or_unknown_are_refused_by_name(database: Database) -> None:
    columns: dict[str, list[object]] = {name: [] for name in SCORE_COLUMNS if name != "clv"}
    with pytest.raises(StoreError, match=r"expected the columns segment, segments, .*clv.*; got .*ltv"):
        write(database, 1, np.array([], dtype=np.int64), {**columns, "ltv": []}, claimed_at=NOW)


def test_the_newest_published_run_is_the_one_shown(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    ids = [publish_run(database, scored) for scored in (FIRST, SECOND, FIRST)]
    with database.read() as session:
        assert require_published_run(session).id == ids[-1]
        assert set(session.scalars(select(ScoringRun.status))) == {"completed"}
    assert shown(database) == ["ada"]


def test_a_run_that_ends_late_is_not_shown_in_the_place_of_one_that_began_later(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    slow, quick = queue_run(database), queue_run(database)
    with database.write() as session:
        session.get_one(ScoringRun, quick).read_since = NOW + timedelta(minutes=1)
    for run_id, shown_of_it in ((quick, True), (slow, False)):
        write_scores(database, run_id, {1: Scored("at_risk", 1.0)})
        is_shown = publish(database, run_id, n_customers=1, aggregates={}, now=lambda: NOW, claimed_at=NOW)
        assert is_shown == shown_of_it
    with database.read() as session:
        assert require_published_run(session).id == quick
        late = session.get_one(ScoringRun, slow)
        assert (late.status, late.n_customers, late.replaced_run_id) == ("completed", 1, None)


def test_a_run_that_another_process_has_taken_over_is_not_published_by_the_first(database: Database) -> None:
    add_customers(database, ["ada"])
    run_id = queue_run(database)
    write_scores(database, run_id, {1: Scored("at_risk", 1.0)})
    with database.write() as session:
        session.get_one(ScoringRun, run_id).started_at = NOW + timedelta(minutes=2)
    with pytest.raises(StoreError, match="taken over by another process"):
        publish(database, run_id, n_customers=1, aggregates={}, now=lambda: NOW, claimed_at=NOW)
    with database.read() as session:
        assert published_run(session) is None
    publish(database, run_id, n_customers=1, aggregates={}, now=lambda: NOW, claimed_at=NOW + timedelta(minutes=2))
    with database.write() as session:
        fail_run(session, ScoringRun, run_id, "too late", claimed_at=NOW, now=NOW)
    with database.read() as session:
        assert require_published_run(session).status == "completed"
