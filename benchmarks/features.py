"""The catalogue's window features of customers at twelve snapshots, beside polars (lazy, streaming).

Twenty events a customer, orders and four other kinds, in memory and in order of customer and time for both. The
features are all that the catalogue makes of such a log over windows of days, by the formulas of `_FORMULAS`: 44 of 41
aggregates. For polars the same are written as expressions over one group-by a snapshot. Both take every core, and
neither keeps more than it is at work on: ours goes through customers in chunks, as training and scoring read them, and
polars streams.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.comparison import Case, Side, compare, largest_difference
from benchmarks.simulated_events import EVENT_NAMES, event_log, snapshots
from features.aggregate import Aggregate, Measure
from features.build import FeaturePlan, build_features_at
from features.catalogue import CATALOGUE
from features.event_log import ORDER
from features.families.formulas import capped_share, difference, ratio
from features.feature import Feature, Formula
from features.reference import Reference
from features.slug import slug
from features.windows import Snapshot

__all__ = ["REFERENCE", "main", "window_features"]

_EVENTS_A_CUSTOMER = 20
_SNAPSHOTS, _DAYS_APART = 12, 30
_THREADS = len(os.sched_getaffinity(0))  # as many as polars takes of itself
_COMPARED = 1_000  # customers, from the first
_CUSTOMERS_A_CHUNK = 20_000  # as the store reads them
_LONG_AGO = -1_000_000  # a day

_FAMILIES = tuple(slug(name) for name in EVENT_NAMES if name != "Order Completed")
REFERENCE = Reference(
    first_days=dict.fromkeys(("purchases", "events", *(f"event.{family}" for family in _FAMILIES)), _LONG_AGO)
)

_ago = pl.col("ago")
_is_order = pl.col("is_order")


def _ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    return pl.when(denominator > 0).then(numerator / denominator)


# The catalogue's formulas, as polars has them.
_FORMULAS: Mapping[Formula | None, Callable[..., pl.Expr]] = {
    None: lambda only: only,
    difference: lambda now, before: now - before,
    ratio: _ratio,
    capped_share: lambda part, whole: _ratio(part.fill_null(0), whole).clip(upper_bound=1.0),
}


class Found(NamedTuple):
    """Features of the first customers at the last snapshot: who they are, and a row each."""

    customers: NDArray[np.int64]
    values: NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=500_000)


def window_features() -> list[Feature]:
    """Return the features of the catalogue that look back over days of such a log and share a formula known here."""
    return [
        feature
        for feature in CATALOGUE.values()
        if set(feature.gates) <= set(REFERENCE.first_days)
        and feature.formula in _FORMULAS
        and feature.inputs
        and all(a.days is not None for a in feature.inputs)
    ]


def _cases(customers: int) -> Iterator[Case]:
    yield Case(
        "features",
        customers,
        ours=Side(_prepare_ours, customers),
        peer=Side(_prepare_polars, customers),
        peer_name="polars, lazy and streaming",
        agreement=_agreement,
        note=f"{len(window_features())} features, {_SNAPSHOTS} snapshots, {_EVENTS_A_CUSTOMER} events a customer",
    )


def _prepare_ours(customers: int) -> Callable[[], Found]:
    plan = FeaturePlan.of(window_features())
    few, log = event_log(10, _EVENTS_A_CUSTOMER), event_log(customers, _EVENTS_A_CUSTOMER)
    at = snapshots(_SNAPSHOTS, _DAYS_APART)
    build_features_at(few, at, REFERENCE, plan)
    firsts = range(0, customers, _CUSTOMERS_A_CHUNK)
    chunks = [log.take(range(first, min(first + _CUSTOMERS_A_CHUNK, customers))) for first in firsts]
    del log

    def run() -> Found:
        compared: list[NDArray[np.float64]] = []
        for chunk in chunks:
            newest = build_features_at(chunk, at, REFERENCE, plan, num_threads=_THREADS)[-1]
            compared.append(newest.values[: _COMPARED - sum(map(len, compared))].copy())
        values = np.concatenate(compared)
        return Found(np.arange(len(values)), values)

    return run


def _prepare_polars(customers: int) -> Callable[[], Found]:
    log = event_log(customers, _EVENTS_A_CUSTOMER)
    frame = pl.DataFrame(
        {
            "customer": np.repeat(np.arange(customers), np.diff(log.offsets)),
            "occurred_at": log.occurred_at,
            "day": log.day,
            "is_order": log.kind == ORDER,
            "event_type": log.event_type,
            "value": log.value,
        }
    ).with_columns(pl.col("customer").set_sorted())
    features = window_features()
    aggregates = list(dict.fromkeys(a for feature in features for a in feature.inputs))
    measured = {a: pl.col(f"a{i}") for i, a in enumerate(aggregates)}
    folded = [_expression(a).alias(f"a{i}") for i, a in enumerate(aggregates)]
    columns = [
        _FORMULAS[feature.formula](*(measured[a] for a in feature.inputs)).cast(pl.Float64).alias(feature.name)
        for feature in features
    ]

    def at(snapshot: Snapshot) -> pl.DataFrame:
        known = frame.lazy().filter(pl.col("occurred_at") < snapshot.as_of)
        with_ago = known.with_columns(ago=snapshot.last_day - pl.col("day"))
        return with_ago.group_by("customer").agg(folded).select("customer", *columns).collect(engine="streaming")

    def run() -> Found:
        found = pl.DataFrame()
        for snapshot in snapshots(_SNAPSHOTS, _DAYS_APART):
            found = at(snapshot)
        first = found.filter(pl.col("customer") < _COMPARED).sort("customer")
        return Found(first["customer"].to_numpy(), first.drop("customer").to_numpy())

    return run


def _expression(a: Aggregate) -> pl.Expr:
    """Return an aggregate of the events of a customer; null for one of purchases where there are none."""
    inside = (_ago >= a.ago) & (_ago < a.ago + (a.days or 0))
    event_types = [slug(name) for name in EVENT_NAMES]
    of_kind = ~_is_order if a.of is None else pl.col("event_type") == event_types.index(a.of)
    by_measure = {
        Measure.PURCHASE_DAYS: pl.col("day").filter(_is_order & inside).n_unique(),
        Measure.ORDERS: (_is_order & inside).sum(),
        Measure.VALUE: pl.col("value").filter(_is_order & inside).sum(),
        Measure.EVENTS: (of_kind & inside).sum(),
        Measure.EVENT_DAYS: pl.col("day").filter(of_kind & inside).n_unique(),
    }
    of_purchases = a.measure in (Measure.PURCHASE_DAYS, Measure.ORDERS, Measure.VALUE)
    # Counts are unsigned, and are subtracted from each other.
    measured = by_measure[a.measure].cast(pl.Float64)
    return pl.when(_is_order.any()).then(measured) if of_purchases else measured


def _agreement(ours: Found, peer: Found) -> float:
    return largest_difference(ours.values[peer.customers], peer.values)


if __name__ == "__main__":
    main()
