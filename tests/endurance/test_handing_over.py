"""A run published after most customers were scored again live while it was at work; `HANDED` says how many."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from store.engine import Database
from store.handing_over import hand_over
from store.memberships import record_published
from store.publishing import publish
from store.scores import require_published_run
from store.tables import RescoreRequest, ScoringRun
from store.tables.base import to_microseconds
from tests.store.builders import NOW, Scored, add_customers, publish_run, queue_run, write_scores

HANDED = int(os.environ.get("HANDED", "100000"))


def test_a_run_takes_over_from_live_scores_in_short_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = range(1, HANDED + 1)
    add_customers(database, [f"customer {key}" for key in keys])
    publish_run(database, dict.fromkeys(keys, Scored("new")), as_of=NOW - timedelta(days=1))
    record_published(database, now=lambda: NOW)
    run_id = queue_run(database)
    write_scores(database, run_id, dict.fromkeys(keys, Scored("steady")))
    with database.write() as session:
        again = text("UPDATE score SET rescored_at = :at WHERE scoring_run_id < :run")
        session.execute(again, {"at": to_microseconds(NOW), "run": run_id})
    seconds: dict[str, list[float]] = {"publishing": [], "handing over": [], "recording": []}
    whole_write, doing = database.write, "publishing"

    @contextmanager
    def timed_write() -> Iterator[Session]:
        with ExitStack() as stack:
            session = stack.enter_context(whole_write())
            began_at = time.perf_counter()
            yield session
            stack.close()
            seconds[doing].append(time.perf_counter() - began_at)

    monkeypatch.setattr(database, "write", timed_write)
    publish(database, run_id, n_customers=HANDED, aggregates={}, now=lambda: NOW, claimed_at=NOW)
    doing = "handing over"
    with database.read() as session:
        run = require_published_run(session)
    assert hand_over(database, run, now=NOW)
    doing = "recording"
    record_published(database, now=lambda: NOW)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(RescoreRequest)) == HANDED
        assert session.get_one(ScoringRun, run_id).memberships_recorded
    for name, of_each in seconds.items():
        print(  # noqa: T201
            f"{database.engine.name}, {name} {HANDED:,} customers: transactions {len(of_each)}, half of them within "
            f"{statistics.median(of_each) * 1e3:.0f} ms, the longest {max(of_each) * 1e3:.0f} ms"
        )
    assert len(seconds["publishing"]) == 1
    assert seconds["publishing"][0] < sum(seconds["handing over"])
