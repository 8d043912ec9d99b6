"""Exact path-dependent SHAP values of boosted trees, looked up instead of computed anew for each row.

`forest` reads the trees from LightGBM's text, `lookup` cuts them into parts and computes a table for each, and
`summation` adds the rows of the tables that a customer's decisions lead to. Algorithm 2 of Lundberg, Erion & Lee (2018)
walks every path of every tree for every row; here the work for a row is a comparison a node, and an addition a part and
feature. What is exact stays exact, since the tables hold the Shapley values themselves.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.tree_shap.forest import Forest
from models.tree_shap.lookup import Lookup, cut, fill
from models.tree_shap.summation import add_block, add_row

__all__ = ["MOST_BYTES", "TreeShap"]

# Memory that the tables of one model may take. 300 full trees of depth 6 take 35 MB; one of depth 8 takes 2 MB.
MOST_BYTES = 256_000_000

# Rows that go through the trees together: they and their sums stay in the processor's second cache.
_BLOCK_ROWS = 1024


class TreeShap:
    """The contributions of features to the margin of a LightGBM model (Lundberg, Erion & Lee 2018, algorithm 2).

    Made by `from_text`. Rows don't influence each other: one gets to the last bit what it gets among others, and with
    any number of threads.
    """

    def __init__(self, forest: Forest, lookup: Lookup) -> None:
        self._forest = forest
        self._lookup = lookup
        self._cells = fill(forest, lookup)

    @classmethod
    def from_text(cls, text: str, *, most_bytes: int = MOST_BYTES) -> Self | None:
        """Make the tables of a model; None if they don't fit the memory they may take.

        Parameters
        ----------
        text : str
            LightGBM's model text, whole, with one margin a row.
        most_bytes : int
            Memory that the tables may take.

        Raises
        ------
        InputError
            The trees have linear leaves or are averaged.
        """
        forest = Forest.from_text(text)
        lookup = cut(forest, most_bytes=most_bytes)
        return None if lookup is None else cls(forest, lookup)

    @property
    def nbytes(self) -> int:
        """Memory of the tables, in bytes."""
        return self._cells.nbytes

    def values(self, X: NDArray[np.float64], *, num_threads: int = 1) -> NDArray[np.float64]:
        """Return the contribution of each feature to each row's margin, float64, shape (n, n_features).

        Parameters
        ----------
        X : float64, shape (n, n_features)
            NaN is missing; a category is its code.
        num_threads : int
            Threads that share the rows, from 1.
        """
        sums = np.zeros(X.shape)
        if len(X) == 1:
            add_row(self._forest, self._lookup, self._cells, X[0], sums[0])
            return sums
        blocks = range(0, len(X), _BLOCK_ROWS)
        if num_threads == 1 or len(blocks) == 1:
            for start in blocks:
                self._add(X, sums, start)
        else:
            with ThreadPoolExecutor(num_threads) as threads:
                for added in [threads.submit(self._add, X, sums, start) for start in blocks]:
                    added.result()
        return sums

    def _add(self, X: NDArray[np.float64], sums: NDArray[np.float64], start: int) -> None:
        columns = np.ascontiguousarray(X[start : start + _BLOCK_ROWS].T)
        totals = np.zeros(columns.shape)
        add_block(self._forest, self._lookup, self._cells, columns, totals)
        sums[start : start + _BLOCK_ROWS] = totals.T
