"""Pareto/NBD against the numbers that are published for the CDNOW sample, in weeks, and against lifetimes."""

import warnings

import numpy as np
import pandas as pd
import pytest

from models.btyd import ParetoModel
from models.exceptions import InputError

# Fader, Hardie & Lee (2005), table 2.
PUBLISHED = ParetoModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669)


@pytest.fixture(scope="module")
def fitted(cdnow_summary: pd.DataFrame) -> ParetoModel:
    return ParetoModel().fit(cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])


def test_the_fit_reaches_parameters_likelihood_and_errors_of_fader_hardie_lee_2005(fitted: ParetoModel) -> None:
    assert fitted.params_ == {
        "r": pytest.approx(0.553, abs=5e-4),
        "alpha": pytest.approx(10.578, abs=5e-4),
        "s": pytest.approx(0.606, abs=5e-4),
        "beta": pytest.approx(11.669, abs=2e-3),
    }
    assert fitted.log_likelihood_ == pytest.approx(-9595.0, abs=0.05)
    assert fitted.certificate_.standard_errors == {
        "r": pytest.approx(0.0476, abs=5e-5),
        "alpha": pytest.approx(0.8427, abs=5.1e-5),
        "s": pytest.approx(0.1873, abs=5e-5),
        "beta": pytest.approx(6.2105, abs=1e-3),
    }


def test_the_frequent_buyer_of_26_purchases_is_the_published_one(fitted: ParetoModel) -> None:
    assert fitted.p_alive(26, 30.857, 31)[0] == pytest.approx(0.997874, abs=5e-6)
    assert fitted.expected_purchases(52, 26, 30.857, 31)[0] == pytest.approx(25.45647, rel=1e-4)


def test_new_customer_expectations_are_those_of_the_btyd_manual() -> None:
    """The published table is of the manual's own parameters, rounded from its fit."""
    manual = ParetoModel.from_params(r=0.55, alpha=10.56, s=0.61, beta=11.64)
    published = "0 .05077821 .09916088 .14542507 .18979930 .23247466 .27361274 .31335159 .35181024 .38909211"

    expected = manual.expected_purchases_new_customer(range(10))

    assert expected == pytest.approx([float(number) for number in published.split()], abs=5.1e-9)


def test_holdout_means_by_calibration_frequency_are_those_of_fader_hardie_lee_2005(cdnow_summary: pd.DataFrame) -> None:
    expected = PUBLISHED.expected_purchases(39, cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])

    means = pd.Series(expected).groupby(np.minimum(cdnow_summary["x"], 7)).mean()

    assert means.to_numpy() == pytest.approx([0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403], abs=1e-3)


def test_predictions_equal_those_of_lifetimes_where_it_is_right(cdnow_summary: pd.DataFrame) -> None:
    few = cdnow_summary[cdnow_summary["x"] < 10].iloc[::10]
    x, t_x, T = (few[column].to_numpy(dtype=np.float64) for column in ("x", "t_x", "T"))
    reference = PUBLISHED.to_lifetimes()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p_alive = reference.conditional_probability_alive(x, t_x, T)
        expected = reference.conditional_expected_number_of_purchases_up_to_time(39, x, t_x, T)
        new_customer = reference.expected_number_of_purchases_up_to_time(np.array([1.0, 39.0]))
        first = (x[:5], t_x[:5], T[:5])
        of_n = [reference.conditional_probability_of_n_purchases_up_to_time(n, 39, *first) for n in (0, 3)]

    assert PUBLISHED.p_alive(x, t_x, T) == pytest.approx(p_alive, rel=1e-9)
    assert PUBLISHED.expected_purchases(39, x, t_x, T) == pytest.approx(expected, rel=1e-9)
    assert PUBLISHED.expected_purchases_new_customer([1, 39]) == pytest.approx(new_customer, rel=1e-12)
    ours = PUBLISHED.probability_of_n_purchases([0, 3], 39, *first)
    assert ours == pytest.approx(np.column_stack(of_n), rel=1e-6)


def test_parameters_go_to_lifetimes_and_back_and_those_of_another_model_are_refused() -> None:
    assert ParetoModel.from_lifetimes(PUBLISHED.to_lifetimes()).params_ == PUBLISHED.params_
    fitter = PUBLISHED.to_lifetimes()
    del fitter.params_["beta"]
    with pytest.raises(
        InputError, match=r"with the parameters r, alpha, s, beta, got ParetoNBDFitter with r, alpha, s"
    ):
        ParetoModel.from_lifetimes(fitter)


def test_a_purchase_today_leaves_no_time_to_have_died_in() -> None:
    assert PUBLISHED.p_alive([0, 5], [0, 20], [0, 20]).tolist() == [1, 1]


def test_one_time_buyers_who_stay_away_are_taken_for_lost_more_and_more() -> None:
    p_alive = PUBLISHED.p_alive([0, 0, 0], [0, 0, 0], [1, 39, 400])

    assert (np.diff(p_alive) < 0).all()
    assert p_alive[2] < 0.2
