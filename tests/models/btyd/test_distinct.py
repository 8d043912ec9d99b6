"""Distinct rows, packed into integers or sorted by columns, against numpy's own."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.btyd.distinct import counted_rows, distinct_rows, distinct_values, evenly_spread

Columns = tuple[NDArray[np.float64], ...]

RANDOM = np.random.default_rng(4)


def whole(n: int, *highest: int) -> Columns:
    return tuple(RANDOM.integers(0, most, n).astype(np.float64) for most in highest)


CASES: dict[str, Columns] = {
    "whole and few, counted in a table": whole(500, 4, 30),
    "whole and many, sorted as integers": whole(500, 1000, 30, 700),
    "whole and beyond 64 bits": (*whole(500, 3), np.asarray(RANDOM.integers(0, 3, 500) * 2.0**62, dtype=np.float64)),
    "in parts": (*whole(500, 5), np.asarray(RANDOM.integers(0, 20, 500) / 7, dtype=np.float64)),
    "one row": (np.array([3.0]), np.array([2.0])),
    "none": (np.zeros(0), np.zeros(0)),
}


@pytest.mark.parametrize("name", CASES)
def test_distinct_rows_are_those_of_numpy_unique(name: str) -> None:
    columns = CASES[name]
    rows, inverse, counts = np.unique(np.column_stack(columns), axis=0, return_inverse=True, return_counts=True)

    first, ours = distinct_rows(*columns)
    counted, of_each = counted_rows(*columns)

    assert np.column_stack([column[first] for column in columns]).tolist() == rows.tolist()
    assert ours.tolist() == inverse.ravel().tolist()
    assert np.column_stack(counted).tolist() == rows.tolist()
    assert of_each.tolist() == counts.tolist()


def test_columns_stay_as_they_were() -> None:
    columns = whole(50, 9, 9)
    before = [column.copy() for column in columns]

    counted_rows(*columns)

    assert all((column == kept).all() for column, kept in zip(columns, before, strict=True))


def test_distinct_values_ascend() -> None:
    values, index = distinct_values(np.array([2.5, 0.0, 2.5, 1.0]))

    assert values.tolist() == [0, 1, 2.5]
    assert index.tolist() == [2, 0, 2, 1]


def test_all_are_chosen_where_all_are_asked_for() -> None:
    counts = np.array([3.0, 1.0, 7.0])

    rows, of_each = evenly_spread(counts, 11)

    assert rows.tolist() == [0, 1, 2]
    assert of_each.tolist() == counts.tolist()
