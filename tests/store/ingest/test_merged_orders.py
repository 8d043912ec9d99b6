"""Orders told under several ids of one customer, in any order with the call that says so: one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from store.engine import Database
from store.ingest.live import LiveWriter
from tests.store.ingest.conftest import LINES, Ingest, lines
from tests.store.ingest.live_requests import alias, identify, live_writer, order, request, root_ids, track
from tests.store.ingest.stored import stored_events, stored_lines, stored_rejections

PRODUCTS = {"o1": ("pen", "ink"), "o2": ("pen", "pen")}
TELLINGS = st.tuples(
    st.sampled_from(["v1", "v2", "ada"]),
    st.sampled_from(list(PRODUCTS)),
    st.sampled_from(["shop", "till"]),
    st.booleans(),
    st.integers(0, 1),
)
MERGES = [("v1", "ada"), ("v2", "ada")]


@pytest.fixture
def writer(database: Database) -> Iterator[LiveWriter]:
    with live_writer(database) as writer:
        yield writer


def orders(database: Database) -> Counter[tuple[Any, ...]]:
    """Return customer, event, order id, products and value of each order."""
    of_event: dict[bytes, list[tuple[str, float]]] = {}
    for line in stored_lines(database):
        of_event.setdefault(line[0], []).append((line[3], line[6]))
    return Counter(
        (event[0], event[1], event[7], *(tuple(column) for column in zip(*sorted(of_event[event[6]]), strict=True)))
        for event in stored_events(database)
    )


def pen(customer: str = "ada", event: str = "Order Completed") -> tuple[Any, ...]:
    return customer, event, "o1", ("pen",), (5.0,)


def refund(user: str, message: str, product: str = "pen") -> dict[str, Any]:
    products = [{"product_id": product, "quantity": 1, "price": 5}]
    return track(user, "Order Refunded", message=message, order_id="o1", products=products)


def clear(database: Database) -> None:
    with database.write() as session:
        for table in ("order_line", "replaced_head", "event", "rescore_request", "customer", "rejected_row"):
            session.execute(text(f"DELETE FROM {table}"))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.permutations(MERGES).flatmap(lambda merges: st.lists(TELLINGS, min_size=2, max_size=5).flatmap(
    lambda tellings: st.permutations([*merges, *tellings])
)), at_once=st.booleans())  # fmt: skip
def test_whenever_ids_are_merged_orders_are_those_of_all_under_one_id(
    database: Database, told: list[tuple[Any, ...]], at_once: bool
) -> None:
    outcomes = []
    for one_id in (True, False):
        clear(database)
        requests = []
        for number, call in enumerate(told):
            if len(call) == 2:
                requests.append(request(identify(call[1], visitor=None if one_id else call[0])))
                continue
            user, order_id, source, has_message, day = call
            # What has no message id is another fact at another instant.
            message, day = (f"m{number}", day) if has_message else (None, 0)
            calls = [order("ada" if one_id else user, order_id, *PRODUCTS[order_id], message=message, day=day)]
            requests.append(request(*calls, source=source))
        with live_writer(database) as writer:
            for group in [requests] if at_once else [[each] for each in requests]:
                writer.write(group)
        assert not stored_rejections(database)
        outcomes.append(orders(database))
    assert outcomes[1] == outcomes[0]
    assert set(outcomes[0].values()) == {1}


def test_an_order_told_again_under_another_id_is_there_already(writer: LiveWriter, database: Database) -> None:
    writer.write([request(order("v1", "o1", "pen", message="m1"), identify("ada", visitor="v1"))])
    (result,) = writer.write([request(order("ada", "o1", "pen", message="t1", day=1), source="till")])
    assert (result.stored, result.already_there, result.rejected) == (0, 1, [])
    assert orders(database) == {pen(): 1}


def test_orders_that_both_have_are_one_if_their_lines_are_equal_though_told_at_other_instants(
    writer: LiveWriter, database: Database
) -> None:
    told = request(order("v1", "o1", "pen", message="m1"))
    writer.write([told, request(order("ada", "o1", "pen", message="t1", day=1), source="till")])
    (result,) = writer.write([request(alias("v1", "ada"))])
    assert (result.stored, result.rejected) == (1, [])
    (again,) = writer.write([told])
    assert (again.stored, again.already_there, again.rejected) == (0, 1, [])
    assert orders(database) == {pen(): 1}


@pytest.mark.parametrize("larger", ["v1", "ada"])
def test_of_two_orders_the_one_with_all_lines_of_the_other_stays(
    writer: LiveWriter, database: Database, larger: str
) -> None:
    for number, user in enumerate(("v1", "ada")):
        products = ("pen", "ink") if user == larger else ("pen",)
        writer.write([request(order(user, "o1", *products, message=f"m{number}"))])
    writer.write([request(alias("v1", "ada"))])
    assert orders(database) == {("ada", "Order Completed", "o1", ("ink", "pen"), (5.0, 5.0)): 1}


def test_orders_that_both_have_and_that_differ_both_stay_and_are_told(writer: LiveWriter, database: Database) -> None:
    writer.write([request(order("v1", "o1", "pen", message="m1"), order("ada", "o1", "ink", message="m2"))])
    merging = request(alias("v1", "ada"))
    (result,) = writer.write([merging])
    assert [(each.line, each.code, each.value) for each in result.rejected] == [(0, "order_conflict", "o1")]
    assert "1 orders of the same id with other lines" in result.rejected[0].reason
    assert [row[0] for row in stored_rejections(database)] == [0]
    assert root_ids(database) == {"v1": "ada", "ada": "ada"}
    assert sum(orders(database).values()) == 2
    (again,) = writer.write([merging])
    assert (again.stored, again.already_there, again.rejected) == (0, 1, [])


def test_an_order_is_compared_with_each_of_those_that_differ(writer: LiveWriter, database: Database) -> None:
    calls = [order(who, "o1", what, message=who) for who, what in (("ada", "pen"), ("v1", "ink"), ("v2", "ink"))]
    writer.write([request(*calls)])
    (differs,) = writer.write([request(alias("v1", "ada"))])
    assert [each.code for each in differs.rejected] == ["order_conflict"]
    (equals,) = writer.write([request(alias("v2", "ada"))])
    assert (equals.stored, equals.rejected) == (1, [])
    assert sum(orders(database).values()) == 2


def test_several_refunds_of_one_source_stay_and_one_of_two_sources_is_one(
    writer: LiveWriter, database: Database
) -> None:
    sent = [request(refund("v1", "m1")), request(refund("ada", "m2")), request(refund("v2", "t1"), source="till")]
    writer.write(sent)
    (result,) = writer.write([request(alias("v1", "ada"), alias("v2", "ada"))])
    assert result.rejected == []
    assert orders(database) == {pen(event="Order Refunded"): 2}
    assert [(each.stored, each.already_there) for each in writer.write(sent)] == [(0, 1)] * 3


def test_an_order_that_another_process_has_merged_meanwhile_is_found(writer: LiveWriter, database: Database) -> None:
    writer.write([request(order("v1", "o1", "pen", message="m1"), identify("ada"))])
    with live_writer(database) as other:
        other.write([request(alias("v1", "ada"))])
    (result,) = writer.write([request(order("ada", "o1", "pen", message="t1"), source="till")])
    assert (result.stored, result.already_there) == (0, 1)
    assert orders(database) == {pen(): 1}


def test_files_that_name_a_customer_by_several_ids_hold_one_order(
    writer: LiveWriter, ingest: Ingest, database: Database
) -> None:
    """As under one id: equal lines of one file are two, those of another file are there, and new ones are added."""
    writer.write([request(alias("v1", "ada"))])
    first = lines("v1,2024-01-05,o1,pen,1,5", "ada,2024-01-05,o1,pen,1,5")
    second = lines("ada,2024-01-05,o1,pen,1,5", "ada,2024-01-05,o1,ink,1,7")
    reports = [ingest(content, LINES, name=f"{i}.csv") for i, content in enumerate((first, second, first, second))]
    assert [(report.stored, report.already_there) for report in reports] == [(2, 0), (1, 1), (0, 2), (0, 2)]
    third = lines("v1,2024-01-05,o1,ink,1,7", "v1,2024-01-06,o1,ink,1,7")
    report = ingest(third, LINES, name="third.csv")
    assert (report.stored, report.already_there) == (1, 1)
    assert sum(orders(database).values()) == 1
    assert len(stored_lines(database)) == 4


def test_updates_of_both_stay(writer: LiveWriter, database: Database) -> None:
    products = [{"product_id": "pen", "quantity": 1, "price": 5}]
    sent = [
        request(track(user, "Order Updated", message=user, order_id="o1", products=products)) for user in ("v1", "ada")
    ]
    writer.write(sent)
    (result,) = writer.write([request(alias("v1", "ada"))])
    assert result.rejected == []
    assert [(each.stored, each.already_there) for each in writer.write(sent)] == [(0, 1)] * 2
    assert orders(database) == {pen(event="Order Updated"): 2}
