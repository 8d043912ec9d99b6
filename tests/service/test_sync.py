"""Segments sent outside: a target has the segment in the end, however often it was cut off, refused or overtaken."""

from __future__ import annotations

import csv
import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import func, select, text

from service.exceptions import SyncError, UnknownSegmentError
from service.sync import send
from service.sync.file_target import FileTarget
from service.sync.send import Synced, send_segment
from service.sync.target import Row, SyncHead, Target
from service.sync.url_target import UrlTarget
from store.erasure import hide_customer, resume_erasures
from store.exceptions import StoreError
from store.export import export_customer
from store.keyed_hash import KeyedHash
from store.lists import iterate_segment
from store.tables import SyncedMember, SyncPoint
from tests.service.conftest import Shop
from tests.service.shop import NOW

SEGMENT = "steady"


class Cut(Exception):  # noqa: N818  # as a process that is killed
    """The end of a process."""


class Remembering:
    """A target that does what a receiver should: a whole segment replaces what it has, a difference changes it.

    It is cut off at a batch, before or after it has taken it.
    """

    name = "remembering"
    takes_batches = True

    def __init__(self) -> None:
        self.has: dict[str, Row] = {}
        self.cut_at: int | None = None
        self.takes_the_last = False
        self._head: SyncHead | None = None
        self._batch = 0
        self._whole: dict[str, Row] = {}

    def begin(self, head: SyncHead) -> None:
        self._head, self._batch, self._whole = head, 0, {}

    def send(self, rows: Sequence[Row], *, last: bool) -> None:
        assert self._head is not None
        is_cut = self._batch == self.cut_at
        self._batch += 1
        if not is_cut or self.takes_the_last:
            self._take(rows, last=last, whole=self._head.mode == "whole")
        if is_cut:
            raise Cut

    def _take(self, rows: Sequence[Row], *, last: bool, whole: bool) -> None:
        for row in rows:
            if row["action"] == "left":
                self.has.pop(row["customer_id"], None)
            else:
                self.has[row["customer_id"]] = row
                self._whole[row["customer_id"]] = row
        if last and whole:
            self.has = self._whole

    def finish(self) -> None:
        """Nothing is left to do."""

    def abandon(self) -> None:
        """Nothing is half done."""


def _sync(shop: Shop, target: Target, *, difference: bool = True, **thresholds: float) -> Synced:
    return send_segment(shop.database, SEGMENT, target, difference=difference, thresholds=thresholds, now=lambda: NOW)


def _members(shop: Shop, segment: str = SEGMENT) -> set[str]:
    return {row.customer_id for row in iterate_segment(shop.database, "all") if segment in row.score.segments.split()}


def _stir(shop: Shop, by: random.Random) -> None:
    """Let some customers come and leave, as another run would."""
    some = ", ".join(str(key) for key in by.sample(range(1, 401), 40))
    with shop.database.write() as session:
        session.execute(
            text(
                "UPDATE score SET segments = CASE WHEN segments = 'steady' THEN 'dormant' ELSE 'steady' END "
                f"WHERE customer_key IN ({some})"
            )
        )


def test_a_target_ends_with_the_segment_however_often_it_is_cut_off(own_shop: Shop) -> None:
    by, target = random.Random(11), Remembering()
    with patch.object(send, "ROWS_A_BATCH", 13):
        for _ in range(25):
            _stir(own_shop, by)
            target.cut_at = by.choice((None, 0, 1, 2, 5))
            target.takes_the_last = by.random() < 0.5
            try:
                _sync(own_shop, target, difference=by.random() < 0.8)
            except Cut:
                continue
            assert set(target.has) == _members(own_shop)
        target.cut_at = None
        _sync(own_shop, target)
        assert set(target.has) == _members(own_shop)
        assert _sync(own_shop, target).rows == {}


