"""Silences of a log, and the product-limit estimate of how many end in a return."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import Row, to_log
from training.silences import FEWEST_SILENCES, ReturnCurve, Silences

_FIRST = datetime(2024, 1, 1, 12, tzinfo=UTC)


def _silences(**days: list[int]) -> Silences:
    rows = [Row(name, _FIRST + timedelta(days=day), 10.0) for name, bought in days.items() for day in bought]
    return Silences.of(to_log(rows))


def test_a_silence_lasts_from_a_purchase_day_to_the_next_or_to_the_end_of_the_log() -> None:
    found = _silences(anna=[0, 0, 4, 10], ben=[3], cleo=[8, 12])
    assert found.customer.tolist() == [0, 0, 0, 1, 2, 2]
    assert (found.begins - found.begins[0]).tolist() == [0, 4, 10, 3, 8, 12]
    assert found.lasts.tolist() == [4, 6, 2, 9, 4, 0]
    assert found.returns.tolist() == [True, True, False, False, True, False]
    assert found.known_days.tolist() == [3, 5, 2, 9, 3, 0]
    assert found.history_days == 13


def test_the_usual_gap_is_what_was_known_when_the_silence_began() -> None:
    usual = _silences(anna=[0, 4, 10, 100], ben=[3]).usual_gap
    np.testing.assert_array_equal(usual, [np.nan, 4.0, 5.0, 100 / 3, np.nan])


def test_a_log_without_purchases_has_no_silences() -> None:
    found = Silences.of(to_log([Row("anna", _FIRST, None, "Session Started")]))
    assert (len(found.customer), found.history_days) == (0, 0)
    assert ReturnCurve.of(found.lasts, found.returns).share_returning(0) is None


def test_customers_are_counted_once_a_group_however_many_silences_they_have() -> None:
    found = _silences(anna=[0, 5, 10], ben=[2])  # known to have lasted 4, 4, 0 and 8 days
    group = np.array([0, 1, 1, 0], dtype=np.int8)
    assert found.customers_by_length(group, 2).tolist() == [[2, 2, 2, 2, 2, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0, 0, 0]]
    nobody = np.full(4, -1, dtype=np.int8)
    assert found.customers_by_length(nobody, 1).sum() == 0


def test_at_a_midnight_each_customer_is_in_one_silence_at_most() -> None:
    found = _silences(anna=[0, 5], ben=[3])
    day = int(found.begins[0])
    assert [found.open_at(day + after).tolist() for after in (0, 1, 5, 6)] == [
        [False, False, False],
        [True, False, False],
        [True, False, True],
        [False, True, True],
    ]


def test_the_curve_is_that_published_for_remission_under_6_mp_by_freireich_1963() -> None:
    # Weeks in remission of 21 patients, as in Kalbfleisch and Prentice (1980); the product-limit estimate is standard.
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = ReturnCurve.of(np.array(ended + censored), np.array([True] * len(ended) + [False] * len(censored)))
    published = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    assert {week: round(float(curve.lasting[week]), 4) for week in published} == published
    assert (curve.watched[[6, 7, 10, 23]].tolist(), curve.followed_days) == ([21, 17, 15, 6], 17)


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=80))
def test_the_curve_is_the_product_over_days_written_out(silences: list[tuple[int, bool]]) -> None:
    lasts, returns = (np.array(column) for column in zip(*silences, strict=True))
    curve = ReturnCurve.of(lasts, returns)
    share = 1.0
    for day in range(int(lasts.max()) + 1):
        watched = sum(length >= day for length, _ in silences)
        share *= 1.0 - sum(length == day and ended for length, ended in silences) / watched
        assert curve.lasting[day] == pytest.approx(share, abs=1e-12)
        lasted = sum(length > day or (length == day and not ended) for length, ended in silences)
        assert curve.n_lasted(day) == lasted


def test_without_censoring_the_share_that_returns_is_the_share_that_returned() -> None:
    lasts = np.repeat(np.arange(1, 101), 100)
    curve = ReturnCurve.of(lasts, lasts <= 80)
    # Of the silences longer than 20 days, those of 21 to 80 days returned and those of 81 to 100 did not.
    assert curve.followed_days == 100
    assert curve.share_returning(20) == pytest.approx(60 / 80, abs=1e-12)


def test_a_share_is_told_only_of_enough_silences_that_were_followed_for_as_long_again() -> None:
    lasts = np.concatenate([np.full(1000, 10), np.full(FEWEST_SILENCES, 45)])
    curve = ReturnCurve.of(lasts, np.repeat([True, False], [1000, FEWEST_SILENCES]))
    assert curve.followed_days == 45
    assert curve.share_returning(22) == 0.0
    assert curve.share_returning(23) is None  # followed for 22 days more
    fewer = ReturnCurve.of(lasts[:-1], np.repeat([True, False], [1000, FEWEST_SILENCES - 1]))
    assert fewer.share_returning(9) is not None
    assert fewer.share_returning(10) is None  # 49 have lasted so long


def test_nearly_all_have_ended_where_the_few_that_last_mostly_last_on() -> None:
    lasts = np.concatenate([np.full(1000, 10), np.full(30, 200)])
    leaving = ReturnCurve.of(lasts, np.repeat([True, False], [1000, 30]))
    assert [leaving.nearly_all_ended(days) for days in (9, 10, 199, 500)] == [False, True, True, True]
    assert leaving.share_ended(500) == leaving.share_ended(10) == pytest.approx(1000 / 1030, abs=1e-12)
    seldom = ReturnCurve.of(
        np.concatenate([lasts[:1000], np.full(20, 100), np.full(10, 200)]), np.repeat([True, False], [1020, 10])
    )
    # Of the 30 that last, 20 end after 100 days: until then those are not gone.
    assert [seldom.nearly_all_ended(days) for days in (10, 99, 100)] == [False, False, True]
    more = ReturnCurve.of(np.append(lasts, np.full(30, 200)), np.repeat([True, False], [1000, 60]))
    assert not more.nearly_all_ended(10)  # 6 % are still silent


def test_of_fewer_than_fifty_silences_nothing_is_said_to_have_ended() -> None:
    ended = np.ones(FEWEST_SILENCES + 1, dtype=np.bool_)
    assert ReturnCurve.of(np.full(FEWEST_SILENCES, 10), ended[1:]).nearly_all_ended(10)
    assert not ReturnCurve.of(np.full(FEWEST_SILENCES - 1, 10), ended[2:]).nearly_all_ended(10)


@pytest.mark.parametrize("days", [30, 60, 90, 180])
def test_on_cdnow_the_curve_agrees_with_the_silences_that_were_wholly_followed(days: int) -> None:
    """Of those that began early enough, the share that returned within 90 days more is counted, not estimated."""
    found = Silences.of(cdnow_log("cdnow_master.parquet"))
    curve = ReturnCurve.of(found.lasts, found.returns)
    followed = (found.known_days >= days) & (found.begins + days + 90 < END_DAY)
    counted = (found.returns & (found.lasts <= days + 90))[followed].mean()
    estimated = 1.0 - curve.lasting[days + 90] / curve.lasting[days]
    assert estimated == pytest.approx(counted, abs=0.01)
