"""Scores and lists by HTTP, beside the obvious service, which takes pandas and shap (`benchmarks.obvious_service`).

Both serve the same database, by one worker of uvicorn on loopback, and are asked the same over eight connections, in
turns; a process of its own sends prepared bytes. Figures are medians of the rounds. Ours answers with intervals,
chances of a purchase, reasons of clv, sentences and a receipt besides.

- `one score`: customers drawn at random, with reasons. `ratio` is that of answers a second.
- `batch of 1,000`: the same of a thousand customers at once.
- `last page`: the last 50 of a list that holds all customers, by one connection, against its first page (`ratio`), and
  against the last page of a list of 1,000 (`ratio_to_small`). No peer.
- `beside a run`: the 99th percentile of single scores while all customers are scored, over that without. No peer.

Command line: `python -m benchmarks.serve --json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import obvious_service
from benchmarks.http_load import Load, get, post, send_all
from benchmarks.listed_shop import store_list
from benchmarks.live_ingest import our_app
from benchmarks.scored_shop import settings_of, store_shop
from benchmarks.server_process import ServerProcess, serving
from store.settings import Settings

__all__ = ["main"]

_CONNECTIONS = 8
_ROUNDS = 5
_CUSTOMERS_A_BATCH = 1_000
# So many that a round of either side takes some seconds.
_SCORES, _SCORES_OF_THE_PEER = 600, 40
_BATCHES = 8
# Of pages many turns, each of a fraction of a second: a machine that is shared is at times a third slower for seconds.
_PAGES, _TURNS_A_ROUND = 20, 5
_SMALL_LIST = 1_000
_NO_LIMIT = 1e6
# What is claimed of each case, by the name of the figure.
_AT_LEAST: Mapping[str, Mapping[str, float]] = {"one score": {"ratio": 10}, "batch of 1,000": {"ratio": 5}}
_AT_MOST: Mapping[str, Mapping[str, float]] = {
    "one score": {"p99_share": 0.2},
    "last page": {"ratio": 1.3, "ratio_to_small": 1.3},
    "beside a run": {"ratio": 3},
}


class _Side(NamedTuple):
    """A server, and how it is asked."""

    server: ServerProcess
    one: Callable[[str], bytes]
    batch: Callable[[Sequence[str]], bytes]
    scores: int


class _Drawn:
    """Customers at random, the same for both sides."""

    def __init__(self, customers: int) -> None:
        self._customers = customers

    def ids(self, n: int, seed: int) -> list[str]:
        drawn = np.random.default_rng(seed).integers(0, self._customers, n)
        return [f"c{number:08}" for number in drawn.tolist()]


def main() -> int:
    """Measure and print; return the exit status, 1 where a figure falls short of what is claimed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100_000, help="of the shop, by default 100,000")
    parser.add_argument("--listed", type=int, default=1_000_000, help="of the long list, by default 1,000,000")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"of each side, by default {_ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one line of JSON a case and nothing else")
    arguments = parser.parse_args()
    all_met = True
    for line in _cases(arguments.customers, arguments.listed, arguments.rounds):
        short = _falls_short(line)
        all_met &= not short
        rounded = {name: _rounded(value) for name, value in line.items()} | ({"falls_short": short} if short else {})
        print(json.dumps(rounded) if arguments.json else _in_words(rounded), flush=True)
    return 0 if all_met else 1


def _falls_short(line: Mapping[str, Any]) -> list[str]:
    """Return the figures of a case that don't reach what is claimed of them."""
    low = [name for name, goal in _AT_LEAST.get(line["name"], {}).items() if line[name] < goal]
    return low + [name for name, goal in _AT_MOST.get(line["name"], {}).items() if line[name] > goal]


