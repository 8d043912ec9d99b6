"""Which features a target is known to rise or fall with."""

from __future__ import annotations

import pytest

from features.catalogue import CATALOGUE
from features.targets import Kind, Target
from training.monotone import monotone_directions

DECLARED = {
    "days_since_last_purchase": "falls",
    "expected_purchases": "rises",
    "orders_90d": "rises",
    "purchase_days_7d": "rises",
    "purchase_days_30d": "rises",
    "purchase_days_90d": "rises",
}


def test_the_catalogue_declares_the_few_features_of_which_common_sense_is_sure() -> None:
    assert {name: feature.purchase_chance for name, feature in CATALOGUE.items() if feature.purchase_chance} == DECLARED


def test_nothing_is_declared_of_frequency_in_the_long_run_since_frequent_buyers_are_gone_sooner() -> None:
    # Fader, Hardie & Lee 2005, the paradox of increasing frequency; and p_alive is 1 for all one-time buyers.
    for name in ("frequency", "orders", "purchase_days_365d", "purchase_days_per_30d", "silence_ratio", "p_alive"):
        assert CATALOGUE[name].purchase_chance is None


def test_churn_by_inactivity_goes_against_a_purchase_and_the_propensity_to_buy_with_it() -> None:
    names = (*CATALOGUE, "attribute.plan", "unknown")
    churn = monotone_directions(Target(name="churn", kind="inactivity"), names)
    buys = monotone_directions(Target(name="visit", kind="purchase"), names)
    assert churn == {name: 1 if chance == "falls" else -1 for name, chance in DECLARED.items()}
    assert buys == {name: -direction for name, direction in churn.items()}


@pytest.mark.parametrize("kind", ["label", "upsell", "new_category"])
def test_of_other_targets_nothing_is_known_beforehand(kind: Kind) -> None:
    assert monotone_directions(Target(name="other", kind=kind), tuple(CATALOGUE)) == {}
