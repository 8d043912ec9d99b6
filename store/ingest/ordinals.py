"""Counts equals among very many rows: the n-th row of its kind so far, in 12 bytes a kind."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["OrdinalCounter"]

_FIRST_CAPACITY = 1 << 12
_FULLEST = 0.7


class OrdinalCounter:
    """Tells of each key how often it was seen before.

    An open-addressing hash table in two arrays, which doubles as it fills; a Python dict would take ten times the
    memory. Keys are 64 bits of a good hash: among 10,000,000 rows two different ones are taken for equals with a
    probability of 3 in 1,000,000.
    """

    def __init__(self) -> None:
        self._keys = np.zeros(_FIRST_CAPACITY, dtype=np.uint64)
        self._counts = np.zeros(_FIRST_CAPACITY, dtype=np.int32)
        self._used = 0

    def count(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Count keys and return, for each, how often it was counted before (0 for its first time).

        Parameters
        ----------
        keys : uint64, length n

        Returns
        -------
        int64, length n
        """
        self._make_room(len(keys))
        ordinals = np.empty(len(keys), dtype=np.int64)
        self._used += _count(keys, self._keys, self._counts, ordinals)
        return ordinals

    def total(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return how often each key was counted in all."""
        totals = np.empty(len(keys), dtype=np.int64)
        _look_up(keys, self._keys, self._counts, totals)
        return totals

    def _make_room(self, n: int) -> None:
        capacity = len(self._keys)
        while self._used + n > _FULLEST * capacity:
            capacity *= 2
        if capacity > len(self._keys):
            keys, counts = np.zeros(capacity, dtype=np.uint64), np.zeros(capacity, dtype=np.int32)
            _move(self._keys, self._counts, keys, counts)
            self._keys, self._counts = keys, counts


@njit(cache=True)
def _slot(key: np.uint64, keys: NDArray[np.uint64], counts: NDArray[np.int32]) -> int:
    """Return where a key stands, or the free slot where it belongs."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while counts[slot] > 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot  # type: ignore[return-value]


@njit(cache=True)
def _count(
    wanted: NDArray[np.uint64], keys: NDArray[np.uint64], counts: NDArray[np.int32], ordinals: NDArray[np.int64]
) -> int:
    new = 0
    for i in range(len(wanted)):
        slot = _slot(wanted[i], keys, counts)
        if counts[slot] == 0:
            keys[slot] = wanted[i]
            new += 1
        ordinals[i] = counts[slot]
        counts[slot] += 1
    return new


@njit(cache=True)
def _look_up(
    wanted: NDArray[np.uint64], keys: NDArray[np.uint64], counts: NDArray[np.int32], totals: NDArray[np.int64]
) -> None:
    for i in range(len(wanted)):
        totals[i] = counts[_slot(wanted[i], keys, counts)]


@njit(cache=True)
def _move(
    old_keys: NDArray[np.uint64], old_counts: NDArray[np.int32], keys: NDArray[np.uint64], counts: NDArray[np.int32]
) -> None:
    for old in range(len(old_keys)):
        if old_counts[old] > 0:
            slot = _slot(old_keys[old], keys, counts)
            keys[slot] = old_keys[old]
            counts[slot] = old_counts[old]
