"""How much may wait to be stored, and what becomes of what comes beyond it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.ingest_metrics import IngestMetrics
from service.live_ingest import LiveIngest
from store.engine import Database
from store.exceptions import QueueFullError
from store.ingest.live import LiveRequest, LiveResult
from store.settings import load_settings
from tests.service.shop import NOW
from tests.store.ingest.live_requests import order, request, track

_MOST_WAITING = 12


class _Stopped:
    """A writer that stores nothing before it is let go."""

    def __init__(self) -> None:
        self.is_writing, self.may_go_on = threading.Event(), threading.Event()

    def write(self, requests: Sequence[LiveRequest]) -> list[LiveResult]:
        self.is_writing.set()
        assert self.may_go_on.wait(30)
        return [LiveResult(1, 0, []) for _ in requests]

    def close(self) -> None:
        """Nothing is open."""


def _short() -> LiveRequest:
    return request(track("ada"))


def _batch() -> LiveRequest:
    return request(*(track("ada") for _ in range(4)))


def _long() -> LiveRequest:
    return request(track("ada", note="x" * 12_400))


def _many_lines() -> LiveRequest:
    return request(order("ada", "o1", *(f"p{number}" for number in range(8))))


@pytest.mark.parametrize(("make", "fit"), [(_short, 12), (_batch, 3), (_long, 4), (_many_lines, 6)])
def test_what_is_long_counts_as_several(
    make: Callable[[], LiveRequest], fit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = _Stopped()
    monkeypatch.setattr("service.live_ingest.LiveWriter", lambda *_: writer)
    settings = load_settings(most_waiting_calls=_MOST_WAITING, secret_file=tmp_path / "secret.key")

    def now() -> datetime:
        return NOW

    async def run() -> None:
        database = Database(f"sqlite:///{tmp_path}/regulars.db")
        ingest = LiveIngest(database, settings, IngestMetrics(CollectorRegistry()), now)
        tasks = [asyncio.create_task(ingest.store(_short()))]
        await asyncio.to_thread(writer.is_writing.wait, 30)
        tasks += [asyncio.create_task(ingest.store(make())) for _ in range(fit)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await ingest.store(make())
        writer.may_go_on.set()
        assert [result.stored for result in await asyncio.gather(*tasks)] == [1] * (fit + 1)
        ingest.close()
        database.close()

    asyncio.run(run())
