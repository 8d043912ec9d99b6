"""Orders: values out of range or in other units, orders without products, refunds of nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from store.checkup.finding import Finding, percent
from store.checkup.sample import EventSample, RefundSample

__all__ = ["order_values", "unlike_units", "unmatched_refunds", "without_products"]

_FEWEST_ORDERS = 20
_LEAST_SHARE_OF_ZERO = 0.05
_TIMES_THE_MEDIAN = 1_000.0

_NEWEST = 0.1
_FEWEST_COMPARED = 50
# Hundredths of a unit: a ratio near 100, and whole numbers where the other has fractions.
_LEAST_RATIO, _MOST_RATIO = 50.0, 200.0
_WHOLE, _NOT_WHOLE = 0.99, 0.5

_LEAST_SHARE_WITH, _LEAST_SHARE_WITHOUT = 0.2, 0.05
_FEWEST_REFUNDS, _LEAST_SHARE_UNMATCHED = 20, 0.2


def order_values(events: EventSample) -> Iterator[Finding]:
    """Yield sources with many orders at 0, any below 0, or any a thousand times the median."""
    for source, mine in events.by_source(_valued(events)):
        value = events.value[mine]
        n, at_zero, negative = len(mine), int(np.count_nonzero(value == 0)), int(np.count_nonzero(value < 0))
        if n >= _FEWEST_ORDERS and at_zero >= _LEAST_SHARE_OF_ZERO * n:
            yield Finding(
                "orders_at_zero",
                "warning",
                source,
                f"{percent(at_zero / n)} of its orders have the value 0: {at_zero:,} of {n:,}.",
                "They count as purchases. If they are samples or tests, leave them out; if their value is missing, "
                "send it as revenue or as prices of products.",
                {"orders_at_zero": at_zero, "orders": n, "share": round(at_zero / n, 4)},
            )
        if negative:
            yield Finding(
                "negative_orders",
                "warning",
                source,
                f"{negative:,} of its {n:,} orders have a value below 0, {value.min():,.2f} at the least.",
                "What takes money back is a refund: send it as Order Refunded, or name its prefix with "
                "--cancelled-order-prefix.",
                {"negative_orders": negative, "orders": n, "least": float(value.min())},
            )
        positive = value[value > 0]
        median = float(np.median(positive)) if len(positive) >= _FEWEST_ORDERS else np.inf
        enormous = int(np.count_nonzero(positive > _TIMES_THE_MEDIAN * median))
        if enormous:
            yield Finding(
                "enormous_orders",
                "warning",
                source,
                f"{enormous:,} of its {n:,} orders are worth more than {_TIMES_THE_MEDIAN:,.0f} times the median of "
                f"{median:,.2f}, {positive.max():,.2f} at the most.",
                "See whether amounts lost their decimal point or are in another currency or unit. One such order "
                "decides who is high value.",
                {"enormous_orders": enormous, "orders": n, "median": median, "most": float(positive.max())},
            )


def unlike_units(events: EventSample) -> Iterator[Finding]:
    """Yield sources whose orders are told in hundredths: of those of another source, or of their own earlier ones."""
    values = {
        source: events.value[mine]
        for source, mine in events.by_source(_valued(events) & (events.value > 0))
        if len(mine) >= _FEWEST_COMPARED
    }
    of_source: dict[str, NDArray[np.float64]] = {}
    for source, value in values.items():
        n_new = max(round(_NEWEST * len(value)), _FEWEST_COMPARED // 2)
        earlier, newest = value[:-n_new], value[-n_new:]
        for smaller, larger, which in ((earlier, newest, "newest"), (newest, earlier, "earlier")):
            if len(smaller) and _in_hundredths(larger, smaller):
                yield _units(source, f"its {which} {len(larger):,} orders", "that of its others", larger, smaller)
                break
        else:
            of_source[source] = value
    for source, value in of_source.items():
        others = [(name, other) for name, other in of_source.items() if _in_hundredths(value, other)]
        if others:
            name, other = max(others, key=lambda each: len(each[1]))
            yield _units(source, "its orders", f"that of the source {name}", value, other)


def without_products(events: EventSample) -> Iterator[Finding]:
    """Yield sources of which some orders name no product, though their others, or those of other sources, do."""
    orders = events.is_order
    if not orders.any() or events.has_products[orders].mean() < _LEAST_SHARE_WITH:
        return
    for source, mine in events.by_source(orders):
        n, without = len(mine), int(np.count_nonzero(~events.has_products[mine]))
        if n < _FEWEST_ORDERS or without < _LEAST_SHARE_WITHOUT * n:
            continue
        others = "those of other sources" if without == n else "its others"
        yield Finding(
            "orders_without_products",
            "note",
            source,
            f"{percent(without / n)} of its orders name no product ({without:,} of {n:,}), while {others} do.",
            "Send products with each order: without them a refund of a product finds nothing, and features of products "
            "and categories see only a part.",
            {"without_products": without, "orders": n, "share": round(without / n, 4)},
        )


def unmatched_refunds(refunds: RefundSample) -> Iterator[Finding]:
    """Yield the share of refunds that take back what nobody is known to have bought."""
    if refunds.unmatched < _FEWEST_REFUNDS or refunds.unmatched < _LEAST_SHARE_UNMATCHED * refunds.rows:
        return
    share = refunds.unmatched / refunds.rows
    yield Finding(
        "unmatched_refunds",
        "warning",
        None,
        f"{percent(share)} of the refunds found no purchase to take back, wholly or in part: {refunds.unmatched:,} of "
        f"{refunds.rows:,} rows of {refunds.customers:,} customers. They lower value, but undo no purchase.",
        "Let refunds name their order (order_id), or the product and quantity; if they belong to purchases before the "
        "first file, ingest earlier ones too.",
        {
            "unmatched": refunds.unmatched,
            "refunds": refunds.rows,
            "customers": refunds.customers,
            "share": round(share, 4),
        },
    )


def _valued(events: EventSample) -> NDArray[np.bool_]:
    valued: NDArray[np.bool_] = events.is_order & np.isfinite(events.value)
    return valued


def _in_hundredths(value: NDArray[np.float64], of: NDArray[np.float64]) -> bool:
    ratio = np.median(value) / np.median(of)
    return bool(_LEAST_RATIO <= ratio <= _MOST_RATIO and _whole(value) >= _WHOLE and _whole(of) <= _NOT_WHOLE)


def _whole(value: NDArray[np.float64]) -> float:
    return float((value % 1.0 == 0.0).mean())


def _units(source: str, which: str, than: str, value: NDArray[np.float64], of: NDArray[np.float64]) -> Finding:
    median, other = float(np.median(value)), float(np.median(of))
    return Finding(
        "unlike_units",
        "problem",
        source,
        f"The median of {which} is {median:,.0f}, in whole numbers, which is {median / other:,.0f} times {than}, "
        f"{other:,.2f}. They look like cents.",
        "Send amounts in units of the currency, such as 12.50, with its code, and bring in again what came in cents.",
        {"median": median, "other_median": other, "ratio": round(median / other, 1)},
    )
