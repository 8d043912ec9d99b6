"""BG/NBD: every legal input has a finite answer, poor data an honest one."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.btyd import BetaGeoModel, GammaGammaModel
from models.exceptions import FitError, InputError, NotFittedError

TWENTY_YEARS = 7305.0

CDNOW = BetaGeoModel.from_params(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)

History = tuple[int, float, float]


@st.composite
def histories(draw: st.DrawFn) -> History:
    x = draw(st.integers(0, 5000) | st.integers(0, 3))
    if x == 0:
        return x, 0.0, draw(st.floats(0, TWENTY_YEARS))
    T = draw(st.floats(1e-3, TWENTY_YEARS))
    return x, draw(st.floats(1e-3, T)), T


def positive(least: float, greatest: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(least), np.log(greatest)).map(lambda log: float(np.exp(log))) | st.just(1.0)


models = st.builds(
    BetaGeoModel.from_params,
    r=positive(1e-6, 1e4),
    alpha=positive(1e-6, 1e6),
    a=positive(1e-6, 1e4),
    b=positive(1e-6, 1e6),
)
horizons = st.floats(0, TWENTY_YEARS)


@given(model=models, history=histories(), horizon=horizons)
@example(model=BetaGeoModel.from_params(r=1e-6, alpha=1e-6, a=1e-6, b=1e-6), history=(5000, 1e-3, 1e-3), horizon=7305.0)
@example(model=BetaGeoModel.from_params(r=1e4, alpha=1e-6, a=1e4, b=1e-6), history=(5000, 1.0, 7305.0), horizon=7305.0)
@example(model=BetaGeoModel.from_params(r=0.5, alpha=9.0, a=1.0, b=1.0), history=(1, 1.0, 1.0), horizon=1e-9)
@settings(deadline=None, max_examples=300)
def test_every_legal_input_has_a_finite_answer_in_range(model: BetaGeoModel, history: History, horizon: float) -> None:
    x, recency, T = history

    p_alive = model.p_alive(x, recency, T)[0]
    expected = model.expected_purchases(horizon, x, recency, T)[0]
    new_customer = model.expected_purchases_new_customer(horizon)[0]

    params = model.params_
    assert 0 <= p_alive <= 1
    assert np.isfinite(model.log_likelihood(x, recency, T)[0])
    assert 0 <= expected <= (params["r"] + x) / (params["alpha"] + T) * horizon * (1 + 1e-12)
    assert 0 <= new_customer <= params["r"] / params["alpha"] * horizon * (1 + 1e-12)
    assert 0 <= model.probability_of_n_purchases(x, horizon)[0] <= 1 + 1e-9


@given(model=models, history=histories(), shorter=horizons, longer=horizons)
@settings(deadline=None, max_examples=200)
def test_expectations_do_not_fall_with_the_horizon(
    model: BetaGeoModel, history: History, shorter: float, longer: float
) -> None:
    assume(shorter < longer)

    by_shorter, by_longer = model.expected_purchases_by([shorter, longer], *history)[0]

    assert by_shorter <= by_longer * (1 + 1e-11)


@given(model=models, horizon=st.floats(1, 365))
@settings(deadline=None, max_examples=50)
def test_probabilities_of_few_purchases_sum_to_at_most_one(model: BetaGeoModel, horizon: float) -> None:
    assert model.probability_of_n_purchases(np.arange(2000), horizon).sum() <= 1 + 1e-8


def test_probabilities_of_n_purchases_sum_to_one_and_have_the_expectation_as_mean() -> None:
    n = np.arange(3000)

    probabilities = CDNOW.probability_of_n_purchases(n, 365)

    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert probabilities @ n == pytest.approx(CDNOW.expected_purchases_new_customer(365)[0], rel=1e-11)


def test_a_horizon_of_zero_brings_no_purchase() -> None:
    assert CDNOW.expected_purchases(0, [0, 3], [0, 50], [60, 60]).tolist() == [0, 0]
    assert CDNOW.probability_of_n_purchases([0, 1, 2], 0).tolist() == [1, 0, 0]


def test_one_time_buyers_are_alive_by_assumption() -> None:
    assert CDNOW.p_alive([0, 0], [0, 0], [10, 7000]).tolist() == [1, 1]


def test_many_horizons_give_the_columns_of_single_ones() -> None:
    history = ([0, 2, 30], [0.0, 90.0, 300.0], [250.0, 272.0, 301.0])

    together = CDNOW.expected_purchases_by([30, 90, 365], *history)

    assert together.shape == (3, 3)
    for column, horizon in enumerate([30, 90, 365]):
        assert together[:, column].tolist() == CDNOW.expected_purchases(horizon, *history).tolist()


POOR_DATA: dict[str, tuple[list[float], list[float], list[float]]] = {
    "one customer who bought once": ([0], [0], [30]),
    "one customer, seen for no time": ([0], [0], [0]),
    "one customer who bought often": ([5], [20], [30]),
    "one customer who bought today": ([5], [30], [30]),
    "one customer of 5,000 purchases": ([5000], [7300], [7300]),
    "only one-time buyers": ([0] * 10, [0] * 10, list(range(10))),
    "all alike": ([3] * 50, [20] * 50, [30] * 50),
    "all silent since one repeat purchase": ([1] * 20, [5] * 20, [300] * 20),
    "5,000 purchases in a day beside none in 20 years": ([5000, 0], [1, 0], [1, 7300]),
}


@pytest.mark.parametrize("name", POOR_DATA)
def test_poor_data_gives_finite_parameters_and_says_what_they_are_worth(name: str) -> None:
    data = POOR_DATA[name]

    model = BetaGeoModel().fit(*data)

    assert all(np.isfinite(value) and value > 0 for value in model.params_.values())
    assert np.isfinite(model.log_likelihood_)
    assert model.log_likelihood_ == pytest.approx(model.log_likelihood(*data).sum(), rel=1e-9, abs=1e-7)
    assert np.isfinite(model.expected_purchases(90, *data)).all()
    assert model.certificate_.notes


def test_one_time_buyers_alone_are_forecast_to_stay_away() -> None:
    model = BetaGeoModel().fit([0] * 10, [0] * 10, range(1, 11))

    assert model.certificate_.notes[0].startswith("No customer has bought again")
    assert model.expected_purchases(365, 0, 0, 10)[0] < 1e-6


def test_customers_all_silent_after_one_repeat_purchase_are_taken_to_be_gone() -> None:
    model = BetaGeoModel().fit([1] * 20, [5] * 20, [300] * 20)

    assert "Nearly everybody drops out" in model.certificate_.notes[0]
    assert model.p_alive(1, 5, 300)[0] < 1e-6


@given(st.lists(histories(), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_any_few_customers_give_finite_parameters(rows: list[History]) -> None:
    x, recency, T = zip(*rows, strict=True)

    model = BetaGeoModel().fit(x, recency, T)

    assert all(np.isfinite(value) and value > 0 for value in model.params_.values())
    assert np.isfinite(model.log_likelihood_)
    assert np.isfinite(model.expected_purchases(365, x, recency, T)).all()
    assert bool(model.certificate_.notes) or not model.certificate_.at_bound


def test_parameters_of_20000_simulated_customers_are_recovered_within_three_standard_errors() -> None:
    truth = {"r": 0.6, "alpha": 30.0, "a": 0.7, "b": 2.5}
    data = _simulated(20_000, **truth)

    model = BetaGeoModel().fit(*data)

    names = list(truth)
    log_fitted = np.log([model.params_[name] for name in names])
    log_truth = np.log([truth[name] for name in names])
    errors = _standard_errors(log_fitted, data)
    assert (np.abs(log_fitted - log_truth) < 3 * errors).all()
    assert (errors < 0.15).all()


def _simulated(n: int, r: float, alpha: float, a: float, b: float) -> tuple[NDArray[np.float64], ...]:
    random = np.random.default_rng(2005)
    T = random.uniform(100, 300, n)
    rate, drop_out = random.gamma(r, 1 / alpha, n), random.beta(a, b, n)
    x, recency, clock = np.zeros(n), np.zeros(n), np.zeros(n)
    buying = np.arange(n)
    while buying.size:
        clock[buying] += random.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying]]
        x[buying] += 1
        recency[buying] = clock[buying]
        buying = buying[random.random(buying.size) > drop_out[buying]]
    return x, recency, T


def _standard_errors(log_params: NDArray[np.float64], data: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    def total(point: NDArray[np.float64]) -> float:
        params = dict(zip(("r", "alpha", "a", "b"), np.exp(point).tolist(), strict=True))
        return float(BetaGeoModel.from_params(**params).log_likelihood(*data).sum())

    step = 1e-3 * np.eye(4)
    hessian = np.array(
        [
            [
                total(log_params + i + j)
                - total(log_params + i - j)
                - total(log_params - i + j)
                + total(log_params - i - j)
                for j in step
            ]
            for i in step
        ]
    )
    return np.sqrt(np.diag(np.linalg.inv(-hessian / (4 * 1e-6))))


def test_predictions_equal_those_of_lifetimes_where_it_is_right(cdnow_summary: pd.DataFrame) -> None:
    history = (cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])
    model = BetaGeoModel().fit(*history)
    reference = model.to_lifetimes()

    assert model.p_alive(*history) == pytest.approx(reference.conditional_probability_alive(*history), rel=1e-12)
    assert model.expected_purchases(39, *history) == pytest.approx(reference.predict(39, *history), rel=1e-9)
    n = range(6)
    assert model.probability_of_n_purchases(n, 39) == pytest.approx(
        [reference.probability_of_n_purchases_up_to_time(39, k) for k in n], rel=1e-9
    )


def test_the_fit_is_at_least_as_likely_as_that_of_lifetimes(cdnow_summary: pd.DataFrame) -> None:
    history = (cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])
    fitter: Any = CDNOW.to_lifetimes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(*history)

    ours = BetaGeoModel().fit(*history)
    theirs = BetaGeoModel.from_lifetimes(fitter)

    assert ours.params_ == pytest.approx(theirs.params_, rel=2e-3)
    assert ours.log_likelihood_ >= theirs.log_likelihood(*history).sum() - 1e-9


def test_parameters_go_to_lifetimes_and_back_unchanged() -> None:
    assert BetaGeoModel.from_lifetimes(CDNOW.to_lifetimes()).params_ == CDNOW.params_


def test_a_fitter_of_another_model_or_an_unfitted_one_is_refused() -> None:
    gamma_gamma = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44).to_lifetimes()
    with pytest.raises(
        InputError, match=r"expected a fitted lifetimes model with the parameters r, alpha, a, b, got Gam"
    ):
        BetaGeoModel.from_lifetimes(gamma_gamma)
    del gamma_gamma.params_
    with pytest.raises(InputError, match=r"got GammaGammaFitter with none\. Fit it first"):
        GammaGammaModel.from_lifetimes(gamma_gamma)


def test_lifetimes_is_imported_only_when_asked_for_silently_and_without_changing_pandas() -> None:
    script = """
