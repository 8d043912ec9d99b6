"""Versions of attributes: what was last learnt before an instant, and nothing learnt since."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import Attributes, as_date, as_number, as_text
from tests.features.learnt import FIRST_LEARNT, Learnt, attributes_of, learnings
from tests.features.same import assert_same_attributes, meanings
from tests.features.strategies import EPOCH, PROPERTY, microseconds

CUSTOMERS = ("ada", "bob", "Łucja")


@PROPERTY
@given(learnings(), st.integers(-1, 8))
def test_the_value_at_an_instant_is_the_last_one_learnt_before_it(learnt: list[Learnt], days: int) -> None:
    as_of = microseconds(FIRST_LEARNT + timedelta(days=days))
    attributes = attributes_of(learnt, CUSTOMERS)
    for name, column in attributes.columns.items():
        for customer, value in zip(CUSTOMERS, column.at(as_of).tolist(), strict=True):
            mine = [each for each in learnt if (each.name, each.customer) == (name, customer)]
            # Sorting is stable: of equal instants the last one counts.
            known = sorted((each for each in mine if each.learnt_at < as_of), key=lambda each: each.learnt_at)
            if not known:
                assert np.isnan(value)
            elif isinstance(expected := known[-1].value, str):
                assert column.texts[int(value)] == expected
            else:
                assert value == ((expected - EPOCH.date()).days if isinstance(expected, date) else expected)


@PROPERTY
@given(learnings(), st.integers(-1, 8))
def test_what_was_known_before_an_instant_is_all_that_counts_then(learnt: list[Learnt], days: int) -> None:
    as_of = microseconds(FIRST_LEARNT + timedelta(days=days))
    attributes = attributes_of(learnt, CUSTOMERS)
    before = attributes.before(as_of)
    assert_same_attributes(before, attributes_of([each for each in learnt if each.learnt_at < as_of], CUSTOMERS))
    for name, column in attributes.columns.items():
        assert before.columns[name].at(as_of).tobytes() == column.at(as_of).tobytes()


@PROPERTY
@given(learnings(), st.randoms(use_true_random=False))
def test_attributes_of_some_customers_joined_are_those_of_all(learnt: list[Learnt], random: Random) -> None:
    attributes = attributes_of(learnt, CUSTOMERS)
    positions = list(range(len(CUSTOMERS)))
    random.shuffle(positions)
    parts = [attributes_of([e for e in learnt if e.customer == CUSTOMERS[i]], [CUSTOMERS[i]]) for i in positions]
    joined = Attributes.concatenate(parts)
    back = np.argsort(positions)
    assert_same_attributes(joined.take(back), attributes)
    assert_same_attributes(Attributes.concatenate([attributes.take([i]) for i in positions]).take(back), attributes)


def test_joining_nothing_gives_the_attributes_of_nobody() -> None:
    assert_same_attributes(Attributes.concatenate([]), Attributes.empty(0))


def test_an_attribute_that_only_some_parts_have_keeps_its_kind() -> None:
    parts = [Attributes.empty(2), attributes_of([Learnt("ada", "age", 34.0)], ["ada"])]
    column = Attributes.concatenate(parts).columns["age"]
    assert (column.kind, column.offsets.tolist(), column.values.tolist()) == ("number", [0, 0, 0, 1], [34.0])


def test_kinds_that_differ_are_joined_as_categories_with_numbers_and_dates_as_they_are_written() -> None:
    parts = [
        attributes_of([Learnt("a", "x", 34.0), Learnt("b", "x", 0.5)], ["a", "b"]),
        attributes_of([Learnt("c", "x", "34")], ["c"]),
        attributes_of([Learnt("d", "x", date(2024, 2, 29))], ["d"]),
    ]
    column = Attributes.concatenate(parts).columns["x"]
    assert column.kind == "category"
    assert column.texts == ("0.5", "2024-02-29", "34")
    assert meanings(column.values.astype(np.int64), column.texts) == ["34", "0.5", "34", "2024-02-29"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_back_from_its_text(number: float) -> None:
    assert as_number(as_text(number)) == number


@given(st.dates())
def test_every_date_is_read_back_from_its_text(day: date) -> None:
    assert as_date(day.isoformat()) == (day - EPOCH.date()).days


@pytest.mark.parametrize("text", ["", "nan", "inf", "-Infinity", "1e3", "1_000", " 5", "5 ", "007", "5.0", "٣", "Tea"])
def test_a_text_that_no_number_is_written_as_is_no_number(text: str) -> None:
    assert as_number(text) is None


@pytest.mark.parametrize("text", ["", "2024", "2024-02-30", "20240229", "2024-W09-4", "2024-02-29T00:00", "34"])
def test_a_text_that_no_date_is_written_as_is_no_date(text: str) -> None:
    assert as_date(text) is None
