"""Publishing: of several runs that come to their end at once, the one that began last is shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from store.engine import Database
from store.publishing import publish
from store.runs import hold_run
from store.scores import require_published_run
from store.tables import ScoringRun
from tests.store.builders import NOW, Scored, add_customers, queue_run, write_scores


def test_the_two_very_first_runs_may_come_to_their_end_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_customers(database, ["ada"])
    runs = [queue_run(database, as_of=NOW + timedelta(seconds=number)) for number in range(2)]
    for run_id in runs:
        write_scores(database, run_id, {1: Scored("new")})

    both = Barrier(2)

    def together(*args: Any, **kwargs: Any) -> None:
        hold_run(*args, **kwargs)
        # By then the other has looked, too, for what is published, if it may.
        with suppress(BrokenBarrierError):
            both.wait(0.3)

    monkeypatch.setattr("store.publishing.hold_run", together)

    def publish_it(run_id: int) -> bool:
        return publish(database, run_id, n_customers=1, aggregates={}, now=lambda: NOW, claimed_at=NOW)

    with ThreadPoolExecutor(2) as threads:
        shown = list(threads.map(publish_it, runs))
    with database.read() as session:
        assert [session.get_one(ScoringRun, run_id).status for run_id in runs] == ["completed"] * 2
        published = require_published_run(session)
        assert shown[runs.index(published.id)]
        # Whichever was first, the other has taken its place, or has seen that it began before.
        assert published.replaced_run_id in {None, *runs} - {published.id}
