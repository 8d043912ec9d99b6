"""Erasing a customer: in no answer at once, then deleted, resumable, and no trace of its ids in the raw file."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, func, insert, select, text, update

from store import erasure, registry, runs, sqlite_traces
from store.deletion import Deletions
from store.engine import Database
from store.erasure import hide_customer, resume_erasures
from store.events import find_customer
from store.exceptions import UnknownCustomerError
from store.held_customer import find_held
from store.keyed_hash import KeyedHash
from store.rejected_rows import rejected_rows_that_show
from store.tables import Customer, ErasedCustomer, ModelVersion, RejectedRow, ScoringRun, Source, TrainingRun
from tests.store.builders import NOW, Scored, add_customers, add_model, publish_run, queue_run, write_scores
from tests.store.held import ANNA, ANONYMOUS, BERT, add_events, fill, places_of_text, raw_hits, rows_of

LATER = NOW + timedelta(days=2)
HASH = KeyedHash(b"k" * 32)


def _erase(database: Database, customer_id: str = ANNA) -> int:
    hide_customer(database, customer_id, HASH, now=LATER)
    return resume_erasures(database)


@pytest.fixture
def only_sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "db" / "only.db"
    path.parent.mkdir()
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.mark.parametrize("asked_for", [ANNA, ANONYMOUS])
def test_nothing_is_left_of_an_erased_customer_and_all_of_the_others(database: Database, asked_for: str) -> None:
    keys = fill(database)
    before = rows_of(database, keys[BERT])
    assert rows_of(database, keys[ANNA])
    assert len(places_of_text(database, ANNA)) >= 3
    assert _erase(database, asked_for) == 0
    assert rows_of(database, keys[ANNA]) == {}
    assert rows_of(database, keys[ANONYMOUS]) == {}
    for name in (ANNA, ANONYMOUS):
        assert places_of_text(database, name) == []
    assert rows_of(database, keys[BERT]) == before
    with database.read() as session:
        assert session.scalars(select(RejectedRow.line).order_by(RejectedRow.line)).all() == [3, 4, 5]
        assert session.scalar(text("SELECT count(*) FROM order_line")) == 2


def test_a_hidden_customer_is_unknown_by_every_id_before_anything_is_deleted(database: Database) -> None:
    keys = fill(database)
    hide_customer(database, ANONYMOUS, HASH, now=LATER)
    assert rows_of(database, keys[ANNA])["event"] == 2
    with database.read() as session:
        for name in (ANNA, ANONYMOUS):
            with pytest.raises(UnknownCustomerError, match="No customer has the id"):
                find_held(session, name)
            with pytest.raises(UnknownCustomerError, match="No customer has the id"):
                find_customer(session, name)


def test_erasing_somebody_unknown_or_erased_is_refused(database: Database) -> None:
    fill(database)
    with pytest.raises(UnknownCustomerError, match="No customer has the id 'nobody'"):
        hide_customer(database, "nobody", HASH, now=LATER)
    _erase(database)
    with pytest.raises(UnknownCustomerError, match="No customer has the id"):
        hide_customer(database, ANNA, HASH, now=LATER)


def test_a_keyed_hash_of_each_id_is_kept(database: Database) -> None:
    fill(database)
    _erase(database)
    with database.read() as session:
        assert set(session.scalars(select(ErasedCustomer.id_hash))) == {HASH.of(ANNA), HASH.of(ANONYMOUS)}


def test_models_registered_since_the_customer_became_known_count_one_more(database: Database) -> None:
    fill(database)  # its runs registered model 1 as of NOW, when the customers became known
    with database.write() as session:
        session.execute(update(ModelVersion).values(registered_at=NOW - timedelta(seconds=1)))
    with database.write() as session:
        since = registry.register(
            session,
            bundle="c",
            bundle_hash="c",
            report={},
            test_metrics={},
            training_run_id=None,
            now=NOW + timedelta(seconds=1),
        ).version
    _erase(database)
    with database.read() as session:
        counts = {row.version: row.erased_customers for row in session.scalars(select(ModelVersion))}
    assert counts == {1: 0, since: 1}


def test_a_training_that_began_before_keeps_the_row_and_its_model_is_counted(database: Database) -> None:
    keys = fill(database)
    with database.write() as session:
        run_id = runs.queue_training(session, {}, now=NOW).id
        runs.claim(session, TrainingRun, now=NOW, run_id=run_id)
    assert _erase(database) == 1
    assert rows_of(database, keys[ANNA]) == {"customer": 1}
    assert places_of_text(database, ANNA) == []
    with database.write() as session:
        version = registry.register(
            session,
            bundle="c",
            bundle_hash="c",
            report={},
            test_metrics={},
            training_run_id=run_id,
            now=LATER + timedelta(seconds=1),
        ).version
        session.execute(update(TrainingRun).values(status="completed"))
    assert resume_erasures(database) == 0
    assert rows_of(database, keys[ANNA]) == {}
    with database.read() as session:
        assert session.get_one(ModelVersion, version).erased_customers == 1


def test_what_a_scoring_that_began_before_still_writes_is_deleted_after(database: Database) -> None:
    keys = fill(database)
    run_id = queue_run(database, as_of=NOW + timedelta(days=2))
    assert _erase(database) == 1
    write_scores(database, run_id, {keys[ANNA]: Scored("at_risk", 3.0, 4.0, 0.75), keys[BERT]: Scored("steady")})
    assert rows_of(database, keys[ANNA])["score"] == 1
    with database.write() as session:
        runs.fail_run(session, ScoringRun, run_id, "cut off", claimed_at=NOW, now=LATER)
    assert resume_erasures(database) == 0
    assert rows_of(database, keys[ANNA]) == {}


@pytest.mark.parametrize("after", [0, 2, 5, 10, 11])  # of twelve transactions; the last two take away ids, then rows
def test_an_erasure_that_is_cut_off_anywhere_is_resumed(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: int
) -> None:
    keys = fill(database)
    hide_customer(database, ANNA, HASH, now=LATER)
    transactions = 0
    real = Deletions.transaction

    def cut_off(self: Deletions, n_rows: int = 1) -> object:
        nonlocal transactions
        transactions += 1
        if transactions > after:
            raise KeyboardInterrupt("cut off")
        return real(self, n_rows)

    monkeypatch.setattr(Deletions, "transaction", cut_off)
    with pytest.raises(KeyboardInterrupt, match="cut off"):
        resume_erasures(database)
    monkeypatch.undo()
    assert rows_of(database, keys[ANNA])["customer"] == 1
    assert resume_erasures(database) == 0
    assert rows_of(database, keys[ANNA]) == {}
    assert places_of_text(database, ANNA) == []
    assert rows_of(database, keys[BERT])["event"] == 2
    if database.is_sqlite:
        database.close()
        assert raw_hits(tmp_path, BERT.encode())
        assert [raw_hits(tmp_path, name.encode()) for name in (ANNA, ANONYMOUS)] == [[], []]


def test_who_is_at_it_too_may_come_to_the_end_first(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = fill(database)
    for name in (ANNA, BERT):
        hide_customer(database, name, HASH, now=LATER)
    real, left = erasure._remove_traces, []

    def another_is_faster(*arguments: Any) -> bool:
        monkeypatch.setattr(erasure, "_remove_traces", real)
        left.append(resume_erasures(database))
        return real(*arguments)

    monkeypatch.setattr(erasure, "_remove_traces", another_is_faster)
    left.append(resume_erasures(database))
    assert left == [0, 0]
    assert [rows_of(database, keys[name]) for name in (ANNA, BERT)] == [{}, {}]
    with database.read() as session:
        assert session.scalars(select(ModelVersion.erased_customers)).all() == [0]


def test_customers_whom_four_erase_at_once_are_gone(database: Database) -> None:
    names = [f"customer-{i:04d}-of-many" for i in range(8)]
    add_customers(database, names)
    for name in names:
        hide_customer(database, name, HASH, now=LATER)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(resume_erasures, [database] * 4))[-1] == 0
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 0


@pytest.mark.parametrize("asked_for", ["old", "new"])
def test_who_is_being_merged_while_it_is_erased_is_erased_with_the_other(database: Database, asked_for: str) -> None:
    keys = add_customers(database, ["old", "new"])
    with ThreadPoolExecutor(1) as threads:
        with database.write() as merging:
            both = select(Customer.id).where(Customer.id.in_(keys.values())).order_by(Customer.id)
            merging.execute(both.with_for_update())
            merging.execute(update(Customer).where(Customer.id == keys["old"]).values(merged_into=keys["new"]))
            hiding = threads.submit(hide_customer, database, asked_for, HASH, now=LATER)
            _wait_until_another_waits(database)
        hiding.result(20)
    assert resume_erasures(database) == 0
    with database.read() as session:
        assert session.scalars(select(Customer.customer_id)).all() == []
        assert set(session.scalars(select(ErasedCustomer.id_hash))) == {HASH.of("old"), HASH.of("new")}


def _wait_until_another_waits(database: Database) -> None:
    """On PostgreSQL, where two write at once and may wait for the same row."""
    deadline = time.monotonic() + 20
    while not database.is_sqlite:
        with database.read() as session:
            if session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_reader_who_stays_leaves_only_a_row_without_the_id(
    only_sqlite: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = fill(only_sqlite)
    monkeypatch.setattr("store.sqlite_traces._SECONDS_TO_TRUNCATE", 0.2)
    with only_sqlite.read() as session:
        session.scalar(select(func.count()).select_from(Customer))
        assert _erase(only_sqlite) == 1
    assert rows_of(only_sqlite, keys[ANNA]) == {"customer": 1}
    assert places_of_text(only_sqlite, ANNA) == []
    assert resume_erasures(only_sqlite) == 0
    assert rows_of(only_sqlite, keys[ANNA]) == {}
    only_sqlite.close()
    assert raw_hits(tmp_path / "db", BERT.encode())
    assert [raw_hits(tmp_path / "db", name.encode()) for name in (ANNA, ANONYMOUS)] == [[], []]


def test_no_byte_of_the_ids_is_left_in_the_file_or_its_log(only_sqlite: Database, tmp_path: Path) -> None:
    fill(only_sqlite)
    assert _erase(only_sqlite) == 0
    assert raw_hits(tmp_path / "db", BERT.encode())  # the search does find what is there
    for name in (ANNA, ANONYMOUS):
        assert raw_hits(tmp_path / "db", name.encode()) == []


class _Split(NamedTuple):
    """A file with copies of ids in the unused part of pages that were split."""

    file: Path
    names: list[str]


@pytest.fixture(scope="module")
def split(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> _Split:
    file = tmp_path_factory.mktemp("split") / "split.db"
    shutil.copy(sqlite_template, file)
    chance = random.Random(7)
    names = [f"u-{chance.getrandbits(64):016x}" for _ in range(6_000)]
    keys = dict(zip(names, range(1, len(names) + 1), strict=True))
    database = Database(f"sqlite:///{file}")
    with database.bulk() as connection:
        # As an older version stored them: without overwriting what is moved.
        connection.connection.driver_connection.execute("PRAGMA secure_delete = OFF")  # type: ignore[union-attr]
        for start in range(0, len(names), 200):
            with database.transaction(connection):
                rows = [{"id": keys[name], "customer_id": name, "created_at": NOW} for name in names[start:][:200]]
                connection.execute(insert(Customer), rows)
        connection.invalidate()
    database.close()
    stored = file.read_bytes()
    thrice = [name for name in names if stored.count(name.encode()) > 2][:3]
    assert len(thrice) == 3
    return _Split(file, thrice)


@pytest.fixture
def split_sqlite(split: _Split, tmp_path: Path) -> Iterator[Database]:
    """A copy of the file with copies of ids, to be erased from."""
    path = tmp_path / "db" / "split.db"
    path.parent.mkdir()
    shutil.copy(split.file, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def test_copies_of_ids_that_splits_of_pages_left_are_found_and_taken_away(
    split: _Split, split_sqlite: Database, tmp_path: Path
) -> None:
    for name in split.names:
        assert _erase(split_sqlite, name) == 0
    split_sqlite.close()
    assert [raw_hits(tmp_path / "db", name.encode()) for name in split.names] == [[], [], []]


def test_copies_of_ids_are_taken_away_after_a_reader_has_stayed(
    split: _Split, split_sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.sqlite_traces._SECONDS_TO_TRUNCATE", 0.2)
    with split_sqlite.read() as session:
        session.scalar(select(func.count()).select_from(Customer))
        assert _erase(split_sqlite, split.names[0]) == 1
    # Nobody knows any more what to look for.
    assert resume_erasures(split_sqlite) == 0
    split_sqlite.close()
    assert raw_hits(tmp_path / "db", split.names[0].encode()) == []


def test_copies_of_ids_are_taken_away_after_the_search_was_cut_off(
    split: _Split, split_sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> bool:
        raise KeyboardInterrupt("cut off")

    monkeypatch.setattr(sqlite_traces, "_shows", cut_off)
    with pytest.raises(KeyboardInterrupt, match="cut off"):
        _erase(split_sqlite, split.names[0])
    monkeypatch.undo()
    assert resume_erasures(split_sqlite) == 0
    split_sqlite.close()
    assert raw_hits(tmp_path / "db", split.names[0].encode()) == []


def test_the_file_is_not_written_anew_for_an_id_that_others_contain(
    only_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_customers(only_sqlite, ["customer-1", "customer-10", "7", "17"])
    cut_off = _times_cut_off(monkeypatch)
    for name in ("customer-1", "7"):
        assert _erase(only_sqlite, name) == 0
    assert cut_off == [True, True]  # once for each: after writing anew it would be once more
    with only_sqlite.read() as session:
        assert session.scalars(select(Customer.customer_id).order_by(Customer.id)).all() == ["customer-10", "17"]


def test_the_file_is_not_written_anew_each_time_that_a_training_is_still_at_work(
    only_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(only_sqlite)
    with only_sqlite.write() as session:
        run_id = runs.queue_training(session, {}, now=NOW).id
        runs.claim(session, TrainingRun, now=NOW, run_id=run_id)
    cut_off = _times_cut_off(monkeypatch)
    assert [_erase(only_sqlite), resume_erasures(only_sqlite), resume_erasures(only_sqlite)] == [1, 1, 1]
    assert cut_off == [True, True, True]


def _times_cut_off(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows whenever the log is cut off."""
    cut_off: list[bool] = []
    real = sqlite_traces._truncate_log

    def watched(connection: Connection) -> bool:
        cut_off.append(real(connection))
        return cut_off[-1]

    monkeypatch.setattr(sqlite_traces, "_truncate_log", watched)
    return cut_off


