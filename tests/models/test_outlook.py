"""What is expected of purchases, put together from the models: for whom, how surely, and in agreement with churn."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from features.build import FeatureFrame
from features.targets import CHURN
from features.windows import Snapshot
from models.btyd import ParetoModel
from models.bundle import Bundle
from models.clv import discounted_clv
from models.outlook import Correction, Outlook, PurchaseOutlook
from models.poisson_forecast import PoissonForecast
from models.predictive import IDENTITY, Recalibration
from models.purchase_model import PURCHASE_FEATURES, PurchaseModel
from models.purchase_timing import PURCHASE_DAYS
from models.scoring import Scores, score
from tests.shop import AS_OF, HORIZON_DAYS, shop_log, shop_training


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return shop_training().bundle


@pytest.fixture(scope="module")
def fitted(bundle: Bundle) -> PurchaseOutlook:
    assert bundle.outlook is not None
    return bundle.outlook


@pytest.fixture(scope="module")
def scores(bundle: Bundle) -> Scores:
    log = shop_log()
    return score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(AS_OF, log.calendar))


@pytest.fixture(scope="module")
def frame(scores: Scores) -> FeatureFrame:
    return scores.frame


@pytest.fixture(scope="module")
def outlook(scores: Scores) -> Outlook:
    return scores.outlook


def test_clv_is_that_of_the_formula_for_all_who_have_purchased(
    outlook: Outlook, fitted: PurchaseOutlook, frame: FeatureFrame
) -> None:
    rows = ~np.isnan(frame["frequency"])
    x, t_x, T, m = (frame[name][rows] for name in PURCHASE_FEATURES)
    by_hand = discounted_clv(
        fitted.purchases.btyd,
        fitted.purchases.gamma_gamma,
        frequency=x,
        recency=t_x,
        T=T,
        monetary_value=m,
        terms=fitted.terms,
    )
    np.testing.assert_allclose(outlook.clv[rows], by_hand, rtol=1e-12)


def test_nothing_is_expected_of_somebody_who_has_never_purchased(outlook: Outlook, frame: FeatureFrame) -> None:
    prospects = np.isnan(frame["frequency"])
    assert prospects.any()
    for field in fields(Outlook):
        assert np.isnan(getattr(outlook, field.name)[prospects]).all(), field.name


def test_reasons_of_clv_sum_to_it_with_the_clv_of_the_reference(outlook: Outlook, fitted: PurchaseOutlook) -> None:
    rows = ~np.isnan(outlook.clv)
    total = fitted.reference.clv + outlook.clv_contributions[rows].sum(axis=1)
    np.testing.assert_allclose(total, outlook.clv[rows], rtol=1e-9, atol=1e-9)


def test_intervals_are_in_order_and_surround_most_expectations(outlook: Outlook) -> None:
    rows = ~np.isnan(outlook.clv)
    for name in ("expected_purchases", "clv"):
        low, high = (getattr(outlook, f"{name}_{end}")[rows] for end in ("low", "high"))
        assert (low >= 0).all()
        assert (low <= high).all()
        # Where nearly nobody returns, both bounds are 0 and the expectation a little more.
        within = (low <= getattr(outlook, name)[rows]) & (getattr(outlook, name)[rows] <= high)
        assert within[high > 0].mean() > 0.95
    assert (outlook.expected_purchases_high[rows] == np.rint(outlook.expected_purchases_high[rows])).all()


def test_the_chance_of_a_purchase_within_the_horizon_is_what_churn_leaves(outlook: Outlook, scores: Scores) -> None:
    churn = scores.targets[CHURN]
    judged = churn.eligible
    assert np.isnan(outlook.purchase_within[~judged]).all()
    within = outlook.purchase_within[judged]
    np.testing.assert_allclose(
        within[:, PURCHASE_DAYS.index(HORIZON_DAYS)], 1 - churn.probability[judged], rtol=0, atol=1e-12
    )
    assert (np.diff(within, axis=1) >= 0).all()


def test_a_purchase_is_likely_from_the_day_on_which_its_chance_is_even(outlook: Outlook) -> None:
    even = outlook.purchase_within >= 0.5
    for column, days in enumerate(PURCHASE_DAYS):
        known = ~np.isnan(outlook.purchase_within[:, column])
        by_then = outlook.purchase_likely_in_days[known] <= days
        np.testing.assert_array_equal(by_then, even[known, column])


def test_without_churn_there_are_no_chances_and_all_else_is_the_same(
    outlook: Outlook, fitted: PurchaseOutlook, frame: FeatureFrame
) -> None:
    alone = fitted.of(frame)
    assert np.isnan(alone.purchase_within).all()
    assert np.isnan(alone.purchase_likely_in_days).all()
    for field in fields(Outlook):
        if not field.name.startswith("purchase_"):
            assert getattr(alone, field.name).tobytes() == getattr(outlook, field.name).tobytes(), field.name


def test_one_customer_alone_has_the_very_numbers_that_the_batch_gives(bundle: Bundle, outlook: Outlook) -> None:
    log = shop_log()
    for row in (0, 17, 500, 1_203):
        alone = score(
            bundle, bundle.policy, bundle.cutoffs, log.take([row]), {}, Snapshot.at(AS_OF, log.calendar)
        ).outlook
        for field in fields(Outlook):
            expected = getattr(outlook, field.name)[row]
            assert getattr(alone, field.name)[0].tobytes() == expected.tobytes(), (row, field.name)


def test_trees_that_correct_the_forecast_move_it_and_its_interval_but_not_clv(
    fitted: PurchaseOutlook, frame: FeatureFrame, outlook: Outlook
) -> None:
    rows = ~np.isnan(frame["frequency"])
    names = ("frequency", "days_since_last_purchase")
    expected = frame["expected_purchases"][rows]
    correction = PoissonForecast(seed=0, num_threads=1).fit(
        frame.select(names)[rows], np.rint(3 * expected + 1), expected, feature_names=names
    )
    corrected = replace(fitted, correction=Correction(correction, IDENTITY))
    assert corrected.feature_names == names
    found = corrected.of(frame)
    np.testing.assert_array_equal(
        found.expected_purchases[rows], correction.predict(frame.select(names)[rows], expected)
    )
    # The level stays that of the purchase model; what moves is how it is shared out.
    assert found.expected_purchases[rows].sum() == pytest.approx(outlook.expected_purchases[rows].sum(), rel=0.1)
    up = found.expected_purchases[rows] > outlook.expected_purchases[rows]
    assert 0.05 < up.mean() < 0.95
    assert (found.expected_purchases_high[rows] >= outlook.expected_purchases_high[rows])[up].all()
    assert (found.expected_purchases_high[rows] <= outlook.expected_purchases_high[rows])[~up].all()
    assert found.clv.tobytes() == outlook.clv.tobytes()
    assert found.clv_high.tobytes() == outlook.clv_high.tobytes()


def test_whatever_a_bundle_keeps_of_it_reads_back_as_the_same(fitted: PurchaseOutlook, frame: FeatureFrame) -> None:
    rows = ~np.isnan(frame["frequency"])
    correction = PoissonForecast(seed=0, num_threads=1).fit(
        frame.select(("frequency",))[rows],
        np.ones(rows.sum()),
        frame["expected_purchases"][rows],
        feature_names=("frequency",),
    )
    other = PurchaseModel.fit(frame, ParetoModel)
    changed = replace(
        fitted,
        purchases=other,
        recalibration=Recalibration.fit(np.array([0.1, 0.4, 0.6]), np.array([0.3, 0.7, 0.9])),
        correction=Correction(correction, Recalibration(0.1, 1.2)),
    )
    for one in (fitted, changed):
        assert PurchaseOutlook.from_files(one.to_files()).to_files() == one.to_files()
