"""Live events by HTTP, beside the obvious service that commits one event after another (`benchmarks.obvious_ingest`).

Batches of 100 ordinary track calls come over eight connections to one worker of uvicorn, on loopback; a process of its
own sends prepared bytes. Ours checks a key, identifies every event for ever, tells orders from lines and nets them,
keeps customers, products and names once; the other adds rows to one table. Both answer once it is on disk. The two run
in turns, three times each. `agreement` is the larger difference of the number of events stored from those sent, as a
share.

    python -m benchmarks.live_ingest --json --growth 0 1000000 10000000

sends to ours alone, with so many events stored already, one line a size; without sizes these three.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from sqlalchemy import create_engine, text

from benchmarks import obvious_ingest
from benchmarks.http_load import Load, post, send_all
from benchmarks.postgresql_server import new_database, postgresql_server
from benchmarks.server_process import ServerProcess, serving
from benchmarks.stored_events import store_events
from benchmarks.tracked_calls import CALLS_A_BATCH, batches
from service.asgi import serving_app
from store.api_keys import SEND_EVENTS, create_key, create_source
from store.engine import Database
from store.schema import upgrade
from store.settings import Settings, load_settings

__all__ = ["main"]

_CONNECTIONS = 8
_ROUNDS = 3
_CALLS_A_CUSTOMER = 10
_SIZES = (0, 1_000_000, 10_000_000)
_CUSTOMERS_STORED = 1_000_000
_WARM_UP_BATCHES = 2 * _CONNECTIONS
# The others' commits are so slow that a round of theirs would take minutes.
_BATCHES_OF_THE_PEER = 32
_NO_LIMIT = 1e6
_SOURCE = "shop"


@dataclass(frozen=True)
class _Round:
    """One round of one side.

    Attributes
    ----------
    calls : int
    load : Load
    server_cpu_seconds : float
        Of the worker; on PostgreSQL without that of the database.
    written_bytes : int
        By the worker.
    """

    calls: int
    load: Load
    server_cpu_seconds: float
    written_bytes: int

    def figures(self) -> dict[str, float]:
        """Return what it took, by name."""
        return {
            "events_a_second": self.calls / self.load.seconds,
            "server_cpu_us_an_event": 1e6 * self.server_cpu_seconds / self.calls,
            "client_cpu_us_an_event": 1e6 * self.load.cpu_seconds / self.calls,
            "written_bytes_an_event": self.written_bytes / self.calls,
            "p50_ms": 1e3 * float(np.quantile(self.load.latencies, 0.5)),
            "p99_ms": 1e3 * float(np.quantile(self.load.latencies, 0.99)),
        }


class _Sender:
    """Sends rounds of calls to a server, each with calls that it has not seen.

    Parameters
    ----------
    server : ServerProcess
    customers : int
    headers : tuple of str
    first : int
        Another for each sender to the same database.

    Attributes
    ----------
    sent : int
        Calls in all.
    """

    def __init__(self, server: ServerProcess, customers: int, headers: tuple[str, ...] = (), *, first: int = 0) -> None:
        self.server = server
        self.sent = 0
        self._customers = customers
        self._headers = headers
        self._first = first
        self.send(_WARM_UP_BATCHES)

    def send(self, n_batches: int) -> _Round:
        """Send new calls and measure."""
        bodies = batches(n_batches, self._customers, seed=self._first + self.sent)
        requests = [post("/v1/batch", body, self._headers) for body in bodies]
        cpu, written = self.server.cpu_seconds(), self.server.written_bytes()
        load = send_all(self.server.port, requests, _CONNECTIONS)
        cpu, written = self.server.cpu_seconds() - cpu, self.server.written_bytes() - written
        self.sent += n_batches * CALLS_A_BATCH
        return _Round(n_batches * CALLS_A_BATCH, load, cpu, written)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--customers", type=int, default=2_000, help=f"each with {_CALLS_A_CUSTOMER} calls a round, by default 2,000"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON a case and nothing else")
    parser.add_argument("--growth", type=int, nargs="*", metavar="EVENTS", help="with so many events stored already")
    arguments = parser.parse_args()
    if arguments.growth is None:
        lines = _compared(arguments.customers)
    else:
        lines = _grown(arguments.growth or _SIZES, arguments.customers)
    for line in lines:
        rounded = {name: _rounded(value) for name, value in line.items()}
        print(json.dumps(rounded) if arguments.json else _in_words(rounded), flush=True)


def our_app(settings: Settings) -> FastAPI:
    """Return our service, its log written to nowhere."""
    return serving_app(settings, log_to=Path(os.devnull).open("w", encoding="utf-8"))


def _compared(customers: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name, postgresql_server() as postgresql:
        for engine, url_of in (
            ("SQLite", lambda side: f"sqlite:///{name}/{side}.db"),
            ("PostgreSQL", lambda side: new_database(postgresql, side)),
        ):
            yield _case(engine, Path(name), url_of, customers)


def _case(engine: str, folder: Path, url_of: Callable[[str], str], customers: int) -> dict[str, Any]:
    our_url, peer_url = url_of("ours"), url_of("peer")
    n_batches = max(customers * _CALLS_A_CUSTOMER // CALLS_A_BATCH, 1)
    few = min(n_batches, _BATCHES_OF_THE_PEER)
    with ExitStack() as stack:
        settings, headers = _set_up(our_url, folder)
        ours = _Sender(stack.enter_context(serving(our_app, settings)), customers, headers)
        peer = _Sender(stack.enter_context(serving(obvious_ingest.make_app, peer_url)), customers)
        rounds = [(ours.send(n_batches), peer.send(few)) for _ in range(_ROUNDS)]
        peaks = [sender.server.peak_bytes() for sender in (ours, peer)]
    our_figures, peer_figures = (_medians(side) for side in zip(*rounds, strict=True))
    calls = n_batches * CALLS_A_BATCH
    our_seconds, peer_seconds = (calls / figures["events_a_second"] for figures in (our_figures, peer_figures))
    stored = ((our_url, "event", ours.sent), (peer_url, obvious_ingest.TABLE, peer.sent))
    return {
        "name": f"live_ingest into {engine}",
        "customers": customers,
        "ours_s": our_seconds,
        "peer": "FastAPI, pydantic, a SQLAlchemy commit an event",
        "peer_s": peer_seconds,
        "ratio": peer_seconds / our_seconds,
        "ours_peak_mb": round(peaks[0] / 1e6),
        "peer_peak_mb": round(peaks[1] / 1e6),
        "agreement": max(abs(_count(url, table) / sent - 1) for url, table, sent in stored),
        "note": f"{calls:,} calls in batches of {CALLS_A_BATCH} over {_CONNECTIONS} connections; peer measured on "
        f"{few * CALLS_A_BATCH:,}, its seconds scaled",
        **{f"ours_{name}": value for name, value in our_figures.items()},
        **{f"peer_{name}": value for name, value in peer_figures.items()},
    }


def _grown(sizes: tuple[int, ...], customers: int) -> Iterator[dict[str, Any]]:
    """Measure ours, with ever more events stored; calls are of any of the customers that are there."""
    n_batches = max(customers * _CALLS_A_CUSTOMER // CALLS_A_BATCH, 1)
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/ours.db"
        settings, headers = _set_up(url, Path(name))
        for size in sorted(sizes):
            store_events(Path(name) / "ours.db", size, customers=_CUSTOMERS_STORED)
            before = _count(url, "event")
            with serving(our_app, settings) as server:
                sender = _Sender(server, _CUSTOMERS_STORED, headers, first=before)
                rounds = [sender.send(n_batches) for _ in range(_ROUNDS)]
            missing = sender.sent - (_count(url, "event") - before)
            yield {"name": "live_ingest growth", "stored_events": before, "missing": missing, **_medians(rounds)}


def _set_up(url: str, folder: Path) -> tuple[Settings, tuple[str, ...]]:
    """Make the tables, a source and its key; return the settings, and headers that bear the key."""
    settings = load_settings(
        database_url=url,
        bundle_dir=folder / "bundles",
        secret_file=folder / "secret.key",
        requests_per_second_per_key=_NO_LIMIT,
    )
    database = Database(url)
    upgrade(database)
    with database.write() as session:
        create_source(session, _SOURCE)
        secret, _ = create_key(session, SEND_EVENTS, source=_SOURCE, now=datetime.now(UTC))
    database.close()
    return settings, (f"Authorization: Basic {b64encode(f'{secret}:'.encode()).decode()}",)


def _medians(rounds: Any) -> dict[str, float]:
    figures = [each.figures() for each in rounds]
    return {name: statistics.median(each[name] for each in figures) for name in figures[0]}


def _count(url: str, table: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        n_rows = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return int(n_rows)


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _in_words(line: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {value:,}" if isinstance(value, (int, float)) else str(value) for name, value in line.items()
    )


if __name__ == "__main__":
    main()
