"""Folds for cross-validation: equal rows together, each customer in one, the labels' shares alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.exceptions import TrainingError

__all__ = ["stratified_folds"]


def stratified_folds(
    X: NDArray[np.float64], y: NDArray[np.float64], *, customer_ids: Sequence[str], n_folds: int = 5, seed: int
) -> NDArray[np.int64]:
    """Divide labelled rows into folds.

    Rows with the same features are in one fold, since a model could otherwise know the answer to a left-out row by
    heart; so are the rows of one customer. Such groups are dealt out in an order drawn by the seed, the largest
    first, each to the fold that comes nearest to an equal share of either label by it; so where every row stands
    alone, folds differ by at most one row of either label.

    Parameters
    ----------
    X : ndarray, shape (n, k)
        Features; NaN is missing, and equal to itself.
    y : ndarray, shape (n,)
        Labels, 0 or 1.
    customer_ids : sequence of str, length n
    n_folds : int
        At least 2.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        Number of each row's fold, from 0.

    Raises
    ------
    TrainingError
        A fold would lack one of the labels: there are too few of it, or too few rows that differ.
    """
    group = _groups(X, customer_ids)
    positive, negative = (np.bincount(group, weights=rows).astype(np.float64) for rows in (y, 1.0 - y))
    sizes = positive + negative
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of_group = _deal(positive[order], negative[order], n_folds)
    folds = np.empty(len(sizes), dtype=np.int64)
    folds[order] = fold_of_group
    folds = folds[group]
    fewest = min(np.bincount(folds, weights=label, minlength=n_folds).min() for label in (y, 1.0 - y))
    if fewest == 0:
        raise TrainingError(
            f"{len(y)} rows can't be divided into {n_folds} folds that hold both labels: {int(y.sum())} rows have the "
            f"label, and there are {len(sizes)} groups of customers with the same features. Bring more labels, or more "
            "attributes that tell customers apart."
        )
    return folds


def _groups(X: NDArray[np.float64], customer_ids: Sequence[str]) -> NDArray[np.int64]:
    """Number the rows such that rows with equal features, and rows of one customer, have one number."""
    # Adding 0 makes -0 a 0, and one bit pattern stands for all missing values: then equal rows have equal bytes.
    same_bits = np.ascontiguousarray(np.where(np.isnan(X), np.nan, X + 0.0))
    as_bytes = same_bits.view(np.dtype((np.void, max(1, same_bits.itemsize * X.shape[1])))).ravel()
    _, by_features = np.unique(as_bytes, return_inverse=True)
    _, by_customer = np.unique(np.asarray(customer_ids), return_inverse=True)
    # Rows are edges between what they hold and whose they are; what hangs together is one group.
    n_features, n_customers = int(by_features.max()) + 1, int(by_customer.max()) + 1
    n_nodes = n_features + n_customers
    edges = coo_array(
        (np.ones(len(X), dtype=np.int8), (by_features, n_features + by_customer)), shape=(n_nodes, n_nodes)
    )
    _, component = connected_components(edges, directed=False)
    return np.unique(component[by_features], return_inverse=True)[1].astype(np.int64)


def _deal(positive: NDArray[np.float64], negative: NDArray[np.float64], n_folds: int) -> list[int]:
    """Give each group, in order, to the fold with the least growth of the squared shares of both labels."""
    n_positive, n_negative = max(1.0, float(positive.sum())), max(1.0, float(negative.sum()))
    held = [(0.0, 0.0)] * n_folds
    dealt = []
    for more_positive, more_negative in zip(positive.tolist(), negative.tolist(), strict=True):

        def growth(
            fold: int, more_positive: float = more_positive, more_negative: float = more_negative
        ) -> tuple[float, float]:
            has_positive, has_negative = held[fold]
            grown = (
                more_positive * (2 * has_positive + more_positive) / n_positive
                + more_negative * (2 * has_negative + more_negative) / n_negative
            )
            return grown, has_positive + has_negative

        chosen = min(range(n_folds), key=growth)
        held[chosen] = (held[chosen][0] + more_positive, held[chosen][1] + more_negative)
        dealt.append(chosen)
    return dealt
