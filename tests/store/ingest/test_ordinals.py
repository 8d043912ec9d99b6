"""Counting equals."""

from __future__ import annotations

from collections import Counter

import numpy as np

from store.ingest.ordinals import OrdinalCounter


def test_ordinals_over_many_growths_equal_those_of_a_dict() -> None:
    generator = np.random.default_rng(7)
    counter, seen = OrdinalCounter(), Counter[int]()
    for _ in range(20):
        # Zero is a key like any other; neighbours collide on purpose.
        keys = generator.integers(0, 40_000, 10_000).astype(np.uint64)
        expected = []
        for key in keys.tolist():
            expected.append(seen[key])
            seen[key] += 1
        assert counter.count(keys).tolist() == expected
    some = np.arange(50_000, dtype=np.uint64)
    assert counter.total(some).tolist() == [seen[key] for key in range(50_000)]


def test_nothing_is_counted_of_nothing() -> None:
    assert OrdinalCounter().count(np.empty(0, dtype=np.uint64)).tolist() == []
