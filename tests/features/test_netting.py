"""What updates make of orders, and what refunds and cancellations take back, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from features.calendar import LocalCalendar
from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND
from features.netting import net
from tests.features.strategies import Row, bought, did, raw_events, refunded, updated

# What one entry is: kind, position of its order, whether that is a purchase now, value.
Entry = tuple[int, int, bool, float]


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, tzinfo=UTC)


def netted(*rows: Row) -> tuple[list[Entry], list[bool]]:
    log, unmatched = net(raw_events(rows), LocalCalendar("UTC"))
    columns = (log.kind, log.order, log.is_purchase, log.value)
    return list(zip(*(column.tolist() for column in columns), strict=True)), unmatched.tolist()


def entries(*rows: Row) -> list[Entry]:
    return netted(*rows)[0]


def worth(of: Sequence[Entry]) -> dict[int, tuple[float, bool]]:
    """What each order is worth in the end, and whether it is a purchase."""
    final: dict[int, tuple[float, bool]] = {}
    for kind, order, is_purchase, value in of:
        if kind in (ORDER, ADJUSTMENT):
            final[order] = (round(final.get(order, (0.0, True))[0] + value, 9), is_purchase)
    return final


def test_lines_of_one_order_at_one_instant_are_one_entry() -> None:
    assert entries(bought(on(1), 10.0, order="A"), bought(on(1), 5.0, order="A")) == [(ORDER, 0, True, 15.0)]


def test_a_late_line_adjusts_its_order_from_its_own_time_on() -> None:
    found = entries(bought(on(1), 10.0, order="A"), bought(on(2), 7.0, order="B"), bought(on(3), 5.0, order="A"))
    assert found == [(ORDER, 0, True, 10.0), (ORDER, 1, True, 7.0), (ADJUSTMENT, 0, True, 5.0)]


def test_a_refund_that_names_its_order_applies_to_it_and_not_to_a_newer_one() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A", product=1, quantity=2.0),
        bought(on(2), 10.0, order="B", product=1, quantity=2.0),
        refunded(on(3), 5.0, order="A", product=1, quantity=1.0),
    )
    assert found[2:] == [(ADJUSTMENT, 0, True, -5.0)]
    assert unmatched == [False, False, False]


def test_a_refund_that_names_order_and_product_takes_that_product_only() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(1), 4.0, order="A", product=2, quantity=1.0),
        refunded(on(2), 10.0, order="A", product=1, quantity=2.0),
    )
    assert found[1:] == [(ADJUSTMENT, 0, True, -10.0), (UNMATCHED_REFUND, -1, False, -5.0)]
    assert unmatched == [False, False, True]


def test_a_refund_with_a_number_of_its_own_takes_the_newest_line_of_its_product_first() -> None:
    found = entries(
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(2), 20.0, order="B", product=1, quantity=2.0),
        bought(on(3), 99.0, order="D", product=2, quantity=1.0),
        refunded(on(4), 10.0, order="C1", product=1, quantity=1.0),
    )
    assert found[3:] == [(ADJUSTMENT, 1, True, -10.0)]


def test_a_refund_goes_on_to_older_orders_when_the_newest_is_used_up() -> None:
    found = entries(
        bought(on(1), 30.0, order="A", product=1, quantity=3.0),
        bought(on(2), 20.0, order="B", product=1, quantity=2.0),
        refunded(on(4), 40.0, product=1, quantity=4.0),
    )
    assert found[2:] == [(ADJUSTMENT, 1, False, -20.0), (ADJUSTMENT, 0, True, -20.0)]


def test_what_goes_beyond_what_was_bought_is_unmatched_with_its_share_of_the_value() -> None:
    found, unmatched = netted(
        bought(on(1), 30.0, product=1, quantity=3.0), refunded(on(2), 50.0, product=1, quantity=5.0)
    )
    assert found[1:] == [(ADJUSTMENT, 0, False, -30.0), (UNMATCHED_REFUND, -1, False, -20.0)]
    assert unmatched == [False, True]


def test_by_quantity_the_line_loses_its_own_value_whatever_the_refund_says() -> None:
    found = entries(bought(on(1), 30.0, product=1, quantity=3.0), refunded(on(2), 8.0, product=1, quantity=1.0))
    assert found[1:] == [(ADJUSTMENT, 0, True, -10.0)]


def test_pieces_returned_one_by_one_leave_exactly_nothing() -> None:
    one = [refunded(on(2 + i), product=1, quantity=1.0) for i in range(3)]
    found = entries(bought(on(1), 10.0, product=1, quantity=3.0), *one)
    assert [entry[2] for entry in found[1:]] == [True, True, False]
    assert sum(entry[3] for entry in found) == pytest.approx(0.0, abs=1e-12)


def test_a_refund_before_its_order_is_unmatched() -> None:
    found, unmatched = netted(
        refunded(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(2), 10.0, order="A", product=1, quantity=1.0),
    )
    assert found == [(UNMATCHED_REFUND, -1, False, -10.0), (ORDER, 1, True, 10.0)]
    assert unmatched == [True, False]


def test_dates_without_a_time_let_a_refund_find_the_order_of_its_day_wherever_it_stands() -> None:
    found, unmatched = netted(
        refunded(on(1), 10.0, order="A"), bought(on(1), 10.0, order="A"), bought(on(1), 3.0, order="B")
    )
    assert found == [(ORDER, 0, True, 10.0), (ORDER, 1, True, 3.0), (ADJUSTMENT, 0, False, -10.0)]
    assert unmatched == [False, False, False]


def test_a_refund_of_a_value_takes_value_newest_line_first() -> None:
    rows = [bought(on(1), 10.0, order="A"), bought(on(1), 4.0, order="A"), refunded(on(2), 6.0, order="A")]
    assert entries(*rows)[1:] == [(ADJUSTMENT, 0, True, -6.0)]
    # The four are gone and eight of the ten are left, so that another eight end it.
    assert entries(*rows, refunded(on(3), 8.0, order="A"))[2:] == [(ADJUSTMENT, 0, False, -8.0)]


def test_a_refund_of_a_value_beyond_the_order_leaves_the_rest_unmatched() -> None:
    found, unmatched = netted(bought(on(1), 10.0, order="A"), refunded(on(2), 12.5, order="A"))
    assert found[1:] == [(ADJUSTMENT, 0, False, -10.0), (UNMATCHED_REFUND, -1, False, -2.5)]
    assert unmatched == [False, True]


@pytest.mark.parametrize("free_line_first", [True, False])
def test_an_order_refunded_by_its_whole_value_is_no_purchase_though_a_gift_stays(free_line_first: bool) -> None:
    lines = [bought(on(1), 0.0, order="A", product=2), bought(on(1), 10.0, order="A", product=1)]
    found = entries(*(lines if free_line_first else lines[::-1]), refunded(on(2), 10.0, order="A"))
    assert worth(found) == {0: (0.0, False)}


def test_a_refund_of_a_value_passes_over_free_orders_of_the_product() -> None:
    found = entries(bought(on(1), 5.0, product=1), bought(on(2), 0.0, product=1), refunded(on(3), 5.0, product=1))
    assert worth(found) == {0: (0.0, False), 1: (0.0, True)}


def test_a_discount_line_is_not_refunded_more_than_was_paid() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A", product=1), bought(on(1), -4.0, order="A"), refunded(on(2), 8.0, order="A")
    )
    assert found[1:] == [(ADJUSTMENT, 0, False, -6.0), (UNMATCHED_REFUND, -1, False, -2.0)]
    assert unmatched == [False, False, True]


def test_value_goes_for_value_where_only_the_refund_has_a_quantity() -> None:
    lines = [bought(on(1), 20.0, order="A"), bought(on(1), 20.0, order="A")]
    assert entries(*lines, refunded(on(2), 30.0, order="A", quantity=2.0))[1:] == [(ADJUSTMENT, 0, True, -30.0)]
    beyond = entries(*lines, refunded(on(2), 50.0, order="A", quantity=2.0))[1:]
    assert beyond == [(ADJUSTMENT, 0, False, -40.0), (UNMATCHED_REFUND, -1, False, pytest.approx(-10.0))]


def test_a_line_of_quantity_zero_has_none() -> None:
    found = entries(bought(on(1), 10.0, product=1, quantity=0.0), refunded(on(2), 4.0, product=1, quantity=1.0))
    assert found[1:] == [(ADJUSTMENT, 0, True, -4.0)]


def test_a_cancellation_without_amounts_takes_all_of_the_order_it_names_and_nothing_else() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        bought(on(1), 5.0, order="A", product=2, quantity=1.0),
        bought(on(2), 7.0, order="B", product=1, quantity=1.0),
        refunded(on(3), order="A"),
    )
    assert found[2:] == [(ADJUSTMENT, 0, False, -15.0)]
    assert not any(unmatched)


def test_a_cancellation_without_amounts_or_order_takes_the_newest_line_of_its_product_only() -> None:
    found = entries(bought(on(1), 10.0, product=1), bought(on(2), 20.0, product=1), refunded(on(3), product=1))
    assert worth(found) == {0: (10.0, True), 1: (0.0, False)}


def test_a_cancellation_that_finds_nothing_is_unmatched_and_worth_nothing() -> None:
    found, unmatched = netted(bought(on(1), 10.0, order="A"), refunded(on(2), order="B"))
    assert found[1:] == [(UNMATCHED_REFUND, -1, False, 0.0)]
    assert unmatched == [False, True]


def test_a_refund_that_names_neither_order_nor_product_is_unmatched() -> None:
    found, unmatched = netted(bought(on(1), 10.0, quantity=1.0), refunded(on(2), 10.0, quantity=1.0))
    assert found[1:] == [(UNMATCHED_REFUND, -1, False, -10.0)]
    assert unmatched == [False, True]


def test_a_second_refund_of_the_same_order_finds_nothing_left() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A"), refunded(on(2), 10.0, order="A"), refunded(on(3), 10.0, order="A")
    )
    assert found[1:] == [(ADJUSTMENT, 0, False, -10.0), (UNMATCHED_REFUND, -1, False, -10.0)]
    assert unmatched == [False, False, True]


def test_an_order_wholly_refunded_is_a_purchase_again_with_a_late_line() -> None:
    found = entries(bought(on(1), 10.0, order="A"), refunded(on(2), order="A"), bought(on(3), 6.0, order="A"))
    assert [entry[2] for entry in found] == [True, False, True]
    assert worth(found) == {0: (6.0, True)}


def test_an_update_replaces_the_lines_of_its_order_from_its_own_time_on() -> None:
    found = entries(
        bought(on(1), 10.0, order="A", product=1),
        bought(on(2), 7.0, order="B", product=1),
        updated(on(3), 4.0, order="A", product=2),
        updated(on(3), 3.0, order="A", product=3),
    )
    assert found == [(ORDER, 0, True, 10.0), (ORDER, 1, True, 7.0), (ADJUSTMENT, 0, True, -3.0)]


def test_an_update_bears_the_name_of_the_order_that_it_changes() -> None:
    rows = [bought(on(1), 10.0, order="A"), updated(on(2), 4.0, order="A"), updated(on(3), order="A")]
    log, _ = net(raw_events(rows), LocalCalendar("UTC"))
    names = [log.event_types[code] for code in log.event_type]
    assert names == ["Order Completed", "Order Completed", "Order Updated"]


def test_each_update_replaces_the_one_before() -> None:
    found = entries(
        bought(on(1), 10.0, order="A"),
        *(updated(on(2 + i), value, order="A", product=i) for i, value in enumerate((4.0, 25.0, 6.0))),
    )
    assert worth(found) == {0: (6.0, True)}
    assert [entry[3] for entry in found] == [10.0, -6.0, 21.0, -19.0]


def test_an_update_of_an_order_that_is_not_known_is_the_order() -> None:
    rows = [updated(on(2), 4.0, order="A", product=1), updated(on(2), 3.0, order="A", product=2)]
    assert entries(*rows, refunded(on(3), 4.0, order="A", product=1)) == [
        (ORDER, 0, True, 7.0),
        (ADJUSTMENT, 0, True, -4.0),
    ]


def test_an_order_that_comes_with_an_earlier_instant_is_the_order_and_the_update_changes_it() -> None:
    update = updated(on(2), 4.0, order="A")
    assert entries(bought(on(1), 10.0, order="A"), update) == [(ORDER, 0, True, 10.0), (ADJUSTMENT, 0, True, -6.0)]


def test_an_order_completed_after_an_update_of_it_is_not_counted_twice() -> None:
    found = entries(updated(on(1), 4.0, order="A"), bought(on(2), 3.0, order="A"), bought(on(2), 2.0, order="A"))
    assert found == [(ORDER, 0, True, 4.0), (ADJUSTMENT, 0, True, 1.0)]


def test_an_order_of_another_customer_or_number_is_not_updated() -> None:
    found = entries(
        bought(on(1), 10.0, order="A", customer="a"),
        bought(on(1), 10.0, order="B", customer="b"),
        updated(on(2), 4.0, order="A", customer="b"),
    )
    assert found == [(ORDER, 0, True, 10.0), (ORDER, 0, True, 10.0), (ORDER, 1, True, 4.0)]


@pytest.mark.parametrize("update", [updated(on(2), order="A"), updated(on(2), 4.0, product=1)])
def test_an_update_that_says_nothing_or_names_no_order_is_kept_and_changes_nothing(update: Row) -> None:
    found, unmatched = netted(bought(on(1), 10.0, order="A", product=1), update)
    assert found == [(ORDER, 0, True, 10.0), (OTHER, -1, False, update.value or 0.0)]
    assert unmatched == [False, False]


def test_a_line_that_comes_later_than_its_telling_adds_to_what_the_order_is_then() -> None:
    found = entries(bought(on(1), 10.0, order="A"), updated(on(2), 4.0, order="A"), bought(on(3), 5.0, order="A"))
    assert worth(found) == {0: (9.0, True)}


def test_at_one_instant_the_order_comes_first_then_its_update_then_the_refund() -> None:
    found = entries(
        refunded(on(1), 4.0, order="A", product=2),
        updated(on(1), 4.0, order="A", product=2),
        bought(on(1), 10.0, order="A"),
    )
    assert found == [(ORDER, 0, True, 10.0), (ADJUSTMENT, 0, True, -6.0), (ADJUSTMENT, 0, False, -4.0)]


@pytest.mark.parametrize("known", [True, False])
def test_of_two_updates_at_one_instant_that_holds_whose_first_row_stands_later(known: bool) -> None:
    lines = [
        updated(on(2), 4.0, order="A", message=1),
        updated(on(2), 7.0, order="A", message=2),
        updated(on(2), 1.0, order="A", message=1),
        updated(on(2), 2.0, order="A", message=2),
    ]
    found = entries(*([bought(on(1), 10.0, order="A")] if known else []), *lines)
    assert worth(found) == {0: (9.0, True)}


def test_a_refund_by_product_after_an_update_finds_the_new_lines_only() -> None:
    found, unmatched = netted(
        bought(on(1), 10.0, order="A", product=1, quantity=1.0),
        updated(on(2), 8.0, order="A", product=2, quantity=2.0),
        refunded(on(3), 4.0, product=2, quantity=1.0),
        refunded(on(4), 10.0, product=1, quantity=1.0),
    )
    assert found[2:] == [(ADJUSTMENT, 0, True, -4.0), (UNMATCHED_REFUND, -1, False, -10.0)]
    assert unmatched == [False, False, False, True]


def test_what_was_taken_back_before_an_update_stays_taken_back() -> None:
    rows = [bought(on(1), 10.0, order="A"), refunded(on(2), 6.0, order="A"), updated(on(3), 8.0, order="A")]
    assert worth(entries(*rows)) == {0: (2.0, True)}
    # The order gives no more than it has left, and then it is wholly refunded.
    found, unmatched = netted(*rows, refunded(on(4), 5.0, order="A"))
    assert found[3:] == [(ADJUSTMENT, 0, False, -2.0), (UNMATCHED_REFUND, -1, False, -3.0)]
    assert unmatched[3]


def test_lines_of_an_order_that_was_refunded_before_its_update_give_no_more_than_is_left() -> None:
    rows = [
        bought(on(1), 20.0, order="A", product=1, quantity=2.0),
        refunded(on(2), product=1, quantity=1.0),
        updated(on(3), 20.0, order="A", product=1, quantity=2.0),
        updated(on(3), 5.0, order="A", product=2, quantity=1.0),
    ]
    assert worth(entries(*rows)) == {0: (15.0, True)}
    assert worth(entries(*rows, refunded(on(4), product=1, quantity=1.0))) == {0: (5.0, True)}
    assert worth(entries(*rows, refunded(on(4), product=1, quantity=2.0))) == {0: (0.0, False)}
    assert worth(entries(*rows, refunded(on(4), order="A"))) == {0: (0.0, False)}


def test_an_update_to_less_than_was_taken_back_leaves_nothing_until_the_next_leaves_something() -> None:
    rows = [bought(on(1), 10.0, order="A"), refunded(on(2), 6.0, order="A"), updated(on(3), 5.0, order="A")]
    assert worth(entries(*rows)) == {0: (0.0, False)}
    assert worth(entries(*rows, updated(on(4), 9.0, order="A"))) == {0: (3.0, True)}


def test_an_update_to_lines_that_are_free_leaves_a_purchase_where_nothing_was_taken_back() -> None:
    assert worth(entries(bought(on(1), 10.0, order="A"), updated(on(2), 0.0, order="A"))) == {0: (0.0, True)}


@pytest.mark.parametrize("refund", [refunded(on(2), order="A"), refunded(on(2), 10.0, order="A")])
def test_an_update_does_not_bring_back_an_order_that_was_wholly_refunded_but_a_late_line_does(refund: Row) -> None:
    rows = [bought(on(1), 10.0, order="A"), refund, updated(on(3), 25.0, order="A")]
    assert entries(*rows)[2:] == [(ADJUSTMENT, 0, False, 0.0)]
    assert netted(*rows, refunded(on(4), 1.0, order="A"))[1] == [False, False, False, True]
    assert worth(entries(*rows, bought(on(4), 6.0, order="A"))) == {0: (6.0, True)}


def test_unmatched_flags_stand_at_the_rows_as_given() -> None:
    rows = [
        refunded(on(9), 1.0, product=9, customer="b"),
        bought(on(1), 5.0, product=1, customer="b"),
        refunded(on(2), 9.0, product=1, customer="a"),
        refunded(on(3), 5.0, product=1, customer="b"),
    ]
    assert netted(*rows)[1] == [True, False, True, False]


def test_refunds_do_not_reach_the_orders_of_another_customer() -> None:
    found, unmatched = netted(
        bought(on(1), 5.0, order="A", product=1, customer="a"), refunded(on(2), 5.0, order="A", customer="b")
    )
    assert found == [(ORDER, 0, True, 5.0), (UNMATCHED_REFUND, -1, False, -5.0)]
    assert unmatched == [False, True]


def test_customers_without_rows_and_other_events_are_kept() -> None:
    log, _ = net(raw_events([did(on(1), 3.0, customer="b")], ["a", "b", "c"]), LocalCalendar("UTC"))
    assert log.customer_ids == ("a", "b", "c")
    assert log.offsets.tolist() == [0, 0, 1, 1]
    assert log.kind.tolist() == [OTHER]
    assert log.value.tolist() == [3.0]


def test_a_log_of_nobody_is_empty() -> None:
    log, unmatched = net(raw_events([]), LocalCalendar("UTC"))
    assert (log.n_customers, len(log.value), len(unmatched)) == (0, 0, 0)
    assert log.offsets.dtype == np.int64
    assert log.last_purchase_day() is None
