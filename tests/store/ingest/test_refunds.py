"""Refunds: how they are told, how they are stored, and how many find no line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from store.engine import Database
from store.exceptions import IngestError
from store.ingest import EventMapping
from store.ingest.identity import order_key
from tests.store.ingest.conftest import EVENTS, LINES, Ingest, events, lines
from tests.store.ingest.stored import stored_events, stored_lines

PREFIXED = replace(LINES, cancelled_order_prefix="C")


def test_a_cancelled_order_prefix_makes_a_refund_that_names_the_rest(ingest: Ingest, database: Database) -> None:
    ingest(lines("anna,2024-01-05,100,pen,2,3.00", "anna,2024-01-07,C100,pen,-1,-1.50"), PREFIXED)
    bought, refunded = sorted(stored_events(database), key=lambda event: event[2])
    assert (bought[1], bought[7], bought[8]) == ("Order Completed", "100", order_key("100"))
    assert (refunded[1], refunded[7], refunded[8]) == ("Order Refunded", "C100", order_key("100"))
    assert {line[5:7] for line in stored_lines(database)} == {(2.0, 3.0), (1.0, 1.5)}


def test_a_negative_quantity_is_a_refund_of_its_own_order(ingest: Ingest, database: Database) -> None:
    ingest(lines("anna,2024-01-05,100,pen,2,3.00", "anna,2024-01-07,100,pen,-1,-1.50"))
    assert [(event[1], event[8]) for event in sorted(stored_events(database), key=lambda event: event[2])] == [
        ("Order Completed", order_key("100")),
        ("Order Refunded", order_key("100")),
    ]


def test_a_negative_value_is_a_refund_only_without_a_quantity(ingest: Ingest, database: Database) -> None:
    ingest(events("anna,2024-01-05,-3"), EVENTS)
    ingest(lines("anna,2024-01-05,100,voucher,1,-5.00"))
    assert [(event[1], event[9]) for event in stored_events(database)] == [
        ("Order Completed", None),
        ("Order Refunded", 3.0),
    ]
    assert [line[6] for line in stored_lines(database)] == [-5.0]


def test_an_order_of_value_0_is_a_purchase(ingest: Ingest, database: Database) -> None:
    ingest(events("anna,2024-01-05,0", "anna,2024-01-05,-0.0"), EVENTS)
    assert {(event[1], event[9]) for event in stored_events(database)} == {("Order Completed", 0.0)}


def test_unmatched_refunds_of_this_run_are_counted(ingest: Ingest) -> None:
    first = ingest(
        lines("anna,2024-01-05,100,pen,2,3.00", "anna,2024-01-07,C7,pen,-1,-1.50", "anna,2024-01-07,C8,ink,-1,-1.50"),
        PREFIXED,
    )
    assert first.unmatched_refunds == 1
    second = ingest(lines("ben,2024-01-07,C9,pen,-1,-1.50"), PREFIXED)
    assert second.unmatched_refunds == 1


def test_the_file_of_orders_may_come_after_that_of_refunds(ingest: Ingest, database: Database) -> None:
    refund = ingest(lines("anna,2024-01-07,C7,pen,-1,-1.50"), PREFIXED)
    assert refund.unmatched_refunds == 1
    ingest(lines("anna,2024-01-05,100,pen,2,3.00"), PREFIXED)
    assert refund.refunds.count_unmatched(database) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit_price": "p"}, "needs a quantity"),
        ({"cancelled_order_prefix": "C"}, "needs order ids"),
        ({"cancelled_order_prefix": "", "order_id": "o"}, "every order a refund"),
        ({"source": " "}, "1 to 255 characters for the source"),
        ({"properties": ("a", "a")}, "named twice"),
        ({"discounts": ("a", "a")}, "A discount column is named twice"),
        ({"date_format": "%Q"}, "does not say year, month and day"),
        ({"date_format": "%H:%M"}, "does not say year, month and day"),
        ({"value": "a\ud800"}, "can't be printed"),
        ({"customer_id": ":row", "order_id": "order"}, "no two can be lines of one order"),
        ({"occurred_at": ":row"}, "can stand for the customer id only"),
        ({"value": ":row"}, "can stand for the customer id only"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(IngestError, match=message):
        EventMapping(**{"customer_id": "who", "occurred_at": "at", **options})  # type: ignore[arg-type]
