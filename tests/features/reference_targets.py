"""What a plain reference of targets goes through: orders by plain rows, and logs with names, properties and lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from features.build import FeatureFrame, build_features
from features.event_log import ORDER, OTHER, EventLog
from features.labels import eligible_for, outcome
from features.line_log import LineLog
from features.targets import Target
from features.windows import Snapshot
from tests.features.reference_netting import net_one_customer
from tests.features.strategies import (
    Row,
)

__all__ = ["Known", "eligible_of", "named", "outcome_of", "target_of", "with_lines"]


@dataclass(frozen=True, slots=True)
class Known:
    """One customer by what is known at an instant: orders with what they are worth, of those that count."""

    orders: Mapping[int, tuple[datetime, float]]

    @classmethod
    def of(cls, rows: Sequence[Row], customer: str, known_at: datetime) -> Known:
        entries = net_one_customer([row for row in rows if row.customer == customer and row.at < known_at]).entries
        worth: dict[int, float] = {}
        counts: dict[int, bool] = {}
        for entry in entries:
            if entry.order >= 0:
                worth[entry.order] = worth.get(entry.order, 0.0) + entry.value
                counts[entry.order] = entry.is_purchase
        return cls({order: (entries[order].at, worth[order]) for order, does_count in counts.items() if does_count})

    def worth_between(self, start: datetime, end: datetime) -> list[float]:
        return [worth for at, worth in self.orders.values() if start <= at < end]


def _frame(log: EventLog, snapshot: Snapshot, expected: float = math.nan) -> FeatureFrame:
    frame = build_features(log, snapshot)
    return frame.with_columns(["expected_average_value"], [np.full(log.n_customers, expected)])


def outcome_of(target: Target, log: EventLog, snapshot: Snapshot, expected: float = math.nan) -> dict[str, float]:
    label = outcome(target, log, snapshot, _frame(log, snapshot, expected))
    assert label.dtype == np.float64
    return dict(zip(log.customer_ids, label.tolist(), strict=True))


def eligible_of(target: Target, log: EventLog, snapshot: Snapshot) -> dict[str, bool]:
    found = eligible_for(target, log, snapshot, _frame(log, snapshot))
    return dict(zip(log.customer_ids, found.tolist(), strict=True))


def target_of(**keys: Any) -> Target:
    return Target(**keys).with_defaults(30, None)


def named(log: EventLog, names: Sequence[str], texts: Sequence[str | None]) -> EventLog:
    """Return the log with other names and properties for what is neither order nor refund, drawn from lists."""
    event_types = tuple(sorted({*log.event_types, *names}))
    property_texts = tuple(sorted({text for text in texts if text is not None}))
    event_type = np.array([event_types.index(log.event_types[code]) for code in log.event_type], dtype=np.int16)
    properties = np.full(len(log.kind), -1, dtype=np.int32)
    for i, entry in enumerate(np.flatnonzero(log.kind == OTHER).tolist()):
        event_type[entry] = event_types.index(names[i % len(names)])
        text = texts[i % len(texts)]
        properties[entry] = -1 if text is None else property_texts.index(text)
    return replace(
        log,
        event_type=event_type,
        event_types=event_types,
        properties=properties,
        property_texts=property_texts,
    )


def with_lines(log: EventLog, categories: Sequence[str | None], late_days: Sequence[int]) -> EventLog:
    """Return the log with one to three lines an order, of categories drawn from a list, some of them later."""
    known = tuple(sorted({category for category in categories if category is not None}))
    lines: list[tuple[int, int, int, int]] = []
    offsets = [0]
    for customer in range(log.n_customers):
        begin, end = log.offsets[customer], log.offsets[customer + 1]
        of_customer = []
        for entry in (begin + np.flatnonzero(log.kind[begin:end] == ORDER)).tolist():
            for i in range(1 + entry % 3):
                drawn = categories[(3 * entry + i) % len(categories)]
                late = late_days[(entry + i) % len(late_days)] if i else 0
                code = -1 if drawn is None else known.index(drawn)
                of_customer.append((int(log.occurred_at[entry]) + late * 86_400_000_000, entry - begin, code, i))
        lines += sorted(of_customer)
        offsets.append(len(lines))
    n = len(lines)
    occurred_at = np.array([line[0] for line in lines], dtype=np.int64)
    return replace(
        log,
        lines=LineLog(
            offsets=np.array(offsets, dtype=np.int64),
            occurred_at=occurred_at,
            day=log.calendar.days(occurred_at),
            order=np.array([line[1] for line in lines], dtype=np.int32),
            product=np.full(n, -1, dtype=np.int32),
            category=np.array([line[2] for line in lines], dtype=np.int32),
            quantity=np.ones(n),
            value=np.ones(n),
            discount=np.full(n, np.nan),
            categories=known,
        ),
    )
