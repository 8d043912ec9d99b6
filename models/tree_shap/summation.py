"""Looking up and adding: each node decides once for each row, then each part of each tree is one row of its table."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.tree_shap.forest import IN_SET, MISSING_LEFT, MISSING_RIGHT, ZERO_LEFT, Forest
from models.tree_shap.lookup import Lookup

__all__ = ["add_block", "add_row"]

# LightGBM's kZeroThreshold, which is a float32.
_ZERO = float(np.float32(1e-35))


@njit(cache=True, nogil=True)
def add_row(
    forest: Forest, lookup: Lookup, cells: NDArray[np.float64], row: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add to `sums` what each feature contributes to one row; the same to the last bit as `add_block`.

    Parameters
    ----------
    forest, lookup
    cells : float64, shape (n_cells,)
        The tables.
    row, sums : float64, shape (n_features,)
    """
    # Taken out of their tuples once: every access counts a reference, which takes longer than what is done here.
    tested, thresholds, rules, words = forest.feature, forest.threshold, forest.rule, forest.words
    first_word, last_word = forest.first_word, forest.last_word
    nodes, end_of_nodes = lookup.nodes, lookup.first_node
    features, end_of_features, first_cell = lookup.features, lookup.first_feature, lookup.first_cell
    is_left = np.empty(len(tested), dtype=np.uint64)
    for node in range(len(tested)):
        value = row[np.uint64(tested[node])]
        if rules[node] == IN_SET:
            is_left[node] = _is_member(value, words, first_word[node], last_word[node])
        else:
            is_left[node] = _is_below(value, thresholds[node], rules[node])
    # What is unsigned is not checked for counting from the end: so it takes half as long.
    one, at, i = np.uint64(1), np.uint64(0), np.uint64(0)
    for part in range(len(first_cell) - 1):
        decisions, bit = np.uint64(0), np.uint64(0)
        while at < np.uint64(end_of_nodes[part + 1]):
            decisions |= is_left[np.uint64(nodes[at])] << bit
            at, bit = at + one, bit + one
        end = np.uint64(end_of_features[part + 1])
        cell = np.uint64(first_cell[part]) + decisions * (end - i)
        while i < end:
            sums[np.uint64(features[i])] += cells[cell]
            i, cell = i + one, cell + one


@njit(cache=True, nogil=True)
def add_block(
    forest: Forest, lookup: Lookup, cells: NDArray[np.float64], columns: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add to `sums` what each feature contributes to each of some rows, tree by tree.

    Parameters
    ----------
    forest, lookup
    cells : float64, shape (n_cells,)
        The tables.
    columns, sums : float64, shape (n_features, n)
        A feature's values (contributions) lie side by side, so that the processor takes several rows at a time.
    """
    n = columns.shape[1]
    most_nodes = 0
    for tree in range(len(lookup.first_part) - 1):
        most_nodes = max(most_nodes, forest.first_node[tree + 1] - forest.first_node[tree])
    is_left = np.empty((most_nodes, n), dtype=np.uint16)
    decisions = np.empty(n, dtype=np.uint16)
    for tree in range(len(lookup.first_part) - 1):
        first = forest.first_node[tree]
        for node in range(first, forest.first_node[tree + 1]):
            _decide(forest, node, columns[forest.feature[node]], is_left[node - first])
        for part in range(lookup.first_part[tree], lookup.first_part[tree + 1]):
            decisions[:] = 0
            for position, node in enumerate(lookup.nodes[lookup.first_node[part] : lookup.first_node[part + 1]]):
                answers = is_left[node - first]
                for row in range(n):
                    decisions[row] |= answers[row] << position
            features = lookup.features[lookup.first_feature[part] : lookup.first_feature[part + 1]]
            table = cells[lookup.first_cell[part] : lookup.first_cell[part + 1]]
            for i, feature in enumerate(features):
                total = sums[feature]
                for row in range(n):
                    cell = np.uint64(decisions[row]) * np.uint64(len(features)) + np.uint64(i)
                    total[row] += table[cell]


@njit(cache=True, nogil=True)
def _decide(forest: Forest, node: int, values: NDArray[np.float64], is_left: NDArray[np.uint16]) -> None:
    """Write 1 where a node sends a value left, else 0."""
    rule, threshold = forest.rule[node], forest.threshold[node]
    if rule == IN_SET:
        for row in range(len(values)):
            is_left[row] = _is_member(values[row], forest.words, forest.first_word[node], forest.last_word[node])
    else:
        for row in range(len(values)):
            is_left[row] = _is_below(values[row], threshold, rule)


@njit(cache=True, nogil=True)
def _is_below(value: float, threshold: float, rule: int) -> bool:
    if rule in (MISSING_RIGHT, MISSING_LEFT):
        # Both sides of each operator are computed, so that there is nothing to guess for the processor.
        return bool((value <= threshold) | ((rule == MISSING_LEFT) & np.isnan(value)))
    is_missing = not abs(value) > _ZERO
    return rule == ZERO_LEFT if is_missing else value <= threshold


@njit(cache=True, nogil=True)
def _is_member(code: float, words: NDArray[np.uint32], first: int, last: int) -> bool:
    # NaN fails the comparison. LightGBM cuts a fraction off towards zero.
    if not -1.0 < code < 32.0 * (last - first):
        return False
    whole = np.int64(code)
    return bool(words[first + whole // 32] >> np.uint32(whole % 32) & np.uint32(1))
