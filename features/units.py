"""What the values of features are measured in, and how a person would write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = ["Unit", "format_value", "rounded"]

Unit = Literal[
    "days",
    "purchase days",
    "orders",
    "items",
    "pieces",
    "products",
    "categories",
    "channels",
    "refunds",
    "times",
    "count",
    "currency",
    "ratio",
    "share",
    "percent",
    "probability",
    "phase",
    "nats",
    "weekday",
    "hour",
    "month",
    "stage",
    "attribute",
]

# Nouns that are counted, and one of each. Purchase days are written as days: the sentence around says what was done on
# them.
_NOUNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "days": ("day", "days"),
        "purchase days": ("day", "days"),
        "orders": ("order", "orders"),
        "items": ("item", "items"),
        "pieces": ("piece", "pieces"),
        "products": ("product", "products"),
        "categories": ("category", "categories"),
        "channels": ("channel", "channels"),
        "refunds": ("refund", "refunds"),
        "times": ("time", "times"),
    }
)

_FREQUENTLY = {1.0: "once", 2.0: "twice"}

# Values that stand for words: the first of each, and all of them.
_WORDS: Mapping[str, tuple[int, tuple[str, ...]]] = MappingProxyType(
    {
        "weekday": (0, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
        "month": (
            1,
            (
                *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
                *("November", "December"),
            ),
        ),
        "stage": (
            0,
            (
                "has been silent for more than three times the usual time between purchases",
                "is later than usual with the next purchase",
                "bought on one day only, at least 30 days ago",
                "made the first purchase within the last 30 days",
                "keeps buying at the usual pace",
            ),
        ),
    }
)

_TO_THE_HUNDREDTH = frozenset({"currency", "share", "percent", "probability", "phase", "nats"})
_WHOLE = frozenset({"days", "hour", *_WORDS})


def format_value(value: float, unit: Unit, currency: str) -> str:
    """Write a value as a person would.

    Parameters
    ----------
    value : float
        Finite.
    unit : Unit
    currency : str
        Put before amounts of money.

    Examples
    --------
    >>> format_value(1, "days", "USD"), format_value(12.4, "orders", "USD"), format_value(1234.5, "currency", "EUR")
    ('1 day', '12.4 orders', 'EUR 1,234.50')
    >>> format_value(-5, "currency", "EUR"), format_value(0.9999, "probability", "EUR"), format_value(2, "times", "EUR")
    ('minus EUR 5.00', 'more than 99%', 'twice')
    """
    written = rounded(value, unit)
    if unit == "currency":
        return f"{'minus ' if written < 0 else ''}{currency} {abs(written):,.2f}"
    if unit in _WORDS:
        first, words = _WORDS[unit]
        return words[min(max(int(written) - first, 0), len(words) - 1)]
    if unit in ("share", "percent"):
        return _percentage(value)
    if unit == "probability":
        return "less than 1%" if written < 0.01 else "more than 99%" if written > 0.99 else f"{written:.0%}"
    if unit == "attribute":
        return f"{written:.10g}"
    if unit == "hour":
        return f"{int(written)}:00"
    if unit == "phase":
        return f"{written:.2f}"
    if unit == "nats":
        return f"{math.exp(written):.1f} equally used channels"
    if unit == "ratio":
        return f"{written:,.1f}" if written < 100 else f"{written:,.0f}"
    number = f"{written:,.0f}" if written == round(written) else f"{written:,.1f}"
    if unit == "count":
        return number
    if unit == "times" and written in _FREQUENTLY:
        return _FREQUENTLY[written]
    one, several = _NOUNS[unit]
    return f"{number} {one if abs(written) == 1 else several}"


def rounded(value: float, unit: Unit) -> float:
    """Round a value to the digits with which it is written; never -0.

    Of an attribute nothing is known but its number, which stays as it is.
    """
    # To round what is whole, as most is, would take longer than all the rest.
    if unit == "attribute" or value == math.floor(value):
        return value + 0.0
    if unit in _TO_THE_HUNDREDTH:
        return round(value, 2) + 0.0
    return round(value, 0 if unit in _WHOLE or abs(value) >= 100 else 1) + 0.0


def _percentage(value: float) -> str:
    """Write a share of a whole: only none and all of it are written as such."""
    if 0 < value < 0.01:
        return "less than 1%"
    if 0.99 < value < 1:
        return "more than 99%"
    return f"{round(value, 2) + 0.0:,.0%}"
