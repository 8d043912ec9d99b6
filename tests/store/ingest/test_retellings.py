"""Completed orders that come again by another call, as of a page that is loaded anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from store.engine import Database
from store.ingest.live import LiveWriter
from tests.store.ingest.conftest import LINES, Ingest
from tests.store.ingest.live_requests import live_writer, order, request, track
from tests.store.ingest.stored import stored_events, stored_lines

BY_MESSAGE = replace(LINES, message_id="message", source="shop")
HEADER = "message,who,at,order,product,quantity,value\n"


@pytest.fixture
def writer(database: Database) -> Iterator[LiveWriter]:
    with live_writer(database) as writer:
        yield writer


def held(database: Database) -> tuple[int, list[str]]:
    return len(stored_events(database)), sorted(line[3] for line in stored_lines(database))


@pytest.mark.parametrize("messages", [("m1", "m2", "m3"), (None, None, None)])
@pytest.mark.parametrize("at_once", [True, False])
def test_an_order_is_stored_once_however_many_calls_tell_it(
    writer: LiveWriter, database: Database, messages: tuple[str | None, ...], at_once: bool
) -> None:
    calls = [order("ada", "o1", "pen", "ink", message=message, day=day) for day, message in enumerate(messages)]
    requests = [request(*calls)] if at_once else [request(call) for call in calls]
    for stored, already_there in ((1, 2), (0, 3)):
        results = writer.write(requests)
        assert sum(result.stored for result in results) == stored
        assert sum(result.already_there for result in results) == already_there
    assert held(database) == (1, ["ink", "pen"])


def test_an_order_that_a_later_call_tells_otherwise_is_a_conflict(writer: LiveWriter, database: Database) -> None:
    first, other = order("ada", "o1", "pen", message="m1"), order("ada", "o1", "pen", "ink", message="m2")
    (result,) = writer.write([request(first, other)])
    assert (result.stored, result.already_there) == (1, 0)
    assert [(each.line, each.code, each.value) for each in result.rejected] == [(1, "order_conflict", "o1")]
    assert result.rejected[0].reason.endswith("tell it once, and what has changed as Order Updated")
    assert held(database) == (1, ["pen"])


def test_a_call_without_a_message_id_adds_no_line_to_an_order_of_the_same_instant(
    writer: LiveWriter, database: Database
) -> None:
    writer.write([request(order("ada", "o1", "pen"))])
    (result,) = writer.write([request(order("ada", "o1", "pen", "ink"))])
    assert [each.code for each in result.rejected] == ["order_conflict"]
    assert held(database) == (1, ["pen"])


def test_what_an_order_takes_back_is_told_with_it(writer: LiveWriter, database: Database) -> None:
    products = [{"product_id": "pen", "price": 5}, {"product_id": "ink", "price": 5, "quantity": -1}]
    for message, stored in (("m1", 1), ("m2", 0)):
        call = track("ada", "Order Completed", message=message, order_id="o1", products=products)
        assert writer.write([request(call)])[0].stored == stored
    assert held(database) == (2, ["ink", "pen"])


def test_refunds_of_an_order_may_be_several_and_equal(writer: LiveWriter, database: Database) -> None:
    products = [{"product_id": "pen", "quantity": 1}]
    refunds = [
        track("ada", "Order Refunded", message=message, order_id="o1", products=products) for message in ("m1", "m2")
    ]
    assert writer.write([request(*refunds)])[0].stored == 2
    assert held(database) == (1, ["pen", "pen"])


def test_rows_of_a_file_that_bear_message_ids_each_add_to_their_order(ingest: Ingest, database: Database) -> None:
    ingest(f"{HEADER}m1,ada,2024-05-01T12:00:00Z,o1,pen,1,5\n", BY_MESSAGE)
    report = ingest(f"{HEADER}m2,ada,2024-05-01T12:00:00Z,o1,pen,1,5\n", BY_MESSAGE, name="more.csv")
    assert report.stored == 1
    assert held(database) == (1, ["pen", "pen"])


def test_a_file_and_calls_of_the_same_messages_meet(writer: LiveWriter, ingest: Ingest, database: Database) -> None:
    """Also where one of the two lacks lines of the message."""
    writer.write([request(order("ada", "o1", "pen", message="m1"))])
    rows = [f"m1,ada,2024-05-01T12:00:00Z,o1,{product},1,5\n" for product in ("pen", "ink", "nib")]
    report = ingest(HEADER + "".join(rows[:2]), BY_MESSAGE)
    assert (report.stored, report.already_there) == (1, 1)
    (result,) = writer.write([request(order("ada", "o1", "pen", "ink", "nib", message="m1"))])
    assert (result.stored, result.rejected) == (1, [])
    assert held(database) == (1, ["ink", "nib", "pen"])
