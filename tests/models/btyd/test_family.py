"""What every model of purchases owes its callers: the integrals that define it, finite answers, and one interface."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.btyd import PURCHASE_MODELS, BetaGeoModel, BuyTillYouDieModel, ModifiedBetaGeoModel, ParetoModel
from models.btyd.histories import PurchaseHistories
from models.btyd.information import GREATEST_DEVIATION
from models.exceptions import InputError
from tests.models.btyd.defining_integrals import DeathAtAnyTime, DropOutAtPurchases, Story, Truth

TWENTY_YEARS = 7305.0

# CDNOW in weeks: Fader, Hardie & Lee (2005); Batislam, Denizel & Filiztekin (2007) have the second.
BG = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
MBG = ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614)
PARETO = ParetoModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669)
CDNOW: tuple[BuyTillYouDieModel, ...] = (BG, MBG, PARETO)

# a + b < 1, where the closed form of BG/NBD is undefined, and the same for MBG/NBD; Pareto/NBD with s = 1, where its
# closed form is 0 / 0, and with death far faster than purchases.
DELICATE: tuple[BuyTillYouDieModel, ...] = (
    BetaGeoModel.from_params(r=0.7768, alpha=9.627, a=0.2, b=0.6111),
    ModifiedBetaGeoModel.from_params(r=0.7768, alpha=9.627, a=0.5, b=0.3),
    ParetoModel.from_params(r=1.7, alpha=3.0, s=1.0, beta=30.0),
    ParetoModel.from_params(r=0.8, alpha=30.0, s=2.5, beta=0.7),
)
HISTORIES = [(0, 0.0, 14.6), (1, 1.0, 38.86), (2, 30.43, 38.86), (26, 30.857, 31.0), (20, 12.0, 39.0)]


def by_name(model: object) -> str:
    return repr(model) if isinstance(model, BuyTillYouDieModel) else str(model)


def story(model: BuyTillYouDieModel) -> Story:
    if isinstance(model, ParetoModel):
        return DeathAtAnyTime(model.params_)
    return DropOutAtPurchases(model.params_, int(isinstance(model, ModifiedBetaGeoModel)))


@pytest.mark.parametrize("model", CDNOW + DELICATE, ids=by_name)
def test_likelihood_and_p_alive_equal_quadrature_of_the_defining_integrals(model: BuyTillYouDieModel) -> None:
    told = story(model)
    for history in HISTORIES:
        truth = Truth(told, *history)

        assert model.log_likelihood(*history)[0] == pytest.approx(np.log(truth.likelihood()), rel=1e-9)
        assert model.p_alive(*history)[0] == pytest.approx(truth.p_alive(), rel=1e-9)


@pytest.mark.parametrize("model", CDNOW + DELICATE, ids=by_name)
def test_expectations_and_probabilities_equal_quadrature_of_the_defining_integrals(model: BuyTillYouDieModel) -> None:
    told = story(model)
    n = [0, 1, 7]
    for history in HISTORIES:
        truth = Truth(told, *history)
        for horizon in (2.0, 60.0):
            expected = model.expected_purchases(horizon, *history)[0]
            probabilities = model.probability_of_n_purchases(n, horizon, *history)[0]
            no_purchase = model.probability_of_no_purchase(horizon, *history)[0, 0]
            while_alive = model.counts_while_alive(7, horizon, history[0], history[2])[0, n]

            assert expected == pytest.approx(truth.expected_purchases(horizon), rel=1e-8)
            assert probabilities == pytest.approx([truth.probability(k, horizon) for k in n], rel=1e-8)
            assert no_purchase == pytest.approx(truth.probability(0, horizon), rel=1e-8)
            assert while_alive == pytest.approx([truth.probability_while_alive(k, horizon) for k in n], rel=1e-8)


def positive(least: float, greatest: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(least), np.log(greatest)).map(lambda log: float(np.exp(log))) | st.just(1.0)


@st.composite
def models(draw: st.DrawFn) -> BuyTillYouDieModel:
    kind = draw(st.sampled_from(list(PURCHASE_MODELS.values())))
    params = {name: draw(positive(*bound)) for name, bound in kind.bounds.items()}
    return kind.from_params(**params)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, float, float]:
    x = draw(st.integers(0, 5000) | st.integers(0, 3))
    if x == 0:
        return x, 0.0, draw(st.floats(0, TWENTY_YEARS))
    T = draw(st.floats(1e-3, TWENTY_YEARS))
    return x, draw(st.floats(1e-3, T)), T


horizons = st.floats(0, TWENTY_YEARS)


@given(model=models(), history=histories(), shorter=horizons, longer=horizons)
@settings(deadline=None, max_examples=200)
def test_every_legal_input_has_a_finite_answer_in_range(
    model: BuyTillYouDieModel, history: tuple[int, float, float], shorter: float, longer: float
) -> None:
    assume(shorter <= longer)
    x, _, T = history

    soon, late = model.expected_purchases_by([shorter, longer], *history)[0]
    none_soon, none_late = model.probability_of_no_purchase([shorter, longer], *history)[0]
    counts = model.counts_while_alive(5, longer, x, T)[0]

    most = (model.params_["r"] + x) / (model.params_["alpha"] + T) * longer
    assert 0 <= model.p_alive(*history)[0] <= 1
    assert np.isfinite(model.log_likelihood(*history)[0])
    assert 0 <= soon <= late * (1 + 1e-11) <= most * (1 + 1e-10)
    assert 0 <= none_late <= none_soon * (1 + 1e-9) <= 1 + 1e-8
    assert (counts >= 0).all()
    assert counts.sum() <= 1 + 1e-8


EXTREME: dict[str, tuple[BuyTillYouDieModel, tuple[int, float, float]]] = {
    "all at the lower bounds": (BetaGeoModel.from_params(r=1e-6, alpha=1e-6, a=1e-6, b=1e-6), (5000, 1e-3, 1e-3)),
    "certain drop-out": (BetaGeoModel.from_params(r=1e4, alpha=1e-6, a=1e4, b=1e-6), (5000, 1.0, 7305.0)),
    "certain drop-out at once": (ModifiedBetaGeoModel.from_params(r=1e4, alpha=1e-6, a=1e4, b=1e-6), (0, 0.0, 7305.0)),
    "equal rates": (ParetoModel.from_params(r=1e4, alpha=1e6, s=1e4, beta=1e6), (5000, 1e-3, 7305.0)),
    "death at once": (ParetoModel.from_params(r=1e-6, alpha=1e6, s=1e4, beta=1e-6), (0, 0.0, 7305.0)),
}


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_parameters_have_finite_answers_in_range(name: str) -> None:
    model, history = EXTREME[name]
    x, _, T = history

    assert np.isfinite(model.log_likelihood(*history)[0])
    assert 0 <= model.p_alive(*history)[0] <= 1
    assert np.isfinite(model.expected_purchases(7305.0, *history)[0])
    assert 0 <= model.probability_of_no_purchase(7305.0, *history)[0, 0] <= 1 + 1e-9
    assert np.isfinite(model.counts_while_alive(5000, 7305.0, x, T)).all()


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


@pytest.mark.parametrize("data", POOR_DATA)
@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_poor_data_gives_finite_parameters_and_says_what_they_are_worth(name: str, data: str) -> None:
    history = POOR_DATA[data]

    model = PURCHASE_MODELS[name]().fit(*history)

    assert all(np.isfinite(value) and value > 0 for value in model.params_.values())
    assert np.isfinite(model.log_likelihood_)
    assert model.log_likelihood_ == pytest.approx(model.log_likelihood(*history).sum(), rel=1e-9, abs=1e-7)
    assert np.isfinite(model.expected_purchases(90, *history)).all()
    assert np.isfinite(model.certificate_.covariance).all()
    assert model.certificate_.notes


@given(name=st.sampled_from(list(PURCHASE_MODELS)), rows=st.lists(histories(), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_any_few_customers_give_finite_parameters(name: str, rows: list[tuple[int, float, float]]) -> None:
    x, recency, T = zip(*rows, strict=True)

    model = PURCHASE_MODELS[name]().fit(x, recency, T)

    assert all(np.isfinite(value) and value > 0 for value in model.params_.values())
    assert np.isfinite(model.log_likelihood_)
    assert np.isfinite(model.expected_purchases(365, x, recency, T)).all()
    assert bool(model.certificate_.notes) or not model.certificate_.at_bound


@pytest.mark.parametrize("model", CDNOW + DELICATE, ids=by_name)
def test_probabilities_sum_to_one_and_have_the_expectation_as_mean(model: BuyTillYouDieModel) -> None:
    n = np.arange(4000)
    history = ([0, 3, 40], [0.0, 30.0, 38.0], [39.0, 39.0, 39.0])

    probabilities = model.probability_of_n_purchases(n, 52, *history)

    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)
    assert probabilities @ n == pytest.approx(model.expected_purchases(52, *history), rel=1e-10)


@pytest.mark.parametrize("model", CDNOW, ids=by_name)
def test_a_frequent_buyer_and_three_years_ahead_keep_their_digits(model: BuyTillYouDieModel) -> None:
    counts = model.counts_while_alive(6000, 3 * 365, 500, 520)[0]

    expected = model.expected_purchases(3 * 365, 500, 520, 520) / model.p_alive(500, 520, 520)
    assert counts.sum() == pytest.approx(1, abs=1e-11)
    assert counts @ np.arange(6001) == pytest.approx(expected[0], rel=1e-10)


@pytest.mark.parametrize("model", CDNOW, ids=by_name)
def test_no_purchase_is_the_first_of_the_probabilities(model: BuyTillYouDieModel) -> None:
    history = ([0, 2, 30], [0.0, 9.0, 30.0], [25.0, 27.0, 31.0])

    none = model.probability_of_no_purchase([4, 52], *history)

    assert none.shape == (3, 2)
    for column, horizon in enumerate([4, 52]):
        expected = model.probability_of_n_purchases(0, horizon, *history)[:, 0]
        assert none[:, column] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", CDNOW, ids=by_name)
def test_a_new_customer_is_one_who_has_just_bought_for_the_first_time(model: BuyTillYouDieModel) -> None:
    n = np.arange(2000)

    probabilities = model.probability_of_n_purchases_new_customer(n, 39)

    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert probabilities @ n == pytest.approx(model.expected_purchases_new_customer(39)[0], rel=1e-11)
    assert probabilities.tolist() == model.probability_of_n_purchases(n, 39, 0, 0, 0)[0].tolist()


@pytest.mark.parametrize("model", CDNOW, ids=by_name)
def test_a_customer_alone_gets_the_very_numbers_of_the_batch(model: BuyTillYouDieModel) -> None:
    x, recency, T = np.array([0, 2, 30, 2]), np.array([0.0, 9.0, 30.0, 9.0]), np.array([25.0, 27.0, 31.0, 27.0])

    counts = model.probability_of_n_purchases([3, 0], 52, x, recency, T)
    expected = model.expected_purchases(52, x, recency, T)

    for row in range(4):
        alone = (x[row], recency[row], T[row])
        assert model.probability_of_n_purchases([3, 0], 52, *alone)[0].tolist() == counts[row].tolist()
        assert model.expected_purchases(52, *alone)[0] == expected[row]


@pytest.mark.parametrize("model", CDNOW, ids=by_name)
def test_no_customers_at_all_can_be_predicted(model: BuyTillYouDieModel) -> None:
    assert model.probability_of_n_purchases([0, 1], 30, [], [], []).shape == (0, 2)
    assert model.probability_of_no_purchase([30, 60, 90], [], [], []).shape == (0, 3)
    assert model.counts_while_alive(4, 30, [], []).shape == (0, 5)


@pytest.mark.parametrize("highest", [-1, 0.5])
def test_an_illegal_highest_number_is_named(highest: Any) -> None:
    with pytest.raises(InputError, match=r"highest: expected whole numbers from 0"):
        BG.counts_while_alive(highest, 30, 0, 10)


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_a_fit_is_certified_and_goes_through_json_and_back_exactly(name: str, cdnow_summary: pd.DataFrame) -> None:
    history = (cdnow_summary["x"], cdnow_summary["t_x"], cdnow_summary["T"])

    model = PURCHASE_MODELS[name]().fit(*history)
    again = PURCHASE_MODELS[name].from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))

    certificate = model.certificate_
    assert certificate.converged
    assert certificate.gradient_norm < 1e-10
    assert certificate.notes == certificate.at_bound == certificate.not_identified == ()
    assert certificate.n_sample is None
    assert certificate.condition_number is not None
    assert certificate.neighbour_gain < 0
    log_errors = np.sqrt(np.diag(certificate.covariance))
    assert list(certificate.standard_errors.values()) == pytest.approx(log_errors * list(model.params_.values()))
    assert model.log_likelihood_ == pytest.approx(model.log_likelihood(*history).sum(), rel=1e-12)
    assert again.to_dict() == model.to_dict()
    assert again.certificate_ == certificate


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_the_gradient_of_the_likelihood_equals_its_differences(name: str, cdnow_summary: pd.DataFrame) -> None:
    model = PURCHASE_MODELS[name]()
    columns = [cdnow_summary[column].to_numpy(dtype=np.float64) for column in ("x", "t_x", "T")]

    mean_log_likelihood = model._objective(PurchaseHistories.checked(*columns).distinct())
    point, step = np.log([0.4, 2.0, 0.7, 2.2]), 1e-5
    _, gradient = mean_log_likelihood(point)

    for position in range(4):
        shift = np.where(np.arange(4) == position, step, 0.0)
        slope = (mean_log_likelihood(point + shift)[0] - mean_log_likelihood(point - shift)[0]) / (2 * step)
        assert gradient[position] == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_what_few_customers_do_not_tell_is_named_and_forecasts_stay_finite(
    name: str, cdnow_summary: pd.DataFrame
) -> None:
    few = cdnow_summary[cdnow_summary["x"] > 0].iloc[:3]
    history = (few["x"], few["t_x"], few["T"])

    model = PURCHASE_MODELS[name]().fit(*history)

    certificate = model.certificate_
    untold = {*certificate.not_identified, *certificate.at_bound}
    assert untold
    assert certificate.notes
    for position, parameter in enumerate(model.parameter_names):
        assert (certificate.standard_errors[parameter] is None) == (parameter in untold)
        # What is not identified makes predictions uncertain too; what is held at a bound does not.
        assert (certificate.covariance[position] == (0.0,) * 4) == (parameter in certificate.at_bound)
    assert np.linalg.eigvalsh(np.array(certificate.covariance)).max() <= GREATEST_DEVIATION**2 + 1e-12
    assert np.isfinite(model.expected_purchases(520, *history)).all()
