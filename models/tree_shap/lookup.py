"""Tables of contributions for every way that a row can decide at the nodes of a part of a tree.

A leaf with value ``v`` adds to the game of Lundberg, Erion & Lee (2018, algorithm 1) the product

    v * product over the features i of its path of (o_i if i is known, else z_i)

where o_i is 1 if the row meets all conditions on feature i along the path, else 0, and z_i is the share of the training
rows that do, node by node. By Owen (1972, "Multilinear extensions of games") the Shapley value of feature i
is the integral, over t from 0 to 1, of the derivative of the multilinear extension on its diagonal:

    phi_i = v * (o_i - z_i) * integral of product over j != i of (t o_j + (1 - t) z_j)

a polynomial of degree below the number of features, hence exact by Gauss-Legendre quadrature with half as many points.
It has one value for each of the subsets of conditions that are met, so it is computed once for each and looked up.

Neighbouring leaves share most of their path, so they share a table too: a tree is cut into subtrees small enough that
their nodes, with those on the way to them, are at most `MOST_DECISIONS`. The row of the table is the decisions taken at
those nodes, a bit each (1 is left); it holds what all leaves of the subtree add to each feature of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.tree_shap.forest import Forest

__all__ = ["MOST_DECISIONS", "Lookup", "cut", "fill"]

# More make fewer and larger tables: at 300 trees of depth 6 with 7, 8 and 10 they take 16, 18 and 70 MB, and 10 is no
# faster.
MOST_DECISIONS = 8

# Decisions are kept in 16 bits. A path longer than that is not cut shorter.
_MOST_BITS = 16


class Lookup(NamedTuple):
    """Where the tables of a forest lie.

    Attributes
    ----------
    first_part : int64, shape (n_trees + 1,)
        First part of each tree, and their number in all.
    first_node, first_leaf, first_feature : int64, shape (n_parts + 1,)
        Of each part, in the next three arrays.
    nodes : int64
        Nodes whose decisions make the row of a part's table, the first being the lowest bit; counted in the forest.
    leaves : int64
        Leaves of the part; counted in the forest.
    features : int64
        Features of its nodes; the columns of its table.
    first_cell : int64, shape (n_parts + 1,)
        Where its table begins, and the number of cells in all. A table has 2 ** nodes rows of one cell a feature.
    """

    first_part: NDArray[np.int64]
    first_node: NDArray[np.int64]
    first_leaf: NDArray[np.int64]
    first_feature: NDArray[np.int64]
    nodes: NDArray[np.int64]
    leaves: NDArray[np.int64]
    features: NDArray[np.int64]
    first_cell: NDArray[np.int64]


def cut(forest: Forest, *, most_bytes: int) -> Lookup | None:
    """Cut the trees of a forest into parts; None if their tables would take more memory than they may."""
    nodes: list[list[int]] = []
    leaves: list[list[int]] = []
    parts = [0]
    for tree in range(len(forest.first_node) - 1):
        first, end = forest.first_node[tree : tree + 2].tolist()
        first_leaf = int(forest.first_leaf[tree])
        branches = _Branches(forest.left[first:end].tolist(), forest.right[first:end].tolist())
        for path, inner, below in branches.parts(0, []):
            nodes.append([first + node for node in path + inner])
            leaves.append([first_leaf + leaf for leaf in below])
        parts.append(len(nodes))
    used = forest.feature.tolist()
    if max(map(len, nodes), default=0) > _MOST_BITS:
        return None
    features = [sorted({used[node] for node in part}) for part in nodes]
    cells = [2 ** len(part) * len(columns) for part, columns in zip(nodes, features, strict=True)]
    if sum(cells) * np.float64().nbytes > most_bytes:
        return None
    return Lookup(
        first_part=np.array(parts, dtype=np.int64),
        first_node=_starts(nodes),
        first_leaf=_starts(leaves),
        first_feature=_starts(features),
        nodes=_joined(nodes),
        leaves=_joined(leaves),
        features=_joined(features),
        first_cell=np.cumsum([0, *cells], dtype=np.int64),
    )


class _Branches:
    """The inner nodes of one tree, counted from 0; a leaf ``k`` is ``-k - 1``."""

    def __init__(self, left: list[int], right: list[int]) -> None:
        self.children = list(zip(left, right, strict=True))

    def parts(self, node: int, path: list[int]) -> Iterator[tuple[list[int], list[int], list[int]]]:
        """Yield for each part below a node: the nodes on the way to it, its own, and its leaves."""
        inner, leaves = self._below(node)
        if not inner or len(path) + len(inner) <= MOST_DECISIONS:
            yield path, inner, leaves
        else:
            for child in self.children[node]:
                yield from self.parts(child, [*path, node])

    def _below(self, node: int) -> tuple[list[int], list[int]]:
        if node < 0:
            return [], [-node - 1]
        inner, leaves = [node], []
        for child in self.children[node]:
            more_inner, more_leaves = self._below(child)
            inner += more_inner
            leaves += more_leaves
        return inner, leaves


def _starts(lists: list[list[int]]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


def _joined(lists: list[list[int]]) -> NDArray[np.int64]:
    return np.array([item for items in lists for item in items], dtype=np.int64)


def fill(forest: Forest, lookup: Lookup) -> NDArray[np.float64]:
    """Compute the tables, shape (lookup.first_cell[-1],)."""
    cells = np.zeros(lookup.first_cell[-1])
    most_features = int(np.diff(lookup.first_feature).max(initial=1))
    points, weights = np.polynomial.legendre.leggauss((most_features + 1) // 2)
    _fill(forest, lookup, (points + 1) / 2, weights / 2, cells)
    return cells


@njit(cache=True, nogil=True)
def _fill(
    forest: Forest,
    lookup: Lookup,
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> None:
    for tree in range(len(lookup.first_part) - 1):
        first_leaf, end_leaf = forest.first_leaf[tree], forest.first_leaf[tree + 1]
        first_node, end_node = forest.first_node[tree], forest.first_node[tree + 1]
        node_parent = np.full(end_node - first_node, -1, dtype=np.int64)
        leaf_parent = np.full(end_leaf - first_leaf, -1, dtype=np.int64)
        for node in range(end_node - first_node):
            for child in (forest.left[first_node + node], forest.right[first_node + node]):
                if child < 0:
                    leaf_parent[-child - 1] = node
                else:
                    node_parent[child] = node
        for part in range(lookup.first_part[tree], lookup.first_part[tree + 1]):
            nodes = lookup.nodes[lookup.first_node[part] : lookup.first_node[part + 1]]
            features = lookup.features[lookup.first_feature[part] : lookup.first_feature[part + 1]]
            table = cells[lookup.first_cell[part] : lookup.first_cell[part + 1]].reshape((-1, len(features)))
            for leaf in lookup.leaves[lookup.first_leaf[part] : lookup.first_leaf[part + 1]]:
                # Share of the training rows that meet the conditions on each feature; bits of the nodes that ask for
                # it; and those of them where the answer has to be left.
                share = np.ones(len(features))
                asked, left = np.zeros(len(features), dtype=np.int64), np.zeros(len(features), dtype=np.int64)
                child, rows = first_leaf - leaf - 1, forest.leaf_rows[leaf]
                node = leaf_parent[leaf - first_leaf]
                while node >= 0:
                    at = first_node + node
                    column = np.searchsorted(features, forest.feature[at])
                    bit = 1 << _position(nodes, at)
                    asked[column] |= bit
                    if forest.left[at] == child:
                        left[column] |= bit
                    share[column] *= rows / forest.node_rows[at] if forest.node_rows[at] > 0.0 else 0.0
                    child, rows, node = node, forest.node_rows[at], node_parent[node]
                columns = np.flatnonzero(asked)
                by_subset = _by_subset(forest.leaf_value[leaf], share[columns], points, weights)
                for decisions in range(len(table)):
                    met = 0
                    for i, column in enumerate(columns):
                        if decisions & asked[column] == left[column]:
                            met |= 1 << i
                    for i, column in enumerate(columns):
                        table[decisions, column] += by_subset[met, i]


@njit(cache=True, nogil=True)
def _position(nodes: NDArray[np.int64], node: int) -> int:
    position = 0
    while nodes[position] != node:
        position += 1
    return position


@njit(cache=True, nogil=True)
def _by_subset(
    value: float, share: NDArray[np.float64], points: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the contributions of a leaf where a subset of the conditions is met, shape (2 ** d, d).

    Parameters
    ----------
    value : float
    share : float64, shape (d,)
    points, weights : float64, shape (ceil(d / 2),) or more
        Of Gauss-Legendre quadrature on [0, 1].
    """
    d = len(share)
    contributions = np.zeros((2**d, d))
    before, factor = np.empty(d), np.empty(d)
    for met in range(2**d):
        for point in range(len(points)):
            t = points[point]
            product = weights[point] * value
            for i in range(d):
                before[i] = product
                factor[i] = (1.0 - t) * share[i] + (t if met >> i & 1 else 0.0)
                product *= factor[i]
            behind = 1.0
            for i in range(d - 1, -1, -1):
                is_met = 1.0 if met >> i & 1 else 0.0
                contributions[met, i] += (is_met - share[i]) * before[i] * behind
                behind *= factor[i]
    return contributions
