"""Labelled rows: who is in them, what they say, and that nothing of the future is in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.build import build_features
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from tests.shop import AS_OF, CHURN_TARGET, HORIZON_DAYS, Row, local_day, microseconds, shop_inputs, shop_log, to_log
from training.dataset import Dataset, Rows, build_dataset, labelled_rows
from training.exceptions import TrainingError
from training.progress import silent
from training.splits import ROLES, Splits, customer_draws, plan_splits

SNAPSHOT = datetime(2023, 7, 1, tzinfo=UTC)
DAY = local_day(2023, 7, 1)
HORIZON = timedelta(days=HORIZON_DAYS)
MOMENT = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    return shop_inputs(local_day(2024, 7, 1))


@pytest.fixture(scope="module")
def splits() -> Splits:
    return plan_splits(first_day=_first_day(), end_day=_end_day(), horizon_days=90, activity_days=180)


@pytest.fixture(scope="module")
def dataset(splits: Splits) -> Dataset:
    return _dataset(splits)


@pytest.fixture(scope="module")
def folds() -> Dataset:
    splits = plan_splits(first_day=_first_day(), end_day=_end_day(), horizon_days=90, activity_days=500)
    return _dataset(splits, activity_days=500)


def test_labels_of_a_hand_made_log_are_right_at_both_ends_of_the_horizon(inputs: ModelInputs) -> None:
    before = SNAPSHOT - timedelta(days=10)
    churned = {
        "never again": [],
        "at the very end": [SNAPSHOT + HORIZON],
        "only after": [SNAPSHOT + 2 * HORIZON],
        "only a visit": [],
    }
    stayed = {
        "at the snapshot": [SNAPSHOT],
        "within": [SNAPSHOT + timedelta(days=40)],
        "in the last moment": [SNAPSHOT + HORIZON - MOMENT],
    }
    not_judged = {"long silent": SNAPSHOT - timedelta(days=181), "not yet a customer": SNAPSHOT}
    rows = [Row(name, before, 10.0) for name in (*churned, *stayed)]
    rows += [Row(name, at, 10.0) for name, times in (churned | stayed).items() for at in times]
    rows += [Row(name, at, 10.0) for name, at in not_judged.items()]
    rows.append(Row("only a visit", SNAPSHOT + timedelta(days=1), None, "Session Started"))
    rows.append(Row("never bought", before, None, "Session Started"))

    found = labelled_rows(to_log(rows), DAY, CHURN_TARGET, inputs)
    expected = {**dict.fromkeys(churned, 1.0), **dict.fromkeys(stayed, 0.0)}
    ids = sorted(expected)
    assert found.y.tolist() == [expected[name] for name in ids]
    np.testing.assert_array_equal(found.draw, customer_draws(ids))


def test_a_customer_is_judged_who_purchased_on_the_first_day_of_the_activity_window(inputs: ModelInputs) -> None:
    rows = [Row("in", SNAPSHOT - timedelta(days=180), 5.0), Row("out", SNAPSHOT - timedelta(days=180) - MOMENT, 5.0)]
    found = labelled_rows(to_log(rows), DAY, CHURN_TARGET, inputs)
    np.testing.assert_array_equal(found.draw, customer_draws(["in"]))


def test_what_happens_from_a_snapshot_on_changes_no_input_of_its_rows(inputs: ModelInputs) -> None:
    log = shop_log()
    known = log.before(microseconds(SNAPSHOT))
    with_future = labelled_rows(log, DAY, CHURN_TARGET, inputs)
    without = labelled_rows(known, DAY, CHURN_TARGET, inputs)
    assert without.X.tobytes() == with_future.X.tobytes()
    assert without.draw.tobytes() == with_future.draw.tobytes()
    assert without.y.all()
    assert not with_future.y.all()


def test_what_happens_from_the_test_snapshot_on_reaches_no_row_that_a_model_learns_from(
    dataset: Dataset, splits: Splits
) -> None:
    known = shop_log().before(Snapshot.at_midnight(splits.test, shop_log().calendar).as_of)
    at_test = shop_inputs(splits.test)
    for role in ROLES:
        rows = Rows.stack([labelled_rows(known, day, CHURN_TARGET, at_test) for day in splits.days(role)])
        learnt_from: Rows = getattr(dataset, role)
        assert rows.X.tobytes() == learnt_from.X.tobytes()
        assert rows.y.tobytes() == learnt_from.y.tobytes()


def test_separate_snapshots_hold_the_rows_of_their_own_days_only(dataset: Dataset, splits: Splits) -> None:
    assert dataset.method == "separate snapshots"
    seasons = {role: set(getattr(dataset, role).inputs(("season_sine",))[:, 0].tolist()) for role in ROLES}
    assert {role: len(days) for role, days in seasons.items()} == {role: len(splits.days(role)) for role in ROLES}
    assert len(set.union(*seasons.values())) == sum(len(days) for days in seasons.values())


def test_with_customer_folds_nobody_has_two_roles(folds: Dataset) -> None:
    assert folds.method == "customer folds"
    draws = {role: set(getattr(folds, role).draw.tolist()) for role in ROLES}
    n = {role: len(customers) for role, customers in draws.items()}
    assert len(set.union(*draws.values())) == sum(n.values())
    assert n["train"] > 2 * n["calibration"] > 0


def test_all_customers_of_the_test_snapshot_are_measured_whatever_their_fold(folds: Dataset) -> None:
    frame = build_features(shop_log(), Snapshot.at_midnight(local_day(2024, 4, 2), shop_log().calendar))
    assert len(folds.test.y) == int((frame["days_since_last_purchase"] < 500).sum())


def test_too_few_rows_are_refused_with_their_numbers_and_a_way_out(inputs: ModelInputs) -> None:
    few = shop_log().take(range(60))
    splits = plan_splits(first_day=_first_day(), end_day=_end_day(), horizon_days=90, activity_days=180)
    with pytest.raises(TrainingError, match=r"too few rows for \w[\w ]*: \d+ of .* --activity-days"):
        build_dataset(few, splits, CHURN_TARGET, inputs, progress=silent)


def test_rows_of_one_fate_are_refused(inputs: ModelInputs) -> None:
    monthly = [
        Row(f"c{number}", datetime(2022, 1, 1, tzinfo=UTC) + timedelta(days=30 * month), 10.0)
        for number in range(100)
        for month in range(30)
    ]
    log = to_log(monthly)
    splits = plan_splits(
        first_day=int(log.day.min()), end_day=int(log.day.max()) + 1, horizon_days=90, activity_days=90
    )
    with pytest.raises(TrainingError, match="300 of an eligible customer at a snapshot, 0 of them churned"):
        build_dataset(log, splits, replace(CHURN_TARGET, activity_days=90), inputs, progress=silent)


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    splits = plan_splits(first_day=_first_day(), end_day=_end_day(), horizon_days=90, activity_days=180)
    _dataset(splits, progress=told)
    assert told == sorted(told)
    assert told[-1] == 1.0


def _first_day() -> int:
    return int(shop_log().day.min())


def _end_day() -> int:
    return local_day(AS_OF.year, AS_OF.month, AS_OF.day)


def _dataset(splits: Splits, *, activity_days: int = 180, progress: list[float] | None = None) -> Dataset:
    told = [] if progress is None else progress
    return build_dataset(
        shop_log(),
        splits,
        replace(CHURN_TARGET, activity_days=activity_days),
        shop_inputs(splits.test),
        progress=lambda _, done: told.append(done),
    )
