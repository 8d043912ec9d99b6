"""What a business has and since when, its usual prices, and which of its events and attributes are taken up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attribute_reference import MAX_ATTRIBUTES, AttributeReference
from features.attributes import Attributes
from features.event_log import EventLog
from features.reference import MAX_EVENT_NAMES, NOTHING, Reference
from features.slug import slug
from features.windows import Snapshot
from tests.features.learnt import FIRST_LEARNT, Learnt, attributes_of, learnings
from tests.features.strategies import (
    CATEGORIES,
    EPOCH,
    PROPERTY,
    TIMEZONES,
    Row,
    bought,
    did,
    histories,
    microseconds,
    refunded,
    snapshot_days,
    to_log,
)

CAKE, TEA, GARDEN = CATEGORIES


def _day(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)


def _number(day: int) -> int:
    return (_day(day) - EPOCH).days


def reference_of(rows: Sequence[Row], day: int = 100) -> Reference:
    log = to_log(rows)
    return Reference.of(log, Snapshot.at(_day(day), log.calendar))


def with_attributes(learnt: Sequence[Learnt]) -> EventLog:
    customer_ids = sorted({each.customer for each in learnt})
    log = to_log([], customer_ids=customer_ids)
    return replace(log, attributes=attributes_of(learnt, customer_ids))


def attributes_reference(learnt: Sequence[Learnt]) -> Reference:
    log = with_attributes(learnt)
    return Reference.of(log, Snapshot.at(_day(100), log.calendar))


@PROPERTY
@given(histories(), snapshot_days(), st.integers(0, 24 * 60), st.sampled_from(TIMEZONES))
def test_each_kind_of_data_begins_on_the_first_local_day_on_which_it_is_known(
    history: list[Row], day: int, minutes: int, timezone: str
) -> None:
    as_of, zone = EPOCH + timedelta(days=day, minutes=minutes), ZoneInfo(timezone)
    log = to_log(history, timezone)
    rows = [row for row in history if row.at < as_of]
    orders = {(row.customer, row.order or position): row for position, row in enumerate(rows) if row.action == "order"}
    firsts = [
        min((row for row in rows if row.action == "order" and _of_order(row, key)), key=lambda row: row.at)
        if isinstance(key[1], str)
        else row
        for key, row in orders.items()
    ]
    lines = [row for row in rows if row.action == "order" and row.is_line]
    events = [row for row in rows if row.action == "other"]
    having = {
        "purchases": firsts,
        "lines": lines,
        "categories": [row for row in lines if row.category is not None],
        "discounts": [row for row in lines if row.discount is not None],
        "prices": [row for row in lines if row.category is not None and row.value and row.quantity],
        "channels": [row for row in rows if row.channel is not None],
        "hours": [row for row in firsts if row.at.astimezone(zone).hour or row.at.astimezone(zone).minute],
        "refunds": [row for row in rows if row.action == "refund"],
        "events": events,
        "event.product_viewed": [row for row in events if slug(row.name) == "product_viewed"],
        "event.session_started": [row for row in events if slug(row.name) == "session_started"],
    }
    expected = {
        kind: min((row.at.astimezone(zone).date() - EPOCH.date()).days for row in some)
        for kind, some in having.items()
        if some
    }
    found = dict(Reference.of(log, Snapshot.at(as_of, log.calendar)).first_days)
    assert found == expected


def _of_order(row: Row, key: tuple[str, object]) -> bool:
    return (row.customer, row.order) == key


@PROPERTY
@given(histories(), learnings(), snapshot_days())
def test_nothing_at_or_after_the_snapshot_changes_a_reference(
    history: list[Row], learnt: list[Learnt], day: int
) -> None:
    full = to_log(history, customer_ids=["ada", "bob", "Łucja"])
    snapshot = Snapshot.at_midnight(day, full.calendar)
    known = to_log([row for row in history if microseconds(row.at) < snapshot.as_of], customer_ids=full.customer_ids)
    learnt_by_then = [each for each in learnt if each.learnt_at < snapshot.as_of]
    full, known = (
        replace(log, attributes=attributes_of(some, log.customer_ids))
        for log, some in ((full, learnt), (known, learnt_by_then))
    )
    assert json.dumps(Reference.of(full, snapshot).to_dict()) == json.dumps(Reference.of(known, snapshot).to_dict())


@PROPERTY
@given(histories())
def test_usual_prices_are_the_medians_that_pandas_finds(history: list[Row]) -> None:
    log = to_log(history)
    lines = [row for row in history if row.action == "order" and row.category and row.value and row.quantity]
    prices = pd.DataFrame(
        [(json.loads(row.category or "")["department"], (row.value or 0) / (row.quantity or 1)) for row in lines],
        columns=["category", "price"],
    )
    found = Reference.of(log, Snapshot.at_midnight(40_000, log.calendar)).unit_prices
    assert found == prices.groupby("category")["price"].median().to_dict()


@PROPERTY
@given(histories(), learnings())
def test_a_reference_is_made_again_from_its_json(history: list[Row], learnt: list[Learnt]) -> None:
    log = to_log(history, customer_ids=["ada", "bob", "Łucja"])
    many = attributes_of([replace(each, customer=f"{each.customer}{i}") for each in learnt for i in range(5)], _MANY)
    log = replace(to_log([], customer_ids=_MANY), attributes=many) if learnt else log
    reference = Reference.of(log, Snapshot.at_midnight(40_000, log.calendar))
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


_MANY = tuple(sorted(f"{customer}{i}" for customer in ("ada", "bob", "Łucja") for i in range(5)))


def test_of_nothing_only_purchases_are_known_and_those_always() -> None:
    assert NOTHING.first_days.keys() == {"purchases"}
    assert NOTHING.first_days["purchases"] < _number(0) - 100_000
    assert Reference.from_dict(NOTHING.to_dict()) == NOTHING


def test_a_business_without_data_has_none_of_any_kind() -> None:
    assert reference_of([]) == Reference(first_days={})


def test_a_late_line_is_no_refund() -> None:
    late = [bought(_day(1), 5.0, order="A"), bought(_day(9), 3.0, order="A")]
    assert "refunds" not in reference_of(late).first_days
    assert reference_of([*late, refunded(_day(12), 1.0, order="A")]).first_days["refunds"] == _number(12)
    assert reference_of([*late, refunded(_day(13), 1.0)]).first_days["refunds"] == _number(13)


def test_orders_at_local_midnight_tell_no_hour() -> None:
    assert "hours" not in reference_of([bought(_day(1), 5.0)]).first_days
    assert reference_of([bought(_day(1), 5.0), bought(_day(2, 7), 5.0)]).first_days["hours"] == _number(2)


def test_a_date_without_a_time_tells_no_hour_where_its_day_begins_at_one_o_clock() -> None:
    log = to_log([bought(datetime(2024, 3, 10, 5, tzinfo=UTC), 5.0)], "America/Havana")  # clocks went from 0 to 1
    assert log.calendar.midnight(int(log.day[0])) == log.occurred_at[0]
    assert "hours" not in Reference.of(log, Snapshot.at(_day(100), log.calendar)).first_days


def test_a_family_of_events_has_the_first_of_its_names_in_code_point_order_and_all_of_its_days() -> None:
    reference = reference_of(
        [did(_day(3), event="product_viewed"), did(_day(5)), did(_day(7), event="Session Started")]
    )
    assert reference.event_names == {"product_viewed": "Product Viewed", "session_started": "Session Started"}
    assert reference.first_days["event.product_viewed"] == _number(3)
    assert reference.left_out == ()


def test_a_name_that_only_occurs_later_names_nothing() -> None:
    reference = reference_of([did(_day(3), event="product_viewed"), did(_day(5))], day=4)
    assert reference.event_names == {"product_viewed": "product_viewed"}


def _with_names(names: Sequence[str], counts: Sequence[int]) -> EventLog:
    """Make a log with so many events of each name, names ascending."""
    log = to_log([did(_day(1)) for _ in range(sum(counts))])
    codes = np.repeat(np.arange(len(names), dtype=np.int16), counts)
    return replace(log, event_type=codes, event_types=tuple(names))


def test_the_most_frequent_names_are_taken_up_ties_by_name_and_the_others_are_told() -> None:
    names = [f"Event {i:02}" for i in range(MAX_EVENT_NAMES + 3)]
    log = _with_names(names, [1, 2, *([3] * (MAX_EVENT_NAMES - 1)), 2, 2])
    reference = Reference.of(log, Snapshot.at(_day(9), log.calendar))
    assert set(reference.event_names.values()) == set(names) - {"Event 00", "Event 41", "Event 42"}
    assert reference.left_out == (
        "event Event 41: not among the 40 most frequent",
        "event Event 42: not among the 40 most frequent",
        "event Event 00: not among the 40 most frequent",
    )


def test_an_event_whose_name_has_no_letter_is_left_out() -> None:
    log = _with_names(["!?", "Viewed"], [2, 1])
    reference = Reference.of(log, Snapshot.at(_day(9), log.calendar))
    assert reference.event_names == {"viewed": "Viewed"}
    assert reference.left_out == ("event !?: its name has no letter and no digit",)


def _learn(name: str, values: Sequence[float | str | date]) -> list[Learnt]:
    return [Learnt(f"c{i:04}", name, value) for i, value in enumerate(values)]


def test_categories_that_enough_customers_have_are_taken_up_in_code_point_order() -> None:
    reference = attributes_reference(_learn("plan", ["plus"] * 5 + ["basic"] * 6 + ["rare"] * 4))
    assert reference.attributes == {"plan": AttributeReference("category", ("basic", "plus"))}


def test_numbers_and_dates_are_taken_up_as_such() -> None:
    reference = attributes_reference([*_learn("age", [34.0]), *_learn("since", [date(2024, 1, 1)])])
    assert reference.attributes == {"age": AttributeReference("number"), "since": AttributeReference("date")}


def test_texts_that_customers_hardly_share_are_left_out_as_ids() -> None:
    reference = attributes_reference([*_learn("name", [f"n{i:03}" for i in range(101)] * 5), *_learn("x", ["a"] * 4)])
    assert reference.attributes == {}
    assert reference.left_out == (
        "attribute name: 101 categories of few customers each, as ids have",
        "attribute x: no category has at least 5 customers",
    )


def test_of_very_many_categories_the_most_frequent_are_taken_up() -> None:
    often = [f"n{i:03}" for i in range(201)] * 20
    reference = attributes_reference(_learn("town", ["n200", *often]))
    assert reference.attributes["town"].categories == (*(f"n{i:03}" for i in range(199)), "n200")


def test_the_attributes_that_most_customers_have_are_taken_up_ties_by_name() -> None:
    names = [f"a{i:03}" for i in range(MAX_ATTRIBUTES + 1)]
    reference = attributes_reference([*(Learnt("c", name, 1.0) for name in names), Learnt("d", names[-1], 1.0)])
    assert set(reference.attributes) == set(names) - {names[-2]}
    assert reference.left_out == ("attribute a199: not among the 200 that most customers have",)


def test_of_attributes_whose_features_would_have_one_name_the_one_that_more_customers_have_is_taken_up() -> None:
    reference = attributes_reference([*_learn("a b", [1.0]), *_learn("a_b", [1.0, 2.0])])
    assert set(reference.attributes) == {"a_b"}
    assert reference.left_out == ("attribute a b: the name of another one differs in white space or punctuation only",)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["34", "0.5"], "number"),
        (["2024-02-29", "1969-12-31"], "date"),
        (["34", "2024-02-29", "34", "34", "34", "34"], "category"),
        (["34", "007", "34", "34", "34", "34"], "category"),
    ],
)
def test_categories_that_all_read_as_numbers_or_dates_are_taken_up_as_such(texts: list[str], kind: str) -> None:
    assert attributes_reference(_learn("x", texts)).attributes["x"].kind == kind


def test_what_is_learnt_later_does_not_change_what_kind_an_attribute_is() -> None:
    later = _day(50)
    learnt = [*_learn("x", ["34", "35"]), Learnt("c0000", "x", "thirty-four", later)]
    log = with_attributes(learnt)
    before, after = (Reference.of(log, Snapshot.at(at, log.calendar)) for at in (later, later + timedelta(days=1)))
    assert before.attributes["x"].kind == "number"
    assert "x" not in after.attributes


def _read(reference: AttributeReference, attributes: Attributes) -> list[float]:
    as_of = microseconds(FIRST_LEARNT + timedelta(days=9))
    values: list[float] = Reference({}, attributes={"x": reference}).attribute(attributes, "x", as_of).tolist()
    return values


def test_categories_are_read_as_codes_and_unseen_ones_are_missing() -> None:
    attributes = attributes_of(
        [Learnt("a", "x", "plus"), Learnt("b", "x", "gold"), Learnt("d", "x", "basic")], ["a", "b", "c", "d"]
    )
    reference = AttributeReference("category", ("basic", "plus"))
    assert np.array_equal(_read(reference, attributes), [1.0, np.nan, np.nan, 0.0], equal_nan=True)


def test_an_attribute_that_comes_as_another_kind_is_read_as_the_text_that_it_is_written_as() -> None:
    numbers = attributes_of([Learnt("a", "x", 34.0), Learnt("b", "x", 0.5)], ["a", "b"])
    texts = attributes_of([Learnt("a", "x", "34"), Learnt("b", "x", "none")], ["a", "b"])
    dates = attributes_of([Learnt("a", "x", date(1970, 1, 3)), Learnt("b", "x", date(1969, 12, 31))], ["a", "b"])
    number, category, day = (
        AttributeReference("number"),
        AttributeReference("category", ("0.5", "1970-01-03")),
        AttributeReference("date"),
    )
    nan = np.nan
    for reference, attributes, expected in (
        (number, numbers, [34.0, 0.5]),
        (number, texts, [34.0, nan]),
        (number, dates, [nan, nan]),
        (category, numbers, [nan, 0.0]),
        (category, dates, [1.0, nan]),
        (day, dates, [2.0, -1.0]),
        (day, numbers, [nan, nan]),
        (day, dates.columns["x"].as_categories(), [2.0, -1.0]),
    ):
        given = attributes if isinstance(attributes, Attributes) else Attributes({"x": attributes}, 2)
        assert np.array_equal(_read(reference, given), expected, equal_nan=True)


def test_an_attribute_that_nobody_has_is_missing() -> None:
    assert np.isnan(_read(AttributeReference("number"), Attributes.empty(3))).tolist() == [True] * 3
