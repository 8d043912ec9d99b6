"""Gamma-Gamma against published numbers, simulated customers and lifetimes."""

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.btyd import GammaGammaModel
from models.exceptions import FitError, InputError, NotFittedError
from tests.models.btyd.purchase_days import Calibration

# Fader & Hardie (2013), note 025.
PUBLISHED = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)


def test_the_fit_of_the_cdnow_sample_is_that_of_hardie_note_025(cdnow_summary: pd.DataFrame) -> None:
    model = GammaGammaModel().fit(cdnow_summary["x"], cdnow_summary["zbar"])

    assert model.params_ == {
        "p": pytest.approx(6.25, abs=5e-3),
        "q": pytest.approx(3.74, abs=5e-3),
        "v": pytest.approx(15.44, abs=1e-2),
    }
    assert model.n_customers_ == 946
    assert model.certificate_.converged
    assert model.certificate_.gradient_norm < 1e-10
    assert model.certificate_.notes == ()


def test_the_log_likelihood_of_the_cdnow_sample_is_that_of_clvtools(cdnow_sample: Calibration) -> None:
    model = GammaGammaModel().fit(cdnow_sample.frequency, cdnow_sample.monetary_value)

    assert model.log_likelihood_ == pytest.approx(-4055.9177, abs=5e-5)
    assert model.n_customers_ == 946


def test_the_fit_of_the_full_cdnow_log_is_that_measured_with_lifetimes(cdnow_full: Calibration) -> None:
    model = GammaGammaModel().fit(cdnow_full.frequency, cdnow_full.monetary_value)

    assert model.params_ == {
        "p": pytest.approx(6.2754, abs=5e-5),
        "q": pytest.approx(3.6245, abs=5.1e-5),
        "v": pytest.approx(14.9837, abs=5e-5),
    }


def test_expected_spend_of_the_first_ten_customers_is_that_of_hardie_note_025(cdnow_summary: pd.DataFrame) -> None:
    first = cdnow_summary.head(10)
    model = GammaGammaModel().fit(cdnow_summary["x"], cdnow_summary["zbar"])

    expected = model.expected_average_value(first["x"], first["zbar"])

    published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert expected == pytest.approx(published, abs=0.01)


def test_online_retail_is_fitted(online_retail: Calibration) -> None:
    model = GammaGammaModel().fit(online_retail.frequency, online_retail.monetary_value)

    assert model.certificate_.converged
    assert model.certificate_.notes == ()
    repeat_mean = np.nanmean(online_retail.monetary_value)
    assert model.population_mean() == pytest.approx(repeat_mean, rel=0.1)


def test_predictions_and_fit_equal_those_of_lifetimes(cdnow_summary: pd.DataFrame) -> None:
    bought_again = cdnow_summary[(cdnow_summary["x"] > 0) & (cdnow_summary["zbar"] > 0)]
    x, m = bought_again["x"], bought_again["zbar"]
    fitter: Any = PUBLISHED.to_lifetimes()
    assert PUBLISHED.expected_average_value(x, m) == pytest.approx(
        fitter.conditional_expected_average_profit(x, m).to_numpy(), rel=1e-13
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(x, m)

    ours, theirs = GammaGammaModel().fit(x, m), GammaGammaModel.from_lifetimes(fitter)

    assert ours.params_ == pytest.approx(theirs.params_, rel=5e-3)
    assert ours.log_likelihood_ >= theirs.log_likelihood(x, m).sum() - 1e-9


def test_the_unit_of_money_changes_v_and_nothing_else(cdnow_summary: pd.DataFrame) -> None:
    x, m = cdnow_summary["x"], cdnow_summary["zbar"]

    dollars, cents = GammaGammaModel().fit(x, m), GammaGammaModel().fit(x, m * 100)

    assert cents.params_ == pytest.approx(dollars.params_ | {"v": dollars.params_["v"] * 100}, rel=1e-8)
    assert cents.log_likelihood_ == pytest.approx(dollars.log_likelihood_ - 946 * np.log(100), rel=1e-12)


def test_one_time_buyers_are_expected_to_spend_the_population_mean_whatever_stands_as_theirs() -> None:
    expected = PUBLISHED.expected_average_value([0, 0, 0], [np.nan, 0.0, 500.0])

    assert expected.tolist() == [PUBLISHED.population_mean()] * 3


def test_much_evidence_outweighs_the_population() -> None:
    assert PUBLISHED.expected_average_value(5000, 80.0)[0] == pytest.approx(80, rel=1e-3)


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.floats(1e-2, 1e7)),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=40)
def test_any_few_customers_give_finite_parameters_and_values(rows: list[tuple[int, float]]) -> None:
    x, m = zip(*rows, strict=True)

    model = GammaGammaModel().fit(x, m)

    assert all(np.isfinite(value) and value > 0 for value in model.params_.values())
    assert np.isfinite(model.log_likelihood_)
    assert 0 < model.population_mean() < np.inf
    assert bool(model.certificate_.notes) or not model.certificate_.at_bound
    assert np.isfinite(model.expected_average_value([*x, 0], [*m, np.nan])).all()


