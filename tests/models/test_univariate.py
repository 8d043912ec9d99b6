"""One feature against a label, against plain counting and the AUC of the whole."""

import numpy as np
import pytest

from models.metrics import auc
from models.univariate import ValueCounts, cross_fitted_auc, random_halves


def column(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A feature with ties and missing values, a label that it tells something of, and halves."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.gamma(2, 3, n))
    label = (rng.random(n) < 1 / (1 + np.exp(2 - values / 4))).astype(float)
    values[rng.random(n) < 0.2] = np.nan
    return values, label, random_halves(label, rng)


def test_rows_are_counted_by_half_label_and_value() -> None:
    values, label, half = column(500, seed=1)
    counts = ValueCounts.of(values, label, half, categorical=False)
    assert counts.values.tolist() == sorted(set(values[~np.isnan(values)].tolist()))
    for h in (0, 1):
        for truth in (0, 1):
            rows = (half == h) & (label == truth)
            assert counts.missing[h, truth] == np.isnan(values[rows]).sum()
            assert counts.known()[h, truth] == (~np.isnan(values[rows])).sum()
            assert counts.counts[h, truth].tolist() == [(values[rows] == value).sum() for value in counts.values]
    assert counts.by_label()[1].tolist() == [(label[values == value] == 1).sum() for value in counts.values]


def test_bins_hold_a_twentieth_of_the_rows_each_and_never_cut_equal_values() -> None:
    rng = np.random.default_rng(2)
    label = rng.integers(0, 2, 2000).astype(float)
    half = random_halves(label, rng)
    spread = ValueCounts.of(rng.normal(size=2000), label, half, categorical=False).bins().sum(axis=(0, 1))
    assert spread.tolist() == [0, *[100] * 20]
    mostly_zero = np.where(rng.random(2000) < 0.9, 0.0, rng.random(2000))
    rows = ValueCounts.of(mostly_zero, label, half, categorical=False).bins().sum(axis=(0, 1))
    assert rows[1] == (mostly_zero == 0).sum()
    assert rows.sum() == 2000


def test_each_category_is_a_bin_and_a_column_without_values_has_that_of_missing_only() -> None:
    values, label, half = column(300, seed=3)
    assert ValueCounts.of(values, label, half, categorical=True).bins().shape[2] == 1 + len(
        np.unique(values[~np.isnan(values)])
    )
    empty = ValueCounts.of(np.full(300, np.nan), label, half, categorical=False)
    assert empty.bins().shape == (2, 2, 1)
    assert cross_fitted_auc(empty.bins()) == 0.5


def test_the_auc_is_that_of_ranking_each_half_by_the_smoothed_rates_of_the_other() -> None:
    values, label, half = column(800, seed=4)
    bins = ValueCounts.of(values, label, half, categorical=True).bins()
    codes = np.nan_to_num(values, nan=-1.0)
    aucs = []
    for asked in (0, 1):
        taught = half != asked
        overall = label[taught].mean()
        rates = {
            code: (label[taught & (codes == code)].sum() + 5 * overall) / ((taught & (codes == code)).sum() + 5)
            for code in np.unique(codes)
        }
        aucs.append(auc(label[~taught], np.array([rates[code] for code in codes[~taught]])))
    assert cross_fitted_auc(bins) == pytest.approx(np.mean(np.array(aucs, dtype=float)), abs=1e-12)


def test_what_tells_nothing_stays_near_one_half_however_many_values_it_has() -> None:
    rng = np.random.default_rng(5)
    label = (rng.random(3000) < 0.3).astype(float)
    half = random_halves(label, rng)
    ids = ValueCounts.of(rng.permutation(3000).astype(float), label, half, categorical=True)
    assert cross_fitted_auc(ids.bins()) == pytest.approx(0.5, abs=0.03)


def test_halves_share_each_label_and_depend_on_the_generator_only() -> None:
    label = np.array([1.0] * 7 + [0.0] * 30)
    half = random_halves(label, np.random.default_rng(1))
    assert sorted([int((half[label == 1] == 0).sum()), int((half[label == 1] == 1).sum())]) == [3, 4]
    assert (half[label == 0] == 1).sum() == 15
    np.testing.assert_array_equal(half, random_halves(label, np.random.default_rng(1)))
