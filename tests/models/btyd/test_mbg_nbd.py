"""MBG/NBD against lifetimes, and what sets it apart from BG/NBD."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.btyd import BetaGeoModel, ModifiedBetaGeoModel

# The sample in weeks, as Batislam, Denizel & Filiztekin (2007) and others fit it.
CDNOW = ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614)


def test_the_fit_is_at_least_as_likely_as_that_of_lifetimes(cdnow_summary: pd.DataFrame) -> None:
    history = (cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])
    fitter: Any = CDNOW.to_lifetimes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(*history)

    ours, theirs = ModifiedBetaGeoModel().fit(*history), ModifiedBetaGeoModel.from_lifetimes(fitter)

    assert ours.params_ == pytest.approx(theirs.params_, rel=2e-3)
    assert ours.log_likelihood_ >= theirs.log_likelihood(*history).sum() - 1e-9
    assert ours.log_likelihood_ == pytest.approx(-9582.13, abs=0.005)


def test_predictions_equal_those_of_lifetimes_where_it_is_right(cdnow_summary: pd.DataFrame) -> None:
    history = (cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])
    reference = CDNOW.to_lifetimes()

    assert CDNOW.p_alive(*history) == pytest.approx(reference.conditional_probability_alive(*history), rel=1e-12)
    assert CDNOW.expected_purchases(39, *history) == pytest.approx(reference.predict(39, *history), rel=1e-9)


def test_new_customers_may_be_lost_at_the_purchase_that_brought_them() -> None:
    a, b = CDNOW.params_["a"], CDNOW.params_["b"]

    assert CDNOW.p_alive(0, 0, 0)[0] == pytest.approx(b / (a + b), rel=1e-12)
    assert CDNOW.probability_of_n_purchases_new_customer(0, 1e9)[0] == pytest.approx(a / (a + b), rel=1e-3)


def test_one_time_buyers_who_stay_away_are_taken_for_lost_unlike_in_bg_nbd() -> None:
    T = [1, 39, 400]

    p_alive = CDNOW.p_alive([0, 0, 0], [0, 0, 0], T)

    assert (np.diff(p_alive) < 0).all()
    assert BetaGeoModel.from_params(**CDNOW.params_).p_alive([0, 0, 0], [0, 0, 0], T).tolist() == [1, 1, 1]


def test_parameters_go_to_lifetimes_and_back_unchanged() -> None:
    assert ModifiedBetaGeoModel.from_lifetimes(CDNOW.to_lifetimes()).params_ == CDNOW.params_
