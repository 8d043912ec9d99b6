"""A customer's purchase days, and their picture over time up to the instant that a score speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from features.event_log import ORDER, EventLog
from service.pages.formats import day, money

__all__ = ["PurchaseDay", "purchase_days", "timeline"]

_WIDTH, _HEIGHT, _TOP, _FLOOR, _FONT = 480.0, 176.0, 26.0, 120.0, 15.0
_BAR_WIDTH = 3.0
_LEAST_BAR = 3.0  # so that a free order is seen
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class PurchaseDay:
    """One day with purchases: how many orders, and what they are worth after refunds."""

    date: date
    orders: int
    value: float


def purchase_days(log: EventLog) -> tuple[PurchaseDay, ...]:
    """Return the purchase days of the one customer of a log, ascending.

    Parameters
    ----------
    log : EventLog
        Of one customer. Each order counts on its own day with what later lines and refunds have made of it; one that
        is wholly refunded does not count.
    """
    found: dict[int, tuple[int, float]] = {}
    for order in np.flatnonzero(log.kind == ORDER).tolist():
        # Entries name their order by its place within the customer, which in a log of one customer is the position.
        entries = np.append(order, np.flatnonzero(log.order == order))
        entries = np.unique(entries)
        if log.is_purchase[entries[-1]]:
            orders, value = found.get(int(log.day[order]), (0, 0.0))
            found[int(log.day[order])] = (orders + 1, value + float(log.value[entries].sum()))
    return tuple(
        PurchaseDay(_EPOCH + timedelta(days=number), orders, value) for number, (orders, value) in sorted(found.items())
    )


def timeline(days: Sequence[PurchaseDay], last_observed: date, currency: str) -> str:
    """Return purchase days over time as SVG: a bar a day, as high as its value, and the silence since the last.

    Like all our charts it scales with its container, takes its colours from CSS variables, and says its data in words.

    Parameters
    ----------
    days : sequence of PurchaseDay
        Ascending, none after `last_observed`.
    last_observed : date
        The last day that the score knows of.
    currency : str

    Returns
    -------
    str
        With one sentence in it where there are no purchases.
    """
    if not days:
        return _svg("No purchases", "There are no purchases to show.", [_text(0, _FONT, "There are no purchases yet.")])
    first, last = days[0].date, days[-1].date
    span = max((last_observed - first).days, 1)
    highest = max(max(entry.value for entry in days), 0.0) or 1.0

    def x(moment: date) -> float:
        return 4.0 + (_WIDTH - 8.0) * (moment - first).days / span

    body = [
        _text(0, _FONT, f"highest {money(highest, currency)}"),
        _line(0, _FLOOR, _WIDTH, _FLOOR),
    ]
    for entry in days:
        height = max((_FLOOR - _TOP) * max(entry.value, 0.0) / highest, _LEAST_BAR)
        body.append(
            f'<rect x="{x(entry.date) - _BAR_WIDTH / 2:.2f}" y="{_FLOOR - height:.2f}" width="{_BAR_WIDTH:.2f}" '
            f'height="{height:.2f}" fill="var(--chart-bar, #2b6cb0)"/>'
        )
    body.extend(_silence(x(last), x(last_observed), (last_observed - last).days))
    body.append(_text(0, _FLOOR + 50, day(first)))
    body.append(_text(_WIDTH, _FLOOR + 50, day(last_observed), anchor="end"))
    spoken = [f"{day(entry.date)}: {money(entry.value, currency)}" for entry in days[-12:]]
    earlier = f" {len(days) - 12} earlier purchase days;" if len(days) > 12 else ""
    description = f"{len(days)} purchase days from {day(first)} to {day(last)}.{earlier} {'; '.join(spoken)}."
    return _svg("Purchases over time", description, body)


def _silence(start: float, end: float, days: int) -> list[str]:
    """Draw how long it has been quiet, labelled on the side that has room."""
    y = _FLOOR + 10
    label = f"{days:,} day{'' if days == 1 else 's'} without a purchase"
    line = (
        f'<line x1="{start:.2f}" y1="{y:.2f}" x2="{end:.2f}" y2="{y:.2f}" stroke="var(--chart-towards, #b4411f)" '
        'stroke-width="3"/>'
    )
    return [line, _text(_WIDTH, y + 20, label, anchor="end")]


def _svg(title: str, description: str, body: Sequence[str]) -> str:
    height = _HEIGHT if len(body) > 1 else 2 * _FONT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="chart" width="100%" '
            f'viewBox="0 0 {_WIDTH:.0f} {height:.0f}" font-size="{_FONT:.0f}" font-family="inherit" '
            f'fill="currentColor">',
            f"<title>{title}</title>",
            f"<desc>{description}</desc>",
            *body,
            "</svg>",
        ]
    )


def _text(x: float, y: float, content: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{content}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="var(--chart-grid, #8a94a0)" '
        'stroke-width="1.5"/>'
    )
