"""Blocks of customers: each once, whoever works on it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulated_events import event_log, snapshots
from features.aggregate import Aggregate, Measure, aggregate_at
from features.blocks import for_blocks
from features.build import build_features, build_features_at


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize(("n_customers", "n_snapshots"), [(0, 1), (1, 1), (4_321, 1), (4_321, 12), (3, 5_000), (3, 0)])
def test_every_customer_is_in_one_block(n_customers: int, n_snapshots: int, num_threads: int) -> None:
    times = np.zeros(n_customers, dtype=np.int64)

    def work(first: int, end: int) -> None:
        times[first:end] += 1

    for_blocks(n_customers, n_snapshots, work, num_threads)
    assert (times == 1).all()


@pytest.mark.parametrize("num_threads", [1, 2])
def test_an_error_in_any_block_is_raised(num_threads: int) -> None:
    def work(first: int, _: int) -> None:
        if first > 0:
            raise ValueError("the second block")

    with pytest.raises(ValueError, match="the second block"):
        for_blocks(50_000, 1, work, num_threads)


def test_neither_threads_nor_other_snapshots_change_a_bit() -> None:
    log = event_log(10_000, 10)
    at = snapshots(5, 30)
    alone = [build_features(log, snapshot).values.tobytes() for snapshot in at]
    for num_threads in (1, 2):
        frames = build_features_at(log, at, num_threads=num_threads)
        assert [frame.values.tobytes() for frame in frames] == alone
    counts = [Aggregate(Measure.EVENTS, 30), Aggregate(Measure.VALUE, 90)]
    assert aggregate_at(log, at, counts, num_threads=2).tobytes() == aggregate_at(log, at, counts).tobytes()


def test_no_snapshots_give_no_frames_and_no_numbers() -> None:
    log = event_log(3, 5)
    assert build_features_at(log, ()) == ()
    assert aggregate_at(log, (), [Aggregate(Measure.EVENTS), Aggregate(Measure.ORDERS)]).shape == (0, 3, 2)
