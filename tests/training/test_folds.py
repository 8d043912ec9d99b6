"""The folds of cross-validation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.exceptions import TrainingError
from training.folds import stratified_folds


def _ids(n: int) -> list[str]:
    return [f"customer-{number}" for number in range(n)]


def _distinct(n: int, positive: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = np.zeros(n)
    y[:positive] = 1
    return np.arange(2.0 * n).reshape(n, 2), np.random.default_rng(0).permutation(y)


@pytest.mark.parametrize(("n", "positive"), [(1000, 265), (1003, 17), (50, 25)])
def test_where_every_row_stands_alone_folds_differ_by_one_row_of_either_label(n: int, positive: int) -> None:
    X, y = _distinct(n, positive)
    folds = stratified_folds(X, y, customer_ids=_ids(n), seed=1)
    assert sorted(set(folds.tolist())) == [0, 1, 2, 3, 4]
    for label in (0, 1):
        of_fold = np.bincount(folds[y == label], minlength=5)
        assert of_fold.max() - of_fold.min() <= 1
    assert np.ptp(np.bincount(folds)) <= 2


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.0, -0.0, 1.0, 2.0, np.nan]), st.integers(0, 30), st.integers(0, 1)),
        min_size=20,
        max_size=60,
    ),
    owners=st.integers(10, 60),
    seed=st.integers(0, 1000),
)
def test_rows_with_equal_features_and_rows_of_one_customer_share_a_fold(
    rows: list[tuple[float, int, int]], owners: int, seed: int
) -> None:
    X = np.array([[first, second] for first, second, _ in rows], dtype=np.float64)
    y = np.array([label for *_, label in rows], dtype=np.float64)
    ids = [f"c{number % owners}" for number in range(len(rows))]
    try:
        folds = stratified_folds(X, y, customer_ids=ids, n_folds=2, seed=seed)
    except TrainingError:
        return
    equal = ((X[:, None] == X[None]) | (np.isnan(X[:, None]) & np.isnan(X[None]))).all(axis=2)
    same = equal | (np.array(ids)[:, None] == np.array(ids)[None])
    assert (folds[:, None] == folds[None])[same].all()


def test_groups_of_equal_rows_are_spread_so_that_both_labels_keep_their_shares() -> None:
    rng = np.random.default_rng(2)
    kind = rng.integers(0, 120, 3000)
    y = (rng.random(3000) < np.where(kind % 3 == 0, 0.6, 0.1)).astype(np.float64)
    folds = stratified_folds(kind[:, None].astype(np.float64), y, customer_ids=_ids(3000), seed=0)
    np.testing.assert_allclose(np.bincount(folds), 600, rtol=0.02)
    np.testing.assert_allclose(np.bincount(folds, weights=y), y.sum() / 5, rtol=0.03)


def test_the_seed_alone_decides() -> None:
    X, y = _distinct(200, 60)
    first, again, other = (stratified_folds(X, y, customer_ids=_ids(200), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_another_number_of_folds_can_be_asked_for() -> None:
    X, y = _distinct(90, 30)
    folds = stratified_folds(X, y, customer_ids=_ids(90), n_folds=3, seed=0)
    assert np.bincount(folds).tolist() == [30, 30, 30]


def test_too_few_of_a_label_or_too_few_different_rows_are_refused_with_what_to_bring() -> None:
    X, y = _distinct(100, 4)
    with pytest.raises(TrainingError, match=r"100 rows can't be divided into 5 folds.*: 4 rows have the label"):
        stratified_folds(X, y, customer_ids=_ids(100), seed=0)
    y = np.tile([0.0, 1.0], 50)
    with pytest.raises(TrainingError, match=r"there are 3 groups of customers with the same features\. Bring more"):
        stratified_folds(X // 70, y, customer_ids=_ids(100), seed=0)
