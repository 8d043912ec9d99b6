"""The trees of a LightGBM model as plain arrays, read from its text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InputError

__all__ = ["IN_SET", "MISSING_LEFT", "MISSING_RIGHT", "ZERO_LEFT", "ZERO_RIGHT", "Forest"]

# How a node decides. Up to the threshold goes left; what goes where besides is the name of the rule. Zero is what is
# missing for the two named so, NaN counts as zero there. `IN_SET` sends the codes of a set left and all else right.
MISSING_RIGHT, MISSING_LEFT, ZERO_RIGHT, ZERO_LEFT, IN_SET = range(5)

# Of LightGBM's decision_type: a bit for categories, a bit for the side of what is missing, two for what missing means.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT, _MISSING_MASK = 1, 2, 2, 3
_MISSING_IS_ZERO, _MISSING_IS_NAN = 1, 2

_COLUMNS = ("split_feature", "threshold", "decision_type", "left_child", "right_child", "internal_count")
_LEAF_COLUMNS = ("leaf_value", "leaf_count")


class Forest(NamedTuple):
    """Trees whose leaves add up to a margin; inner nodes and leaves of all trees stand one after another.

    Trees of a single leaf are left out: they move no customer away from any other.

    Attributes
    ----------
    first_node, first_leaf : int64, shape (n_trees + 1,)
        First inner node and first leaf of each tree, and their number in all.
    feature : int64, shape (n_nodes,)
    threshold : float64, shape (n_nodes,)
    rule : uint8, shape (n_nodes,)
        One of the five rules of this module.
    left, right : int64, shape (n_nodes,)
        Children, counted within the tree: an inner node from 0, a leaf ``k`` as ``-k - 1``.
    node_rows, leaf_rows : float64, shape (n_nodes,), (n_leaves,)
        Training rows that came there.
    leaf_value : float64, shape (n_leaves,)
    first_word, last_word : int64, shape (n_nodes,)
        Words of the set of a node with the rule `IN_SET`; the last is exclusive.
    words : uint32, shape (n_words,)
        Sets of codes, a bit a code.
    """

    first_node: NDArray[np.int64]
    first_leaf: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    rule: NDArray[np.uint8]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    node_rows: NDArray[np.float64]
    leaf_rows: NDArray[np.float64]
    leaf_value: NDArray[np.float64]
    first_word: NDArray[np.int64]
    last_word: NDArray[np.int64]
    words: NDArray[np.uint32]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the trees of a whole LightGBM model text with one margin a row.

        Raises
        ------
        InputError
            The leaves hold linear models, or the trees are averaged instead of added.
        """
        header, *sections = text.partition("\nend of trees")[0].split("\nTree=")
        if "\naverage_output" in header or any("\nis_linear=1" in section for section in sections):
            raise InputError(
                "expected trees with constant leaves that are added up; got linear leaves or averaged trees, whose "
                "contributions are not defined here; fit with boosting=gbdt and linear_tree=false"
            )
        trees = [dict(line.partition("=")[::2] for line in section.splitlines()[1:]) for section in sections]
        trees = [tree for tree in trees if int(tree["num_leaves"]) > 1]
        feature, threshold, kind, left, right, node_rows = (_column(name, trees) for name in _COLUMNS)
        leaf_value, leaf_rows = (_column(name, trees) for name in _LEAF_COLUMNS)
        n_leaves = np.array([int(tree["num_leaves"]) for tree in trees], dtype=np.int64)
        first_node = np.concatenate(([0], np.cumsum(n_leaves - 1)))
        rule = _rules(kind.astype(np.int64), threshold)
        first_word, last_word = _word_ranges(trees, first_node, rule, threshold)
        return cls(
            first_node=first_node,
            first_leaf=np.concatenate(([0], np.cumsum(n_leaves))),
            feature=feature.astype(np.int64),
            threshold=threshold,
            rule=rule,
            left=left.astype(np.int64),
            right=right.astype(np.int64),
            node_rows=node_rows,
            leaf_rows=leaf_rows,
            leaf_value=leaf_value,
            first_word=first_word,
            last_word=last_word,
            words=_column("cat_threshold", (tree for tree in trees if _has_sets(tree))).astype(np.uint32),
        )


def _column(name: str, trees: Iterable[dict[str, str]]) -> NDArray[np.float64]:
    # Python reads decimal digits to the nearest float64, as LightGBM does; counts and positions are exact in it.
    return np.array(" ".join(tree[name] for tree in trees).split(), dtype=np.float64)


def _rules(kind: NDArray[np.int64], threshold: NDArray[np.float64]) -> NDArray[np.uint8]:
    goes_left = (kind & _DEFAULT_LEFT) > 0
    missing = (kind >> _MISSING_SHIFT) & _MISSING_MASK
    # Where training met nothing missing, NaN is read as 0.
    nan_goes_left = np.where(missing == _MISSING_IS_NAN, goes_left, threshold >= 0.0)
    by_number = np.where(nan_goes_left, MISSING_LEFT, MISSING_RIGHT)
    by_zero = np.where(goes_left, ZERO_LEFT, ZERO_RIGHT)
    numeric = np.where(missing == _MISSING_IS_ZERO, by_zero, by_number)
    return np.where((kind & _CATEGORICAL) > 0, IN_SET, numeric).astype(np.uint8)


def _has_sets(tree: dict[str, str]) -> bool:
    return tree["num_cat"] != "0"


def _word_ranges(
    trees: list[dict[str, str]],
    first_node: NDArray[np.int64],
    rule: NDArray[np.uint8],
    threshold: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return the first word of the set of each node and the one behind its last, shape (2, n_nodes)."""
    ranges = np.zeros((2, len(rule)), dtype=np.int64)
    words_before = 0
    for tree, first, end in zip(trees, first_node[:-1], first_node[1:], strict=True):
        if _has_sets(tree):
            bounds = np.array(tree["cat_boundaries"].split(), dtype=np.int64) + words_before
            nodes = first + np.flatnonzero(rule[first:end] == IN_SET)
            # The threshold of such a node is the number of its set within the tree.
            sets = threshold[nodes].astype(np.int64)
            ranges[:, nodes] = bounds[sets], bounds[sets + 1]
            words_before = bounds[-1]
    return ranges
