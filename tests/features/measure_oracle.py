"""Every measure of events, lines, refunds, channels and times once more, slowly, straight from what `Measure` says."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from features.aggregate import Aggregate, Measure
from features.event_log import ADJUSTMENT, ORDER, OTHER
from features.slug import slug
from tests.features.reference_netting import Entry, net_one_customer
from tests.features.strategies import Row

__all__ = ["MeasuresOfOne"]


class MeasuresOfOne:
    """Measures of one customer at an instant, from rows in order of time."""

    def __init__(self, rows: Sequence[Row], as_of: datetime, timezone: str, prices: Mapping[str, float]) -> None:
        self._zone = ZoneInfo(timezone)
        self._last_day = self._day(as_of - timedelta(microseconds=1))
        self._prices = prices
        netted = net_one_customer([row for row in rows if row.at < as_of])
        self._entries = netted.entries
        self._lines = [line for line in netted.lines if line.row.is_line and line.until is None]

    def __call__(self, aggregate: Aggregate) -> float:
        """Measure; NaN where there is nothing to measure by."""
        measure, newest = aggregate.measure, aggregate.ago
        oldest = math.inf if aggregate.days is None else newest + aggregate.days
        if Measure.EVENTS <= measure <= Measure.DAYS_SINCE_ANYTHING:
            return self._of_events(measure, aggregate.of, newest, oldest)
        if Measure.LINES <= measure <= Measure.PRICE_LEVEL:
            return self._of_lines(measure, newest, oldest)
        if Measure.REFUNDS <= measure <= Measure.ORDERED_VALUE:
            return self._of_refunds(measure, newest, oldest)
        if Measure.CHANNELS <= measure <= Measure.CHANNEL_ENTROPY:
            return self._of_channels(measure, newest, oldest)
        return self._of_times(measure, newest, oldest)

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def _ago(self, at: datetime) -> int:
        return (self._last_day - self._day(at)).days

    def _of_events(self, measure: Measure, of: str | None, newest: int, oldest: float) -> float:
        some: Iterable[Entry] = self._entries
        if measure != Measure.DAYS_SINCE_ANYTHING:
            some = [entry for entry in some if entry.kind == OTHER and of in (None, slug(entry.row.name))]
        days = [self._ago(entry.at) for entry in some if newest <= self._ago(entry.at) < oldest]
        if measure == Measure.EVENTS:
            return len(days)
        if measure == Measure.EVENT_DAYS:
            return len(set(days))
        return min(days, default=math.nan)

    def _of_lines(self, measure: Measure, newest: int, oldest: float) -> float:
        known = [line for line in self._lines if newest <= self._ago(line.ordered_at) < oldest]
        lines = [line.row for line in known]
        values: Counter[str] = Counter()
        for row in lines:
            if row.category is not None and row.value is not None:
                values[_department(row)] += row.value  # type: ignore[assignment]
        total = sum(values.values())
        if measure == Measure.LINES:
            return len(lines)
        if measure == Measure.LINE_ORDERS:
            # A line without a number is an order by itself.
            return len({row.order for row in lines if row.order}) + sum(row.order is None for row in lines)
        if measure == Measure.PRODUCTS:
            return len({row.product for row in lines} - {None})
        if measure == Measure.CATEGORIES:
            return len({_department(row) for row in lines if row.category is not None})
        if measure == Measure.NEW_PRODUCT_LINES:
            first_at: dict[int | None, datetime] = {}
            for line in self._lines:
                first_at[line.row.product] = min(line.ordered_at, first_at.get(line.row.product, line.ordered_at))
            return sum(e.row.product is not None and e.ordered_at == first_at[e.row.product] for e in known)
        if measure == Measure.PRODUCT_TOP_LINES:
            return max(Counter(row.product for row in lines if row.product is not None).values(), default=math.nan)
        if measure == Measure.CATEGORY_TOP_VALUE:
            return max(values.values()) if total > 0 else math.nan
        if measure == Measure.CATEGORY_CONCENTRATION:
            return sum((value / total) ** 2 for value in values.values()) if total > 0 else math.nan
        if measure == Measure.QUANTITY:
            return math.fsum(row.quantity for row in lines if row.quantity is not None)
        if measure == Measure.LINE_VALUE:
            return math.fsum(row.value for row in lines if row.value is not None)
        if measure == Measure.DISCOUNT:
            return math.fsum(row.discount for row in lines if row.discount is not None)
        if measure == Measure.DISCOUNTED_LINES:
            return sum(row.discount is not None and row.discount > 0 for row in lines)
        levels = [
            math.log(row.value / row.quantity / self._prices[_department(row)])
            for row in lines
            if row.value and row.quantity and row.category is not None and _department(row) in self._prices
        ]
        return math.fsum(levels) / len(levels) if levels else math.nan

    def _of_refunds(self, measure: Measure, newest: int, oldest: float) -> float:
        if measure == Measure.ORDERED_VALUE:
            # A late line, or an update, belongs to the day of its order.
            ordered = [
                (self._entries[entry.order].at if entry.kind == ADJUSTMENT else entry.at, entry.value)
                for entry in self._entries
                if entry.row.action in ("order", "update") and entry.kind != OTHER
            ]
            return math.fsum(value for at, value in ordered if newest <= self._ago(at) < oldest)
        refunds = [
            entry for entry in self._entries if entry.row.action == "refund" and newest <= self._ago(entry.at) < oldest
        ]
        if measure == Measure.REFUNDS:
            return len({entry.at for entry in refunds})
        if measure == Measure.REFUNDED_VALUE:
            return -math.fsum(entry.value for entry in refunds)
        return min((self._ago(entry.at) for entry in refunds), default=math.nan)

    def _of_channels(self, measure: Measure, newest: int, oldest: float) -> float:
        uses = Counter(
            entry.row.channel
            for entry in self._entries
            if entry.row.channel is not None and newest <= self._ago(entry.at) < oldest
        )
        shares = [n / uses.total() for n in uses.values()]
        if measure == Measure.CHANNELS:
            return len(uses)
        if measure == Measure.CHANNEL_TOP_SHARE:
            return max(shares, default=math.nan)
        return -math.fsum(share * math.log(share) for share in shares) if shares else math.nan

    def _of_times(self, measure: Measure, newest: int, oldest: float) -> float:
        counts: dict[int, bool] = {}
        for entry in self._entries:
            if entry.kind in (ORDER, ADJUSTMENT):
                counts[entry.order] = entry.is_purchase
        orders = [self._entries[order].at for order, is_purchase in counts.items() if is_purchase]
        local = sorted(at.astimezone(self._zone) for at in orders if newest <= self._ago(at) < oldest)
        if not local:
            return math.nan
        weekdays = Counter(at.weekday() for at in local)
        hours = Counter(at.hour for at in local)
        return {
            Measure.PREFERRED_WEEKDAY: min(weekdays, key=lambda day: (-weekdays[day], day)),
            Measure.PREFERRED_WEEKDAY_SHARE: max(weekdays.values()) / len(local),
            Measure.WEEKEND_SHARE: (weekdays[5] + weekdays[6]) / len(local),
            Measure.PREFERRED_HOUR: min(hours, key=lambda hour: (-hours[hour], hour)),
            Measure.FIRST_MONTH: local[0].month,
        }[measure]


def _department(row: Row) -> str:
    return str(json.loads(row.category or "{}")["department"])
