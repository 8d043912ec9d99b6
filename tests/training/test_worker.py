"""The worker: what it executes, what it takes up again, and what it survives."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from store import registry, runs, tables
from store.erasure import hide_customer
from store.exceptions import StoreError
from store.keyed_hash import KeyedHash
from store.scores import published_run
from store.tables import Customer, ScoringRun, TrainingRun
from tests.receivers import receiver
from tests.shop import REQUEST
from tests.shop_databases import Shop
from tests.store.webhook_rows import add_endpoint, tell
from training import execution, loops, worker
from training.delivery import deliver
from training.exceptions import TrainingError
from training.score_all import score_all
from training.worker import run_next, work


def _queue_training(shop: Shop, **changes: object) -> int:
    settings = {**REQUEST.model_dump(mode="json"), **changes}
    with shop.database.write() as session:
        return runs.queue_training(session, settings, now=shop.clock()).id


def _training(shop: Shop, run_id: int) -> TrainingRun:
    with shop.database.read() as session:
        return session.get_one(TrainingRun, run_id)


def _work_until(shop: Shop, done: Callable[[], bool]) -> None:
    stop = Event()
    settings = shop.settings.model_copy(update={"worker_poll_seconds": 0.01})
    thread = Thread(target=work, args=(shop.database, settings), kwargs={"stop": stop, "now": shop.clock})
    thread.start()
    deadline = time.monotonic() + 60
    while not done() and time.monotonic() < deadline and thread.is_alive():
        time.sleep(0.02)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert done()


def test_a_queued_training_and_the_scoring_after_it_are_executed(untrained: Shop) -> None:
    run_id = _queue_training(untrained)

    def published() -> bool:
        with untrained.database.read() as session:
            return published_run(session) is not None

    _work_until(untrained, published)
    assert _training(untrained, run_id).status == "completed"
    with untrained.database.read() as session:
        run = published_run(session)
        assert run is not None
        assert (run.status, run.model_version, run.as_of) == ("completed", 1, untrained.settings.as_of)
        assert registry.aliases(session) == {"champion": 1}
    assert not run_next(untrained.database, untrained.settings, now=untrained.clock)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (TrainingError("Two labels of one customer, the first being 'ada'."), "the first being 'ada'"),
        (ValueError("Key (customer_id)=(ada) already exists"), "An unexpected error, ValueError"),
    ],
)
def test_the_text_of_what_a_run_fails_with_is_not_logged(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception, kept: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(worker, "run_training", fail)
    run_id = _queue_training(untrained)
    assert run_next(untrained.database, untrained.settings, now=untrained.clock)
    assert kept in (_training(untrained, run_id).error or "")
    logged = "".join(capfd.readouterr())
    assert type(error).__name__ in logged
    assert not re.search(r"\bada\b", logged)


def test_a_failing_training_is_recorded_and_the_next_one_runs(untrained: Shop) -> None:
    too_long, unreadable = (_queue_training(untrained, horizon_days=days) for days in (700, "x"))
    for _ in range(2):
        assert run_next(untrained.database, untrained.settings, now=untrained.clock)
    assert "needs at least 2100" in (_training(untrained, too_long).error or "")
    assert "An unexpected error, ValidationError" in (_training(untrained, unreadable).error or "")
    assert [_training(untrained, run_id).status for run_id in (too_long, unreadable)] == ["failed", "failed"]


def test_a_damaged_bundle_fails_the_scoring_run_with_its_reason(trained: Shop) -> None:
    (folder,) = trained.settings.bundle_dir.iterdir()
    (folder / "btyd.json").write_text("{}")
    assert run_next(trained.database, trained.settings, now=trained.clock)
    with trained.database.read() as session:
        (run,) = session.scalars(select(ScoringRun))
        assert published_run(session) is None
    assert run.status == "failed"
    assert "btyd.json was changed after training" in (run.error or "")


def test_a_run_whose_process_is_gone_is_executed_again_and_a_living_one_is_not(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, living = _queue_training(untrained), _queue_training(untrained, seed=1)
    with untrained.database.write() as session:
        claimed = runs.claim(session, TrainingRun, now=untrained.clock(), run_id=gone)
        assert claimed is not None
    untrained.clock.time += runs.GONE_AFTER + timedelta(seconds=5)
    with untrained.database.write() as session:
        assert runs.claim(session, TrainingRun, now=untrained.clock(), run_id=living) is not None
    executed: list[int] = []
    looks: list[int] = []
    real = worker.run_next

    def look(*positional: object, **named: object) -> bool:
        looks.append(1)
        return real(*positional, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "run_training", lambda _, __, run, **___: executed.append(run.id))
    monkeypatch.setattr(worker, "run_next", look)
    _work_until(untrained, lambda: len(looks) >= 3)
    assert executed == [gone]
    assert _training(untrained, living).status == "running"


def test_a_long_run_gives_signs_of_life_so_that_nobody_takes_it_up_again(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _queue_training(untrained)
    with untrained.database.write() as session:
        run = runs.claim(session, TrainingRun, now=untrained.clock(), run_id=run_id)
    assert run is not None
    first = _training(untrained, run_id).heartbeat_at
    assert first is not None
    monkeypatch.setattr(execution, "_SIGNS_BEFORE_GONE", 60 / 0.02)

    def beaten() -> bool:
        return (_training(untrained, run_id).heartbeat_at or first) > first + timedelta(seconds=2)

    with execution.executing(untrained.database, run, now=untrained.clock):
        deadline = time.monotonic() + 20
        while not beaten() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert beaten()
    assert _training(untrained, run_id).status == "running"


def test_a_missed_sign_of_life_does_not_end_the_signs(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run_id = _queue_training(untrained)
    monkeypatch.setattr(execution, "_SIGNS_BEFORE_GONE", 60 / 0.01)
    tried: list[datetime] = []
    beat_again = Event()

    def heartbeat(*_: object, claimed_at: datetime, now: datetime) -> None:
        tried.append(now)
        if len(tried) == 3:
            beat_again.set()
        raise OperationalError("UPDATE", {}, Exception("database is locked, says ada"))

    monkeypatch.setattr(runs, "heartbeat", heartbeat)
    with execution.executing(untrained.database, _training(untrained, run_id), now=untrained.clock):
        assert beat_again.wait(20)
    logged = "".join(capfd.readouterr())
    assert "heartbeat_missed" in logged
    assert not re.search(r"\bada\b", logged)


def test_the_worker_outlives_a_database_that_is_away_for_a_while(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = worker.run_next

    def away_at_first(*positional: object, **named: object) -> bool:
        looks.append(len(looks))
        if len(looks) < 3:
            raise OperationalError("SELECT", {}, Exception("the server closed the connection"))
        return real(*positional, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "run_next", away_at_first)

    def published() -> bool:
        with trained.database.read() as session:
            return published_run(session) is not None

    _work_until(trained, published)
    assert len(looks) >= 3


@pytest.mark.parametrize("error", [StoreError("It could not be searched: of ada"), OSError("no space for ada")])
@pytest.mark.parametrize("broken", ["resume_erasures", "prune"])
def test_the_worker_executes_runs_though_erasing_or_pruning_fails(
    trained: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], broken: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(worker, broken, fail)
    monkeypatch.setattr(worker, "run_scoring", lambda *_, **__: None)
    shop = replace(trained, settings=trained.settings.model_copy(update={"retention_days": 100_000}))

    def executed() -> bool:
        with shop.database.read() as session:
            return session.scalars(select(ScoringRun.started_at)).one() is not None

    _work_until(shop, executed)
    logged = "".join(capfd.readouterr())
    assert f"error={type(error).__name__}" in logged
    assert not re.search(r"\bada\b", logged)


@pytest.mark.parametrize("broken", ["resume_erasures", "compare_due", "record_published", "due_campaigns"])
def test_whatever_breaks_in_one_duty_the_others_go_on_and_the_log_has_no_id(
    trained: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], broken: str
) -> None:
    tried: list[int] = []

    def fail(*_: object, **__: object) -> None:
        tried.append(len(tried))
        raise ValueError("that is not possible: ada")

    monkeypatch.setattr(worker, broken, fail)
    monkeypatch.setattr(worker, "run_scoring", lambda *_, **__: None)

    def executed() -> bool:
        with trained.database.read() as session:
            return bool(tried) and session.scalars(select(ScoringRun.started_at)).one() is not None

    _work_until(trained, executed)
    assert executed()
    logged = "".join(capfd.readouterr())
    assert "duty_broke" in logged
    assert "error=ValueError" in logged
    assert not re.search(r"\bada\b", logged)


def test_a_worker_records_what_another_process_has_published_and_left(trained: Shop) -> None:
    score_all(trained.database, trained.settings, now=trained.clock)
    left: list[float] = []

    def recorded() -> bool:
        with trained.database.write() as session:
            run = published_run(session)
            assert run is not None
            if not left:
                left.append(time.monotonic())
            elif len(left) == 1 and time.monotonic() > left[0] + 0.5:
                # By now the worker has looked for work.
                left.append(time.monotonic())
                run.memberships_recorded = False
            return len(left) > 1 and run.memberships_recorded

    _work_until(trained, recorded)
    assert recorded()


def test_a_stopped_worker_begins_nothing(trained: Shop) -> None:
    stop = Event()
    stop.set()
    work(trained.database, trained.settings, stop=stop, now=trained.clock)
    with trained.database.read() as session:
        (run,) = session.scalars(select(ScoringRun))
    assert run.status == "queued"


def test_a_worker_goes_on_with_an_erasure_that_was_cut_off(untrained: Shop) -> None:
    hide_customer(untrained.database, "k0001", KeyedHash(b"k" * 32), now=untrained.clock())

    def erased() -> bool:
        with untrained.database.read() as session:
            return session.scalars(select(Customer.customer_id).where(Customer.erased_at.is_not(None))).all() == []

    assert not erased()
    _work_until(untrained, erased)
    assert erased()


def test_a_worker_deletes_what_is_older_than_the_setting_says(untrained: Shop) -> None:
    shop = replace(untrained, settings=untrained.settings.model_copy(update={"retention_days": 1}))

    def nothing_old() -> bool:
        with shop.database.read() as session:
            return session.scalars(select(tables.Event.id).limit(1)).all() == []

    assert not nothing_old()
    _work_until(shop, nothing_old)
    assert nothing_old()


def test_a_worker_delivers_webhooks_beside_its_runs_and_outlives_what_breaks_there(
    untrained: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    begun: list[int] = []
    real = deliver

    def broken_at_first(*positional: object, **named: object) -> None:
        begun.append(1)
        if len(begun) == 1:
            raise ValueError("of ada")
        real(*positional, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "deliver", broken_at_first)
    monkeypatch.setattr(loops, "_SECONDS_AFTER_A_BREAK", 0.1)
    with receiver() as there:
        add_endpoint(untrained.database, there.url)
        tell(untrained.database, 1, [None], at=untrained.clock())
        settings = untrained.settings.model_copy(update={"webhook_allow_private": True})
        _work_until(replace(untrained, settings=settings), lambda: len(there.received) == 1)
    logged = "".join(capfd.readouterr())
    assert "loop_broke" in logged
    assert not re.search(r"\bada\b", logged)
