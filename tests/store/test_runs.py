"""The queue of runs: each is executed by one process, and by another if that one is gone."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from store import runs
from store.engine import Database
from store.exceptions import RunLostError
from store.tables import ScoringRun, TrainingRun
from tests.store.builders import NOW, queue_run

LATER = NOW + timedelta(seconds=5)
SECOND = timedelta(seconds=1)


def queue_trainings(database: Database, n: int) -> list[int]:
    with database.write() as session:
        return [runs.queue_training(session, {"seed": i}, now=NOW).id for i in range(n)]


def claimed(database: Database, run_id: int | None = None) -> int | None:
    with database.write() as session:
        run = runs.claim(session, TrainingRun, now=LATER, run_id=run_id)
        return None if run is None else run.id


def test_runs_are_claimed_in_the_order_in_which_they_were_queued_each_once(database: Database) -> None:
    queued = queue_trainings(database, 3)
    assert [claimed(database) for _ in range(4)] == [*queued, None]


def test_a_claimed_run_is_running_since_then_and_can_be_used_after_the_write(database: Database) -> None:
    queue_trainings(database, 1)
    with database.write() as session:
        run = runs.claim(session, TrainingRun, now=LATER)
    assert run is not None
    assert (run.status, run.requested_at, run.started_at, run.heartbeat_at) == ("running", NOW, LATER, LATER)
    assert (run.settings, run.finished_at, run.error) == ({"seed": 0}, None, None)


def test_a_named_run_is_claimed_out_of_order_and_only_once(database: Database) -> None:
    first, second = queue_trainings(database, 2)
    assert claimed(database, second) == second
    assert claimed(database, second) is None
    assert claimed(database, 99) is None
    assert claimed(database) == first


def test_trainings_and_scorings_are_queues_of_their_own(database: Database) -> None:
    queue_trainings(database, 1)
    with database.write() as session:
        assert runs.claim(session, ScoringRun, now=NOW) is None
        runs.queue_scoring(session, now=NOW)
        assert runs.claim(session, ScoringRun, now=NOW) is not None


def test_no_two_claimers_ever_get_the_same_run_and_none_is_left(database: Database) -> None:
    queued = queue_trainings(database, 24)

    def claim_until_none(_: int) -> list[int]:
        found: list[int] = []
        while (run_id := claimed(database)) is not None:
            found.append(run_id)
        return found

    with ThreadPoolExecutor(6) as claimers:
        taken = [run_id for some in claimers.map(claim_until_none, range(6)) for run_id in some]
    assert Counter(taken) == Counter(queued)


def test_who_claims_beside_an_open_claim_gets_the_next_run_without_waiting(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: the second waits until the first has committed")
    first, second = queue_trainings(database, 2)
    with database.write() as session:
        run = runs.claim(session, TrainingRun, now=NOW)
        assert run is not None
        assert [run.id, claimed(database), claimed(database)] == [first, second, None]


def test_a_run_that_gives_signs_of_life_is_left_alone_and_one_that_is_gone_is_queued_again(database: Database) -> None:
    queue_trainings(database, 2)
    alive, gone = claimed(database), claimed(database)
    assert alive is not None
    assert gone is not None
    with database.write() as session:
        runs.heartbeat(session, TrainingRun, alive, claimed_at=LATER, now=LATER + SECOND)
        assert runs.requeue_gone(session, TrainingRun, now=LATER + runs.GONE_AFTER) == 0
    with database.write() as session:
        assert runs.requeue_gone(session, TrainingRun, now=LATER + runs.GONE_AFTER + SECOND) == 1
        assert session.get_one(TrainingRun, alive).status == "running"
        run = session.get_one(TrainingRun, gone)
        assert (run.status, run.started_at) == ("queued", None)
    assert claimed(database) == gone


def test_whoever_has_lost_a_run_changes_nothing_of_it(database: Database) -> None:
    queue_trainings(database, 1)
    run_id = claimed(database)
    assert run_id is not None
    with database.write() as session:
        runs.requeue_gone(session, TrainingRun, now=LATER + 2 * runs.GONE_AFTER)
        taken_at = LATER + 3 * runs.GONE_AFTER
        assert runs.claim(session, TrainingRun, now=taken_at) is not None
    with database.write() as session:
        runs.heartbeat(session, TrainingRun, run_id, claimed_at=LATER, now=LATER + 9 * runs.GONE_AFTER)
        runs.fail_run(session, TrainingRun, run_id, "it was mine", claimed_at=LATER, now=LATER)
        with pytest.raises(RunLostError, match=f"Training {run_id} was taken over by another process"):
            runs.hold_run(session, TrainingRun, run_id, claimed_at=LATER)
        runs.hold_run(session, TrainingRun, run_id, claimed_at=taken_at)
    with database.read() as session:
        run = session.get_one(TrainingRun, run_id)
        assert (run.status, run.error, run.heartbeat_at) == ("running", None, taken_at)


def test_a_failed_run_keeps_its_error_and_is_not_queued_again(database: Database) -> None:
    queue_trainings(database, 1)
    run_id = claimed(database)
    assert run_id is not None
    with database.write() as session:
        runs.fail_run(session, TrainingRun, run_id, "too few orders", claimed_at=LATER, now=LATER + SECOND)
    with database.write() as session:
        assert runs.requeue_gone(session, TrainingRun, now=LATER + 2 * runs.GONE_AFTER) == 0
        run = session.get_one(TrainingRun, run_id)
        assert (run.status, run.error, run.finished_at) == ("failed", "too few orders", LATER + SECOND)


def test_a_scoring_that_still_waits_is_not_queued_twice(database: Database) -> None:
    def queue(as_of: object = None) -> int:
        with database.write() as session:
            return runs.queue_scoring(session, now=NOW, as_of=None if as_of is None else LATER).id

    now, fixed = queue(), queue(LATER)
    assert now != fixed
    assert [queue(), queue(LATER)] == [now, fixed]
    with database.write() as session:
        run = runs.claim(session, ScoringRun, now=NOW, run_id=fixed)
        assert run is not None
        assert run.as_of == LATER
    # What is running already may have read before what is new: that takes another run.
    assert queue(LATER) not in (now, fixed)
    assert queue() == now


def test_a_scoring_that_has_begun_and_waits_to_be_gone_on_with_is_not_taken_for_a_new_one(database: Database) -> None:
    begun = queue_run(database, as_of=LATER)
    with database.write() as session:
        assert runs.requeue_gone(session, ScoringRun, now=LATER + 2 * runs.GONE_AFTER) == 1
        assert session.get_one(ScoringRun, begun).status == "queued"
        # It may have read customers before what is new.
        assert runs.queue_scoring(session, now=LATER, as_of=LATER).id != begun
