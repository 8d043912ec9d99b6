"""Netting once more, slowly and plainly, straight from what `features.netting` and its parts say that they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from features.event_log import ADJUSTMENT, ORDER, OTHER, UNMATCHED_REFUND
from tests.features.strategies import Row

__all__ = ["Entry", "KnownLine", "Netted", "net_one_customer"]

_CENT = 0.005
_RANK = {"order": 0, "update": 1, "refund": 2, "other": 3}


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
    lines: list[_Line] = field(default_factory=list)  # what it is now
    tellings: list[object] = field(default_factory=list)  # the last one says what it is now
    is_updated: bool = False
    refunded: float = 0.0  # all that was ever taken back
    owed: float = 0.0  # of that, what the present lines stand for nonetheless
    owes: bool = False
    is_over: bool = False  # wholly taken back by refunds

    @property
    def value(self) -> float:
        return sum(line.value for line in self.lines) - self.owed

    @property
    def is_purchase(self) -> bool:
        return any(line.is_open for line in self.lines)


@dataclass
class _Line:
    order: _Order
    product: int | None
    quantity: float | None
    value: float
    known: KnownLine
    is_open: bool = True


@dataclass
class KnownLine:
    """A row that is a line of an order: when it counts as ordered, and by when it was replaced."""

    position: int  # among the rows as they act
    row: Row
    ordered_at: datetime
    until: datetime | None = None


@dataclass
class Netted:
    """What comes of one customer's rows; `unmatched` says of each row, as given, whether it found no line.

    `lines` are those of orders as told, in the order in which rows act.
    """

    entries: list[Entry] = field(default_factory=list)
    unmatched: list[bool] = field(default_factory=list)
    lines: list[KnownLine] = field(default_factory=list)
    value_left: float = 0.0
    value_unmatched: float = 0.0


def net_one_customer(rows: Sequence[Row]) -> Netted:
    """Net the rows of one customer, given in order of time."""
    result = Netted(unmatched=[False] * len(rows))
    story = _Story(result)
    in_order = sorted(range(len(rows)), key=lambda i: (rows[i].at, _RANK[_action(rows[i])]))
    acting = [(position, rows[i]) for position, i in enumerate(in_order)]
    for position, row in acting:
        action = _action(row)
        if action in ("order", "update"):
            story.tell([other for other in acting[position:] if other[1].at == row.at and _action(other[1]) == action])
        elif action == "refund":
            taken, rest, unmatched = _take_back(row, sorted(story.lines, key=lambda line: line.known.position))
            for order, amount in _with_rests(taken):
                order.is_over = not order.is_purchase
                result.entries.append(Entry(row, ADJUSTMENT, order.entry, order.is_purchase, -amount))
            if unmatched:
                result.entries.append(Entry(row, UNMATCHED_REFUND, -1, False, -rest))
                result.unmatched[in_order[position]] = True
                result.value_unmatched += rest
        else:
            result.entries.append(Entry(row, OTHER, -1, False, row.value or 0.0))
    result.value_left = sum(order.value for order in story.orders)
    result.lines.sort(key=lambda line: line.position)
    return result


def _action(row: Row) -> str:
    """What a row does: an update without an order, or a row of one that says nothing, does nothing to orders."""
    if row.action == "update" and (row.order is None or (row.product, row.quantity, row.value) == (None, None, None)):
        return "other"
    return row.action


class _Story:
    """Orders of one customer as they are told."""

    def __init__(self, result: Netted) -> None:
        self.orders: list[_Order] = []
        self.lines: list[_Line] = []  # of all orders, replaced ones too
        self._result = result
        self._told: set[int] = set()  # rows that were told with an earlier one of their instant
        self._replaced: set[tuple[datetime, object]] = set()

    def tell(self, instant: list[tuple[int, Row]]) -> None:
        """Take in the first of the rows that do the same at one instant, and were not gone through."""
        position, row = instant[0]
        telling = _telling(position, row)
        known = [order for order in self.orders if telling in order.tellings]
        if position in self._told:
            return
        if (row.at, telling) in self._replaced:  # at its own instant: it never held
            self._known(position, row, known[0].at, row.at)
        elif known:
            self._add_line(position, row, known[0])
        else:
            same = [order for order in self.orders if row.order is not None and order.number == row.order]
            if same and (row.action == "update" or same[0].is_updated):
                self._replace(same[0], telling, [each for each in instant if _telling(*each) == telling])
            else:
                entries = self._result.entries
                order = _Order(row.order, len(entries), row.at, tellings=[telling])
                order.is_updated = row.action == "update"
                self.orders.append(order)
                entries.append(Entry(row, ORDER, order.entry, True, row.value or 0.0))
                self._new_line(position, row, order, row.at)

    def _add_line(self, position: int, row: Row, order: _Order) -> None:
        entries = self._result.entries
        if order.at == row.at:
            entries[order.entry].value += row.value or 0.0
        else:
            entries.append(Entry(row, ADJUSTMENT, order.entry, True, row.value or 0.0))
        order.is_over = False
        self._new_line(position, row, order, row.at)

    def _new_line(self, position: int, row: Row, order: _Order, ordered_at: datetime) -> None:
        line = _Line(order, row.product, row.quantity, row.value or 0.0, self._known(position, row, ordered_at))
        order.lines.append(line)
        self.lines.append(line)

    def _known(self, position: int, row: Row, ordered_at: datetime, until: datetime | None = None) -> KnownLine:
        known = KnownLine(position, row, ordered_at, until)
        self._result.lines.append(known)
        return known

    def _replace(self, order: _Order, telling: object, rows: list[tuple[int, Row]]) -> None:
        at, before = rows[0][1].at, order.value
        for line in order.lines:
            line.is_open = False
            line.known.until = at
        self._replaced |= {(at, earlier) for earlier in order.tellings}
        order.tellings.append(telling)
        order.is_updated = order.is_updated or rows[0][1].action == "update"
        order.lines = []
        order.owed, order.owes = 0.0, False
        for position, row in rows:
            self._told.add(position)
            self._new_line(position, row, order, order.at)
        told = order.value
        if order.is_over:
            order.owed = told - before
        else:
            order.owed = min(order.refunded, max(told, 0.0))
            order.owes = order.owed != 0.0
        if order.is_over or (order.owed > _CENT and order.value <= _CENT):
            for line in order.lines:
                line.is_open = False
        entry = Entry(rows[0][1], ADJUSTMENT, order.entry, order.is_purchase, order.value - before)
        self._result.entries.append(entry)


def _telling(position: int, row: Row) -> object:
    """What tells an order: all that is of one update, or of one completed order, or the one row."""
    if row.order is None:
        return position
    return (row.order, row.at, row.message) if row.action == "update" else row.order


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
    _end(line.order)


def _end(order: _Order) -> None:
    if order.value <= _CENT:
        for other in order.lines:
            other.is_open = False


def _note(taken: list[tuple[_Order, float]], line: _Line, amount: float) -> None:
    """Take an amount from a line, and from its order no more than it has."""
    order, worth = line.order, line.order.value
    line.value -= amount
    lost = min(amount, max(worth, 0.0)) if order.owes else amount
    order.owed += lost - amount
    order.refunded += lost
    if order.owes:
        _end(order)
    for i, (other, before) in enumerate(taken):
        if order is other:
            taken[i] = (order, before + lost)
            return
    taken.append((order, lost))


def _with_rests(taken: Sequence[tuple[_Order, float]]) -> list[tuple[_Order, float]]:
    """Let orders whose last line is gone lose all that they have."""
    lost = []
    for order, amount in taken:
        rest = order.value if order.owes and not order.is_purchase else 0.0
        order.owed += rest
        order.refunded += rest
        lost.append((order, amount + rest))
    return lost
