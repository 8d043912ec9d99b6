"""BG/NBD against the numbers that its authors and others have published for the CDNOW sample, in weeks."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.btyd import BetaGeoModel
from tests.models.btyd.purchase_days import Calibration

# Fader, Hardie & Lee (2005), table 2.
PUBLISHED = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def fitted(cdnow_summary: pd.DataFrame) -> BetaGeoModel:
    return BetaGeoModel().fit(cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])


def test_the_fit_reaches_the_parameters_of_fader_hardie_lee_2005(fitted: BetaGeoModel) -> None:
    assert fitted.params_ == {
        "r": pytest.approx(0.2426, abs=5e-5),
        "alpha": pytest.approx(4.4136, abs=1e-4),
        "a": pytest.approx(0.7929, abs=5e-5),
        "b": pytest.approx(2.4259, abs=2e-4),
    }
    assert fitted.log_likelihood_ == pytest.approx(-9582.43, abs=0.005)
    assert fitted.n_customers_ == 2357


def test_the_certificate_of_the_cdnow_fit_is_clean(fitted: BetaGeoModel) -> None:
    certificate = fitted.certificate_

    assert certificate.converged
    assert certificate.gradient_norm < 1e-10
    assert certificate.starts == 3
    assert certificate.at_bound == ()
    assert certificate.notes == ()


def test_new_customer_expectations_are_the_published_ones(fitted: BetaGeoModel) -> None:
    weeks = [0.1429, 1, 3, 31.8571, 32, 78]

    expected = fitted.expected_purchases_new_customer(weeks)

    assert expected == pytest.approx([0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576], abs=5e-4)


def test_conditional_expectation_is_the_1_226_of_fader_hardie_lee_2005() -> None:
    assert PUBLISHED.expected_purchases(39, 2, 30.43, 38.86)[0] == pytest.approx(1.226, abs=5e-4)


def test_probabilities_of_n_purchases_are_the_published_ones() -> None:
    assert PUBLISHED.probability_of_n_purchases_new_customer(0, 39)[0] == pytest.approx(0.5737864, abs=5e-8)
    assert PUBLISHED.probability_of_n_purchases_new_customer(10, 2)[0] == pytest.approx(1.07869e-07, abs=5e-13)


def test_the_frequent_buyer_of_26_purchases_is_the_published_one(fitted: BetaGeoModel) -> None:
    assert fitted.expected_purchases(52, 26, 30.857, 31)[0] == pytest.approx(25.75659, rel=1e-4)
    assert fitted.p_alive(26, 30.857, 31)[0] == pytest.approx(0.9688523, abs=5e-6)


def test_holdout_means_by_calibration_frequency_are_those_of_fader_hardie_lee_2005(cdnow_summary: pd.DataFrame) -> None:
    expected = PUBLISHED.expected_purchases(39, cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])

    means = pd.Series(expected).groupby(np.minimum(cdnow_summary["x"], 7)).mean()

    assert means.to_numpy() == pytest.approx([0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157], abs=5.1e-4)


def test_log_likelihoods_are_the_stable_ones_of_hardie_note_027() -> None:
    model = BetaGeoModel.from_params(r=0.25, alpha=4, a=0.8, b=2.5)

    assert model.log_likelihood([0, 200], [0, 38], [40, 40]) == pytest.approx([-0.59947382, 100.7957], rel=1e-7)


def test_the_case_where_lifetimes_gives_nan_is_right() -> None:
    model = BetaGeoModel.from_params(r=0.7768, alpha=9.627, a=0.0041, b=0.6111)

    assert model.expected_purchases(14.4, 0, 0, 14.6)[0] == pytest.approx(0.46048, abs=5e-6)


def test_the_sample_in_days_has_the_holdout_errors_measured_with_lifetimes(cdnow_sample: Calibration) -> None:
    _assert_holdout(cdnow_sample, mae=0.7855, rmse=1.6080)
    assert cdnow_sample.holdout_purchases.sum() == 1882


def test_the_full_cdnow_log_in_days_has_the_parameters_measured_with_lifetimes(cdnow_full: Calibration) -> None:
    model = _assert_holdout(cdnow_full, mae=0.8187, rmse=1.7329)

    assert model.params_ == {
        "r": pytest.approx(0.2516, abs=5e-5),
        "alpha": pytest.approx(4.7889 * 7, abs=5e-4),
        "a": pytest.approx(0.7234, abs=5e-5),
        "b": pytest.approx(2.1611, abs=5e-5),
    }
    in_weeks = model.log_likelihood_ + np.log(7) * cdnow_full.frequency.sum()
    assert in_weeks == pytest.approx(-95368.44, abs=0.005)
    assert model.n_customers_ == 23_570


def _assert_holdout(data: Calibration, *, mae: float, rmse: float) -> BetaGeoModel:
    model = BetaGeoModel().fit(data.frequency, data.recency, data.T)
    errors = model.expected_purchases(273, data.frequency, data.recency, data.T) - data.holdout_purchases
    assert np.abs(errors).mean() == pytest.approx(mae, abs=5e-5)
    assert np.sqrt((errors**2).mean()) == pytest.approx(rmse, abs=5e-5)
    return model


def test_the_unit_of_time_changes_alpha_and_nothing_else(cdnow_summary: pd.DataFrame, fitted: BetaGeoModel) -> None:
    hours = 7 * 24
    x, recency, T = cdnow_summary["x"], cdnow_summary["t_x"] * hours, cdnow_summary["T"] * hours

    model = BetaGeoModel().fit(x, recency, T)

    assert model.params_ == pytest.approx(fitted.params_ | {"alpha": fitted.params_["alpha"] * hours}, rel=1e-7)
    assert model.log_likelihood_ == pytest.approx(fitted.log_likelihood_ - np.log(hours) * x.sum(), rel=1e-12)
    assert model.p_alive(x, recency, T) == pytest.approx(fitted.p_alive(x, cdnow_summary["t_x"], cdnow_summary["T"]))


def test_the_order_of_the_customers_changes_nothing_at_all(cdnow_summary: pd.DataFrame, fitted: BetaGeoModel) -> None:
    shuffled = cdnow_summary.sample(frac=1, random_state=5)

    model = BetaGeoModel().fit(shuffled["x"], shuffled["t_x"], shuffled["T"])

    assert model.to_dict() == fitted.to_dict()


def test_online_retail_on_which_lifetimes_fails_is_fitted_and_its_lack_of_drop_out_named(
    online_retail: Calibration, recwarn: pytest.WarningsRecorder
) -> None:
    data = online_retail

    model = BetaGeoModel().fit(data.frequency, data.recency, data.T)

    assert model.n_customers_ == len(data.T)
    assert model.certificate_.converged
    assert "a" in model.certificate_.at_bound
    assert any(note.startswith("Almost no drop-out is seen") for note in model.certificate_.notes)
    expected = model.expected_purchases(100, data.frequency, data.recency, data.T)
    assert np.isfinite(expected).all()
    # The 100 days to 2011-12-09 are the season before Christmas: more comes than the year before promises.
    assert expected.sum() == pytest.approx(data.holdout_purchases.sum(), rel=0.25)
    assert not recwarn


@pytest.mark.parametrize("column", ["p_alive", "expected_purchases"])
def test_a_customer_alone_gets_the_very_number_of_the_batch(
    cdnow_summary: pd.DataFrame, fitted: BetaGeoModel, column: str
) -> None:
    predict: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
        "p_alive": lambda rows: fitted.p_alive(rows["x"], rows["t_x"], rows["T"]),
        "expected_purchases": lambda rows: fitted.expected_purchases(39, rows["x"], rows["t_x"], rows["T"]),
    }

    batch = predict[column](cdnow_summary)

    for position in range(0, len(cdnow_summary), 97):
        assert predict[column](cdnow_summary.iloc[[position]])[0] == batch[position]
