"""What is stored live asks for its customers to be scored again, in its own transaction and once for each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from store import rescore_requests
from store.engine import Database
from store.ingest import live
from store.ingest.live import LiveWriter
from store.publishing import publish
from store.rescore_requests import forget_before_first_run, oldest
from store.runs import fail_run
from store.tables import Customer, RescoreRequest, ScoringRun
from tests.store.builders import NOW, publish_run, queue_run
from tests.store.ingest.conftest import Ingest, lines
from tests.store.ingest.live_requests import RECEIVED_AT, alias, identify, live_writer, order, request, track

LATER = RECEIVED_AT + timedelta(minutes=1)


@pytest.fixture
def writer(database: Database) -> Iterator[LiveWriter]:
    """One that writes beside a published run, which knows nobody."""
    publish_run(database, {})
    with live_writer(database) as writer:
        yield writer


def requests(database: Database) -> dict[str, tuple[datetime, int]]:
    """When the first of a customer's came, and how often, by id."""
    query = select(Customer.customer_id, RescoreRequest.requested_at, RescoreRequest.times)
    with database.read() as session:
        rows = session.execute(query.join(RescoreRequest, RescoreRequest.customer_key == Customer.id)).all()
    return {customer_id: (at, times) for customer_id, at, times in rows}


def test_each_customer_of_whom_a_transaction_stores_anything_is_asked_for_once_however_much_it_is(
    writer: LiveWriter, database: Database
) -> None:
    calls = request(*(track("ada", message=f"m{i}") for i in range(5)), order("ben", "o1", "pen", "ink"))
    writer.write([calls, request(track("ada", message="m9"), identify("cy", plan="gold"), identify("dora"))])
    assert requests(database) == dict.fromkeys(("ada", "ben", "cy", "dora"), (RECEIVED_AT, 1))
    writer.write([request(track("ada", message="m10"), identify("ben", plan="tin"), received_at=LATER)])
    assert requests(database) == {
        "ada": (RECEIVED_AT, 2),
        "ben": (RECEIVED_AT, 2),
        "cy": (RECEIVED_AT, 1),
        "dora": (RECEIVED_AT, 1),
    }


def test_what_is_there_already_or_rejected_asks_for_nobody(writer: LiveWriter, database: Database) -> None:
    known = request(track("ada", message="m1"), identify("ben", plan="gold"), order("cy", "o1", "pen"))
    writer.write([known])
    with database.write() as session:
        session.execute(text("DELETE FROM rescore_request"))
    writer.write([known, request(order("cy", "o1", "ink", day=1), {"type": "nothing", "userId": "ada"})])
    assert requests(database) == {}


def test_what_comes_while_the_first_run_is_at_work_asks_and_what_it_is_going_to_read_waits_no_longer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescore_requests, "_REQUESTS_A_TRANSACTION", 2)
    with live_writer(database) as writer:
        writer.write([request(*(track(f"c{i}", message=f"m{i}") for i in range(5)))])
        assert len(requests(database)) == 5
        run_id = queue_run(database)
        forget_before_first_run(database, run_id)
        assert requests(database) == {}
        writer.write([request(track("c3", message="later"))])
        publish(database, run_id, n_customers=0, aggregates={}, now=lambda: NOW, claimed_at=NOW)
        assert requests(database) == {"c3": (RECEIVED_AT, 1)}
        forget_before_first_run(database, queue_run(database))
        assert set(requests(database)) == {"c3"}


def test_a_first_run_leaves_waiting_whom_another_at_work_may_have_read_before(database: Database) -> None:
    first, second = (queue_run(database, as_of=NOW + timedelta(minutes=i)) for i in range(2))
    with live_writer(database) as writer:
        writer.write([request(track("ada"))])
    forget_before_first_run(database, second)
    assert set(requests(database)) == {"ada"}
    with database.write() as session:
        fail_run(session, ScoringRun, first, "it broke", claimed_at=NOW, now=NOW)
    forget_before_first_run(database, second)
    assert requests(database) == {}


def test_who_waits_and_is_merged_waits_as_the_other(writer: LiveWriter, database: Database) -> None:
    writer.write([request(track("v1", message="m1"), track("v2", message="m2"))])
    writer.write([request(track("v1", message="m3"), alias("v1", "ada"), received_at=LATER)])
    assert set(requests(database)) == {"ada", "v2"}
    writer.write([request(track("v3", message="m4"), identify("ada", visitor="v3"), alias("v2", "ada"))])
    assert set(requests(database)) == {"ada"}


def test_what_is_rolled_back_asks_for_nobody(
    writer: LiveWriter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DBAPIError("INSERT", {}, Exception("the disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(live, "record", fail)
        with pytest.raises(DBAPIError, match="disk is full"):
            writer.write([request(track("ada", message="m1"))])
    assert requests(database) == {}
    writer.write([request(track("ben", message="m2"))])
    assert set(requests(database)) == {"ben"}


def test_a_file_asks_for_nobody(ingest: Ingest, database: Database) -> None:
    publish_run(database, {})
    ingest(lines("ada,2024-01-05,o1,pen,1,3"))
    assert requests(database) == {}


def test_writers_of_the_same_customers_at_once_wait_for_each_other_and_never_in_a_circle(database: Database) -> None:
    publish_run(database, {})
    names = [f"c{number}" for number in range(8)]

    def write(number: int) -> None:
        ids = names[number % 8 :] + names[: number % 8]
        writers[number].write([request(*(track(name, message=f"{number} {name}") for name in ids))])

    with ExitStack() as stack, ThreadPoolExecutor(6) as pool:
        writers = [stack.enter_context(live_writer(database)) for _ in range(6)]
        list(pool.map(write, range(6)))
    assert requests(database) == dict.fromkeys(names, (RECEIVED_AT, 6))


def test_who_has_waited_longest_comes_first(writer: LiveWriter, database: Database) -> None:
    for minute, name in enumerate(("cy", "ada", "ben")):
        writer.write([request(track(name), received_at=RECEIVED_AT + timedelta(minutes=minute))])
    with database.read() as session:
        keys = oldest(session, 2)
        assert [session.get_one(Customer, key).customer_id for key in keys] == ["cy", "ada"]
