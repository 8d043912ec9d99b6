"""The plan of snapshots and the roles of customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.shop import local_day
from training.exceptions import TrainingError
from training.splits import ROLES, customer_draws, plan_splits, role_of_draws


def test_roles_get_separate_snapshots_where_the_earliest_has_the_activity_window_and_two_horizons_behind_it() -> None:
    splits = plan_splits(first_day=0, end_day=720, horizon_days=90, activity_days=180)
    assert splits.method == "separate snapshots"
    assert (splits.train, splits.early_stopping, splits.calibration, splits.test) == ((360,), (450,), (540,), 630)


def test_a_day_less_of_history_makes_customer_folds_over_all_snapshots_a_horizon_before_the_test() -> None:
    splits = plan_splits(first_day=0, end_day=719, horizon_days=90, activity_days=180)
    assert splits.method == "customer folds"
    assert splits.test == 629
    assert splits.train == splits.early_stopping == splits.calibration == (179, 269, 359, 449, 539)


def test_more_history_goes_to_the_training_rows() -> None:
    splits = plan_splits(first_day=0, end_day=900, horizon_days=90, activity_days=180)
    assert (splits.train, splits.early_stopping, splits.calibration) == ((360, 450, 540), (630,), (720,))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(first=st.integers(-1_000, 20_000), span=st.integers(1, 4_000), horizon=st.integers(1, 400), data=st.data())
def test_no_label_window_reaches_into_the_next_snapshot_or_past_the_log(
    first: int, span: int, horizon: int, data: st.DataObject
) -> None:
    assume(span >= 3 * horizon)
    activity = data.draw(st.integers(1, 4 * horizon))
    splits = plan_splits(first_day=first, end_day=first + span, horizon_days=horizon, activity_days=activity)
    assert splits.test + horizon == first + span
    days = sorted({day for role in ROLES for day in splits.days(role)})
    assert all(splits.days(role) for role in ROLES)
    assert all(later - earlier >= horizon for earlier, later in zip(days, [*days[1:], splits.test], strict=True))
    assert days[0] - first >= horizon
    if splits.method == "separate snapshots":
        assert days[0] - first >= activity + 2 * horizon
        assert max(splits.train) < min(splits.early_stopping) < min(splits.calibration) < splits.test
    else:
        assert splits.train == splits.early_stopping == splits.calibration == tuple(days)


def test_a_log_of_three_horizons_is_enough_and_a_day_less_says_what_to_do() -> None:
    assert plan_splits(first_day=0, end_day=270, horizon_days=90, activity_days=180).train == (90,)
    with pytest.raises(TrainingError, match=r"spans 269 days; .* 90 days needs at least 270.* shorter --horizon-days"):
        plan_splits(first_day=0, end_day=269, horizon_days=90, activity_days=180)


def test_the_report_gets_the_plan_as_dates() -> None:
    first = local_day(1997, 1, 1)
    splits = plan_splits(first_day=first, end_day=local_day(1998, 7, 1), horizon_days=90, activity_days=180)
    dates = splits.as_dates()
    assert list(dates) == [*ROLES, "test"]
    assert dates["test"] == "1998-04-02"
    assert dates["train"][-1] == "1998-01-02"


def test_draws_are_the_golden_values_of_the_published_hash() -> None:
    # First 8 bytes of BLAKE2b-64 of the id, as 53 bits: coreutils' `b2sum -l 64` gives the same digests.
    digests = {"00001": "e4697e72a7a0ca39", "Łucja": "f0a6382874a73a36"}
    expected = [(int(digest, 16) >> 11) / 2**53 for digest in digests.values()]
    np.testing.assert_array_equal(customer_draws(list(digests)), expected)


def test_draws_are_spread_evenly_and_do_not_depend_on_the_neighbours() -> None:
    ids = [f"{number:05}" for number in range(20_000)]
    draws = customer_draws(ids)
    assert draws.min() >= 0
    assert draws.max() < 1
    # Each of 20 bins expects 1,000 with a standard deviation of 31.
    np.testing.assert_allclose(np.histogram(draws, bins=20, range=(0, 1))[0], 1_000, atol=4 * 31)
    np.testing.assert_array_equal(customer_draws(ids[::-1]), draws[::-1])


def test_three_fifths_of_the_customers_train_and_a_fifth_each_stops_and_calibrates() -> None:
    draws = np.array([0.0, 0.59, 0.6, 0.79, 0.8, 0.999])
    roles = ["train", "train", "early_stopping", "early_stopping", "calibration", "calibration"]
    assert role_of_draws(draws).tolist() == roles