def test_a_mean_pushed_to_infinity_by_few_big_spenders_is_kept_finite_and_named() -> None:
    random = np.random.default_rng(1)
    heavy_tailed = 10 * random.pareto(0.7, 2000) + 1

    model = GammaGammaModel().fit(np.full(2000, 3), heavy_tailed)

    assert model.params_["q"] == pytest.approx(1.1)
    assert model.certificate_.at_bound == ("q",)
    assert "would be infinite" in model.certificate_.notes[0]
    assert np.isfinite(model.population_mean())


def test_equal_spend_is_named_and_expected_again() -> None:
    model = GammaGammaModel().fit([3] * 5, [20.0] * 5)

    assert set(model.certificate_.at_bound) == {"p", "q"}
    assert len(model.certificate_.notes) == 2
    assert model.population_mean() == pytest.approx(20, rel=1e-3)


def test_customers_without_repeat_value_are_not_read(cdnow_summary: pd.DataFrame) -> None:
    x, m = cdnow_summary["x"], cdnow_summary["zbar"]
    read = (x > 0) & (m > 0)

    assert GammaGammaModel().fit(x, m).to_dict() == GammaGammaModel().fit(x[read], m[read]).to_dict()


def test_the_log_likelihood_of_the_fit_is_the_sum_over_those_read(cdnow_summary: pd.DataFrame) -> None:
    x, m = cdnow_summary["x"], cdnow_summary["zbar"]
    model = GammaGammaModel().fit(x, m)

    each = model.log_likelihood(x, m)

    assert each.sum() == pytest.approx(model.log_likelihood_, rel=1e-12)
    assert not each[(x == 0) | (m == 0)].any()


def test_without_any_repeat_value_there_is_nothing_to_fit() -> None:
    with pytest.raises(
        FitError, match="at least one customer with frequency and monetary_value above 0, got none of 2"
    ):
        GammaGammaModel().fit([0, 3], [np.nan, 0.0])
    with pytest.raises(FitError, match="got none of 0"):
        GammaGammaModel().fit([], [])


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_an_illegal_value_of_a_repeat_buyer_is_named(value: float) -> None:
    message = (
        r"monetary_value: expected finite values of 0 or more where frequency is above 0; 1 of 3 .* positions 2 \("
    )
    with pytest.raises(InputError, match=message):
        PUBLISHED.expected_average_value([0, 1, 2], [np.nan, 5.0, value])


def test_parameters_with_an_infinite_mean_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected q above 1, got 0\.9"):
        GammaGammaModel.from_params(p=6.0, q=0.9, v=10.0)


def test_a_model_without_parameters_says_so() -> None:
    with pytest.raises(NotFittedError, match="expected a fitted GammaGammaModel"):
        GammaGammaModel().population_mean()


def test_a_fit_goes_through_json_and_back_exactly() -> None:
    model = GammaGammaModel().fit([1, 2, 5, 9], [10.1, 33.3, 7.0, 1 / 3])

    again = GammaGammaModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))

    assert again.to_dict() == model.to_dict()
    assert again.certificate_ == model.certificate_


def test_parameters_go_to_lifetimes_and_back_unchanged() -> None:
    assert GammaGammaModel.from_lifetimes(PUBLISHED.to_lifetimes()).params_ == PUBLISHED.params_


def test_too_few_repeat_buyers_to_tell_are_named() -> None:
    model = GammaGammaModel().fit([2, 3, 1, 4], [20.0, 26.0, 15.0, 31.0])

    certificate = model.certificate_
    assert {*certificate.not_identified, *certificate.at_bound}
    assert certificate.notes
    assert np.isfinite(model.population_mean())
