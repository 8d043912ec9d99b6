"""Every feature of the catalogue once more, with pandas, straight from its description."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from features.event_log import ADJUSTMENT, ORDER, UNMATCHED_REFUND
from tests.features.reference_netting import net_one_customer
from tests.features.strategies import Row

__all__ = ["expected_features"]


def expected_features(rows: Sequence[Row], as_of: datetime, timezone: str) -> dict[str, float] | None:
    """Features of one customer from rows in order of time; None without a purchase before `as_of`."""
    zone = ZoneInfo(timezone)
    entries = net_one_customer([row for row in rows if row.at < as_of]).entries
    last_day = (as_of - timedelta(microseconds=1)).astimezone(zone).date()

    orders: dict[int, tuple[date, float, bool]] = {}
    refunds: list[tuple[date, float]] = []
    for entry in entries:
        local = entry.at.astimezone(zone).date()
        if entry.kind == ORDER:
            orders[entry.order] = (local, entry.value, True)
        elif entry.kind == ADJUSTMENT:
            bought_on, before, _ = orders[entry.order]
            orders[entry.order] = (bought_on, before + entry.value, entry.is_purchase)
        elif entry.kind == UNMATCHED_REFUND:
            refunds.append((local, entry.value))
    counted = [(day, amount) for day, amount, is_purchase in orders.values() if is_purchase]
    purchases = pd.DataFrame(counted, columns=["day", "value"])
    if purchases.empty:
        return None
    days = purchases.groupby("day")["value"].sum().sort_index()
    back = pd.Series([(last_day - day).days for day in days.index], index=days.index)
    unmatched = pd.DataFrame(
        [((last_day - day).days, value) for day, value in refunds], columns=["back", "value"]
    ).astype({"back": "int64", "value": "float64"})

    def n_days(newest: int, oldest: int) -> float:
        return float(((back >= newest) & (back < oldest)).sum())

    def value_between(newest: int, oldest: int) -> float:
        of_orders = days[(back >= newest) & (back < oldest)].sum()
        of_refunds = unmatched.loc[(unmatched["back"] >= newest) & (unmatched["back"] < oldest), "value"].sum()
        return float(of_orders + of_refunds)

    n = len(days)
    T, silence = float(back.iloc[0]), float(back.iloc[-1])
    gaps = -back.diff().dropna()
    gap_mean = float(gaps.mean()) if n > 1 else math.nan
    total = float(days.sum() + unmatched["value"].sum())
    snapshot_date = last_day + timedelta(days=1)
    phase = (snapshot_date - date(snapshot_date.year, 1, 1)) / (
        date(snapshot_date.year + 1, 1, 1) - date(snapshot_date.year, 1, 1)
    )
    a_year_ago = snapshot_date - timedelta(days=365)
    return {
        "frequency": n - 1.0,
        "recency": T - silence,
        "T": T,
        "days_since_last_purchase": silence,
        "monetary_value": float(days.iloc[1:].mean()) if n > 1 else math.nan,
        "orders": float(len(purchases)),
        "total_value": total,
        "mean_order_value": total / len(purchases),
        "day_value_deviation": float(days.std(ddof=0)) if n > 1 else math.nan,
        "day_value_max": float(days.max()),
        "first_day_value": float(days.iloc[0]),
        "last_day_value": float(days.iloc[-1]),
        **{f"purchase_days_{length}d": n_days(0, length) for length in (7, 30, 90, 180, 365)},
        **{f"value_{length}d": value_between(0, length) for length in (7, 30, 90, 180, 365)},
        "purchase_days_per_30d": n / (T + 1.0) * 30.0,
        "gap_mean": gap_mean,
        "gap_deviation": float(gaps.std(ddof=0)) if n > 2 else math.nan,
        "gap_last": float(gaps.iloc[-1]) if n > 1 else math.nan,
        "gap_longest": float(gaps.max()) if n > 1 else math.nan,
        "silence_ratio": silence / gap_mean if n > 1 else math.nan,
        **{
            f"purchase_days_change_{length}d": n_days(0, length) - n_days(length, 2 * length)
            for length in (30, 90, 180)
        },
        "value_change_90d": value_between(0, 90) - value_between(90, 180),
        "purchase_days_year_ago_90d": (
            float(sum(a_year_ago <= day < a_year_ago + timedelta(days=90) for day in days.index))
            if days.index[0] < a_year_ago
            else math.nan
        ),
        "season_sine": math.sin(2 * math.pi * phase),
        "season_cosine": math.cos(2 * math.pi * phase),
    }
