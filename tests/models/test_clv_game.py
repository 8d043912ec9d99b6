"""The Shapley game of clv: the axioms, a brute-force oracle over all orders, and mixtures that stay legal."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.btyd import BetaGeoModel, BuyTillYouDieModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoModel
from models.clv import DEFAULT_TERMS, ClvTerms, discounted_clv
from models.clv_game import CLV_INPUTS, ClvInputs, clv_of_all_mixtures, shapley_values
from models.exceptions import InputError
from models.purchase_model import PurchaseModel

SPEND = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)
BTYD: list[BuyTillYouDieModel] = [
    BetaGeoModel.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426),
    ModifiedBetaGeoModel.from_params(r=0.525, alpha=43.3, a=0.891, b=1.614),
    ParetoModel.from_params(r=0.553, alpha=74.1, s=0.606, beta=81.7),
]
PURCHASES = [PurchaseModel(btyd, SPEND) for btyd in BTYD]
BG_NBD = PURCHASES[0]

# Frequency, recency, days since the last purchase, monetary value.
Row = tuple[float, float, float, float]

customer: st.SearchStrategy[Row] = st.builds(
    lambda x, gap, silence, spent: (x, x * gap, silence, spent if x else np.nan),
    st.sampled_from([0, 0, 1, 2, 7, 150]),
    st.integers(1, 30),
    st.integers(0, 700),
    st.floats(0, 1e4),
)


def inputs(*rows: Row) -> ClvInputs:
    x, t_x, silence, spent = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return ClvInputs.of(frequency=x, recency=t_x, T=t_x + silence, monetary_value=spent)


def of_mixture(purchases: PurchaseModel, x: float, t_x: float, silence: float, spent: float) -> float:
    """Clv of one mixture, by the rules in words."""
    if x == 0:
        t_x = 0.0
    elif t_x == 0:
        t_x = 1.0
    if np.isnan(spent):
        spent = SPEND.population_mean()
    clv = discounted_clv(
        purchases.btyd, SPEND, frequency=x, recency=t_x, T=t_x + silence, monetary_value=spent, terms=DEFAULT_TERMS
    )
    return float(clv[0])


@pytest.mark.parametrize("purchases", PURCHASES, ids=lambda purchases: purchases.btyd.name)
@given(own=customer, other=customer)
@settings(deadline=None, max_examples=15)
def test_the_values_are_the_mean_step_over_all_orders_written_out_by_brute_force(
    purchases: PurchaseModel, own: Row, other: Row
) -> None:
    by_hand = np.zeros(4)
    for order in permutations(range(4)):
        mixture = list(other)
        before = of_mixture(purchases, *mixture)
        for player in order:
            mixture[player] = own[player]
            after = of_mixture(purchases, *mixture)
            by_hand[player] += (after - before) / 24
            before = after

    worth = clv_of_all_mixtures(purchases, DEFAULT_TERMS, inputs(own), inputs(other))

    assert shapley_values(worth)[0] == pytest.approx(by_hand, rel=1e-9, abs=1e-11 * worth.max())


@given(own=st.lists(customer, min_size=1, max_size=6), other=customer)
@settings(deadline=None, max_examples=60)
def test_the_values_sum_to_the_difference_in_clv_and_are_finite(own: list[Row], other: Row) -> None:
    customers = inputs(*own)
    worth = clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, customers, inputs(other))
    values = shapley_values(worth)
    clv = discounted_clv(
        BG_NBD.btyd,
        SPEND,
        frequency=customers.frequency,
        recency=customers.recency,
        T=customers.recency + customers.days_since_last_purchase,
        monetary_value=customers.monetary_value,
    )

    assert np.isfinite(values).all()
    assert worth[-1] == pytest.approx(clv, rel=1e-14)
    # Between the two may lie mixtures worth thousands of times as much, which cancel out.
    scale = np.abs(worth).max(axis=0)
    assert np.abs(worth[0] + values.sum(axis=1) - clv).max() <= 1e-12 * scale.max()


@given(own=customer, other=customer, shared=st.sampled_from(["history", "silence", "value"]))
@settings(deadline=None, max_examples=60)
def test_an_input_in_which_the_two_are_alike_has_no_part(own: Row, other: Row, shared: str) -> None:
    # Whether there are repeat purchases at all is told by both frequency and recency.
    x, t_x = (own if shared == "history" else other)[:2]
    silence = (own if shared == "silence" else other)[2]
    spent = (own if shared == "value" else other)[3]

    customers, others = inputs(own), inputs((x, t_x, silence, 20.0 if np.isnan(spent) else spent))
    same = [name for name in CLV_INPUTS if np.array_equal(getattr(customers, name), getattr(others, name), True)]

    values = shapley_values(clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, customers, others))[0]

    assert [values[CLV_INPUTS.index(name)] for name in same] == [0.0] * len(same)


def test_equal_customers_have_no_difference_to_share() -> None:
    one = inputs((7, 200, 12, 52.4))
    assert shapley_values(clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, one, one)).tolist() == [[0.0] * 4]


@given(st.lists(st.floats(-1e6, 1e6), min_size=16, max_size=16))
def test_players_who_add_the_same_to_every_coalition_get_the_same(worth_of_many: list[float]) -> None:
    # Players 0 and 1 are exchangeable where a coalition's worth depends on how many of the two it has.
    worth = np.array([[worth_of_many[(c >> 2) * 4 + (c & 1) + (c >> 1 & 1)]] for c in range(16)])
    first, second, *_ = shapley_values(worth)[0]
    assert first == pytest.approx(second, rel=1e-12, abs=1e-9)


def test_the_glove_game_of_shapley_has_its_published_solution() -> None:
    # One left glove, two right ones; a pair is worth 1: 2/3 for the left, 1/6 for each right.
    worth = np.array([[0.0], [0.0], [0.0], [1.0], [0.0], [1.0], [0.0], [1.0]])
    assert shapley_values(worth)[0] == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=1e-15)


def test_games_of_any_number_of_players_sum_to_the_worth_of_all() -> None:
    rng = np.random.default_rng(3)
    for players in (1, 2, 3, 5):
        worth = rng.normal(size=(2**players, 7))
        assert shapley_values(worth).sum(axis=1) == pytest.approx(worth[-1] - worth[0], abs=1e-14)


@pytest.mark.parametrize("purchases", PURCHASES, ids=lambda purchases: purchases.btyd.name)
def test_a_customer_alone_gets_the_very_numbers_of_the_batch(purchases: PurchaseModel) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, 500)
    rows = np.column_stack((x, x * rng.integers(1, 40, 500), rng.integers(0, 400, 500), rng.gamma(3, 12, 500)))
    customers, reference = inputs(*rows), inputs((3, 150, 40, 30.0))
    batch = shapley_values(clv_of_all_mixtures(purchases, DEFAULT_TERMS, customers, reference))
    for row in range(0, 500, 25):
        alone = shapley_values(clv_of_all_mixtures(purchases, DEFAULT_TERMS, inputs(rows[row]), reference))
        assert alone[0].tolist() == batch[row].tolist()


def test_each_customer_may_have_another_to_be_compared_with() -> None:
    own, other = [(7, 200, 12, 52.4), (0, 0, 90, np.nan)], [(6, 180, 2, 50.0), (2, 30, 4, 20.0)]
    both = clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, inputs(*own), inputs(*other))
    for row in range(2):
        alone = clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, inputs(own[row]), inputs(other[row]))
        assert both[:, row].tolist() == alone[:, 0].tolist()


def test_nobody_has_no_reasons() -> None:
    nobody = ClvInputs.of(frequency=[], recency=[], T=[], monetary_value=[])
    worth = clv_of_all_mixtures(BG_NBD, DEFAULT_TERMS, nobody, inputs((3, 150, 40, 30.0)))
    assert shapley_values(worth).shape == (0, 4)


def test_half_the_margin_halves_every_value() -> None:
    own, other = inputs((7, 200, 12, 52.4)), inputs((2, 90, 60, 20.0))
    whole, half = (
        shapley_values(clv_of_all_mixtures(BG_NBD, ClvTerms(margin=margin), own, other)) for margin in (1.0, 0.5)
    )
    assert half == pytest.approx(whole / 2, rel=1e-13)


def test_a_rounding_residue_below_nothing_counts_as_nothing_spent() -> None:
    assert ClvInputs.of(frequency=2, recency=30, T=40, monetary_value=-1e-14).monetary_value.tolist() == [0.0]


def test_illegal_histories_are_refused_before_they_are_mixed() -> None:
    with pytest.raises(InputError, match="recency: expected values no greater than T"):
        ClvInputs.of(frequency=2, recency=50, T=40, monetary_value=10)
    with pytest.raises(InputError, match="monetary_value: expected finite values"):
        ClvInputs.of(frequency=2, recency=30, T=40, monetary_value=np.nan)
