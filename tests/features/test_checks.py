"""Checks of a frame name the column, how many are wrong, and who."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from features.build import FeatureFrame, FeaturePlan, build_features
from features.catalogue import CATALOGUE, features_for
from features.checks import check_frame
from features.exceptions import CheckError
from features.reference import Reference
from features.windows import Snapshot
from tests.features.strategies import PROPERTY, Row, histories, snapshot_days, to_log


def _frame(name: str, *values: float, ids: tuple[str, ...] = ("a", "b", "c", "d", "e")) -> FeatureFrame:
    return FeatureFrame(ids[: len(values)], (CATALOGUE[name],), np.array(values, dtype=np.float64).reshape(-1, 1))


@PROPERTY
@given(histories(), snapshot_days())
def test_whatever_customers_do_the_frame_passes(history: list[Row], day: int) -> None:
    log = to_log(history)
    snapshot = Snapshot.at_midnight(day, log.calendar)
    reference = Reference.of(log, snapshot)
    check_frame(build_features(log, snapshot, reference, FeaturePlan.of(features_for(reference))))
    check_frame(build_features(log, snapshot))


def test_missing_values_pass_and_so_does_an_empty_frame() -> None:
    check_frame(_frame("p_alive", 0.0, np.nan, 1.0))
    check_frame(_frame("p_alive"))


def test_values_out_of_range_are_named_with_column_count_and_first_customers() -> None:
    with pytest.raises(
        CheckError, match=r"^p_alive: expected .* from 0 to 1, got 1\.5 and the like for 4 customers \(b, c, d, …\)$"
    ):
        check_frame(_frame("p_alive", 0.5, 1.5, -0.5, 2.0, 7.0))


def test_an_infinite_value_is_named_where_no_range_is_declared() -> None:
    with pytest.raises(CheckError, match=r"^total_value: expected finite values .* got inf .* 1 customers \(b\)$"):
        check_frame(_frame("total_value", 1.0, np.inf))


def test_a_customer_who_stands_twice_is_named() -> None:
    with pytest.raises(CheckError, match=r"^expected each customer once, got 1 customers \(a\) more than once$"):
        check_frame(_frame("T", 1.0, 1.0, 2.0, ids=("a", "a", "b")))
