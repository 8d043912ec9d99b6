"""What must be stored of live calls and files, as plain dicts; whatever comes first stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.reliability.told_calls import (
    ORDERS,
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
    occurred_at: int
    product: str | None
    quantity: float | None
    value: float | None
    properties: str | None


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
    lines: dict[Fact, _Line] = field(default_factory=dict)


class LiveModel:
    """All that must be stored."""

    def __init__(self) -> None:
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
        new, rejected = self._store(told.source, tellings)
        codes = tuple(sorted((line, "order_conflict" if code == "conflict" else code) for line, code in rejected))
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
                    tuple(sorted((line[:4] for line in event.lines.values()), key=repr)),
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
        for position, call in enumerate(told.calls):
            for merged, into in merges_of(call):
                if {merged, into} & self.erased:
                    erased.add(position)
                elif self._merge(merged, into):
                    stored.add(position)
        stored |= self._learn(told.calls, new, erased)
        facts, rejected = self._store(told.source, list(tellings_of(told, in_file=False)))
        codes = dict.fromkeys(erased, "erased") | dict(rejected)
        stored = (stored | facts) - codes.keys()
        return Outcome(len(stored), len(told.calls) - len(stored) - len(codes), tuple(sorted(codes.items())))

    def _merge(self, merged: str, into: str) -> bool:
        root = self.stands_for[into]
        if self.stands_for[merged] != merged or root == merged:
            return False
        self.stands_for = {who: root if of == merged else of for who, of in self.stands_for.items()}
        moved = {key: value for key, value in self._attributes.items() if key[0] == merged}
        for (_, name, at), value in moved.items():
            self._attributes.setdefault((root, name, at), value)
        self._attributes = {key: value for key, value in self._attributes.items() if key[0] != merged}
        return True

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

    def _store(self, source: str, tellings: Sequence[Telling]) -> tuple[set[int], list[tuple[int, str]]]:
        """Store what is told at once; return positions of what is new, and of what is rejected with the code."""
        new: set[int] = set()
        rejected: list[tuple[int, str]] = []
        told_otherwise: list[Telling] = []
        for telling in tellings:
            if telling.customer in self.erased:
                rejected.append((telling.position, "erased"))
            elif telling.row.event not in ORDERS:
                if telling.fact not in self._events:
                    self._events[telling.fact] = _event(source, telling)
                    new.add(telling.position)
            else:
                order = self._events.setdefault(telling.event, _event(source, telling))
                if (order.source, order.has_message) != (source, telling.has_message):
                    told_otherwise.append(telling)
                elif telling.fact not in order.lines:
                    order.lines[telling.fact] = _line(telling)
                    _retell(order)
                    new.add(telling.position)
        firsts: dict[Fact, Telling] = {}
        for telling in told_otherwise:
            firsts.setdefault(telling.fact, telling)
        counted: Counter[Any] = Counter()
        for telling in firsts.values():
            # By another source, or with a message id instead of without: the n-th of equal lines is there or is not.
            content = telling.event, _line(telling)[:4]
            counted[content] += 1
            held = [line[:4] for line in self._events[telling.event].lines.values()].count(content[1])
            if held < counted[content]:
                rejected.append((telling.position, "conflict"))
        return new, rejected


def _event(source: str, telling: Telling) -> _Event:
    row = telling.row
    is_order = row.event in ORDERS
    return _Event(
        told_of=telling.customer,
        name=row.event,
        source=source,
        has_message=telling.has_message,
        order_id=row.order_id,
        occurred_at=telling.occurred_at,
        value=None if is_order else row.value,
        properties=telling.properties,
    )


def _line(telling: Telling) -> _Line:
    return _Line(telling.occurred_at, *telling.row[2:], telling.properties)


def _retell(order: _Event) -> None:
    """Let an order have what its earliest lines say."""
    order.occurred_at = min(line.occurred_at for line in order.lines.values())
    said = [line.properties for line in order.lines.values() if line.occurred_at == order.occurred_at]
    order.properties = min((text for text in said if text is not None), default=None)
