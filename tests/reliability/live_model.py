"""What must be stored of live calls and files, as plain dicts; whatever comes first stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from tests.reliability.told_calls import (
    COMPLETED,
    ORDERS,
    UPDATED,
    Call,
    Fact,
    Telling,
    Told,
    ids_of,
    instant_of,
    merges_of,
    tellings_of,
    traits_of,
)

__all__ = ["LiveModel", "Outcome"]


class Outcome(NamedTuple):
    """What became of the calls of a request, or of the rows of a file; rejected ones by position and code."""

    stored: int
    already_there: int
    rejected: tuple[tuple[int, str], ...]


class _Line(NamedTuple):
    fact: Fact
    occurred_at: int
    product: str | None
    quantity: float | None
    value: float | None
    properties: str | None

    def content(self, *, by_instant: bool) -> tuple[Any, ...]:
        """Return what makes it equal to another line of its order."""
        return self[1 if by_instant else 2 : 5]


@dataclass
class _Event:
    told_of: str
    name: str
    source: str
    has_message: bool
    order_id: str | None
    occurred_at: int
    value: float | None
    properties: str | None
    lines: list[_Line] = field(default_factory=list)

    @property
    def telling(self) -> tuple[str, bool]:
        """Who told it, and how."""
        return self.source, self.has_message

    @property
    def is_refund(self) -> bool:
        """Whether it takes back what an order has; of one order there may be several, told apart by their instants."""
        return self.name in ORDERS and self.name not in (COMPLETED, UPDATED)

    def contents(self, *, by_instant: bool) -> Counter[tuple[Any, ...]]:
        """Return what its lines say, and how often."""
        return Counter(line.content(by_instant=by_instant) for line in self.lines)

    def add(self, line: _Line) -> None:
        """Add a line; what an order says is what its earliest lines say."""
        self.lines.append(line)
        self.occurred_at = min(each.occurred_at for each in self.lines)
        said = [each.properties for each in self.lines if each.occurred_at == self.occurred_at]
        self.properties = min((text for text in said if text is not None), default=None)


class LiveModel:
    """All that must be stored.

    Parameters
    ----------
    rank : callable
        Takes event, id and order id. Where a customer has several orders of one id, since they differed when ids were
        merged, what is told under yet another id is compared with that of the least rank.
    """

    def __init__(self, rank: Callable[[str, str, str], Any]) -> None:
        self._rank = rank
        self.erased: set[str] = set()
        self.stands_for: dict[str, str] = {}
        self._events: dict[Fact, _Event] = {}
        self._attributes: dict[tuple[str, str, int], Any] = {}

    @property
    def customers(self) -> list[str]:
        """Ids that can be erased, sorted."""
        return sorted(self.stands_for)

    def take(self, group: Sequence[Told]) -> list[Outcome]:
        """Take requests, one after another."""
        new = self._meet(customer for told in group for call in told.calls for customer in ids_of(call))
        outcomes = []
        for told in group:
            outcomes.append(self._take(told, new))
            new -= {customer for call in told.calls for customer in ids_of(call)}
        return outcomes

    def take_file(self, told: Told) -> Outcome:
        """Take a file: calls of which each is as many rows as it has lines."""
        self._meet(str(call["userId"]) for call in told.calls)
        tellings = list(tellings_of(told, in_file=True))
        new, rejected = self._store(told.source, tellings, are_whole=False)
        codes = tuple(sorted(rejected))
        return Outcome(len(new), len(tellings) - len(new) - len(codes), codes)

    def erase(self, customer: str) -> None:
        """Forget a customer under all its ids, for ever."""
        root = self.stands_for[customer]
        gone = {who for who, stands_for in self.stands_for.items() if stands_for == root}
        self._events = {fact: event for fact, event in self._events.items() if event.told_of not in gone}
        self._attributes = {key: value for key, value in self._attributes.items() if key[0] != root}
        self.stands_for = {who: of for who, of in self.stands_for.items() if who not in gone}
        self.erased |= gone

    def events(self) -> list[tuple[Any, ...]]:
        """Return all events with their lines, sorted."""
        return sorted(
            (
                (
                    self.stands_for[event.told_of],
                    event.name,
                    event.source,
                    event.has_message,
                    event.order_id,
                    event.occurred_at,
                    event.value,
                    event.properties,
                    tuple(sorted((line.content(by_instant=True) for line in event.lines), key=repr)),
                )
                for event in self._events.values()
            ),
            key=repr,
        )

    def attributes(self) -> list[tuple[str, str, int, Any]]:
        """Return all attributes as customer, name, learnt_at and value, sorted."""
        return sorted((*key, value) for key, value in self._attributes.items())

    def _meet(self, customers: Iterable[str]) -> set[str]:
        new = {customer for customer in customers if customer not in self.stands_for} - self.erased
        self.stands_for |= {customer: customer for customer in new}
        return new

    def _take(self, told: Told, new: set[str]) -> Outcome:
        stored: set[int] = set()
        erased: set[int] = set()
        conflicts: set[int] = set()
        for position, call in enumerate(told.calls):
            for merged, into in merges_of(call):
                if {merged, into} & self.erased:
                    erased.add(position)
                elif self._is_due(merged, into):
                    stored.add(position)
                    if not self._merge(merged, self.stands_for[into]):
                        conflicts.add(position)
        stored |= self._learn(told.calls, new, erased)
        facts, rejected = self._store(told.source, list(tellings_of(told, in_file=False)), are_whole=True)
        codes = dict.fromkeys(erased, "erased") | dict.fromkeys(conflicts, "order_conflict") | dict(rejected)
        stored = (stored | facts) - codes.keys()
        return Outcome(len(stored), len(told.calls) - len(stored) - len(codes), tuple(sorted(codes.items())))

    def _is_due(self, merged: str, into: str) -> bool:
        return self.stands_for[merged] == merged != self.stands_for[into]

    def _merge(self, merged: str, root: str) -> bool:
        """Merge a customer into another; return whether no order that both have differs."""
        is_one = self._bring_together(merged, root)
        self.stands_for = {who: root if of == merged else of for who, of in self.stands_for.items()}
        moved = {key: value for key, value in self._attributes.items() if key[0] == merged}
        for (_, name, at), value in moved.items():
            self._attributes.setdefault((root, name, at), value)
        self._attributes = {key: value for key, value in self._attributes.items() if key[0] != merged}
        return is_one

    def _bring_together(self, merged: str, root: str) -> bool:
        """Drop orders of which the other customer's has all lines; return whether no order differs."""
        differ = False
        dropped: set[Fact] = set()
        for key, one in self._orders(merged):
            others = [
                (other_key, other)
                for other_key, other in self._orders(root)
                if (other.name, other.order_id) == (one.name, one.order_id) and not _are_several(one, other)
            ]
            smaller = {other_key for other_key, other in others if _has_all(one, other)}
            if any(_has_all(other, one) for _, other in others):
                dropped.add(key)
            else:
                dropped |= smaller
                differ |= bool(others) and not smaller
        for key in dropped:
            del self._events[key]
        return not differ

    def _orders(self, customer: str) -> list[tuple[Fact, _Event]]:
        """Return the orders and refunds of a customer; an update is by itself, however often it is told."""
        return [
            (key, event)
            for key, event in self._events.items()
            if event.name in ORDERS and event.name != UPDATED and self.stands_for[event.told_of] == customer
        ]

    def _learn(self, calls: Sequence[Call], new: set[str], erased: set[int]) -> set[int]:
        """Learn attributes; return the calls that brought anything new, and add those of erased customers."""
        at_once: dict[tuple[str, str, int], Any] = {}
        learnt: dict[int, tuple[str, int]] = {}
        stored: set[int] = set()
        for position, call in enumerate(calls):
            if call["type"] not in ("identify", "group"):
                continue
            if call["userId"] in self.erased:
                erased.add(position)
                continue
            erased.discard(position)
            if call["userId"] in new:
                new.remove(call["userId"])
                stored.add(position)
            learnt[position] = customer, at = self.stands_for[call["userId"]], instant_of(call)
            at_once |= {(customer, name, at): value for name, value in traits_of(call).items()}
        changed = {(key[0], key[2]) for key, value in at_once.items() if self._attributes.get(key) != value}
        self._attributes |= at_once
        return stored | {position for position, told in learnt.items() if told in changed}

    def _store(
        self, source: str, tellings: Sequence[Telling], *, are_whole: bool
    ) -> tuple[set[int], list[tuple[int, str]]]:
        """Store what is told at once; return positions of what is new, and of what is rejected with the code.

        `are_whole` says whether each call tells a completed order as a whole.
        """
        new: set[int] = set()
        rejected: list[tuple[int, str]] = []
        equals: Counter[Any] = Counter()
        told_otherwise: list[tuple[_Event, Telling]] = []
        for _, call in groupby(tellings, key=lambda telling: telling.position):
            rows = list(call)
            order = self._order_of(rows[0])
            is_retold = are_whole and rows[0].row.event == COMPLETED and order is not None
            if is_retold and order is not None and not _is_of_call(order, source, rows):
                rejected += _conflicts([(order, row) for row in rows])
                continue
            for row in rows:
                if row.customer in self.erased:
                    rejected.append((row.position, "erased"))
                elif row.row.event not in ORDERS:
                    if row.fact not in self._events:
                        self._events[row.fact] = _event(source, row, row.customer)
                        new.add(row.position)
                else:
                    order = self._order_of(row) or self._new_order(source, row)
                    if order.telling != (source, row.has_message):
                        told_otherwise.append((order, row))
                    elif not _has(order, row, equals):
                        order.add(_line(row))
                        new.add(row.position)
        firsts: dict[Fact, tuple[_Event, Telling]] = {}
        for order, telling in told_otherwise:
            firsts.setdefault(telling.fact, (order, telling))
        return new, rejected + _conflicts(list(firsts.values()))

    def _order_of(self, telling: Telling) -> _Event | None:
        """Return the order that is told, under whichever id of its customer it is there."""
        if telling.customer in self.erased or telling.event in self._events or telling.row.event not in ORDERS:
            return self._events.get(telling.event)
        there = [
            (self._rank(event.name, event.told_of, event.order_id or ""), event)
            for _, event in self._orders(self.stands_for[telling.customer])
            if (event.name, event.order_id) == (telling.row.event, telling.row.order_id)
        ]
        return min(there, key=lambda ranked: ranked[0])[1] if there else None

    def _new_order(self, source: str, telling: Telling) -> _Event:
        """Store an order without lines: of the customer's own id, or an update as it was told."""
        name, told_of, *rest = telling.event
        if name != UPDATED:
            told_of = self.stands_for[told_of]
        order = self._events[(name, told_of, *rest)] = _event(source, telling, told_of)
        return order


