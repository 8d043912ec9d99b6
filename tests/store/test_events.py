"""Reading events: the same log whatever the order of storing and the engine, for one customer, a few, or all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND, EventLog
from features.line_log import STILL_HOLDS
from features.netting import net
from store.customer_keys import among
from store.engine import Database
from store.event_rows import read_raw_and_identities
from store.events import (
    CustomerKeys,
    find_customer,
    find_customers,
    read_chunks,
    read_events,
    read_log,
    unmatched_refunds,
)
from store.exceptions import UnknownCustomerError
from store.tables import Category, Customer, OrderLine
from tests.features.learnt import Learnt, attributes_of
from tests.features.same import assert_same_log
from tests.features.strategies import (
    CATEGORIES,
    CHANNELS,
    EVENT_TYPES,
    Row,
    as_rows_of_time,
    bought,
    did,
    microseconds,
    raw_events,
    refunded,
    to_log,
    updated,
)
from tests.store.builders import NOW, add_attributes, add_customers, add_facts
from tests.store.statements import statements_of

UTC_DAYS = LocalCalendar("UTC")
BERLIN_DAYS = LocalCalendar("Europe/Berlin")


def on(day: int, hour: int = 0) -> datetime:
    return NOW + timedelta(days=day, hours=hour)


def without_properties(log: EventLog) -> EventLog:
    return replace(log, properties=np.full_like(log.properties, -1), property_texts=())


def all_customers(session: Session) -> CustomerKeys:
    return find_customers(session, session.scalars(select(Customer.customer_id)).all())


def entries(database: Database, facts: Sequence[Row]) -> list[tuple[int, int, bool, float]]:
    """Store facts of one customer; return kind, order, is_purchase and value of each entry that is read."""
    add_facts(database, facts)
    log = read_log(database, UTC_DAYS)
    columns = (log.kind, log.order, log.is_purchase, log.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def random_facts(seed: int, *, customers: int, facts: int) -> list[Row]:
    """Orders of one and more lines, late lines, refunds of every kind, and other events; ties in time are common."""
    by = random.Random(seed)
    drawn = []
    for _ in range(facts):
        at = on(by.randint(0, 30), by.choice((0, 12, 22, 23)))
        customer = f"customer {by.randint(1, customers)}"
        order = by.choice((None, "A", "B", "Ł"))
        fact = Row(
            at,
            "order",
            order,
            product=by.choice((None, 1, 2, 3)),
            quantity=by.choice((None, 1.0, 2.0, 0.5)),
            value=by.choice((0.0, 5.0, 9.96, 0.1, 1200.0)) if by.random() < 0.9 else None,
            customer=customer,
            # Lines of one order have its channel.
            channel=by.choice((None, *CHANNELS)) if order is None else {"A": None, "B": "web", "Ł": "store"}[order],
        )
        kind = by.random()
        if kind < 0.6:
            drawn.append(replace(fact, category=by.choice((None, *CATEGORIES)), discount=by.choice((None, 0.0, 0.5))))
        elif kind < 0.85:
            drawn.append(replace(fact, action="refund"))
        else:
            event, properties = by.choice(EVENT_TYPES[4:]), by.choice((None, '{"a": 1}', '{"a": 2}'))
            drawn.append(did(at, fact.value, customer, event=event, channel=fact.channel, properties=properties))
    return drawn


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_stored_in_any_order_are_read_as_the_log_that_netting_makes_of_them_bit_for_bit(
    database: Database, seed: int
) -> None:
    facts = random_facts(seed, customers=40, facts=900)
    add_facts(database, facts, seed=seed, key_gap=3)
    expected = without_properties(to_log(facts, "Europe/Berlin"))
    assert {ORDER, ADJUSTMENT, UNMATCHED_REFUND, OTHER} == set(expected.kind.tolist())

    assert_same_log(read_log(database, BERLIN_DAYS), expected)
    with database.read() as session:
        customers = all_customers(session)
        assert_same_log(read_events(session, customers, BERLIN_DAYS), expected)
        one = find_customer(session, "customer 7")
        alone = to_log([fact for fact in facts if fact.customer == "customer 7"], "Europe/Berlin")
        assert_same_log(read_events(session, one, BERLIN_DAYS), without_properties(alone))
        found = unmatched_refunds(session, customers.keys.tolist())
    in_time = as_rows_of_time(facts)
    unmatched = np.flatnonzero(net(raw_events([facts[i] for i in in_time]), UTC_DAYS)[1]).tolist()
    assert found == {in_time[position].to_bytes(16, "big") for position in unmatched}


def test_lines_of_one_order_are_one_order_and_a_late_one_acts_from_its_own_time(database: Database) -> None:
    facts = [
        bought(on(3), 5.0, order="A", product=2, quantity=1.0),
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(1), 2.5, order="A"),
        bought(on(2), 7.0),
    ]
    assert entries(database, facts) == [(ORDER, 0, True, 12.5), (ORDER, 1, True, 7.0), (ADJUSTMENT, 0, True, 5.0)]


def test_a_refund_by_order_takes_from_that_order_and_one_by_product_from_the_newest_line(database: Database) -> None:
    facts = [
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(2), 20.0, order="B", product=1, quantity=2.0),
        refunded(on(3), 10.0, order="A", product=1, quantity=1.0),
        refunded(on(4), 10.0, order="C1", product=1, quantity=1.0),
    ]
    assert entries(database, facts) == [
        (ORDER, 0, True, 10.0),
        (ORDER, 1, True, 20.0),
        (ADJUSTMENT, 0, False, -10.0),
        (ADJUSTMENT, 1, True, -10.0),
    ]


def test_an_update_replaces_its_order_from_its_own_time_on(database: Database) -> None:
    facts = [
        updated(on(3), 4.0, order="A", product=2),
        bought(on(1), 10.0, order="A", product=1),
        updated(on(4), order="A"),
        updated(on(2), 6.0, order="B"),
        refunded(on(5), product=2),
    ]
    assert entries(database, facts) == [
        (ORDER, 0, True, 10.0),
        (ORDER, 1, True, 6.0),
        (ADJUSTMENT, 0, True, -6.0),
        (OTHER, -1, False, 0.0),
        (ADJUSTMENT, 0, False, -4.0),
    ]
    lines = read_log(database, UTC_DAYS).lines
    assert lines.until.tolist() == [microseconds(on(3)), STILL_HOLDS, STILL_HOLDS]
    assert lines.ordered_at.tolist() == [microseconds(on(day)) for day in (1, 2, 1)]


def test_a_refund_of_a_value_only_lowers_value_where_it_names_no_order_and_its_order_where_it_does(
    database: Database,
) -> None:
    facts = [bought(on(1), 10.0, order="A"), refunded(on(2), 4.0), refunded(on(3), 3.0, order="A")]
    found = entries(database, facts)
    assert found[1:] == [(UNMATCHED_REFUND, -1, False, -4.0), (ADJUSTMENT, 0, True, -3.0)]
    with database.read() as session:
        assert unmatched_refunds(session, [1]) == {(1).to_bytes(16, "big")}


def test_where_there_are_lines_the_value_is_theirs_even_if_they_have_none(database: Database) -> None:
    add_facts(database, [bought(on(1), 10.0, order="A"), bought(on(2), 6.0)])
    with database.write() as session:
        session.execute(update(OrderLine).values(value=None))
        session.execute(text("UPDATE event SET value = 99 WHERE order_id = 'A'"))
    assert read_log(database, UTC_DAYS).value.tolist() == [0.0, 6.0]


def test_chunks_cover_all_customers_once_across_gaps_in_their_keys(database: Database) -> None:
    facts = random_facts(2, customers=50, facts=300)
    add_facts(database, facts, key_gap=7)
    add_customers(database, ["silent", "far away"], [351, 1_000])
    learnt = [Learnt(customer, "age", float(i)) for i, customer in enumerate(["silent", facts[0].customer])]
    add_attributes(database, learnt)
    expected = without_properties(to_log(facts, customer_ids=["silent", "far away"]))
    expected = replace(expected, attributes=attributes_of(learnt, expected.customer_ids))

    for customers_a_chunk in (20, 999, 20_000):
        chunks = list(read_chunks(database, UTC_DAYS, customers_a_chunk))
        assert all(list(customers.customer_ids) == sorted(customers.customer_ids) for customers, _, _ in chunks)
        assert all(customers.customer_ids == log.customer_ids for customers, log, _ in chunks)
        assert_same_log(EventLog.concatenate([log for _, log, _ in chunks], UTC_DAYS), expected)
        done = [share for _, _, share in chunks]
        assert done == sorted(done)
        assert done[-1] == 1.0


def test_progress_of_reading_all_ends_at_one(database: Database) -> None:
    add_facts(database, [bought(on(1), 10.0)])
    told: list[float] = []
    read_log(database, UTC_DAYS, told.append)
    assert told == [1.0]


def test_an_empty_database_is_an_empty_log(database: Database) -> None:
    log = read_log(database, UTC_DAYS)
    assert (log.n_customers, len(log.value), log.event_types, log.last_purchase_day()) == (0, 0, (), None)


def test_customers_without_events_are_in_the_log(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    with database.read() as session:
        log = read_events(session, all_customers(session), UTC_DAYS)
        nobody = read_events(session, find_customers(session, []), UTC_DAYS)
        assert unmatched_refunds(session, []) == set()
    assert (log.customer_ids, log.offsets.tolist()) == (("ada", "bob"), [0, 0, 0])
    assert (nobody.customer_ids, nobody.offsets.tolist()) == ((), [0])


def test_ids_ascend_by_code_point_on_both_engines(database: Database) -> None:
    ids = ["ä", "a", "B", "Z", "🦊", "_", "Ａ", "a b", "a-b", "10", "9", "\u00c9", "E\u0301"]
    keys = add_customers(database, ids)
    with database.read() as session:
        found = find_customers(session, ids)
    assert list(found.customer_ids) == sorted(ids)
    assert found.keys.tolist() == [keys[customer_id] for customer_id in sorted(ids)]
    (chunk,) = read_chunks(database, UTC_DAYS)
    assert chunk[0].customer_ids == found.customer_ids
    assert chunk[0].keys.tolist() == found.keys.tolist()


def test_ids_are_found_exactly_as_written_each_once_and_those_that_nobody_has_are_left_out(database: Database) -> None:
    ids = [f"customer {i}" for i in range(1_200)]
    add_customers(database, [*ids, "a", "O'Neill", "50%", "x/y", ":name"])
    with database.read() as session:
        assert find_customers(session, ["a", "A", "b", " a", "a"]).customer_ids == ("a",)
        awkward = ("50%", ":name", "O'Neill", "x/y")
        assert find_customers(session, awkward).customer_ids == awkward
        assert list(find_customers(session, ids).customer_ids) == sorted(ids)


def test_an_id_that_nobody_has_is_said_so_whatever_characters_it_has(database: Database) -> None:
    add_customers(database, ["a"])
    with database.read() as session:
        for customer_id in ("nobody", "", "a\0", "\ud800", "a\udfff", "x" * 100_000):
            with pytest.raises(UnknownCustomerError, match=r"^No customer has the id '"):
                find_customer(session, customer_id)


def test_the_events_of_one_customer_are_read_by_index(database: Database) -> None:
    add_facts(database, random_facts(3, customers=200, facts=2_000))
    with database.write() as session:
        session.execute(text("ANALYZE"))
    with database.read() as session, statements_of(database) as statements:
        read_events(session, find_customer(session, "customer 7"), UTC_DAYS)
    plans = [(statement, plan) for statement, plan in statements.plans(database) if "customer_key" in statement]
    assert [statement.split(" FROM ")[1].split(" WHERE ")[0] for statement, _ in plans] == [
        "event e",
        "event e JOIN order_line l ON l.event_id = e.id",
        "customer_attribute",
    ]
    assert all("ix_event_customer_key_occurred_at" in plan for _, plan in plans[:2])
    assert not any("SCAN" in plan or "Seq Scan" in plan for _, plan in plans)


def test_rows_come_in_the_order_of_customer_time_and_identity_that_the_engine_itself_gives_them(
    database: Database,
) -> None:
    add_facts(database, random_facts(4, customers=5, facts=1_500), seed=4, key_gap=5)
    by_engine = text(
        "SELECT c.customer_id, coalesce(l.occurred_at, e.occurred_at), coalesce(l.identity, e.identity) "
        "FROM event e JOIN customer c ON c.id = e.customer_key LEFT JOIN order_line l ON l.event_id = e.id "
        "ORDER BY 1, 2, 3"
    )
    with database.read() as session:
        customers = all_customers(session)
        raw, identities = read_raw_and_identities(session, customers, among(customers.keys))
        expected = [(row[0], row[1], bytes(row[2])) for row in session.execute(by_engine)]
    ids = [customers.customer_ids[position] for position in raw.customer]
    assert list(zip(ids, raw.occurred_at.tolist(), identities, strict=True)) == expected
    assert len({row[:2] for row in expected}) < len(expected) / 2


def test_properties_are_read_of_the_events_asked_for_only(database: Database) -> None:
    facts = [
        did(on(1), properties='{"plan": "plus"}'),
        did(on(2), event="Session Started", properties='{"page": "home"}'),
        did(on(3), properties='{"plan": "basic"}'),
        did(on(4)),
        bought(on(5), 3.0, order="A", product=1),
    ]
    add_facts(database, facts)
    plain = read_log(database, UTC_DAYS)
    assert (plain.properties.tolist(), plain.property_texts) == ([-1] * 5, ())
    log = read_log(database, UTC_DAYS, properties_of=["Product Viewed", "Never Sent"])
    assert log.properties.tolist() == [1, -1, 0, -1, -1]
    assert log.property_texts == ('{"plan": "basic"}', '{"plan": "plus"}')
    (chunk,) = read_chunks(database, UTC_DAYS, properties_of=["Session Started"])
    assert chunk[1].property_texts == ('{"page": "home"}',)


def test_only_the_categories_of_the_customers_read_are_in_their_log(database: Database) -> None:
    add_facts(database, [bought(on(1), 1.0, category=CATEGORIES[1]), bought(on(1), 1.0, customer="d", product=1)])
    with database.read() as session:
        assert read_events(session, find_customer(session, "c"), UTC_DAYS).lines.categories == (CATEGORIES[1],)
        assert read_events(session, find_customer(session, "d"), UTC_DAYS).lines.categories == ()


def test_more_categories_than_fit_one_statement_are_read(database: Database) -> None:
    add_facts(database, [bought(on(1), float(i), product=1) for i in range(5_100)])
    texts = {i: f'{{"shelf": "{i:04}"}}' for i in range(101, 5_201)}
    with database.write() as session:
        session.execute(insert(Category), [{"id": i, "levels": levels} for i, levels in texts.items()])
        session.execute(text("UPDATE order_line SET category_id = 101 + value"))
    lines = read_log(database, UTC_DAYS).lines
    assert [lines.categories[code] for code in lines.category] == list(texts.values())
