"""Netting once more, slowly and plainly, straight from what `features.netting` says that it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND
from tests.features.strategies import Row

__all__ = ["Entry", "Netted", "net_one_customer"]

_CENT = 0.005


@dataclass
class Entry:
    """One entry of a log, and the row that made it."""

    row: Row
    kind: int
    order: int
    is_purchase: bool
    value: float

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.row.at


@dataclass
class _Order:
    number: str | None
    entry: int
    at: datetime
    lines: list[_Line] = field(default_factory=list)

    @property
    def value(self) -> float:
        return sum(line.value for line in self.lines)

    @property
    def is_purchase(self) -> bool:
        return any(line.is_open for line in self.lines)


@dataclass
class _Line:
    order: _Order
    product: int | None
    quantity: float | None
    value: float
    is_open: bool = True


@dataclass
class Netted:
    """What comes of one customer's rows; `unmatched` says of each row, as given, whether it found no line."""

    entries: list[Entry] = field(default_factory=list)
    unmatched: list[bool] = field(default_factory=list)
    value_left: float = 0.0
    value_unmatched: float = 0.0


def net_one_customer(rows: Sequence[Row]) -> Netted:
    """Net the rows of one customer, given in order of time."""
    result = Netted(unmatched=[False] * len(rows))
    orders: dict[object, _Order] = {}
    lines: list[_Line] = []
    rank = {"order": 0, "refund": 1, "other": 2}
    for i in sorted(range(len(rows)), key=lambda i: (rows[i].at, rank[rows[i].action])):
        row = rows[i]
        if row.action == "order":
            _add_line(row, i, orders, lines, result.entries)
        elif row.action == "refund":
            taken, rest, unmatched = _take_back(row, lines)
            for order, amount in taken:
                result.entries.append(Entry(row, ADJUSTMENT, order.entry, order.is_purchase, -amount))
            if unmatched:
                result.entries.append(Entry(row, UNMATCHED_REFUND, -1, False, -rest))
                result.unmatched[i] = True
                result.value_unmatched += rest
        else:
            result.entries.append(Entry(row, OTHER, -1, False, row.value or 0.0))
    result.value_left = sum(line.value for line in lines)
    return result


def _add_line(row: Row, i: int, orders: dict[object, _Order], lines: list[_Line], entries: list[Entry]) -> None:
    name = i if row.order is None else row.order
    value = row.value or 0.0
    if name not in orders:
        orders[name] = _Order(row.order, len(entries), row.at)
        entries.append(Entry(row, ORDER, len(entries), True, value))
    elif orders[name].at == row.at:
        entries[orders[name].entry].value += value
    else:
        entries.append(Entry(row, ADJUSTMENT, orders[name].entry, True, value))
    line = _Line(orders[name], row.product, row.quantity, value)
    orders[name].lines.append(line)
    lines.append(line)


def _take_back(refund: Row, lines: list[_Line]) -> tuple[list[tuple[_Order, float]], float, bool]:
    named = [line.order for line in lines if refund.order is not None and line.order.number == refund.order]
    if named:
        candidates = [
            line
            for line in named[0].lines
            if refund.product is None or line.product is None or refund.product == line.product
        ]
    elif refund.product is not None:
        candidates = [line for line in lines if line.product == refund.product]
    else:
        candidates = []
    candidates = [line for line in reversed(candidates) if line.is_open]

    taken: list[tuple[_Order, float]] = []
    if refund.quantity is None or refund.quantity <= 0:
        if refund.value is None:
            for line in candidates if named else candidates[:1]:
                line.is_open = False
                _note(taken, line, line.value)
            return taken, 0.0, not taken
        rest = _take_value(refund.value, candidates, taken)
        return taken, rest, not taken or rest > _CENT

    quantity = refund.quantity
    price = None if refund.value is None else refund.value / refund.quantity
    for line in candidates:
        if quantity <= 1e-9:
            break
        if not line.is_open:  # closed with its order since
            continue
        if line.quantity is not None and line.quantity > 0:
            pieces = min(quantity, line.quantity)
            amount = line.value * pieces / line.quantity
            line.quantity -= pieces
            line.is_open = line.quantity > 1e-9
            quantity -= pieces
            _note(taken, line, amount)
        elif price is None:
            line.is_open = False
            quantity = 0.0
            _note(taken, line, line.value)
        else:
            quantity = _take_value(quantity * price, [line], taken) / price if price else _touch(line, taken)
    return taken, quantity * (price or 0.0), not taken or quantity > 1e-9


def _take_value(value: float, candidates: Sequence[_Line], taken: list[tuple[_Order, float]]) -> float:
    """Take value for value; return what is not found."""
    if value <= _CENT:
        if candidates:
            amount = min(value, max(min(candidates[0].value, candidates[0].order.value), 0.0))
            _note(taken, candidates[0], amount)
            _settle(candidates[0])
            return value - amount
        return value
    for line in candidates:
        available = min(line.value, line.order.value)
        if value <= _CENT:
            break
        if line.is_open and available > _CENT:
            amount = min(value, available)
            value -= amount
            _note(taken, line, amount)
            _settle(line)
    return value


def _touch(line: _Line, taken: list[tuple[_Order, float]]) -> float:
    """Let a refund of worthless pieces be matched by a line."""
    _note(taken, line, 0.0)
    _settle(line)
    return 0.0


def _settle(line: _Line) -> None:
    """Close a line of which no value is left, and an order of which none is left."""
    if line.value <= _CENT:
        line.is_open = False
    if line.order.value <= _CENT:
        for other in line.order.lines:
            other.is_open = False


def _note(taken: list[tuple[_Order, float]], line: _Line, amount: float) -> None:
    line.value -= amount
    for i, (order, before) in enumerate(taken):
        if order is line.order:
            taken[i] = (order, before + amount)
            return
    taken.append((line.order, amount))
