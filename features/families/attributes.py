"""What was learnt of customers themselves: the same feature of every attribute, by a rule.

A number is itself, a category the code that the `Reference` gives it, and a date the days from it to the snapshot.
"""

from __future__ import annotations

from functools import lru_cache

from features.attributes import AttributeKind
from features.feature import Feature
from features.slug import DAYS_SINCE, attribute_feature_name

__all__ = ["attribute_feature", "attribute_feature_of"]

_PREFIX = attribute_feature_name("")


def attribute_feature_of(name: str, kind: AttributeKind) -> Feature:
    """Return the feature of an attribute.

    Parameters
    ----------
    name : str
        As the business has it.
    kind : {"number", "category", "date"}

    Examples
    --------
    >>> attribute_feature_of("Monthly charges", "number").name, attribute_feature_of("renewal", "date").name
    ('attribute.Monthly_charges', 'attribute.renewal.days_since')
    """
    feature_name = attribute_feature_name(name)
    return _date(feature_name) if kind == "date" else _value(feature_name, kind == "category")


def attribute_feature(name: str) -> Feature | None:
    """Return the feature with a name, as far as the name alone tells; None if it is not that of an attribute.

    Whether it is a number or a category is not in its name, and makes no difference to what is told of it.

    Examples
    --------
    >>> attribute_feature("attribute.Contract").tell("Month-to-month", "USD"), attribute_feature("frequency")
    ('Contract is Month-to-month', None)
    >>> attribute_feature("attribute.renewal_date.days_since").tell(-12.0, "USD")
    'renewal_date is in 12 days'
    """
    shown = name.removeprefix(_PREFIX)
    if not shown or shown == name or attribute_feature_name(shown) != name:
        return None
    return _date(name.removesuffix(DAYS_SINCE)) if _is_date(shown) else _value(name, is_category=False)


def _is_date(shown: str) -> bool:
    return shown.endswith(DAYS_SINCE) and shown != DAYS_SINCE


@lru_cache(maxsize=4_096)
def _value(name: str, is_category: bool) -> Feature:
    shown = name.removeprefix(_PREFIX)
    return Feature(
        name=name,
        unit="attribute",
        driver="attributes",
        description=f"{shown}, as last learnt before the snapshot.",
        clause=f"{shown} is {{value}}",
        clause_if_missing=f"no common value of {shown} is known",
        needs=name,
        categorical=is_category,
    )


@lru_cache(maxsize=4_096)
def _date(name: str) -> Feature:
    shown = name.removeprefix(_PREFIX)
    return Feature(
        name=f"{name}{DAYS_SINCE}",
        unit="days",
        driver="attributes",
        description=f"Days from {shown}, as last learnt before the snapshot, to the last day observed; negative ahead.",
        clause=f"{shown} was {{value}} ago",
        clause_at_zero=f"{shown} is today",
        clause_below_zero=f"{shown} is in {{value}}",
        clause_if_missing=f"{shown} is not known",
        needs=name,
    )
