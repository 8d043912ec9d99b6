"""Champions exchanged and runs published while several processes answer: what each answer was made with."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from store import registry
from store.engine import Database
from store.lists import iterate_segment
from store.settings import Settings
from tests.service.shop import AS_OF, NOW
from training.score_all import score_all

__all__ = ["Swapped", "swap_under_load"]

_IDS = [f"c{number:03}" for number in range(20)]
_SEGMENT = "dormant"
_ASKING = 4
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Swapped:
    """What came about, for a report.

    Attributes
    ----------
    swaps, runs : int
        Champions exchanged; scoring runs published.
    scores, lists : int
        Answers to requests for scores, and whole lists.
    not_2xx, mixed, not_whole : int
        Answers of another status, those whose numbers are not of the version that they name, and lists that are not
        those of the run that they name.
    versions : set of int
        That answered.
    """

    swaps: int
    runs: int
    scores: int
    lists: int
    not_2xx: int
    mixed: int
    not_whole: int
    versions: set[int]


class _Asker:
    """Asks the servers in turn until it is told to stop."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = itertools.cycle(ports)
        self.not_2xx = 0
        self.scores: list[dict[str, Any]] = []
        self.lists: list[list[dict[str, Any]]] = []

    def ask_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            told = self._ask("POST", "/v1/scores", json.dumps({"customer_ids": _IDS}))
            if told is not None:
                self.scores.append(_said(told))
            told = self._ask("GET", f"/v1/segments/{_SEGMENT}/customers?format=ndjson")
            if told is not None:
                self.lists.append([json.loads(line) for line in told.splitlines()])

    def scored_by_both(self) -> list[dict[str, Any]]:
        """One answer of each server, for now."""
        found = []
        for _ in range(2):
            told = self._ask("POST", "/v1/scores", json.dumps({"customer_ids": _IDS}))
            assert told is not None
            found.append(_said(told))
        return found

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", next(self._ports), timeout=_SECONDS_TO_ANSWER)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            told = response.read()
        finally:
            connection.close()
        if response.status // 100 != 2:
            self.not_2xx += 1
            return None
        return told


def swap_under_load(database: Database, settings: Settings, ports: Sequence[int], *, swaps: int) -> Swapped:
    """Exchange the champion between versions 1 and 2, and publish a run now and then, while several clients ask.

    Parameters
    ----------
    database : Database
        A shop of which both versions are registered.
    settings : Settings
    ports : sequence of int
        Of servers of it.
    swaps : int
    """
    expected: dict[int, Any] = {}
    once = _Asker(ports)
    for version in (1, 2):
        _promote(database, version)
        one, other = once.scored_by_both()
        assert one == other
        assert one["model_version"] == version
        expected[version] = one
    assert expected[1]["scores"] != expected[2]["scores"]

    stop, askers, runs = threading.Event(), [_Asker(ports) for _ in range(_ASKING)], 0
    with ThreadPoolExecutor(_ASKING) as pool:
        asking = [pool.submit(asker.ask_until, stop) for asker in askers]
        try:
            for swap in range(swaps):
                _promote(database, 1 + swap % 2)
                once.scored_by_both()
                if swap % 3 == 2:
                    score_all(database, settings, now=lambda: NOW, as_of=AS_OF - timedelta(days=10 * (swap % 5)))
                    runs += 1
        finally:
            stop.set()
    for asked in asking:
        asked.result()
    scores = [answer for asker in askers for answer in asker.scores]
    lists = [told for asker in askers for told in asker.lists]
    whole: dict[int, list[tuple[int, str]]] = {}
    for run_id in {told[-1]["scoring_run_id"] for told in lists}:
        whole[run_id] = [(row.position, row.customer_id) for row in iterate_segment(database, _SEGMENT, run_id=run_id)]
    return Swapped(
        swaps=swaps,
        runs=runs,
        scores=len(scores),
        lists=len(lists),
        not_2xx=sum(asker.not_2xx for asker in (*askers, once)),
        mixed=sum(answer != expected[answer["model_version"]] for answer in scores),
        not_whole=sum(
            [(row["position"], row["customer_id"]) for row in told[:-1]] != whole[told[-1]["scoring_run_id"]]
            or not told[-1].get("end")
            for told in lists
        ),
        versions={answer["model_version"] for answer in scores},
    )


def _promote(database: Database, version: int) -> None:
    with database.write() as session:
        registry.promote(session, version, force=True, now=NOW)


def _said(told: str | bytes) -> dict[str, Any]:
    """Return an answer with scores but for their receipts, which say when they were given."""
    answer: dict[str, Any] = json.loads(told)
    for score in answer["scores"]:
        del score["receipt"]
    return answer
