"""Why a score moved: contributions that sum to the movement, told as what was and what is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from models.btyd import BetaGeoModel, GammaGammaModel
from models.change_reasons import Change, ChangeReason, change_sentence, classifier_change, clv_change
from models.clv import DEFAULT_TERMS, discounted_clv
from models.clv_game import ClvInputs
from models.exceptions import InputError
from models.lightgbm_params import LightGBMParams
from models.propensity import PropensityModel
from models.purchase_model import PurchaseModel

PURCHASES = PurchaseModel(
    BetaGeoModel.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426),
    GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44),
)
SILENCE = ChangeReason("days_since_last_purchase", 12.0, 75.0, 1.4, "days since last purchase went from 12 to 75")
ORDERS = ChangeReason("orders_90d", 1.0, 2.0, -0.9, "orders in the last 90 days went from 1 to 2")


def one_change(feature: str, before: float, now: float, categories: Mapping[str, tuple[str, ...]] | None = None) -> str:
    change = classifier_change(
        [feature],
        before=np.array([before]),
        now=np.array([now]),
        contributions_before=np.array([0.25]),
        contributions_now=np.array([0.5]),
        base_value=-1.0,
        categories=categories or {},
        currency="USD",
    )
    assert change.reasons[0].feature == feature
    return change.reasons[0].text


def test_the_reasons_of_a_classifier_sum_to_the_change_of_its_raw_margin() -> None:
    rng = np.random.default_rng(0)
    names = [f"attribute.a{i}" for i in range(20)]
    X = rng.normal(size=(600, 20))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) > 0).astype(np.float64)
    model = PropensityModel(params=LightGBMParams(num_rounds=20), seed=0, num_threads=1)
    model.fit(X, y, feature_names=names)
    rows = X[[3, 8]]
    contributions, base_value = model.contributions(rows)
    before, now = model.raw_margin(rows)

    change = classifier_change(
        names,
        before=rows[0],
        now=rows[1],
        contributions_before=contributions[0],
        contributions_now=contributions[1],
        base_value=base_value,
        categories={},
        currency="USD",
        kept=5,
    )

    assert change.before == pytest.approx(before, abs=1e-6)
    assert change.now == pytest.approx(now, abs=1e-6)
    parts = sum(reason.contribution for reason in change.reasons) + change.other
    assert parts == pytest.approx(change.now - change.before, abs=1e-12)
    weights = [abs(reason.contribution) for reason in change.reasons]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) == 5
    strongest = change.reasons[0]
    column = names.index(strongest.feature)
    assert strongest.contribution == contributions[1, column] - contributions[0, column]


@pytest.mark.parametrize(
    ("feature", "before", "now", "text"),
    [
        ("days_since_last_purchase", 12, 75, "days since last purchase went from 12 to 75"),
        ("frequency", 2, 3, "repeat purchase days went from 2 to 3"),
        ("T", 90, 120, "days since first purchase went from 90 to 120"),
        ("purchase_days_90d", 3, 0, "purchase days in the last 90 days went from 3 to 0"),
        ("value_change_90d", 3, -4.5, "value change 90 days went from USD 3.00 to minus USD 4.50"),
        ("gap_mean", 12.2, 20, "gap mean went from 12 days to 20 days"),
        ("p_alive", 0.8, 0.4, "chance of still being a customer by the purchases alone went from 80% to 40%"),
        ("preferred_weekday", 0, 4, "preferred weekday went from Monday to Friday"),
        (
            "lifecycle_stage",
            4,
            1,
            'lifecycle stage went from "keeps buying at the usual pace" to "is later than usual with the next '
            'purchase"',
        ),
        (
            "event.newsletter_signup.count_30d",
            1,
            4,
            "newsletter signup: count in the last 30 days went from once to 4 times",
        ),
        (
            "mean_order_value_90d",
            np.nan,
            20,
            "an order of the last 90 days was worth USD 20.00 on average, of which nothing was known before",
        ),
        (
            "mean_order_value_90d",
            20,
            np.nan,
            "mean order value in the last 90 days was USD 20.00 and is not known any more",
        ),
        (
            "event.newsletter_signup.days_since",
            np.nan,
            8,
            "it has been 8 days since the customer last did “newsletter signup”, of which nothing was known before",
        ),
        ("event.newsletter_signup.days_since", 8, 20, "days since newsletter signup went from 8 to 20"),
        ("mean_order_value_90d", np.nan, np.nan, "mean order value in the last 90 days is not known"),
        ("orders", 2, 2, "orders stayed at 2"),
        ("feature_of_old", 1, 2, ""),
    ],
)
def test_a_change_is_told_as_what_was_and_what_is(feature: str, before: float, now: float, text: str) -> None:
    assert one_change(feature, before, now) == text


def test_categories_are_told_by_their_names() -> None:
    categories = {"attribute.Contract": ("Month-to-month", "Two year")}
    text = one_change("attribute.Contract", 0, 1, categories)
    assert text == "Contract went from Month-to-month to Two year"


def test_values_of_two_customers_or_models_are_refused() -> None:
    with pytest.raises(InputError, match="expected values and contributions of 2 features at both dates"):
        classifier_change(
            ["orders", "T"],
            before=np.zeros(2),
            now=np.zeros(2),
            contributions_before=np.zeros(2),
            contributions_now=np.zeros(3),
            base_value=0.0,
            categories={},
            currency="USD",
        )


def test_the_reasons_of_clv_sum_to_its_change_in_currency() -> None:
    columns = {"frequency": [3.0, 4.0], "recency": [120.0, 190.0], "T": [160.0, 220.0], "monetary_value": [30.0, 36.0]}
    clv = discounted_clv(PURCHASES.btyd, PURCHASES.gamma_gamma, **columns, terms=DEFAULT_TERMS)
    before, now = (ClvInputs.of(**{name: column[i] for name, column in columns.items()}) for i in range(2))

    change = clv_change(PURCHASES, DEFAULT_TERMS, before=before, now=now, currency="USD")

    assert [change.before, change.now] == pytest.approx(clv, rel=1e-14)
    assert sum(reason.contribution for reason in change.reasons) == pytest.approx(clv[1] - clv[0], rel=1e-12)
    assert change.other == 0.0
    assert {reason.feature: reason.text for reason in change.reasons} == {
        "frequency": "repeat purchase days went from 3 to 4",
        "recency": "days from first to last purchase went from 120 to 190",
        "days_since_last_purchase": "days since last purchase went from 40 to 30",
        "monetary_value": "mean value of a repeat purchase day went from USD 30.00 to USD 36.00",
    }


def test_silence_alone_is_all_there_is_to_a_fall_of_clv_without_a_purchase() -> None:
    before, now = (ClvInputs.of(frequency=3, recency=120, T=T, monetary_value=30) for T in (132, 195))
    change = clv_change(PURCHASES, DEFAULT_TERMS, before=before, now=now, currency="USD")
    first, *others = change.reasons
    assert first.feature == "days_since_last_purchase"
    assert first.contribution == pytest.approx(change.now - change.before, rel=1e-14)
    assert [reason.contribution for reason in others] == [0.0] * 3
    fall = f"{change.before - change.now:.2f}"
    assert change_sentence(change, "the clv", currency="USD") == (
        f"The clv fell, mainly because days since last purchase went from 12 to 75 (minus USD {fall})."
    )


def test_a_first_repeat_purchase_makes_the_value_known() -> None:
    before = ClvInputs.of(frequency=0, recency=0, T=60, monetary_value=np.nan)
    now = ClvInputs.of(frequency=1, recency=70, T=90, monetary_value=25)
    texts = [
        reason.text for reason in clv_change(PURCHASES, DEFAULT_TERMS, before=before, now=now, currency="USD").reasons
    ]
    assert "each day of repeat purchases came to USD 25.00 on average, of which nothing was known before" in texts


def test_clv_changes_are_of_one_customer() -> None:
    one = ClvInputs.of(frequency=3, recency=120, T=160, monetary_value=30)
    nobody = ClvInputs.of(frequency=[], recency=[], T=[], monetary_value=[])
    with pytest.raises(InputError, match="expected one customer at both dates, got 0 and 1 rows"):
        clv_change(PURCHASES, DEFAULT_TERMS, before=nobody, now=one, currency="USD")


def test_what_goes_the_way_of_the_score_is_told_first_and_log_odds_never_are() -> None:
    change = Change(before=-1.0, now=-0.5, reasons=(SILENCE, ORDERS), other=0.0)
    assert change_sentence(change, "the risk of leaving") == (
        "The risk of leaving rose, mainly because days since last purchase went from 12 to 75. On the other hand, "
        "orders in the last 90 days went from 1 to 2."
    )


def test_inputs_that_stayed_or_are_told_no_more_are_left_unsaid() -> None:
    stayed = ChangeReason("orders", 2.0, 2.0, 5.0, "orders stayed at 2")
    hardly = ChangeReason("p_alive", 0.9991, 0.9999, 4.0, "p_alive stayed at more than 99%")
    unknown = ChangeReason("feature_of_old", 1.0, 2.0, 3.0, "")
    change = Change(before=0.0, now=13.4, reasons=(stayed, hardly, unknown, SILENCE), other=0.0)
    assert change_sentence(change, "the risk of leaving") == (
        "The risk of leaving rose, mainly because days since last purchase went from 12 to 75."
    )


def test_a_score_that_stayed_is_said_to_have_stayed() -> None:
    assert change_sentence(Change(0.5, 0.5, (), 0.0), "the risk of leaving") == "The risk of leaving is what it was."
