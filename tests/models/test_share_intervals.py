"""Intervals of shares against Newcombe's published ones and scipy's, and samples against simulated experiments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy

from models.exceptions import InputError
from models.share_intervals import needed_sample, newcombe_difference, ratio_interval, wilson_interval

# Newcombe (1998b), Statistics in Medicine 17, table II, method 10 (score, no continuity correction).
NEWCOMBE_TABLE_II = [
    ((56, 70, 48, 80), 0.0524, 0.3339),
    ((9, 10, 3, 10), 0.1705, 0.8090),
    ((6, 7, 2, 7), 0.0582, 0.8062),
    ((5, 56, 0, 29), -0.0381, 0.1926),
    ((0, 10, 0, 20), -0.1611, 0.2775),
    ((0, 10, 0, 10), -0.2775, 0.2775),
    ((10, 10, 0, 20), 0.6791, 1.0000),
    ((10, 10, 0, 10), 0.6075, 1.0000),
]
# Newcombe (1998a), Statistics in Medicine 17, table I, method 3.
NEWCOMBE_TABLE_I = [
    ((81, 263), 0.2553, 0.3662),
    ((15, 148), 0.0624, 0.1605),
    ((0, 20), 0.0000, 0.1611),
    ((1, 29), 0.0061, 0.1718),
]


@pytest.mark.parametrize(("case", "low", "high"), NEWCOMBE_TABLE_I)
def test_the_interval_of_a_share_is_wilsons_as_newcombe_1998a_prints_it(
    case: tuple[int, int], low: float, high: float
) -> None:
    found = wilson_interval(*case)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_share_is_scipys(n: int, share: float, level: float) -> None:
    events = int(share * n)
    ours, theirs = wilson_interval(events, n, level), stats.binomtest(events, n).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("case", "low", "high"), NEWCOMBE_TABLE_II)
def test_the_interval_of_a_difference_is_as_newcombe_1998b_prints_it(
    case: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe_difference(*case)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    turned = newcombe_difference(*case[2:], *case[:2])
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_the_interval_of_a_ratio_is_as_koopman_1984_prints_it() -> None:
    found = ratio_interval(36, 40, 16, 80)
    assert (found.estimate, round(found.low, 2), round(found.high, 2)) == (4.5, 2.94, 7.15)


@pytest.mark.parametrize(
    "case", [(36, 40, 16, 80), (3, 50, 9, 40), (891, 900, 100, 100), (50, 50, 20, 20), (1, 9, 1, 9)]
)
def test_at_the_ends_of_a_ratio_chi_square_of_the_most_likely_shares_is_its_95th_percentile(
    case: tuple[int, int, int, int],
) -> None:
    events, n, events_other, n_other = case

    def chi_square(ratio: float) -> float:
        def unlikely(other: float) -> float:
            pairs = ((events, n, ratio * other), (events_other, n_other, other))
            return -float(sum(xlogy(came, p) + xlog1py(rows - came, -p) for came, rows, p in pairs))

        most = min(1.0, 1.0 / ratio)
        other = minimize_scalar(unlikely, bounds=(0.0, most), method="bounded", options={"xatol": 1e-13}).x
        pairs = ((events, n, ratio * other), (events_other, n_other, other))
        return float(sum((came - rows * p) ** 2 / (rows * p * (1 - p)) for came, rows, p in pairs))

    found = ratio_interval(*case)
    ends = [chi_square(found.low), chi_square(found.high)]
    assert ends == pytest.approx([stats.chi2.ppf(0.95, 1)] * 2, rel=1e-4)


def test_a_ratio_without_events_begins_at_0_and_turned_around_it_is_the_reciprocal() -> None:
    assert ratio_interval(0, 10, 3, 10).low == 0.0
    found, turned = ratio_interval(3, 50, 9, 40), ratio_interval(9, 40, 3, 50)
    assert (1 / turned.high, 1 / turned.low) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(("rates", "n"), [((0.6, 0.7), 356), ((0.25, 0.4), 152), ((0.1, 0.15), 686)])
def test_the_sample_needed_is_that_of_fleiss_tables_without_correction(rates: tuple[float, float], n: int) -> None:
    assert needed_sample(*rates) == (n, n)
    assert needed_sample(*rates[::-1]) == (n, n)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 9.0])
def test_a_sample_as_large_as_needed_finds_the_difference_in_80_experiments_of_100(ratio: float) -> None:
    rate, base = 0.36, 0.3
    contacted, held_out = needed_sample(rate, base, ratio=ratio)
    assert contacted == pytest.approx(ratio * held_out, abs=ratio + 1)
    rng = np.random.default_rng(11)
    x, y = rng.binomial(contacted, rate, 20_000), rng.binomial(held_out, base, 20_000)
    pooled = (x + y) / (contacted + held_out)
    z = (x / contacted - y / held_out) / np.sqrt(pooled * (1 - pooled) * (1 / contacted + 1 / held_out))
    assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.8, abs=0.012)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected 0 to n events of n rows, n above 0, and a level .* got 3 of 2"):
        wilson_interval(3, 2)
    with pytest.raises(InputError, match="got 0 of 0"):
        wilson_interval(0, 0)
    with pytest.raises(InputError, match=r"a level between 0 and 1; got 1 of 2 and 1\.0"):
        wilson_interval(1, 2, 1.0)
    with pytest.raises(InputError, match="one at least in the second; got 1 of 2 and 0 of 5"):
        ratio_interval(1, 2, 0, 5)
    with pytest.raises(InputError, match="expected different rates"):
        needed_sample(0.3, 0.3)
