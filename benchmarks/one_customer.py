"""How long all features of one customer take, beside a pandas group-by of thirty simple ones in the same run.

The customer has 500 events: 100 orders of three lines each, a few refunds, and events of every well-known family.
`python -m benchmarks.one_customer` prints one line of JSON: medians in milliseconds, their ratio, and numbers of
features.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.build import FeaturePlan, build_features
from features.calendar import MICROSECONDS_PER_DAY, LocalCalendar
from features.catalogue import features_for
from features.event_log import ORDER, EventLog
from features.families.events import WELL_KNOWN
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, ROW_REFUND, RawEvents, net
from features.reference import Reference
from features.windows import Snapshot

__all__ = ["main", "one_customer"]

_END = (date(2024, 7, 1) - date(1970, 1, 1)).days
_DAYS = 1_000
_ORDERS, _LINES_AN_ORDER, _REFUNDS, _OTHERS = 100, 3, 4, 396
_CATEGORIES = tuple(f'{{"department": "D{i}"}}' for i in range(8))
_CHANNELS = ("app", "shop", "web")
_OTHER_NAMES = tuple(name.replace("_", " ").title() for name in sorted(WELL_KNOWN))
_EVENT_TYPES = tuple(sorted((*_OTHER_NAMES, "Order Completed", "Order Refunded")))
_CUSTOMERS = 20  # so that the reference knows usual prices
_WINDOWS = (7, 30, 90, 180, 365)


def one_customer(seed: int = 1) -> tuple[EventLog, Snapshot, Reference]:
    """Return the log of one customer of a small business, a snapshot, and the reference of the business."""
    generator = np.random.default_rng(seed)
    parts = [_rows(generator, customer) for customer in range(_CUSTOMERS)]
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    raw = RawEvents(
        customer_ids=tuple(f"c{customer:02d}" for customer in range(_CUSTOMERS)),
        event_types=_EVENT_TYPES,
        categories=_CATEGORIES,
        channels=_CHANNELS,
        **columns,
    )
    log, _ = net(raw, LocalCalendar("Europe/Berlin"))
    snapshot = Snapshot.at_midnight(_END, log.calendar)
    return log.take([0]), snapshot, Reference.of(log, snapshot)


def _rows(generator: np.random.Generator, customer: int) -> dict[str, Any]:
    """Return the stored rows of one customer, in order of time."""
    n_lines = _ORDERS * _LINES_AN_ORDER
    n = n_lines + _REFUNDS + _OTHERS
    action = np.repeat(np.array([ROW_ORDER, ROW_REFUND, ROW_OTHER], dtype=np.int8), [n_lines, _REFUNDS, _OTHERS])
    order = np.concatenate((np.repeat(np.arange(_ORDERS), _LINES_AN_ORDER), np.arange(_REFUNDS), np.zeros(_OTHERS)))
    # Orders from the second day on, refunds one day after theirs, at the minute.
    order_at = np.sort(generator.integers(1_440, (_DAYS - 2) * 1_440, _ORDERS))
    minute = np.where(action == ROW_OTHER, generator.integers(0, _DAYS * 1_440, n), order_at[order.astype(np.int64)])
    minute[:n_lines] = np.repeat(order_at, _LINES_AN_ORDER)
    minute[action == ROW_REFUND] += 1_440
    is_line = action == ROW_ORDER
    is_other = action == ROW_OTHER
    name = np.where(is_line, _EVENT_TYPES.index("Order Completed"), _EVENT_TYPES.index("Order Refunded"))
    others = np.array([_EVENT_TYPES.index(other) for other in _OTHER_NAMES])
    key = order.astype(np.int64) + 1 + customer * _ORDERS
    price = generator.integers(100, 10_000, n) / 100
    columns = {
        "customer": np.full(n, customer, dtype=np.int64),
        "occurred_at": (_END - _DAYS) * MICROSECONDS_PER_DAY + minute.astype(np.int64) * 60_000_000,
        "action": action,
        "group": np.where(is_line, key, 10_000_000 + customer * n + np.arange(n)),
        "order_key": np.where(is_other, NO_ORDER, key),
        "product": np.where(is_line, generator.integers(0, 60, n), NO_PRODUCT),
        "quantity": np.where(is_line, generator.integers(1, 4, n).astype(np.float64), np.nan),
        "value": np.where(is_other, np.nan, np.where(is_line, price, 0.5)),
        "event_type": np.where(is_other, others[np.arange(n) % len(others)], name).astype(np.int16),
        "is_line": is_line,
        "category": np.where(is_line, generator.integers(0, len(_CATEGORIES), n), -1),
        "discount": np.where(is_line & (generator.random(n) < 0.3), 1.0, np.where(is_line, 0.0, np.nan)),
        "channel": generator.integers(0, len(_CHANNELS), n).astype(np.int16),
    }
    in_time = np.argsort(columns["occurred_at"], kind="stable")
    return {column: values[in_time] for column, values in columns.items()}


def _frame(log: EventLog, snapshot: Snapshot) -> pd.DataFrame:
    is_order = log.kind == ORDER
    ago = snapshot.last_day - log.day[is_order]
    return pd.DataFrame({"customer": "c00", "ago": ago, "value": log.value[is_order]})


def _by_pandas(orders: pd.DataFrame) -> pd.DataFrame:
    """Compute thirty simple features: sum, mean and maximum of two columns in each window, with one group-by."""
    inside = {days: orders["ago"] < days for days in _WINDOWS}
    wide = {f"orders_{days}": is_inside.astype(np.float64) for days, is_inside in inside.items()}
    wide |= {f"value_{days}": orders["value"].where(is_inside) for days, is_inside in inside.items()}
    grouped = pd.DataFrame(wide).groupby(orders["customer"])
    return pd.concat((grouped.sum(), grouped.mean(), grouped.max()), axis=1)


def _median(run: Callable[[], object], repeats: int) -> float:
    """Return the median of some runs, in milliseconds, after one that compiles."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1_000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000, help="runs of which the median is taken")
    repeats = parser.parse_args().repeats
    log, snapshot, reference = one_customer()
    plan = FeaturePlan.of(features_for(reference))
    ours = _median(lambda: build_features(log, snapshot, reference, plan), repeats)
    orders = _frame(log, snapshot)
    pandas = _median(lambda: _by_pandas(orders), max(repeats // 20, 3))
    figures = {
        "entries": len(log.kind),
        "lines": len(log.lines.day),
        "features": len(plan.features),
        "milliseconds": round(ours, 3),
        "pandas_features": _by_pandas(orders).shape[1],
        "pandas_milliseconds": round(pandas, 3),
        "ratio": round(pandas / ours, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
