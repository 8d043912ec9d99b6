"""The checkup finds each kind of fault that was put into the data, and nothing in data without one."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import insert, update

from store.checkup import Finding, check
from store.checkup.ids import changed_shape, email_addresses, lookalikes, shapes_of
from store.checkup.orders import order_values, unlike_units, unmatched_refunds, without_products
from store.checkup.sample import CustomerSample, EventSample, RefundSample, RejectedSample, Sizes, read_events
from store.checkup.sending import duplicates, rejected_rows, silent_sources, usual_gap
from store.checkup.times import at_one_instant, before_1990, busy_customers, clock_skew
from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.settings import load_settings
from store.sources import HourOfSource, hour_of
from store.tables import Customer, RejectedRow, Source, SourceActivity
from store.tables.base import to_microseconds

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECOND, HOUR = 1_000_000, 3_600_000_000
NONE_KEPT = RejectedSample({}, 0)


def _hours(hours: Sequence[int], *, stored: int = 10, there: int = 0, rejected: int = 0) -> list[HourOfSource]:
    """Activity so many hours before now."""
    last = hour_of(NOW)
    received = to_microseconds(NOW)
    return [
        HourOfSource(last - ago, stored, there, rejected, received - ago * HOUR) for ago in sorted(hours, reverse=True)
    ]


def _events(n: int = 1_000, **columns: Any) -> EventSample:
    """Orders of 10.50 and the like of one source, one a minute, each of another customer, received as they happen."""
    rng = np.random.default_rng(7)
    at = to_microseconds(NOW) - (np.arange(n, dtype=np.int64)[::-1] * 60 + 13) * SECOND
    sample = EventSample(
        sources=("web",),
        source=np.zeros(n, dtype=np.int64),
        event=np.arange(1, n + 1),
        customer=np.arange(1, n + 1),
        occurred_at=at,
        reported_at=columns.get("occurred_at", at),
        received_at=columns.get("occurred_at", at) + 2 * SECOND,
        is_order=np.ones(n, dtype=np.bool_),
        is_refund=np.zeros(n, dtype=np.bool_),
        value=np.round(rng.gamma(3.0, 20.0, n) + 0.01, 2),
        has_products=np.ones(n, dtype=np.bool_),
    )
    return replace(sample, **columns)


def _customers(ids: Sequence[str], created_at: NDArray[np.int64] | None = None) -> CustomerSample:
    n = len(ids)
    return CustomerSample(np.arange(1, n + 1), np.arange(n) if created_at is None else created_at, tuple(ids))


def _one(findings: Any, code: str) -> Finding:
    (finding,) = findings
    assert finding.code == code
    return finding  # type: ignore[no-any-return]


# Sending


def test_a_source_that_sends_every_hour_is_silent_after_a_day() -> None:
    hours = {"web": _hours(range(26, 700)), "app": _hours(range(24, 700)), "never": []}
    finding = _one(silent_sources(hours, NOW), "silent_source")
    assert (finding.source, finding.severity) == ("web", "problem")
    assert finding.figures == {"silent_hours": 26.0, "usual_gap_hours": 1.0}
    assert "Nothing has come for 26 hours, since 2026-02-28 07:30 UTC; its usual gap is 1 hour." in finding.what


@pytest.mark.parametrize(("silent_days", "is_silent"), [(2.9, False), (4.0, True), (119.0, True), (121.0, False)])
def test_a_nightly_file_is_silent_after_three_nights_and_retired_after_some_months(
    silent_days: float, is_silent: bool
) -> None:
    hours = {"file": _hours([round(silent_days * 24) + 24 * night for night in range(60)])}
    assert bool(list(silent_sources(hours, NOW))) == is_silent


def test_nights_and_weekends_belong_to_the_rhythm_of_a_source() -> None:
    working = [
        24 * day + hour for day in range(56) if day % 7 < 5 for hour in range(9, 18)
    ]  # the last one is a Friday's
    gap = usual_gap(working)
    assert gap is not None
    assert gap * 3 > 64.0


def test_a_source_that_was_imported_once_has_no_rhythm_and_is_never_silent() -> None:
    assert usual_gap([10, 11, 12, 13, 14, 15]) is None
    assert usual_gap([10, 500, 900, 901]) is None
    assert list(silent_sources({"file": _hours([500, 501, 502, 503, 504, 505])}, NOW)) == []


def test_much_that_was_there_already_is_noted_with_its_share() -> None:
    hours = {"web": _hours([1, 2], stored=300, there=100), "app": _hours([1, 2], stored=950, there=50)}
    finding = _one(duplicates(hours), "duplicates")
    assert (finding.source, finding.severity) == ("web", "note")
    assert finding.figures == {"already_there": 200, "received": 800, "share": 0.25}


def test_what_came_twice_long_before_the_last_month_of_a_source_is_forgotten() -> None:
    hours = _hours([1], stored=1_000) + _hours([2_000], stored=0, there=1_000)
    assert list(duplicates({"web": sorted(hours, key=lambda hour: hour.hour)})) == []


def test_rejected_rows_are_told_by_reason() -> None:
    kept = RejectedSample({"web": {"number": (7, "is not a finite number"), "future": (13, "lies ahead")}}, 20)
    finding = _one(rejected_rows({"web": _hours([1, 2], stored=90, rejected=10)}, kept), "rejected_rows")
    assert finding.severity == "warning"
    assert "10.0% of what came in its last 30 days was rejected: 20 of 200 rows." in finding.what
    assert "future 13 (lies ahead); number 7 (is not a finite number)." in finding.what
    assert finding.figures["code_future"] == 13
    worse = _one(rejected_rows({"web": _hours([1], stored=90, rejected=60)}, NONE_KEPT), "rejected_rows")
    assert (worse.severity, "By reason" in worse.what) == ("problem", False)
    assert list(rejected_rows({"web": _hours([1], stored=5_000, rejected=20)}, NONE_KEPT)) == []


# Times


def test_events_without_a_fault_give_no_finding() -> None:
    events = _events()
    customers = _customers([f"cus_{i}" for i in range(1_000)])
    for findings in (
        clock_skew(events),
        before_1990(events),
        at_one_instant(events),
        busy_customers(events, lambda _: {}),
        changed_shape(customers, events),
        email_addresses(customers),
        lookalikes(customers),
        order_values(events),
        unlike_units(events),
        without_products(events),
    ):
        assert list(findings) == []


def test_a_clock_that_runs_ahead_is_told_with_its_share_and_by_how_much() -> None:
    events = _events()
    ahead = np.arange(1_000) < 300
    events.reported_at[ahead] = events.received_at[ahead] + 7 * 60 * SECOND
    finding = _one(clock_skew(events), "clock_ahead")
    assert finding.figures == {"ahead": 300, "events": 1_000, "share": 0.3, "median_minutes": 7.0}
    # A second or two nobody notices.
    events.reported_at[ahead] = events.received_at[ahead] + 2 * SECOND
    assert list(clock_skew(events)) == []


@pytest.mark.parametrize("hours", [5.0, -2.0, 5.5])
def test_a_lost_time_zone_is_told_by_its_hours(hours: float) -> None:
    events = _events()
    lag = round(hours * HOUR)
    finding = _one(clock_skew(replace(events, received_at=events.reported_at + lag + 3 * SECOND)), "time_zone")
    assert finding.figures["hours"] == hours
    assert f"{abs(hours):g} hours {'before' if hours > 0 else 'after'} they are received" in finding.what


def test_a_nightly_file_loses_no_time_zone() -> None:
    """Its events lag by all hours of the day; and dates without a time by the same ones each night."""
    n = 3_000
    midnight = to_microseconds(datetime(2026, 1, 1, tzinfo=UTC)) + 24 * HOUR * (np.arange(n) // 100)
    moments = midnight + np.random.default_rng(3).integers(0, 24 * HOUR, n)
    received = midnight + 27 * HOUR
    for occurred_at in (moments, midnight, midnight + 24 * HOUR):
        events = _events(n, occurred_at=occurred_at, reported_at=occurred_at, received_at=received)
        assert list(clock_skew(events)) == []


def test_one_import_in_which_all_lags_are_alike_is_no_time_zone() -> None:
    events = _events()
    received = np.full(1_000, int(events.reported_at[-1]) + 2 * HOUR)
    reported = received - 2 * HOUR + np.arange(1_000)
    assert list(clock_skew(replace(events, reported_at=reported, received_at=received))) == []


def test_years_long_past_are_told_with_the_first() -> None:
    events = _events()
    events.occurred_at[:3] = (0, 5 * HOUR, -HOUR)
    finding = _one(before_1990(events), "before_1990")
    assert finding.figures == {"events": 3, "first": "1969-12-31"}


def test_an_import_without_times_is_told_by_its_instant() -> None:
    events = _events(5_000)
    events.occurred_at[1_000:1_600] = to_microseconds(NOW)
    finding = _one(at_one_instant(events), "one_instant")
    assert finding.figures["events"] == 600
    assert "one instant, 2026-03-01 09:30:00 UTC" in finding.what
    alone = _events(600, occurred_at=np.full(600, to_microseconds(NOW)))
    assert _one(at_one_instant(alone), "one_instant").figures["share"] == 1.0


def test_many_events_on_days_that_are_known_by_date_only_are_no_instant() -> None:
    days = np.random.default_rng(1).integers(0, 12, 9_000) * 24 * HOUR + to_microseconds(
        datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert list(at_one_instant(_events(9_000, occurred_at=days))) == []


def test_a_machine_is_told_by_its_id_unless_it_may_not_be_named() -> None:
    events = _events(5_000)
    events.customer[:2_400] = 77
    finding = _one(busy_customers(events, lambda keys: {key: f"id {key}" for key in keys}), "busy_customers")
    assert finding.figures == {"customers": 1, "most_events_a_day": 1_440, "share_of_events": 0.48}
    assert "1 customer with more than 1,000 events on one day" in finding.what
    assert "The busiest: id 77." in finding.what
    assert "The busiest: –." in _one(busy_customers(events, lambda _: {}), "busy_customers").what


# Ids


def test_shapes_are_digits_uuids_addresses_and_prefixes_that_many_share() -> None:
    ids = ["007", "12.0", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "Ann@Shop.example", "5f2b9c0e7d1a4b3c8e6f"]
    assert shapes_of(ids) == ["digits", "digits and .0", "UUID", "e-mail address", "long hexadecimal number"]
    assert set(shapes_of([f"k{i}" for i in range(99)])) == {"“k” and digits"}
    assert shapes_of([*map(str, range(99)), "k5"])[-1] == "other text"


def test_newest_customers_whose_ids_have_another_shape_are_told_by_source() -> None:
    old, new = [f"cus_{i}" for i in range(900)], [str(i) for i in range(80)] + [f"cus_x{i}" for i in range(20)]
    finding = _one(changed_shape(_customers(old + new), _events()), "ids_changed_shape")
    assert (finding.source, finding.severity) == ("web", "problem")
    assert finding.figures["shape"] == "digits"
    assert finding.figures["usual_shape"] == "“cus_” and digits"
    assert (finding.figures["new_customers"], finding.figures["share_of_new"]) == (101, round(100 / 101, 4))
    assert finding.figures["share_of_earlier"] == 0.0


def test_a_second_shape_that_was_always_there_is_no_change() -> None:
    mixed = [f"cus_{i}" if i % 3 else str(i) for i in range(1_000)]
    assert list(changed_shape(_customers(mixed), _events())) == []


def test_ids_of_one_import_are_not_compared_with_each_other() -> None:
    ids = [f"cus_{i}" for i in range(900)] + [str(i) for i in range(100)]
    assert list(changed_shape(_customers(ids, np.zeros(1_000, dtype=np.int64)), _events())) == []
    later = (np.arange(1_000) >= 920).astype(np.int64)
    assert _one(changed_shape(_customers(ids, later), _events()), "ids_changed_shape").figures["new_customers"] == 80


def test_addresses_as_ids_and_ids_that_look_alike_are_counted() -> None:
    addresses = _customers([f"a{i}@shop.example" for i in range(50)] + [str(i) for i in range(950)])
    assert _one(email_addresses(addresses), "email_ids").figures["share"] == 0.05
    alike = [str(i) for i in range(1, 500)] + [f"000{i}" for i in range(1, 9)] + ["7.0", "A@b.example", "a@b.example"]
    assert _one(lookalikes(_customers(alike)), "lookalike_ids").figures["lookalikes"] == 10
    assert list(lookalikes(_customers([f"{letter}{i}" for letter in "kK" for i in range(500)]))) == []


# Orders


def test_order_values_out_of_range_are_told() -> None:
    events = _events()
    events.value[:60] = 0.0
    events.value[60:62] = -5.0
    events.value[62] = 1e6
    zero, negative, enormous = order_values(events)
    assert [found.code for found in (zero, negative, enormous)] == [
        "orders_at_zero",
        "negative_orders",
        "enormous_orders",
    ]
    assert zero.figures == {"orders_at_zero": 60, "orders": 1_000, "share": 0.06}
    assert negative.figures == {"negative_orders": 2, "orders": 1_000, "least": -5.0}
    assert (enormous.figures["enormous_orders"], enormous.figures["most"]) == (1, 1e6)


def test_what_is_no_order_or_has_no_value_is_not_judged() -> None:
    events = _events()
    events.value[:500], events.value[500:] = np.nan, -1.0
    assert list(order_values(replace(events, is_order=np.arange(1_000) < 500))) == []


def test_cents_among_units_are_told_within_a_source_and_between_sources() -> None:
    events = _events()
    cents = np.round(events.value * 100)
    of_newest = _one(
        unlike_units(replace(events, value=np.where(np.arange(1_000) < 900, events.value, cents))), "unlike_units"
    )
    assert "The median of its newest 100 orders" in of_newest.what
    two = replace(events, sources=("app", "web"), source=np.arange(1_000) % 2)
    mixed = replace(two, value=np.where(two.source == 0, cents, events.value))
    of_source = _one(unlike_units(mixed), "unlike_units")
    assert (of_source.source, of_source.severity) == ("app", "problem")
    assert "that of the source web" in of_source.what
    # Whole numbers alone, or a hundred times the value alone, is a business like another.
    assert list(unlike_units(replace(two, value=np.where(two.source == 0, events.value * 99.7, events.value)))) == []
    assert list(unlike_units(replace(two, value=np.where(two.source == 0, np.round(events.value), events.value)))) == []


def test_orders_without_products_are_noted_where_others_have_them() -> None:
    events = _events()
    some = _one(without_products(replace(events, has_products=np.arange(1_000) >= 100)), "orders_without_products")
    assert (some.figures["share"], "while its others do" in some.what) == (0.1, True)
    two = replace(events, sources=("app", "web"), source=np.arange(1_000) % 2)
    of_others = _one(without_products(replace(two, has_products=two.source == 1)), "orders_without_products")
    assert (of_others.source, "while those of other sources do" in of_others.what) == ("app", True)
    assert list(without_products(replace(events, has_products=np.zeros(1_000, dtype=np.bool_)))) == []


def test_refunds_of_nothing_are_told_by_their_share() -> None:
    finding = _one(unmatched_refunds(RefundSample(customers=90, rows=200, unmatched=50)), "unmatched_refunds")
    assert "25.0% of the refunds found no purchase to take back, wholly or in part: 50 of 200 rows" in finding.what
    assert list(unmatched_refunds(RefundSample(customers=90, rows=2_000, unmatched=50))) == []


# The whole


def _ingest(database: Database, folder: Path, rows: Sequence[Sequence[object]], received_at: datetime = NOW) -> None:
    path = folder / f"{len(list(folder.iterdir()))}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "at", "what", "order", "product", "quantity", "value"))
        writer.writerows(rows)
    mapping = EventMapping(
        customer_id="customer",
        occurred_at="at",
        event_column="what",
        order_id="order",
        product="product",
        quantity="quantity",
        value="value",
        source="shop",
    )
    ingest_events(database, load_settings(database_url="sqlite:///unused.db"), path, mapping, received_at=received_at)


def _orders(n: int, *, lines: int = 2) -> list[tuple[object, ...]]:
    return [
        (
            f"k{i % 97}",
            (NOW - timedelta(minutes=37 * i + 1)).isoformat(),
            "Order Completed",
            f"o{i}",
            f"p{line}",
            1,
            9.5,
        )
        for i in range(n)
        for line in range(lines)
    ]


def test_healthy_data_gives_nothing_and_says_what_was_looked_at(database: Database, tmp_path: Path) -> None:
    _ingest(database, tmp_path, _orders(400))
    told: list[tuple[str, float]] = []
    checkup = check(database, now=NOW, progress=lambda step, done: told.append((step, done)))
    assert checkup.findings == []
    assert checkup.looked_at[:4] == ["1 source", "all 400 events", "400 orders among them", "all 97 customers"]
    assert told == [("Reading events", 1.0), ("Reading customers", 1.0)]
    assert json.loads(json.dumps(checkup.to_dict()))["findings"] == []


def test_an_empty_database_gives_nothing(database: Database) -> None:
    checkup = check(database, now=NOW)
    assert checkup.findings == []
    assert checkup.looked_at[1] == "all 0 events"


def test_faults_in_a_database_are_found_the_worst_first(database: Database, tmp_path: Path) -> None:
    """Refunds of nothing, an order at 0 in ten, a source that fell silent and rejects a fifth."""
    orders = [(*row[:6], 0.0) if i % 10 < 1 else row for i, row in enumerate(_orders(400, lines=1))]
    refunds = [
        (f"k{i}", (NOW - timedelta(minutes=i)).isoformat(), "Order Refunded", "", "never bought", 1, 5.0)
        for i in range(30)
    ]
    _ingest(database, tmp_path, [*orders, *refunds])
    hours = [
        {
            "source_id": 2,
            "hour": hour_of(NOW) - ago,
            "stored": 8,
            "already_there": 0,
            "rejected": 2,
            "last_received_at": NOW - timedelta(hours=ago),
            "last_occurred_at": NOW - timedelta(hours=ago),
        }
        for ago in range(48, 400)
    ]
    rejected = {
        "file_hash": b"h" * 32,
        "source_id": 2,
        "file": "http",
        "column": "timestamp",
        "value": "soon",
        "code": "occurred_at",
        "reason": "is not a date that can be read",
        "received_at": NOW,
    }
    with database.write() as session:
        session.execute(insert(Source), [{"id": 2, "name": "web"}])
        session.execute(insert(SourceActivity), hours)
        session.execute(insert(RejectedRow), [{**rejected, "line": line} for line in range(5)])
    checkup = check(database, now=NOW)
    found = [(finding.severity, finding.code, finding.source) for finding in checkup.findings]
    assert found == [
        ("problem", "silent_source", "web"),
        ("problem", "rejected_rows", "web"),
        ("warning", "orders_at_zero", "shop"),
        ("warning", "unmatched_refunds", None),
    ]
    by_code = {finding.code: finding for finding in checkup.findings}
    assert "occurred_at 5 (is not a date that can be read)" in by_code["rejected_rows"].what
    assert by_code["orders_at_zero"].figures["orders_at_zero"] == 40
    assert by_code["unmatched_refunds"].figures == {"unmatched": 30, "refunds": 30, "customers": 30, "share": 1.0}


def test_values_and_products_of_orders_are_those_of_their_lines(database: Database, tmp_path: Path) -> None:
    _ingest(database, tmp_path, [*_orders(5), ("k1", "2026-01-01", "Order Completed", "", "", "", "7")])
    events = read_events(database, Sizes(), lambda _: None)
    by_value = dict(zip(events.value.tolist(), events.has_products.tolist(), strict=True))
    assert by_value == {19.0: True, 7.0: False}
    assert events.is_order.all()


def test_a_large_database_is_sampled_and_says_so(database: Database, tmp_path: Path) -> None:
    _ingest(database, tmp_path, _orders(400))
    sizes = Sizes(most_events=40, most_customers=20, rows_a_block=10)
    looked_at = check(database, now=NOW, sizes=sizes).looked_at
    assert looked_at[1] == "a sample of 40 events, 10.0% of them"
    assert looked_at[3].startswith("a sample of ")


def test_merged_and_erased_customers_are_not_named(database: Database, tmp_path: Path) -> None:
    rows = [("bot", (NOW - timedelta(seconds=i)).isoformat(), "Page Viewed", "", "", "", "") for i in range(1_500)]
    _ingest(database, tmp_path, rows)
    assert "The busiest: bot." in _one(check(database, now=NOW).findings, "busy_customers").what
    with database.write() as session:
        session.execute(update(Customer).values(erased_at=NOW))
    checkup = check(database, now=NOW)
    assert "bot" not in _one(checkup.findings, "busy_customers").what
    assert checkup.looked_at[3] == "all 0 customers"
