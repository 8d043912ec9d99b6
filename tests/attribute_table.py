"""A business of which only attributes and labels are known: as a log without events, and as labels read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.attributes import ALWAYS_KNOWN, AttributeColumn, AttributeKind, Attributes
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import net
from features.raw_events import RawEvents
from store.ingest.labels import Labels

__all__ = ["ATTRIBUTES_AS_OF", "attribute_log", "telling_labels"]

ATTRIBUTES_AS_OF = datetime(2024, 1, 1, tzinfo=UTC)

_N = 1_200
_PLANS = ("monthly", "yearly")


@cache
def attribute_log() -> EventLog:
    """Customers with a plan and a number of calls, which matter; a shoe size, which doesn't; and two leaks."""
    rng = np.random.default_rng(11)
    plan, calls, _ = _truth()
    left = telling_labels().positive
    flipped = left ^ (rng.random(_N) < 0.05)
    columns = {
        "calls": _column("number", calls),
        "left": _categories(["yes" if has_left else "no" for has_left in left]),
        "left_flag": _column("number", flipped.astype(np.float64)),
        "plan": _categories([_PLANS[code] for code in plan.astype(int)]),
        "reason": _categories(["price" if has_left else None for has_left in left]),
        "shoe_size": _column("number", rng.integers(36, 47, _N).astype(np.float64)),
    }
    return _without_events(Attributes(columns, _N))


@cache
def telling_labels() -> Labels:
    """Who left: with log-odds -1.4, 1.2 more on a monthly plan, and half of one more a call."""
    _, _, left = _truth()
    return Labels(customer_ids=_ids(), positive=left, day=None, rejections=(), n_read=_N)


def _truth() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(7)
    plan, calls = rng.integers(0, 2, _N).astype(np.float64), rng.poisson(1.5, _N).astype(np.float64)
    left = rng.random(_N) < expit(-1.4 + 1.2 * (plan == 0) + 0.5 * (calls - 1.5))
    return plan, calls, left


def _ids() -> tuple[str, ...]:
    return tuple(f"a{number:04}" for number in range(_N))


def _without_events(attributes: Attributes) -> EventLog:
    nothing: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    raw = RawEvents(
        customer_ids=_ids(),
        customer=nothing,
        occurred_at=nothing,
        action=nothing.astype(np.int8),
        group=nothing,
        order_key=nothing,
        product=nothing,
        quantity=nothing.astype(np.float64),
        value=nothing.astype(np.float64),
        event_type=nothing.astype(np.int16),
        event_types=(),
    )
    log, _ = net(raw, LocalCalendar("UTC"))
    return replace(log, attributes=attributes)


def _column(kind: AttributeKind, values: NDArray[np.float64], texts: tuple[str, ...] = ()) -> AttributeColumn:
    known = ~np.isnan(values)
    return AttributeColumn(
        kind=kind,
        offsets=np.concatenate(([0], np.cumsum(known, dtype=np.int64))),
        learnt_at=np.full(int(known.sum()), ALWAYS_KNOWN, dtype=np.int64),
        values=values[known],
        texts=texts,
    )


def _categories(names: Sequence[str | None]) -> AttributeColumn:
    texts = tuple(sorted({name for name in names if name is not None}))
    codes = np.array([np.nan if name is None else texts.index(name) for name in names])
    return _column("category", codes, texts)
