"""One customer's story, with every feature worked out by hand: each feature measures what its description says."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.build import FeatureFrame, FeaturePlan, build_features
from features.calendar import LocalCalendar
from features.catalogue import CATALOGUE, features_for
from features.checks import check_frame
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents, net
from features.reference import Reference
from features.windows import Snapshot
from tests.features.strategies import microseconds

_EVENT_TYPES = (
    *("Email Opened", "Email Sent", "Order Completed", "Order Refunded", "Session Started", "Support Ticket Opened"),
)
_CHANNELS = ("app", "web")
_FOOD, _HOME = range(2)
_CATEGORIES = ('{"department": "Food", "aisle": "Tea"}', '{"department": "Home", "aisle": "Mugs"}')
_TEA, _MUG, _CAKE = range(3)
_NAN = math.nan


def _at(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)


# Lines of orders: instant, order, product, category, quantity, value, discount. The first of January 2024 is a Monday,
# day 60 a Friday, and day 180 a Saturday.
_LINES = (
    (_at(0, 10), 1, _TEA, _FOOD, 2.0, 10.0, 0.0),
    (_at(0, 10), 1, _MUG, _HOME, 1.0, 20.0, 5.0),
    (_at(60, 10), 2, _TEA, _FOOD, 1.0, 6.0, 0.0),
    (_at(180, 18), 3, _TEA, _FOOD, 1.0, 4.0, 1.0),
    (_at(180, 18), 3, _CAKE, _FOOD, 1.0, 10.0, 0.0),
)
# Three of the six spent on the second order come back.
_REFUND = (_at(70), 2, 3.0)
_OTHERS = (
    (_at(100), "Support Ticket Opened", None),
    (_at(175), "Session Started", "app"),
    (_at(176), "Session Started", "app"),
    (_at(185), "Email Sent", None),
    (_at(186), "Email Sent", None),
    (_at(186, 13), "Email Opened", None),
    (_at(190), "Session Started", "web"),
)
# At midnight of day 200; the last day observed is day 199.
_SNAPSHOT = _at(200, 0)
_REFERENCE = Reference(
    first_days=dict.fromkeys(
        (
            *("purchases", "lines", "categories", "discounts", "prices", "channels", "hours", "refunds", "events"),
            *("event.email_opened", "event.email_sent", "event.session_started", "event.support_ticket_opened"),
        ),
        LocalCalendar("UTC").day(microseconds(_at(0))),
    ),
    unit_prices={"Food": 5.5, "Home": 20.0},
)
_PRICES_TO_USUAL = [5 / 5.5, 20 / 20, 6 / 5.5, 4 / 5.5, 10 / 5.5]

EXPECTED = {
    "frequency": 2.0,
    "recency": 180.0,
    "T": 199.0,
    "days_since_last_purchase": 19.0,
    "monetary_value": (3.0 + 14.0) / 2,
    "orders": 3.0,
    "total_value": 47.0,
    "orders_90d": 1.0,
    "mean_order_value_90d": 14.0,
    "order_value_ratio_90d": 14.0 / (47.0 / 3),
    # Gaps of 60 and 120 days.
    "gap_mean": 90.0,
    "gap_regularity": 30.0 / 90.0,
    "gap_last_ratio": 120.0 / 90.0,
    "preferred_weekday": 0.0,
    "preferred_weekday_share": 1 / 3,
    "weekend_share": 1 / 3,
    "preferred_hour": 10.0,
    "value_change_30d": 14.0,
    "value_change_180d": 17.0 - 30.0,
    "purchase_days_slope_30d": 0.3,
    "value_slope_30d": 0.3 * 14.0,
    "purchase_days_slope_90d": _NAN,
    "pace_ratio_90d": (1 / 90) / (3 / 200),
    "lifecycle_stage": 4.0,
    "first_purchase_month": 1.0,
    "lines_per_order": 5 / 3,
    "lines_per_order_90d": 2.0,
    "lines_per_order_ratio_90d": 2.0 / (5 / 3),
    "lines_90d": 2.0,
    "pieces_per_order": 2.0,
    "products": 3.0,
    "products_90d": 2.0,
    "favourite_product_share": 3 / 5,
    "repeat_line_share": 2 / 5,
    "novelty_90d": 1 / 2,
    "categories": 2.0,
    "categories_90d": 1.0,
    "categories_change_90d": 0.0,
    "favourite_category_share": 30 / 50,
    "category_spread": 1 / (0.6**2 + 0.4**2),
    "discount_share": 6 / 56,
    "discount_share_90d": 1 / 15,
    "discounted_line_share": 2 / 5,
    "discounted_line_share_90d": 1 / 2,
    "mean_piece_price": 50 / 6,
    "price_level": math.prod(_PRICES_TO_USUAL) ** (1 / 5) - 1,
    "price_level_90d": math.prod(_PRICES_TO_USUAL[3:]) ** (1 / 2) - 1,
    "refunds": 1.0,
    "refunds_90d": 0.0,
    "refunds_365d": _NAN,
    "refunds_per_order": 1 / 3,
    "refunded_share": 3 / 50,
    "refunded_share_90d": 0.0,
    "days_since_last_refund": 129.0,
    "days_since_last_event": 9.0,
    "events_30d": 6.0,
    "events_90d": 6.0,
    "event_days_90d": 5.0,
    "events_change_30d": 6.0,
    "visit_to_order_90d": 1 / 3,
    "sent_to_opened_90d": 1 / 2,
    "opened_to_clicked_90d": _NAN,
    "event.session_started.days_since": 9.0,
    "event.session_started.count_7d": 0.0,
    "event.session_started.count_30d": 3.0,
    "event.session_started.days_90d": 3.0,
    "event.session_started.change_30d": 3.0,
    "event.support_ticket_opened.days_since": 99.0,
    "event.support_ticket_opened.count_90d": 0.0,
    "event.email_clicked.count_30d": _NAN,
    "channels": 2.0,
    "channels_90d": 2.0,
    "favourite_channel_share": 2 / 3,
    "channel_entropy": -(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3),
}


def _story() -> RawEvents:
    rows = [
        *((at, ROW_ORDER, order, "Order Completed", None, what) for at, order, *what in _LINES),
        (_REFUND[0], ROW_REFUND, _REFUND[1], "Order Refunded", None, [NO_PRODUCT, -1, _NAN, _REFUND[2], _NAN]),
        *(
            (at, ROW_OTHER, NO_ORDER, name, channel, [NO_PRODUCT, -1, _NAN, _NAN, _NAN])
            for at, name, channel in _OTHERS
        ),
    ]
    rows.sort(key=lambda row: row[0])
    product, category, quantity, value, discount = (
        list(column) for column in zip(*(row[5] for row in rows), strict=True)
    )
    return RawEvents(
        customer_ids=("only looks", "with a story"),
        customer=np.ones(len(rows), dtype=np.int64),
        occurred_at=np.array([microseconds(row[0]) for row in rows], dtype=np.int64),
        action=np.array([row[1] for row in rows], dtype=np.int8),
        group=np.array([row[2] or 100 + i for i, row in enumerate(rows)], dtype=np.int64),
        order_key=np.array([row[2] for row in rows], dtype=np.int64),
        product=np.array(product, dtype=np.int64),
        quantity=np.array(quantity, dtype=np.float64),
        value=np.array(value, dtype=np.float64),
        event_type=np.array([_EVENT_TYPES.index(row[3]) for row in rows], dtype=np.int16),
        event_types=_EVENT_TYPES,
        is_line=np.array([row[1] == ROW_ORDER for row in rows]),
        category=np.array(category, dtype=np.int64),
        categories=_CATEGORIES,
        discount=np.array(discount, dtype=np.float64),
        channel=np.array([-1 if row[4] is None else _CHANNELS.index(row[4]) for row in rows], dtype=np.int16),
        channels=_CHANNELS,
    )


@pytest.fixture(scope="module")
def frame() -> FeatureFrame:
    log, _ = net(_story(), LocalCalendar("UTC"))
    plan = FeaturePlan.of(tuple(CATALOGUE.values()))
    return build_features(log, Snapshot.at(_SNAPSHOT, log.calendar), _REFERENCE, plan)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_feature_of_the_story_is_as_worked_out_by_hand(frame: FeatureFrame, name: str) -> None:
    assert frame[name][1] == pytest.approx(EXPECTED[name], rel=1e-12, nan_ok=True)


def test_of_a_customer_who_did_nothing_counts_are_nothing_and_all_else_is_missing(
    frame: FeatureFrame,
) -> None:
    nothing = {name for name in frame.names if frame[name][0] == 0}
    assert nothing == {
        *("events_30d", "events_90d", "event_days_90d", "events_change_30d", "channels", "channels_90d"),
        *("lines_90d", "products", "products_90d", "categories", "categories_90d", "categories_change_90d"),
        *("refunds", "refunds_90d"),
        *(
            f"event.{family}.{what}"
            for family in ("email_opened", "email_sent", "session_started", "support_ticket_opened")
            for what in ("count_7d", "count_30d", "count_90d", "days_90d", "change_30d")
        ),
    }
    assert all(np.isnan(frame[name][0]) for name in set(frame.names) - nothing)


def test_the_whole_catalogue_of_a_business_passes_its_checks_and_a_customer_alone_gives_the_same_row() -> None:
    log, _ = net(_story(), LocalCalendar("UTC"))
    snapshot = Snapshot.at(_SNAPSHOT, log.calendar)
    reference = Reference.of(log, snapshot)
    plan = FeaturePlan.of(features_for(reference))
    together = build_features(log, snapshot, reference, plan)
    check_frame(together)
    for row in range(log.n_customers):
        alone = build_features(log.take([row]), snapshot, reference, plan)
        assert alone.values.tobytes() == together.values[row : row + 1].tobytes()
