"""What the catalogue has, what it makes by rule, and what of it a business gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeVar

import pytest

from features.build import PURCHASES
from features.catalogue import CATALOGUE, features_for, find_feature
from features.families.events import WELL_KNOWN, event_features
from features.reference import NOTHING, AttributeReference, Reference
from features.slug import slug

_T = TypeVar("_T")
_ALL_KINDS = {
    *("purchases", "lines", "categories", "discounts", "prices", "channels", "hours", "refunds", "events"),
    *(f"event.{family}" for family in WELL_KNOWN),
}
_EVERYTHING = Reference(
    first_days=dict.fromkeys((*_ALL_KINDS, "event.newsletter_signup", "event.complaint_received"), 0),
    event_names={
        "newsletter_signup": "Newsletter Signup",
        "email_sent": "Email Sent",
        "complaint_received": "Complaint: received",
    },
    attributes={
        "tenure": AttributeReference("number"),
        "Contract type": AttributeReference("category", ("Monthly", "Yearly")),
        "renewal": AttributeReference("date"),
    },
)


def test_at_least_a_hundred_features_are_declared_each_name_once_and_fit_for_lightgbm() -> None:
    assert len(CATALOGUE) >= 100
    for name, feature in CATALOGUE.items():
        assert name == feature.name
        assert re.fullmatch(r"[A-Za-z0-9_.]+", name)


def test_every_feature_needs_a_kind_of_data_that_the_reference_knows() -> None:
    assert {feature.needs for feature in CATALOGUE.values()} <= {*_ALL_KINDS, "btyd"}
    assert {key for feature in CATALOGUE.values() for key in feature.gates} <= _ALL_KINDS


def test_every_well_known_family_goes_by_its_own_slug_and_has_all_features_of_the_rule() -> None:
    for family in WELL_KNOWN:
        assert slug(family) == family
        assert [find_feature(feature.name) for feature in event_features(family)] == list(event_features(family))


def test_a_business_with_purchases_alone_gets_what_comes_from_purchases_and_the_purchase_model() -> None:
    assert {feature.needs for feature in features_for(NOTHING)} == {"purchases", "btyd"}
    assert [feature for feature in features_for(NOTHING) if feature.source == "log"] == list(PURCHASES.features)


def test_a_business_with_everything_gets_the_whole_catalogue_then_other_events_then_attributes_by_name() -> None:
    names = [feature.name for feature in features_for(_EVERYTHING)]
    assert names[: len(CATALOGUE)] == list(CATALOGUE)
    assert names[len(CATALOGUE) :] == [
        *(feature.name for feature in event_features("complaint_received")),
        *(feature.name for feature in event_features("newsletter_signup")),
        *("attribute.Contract_type", "attribute.renewal.days_since", "attribute.tenure"),
    ]
    assert {feature.name for feature in features_for(_EVERYTHING) if feature.categorical} == {"attribute.Contract_type"}


def test_a_business_without_purchases_gets_its_attributes_only() -> None:
    of_attributes = Reference(first_days={}, attributes=_EVERYTHING.attributes)
    assert {feature.driver for feature in features_for(of_attributes)} == {"attributes"}


@pytest.mark.parametrize(
    ("kinds", "there", "not_there"),
    [
        (("purchases", "lines"), "lines_per_order", "discount_share"),
        (("events", "event.email_sent"), "event.email_sent.count_30d", "sent_to_opened_90d"),
        (("events", "event.email_sent", "event.email_opened"), "sent_to_opened_90d", "opened_to_clicked_90d"),
        (("events", "event.product_added"), "event.product_added.days_90d", "cart_to_order_90d"),
        (("purchases", "event.product_added"), "cart_to_order_90d", "cart_to_checkout_90d"),
    ],
)
def test_a_family_appears_when_its_data_does(kinds: tuple[str, ...], there: str, not_there: str) -> None:
    names = {feature.name for feature in features_for(Reference(first_days=dict.fromkeys(kinds, 0)))}
    assert there in names
    assert not_there not in names


def _turned(mapping: Mapping[str, _T]) -> dict[str, _T]:
    return dict(reversed(list(mapping.items())))


def test_the_order_of_features_does_not_depend_on_that_of_the_reference() -> None:
    turned = Reference(
        first_days=_turned(_EVERYTHING.first_days),
        event_names=_turned(_EVERYTHING.event_names),
        attributes=_turned(_EVERYTHING.attributes),
    )
    assert features_for(turned) == features_for(_EVERYTHING)


def test_whatever_a_business_gets_is_found_again_by_its_name_alone() -> None:
    for feature in features_for(_EVERYTHING):
        found = find_feature(feature.name)
        assert found is not None
        assert found.name == feature.name
        assert found.definition_hash == feature.definition_hash
        assert (found.driver, found.unit, found.clause) == (feature.driver, feature.unit, feature.clause)


@pytest.mark.parametrize(
    "name",
    [
        *("", "nonsense", "event", "event.", "event..count_30d", "event.visit", "event.visit.count_31d"),
        *("event.Visit.count_30d", "event.a b.count_30d", "event.visit_.count_30d", "event.visit.count_30d.x"),
        *("attribute", "attribute.", "attribute.a b", "attribute.{0}", 'attribute.a"b'),
    ],
)
def test_what_no_rule_makes_is_not_found(name: str) -> None:
    assert find_feature(name) is None


@pytest.mark.parametrize(
    ("family", "driver"),
    [
        ("newsletter_signup", "engagement"),
        ("support_ticket_closed", "service"),
        ("complaint", "service"),
        ("item_returned", "service"),
        ("voucher_printed", "price"),
        ("session_started", "engagement"),
        ("coupon_redeemed", "price"),
    ],
)
def test_an_event_stands_under_the_driver_that_its_name_speaks_of(family: str, driver: str) -> None:
    assert {feature.driver for feature in event_features(family)} == {driver}


def test_windows_of_a_family_are_told_apart_in_name_words_and_hash() -> None:
    for one, other in pairwise(event_features("newsletter_signup")):
        assert one.name != other.name
        assert one.clause != other.clause
        assert one.definition_hash != other.definition_hash
