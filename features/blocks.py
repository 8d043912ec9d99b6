"""Customers a block at a time, so that what is passed on between steps stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["for_blocks"]

# Rows (of a customer at a snapshot) in a block. Several times fewer stay nearer to the processor, but then threads wait
# for the interpreter between blocks longer than they work on them. No power of two: columns that lie such a distance
# apart share few lines of the cache.
_ROWS = 10_000


def for_blocks(n_customers: int, n_snapshots: int, work: Callable[[int, int], None], num_threads: int) -> None:
    """Do work on all customers, a block after another.

    Parameters
    ----------
    n_customers, n_snapshots : int
    work : callable
        Takes the first position of a block and the one after its last. Must not depend on how customers are cut.
    num_threads : int
        Threads that share the blocks.
    """
    size = max(_ROWS // max(n_snapshots, 1), 1)
    firsts = range(0, n_customers, size)
    ends = [min(first + size, n_customers) for first in firsts]
    if num_threads == 1:
        for first, end in zip(firsts, ends, strict=True):
            work(first, end)
        return
    with ThreadPoolExecutor(num_threads) as threads:
        # Exhausted, so that an error of any block is raised.
        for _ in threads.map(work, firsts, ends):
            pass