def test_many_events_are_deleted_in_transactions_of_some_thousand(database: Database) -> None:
    keys = fill(database)
    add_events(database, keys[ANNA], [NOW - timedelta(minutes=i) for i in range(6_000)])
    assert _erase(database) == 0
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM event")) == 2
        assert session.scalar(text("SELECT count(*) FROM order_line")) == 2


def test_a_rejected_row_shows_an_id_that_stands_by_itself(database: Database) -> None:
    told = [
        ("17", "", True),
        ("17.50", "", False),
        ("A17", "", False),
        ("17-2", "", False),
        ("x", "got 17.", True),
        ("x", "got '17', expected", True),
        (None, "of 171", False),
    ]
    common = {"file_hash": b"h" * 32, "source_id": 1, "file": "f", "column": "c", "code": "bad", "received_at": NOW}
    with database.write() as session:
        session.add(Source(id=1, name="shop"))
        session.flush()
        rows = [{**common, "line": i, "value": value, "reason": reason} for i, (value, reason, _) in enumerate(told)]
        session.execute(insert(RejectedRow), rows)
    shown = {row.line for row in rejected_rows_that_show(database, ["17"])}
    assert shown == {i for i, (*_, is_shown) in enumerate(told) if is_shown}


def test_lists_of_a_run_keep_their_order_when_one_is_erased(database: Database) -> None:
    keys = fill(database)
    publish_run(database, {keys[ANNA]: Scored("steady", clv=2.0), keys[BERT]: Scored("steady", clv=1.0)})
    _erase(database)
    with database.read() as session:
        assert session.scalars(text("SELECT DISTINCT customer_key FROM segment_listing")).all() == [keys[BERT]]
    assert add_model(database, bundle_hash="b" * 64) > 1