def _event(source: str, telling: Telling, told_of: str) -> _Event:
    row = telling.row
    return _Event(
        told_of=told_of,
        name=row.event,
        source=source,
        has_message=telling.has_message,
        order_id=row.order_id,
        occurred_at=telling.occurred_at,
        value=None if row.event in ORDERS else row.value,
        properties=telling.properties,
    )


def _line(telling: Telling) -> _Line:
    return _Line(telling.fact, telling.occurred_at, *telling.row[2:], telling.properties)


def _is_of_call(order: _Event, source: str, rows: Sequence[Telling]) -> bool:
    """Whether an order was told by this call, which is sent again: without a message id nobody can say."""
    facts = {line.fact for line in order.lines}
    return order.telling == (source, True) and any(row.has_message and row.fact in facts for row in rows)


def _has(order: _Event, telling: Telling, equals: Counter[Any]) -> bool:
    """Whether an order has a line of its own teller: by message id, or as many equal ones as are told at once."""
    if telling.has_message:
        return any(line.fact == telling.fact for line in order.lines)
    content = _line(telling).content(by_instant=True)
    equals[id(order), content] += 1
    return order.contents(by_instant=True)[content] >= equals[id(order), content]


def _conflicts(told_otherwise: Sequence[tuple[_Event, Telling]]) -> list[tuple[int, str]]:
    """Return what orders do not have of that which others tell of them: the n-th of equal lines is there or is not."""
    counted: Counter[Any] = Counter()
    rejected = []
    for order, telling in told_otherwise:
        content = _line(telling).content(by_instant=order.is_refund)
        counted[id(order), content] += 1
        if order.contents(by_instant=order.is_refund)[content] < counted[id(order), content]:
            rejected.append((telling.position, "order_conflict"))
    return rejected


def _are_several(one: _Event, other: _Event) -> bool:
    """Whether two refunds of one order were told by messages of one source: so they are not the same."""
    return one.is_refund and one.has_message and one.telling == other.telling


def _has_all(one: _Event, other: _Event) -> bool:
    """Whether an order has all lines of another customer's order of the same id."""
    # Without message ids a source tells lines apart by their instants.
    by_instant = one.is_refund or (not one.has_message and one.telling == other.telling)
    return other.contents(by_instant=by_instant) <= one.contents(by_instant=by_instant)