def test_a_difference_tells_who_came_left_and_changed_beyond_a_threshold(own_shop: Shop) -> None:
    target = Remembering()
    first = _sync(own_shop, target)
    members = sorted(_members(own_shop))
    assert first.rows == {"entered": len(members)}
    leaves, moves, stirs = members[:3]
    comes = sorted(_members(own_shop, "dormant") - set(members))[0]
    with own_shop.database.write() as session:
        for statement in (
            f"UPDATE score SET segments = 'dormant' WHERE customer_key = {_key(own_shop, leaves)}",
            f"UPDATE score SET segments = 'steady' WHERE customer_key = {_key(own_shop, comes)}",
            f"UPDATE score SET clv = clv + 50 WHERE customer_key = {_key(own_shop, moves)}",
            f"UPDATE score SET clv = clv + 49 WHERE customer_key = {_key(own_shop, stirs)}",
        ):
            session.execute(text(statement))
    told = _sync(own_shop, target, clv=50.0)
    assert told.rows == {"left": 1, "entered": 1, "changed": 1}
    assert (leaves in target.has, comes in target.has, target.has[moves]["action"]) == (False, True, "changed")
    # What was told is what the next change is measured from, also where it was told of something else.
    assert _sync(own_shop, target, clv=40.0).rows == {"changed": 1}
    with own_shop.database.read() as session:
        point = session.scalars(select(SyncPoint)).one()
        assert (point.scoring_run_id, point.synced_at, point.attempt) == (1, NOW, 3)


def _key(shop: Shop, customer_id: str) -> int:
    with shop.database.read() as session:
        return int(
            session.execute(text("SELECT id FROM customer WHERE customer_id = :id"), {"id": customer_id}).scalar_one()
        )


def test_an_erased_customer_is_forgotten_and_counted_until_the_target_was_sent_all(own_shop: Shop) -> None:
    target = Remembering()
    _sync(own_shop, target)
    gone = sorted(target.has)[0]
    assert '"told_to": [{"target": "remembering"' in "".join(export_customer(own_shop.database, gone))
    hide_customer(own_shop.database, gone, KeyedHash(b"k" * 32), now=NOW)
    assert resume_erasures(own_shop.database) == 0
    with own_shop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(SyncedMember)) == len(target.has) - 1
    told = _sync(own_shop, target)
    assert (told.rows, told.erased, gone in target.has) == ({}, 1, True)
    _sync(own_shop, target, difference=False)
    assert gone not in target.has
    assert _sync(own_shop, target).erased == 0


