"""THE list of features. To add one, add one value to a file of `features/families`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from features.aggregate import Measure
from features.families import (
    activity,
    basket,
    btyd,
    channels,
    events,
    lifecycle,
    price,
    purchases,
    refunds,
    rhythm,
    season,
    trends,
)
from features.families.attributes import attribute_feature, attribute_feature_of
from features.families.events import WELL_KNOWN, event_feature, event_features
from features.families.purchases import WINDOWS
from features.feature import Feature
from features.reference import Reference

__all__ = ["CATALOGUE", "WINDOWS", "features_for", "find_feature"]

_PURCHASES = "purchases"

_FAMILIES = (
    purchases,
    rhythm,
    trends,
    lifecycle,
    season,
    basket,
    price,
    refunds,
    activity,
    events,
    channels,
    btyd,
)

CATALOGUE: Mapping[str, Feature] = MappingProxyType(
    {feature.name: feature for family in _FAMILIES for feature in family.FEATURES}
)


def find_feature(name: str) -> Feature | None:
    """Return the feature with a name: one declared here, or one made by rule of an event or an attribute.

    Parameters
    ----------
    name : str

    Returns
    -------
    Feature or None
        None if no feature can have this name. Whether any business has the event or attribute is not asked.

    Examples
    --------
    >>> find_feature("frequency").unit, find_feature("event.newsletter_signup.days_since").unit
    ('purchase days', 'days')
    >>> find_feature("event.newsletter_signup.median") is None
    True
    """
    return CATALOGUE.get(name) or event_feature(name) or attribute_feature(name)


def features_for(reference: Reference) -> tuple[Feature, ...]:
    """Return all features that a business has the data for.

    Parameters
    ----------
    reference : Reference
        Says which data that is.

    Returns
    -------
    tuple of Feature
        Declared ones first, those of the purchase model among them if there are purchases; then those of other events
        and of attributes, by name. Each name once.
    """
    found = {feature.name: feature for feature in (*_declared(reference), *_by_rule(reference))}
    return tuple(found.values())


def _declared(reference: Reference) -> Iterator[Feature]:
    for feature in CATALOGUE.values():
        needed = feature.gates or (_PURCHASES,)
        # What is divided by purchases would be nothing but zeros without any.
        if any(a.measure is Measure.PURCHASE_DAYS for a in feature.inputs):
            needed = (*needed, _PURCHASES)
        if all(key in reference.first_days for key in needed):
            yield feature


def _by_rule(reference: Reference) -> Iterator[Feature]:
    for family in sorted(reference.event_names):
        if family not in WELL_KNOWN:
            yield from event_features(family)
    for name in sorted(reference.attributes):
        yield attribute_feature_of(name, reference.attributes[name].kind)