def _cases(customers: int, listed: int, rounds: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store_shop(folder, customers)
        yield from _beside_the_peer(folder, customers, rounds)
        yield _beside_a_run(folder, customers, rounds)
    with tempfile.TemporaryDirectory() as name:
        yield _last_page(Path(name), listed, rounds)


def _beside_the_peer(folder: Path, customers: int, rounds: int) -> Iterator[dict[str, Any]]:
    drawn = _Drawn(customers)
    with ExitStack() as stack:
        ours = _ours(stack.enter_context(_serving(settings_of(folder))))
        peer = _peer(stack.enter_context(serving(obvious_service.make_app, folder)))
        for side in (ours, peer):
            # What a process does once, at its first requests.
            send_all(side.server.port, [side.one(each) for each in drawn.ids(_CONNECTIONS, 0)], _CONNECTIONS)
            send_all(side.server.port, [side.batch(drawn.ids(_CUSTOMERS_A_BATCH, 0))], 1)
        singly = [_turn(ours, peer, lambda side, seed: _one(side, drawn, seed), seed) for seed in range(rounds)]
        at_once = [_turn(ours, peer, lambda side, seed: _batches(side, drawn, seed), seed) for seed in range(rounds)]
    yield _compared("one score", singly, customers)
    yield _compared(f"batch of {_CUSTOMERS_A_BATCH:,}", at_once, customers)


def _turn(ours: _Side, peer: _Side, ask: Callable[[_Side, int], Load], seed: int) -> tuple[Load, Load]:
    return ask(ours, seed), ask(peer, seed)


def _one(side: _Side, drawn: _Drawn, seed: int) -> Load:
    return send_all(side.server.port, [side.one(each) for each in drawn.ids(side.scores, seed)], _CONNECTIONS)


def _batches(side: _Side, drawn: _Drawn, seed: int) -> Load:
    asked = [side.batch(drawn.ids(_CUSTOMERS_A_BATCH, 1_000 * seed + i)) for i in range(_BATCHES)]
    return send_all(side.server.port, asked, _CONNECTIONS)


def _compared(name: str, rounds: Sequence[tuple[Load, Load]], customers: int) -> dict[str, Any]:
    ours, peer = (
        {
            "a_second": statistics.median(len(load.latencies) / load.seconds for load in side),
            "p50_ms": statistics.median(1e3 * float(np.quantile(load.latencies, 0.5)) for load in side),
            "p99_ms": statistics.median(1e3 * float(np.quantile(load.latencies, 0.99)) for load in side),
        }
        for side in zip(*rounds, strict=True)
    )
    return {
        "name": name,
        "customers": customers,
        "peer": "FastAPI, pandas, lifetimes, shap.TreeExplainer",
        "ratio": ours["a_second"] / peer["a_second"],
        "p99_share": ours["p99_ms"] / peer["p99_ms"],
        **{f"ours_{what}": figure for what, figure in ours.items()},
        **{f"peer_{what}": figure for what, figure in peer.items()},
    }


def _beside_a_run(folder: Path, customers: int, rounds: int) -> dict[str, Any]:
    """Ask for single scores alone and while all customers are scored, in turns."""
    drawn, settings = _Drawn(customers), settings_of(folder)
    alone: list[float] = []
    beside: list[float] = []
    asked = 0
    with _serving(settings) as server:
        ours = _ours(server)
        send_all(server.port, [ours.one(each) for each in drawn.ids(_CONNECTIONS, 0)], _CONNECTIONS)
        for seed in range(rounds):
            alone.append(_p99([_one(ours, drawn, seed)]))
            loads = []
            with _scoring(settings) as run:
                while run.poll() is None:
                    loads.append(_one(ours, drawn, seed))
            asked += sum(len(load.latencies) for load in loads)
            beside.append(_p99(loads))
    return {
        "name": "beside a run",
        "customers": customers,
        "ratio": statistics.median(beside) / statistics.median(alone),
        "alone_p99_ms": 1e3 * statistics.median(alone),
        "beside_p99_ms": 1e3 * statistics.median(beside),
        "note": f"{asked:,} scores beside {rounds} runs",
    }


@contextmanager
def _scoring(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Score all customers in a process of its own, as a worker does."""
    environment = {
        "REGULARS_DATABASE_URL": settings.database_url,
        "REGULARS_BUNDLE_DIR": str(settings.bundle_dir),
        "REGULARS_AS_OF": settings.as_of.isoformat() if settings.as_of else "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "score"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
        if process.returncode:
            raise RuntimeError(f"scoring failed: {process.stderr.read().decode() if process.stderr else ''}")
    finally:
        process.kill()
        process.wait()


def _last_page(folder: Path, customers: int, rounds: int) -> dict[str, Any]:
    """Ask for the first and the last page of a long list and the last of a short one, in turns, by one connection."""
    with ExitStack() as stack:
        sides = []
        for n in (customers, _SMALL_LIST):
            (folder / str(n)).mkdir()
            listed = store_list(folder / str(n), n)
            sides.append((listed, stack.enter_context(_serving(listed.settings))))
        (long, server), (short, small) = sides
        taken: dict[str, list[float]] = {"first": [], "last": [], "small": []}
        for turn in range(_TURNS_A_ROUND * rounds + 1):
            for name, at, path in (
                ("first", server, long.first_page), ("last", server, long.last_page), ("small", small, short.last_page)
            ):  # fmt: skip
                load = send_all(at.port, [get(path)] * _PAGES, 1)
                if turn:  # the first is for what a process does once
                    taken[name].append(float(np.median(load.latencies)))
    first, last, of_small = (1e3 * statistics.median(taken[name]) for name in ("first", "last", "small"))
    return {
        "name": "last page",
        "customers": customers,
        "ratio": last / first,
        "ratio_to_small": last / of_small,
        "first_ms": first,
        "last_ms": last,
        "last_of_small_ms": of_small,
        "note": f"50 of a list of all; small: {_SMALL_LIST:,}",
    }


@contextmanager
def _serving(settings: Settings) -> Iterator[ServerProcess]:
    secret = Path(settings.bundle_dir) / "secret.key"
    served = settings.model_copy(update={"open": True, "requests_per_second_per_key": _NO_LIMIT, "secret_file": secret})
    with serving(our_app, served) as server:
        yield server


def _ours(server: ServerProcess) -> _Side:
    return _Side(
        server,
        one=lambda customer_id: get(f"/v1/customers/{customer_id}/score"),
        batch=lambda ids: post("/v1/scores", json.dumps({"customer_ids": list(ids)}).encode()),
        scores=_SCORES,
    )


def _peer(server: ServerProcess) -> _Side:
    return _Side(
        server,
        one=lambda customer_id: get(f"/score/{customer_id}"),
        batch=lambda ids: post("/scores", json.dumps({"customer_ids": list(ids)}).encode()),
        scores=_SCORES_OF_THE_PEER,
    )


def _p99(loads: Sequence[Load]) -> float:
    return float(np.quantile(np.concatenate([load.latencies for load in loads]), 0.99))


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _in_words(line: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} {value:,}" if isinstance(value, (int, float)) else f"{value}" for name, value in line.items()
    )


if __name__ == "__main__":
    sys.exit(main())
