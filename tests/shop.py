"""A small shop of invented customers, whose true behaviour is BG/NBD and Gamma-Gamma: as rows, as a log, in a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.netting import NO_ORDER, NO_PRODUCT, ROW_ORDER, ROW_OTHER, RawEvents, net
from features.targets import CHURN, Target
from features.windows import Snapshot
from models.model_inputs import ModelInputs
from models.segment_policy import SegmentPolicy
from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.settings import Settings, load_settings
from store.training_request import TrainingRequest
from training.fit_bundle import Training, fit_bundle

__all__ = [
    "AS_OF",
    "CHURN_TARGET",
    "HORIZON_DAYS",
    "NOW",
    "N_CUSTOMERS",
    "PROSPECTS",
    "REQUEST",
    "Row",
    "fill",
    "local_day",
    "microseconds",
    "shop_inputs",
    "shop_log",
    "shop_rows",
    "shop_settings",
    "shop_training",
    "to_log",
]

ORDER = "Order Completed"
VISIT = "Session Started"

HORIZON_DAYS = 90
N_CUSTOMERS = 1_500
REQUEST = TrainingRequest(trials=2, clv_model="bg_nbd")
CHURN_TARGET = Target(name=CHURN, kind="inactivity").with_defaults(HORIZON_DAYS, None)
PROSPECTS = ("visitor-1", "visitor-2")
AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
NOW = datetime(2024, 7, 2, 9, 30, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(2022, 1, 1, tzinfo=UTC)
_DAYS = (AS_OF - _FIRST).days
_LAST_FIRST_PURCHASE = 880.0


@dataclass(frozen=True, slots=True)
class Row:
    """One event: an order with its value, or a visit without one."""

    customer_id: str
    at: datetime
    value: float | None
    event: str = ORDER


@cache
def shop_rows() -> tuple[Row, ...]:
    """Events of two and a half years, by customer and time: 1,500 customers who bought and two who only looked."""
    rng = np.random.default_rng(1997)
    rows: list[Row] = []
    for number in range(N_CUSTOMERS):
        rate, dropout = rng.gamma(1.2) / 45.0, rng.beta(0.8, 3.2)
        spend = 6.0 / (rng.gamma(4.0) / 60.0)
        day = rng.uniform(0.0, _LAST_FIRST_PURCHASE)
        while day < _DAYS:
            at = _FIRST + timedelta(minutes=int(day * 1_440))
            rows.append(Row(f"k{number:04}", at, round(float(rng.gamma(6.0) * spend / 6.0), 2)))
            if rng.uniform() < dropout:
                break
            day += rng.exponential(1.0 / rate)
    rows += [Row(name, AS_OF - timedelta(days=3), None, VISIT) for name in PROSPECTS]
    return tuple(sorted(rows, key=lambda row: (row.customer_id, row.at)))


@cache
def shop_log() -> EventLog:
    """The shop as a log."""
    return to_log(shop_rows())


@cache
def shop_training() -> Training:
    """What a training of two trials makes of the shop: seconds to fit, so one a process serves all tests."""
    settings = shop_settings("sqlite:///unused.db", Path())
    return fit_bundle(shop_log(), settings, REQUEST, today=NOW, policy=SegmentPolicy())


@cache
def shop_inputs(day: int) -> ModelInputs:
    """What makes features of the shop, fitted on what was known at the midnight of a local day."""
    log = shop_log()
    return ModelInputs.fit(log, Snapshot.at_midnight(day, log.calendar), HORIZON_DAYS)


def to_log(rows: Sequence[Row], timezone: str = "UTC") -> EventLog:
    """Net rows, in any order, into a log."""
    ordered = sorted(rows, key=lambda row: (row.customer_id, row.at))
    ids = tuple(sorted({row.customer_id for row in ordered}))
    position = {customer_id: i for i, customer_id in enumerate(ids)}
    types = tuple(sorted({row.event for row in ordered}))
    n = len(ordered)
    raw = RawEvents(
        customer_ids=ids,
        customer=np.array([position[row.customer_id] for row in ordered], dtype=np.int64),
        occurred_at=np.array([microseconds(row.at) for row in ordered], dtype=np.int64),
        action=np.array([ROW_ORDER if row.event == ORDER else ROW_OTHER for row in ordered], dtype=np.int8),
        group=np.arange(n, dtype=np.int64),
        order_key=np.full(n, NO_ORDER, dtype=np.int64),
        product=np.full(n, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(n, np.nan),
        value=np.array([np.nan if row.value is None else row.value for row in ordered], dtype=np.float64),
        event_type=np.array([types.index(row.event) for row in ordered], dtype=np.int16),
        event_types=types,
    )
    return net(raw, LocalCalendar(timezone))[0]


def shop_settings(url: str, folder: Path, *, as_of: datetime | None = AS_OF, timezone: str = "UTC") -> Settings:
    """Settings of a deployment whose bundles lie below a folder."""
    return load_settings(database_url=url, bundle_dir=folder / "bundles", as_of=as_of, timezone=timezone)


def fill(database: Database, folder: Path, rows: Sequence[Row]) -> None:
    """Ingest rows, in the order given, from a file."""
    path = folder / "shop.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "at", "what", "value"))
        writer.writerows((row.customer_id, row.at.isoformat(), row.event, row.value) for row in rows)
    mapping = EventMapping(customer_id="customer", occurred_at="at", event_column="what", value="value", source="shop")
    report = ingest_events(
        database, shop_settings(f"sqlite:///{folder}/unused.db", folder), path, mapping, received_at=NOW
    )
    assert (report.read, report.stored, report.rejected) == (len(rows), len(rows), 0)


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def local_day(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01."""
    return (date(year, month, day) - date(1970, 1, 1)).days
