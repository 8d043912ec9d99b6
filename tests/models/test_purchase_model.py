"""The pair of purchase models over feature frames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.build import FeatureFrame, build_features
from features.catalogue import CATALOGUE
from features.windows import Snapshot
from models.exceptions import ModelError
from models.purchase_model import BTYD_FEATURES, PURCHASE_FEATURES, PurchaseModel
from tests.shop import AS_OF, PROSPECTS, Row, shop_log, shop_training, to_log


@pytest.fixture(scope="module")
def frame() -> FeatureFrame:
    log = shop_log()
    return build_features(log, Snapshot.at(AS_OF, log.calendar))


@pytest.fixture(scope="module")
def model(frame: FeatureFrame) -> PurchaseModel:
    return PurchaseModel.fit(frame)


def _one(rows: list[Row]) -> FeatureFrame:
    log = to_log(rows)
    return build_features(log, Snapshot.at(AS_OF, log.calendar))


def test_it_is_fitted_on_customers_who_have_purchased(model: PurchaseModel, frame: FeatureFrame) -> None:
    purchased = ~np.isnan(frame["frequency"])
    assert model.btyd.n_customers_ == purchased.sum() == len(frame.customer_ids) - len(PROSPECTS)


def test_it_is_the_model_of_the_bundle(model: PurchaseModel) -> None:
    of_bundle = shop_training().bundle.purchases
    assert of_bundle is not None
    assert model.btyd.to_dict() == of_bundle.btyd.to_dict()
    assert model.gamma_gamma.to_dict() == of_bundle.gamma_gamma.to_dict()


def test_the_features_are_what_the_models_say_of_each_purchaser(model: PurchaseModel, frame: FeatureFrame) -> None:
    added = model.add_features(frame, 90)
    rows = ~np.isnan(frame["frequency"])
    x, t_x, T, m = (frame[name][rows] for name in PURCHASE_FEATURES)
    expected = (
        model.btyd.p_alive(x, t_x, T),
        model.btyd.expected_purchases(90, x, t_x, T),
        model.gamma_gamma.expected_average_value(x, m),
    )
    for name, column in zip(BTYD_FEATURES, expected, strict=True):
        np.testing.assert_array_equal(added[name][rows], column)
        assert np.isnan(added[name][~rows]).all()
    assert added.select(frame.names).tobytes() == frame.values.tobytes()


def test_the_catalogue_declares_what_it_reads_and_gives() -> None:
    assert {CATALOGUE[name].needs for name in PURCHASE_FEATURES} == {"purchases"}
    assert tuple(name for name, feature in CATALOGUE.items() if feature.source == "btyd") == BTYD_FEATURES


def test_repeat_purchases_refunded_to_a_rounding_residue_below_nothing_are_worth_nothing(model: PurchaseModel) -> None:
    frame = _one([Row("a", AS_OF - timedelta(days=age), 10.0) for age in (300, 200, 100)])
    column = frame.names.index("monetary_value")
    amounts = []
    for residue in (0.0, -1e-14):
        values = frame.values.copy()
        values[:, column] = residue
        found = FeatureFrame(frame.customer_ids, frame.features, values)
        amounts.append(model.add_features(found, 90)["expected_average_value"])
    np.testing.assert_array_equal(amounts[1], amounts[0])
    assert np.isfinite(amounts[1]).all()


def test_without_a_single_purchase_there_is_nothing_to_fit() -> None:
    with pytest.raises(ModelError, match="customer"):
        PurchaseModel.fit(_one([Row("a", datetime(2024, 1, 1, tzinfo=UTC), None, "Session Started")]))
