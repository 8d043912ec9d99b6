"""Netting against a plain reference, and what must hold of it whatever customers do."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, ORDER, OTHER, EventLog
from features.netting import net
from tests.features.reference_netting import Netted, net_one_customer
from tests.features.same import meanings
from tests.features.strategies import PROPERTY, Row, as_rows_of_time, histories, microseconds, raw_events

_UTC = LocalCalendar("UTC")
_COLUMNS = ("occurred_at", "day", "kind", "order", "is_purchase", "value", "event_type")


def _in_time(rows: Sequence[Row]) -> list[Row]:
    return [rows[i] for i in as_rows_of_time(rows)]


def _reference(rows: Sequence[Row], customer: str) -> Netted:
    return net_one_customer([row for row in rows if row.customer == customer])


@PROPERTY
@given(histories(updates=True))
def test_entries_and_unmatched_flags_are_those_of_the_plain_reference(history: list[Row]) -> None:
    rows = _in_time(history)
    log, unmatched = net(raw_events(rows), _UTC)
    flags = unmatched.tolist()
    for number, customer in enumerate(log.customer_ids):
        expected = _reference(rows, customer)
        mine = slice(log.offsets[number], log.offsets[number + 1])
        assert log.occurred_at[mine].tolist() == [microseconds(entry.at) for entry in expected.entries]
        assert log.kind[mine].tolist() == [entry.kind for entry in expected.entries]
        assert log.order[mine].tolist() == [entry.order for entry in expected.entries]
        assert log.is_purchase[mine].tolist() == [entry.is_purchase for entry in expected.entries]
        rows_of_entries = [entry.row for entry in expected.entries]
        # What is no refund bears the name of the order that it changes.
        names = [
            expected.entries[entry.order if entry.kind == ADJUSTMENT and entry.row.action != "refund" else i].row.name
            for i, entry in enumerate(expected.entries)
        ]
        assert [log.event_types[code] for code in log.event_type[mine]] == names
        assert meanings(log.channel[mine], log.channels) == [row.channel for row in rows_of_entries]
        assert meanings(log.properties[mine], log.property_texts) == [row.properties for row in rows_of_entries]
        assert log.value[mine] == pytest.approx([entry.value for entry in expected.entries], abs=1e-9, rel=1e-12)
        assert [flag for flag, row in zip(flags, rows, strict=True) if row.customer == customer] == expected.unmatched


@PROPERTY
@given(histories(updates=True), st.data())
def test_what_comes_later_changes_nothing_before_it(history: list[Row], data: st.DataObject) -> None:
    rows = _in_time(history)
    customers = sorted({row.customer for row in rows})
    cut = data.draw(st.sampled_from([row.at for row in rows])) if rows else None
    earlier = [row for row in rows if cut is not None and row.at < cut]
    full, full_unmatched = net(raw_events(rows), _UTC)
    part, part_unmatched = net(raw_events(earlier, customers), _UTC)
    known = np.array([cut is not None and at < microseconds(cut) for at in full.occurred_at], dtype=np.bool_)
    for name in _COLUMNS:
        assert np.array_equal(getattr(part, name), getattr(full, name)[known])
    of_earlier = [flag for flag, row in zip(full_unmatched, rows, strict=True) if cut is not None and row.at < cut]
    assert part_unmatched.tolist() == of_earlier


@PROPERTY
@given(histories(updates=True), st.randoms(use_true_random=False))
def test_the_order_in_which_rows_stand_matters_only_within_one_instant_of_one_customer(
    history: list[Row], random: Random
) -> None:
    rows = _in_time(history)
    place = {instant: random.random() for instant in {(row.customer, row.at) for row in rows}}
    shuffled = sorted(range(len(rows)), key=lambda i: place[rows[i].customer, rows[i].at])
    log, unmatched = net(raw_events(rows), _UTC)
    other, other_unmatched = net(raw_events([rows[i] for i in shuffled]), _UTC)
    assert np.array_equal(log.offsets, other.offsets)
    for name in _COLUMNS:
        assert np.array_equal(getattr(log, name), getattr(other, name))
    assert unmatched[shuffled].tolist() == other_unmatched.tolist()


@PROPERTY
@given(histories(updates=True))
def test_values_of_entries_sum_to_what_is_left_of_orders_less_unmatched_refunds(history: list[Row]) -> None:
    rows = _in_time(history)
    log, _ = net(raw_events(rows), _UTC)
    total = log.value[log.kind != OTHER].sum()
    references = [_reference(rows, customer) for customer in log.customer_ids]
    assert total == pytest.approx(sum(r.value_left - r.value_unmatched for r in references), abs=1e-9)


@PROPERTY
@given(histories(updates=True))
def test_a_refund_by_value_takes_and_leaves_together_what_it_asked(history: list[Row]) -> None:
    rows = [row for row in _in_time(history) if row.action != "refund"]
    for refund in [row for row in _in_time(history) if row.action == "refund" and not row.quantity and row.value]:
        log, _ = net(raw_events(_in_time([*rows, refund])), _UTC)
        of_refund = (log.event_type == 2) & (log.kind != OTHER)
        # Up to half a coin stays when nothing more can be found.
        assert -log.value[of_refund].sum() == pytest.approx(refund.value, abs=0.005)


@PROPERTY
@given(histories(updates=True))
def test_no_order_is_worth_less_than_nothing_and_none_that_is_no_purchase_is_worth_more(history: list[Row]) -> None:
    log, _ = net(raw_events(_in_time(history)), _UTC)
    for worth, is_purchase in _final_orders(log):
        assert worth >= -1e-9
        assert is_purchase or worth <= 0.005


def _final_orders(log: EventLog) -> list[tuple[float, bool]]:
    final: dict[tuple[int, int], tuple[float, bool]] = {}
    customer = np.repeat(np.arange(log.n_customers), np.diff(log.offsets))
    for i in np.flatnonzero((log.kind == ORDER) | (log.kind == ADJUSTMENT)):
        key = (int(customer[i]), int(log.order[i]))
        final[key] = (final.get(key, (0.0, True))[0] + float(log.value[i]), bool(log.is_purchase[i]))
    return list(final.values())