import sys
import warnings
import pandas as pd
from models.btyd import BetaGeoModel

def chained_assignment():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pd.get_option("mode.chained_assignment")

model = BetaGeoModel.from_params(r=0.2, alpha=30.0, a=0.8, b=2.4)
assert "lifetimes" not in sys.modules
before = chained_assignment()
model.to_lifetimes()
assert "lifetimes" in sys.modules
assert chained_assignment() == before
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fit_goes_through_json_and_back_exactly() -> None:
    x, recency, T = [0, 2, 5, 1, 0], [0.0, 30.5, 200.1, 1 / 3, 0.0], [100.0, 90.0, 250.7, 10.0, 300.0]
    model = BetaGeoModel().fit(x, recency, T)

    again = BetaGeoModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))

    assert again.params_ == model.params_
    assert again.log_likelihood_ == model.log_likelihood_
    assert again.n_customers_ == model.n_customers_
    assert again.certificate_ == model.certificate_
    assert again.expected_purchases(77, x, recency, T).tolist() == model.expected_purchases(77, x, recency, T).tolist()


def test_no_customers_at_all_can_not_be_fitted() -> None:
    with pytest.raises(FitError, match="expected at least one customer, got none"):
        BetaGeoModel().fit([], [], [])


def test_no_customers_at_all_can_be_predicted() -> None:
    assert CDNOW.expected_purchases_by([30, 60], [], [], []).shape == (0, 2)
    assert CDNOW.p_alive([], [], []).shape == (0,)


def test_a_model_without_parameters_says_so() -> None:
    with pytest.raises(NotFittedError, match=r"expected a fitted BetaGeoModel.*Call fit first"):
        BetaGeoModel().p_alive(0, 0, 10)
    with pytest.raises(NotFittedError, match="Call fit first"):
        BetaGeoModel().to_dict()


@pytest.mark.parametrize("horizon", [-1.0, np.nan, np.inf])
def test_an_illegal_horizon_is_named(horizon: float) -> None:
    with pytest.raises(InputError, match=r"horizon: expected finite times of 0 or more; 1 of 1 values"):
        CDNOW.expected_purchases(horizon, 0, 0, 10)


def test_an_illegal_number_of_purchases_is_named() -> None:
    with pytest.raises(InputError, match=r"n: expected whole numbers from 0"):
        CDNOW.probability_of_n_purchases([0, -1], 30)
