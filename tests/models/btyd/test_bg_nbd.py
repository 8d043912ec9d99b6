"""BG/NBD: what is its own, against lifetimes, and what a fit says of itself."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.btyd import BetaGeoModel, GammaGammaModel
from models.exceptions import FitError, InputError, NotFittedError

CDNOW = BetaGeoModel.from_params(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)


def test_a_horizon_of_zero_brings_no_purchase() -> None:
    assert CDNOW.expected_purchases(0, [0, 3], [0, 50], [60, 60]).tolist() == [0, 0]
    assert CDNOW.probability_of_n_purchases_new_customer([0, 1, 2], 0).tolist() == [1, 0, 0]


def test_one_time_buyers_are_alive_by_assumption() -> None:
    assert CDNOW.p_alive([0, 0], [0, 0], [10, 7000]).tolist() == [1, 1]


def test_many_horizons_give_the_columns_of_single_ones() -> None:
    history = ([0, 2, 30], [0.0, 90.0, 300.0], [250.0, 272.0, 301.0])

    together = CDNOW.expected_purchases_by([30, 90, 365], *history)

    assert together.shape == (3, 3)
    for column, horizon in enumerate([30, 90, 365]):
        assert together[:, column].tolist() == CDNOW.expected_purchases(horizon, *history).tolist()


def test_one_time_buyers_alone_are_forecast_to_stay_away() -> None:
    model = BetaGeoModel().fit([0] * 10, [0] * 10, range(1, 11))

    assert model.certificate_.notes[0].startswith("No customer has bought again")
    assert model.expected_purchases(365, 0, 0, 10)[0] < 1e-6


def test_customers_all_silent_after_one_repeat_purchase_are_taken_to_be_gone() -> None:
    model = BetaGeoModel().fit([1] * 20, [5] * 20, [300] * 20)

    assert "Nearly everybody drops out" in model.certificate_.notes[0]
    assert model.p_alive(1, 5, 300)[0] < 1e-6


def test_standard_errors_equal_those_of_a_hessian_by_differences_of_the_likelihood(cdnow_summary: pd.DataFrame) -> None:
    history = tuple(cdnow_summary[column].to_numpy(dtype=np.float64) for column in ("x", "t_x", "T"))
    model = BetaGeoModel().fit(*history)

    errors = _standard_errors_of_logs(np.log(list(model.params_.values())), history)

    for name, error in zip(model.params_, errors, strict=True):
        assert model.certificate_.standard_errors[name] == pytest.approx(error * model.params_[name], rel=1e-3)


def _standard_errors_of_logs(
    log_params: NDArray[np.float64], data: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
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
    assert model.probability_of_n_purchases_new_customer(n, 39) == pytest.approx(
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
        CDNOW.probability_of_n_purchases_new_customer([0, -1], 30)
