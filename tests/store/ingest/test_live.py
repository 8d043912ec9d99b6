"""Live requests: stored by the same rules as files, all of a group or none, and whatever becomes of the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.exc import OperationalError

from store.engine import Database
from store.exceptions import DatabaseBusyError
from store.ingest import live
from store.ingest.live import LiveRequest, LiveResult, LiveWriter
from store.ingest.write import EventWriter
from store.tables import Customer, ErasedCustomer
from tests.store.ingest.conftest import EVENTS, LINES, Ingest, events, lines
from tests.store.ingest.live_requests import (
    KEY,
    RECEIVED_AT,
    SECRET,
    alias,
    content,
    identify,
    live_writer,
    order,
    request,
    root_ids,
    track,
)
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines, stored_rejections

HOUR = int(RECEIVED_AT.timestamp()) // 3_600


@pytest.fixture
def writer(database: Database) -> Iterator[LiveWriter]:
    with live_writer(database) as writer:
        yield writer


def counts(result: LiveResult) -> tuple[int, int, int]:
    return result.stored, result.already_there, len(result.rejected)


def write(writer: LiveWriter, *requests: LiveRequest) -> list[tuple[int, int, int]]:
    return [counts(result) for result in writer.write(requests)]


def erase(database: Database, *customer_ids: str) -> None:
    """Write down that customers were erased, and take their rows away."""
    with database.write() as session:
        for customer_id in customer_ids:
            session.execute(insert(ErasedCustomer), [{"id_hash": KEY.of(customer_id), "erased_at": RECEIVED_AT}])
            session.execute(text("DELETE FROM customer WHERE customer_id = :id"), {"id": customer_id})


def activity(database: Database) -> list[tuple[Any, ...]]:
    query = (
        "SELECT source_id, hour, stored, already_there, rejected, last_received_at, last_occurred_at "
        "FROM source_activity ORDER BY source_id, hour"
    )
    with database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_events_orders_and_attributes_are_stored_and_again_they_are_there(
    writer: LiveWriter, database: Database
) -> None:
    calls = request(
        track("ada", message="m1", value=3),
        order("ada", "o1", "pen", "ink", message="m2"),
        identify("ada", message="m3", plan="gold", age=34),
    )
    assert write(writer, calls) == [(3, 0, 0)]
    stored = content(database)[0]
    assert [(row[0], row[1], row[7], row[9]) for row in stored_events(database)] == [
        ("ada", "Order Completed", "o1", None),
        ("ada", "Product Viewed", None, 3.0),
    ]
    assert sorted((row[3], row[5], row[6]) for row in stored_lines(database)) == [("ink", 1.0, 5.0), ("pen", 1.0, 5.0)]
    assert [(row[1], row[3:]) for row in stored_attributes(database)] == [
        ("age", ("number", 34.0, None)),
        ("plan", ("category", None, "gold")),
    ]
    assert write(writer, calls, calls) == [(0, 3, 0)] * 2
    assert content(database)[0] == stored


def test_requests_of_several_sources_and_instants_are_written_in_one_transaction(
    writer: LiveWriter, database: Database
) -> None:
    later = RECEIVED_AT + timedelta(hours=1)
    results = write(
        writer,
        request(track("ada", message="m1")),
        request(track("ben", message="m1"), source="till", received_at=later),
        request(track("ada", message="m1")),
    )
    assert results == [(1, 0, 0), (1, 0, 0), (0, 1, 0)]
    assert [(row[0], row[4]) for row in stored_events(database)] == [("ada", "shop"), ("ben", "till")]
    with database.read() as session:
        received = session.execute(text("SELECT received_at FROM event ORDER BY source_id")).scalars().all()
    assert [instant - received[0] for instant in received] == [0, 3_600_000_000]


def test_what_sources_send_is_counted_by_the_hour(writer: LiveWriter, database: Database) -> None:
    later = RECEIVED_AT + timedelta(minutes=59)
    write(writer, request(track("ada", message="m1"), track("ada", message="m2"), {"type": "track"}))
    write(writer, request(track("ada", message="m1", day=1)), request(track("ada", message="m3", day=3)))
    write(writer, request({"type": "nothing"}, received_at=later), request(track("ben"), source="till"))
    (shop, till) = activity(database)
    assert shop[:5] == (101, HOUR, 3, 1, 2)
    assert till[:5] == (102, HOUR, 1, 0, 0)
    assert shop[5] == int(later.timestamp()) * 1_000_000
    assert shop[6] - till[6] == 3 * 86_400_000_000


def test_files_are_counted_too(ingest: Ingest, database: Database) -> None:
    ingest(lines("ada,2024-01-05,o1,pen,1,3", "ada,2024-01-05,o1,ink,1,3", ",2024-01-05,o1,ink,1,3"))
    ingest(lines("ada,2024-01-05,o1,pen,1,3"), name="again.csv")
    ((_, hour, *counted, _, occurred_at),) = activity(database)
    assert (hour, counted) == (HOUR, [2, 1, 1])
    assert occurred_at == 1_704_412_800_000_000


def test_the_same_fact_by_file_and_by_request_is_stored_once(
    writer: LiveWriter, ingest: Ingest, database: Database
) -> None:
    mapping = type(EVENTS)(
        customer_id="who", occurred_at="at", event="Product Viewed", message_id="message", source="shop"
    )
    assert write(writer, request(track("ada", message="m1"))) == [(1, 0, 0)]
    report = ingest("who,at,message\nada,2024-05-01T12:00:00Z,m1\nada,2024-05-01T12:00:00Z,m2\n", mapping)
    assert (report.stored, report.already_there) == (1, 1)
    assert write(writer, request(track("ada", message="m2"), track("ada", message="m3"))) == [(1, 1, 0)]
    assert len(stored_events(database)) == 3


def test_an_order_that_a_file_has_told_otherwise_is_a_conflict(
    writer: LiveWriter, ingest: Ingest, database: Database
) -> None:
    ingest(lines("ada,2024-05-01T12:00:00Z,o1,pen,1,5"))
    (result,) = writer.write(
        [request(order("ada", "o1", "pen", message="m1"), order("ada", "o1", "ink", message="m2"))]
    )
    assert (result.stored, result.already_there) == (0, 1)
    assert [(each.line, each.code, each.value) for each in result.rejected] == [(1, "order_conflict", "o1")]
    assert stored_rejections(database)[0][:4] == (1, "properties.order_id", "o1", "order_conflict")


def test_rejected_calls_are_kept_by_the_body_and_once(writer: LiveWriter, database: Database) -> None:
    calls = request({"type": "track", "event": "x"}, track("ada", message="m1"), {"type": "nothing", "userId": "ada"})
    assert write(writer, calls) == [(1, 0, 2)]
    assert write(writer, calls) == [(0, 1, 2)]
    assert [row[0] for row in stored_rejections(database)] == [0, 2]
    with database.read() as session:
        (kept,) = session.execute(text("SELECT DISTINCT file, file_hash FROM rejected_row")).all()
    assert (kept[0], bytes(kept[1])) == ("http", calls.body_hash)


def test_the_same_batch_ten_times_at_once_is_stored_once(database: Database) -> None:
    calls = request(
        *(track(f"c{i % 7}", message=f"m{i}") for i in range(40)),
        *(order(f"c{i % 7}", f"o{i}", "pen", "ink", message=f"n{i}") for i in range(20)),
        identify("c1", visitor="v1", message="i1", plan="gold"),
    )
    with ExitStack() as stack, ThreadPoolExecutor(10) as pool:
        writers = [stack.enter_context(live_writer(database)) for _ in range(10)]
        results = list(pool.map(lambda writer: counts(writer.write([calls])[0]), writers))
    assert sorted(results) == [(0, 61, 0)] * 9 + [(61, 0, 0)]
    assert len(stored_events(database)) == 60
    assert len(stored_lines(database)) == 40


IDS = ("a", "b", "v1", "v2", "v3")
CALLS = st.one_of(
    st.builds(
        lambda user, message, day, value: track(user, message=message, day=day, value=value),
        st.sampled_from(IDS),
        st.sampled_from([None, "m1", "m2", "m3"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    st.builds(
        lambda user, number, products, day: order(user, number, *products, day=day),
        st.sampled_from(IDS),
        st.sampled_from(["o1", "o2"]),
        st.lists(st.sampled_from(["pen", "ink"]), min_size=1, max_size=3),
        st.integers(0, 1),
    ),
    st.builds(
        lambda user, visitor, day, plan: identify(user, visitor=visitor, day=day, plan=plan),
        st.sampled_from(IDS[:2]),
        st.sampled_from([None, *IDS[2:]]),
        st.integers(0, 1),
        st.sampled_from(["gold", "tin"]),
    ),
    st.builds(alias, st.sampled_from(IDS), st.sampled_from(IDS)),
)
TABLES = (
    "order_line", "replaced_head", "event", "customer_attribute", "replaced_attribute", "rejected_row",
    "source_activity", "erased_customer", "rescore_request", "customer",
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(st.lists(CALLS, min_size=1, max_size=4), min_size=1, max_size=6),
    cuts=st.sets(st.integers(1, 5)),
    erased=st.sets(st.sampled_from(IDS), max_size=1),
)
def test_in_any_grouping_the_same_requests_store_the_same(
    database: Database, requests: list[list[Any]], cuts: set[int], erased: set[str]
) -> None:
    prepared = [
        request(*calls, source="till" if i % 3 == 1 else "shop", received_at=RECEIVED_AT + timedelta(seconds=i))
        for i, calls in enumerate(requests)
    ]
    starts = [0, *sorted(cut for cut in cuts if cut < len(prepared)), len(prepared)]
    groups = [prepared[start:end] for start, end in pairwise(starts)]
    outcomes = []
    for grouping in ([[each] for each in prepared], groups, [prepared]):
        with database.write() as session:
            for table in TABLES:
                session.execute(text(f"DELETE FROM {table}"))
        erase(database, *erased)
        with live_writer(database) as writer:
            results = [counts(result) for group in grouping for result in writer.write(group)]
        outcomes.append((results, content(database)))
    assert outcomes[1] == outcomes[0]
    assert outcomes[2] == outcomes[0]
    for calls, (stored, already_there, rejected) in zip(requests, outcomes[0][0], strict=True):
        assert stored + already_there + rejected == len(calls)


def test_erased_ids_are_kept_out_and_not_repeated(
    writer: LiveWriter, ingest: Ingest, database: Database, tmp_path: Path
) -> None:
    write(writer, request(track("ada", message="m1")))
    erase(database, "eve")
    with database.write() as session:
        session.add(Customer(customer_id="gone", created_at=RECEIVED_AT, erased_at=RECEIVED_AT))
    calls = request(
        track("eve", message="e1"),
        order("eve", "o1", "pen", "ink", message="e2"),
        identify("eve", message="e3", plan="gold"),
        alias("eve", "ada"),
        identify("ada", visitor="eve", message="e4", plan="gold"),
        track("ada", message="m2"),
        track("gone", message="e5"),
    )
    (result,) = writer.write([calls])
    assert counts(result) == (2, 0, 5)
    assert [each.line for each in result.rejected] == [0, 1, 2, 3, 6]
    assert {(each.code, each.value) for each in result.rejected} == {("erased", None)}
    (tmp_path / "secret.key").write_bytes(SECRET)
    report = ingest(
        lines("eve,2024-01-05,o1,pen,1,3", "ben,2024-01-05,o2,pen,1,3", "eve,2024-01-05,o1,ink,1,3"),
        settings={"secret_file": tmp_path / "secret.key"},
    )
    assert (report.stored, report.rejected_by_code) == (1, {"erased": 2})
    assert set(root_ids(database)) == {"ada", "ben", "gone"}
    assert "eve" not in repr(content(database))


def test_a_group_that_fails_stores_nothing_and_the_next_one_all(
    writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(writer, request(track("ada", message="m0")))
    before = content(database)
    add, fails = EventWriter.add, [False, True]

    def fails_later(self: EventWriter, *arguments: Any) -> Any:
        if fails and fails.pop(0):
            raise RuntimeError("a bug")
        return add(self, *arguments)

    monkeypatch.setattr(EventWriter, "add", fails_later)
    group = [request(order("ben", "o1", "pen", message="m1")), request(order("cara", "o2", "ink", message="m2"))]
    with pytest.raises(RuntimeError, match="a bug"):
        writer.write(group)
    assert content(database) == before
    assert write(writer, *group) == [(1, 0, 0)] * 2
    assert sorted(row[3] for row in stored_lines(database)) == ["ink", "pen"]
    assert set(root_ids(database)) == {"ada", "ben", "cara"}


def test_a_database_locked_by_somebody_else_is_told_in_four_seconds_and_written_afterwards(
    writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live._LONGEST_WAIT < 4
    calls = request(track("ada", message="m1"))
    with monkeypatch.context() as hurried, ExitStack() as stack:
        hurried.setattr(live, "_LONGEST_WAIT", 0.3)
        if database.is_sqlite:
            other = stack.enter_context(
                closing(sqlite3.connect(str(database.engine.url.database), isolation_level=None))
            )
            other.execute("BEGIN IMMEDIATE")
        else:
            connection = stack.enter_context(database.engine.connect())
            connection.execute(text("LOCK TABLE event IN ACCESS EXCLUSIVE MODE"))
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(OperationalError, match=r"(?i)lock"):
                writer.write([calls])
            assert time.monotonic() - begun < 2.5
    assert write(writer, calls) == [(1, 0, 0)]


def test_a_turn_that_others_have_is_told_in_time_and_written_afterwards(
    writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL has no turns")
    calls = request(track("ada", message="m1"))
    with monkeypatch.context() as hurried, Database(str(database.engine.url)).write():
        hurried.setattr(live, "_LONGEST_WAIT", 0.3)
        begun = time.monotonic()
        with pytest.raises(DatabaseBusyError, match="Somebody else has been writing"):
            writer.write([calls])
        assert time.monotonic() - begun < 2.5
    assert write(writer, calls) == [(1, 0, 0)]


def test_after_a_lost_connection_the_next_write_makes_another(writer: LiveWriter, database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("a file has no connection to lose")
    assert write(writer, request(track("ada", message="m1"))) == [(1, 0, 0)]
    with database.engine.connect() as admin:
        admin.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    calls = request(track("ada", message="m2"))
    with pytest.raises(OperationalError):
        writer.write([calls])
    assert write(writer, calls) == [(1, 0, 0)]


def test_the_log_of_sqlite_stays_small(writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL makes its checkpoints itself")
    monkeypatch.setattr(live, "_CALLS_A_CHECKPOINT", 50)
    for i in range(40):
        write(writer, request(*(track(f"c{j}", message=f"m{i}-{j}") for j in range(10))))
    with closing(sqlite3.connect(f"file:{database.engine.url.database}?immutable=1", uri=True)) as copied:
        (n,) = copied.execute("SELECT count(*) FROM event").fetchone()
    assert 300 <= n <= 400


def test_writers_of_live_events_and_of_a_file_at_once_lose_and_double_nothing(
    ingest: Ingest, database: Database
) -> None:
    """All of one source: the same orders by files and by requests, with merges meanwhile."""
    content_of_file = lines(*(f"c{i % 9},2024-01-05,f{i},pen,1,3" for i in range(3_000)))
    errors: list[BaseException] = []

    def send(start: int) -> None:
        try:
            with live_writer(database) as writer:
                for i in range(start, start + 30):
                    group = [
                        request(
                            order(f"c{i % 9}", f"o{i % 36}", "pen", message=f"m{i % 36}"),
                            identify(f"c{i % 9}", visitor=f"v{i % 9}"),
                            track(f"v{(i + 4) % 9}", message=f"t{i % 36}"),
                        ),
                        request(track(f"c{(i + 5) % 9}", message=f"u{i % 36}")),
                    ]
                    writer.write(group)
        except BaseException as error:  # noqa: BLE001 - told at the end
            errors.append(error)

    with live_writer(database):
        senders = [threading.Thread(target=send, args=(start,)) for start in (0, 10, 20)]
    for sender in senders:
        sender.start()
    report = ingest(content_of_file, LINES)
    for sender in senders:
        sender.join(60)
    assert not errors
    assert report.stored == 3_000
    stored = stored_events(database)
    assert len(stored) == 3_000 + 3 * 36
    roots = root_ids(database)
    assert roots == {f"c{i}": f"c{i}" for i in range(9)} | {f"v{i}": f"c{i}" for i in range(9)}
    assert {row[0] for row in stored} == {f"c{i}" for i in range(9)}


def test_a_file_finds_the_customers_into_whom_its_ids_are_merged(
    writer: LiveWriter, ingest: Ingest, database: Database
) -> None:
    write(writer, request(identify("ada", visitor="v1")))
    ingest(events("v1,2024-01-05,1", "ada,2024-01-05,2", "v1,2024-01-06,3"), EVENTS)
    assert [row[0] for row in stored_events(database)] == ["ada"] * 3
