"""What common sense knows beforehand of a target: the features with which it may only rise, or only fall."""

from __future__ import annotations

from collections.abc import Sequence

from features.catalogue import find_feature
from features.targets import Target

__all__ = ["monotone_directions"]

# What the chance of a purchase does, these do likewise (1) or the reverse (-1). Of what a label, an event or a larger
# order has to do with it, nothing is known beforehand.
_LIKE_A_PURCHASE = {"purchase": 1, "inactivity": -1}
_SIGN = {"rises": 1, "falls": -1}


def monotone_directions(target: Target, features: Sequence[str]) -> dict[str, int]:
    """Return those of some features with which the target rises (1) or falls (-1), all else equal.

    Parameters
    ----------
    target : Target
    features : sequence of str
        Names of features.

    Examples
    --------
    >>> churn = Target(name="churn", kind="inactivity")
    >>> monotone_directions(churn, ("T", "days_since_last_purchase", "purchase_days_30d"))
    {'days_since_last_purchase': 1, 'purchase_days_30d': -1}
    """
    likewise = _LIKE_A_PURCHASE.get(target.kind)
    if likewise is None:
        return {}
    found = {name: feature.purchase_chance for name in features if (feature := find_feature(name)) is not None}
    return {name: likewise * _SIGN[chance] for name, chance in found.items() if chance is not None}
