"""Reading attributes: all versions of some or all customers, whatever files they came from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from features.attributes import Attributes
from store.customer_keys import CustomerKeys, between, find_customers
from store.customers import read_attributes
from store.engine import Database
from tests.features.learnt import Learnt, attributes_of
from tests.features.same import assert_same_attributes, meanings
from tests.store.builders import add_attributes, add_customers

CUSTOMERS = ("Łucja", "ada", "bob", "zoe")
LEARNT = datetime(2024, 3, 1, tzinfo=UTC)

FACTS = [
    Learnt("bob", "contract", "monthly"),
    Learnt("bob", "contract", "yearly", LEARNT),
    Learnt("bob", "contract", "monthly", LEARNT + timedelta(days=9)),
    Learnt("ada", "contract", "yearly", LEARNT),
    Learnt("Łucja", "contract", "ährlich"),
    Learnt("ada", "age", 34.0),
    Learnt("bob", "age", -0.5),
    Learnt("Łucja", "since", date(2024, 2, 29)),
    Learnt("ada", "since", date(1969, 12, 31)),
]


@pytest.fixture
def stored(database: Database) -> Database:
    add_customers(database, CUSTOMERS, [40, 10, 30, 20])
    add_attributes(database, FACTS)
    return database


def _read(database: Database, customer_ids: tuple[str, ...], which: str | None = None) -> Attributes:
    with database.read() as session:
        return read_attributes(session, find_customers(session, customer_ids), which)


def test_all_versions_are_read_ascending_by_customer_and_when_they_were_learnt(stored: Database) -> None:
    everybody = tuple(sorted(CUSTOMERS))
    assert_same_attributes(_read(stored, everybody), attributes_of(FACTS, everybody))
    assert_same_attributes(_read(stored, everybody, between(1, 40)), attributes_of(FACTS, everybody))


def test_of_some_customers_only_theirs_are_read(stored: Database) -> None:
    some = ("bob", "zoe")
    expected = attributes_of([fact for fact in FACTS if fact.customer in some], some)
    assert_same_attributes(_read(stored, some), expected)
    assert_same_attributes(_read(stored, some, between(20, 30)), expected)


def test_customers_of_whom_nothing_was_learnt_have_no_attributes(stored: Database) -> None:
    assert_same_attributes(_read(stored, ("zoe",)), Attributes.empty(1))
    with stored.read() as session:
        nobody = read_attributes(session, CustomerKeys((), np.empty(0, dtype=np.int64)))
    assert_same_attributes(nobody, Attributes.empty(0))


def test_an_attribute_that_came_as_different_kinds_is_a_category_as_it_is_of_logs_that_are_joined(
    database: Database,
) -> None:
    add_customers(database, ["a", "b", "c"])
    facts = [Learnt("a", "x", 34.0), Learnt("b", "x", "34"), Learnt("c", "x", date(2024, 2, 29)), Learnt("c", "y", 1.0)]
    add_attributes(database, facts)
    found = _read(database, ("a", "b", "c"))
    assert (found.columns["x"].kind, found.columns["y"].kind) == ("category", "number")
    values = found.columns["x"].values.astype(np.int64)
    assert meanings(values, found.columns["x"].texts) == ["34", "34", "2024-02-29"]
    alone = [attributes_of([fact for fact in facts if fact.customer == customer], [customer]) for customer in "abc"]
    assert_same_attributes(found, Attributes.concatenate(alone))
