"""Buckets of tokens: how many pass at once, how many over time, and what is forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rate_limit import TokenBuckets


@dataclass
class Clock:
    """Stands still until told."""

    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


def _taken(buckets: TokenBuckets, name: str, tries: int = 1_000) -> int:
    return sum(buckets.take(name) == 0.0 for _ in range(tries))


def test_at_once_as_many_pass_as_in_two_seconds_and_then_as_many_as_time_brings() -> None:
    clock = Clock()
    buckets = TokenBuckets(10.0, most=100, clock=clock)
    assert _taken(buckets, "a") == 20
    clock.seconds += 0.5
    assert _taken(buckets, "a") == 5
    clock.seconds += 3_600
    assert _taken(buckets, "a") == 20


def test_who_is_stopped_is_told_how_long_and_passes_then() -> None:
    clock = Clock()
    buckets = TokenBuckets(0.1, most=100, clock=clock)
    assert buckets.seconds_to_wait("a") == 0.0
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == buckets.seconds_to_wait("a") == pytest.approx(10.0)
    clock.seconds += 4.0
    assert buckets.take("a") == pytest.approx(6.0)
    clock.seconds += 6.001
    assert buckets.seconds_to_wait("a") == 0.0
    assert buckets.take("a") == 0.0


def test_each_name_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(10.0, most=100, clock=Clock())
    assert (_taken(buckets, "a"), _taken(buckets, "b")) == (20, 20)


def test_no_more_buckets_are_remembered_than_told_and_the_one_taken_from_longest_ago_goes_first() -> None:
    buckets = TokenBuckets(1.0, most=2, clock=Clock())
    for name in ("a", "a", "b", "b"):
        assert buckets.take(name) == 0.0
    assert (buckets.take("a"), buckets.take("b")) == (1.0, 1.0)
    assert buckets.take("c") == 0.0  # a is forgotten, and full again
    assert (_taken(buckets, "b"), _taken(buckets, "a")) == (0, 2)


@given(st.lists(st.floats(0.0, 5.0), max_size=60), st.floats(0.5, 50.0))
def test_over_any_time_no_more_pass_than_the_burst_and_the_rate_allow(waits: list[float], rate: float) -> None:
    clock = Clock()
    buckets = TokenBuckets(rate, most=1, clock=clock)
    passed = 0
    for wait in waits:
        clock.seconds += wait
        passed += _taken(buckets, "a", 3)
    assert passed <= max(2 * rate, 1.0) + rate * sum(waits) + 1e-6
