"""Rows of many customers one after another: `offsets[i]:offsets[i + 1]` are those of customer i."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["join_columns", "join_offsets", "keep_rows", "recode", "take_rows"]


def take_rows(
    offsets: NDArray[np.int64], customers: Sequence[int] | NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offsets of some customers, in the order given, and the positions of their rows.

    Examples
    --------
    >>> offsets, rows = take_rows(np.array([0, 2, 2, 5]), [2, 0])
    >>> offsets.tolist(), rows.tolist()
    ([0, 3, 5], [2, 3, 4, 0, 1])
    """
    positions = np.asarray(customers, dtype=np.int64)
    lengths = np.diff(offsets)[positions]
    taken: NDArray[np.int64] = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    rows: NDArray[np.int64] = np.repeat(offsets[positions] - taken[:-1], lengths) + np.arange(taken[-1])
    return taken, rows


def keep_rows(offsets: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the offsets that are left when only some rows of each customer are kept.

    Examples
    --------
    >>> keep_rows(np.array([0, 2, 2, 3]), np.array([True, False, True])).tolist()
    [0, 1, 1, 2]
    """
    before: NDArray[np.int64] = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
    return before[offsets]


def join_offsets(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the offsets of the customers of all parts, one part after another."""
    return np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *(np.diff(part) for part in parts)]), dtype=np.int64)


def join_columns(columns: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Concatenate columns, of which there may be none."""
    return np.concatenate(columns) if columns else np.empty(0, dtype=dtype)


def recode(codes: NDArray[Any], names: Sequence[str], joint_names: Sequence[str]) -> NDArray[Any]:
    """Turn indices into `names` into indices into `joint_names`, which has them all; -1 stays -1.

    Examples
    --------
    >>> recode(np.array([1, -1, 0]), ["a", "c"], ["a", "b", "c"]).tolist()
    [2, -1, 0]
    """
    position = {name: i for i, name in enumerate(joint_names)}
    # The last one stands for -1.
    moved = np.array([*(position[name] for name in names), -1], dtype=codes.dtype)
    recoded: NDArray[Any] = moved[codes]
    return recoded
