"""What features make of what was measured, by examples worked out by hand or by another library."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import CATALOGUE
from tests.features.strategies import PROPERTY

_NAN = math.nan


def _of(name: str, *inputs: float) -> float:
    return float(CATALOGUE[name].column([np.array([value]) for value in inputs])[0])


@pytest.mark.parametrize(
    ("name", "inputs", "value"),
    [
        # Value and orders, in the window and in all.
        ("mean_order_value_90d", (30.0, 4.0), 7.5),
        ("mean_order_value_90d", (0.0, 0.0), _NAN),
        ("order_value_ratio_90d", (30.0, 4.0, 100.0, 10.0), 0.75),
        ("order_value_ratio_90d", (30.0, 4.0, -5.0, 10.0), _NAN),
        # A deviation, or a last gap, of 5 days where 3 purchase days lie 20 days apart in all.
        ("gap_regularity", (5.0, 30.0, 10.0, 3.0), 0.5),
        ("gap_last_ratio", (5.0, 30.0, 10.0, 3.0), 0.5),
        ("gap_last_ratio", (_NAN, 30.0, 30.0, 1.0), _NAN),
        # Five purchase days in the last 90 days of 360, ten in all.
        ("pace_ratio_90d", (5.0, 10.0, 359.0), 2.0),
        ("pace_ratio_90d", (4.0, 4.0, 44.0), 1.0),
        ("pace_ratio_90d", (_NAN, _NAN, _NAN), _NAN),
        ("lines_per_order", (12.0, 4.0), 3.0),
        ("lines_per_order", (0.0, 0.0), _NAN),
        ("lines_per_order_ratio_90d", (12.0, 4.0, 15.0, 10.0), 2.0),
        ("repeat_line_share", (4.0, 10.0), 0.6),
        ("repeat_line_share", (0.0, 10.0), _NAN),
        ("novelty_90d", (1.0, 4.0), 0.25),
        ("category_spread", (0.25,), 4.0),
        ("favourite_category_share", (30.0, 40.0), 0.75),
        ("discount_share", (20.0, 80.0), 0.2),
        ("discount_share", (0.0, 0.0), _NAN),
        ("coupon_applied_share_90d", (2.0, 8.0), 0.25),
        ("coupon_applied_share_90d", (9.0, 8.0), 1.0),
        ("coupon_applied_share_90d", (2.0, 0.0), _NAN),
        ("price_level", (math.log(1.5),), 0.5),
        ("price_level", (0.0,), 0.0),
        ("refunded_share", (30.0, 120.0), 0.25),
        ("refunds_per_order", (1.0, 4.0), 0.25),
        ("sent_to_opened_90d", (3.0, 12.0), 0.25),
        ("sent_to_opened_90d", (30.0, 12.0), 1.0),
        ("sent_to_opened_90d", (0.0, 0.0), _NAN),
        ("event.email_sent.change_30d", (3.0, 5.0), -2.0),
        # Who never bought has carts, and no purchase came of them.
        ("cart_to_order_90d", (_NAN, 5.0), 0.0),
        ("cart_to_order_90d", (_NAN, _NAN), _NAN),
    ],
)
def test_a_feature_makes_of_its_inputs(name: str, inputs: tuple[float, ...], value: float) -> None:
    assert _of(name, *inputs) == pytest.approx(value, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("purchase_days", "since_first", "since_last", "stage"),
    [
        (5.0, 100.0, 20.0, 4.0),
        (5.0, 100.0, 40.0, 1.0),
        (3.0, 50.0, 20.0, 4.0),
        (3.0, 70.0, 40.0, 1.0),
        (3.0, 90.0, 60.0, 0.0),
        (1.0, 29.0, 29.0, 3.0),
        (1.0, 30.0, 30.0, 2.0),
        (_NAN, _NAN, _NAN, _NAN),
    ],
)
def test_the_stage_of_life_follows_from_the_silence_in_mean_gaps(
    purchase_days: float, since_first: float, since_last: float, stage: float
) -> None:
    assert _of("lifecycle_stage", purchase_days, since_first, since_last) == pytest.approx(stage, nan_ok=True)


@PROPERTY
@given(
    st.lists(st.integers(-50, 50).map(float), min_size=4, max_size=4),
    st.sampled_from((("purchase_days_slope_30d", 120.0), ("value_slope_90d", 360.0))),
)
def test_a_slope_equals_that_of_numpys_polyfit(windows: list[float], feature: tuple[str, float]) -> None:
    name, days = feature
    newest_first = windows[::-1]
    expected = np.polyfit(np.arange(4.0), windows, 1)[0]
    assert _of(name, *newest_first, days) == pytest.approx(expected, abs=1e-10)
    assert math.isnan(_of(name, *newest_first, days - 1))


def test_windows_of_a_slope_lie_side_by_side_newest_first() -> None:
    *windows, since_first = CATALOGUE["value_slope_90d"].inputs
    assert [(window.days, window.ago) for window in windows] == [(90, 0), (90, 90), (90, 180), (90, 270)]
    assert since_first.days is None


def test_equal_windows_have_a_slope_of_exactly_nothing() -> None:
    assert _of("value_slope_30d", 0.1, 0.1, 0.1, 0.1, 500.0) == 0.0


def test_what_shows_life_and_what_shows_quiet_agrees_with_common_sense() -> None:
    shown = {
        name: (CATALOGUE[name].shows(low), CATALOGUE[name].shows(high))
        for name, low, high in (
            ("event.session_started.count_30d", 0.0, 3.0),
            ("event.email_opened.change_30d", -2.0, 2.0),
            ("sent_to_opened_90d", 0.0, 0.5),
            ("pace_ratio_90d", 0.5, 2.0),
            ("lifecycle_stage", 0.0, 4.0),
            ("purchase_days_slope_90d", -1.0, 1.0),
            ("products_90d", 0.0, 5.0),
        )
    }
    assert set(shown.values()) == {("quiet", "life")}
    assert (CATALOGUE["gap_last_ratio"].shows(0.5), CATALOGUE["gap_last_ratio"].shows(3.0)) == ("life", "quiet")
    # To be sent an e-mail, or to need help, shows neither.
    for name in ("event.email_sent.count_30d", "event.support_ticket_opened.count_30d", "refunds", "price_level"):
        assert {CATALOGUE[name].shows(value) for value in (0.0, 5.0)} == {None}
