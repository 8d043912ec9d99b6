"""What of the whole business one customer is measured against: fitted once, kept with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.attribute_reference import AttributeReference, find_attributes
from features.attributes import Attributes
from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND, EventLog
from features.line_log import STILL_HOLDS, LineLog
from features.slug import slug
from features.windows import Snapshot

__all__ = ["MAX_EVENT_NAMES", "NOTHING", "AttributeReference", "Reference"]

MAX_EVENT_NAMES = 40

_ALWAYS = -1_000_000  # a day before everything


@dataclass(frozen=True, slots=True)
class Reference:
    """What a business has, and since when; what is usual there.

    Attributes
    ----------
    first_days : mapping of str to int
        Local day since 1970-01-01 on which each kind of data begins: "purchases", "lines", "categories", "discounts",
        "prices" (of a piece, by category), "channels", "hours" (orders told to the hour: any not at local midnight),
        "refunds", "events" (any but orders and refunds), and "event.<slug>" for each name of event. A kind that the
        business does not have is not in it.
    event_names : mapping of slug to str
        A name as sent, the first in code-point order of those with this slug.
    unit_prices : mapping of category to float
        Median price of a piece in each category, on the coarsest level.
    attributes : mapping of name to AttributeReference
    left_out : tuple of str
        Events and attributes that were not taken up, and why.
    """

    first_days: Mapping[str, int]
    event_names: Mapping[str, str] = field(default_factory=dict)
    unit_prices: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, AttributeReference] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, log: EventLog, snapshot: Snapshot) -> Self:
        """Look at what a business had before a snapshot; what came later changes nothing.

        Of events that are neither orders nor refunds the 40 most frequent families are taken up, ties by name; of
        attributes what `find_attributes` finds.
        """
        known = log.before(snapshot.as_of)
        events, events_left_out = _find_events(known)
        attributes, attributes_left_out = find_attributes(known.attributes, snapshot.as_of)
        category, names = known.lines.level(None)
        price = _unit_prices(known.lines, category)
        return cls(
            first_days={
                **_first_days(known, category, price),
                **{f"event.{family}": event.first_day for family, event in events.items()},
            },
            event_names={family: event.name for family, event in events.items()},
            unit_prices=_medians(price, category, names),
            attributes=attributes,
            left_out=(*events_left_out, *attributes_left_out),
        )

    def attribute(self, attributes: Attributes, name: str, as_of: int) -> NDArray[np.float64]:
        """Return an attribute of each customer as last learnt before an instant.

        Parameters
        ----------
        attributes : Attributes
        name : str
            One of `self.attributes`.
        as_of : int
            Microseconds since 1970-01-01 UTC.

        Returns
        -------
        float64, length n_customers
            As `AttributeReference.read` gives it; NaN throughout if nobody has the attribute.
        """
        column = attributes.columns.get(name)
        if column is None:
            return np.full(attributes.n_customers, np.nan)
        return self.attributes[name].read(column, as_of)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values, the same for equal references."""
        return {
            "first_days": dict(sorted(self.first_days.items())),
            "event_names": dict(sorted(self.event_names.items())),
            "unit_prices": dict(sorted(self.unit_prices.items())),
            "attributes": {
                name: {"kind": attribute.kind, "categories": list(attribute.categories)}
                for name, attribute in sorted(self.attributes.items())
            },
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make it again from what `to_dict` returned."""
        return cls(
            first_days=dict(data["first_days"]),
            event_names=dict(data["event_names"]),
            unit_prices=dict(data["unit_prices"]),
            attributes={
                name: AttributeReference(attribute["kind"], tuple(attribute["categories"]))
                for name, attribute in data["attributes"].items()
            },
            left_out=tuple(data["left_out"]),
        )


# A business of which only purchases are known, and those always.
NOTHING = Reference(first_days={"purchases": _ALWAYS})


class _Family(NamedTuple):
    """Events whose names have one slug."""

    n_events: int
    first_day: int
    name: str


def _find_events(log: EventLog) -> tuple[dict[str, _Family], list[str]]:
    """Return the families to take up, most frequent first, and what is left out and why."""
    is_event = log.kind == OTHER
    code, day = log.event_type[is_event], log.day[is_event]
    n_events = np.bincount(code, minlength=len(log.event_types)).tolist()
    first_days = np.full(len(log.event_types), np.iinfo(np.int32).max, dtype=np.int32)
    np.minimum.at(first_days, code, day)

    families: dict[str, _Family] = {}
    left_out: list[str] = []
    # Names ascend, so that the first of a family is met first.
    for name, n, first_day in zip(log.event_types, n_events, first_days.tolist(), strict=True):
        family = slug(name)
        if n and not family:
            left_out.append(f"event {name}: its name has no letter and no digit")
        elif n:
            others = families.get(family, _Family(0, first_day, name))
            families[family] = _Family(others.n_events + n, min(others.first_day, first_day), others.name)
    ranked = sorted(families.items(), key=lambda item: (-item[1].n_events, item[0]))
    left_out += [
        f"event {family.name}: not among the {MAX_EVENT_NAMES} most frequent" for _, family in ranked[MAX_EVENT_NAMES:]
    ]
    return dict(ranked[:MAX_EVENT_NAMES]), left_out


def _first_days(log: EventLog, category: NDArray[np.int32], price: NDArray[np.float64]) -> dict[str, int]:
    lines, is_order = log.lines, log.kind == ORDER
    days = {
        "purchases": log.day[is_order],
        "lines": lines.day,
        "categories": lines.day[category >= 0],
        "discounts": lines.day[~np.isnan(lines.discount)],
        "prices": lines.day[~np.isnan(price)],
        "channels": log.day[log.channel >= 0],
        "hours": log.day[is_order & ~_at_midnight(log)],
        "refunds": log.day[_is_refund(log)],
        "events": log.day[log.kind == OTHER],
    }
    return {kind: int(some.min()) for kind, some in days.items() if some.size}


def _at_midnight(log: EventLog) -> NDArray[np.bool_]:
    """Whether each entry is told at the instant at which its day begins, as dates without a time are."""
    days, position = np.unique(log.day, return_inverse=True)
    midnights = np.array([log.calendar.midnight(day) for day in days.tolist()], dtype=np.int64)
    at_midnight: NDArray[np.bool_] = log.occurred_at == midnights[position]
    return at_midnight


def _is_refund(log: EventLog) -> NDArray[np.bool_]:
    is_refund: NDArray[np.bool_] = log.kind == UNMATCHED_REFUND
    adjustments = np.flatnonzero(log.kind == ADJUSTMENT)
    begins = log.offsets[np.searchsorted(log.offsets, adjustments, side="right") - 1]
    # A late line is an event of the same name as its order.
    is_refund[adjustments] = log.event_type[adjustments] != log.event_type[begins + log.order[adjustments]]
    return is_refund


def _unit_prices(lines: LineLog, category: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the price of a piece of each line; NaN where that, or the category, is unknown."""
    has_price = (category >= 0) & (lines.value > 0.0) & (lines.quantity > 0.0) & (lines.until == STILL_HOLDS)
    price = np.full(len(lines.value), np.nan)
    np.divide(lines.value, lines.quantity, out=price, where=has_price)
    return price


def _medians(price: NDArray[np.float64], category: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, float]:
    known = ~np.isnan(price)
    price, category = price[known], category[known]
    price = price[np.lexsort((price, category))]
    n = np.bincount(category, minlength=len(names))
    start = np.cumsum(n) - n
    return {
        name: float((price[start[i] + (n[i] - 1) // 2] + price[start[i] + n[i] // 2]) / 2.0)
        for i, name in enumerate(names)
        if n[i]
    }
