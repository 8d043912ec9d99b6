"""What a run said of customers and what came of them, gathered by ranges of keys: of each only a few numbers stay."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure, aggregate
from features.build import FeatureFrame
from features.calendar import LocalCalendar
from features.event_log import EventLog
from features.labels import outcome
from features.targets import CHURN
from features.windows import Snapshot
from store.customer_keys import CustomerKeys
from store.quality import FORECAST, PURCHASES, TARGET, Kind, SaidRows
from training.came_true import Forecasts, Listed, forecast_figures, listed_figures, target_figures
from training.stored_comparison import Comparison

__all__ = ["NO_SCORES", "GatheredOutcomes"]

FloatArray = NDArray[np.float64]
_AVERAGE_VALUE = "expected_average_value"
NO_SCORES = "The scores of this run have been deleted: it is older than is kept."
_NO_FORECAST = "The run expected no purchases of anybody."


@dataclass(slots=True)
class GatheredOutcomes:
    """The few numbers of each customer that figures are made of."""

    comparison: Comparison
    asked: Mapping[tuple[Kind, str], int]
    snapshot: Snapshot
    ends: Mapping[int, Snapshot]
    in_hindsight: bool
    found: int = 0
    gone: int = 0
    later: int = 0
    judged: dict[str, list[tuple[FloatArray, FloatArray]]] = field(default_factory=lambda: defaultdict(list))
    listed: list[FloatArray] = field(default_factory=list)
    forecasts: list[FloatArray] = field(default_factory=list)

    def add(self, customers: CustomerKeys, log: EventLog, said: SaidRows) -> None:
        """Add some customers: those whom the run spoke of and who are still there."""
        still = np.isin(said.keys, customers.keys)
        self.later += said.later
        self.gone += int((~still).sum())
        self.found += int(still.sum())
        if not still.any():
            return
        rows = np.flatnonzero(still)
        log = log.take(np.sort(positions := customers.positions(said.keys[rows])))
        rows = rows[np.argsort(positions)]  # in the order of the log from here on
        numbers = {name: column[rows] for name, column in said.numbers.items()}
        came = partial(self._came, log, numbers[_AVERAGE_VALUE])
        for kind, name in self.asked:
            if kind == TARGET and name != CHURN:
                probability = _propensity([said.propensities[row] for row in rows.tolist()], name)
                self._judge(name, came(name), probability)
        if (TARGET, CHURN) in self.asked:
            churned, probability = came(CHURN), numbers["churn_probability"]
            self._judge(CHURN, churned, probability)
            days = self.asked[TARGET, CHURN]
            spent = self._spent(log, days)[:, 1]
            listed = np.array(["at_risk" in said.segments[row].split() for row in rows.tolist()], dtype=np.bool_)
            listed &= ~np.isnan(probability)
            columns = (churned, numbers["value_at_risk"], numbers["clv"], spent)
            self.listed.append(np.column_stack(columns)[listed])
        if (FORECAST, PURCHASES) in self.asked:
            expected = numbers["expected_purchases"]
            came_days = self._spent(log, self.asked[FORECAST, PURCHASES])
            columns = (
                expected,
                numbers["expected_purchases_low"],
                numbers["expected_purchases_high"],
                numbers[_AVERAGE_VALUE],
                *came_days.T,
            )
            self.forecasts.append(np.column_stack(columns)[~np.isnan(expected)])

    def reports(self, calendar: LocalCalendar) -> dict[tuple[Kind, str], dict[str, Any]]:
        """Return the figures of each part that was asked for."""
        run = self.comparison.run
        found: dict[tuple[Kind, str], dict[str, Any]] = {}
        for (kind, name), days in self.asked.items():
            if not self.found and run.n_customers:
                found[kind, name] = {"not_comparable": NO_SCORES}
                continue
            told = self._target(name) if kind == TARGET else self._forecast()
            if "not_comparable" not in told:
                told |= {
                    "horizon_days": days,
                    "in_hindsight": self.in_hindsight,
                    "until": calendar.later(self.comparison.as_of, days).isoformat(),
                    "left_out": {
                        "gone": max(self.gone, (run.n_customers or 0) - self.found - self.later),
                        "later": self.later,
                    },
                }
            found[kind, name] = told
        return found

    def _target(self, name: str) -> dict[str, Any]:
        y, probability = (np.concatenate([*part, np.empty(0)]) for part in zip(*self.judged[name], strict=True))
        told = target_figures(y, probability, self.comparison.tests[name])
        if name == CHURN and self.comparison.horizon_days is not None:
            told["listed"] = listed_figures(Listed(*_joined(self.listed, 4)), base_rate=told["rate"])
        return told

    def _forecast(self) -> dict[str, Any]:
        told = Forecasts(*_joined(self.forecasts, 6))
        return forecast_figures(told) if len(told.expected) else {"not_comparable": _NO_FORECAST}

    def _judge(self, name: str, y: FloatArray, probability: FloatArray) -> None:
        judged = ~np.isnan(probability)
        self.judged[name].append((y[judged], probability[judged]))

    def _came(self, log: EventLog, average_value: FloatArray, name: str) -> FloatArray:
        target = self.comparison.targets[name]
        # Of all features labels read this one only, and as the run knew it.
        nothing = FeatureFrame(log.customer_ids, (), np.empty((log.n_customers, 0)))
        frame = nothing.with_columns((_AVERAGE_VALUE,), (average_value,))
        return outcome(target, log, self.snapshot, frame, self.ends[target.horizon])

    def _spent(self, log: EventLog, days: int) -> FloatArray:
        """Return purchase days and spending on so many whole days after the day of the run, shape (n, 2)."""
        within = (Aggregate(Measure.PURCHASE_DAYS, days=days), Aggregate(Measure.VALUE, days=days))
        came = np.nan_to_num(aggregate(log, self.snapshot.after(days, log.calendar), within), nan=0.0)
        # Where refunds of earlier orders outweigh what was spent, that is nothing.
        return np.maximum(came, 0.0)


def _joined(parts: Sequence[FloatArray], columns: int) -> FloatArray:
    return np.concatenate([*parts, np.empty((0, columns))]).T


def _propensity(stored: Sequence[str | None], name: str) -> FloatArray:
    """Return what was said of a target, NaN of those who were not judged."""
    told = (json.loads(each).get(name) if each else None for each in stored)
    return np.array([np.nan if each is None else each["probability"] for each in told], dtype=np.float64)