def test_whoever_is_erased_while_a_sync_goes_on_is_not_told(own_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.sync.send.ROWS_A_BATCH", 2)
    *_, last = sorted(_members(own_shop), key=lambda name: _key(own_shop, name))

    class Slow(Remembering):
        def send(self, rows: Sequence[Row], *, last: bool) -> None:
            if not self.has:
                hide_customer(own_shop.database, gone, KeyedHash(b"k" * 32), now=NOW)
            super().send(rows, last=last)

    gone, target = last, Slow()
    told = _sync(own_shop, target)
    assert set(target.has) == _members(own_shop) - {gone}
    assert told.rows == {"entered": len(target.has)}
    assert _sync(own_shop, target).erased == 0


def test_a_customer_who_was_merged_leaves_under_the_id_that_the_target_has(own_shop: Shop) -> None:
    target = Remembering()
    _sync(own_shop, target)
    merged, into = sorted(target.has)[:2]
    with own_shop.database.write() as session:
        session.execute(
            text("UPDATE customer SET merged_into = :into WHERE id = :key"),
            {"into": _key(own_shop, into), "key": _key(own_shop, merged)},
        )
    assert _sync(own_shop, target).rows == {"left": 1}
    assert (merged in target.has, into in target.has) == (False, True)


def test_a_sync_that_is_overtaken_ends(own_shop: Shop) -> None:
    target = Remembering()

    class Overtaken(Remembering):
        def send(self, rows: Sequence[Row], *, last: bool) -> None:
            _sync(own_shop, target)
            super().send(rows, last=last)

    with pytest.raises(StoreError, match="Another sync of the same segment"):
        _sync(own_shop, Overtaken())
    assert set(target.has) == _members(own_shop)


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_a_file_is_whole_or_as_it_was_before(own_shop: Shop, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"steady.{ending}"
    _sync(own_shop, FileTarget(path), difference=False)
    with path.open(newline="", encoding="utf-8") as file:
        rows: list[Any] = list(csv.DictReader(file)) if ending == "csv" else list(map(json.loads, file))
    assert {row["customer_id"].removeprefix("'") for row in rows} == _members(own_shop)
    assert {row["action"] for row in rows} == {"member"}
    before = path.read_bytes()
    _stir(own_shop, random.Random(1))
    with (
        patch.object(send, "ROWS_A_BATCH", 10),
        patch.object(FileTarget, "finish", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        _sync(own_shop, FileTarget(path))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []
    assert _sync(own_shop, FileTarget(path)).rows.total() > 0
    assert _sync(own_shop, FileTarget(path)).rows == {}


def test_what_is_no_target_or_no_segment_is_refused(own_shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(SyncError, match=r"ends in \.csv, \.ndjson"):
        FileTarget(tmp_path / "list.xls")
    with pytest.raises(SyncError, match="There is no folder"):
        FileTarget(tmp_path / "none" / "list.csv")
    for url in ("ftp://host/x", "http://"):
        with pytest.raises(SyncError, match="http:// or https://"):
            UrlTarget(url)
    for url in ("http://[::1", "http://localhost:99999/"):
        with pytest.raises(SyncError, match="Expected an address such as"):
            UrlTarget(url)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SyncError, match=r"Expected a file, but .* is a folder"):
        FileTarget(tmp_path / "folder.csv")
    with pytest.raises(SyncError, match="user or password"):
        UrlTarget("https://ada:secret@example.com/")
    with pytest.raises(UnknownSegmentError, match="no segment"):
        send_segment(own_shop.database, "nobody", Remembering(), difference=False, thresholds={}, now=lambda: NOW)


class _Receiver(ThreadingHTTPServer):
    """Answers with the statuses in turn, then with 200, and keeps what it took."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.came: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.taken: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        """Where it takes batches."""
        return f"http://127.0.0.1:{self.server_address[1]}/in"


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        """Take a batch, or not."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.came.append((dict(self.headers), body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
        if status < 300:
            self.server.taken[self.headers["Idempotency-Key"]] = body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _receiving() -> Iterator[_Receiver]:
    with _Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


def test_an_address_takes_batches_once_each_though_it_answers_429_and_5xx(own_shop: Shop) -> None:
    waits: list[float] = []
    with _receiving() as receiver, patch.object(send, "ROWS_A_BATCH", 20):
        receiver.answers = [(503, {}), (429, {"Retry-After": "7"}), (200, {}), (500, {}), (500, {})]
        _sync(own_shop, UrlTarget(receiver.url, token="t0ken", wait=waits.append), difference=False)  # noqa: S106
        batches = list(receiver.taken.values())
        assert waits == [1.0, 7.0, 1.0, 2.0]
        assert [batch["batch"] for batch in batches] == list(range(1, len(batches) + 1))
        assert [batch["last"] for batch in batches] == [False] * (len(batches) - 1) + [True]
        assert {row["customer_id"] for batch in batches for row in batch["rows"]} == _members(own_shop)
        assert all(len(batch["rows"]) <= 20 and batch["mode"] == "whole" for batch in batches)
        assert {headers["Authorization"] for headers, _ in receiver.came} == {"Bearer t0ken"}
        # The same batch came under one key, however often.
        keys = [(headers["Idempotency-Key"], body["batch"]) for headers, body in receiver.came]
        assert len(set(keys)) == len(batches)
        receiver.taken.clear()
        _sync(own_shop, UrlTarget(receiver.url))
        assert [(batch["rows"], batch["last"]) for batch in receiver.taken.values()] == [([], True)]


def test_an_address_that_refuses_or_never_takes_is_told_again_next_time(own_shop: Shop) -> None:
    waits: list[float] = []
    with _receiving() as receiver, patch.object(send, "ROWS_A_BATCH", 20):
        receiver.answers = [(200, {}), (422, {})]
        with pytest.raises(SyncError, match="answered batch 2 with 422"):
            _sync(own_shop, UrlTarget(receiver.url, wait=waits.append))
        assert waits == []
        taken = {row["customer_id"] for batch in receiver.taken.values() for row in batch["rows"]}
        receiver.answers = [(500, {})] * 8
        with pytest.raises(SyncError, match=r"in 8 attempts \(status 500\)"):
            _sync(own_shop, UrlTarget(receiver.url, wait=waits.append))
        assert waits == [1, 2, 4, 8, 16, 32, 64]
        receiver.taken.clear()
        _sync(own_shop, UrlTarget(receiver.url))
        rest = [row["customer_id"] for batch in receiver.taken.values() for row in batch["rows"]]
        assert set(rest) | taken == _members(own_shop)
        assert len(taken) == 20
        assert not set(rest) & taken
    with own_shop.database.read() as session:
        point = session.scalars(select(SyncPoint)).one()
        assert point.synced_at == NOW


def test_nobody_at_an_address_is_said_so(own_shop: Shop) -> None:
    with _receiving() as receiver:
        url = receiver.url
    with pytest.raises(SyncError, match="did not take batch 1 in 8 attempts"):
        _sync(own_shop, UrlTarget(url, wait=lambda _: None))
    with own_shop.database.read() as session:
        assert session.scalars(select(SyncPoint)).one().synced_at is None
