"""Histories: what is legal, and the same without repetition."""

import numpy as np
import pytest

from models.btyd.histories import PurchaseHistories
from models.exceptions import InputError


@pytest.mark.parametrize(
    ("frequency", "recency", "T", "message"),
    [
        (
            [0, -1],
            [0, 1],
            [5, 5],
            r"frequency: expected whole numbers .* 1 of 2 values are not, at positions 1 \(-1\)\.",
        ),
        ([0.5], [1], [5], r"frequency: expected whole numbers .* positions 0 \(0\.5\)"),
        ([np.nan], [1], [5], r"frequency: expected whole numbers .* positions 0 \(nan\)"),
        ([2_000_000], [1], [5], r"frequency: expected whole numbers from 0 to 1,000,000"),
        ([1, 1], [1, 1], [5, -5], r"T: expected finite times of 0 or more; 1 of 2"),
        ([1], [1], [np.inf], r"T: expected finite times"),
        ([1], [-1], [5], r"recency: expected finite times"),
        ([1], [np.nan], [5], r"recency: expected finite times"),
        ([1, 2, 3], [6, 2, 9], [5, 5, 5], r"recency: expected values no greater than T; 2 of 3 .* 0 \(6\), 2 \(9\)\."),
        ([2], [0], [5], r"recency: expected values above 0 where frequency is above 0; .* count days, not orders"),
        ([0], [3], [5], r"recency: expected 0 where frequency is 0"),
        ([1, 1], [1], [5], r"expected columns of one length, got frequency 2, recency 1, T 1"),
        ([[1]], [[1]], [[5]], r"frequency: expected one dimension, got an array of shape \(1, 1\)"),
        (["often"], [1], [5], r"frequency: expected numbers, got list"),
    ],
)
def test_an_illegal_history_is_refused_naming_column_count_and_positions(
    frequency: list[float], recency: list[float], T: list[float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PurchaseHistories.checked(frequency, recency, T)


def test_only_the_first_positions_of_many_are_shown() -> None:
    with pytest.raises(InputError, match=r"7 of 7 values are not, at positions 0 \(9\), .*, 4 \(9\), …\."):
        PurchaseHistories.checked([1] * 7, [9] * 7, [5] * 7)


def test_equal_histories_are_counted_once_and_their_sums_kept() -> None:
    distinct = PurchaseHistories.checked([2, 0, 2, 0, 1], [8, 0, 8, 0, 3], [20, 20, 20, 10, 20]).distinct()

    assert distinct.unit == 2.0
    assert distinct.frequency.tolist() == [0, 0, 1, 2]
    assert distinct.recency.rows.tolist() == [0, 0, 1.5, 4]
    assert distinct.T.rows.tolist() == [5, 10, 10, 10]
    assert distinct.T.values.tolist() == [5, 10]
    assert distinct.counts.tolist() == [1, 1, 1, 2]
    assert distinct.n_customers == 5
    assert distinct.n_purchases == 5
    assert distinct.purchase_rate == pytest.approx(5 / 45)
    assert distinct.customers_by_frequency.tolist() == [2, 1, 2]
    assert distinct.customers_by_duration.tolist() == [1, 4]
    assert distinct.purchases_by_duration.tolist() == [0, 5]


def test_a_sample_keeps_the_shares_of_the_histories_and_their_times() -> None:
    frequency = [0] * 60 + [2] * 30 + [5] * 10
    distinct = PurchaseHistories.checked(frequency, [4.0 * x for x in frequency], [40] * 100).distinct()

    sample = distinct.sample(10)

    assert sample.n_customers == 10
    assert sample.frequency.tolist() == [0, 2, 5]
    assert sample.counts.tolist() == [6, 3, 1]
    assert sample.recency.rows.tolist() == [0, 2, 5]
    assert sample.T.rows.tolist() == [10, 10, 10]
    assert sample.n_purchases == 11


def test_customers_seen_for_no_time_have_no_rate() -> None:
    assert PurchaseHistories.checked([0, 0], [0, 0], [0, 0]).distinct().purchase_rate == 0
