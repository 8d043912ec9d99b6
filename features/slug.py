"""Names that a business gives, as parts of names of features."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby

__all__ = ["DAYS_SINCE", "attribute_feature_name", "attribute_slug", "slug"]

# Dates are told otherwise than numbers, and whoever tells of one may know no more than its name.
DAYS_SINCE = ".days_since"

# What LightGBM and shells stumble over.
_AWKWARD = re.compile(r'[\s",:\[\]{}]')


@lru_cache(maxsize=65_536)
def slug(name: str) -> str:
    """Write the name of an event in lower case, with one `_` between runs of letters and digits.

    Events whose names differ only in this are one family.

    Examples
    --------
    >>> slug("Product Viewed"), slug("product_viewed"), slug(" E-Mail: opened! "), slug("Größe 42"), slug("?!")
    ('product_viewed', 'product_viewed', 'e_mail_opened', 'größe_42', '')
    """
    runs = groupby(name.lower(), key=str.isalnum)
    return "_".join("".join(run) for is_alphanumeric, run in runs if is_alphanumeric)


def attribute_slug(name: str) -> str:
    """Write the name of an attribute with `_` for white space and what else is awkward in a feature's name.

    Examples
    --------
    >>> attribute_slug("Contract"), attribute_slug("Monthly charges: [EUR]")
    ('Contract', 'Monthly_charges___EUR_')
    """
    return _AWKWARD.sub("_", name)


def attribute_feature_name(name: str, *, is_date: bool = False) -> str:
    """Return the name of the feature that an attribute is.

    Examples
    --------
    >>> attribute_feature_name("Monthly charges"), attribute_feature_name("renewal", is_date=True)
    ('attribute.Monthly_charges', 'attribute.renewal.days_since')
    """
    return f"attribute.{attribute_slug(name)}{DAYS_SINCE if is_date else ''}"
