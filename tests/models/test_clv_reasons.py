"""Reasons of clv: the typical customer, and amounts that sum to each customer's own clv."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from features.build import build_features
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd import BetaGeoModel, GammaGammaModel
from models.clv import DEFAULT_TERMS, ClvTerms, discounted_clv
from models.clv_reasons import CLV_INPUTS, ClvReference, clv_reasons
from models.exceptions import InputError
from models.purchase_model import PurchaseModel
from tests.data.cdnow import END_DAY, cdnow_log

PURCHASES = PurchaseModel(
    BetaGeoModel.from_params(r=0.243, alpha=30.9, a=0.793, b=2.426),
    GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44),
)
COLUMNS = {
    "frequency": np.array([0.0, 2.0, 7.0, 3.0, 0.0]),
    "recency": np.array([0.0, 60.0, 200.0, 150.0, 0.0]),
    "T": np.array([90.0, 100.0, 212.0, 190.0, 5.0]),
    "monetary_value": np.array([np.nan, 22.35, 52.4, 30.0, np.nan]),
}


@pytest.fixture(scope="module")
def reference() -> ClvReference:
    return ClvReference.typical(PURCHASES, DEFAULT_TERMS, **COLUMNS)


def test_the_typical_customer_has_the_median_of_each_input(reference: ClvReference) -> None:
    assert reference.name == "the typical active customer"
    assert (reference.frequency, reference.recency, reference.days_since_last_purchase) == (2, 60, 40)
    assert reference.monetary_value == 30.0
    assert reference.mean_value == PURCHASES.gamma_gamma.population_mean()


def test_its_clv_is_that_of_the_models(reference: ClvReference) -> None:
    clv = discounted_clv(
        PURCHASES.btyd, PURCHASES.gamma_gamma, frequency=2, recency=60, T=100, monetary_value=30.0, terms=DEFAULT_TERMS
    )
    assert reference.clv == pytest.approx(clv[0], rel=1e-14)


def test_of_an_even_number_the_lower_median_is_taken_which_is_a_whole_number_of_purchases() -> None:
    columns = {name: column[:4] for name, column in COLUMNS.items()}
    assert ClvReference.typical(PURCHASES, DEFAULT_TERMS, **columns).frequency == 2


def test_where_half_have_bought_once_so_has_the_typical_customer() -> None:
    columns = {name: column[[0, 1, 4, 3]] for name, column in COLUMNS.items()}
    reference = ClvReference.typical(PURCHASES, DEFAULT_TERMS, **columns)
    assert (reference.frequency, reference.recency, reference.monetary_value) == (0, 0, None)
    assert reference.phrase("EUR") == "the typical active customer, who bought on one day only, 40 days ago"
    assert ClvReference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_the_reference_and_the_contributions_sum_to_each_clv(reference: ClvReference) -> None:
    reasons = clv_reasons(PURCHASES, DEFAULT_TERMS, **COLUMNS, reference=reference)
    clv = discounted_clv(PURCHASES.btyd, PURCHASES.gamma_gamma, **COLUMNS, terms=DEFAULT_TERMS)
    np.testing.assert_allclose(reasons.clv, clv, rtol=1e-14)
    np.testing.assert_allclose(reference.clv + reasons.contributions.sum(axis=1), clv, rtol=1e-9)
    assert reasons.inputs[2].tolist() == [7.0, 200.0, 12.0, 52.4]
    assert np.isnan(reasons.inputs[[0, 4], CLV_INPUTS.index("monetary_value")]).all()


def test_on_cdnow_every_clv_is_the_reference_and_its_reasons_within_1e_9() -> None:
    log = cdnow_log("cdnow_sample.parquet")
    rfm = Rfm.of(build_features(log, Snapshot.at_midnight(END_DAY, log.calendar)))
    columns = {name: getattr(rfm, name) for name in COLUMNS}
    purchases = PurchaseModel(
        BetaGeoModel.from_params(r=0.272, alpha=41.6, a=0.463, b=1.92),
        GammaGammaModel.from_params(p=5.02, q=3.92, v=21.2),
    )
    active = rfm.T - rfm.recency < 180
    reference = ClvReference.typical(
        purchases, DEFAULT_TERMS, **{name: column[active] for name, column in columns.items()}
    )
    reasons = clv_reasons(purchases, DEFAULT_TERMS, **columns, reference=reference)
    clv = discounted_clv(purchases.btyd, purchases.gamma_gamma, **columns, terms=DEFAULT_TERMS)
    error = np.abs(reference.clv + reasons.contributions.sum(axis=1) - clv)
    assert (error <= 1e-9 * np.maximum(clv, reference.clv)).all()
    # With all other inputs as they are, a longer silence never adds.
    silence = CLV_INPUTS.index("days_since_last_purchase")
    longer = reasons.inputs[:, silence] > reference.days_since_last_purchase
    assert (reasons.contributions[longer, silence] <= 0).all()


def test_a_customer_alone_gets_the_very_numbers_of_the_batch(reference: ClvReference) -> None:
    batch = clv_reasons(PURCHASES, DEFAULT_TERMS, **COLUMNS, reference=reference)
    for row in range(5):
        one = {name: column[row] for name, column in COLUMNS.items()}
        alone = clv_reasons(PURCHASES, DEFAULT_TERMS, **one, reference=reference)
        assert alone.contributions.tolist() == [batch.contributions[row].tolist()]
        assert alone.clv[0] == batch.clv[row]


def test_nobody_has_no_reasons(reference: ClvReference) -> None:
    nobody = {name: column[:0] for name, column in COLUMNS.items()}
    assert clv_reasons(PURCHASES, DEFAULT_TERMS, **nobody, reference=reference).contributions.shape == (0, 4)


def test_without_anybody_nobody_is_typical() -> None:
    with pytest.raises(InputError, match="at least one active customer"):
        ClvReference.typical(PURCHASES, DEFAULT_TERMS, **{name: column[:0] for name, column in COLUMNS.items()})


def test_a_reference_of_other_terms_is_refused(reference: ClvReference) -> None:
    with pytest.raises(InputError, match="expected a reference made with these models and terms"):
        clv_reasons(PURCHASES, ClvTerms(margin=0.5), **COLUMNS, reference=reference)


def test_a_reference_goes_through_json_and_back(reference: ClvReference) -> None:
    assert ClvReference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_a_damaged_reference_is_refused(reference: ClvReference) -> None:
    with pytest.raises(InputError, match="expected a reference customer's"):
        ClvReference.from_dict({"name": "nobody"})
    with pytest.raises(InputError, match="recency: expected values above 0"):
        ClvReference.from_dict(reference.to_dict() | {"recency": 0.0})
    with pytest.raises(InputError, match="monetary_value: expected finite values"):
        replace(reference, monetary_value=None)
