"""Reports of drivers for a shop that is served, made by the real sums of a few invented customers."""

from __future__ import annotations

from functools import cache

import numpy as np

from models.driver_report import DriverReport
from models.drivers import DriverSums
from models.segments import SEGMENTS
from store import drivers
from store.engine import Database

__all__ = ["FEATURES", "PLANS", "driver_reports", "write_drivers"]

FEATURES = ("days_since_last_purchase", "frequency", "mean_order_value", "attribute.Plan", "season_sine")
PLANS = ("basic", "<b>pro</b>")
_N = 300


@cache
def driver_reports() -> dict[str, dict[str, DriverReport]]:
    """Reports of two targets; of the steady customers there are some, of the at-risk ones others, of the rest none."""
    rng = np.random.default_rng(11)
    days, frequency, plan = rng.uniform(0, 90, _N), rng.poisson(3.0, _N), rng.integers(0, 2, _N)
    value = np.where(rng.random(_N) < 0.2, np.nan, rng.gamma(2.0, 20.0, _N))
    values = np.column_stack([days, frequency, value, plan, np.zeros(_N)])
    churn = np.column_stack(
        [(days - 45) / 30, (2.5 - frequency) / 4, rng.normal(scale=0.1, size=_N), 0.3 - 0.6 * plan, np.zeros(_N)]
    )
    member = np.zeros((_N, len(SEGMENTS)), dtype=np.bool_)
    member[:, SEGMENTS.index("at_risk")] = churn.sum(axis=1) > 0.5
    member[:, SEGMENTS.index("steady")] = churn.sum(axis=1) <= 0.5
    found = {}
    for target, contributions in (("churn", churn), ("upsell", -0.5 * churn)):
        sums = DriverSums(
            FEATURES,
            {"attribute.Plan": PLANS},
            {"days_since_last_purchase": (15.0, 30.0, 45.0, 60.0), "frequency": (1.0, 2.0, 3.0, 4.0)},
            SEGMENTS,
        )
        sums.add(contributions, values, member)
        found[target] = sums.reports()
    return found


def write_drivers(database: Database, run_id: int = 1) -> None:
    """Store the reports with a run, in the place of its own."""
    with database.write() as session:
        drivers.clear(session, run_id)
        for target, reports in driver_reports().items():
            drivers.write(session, run_id, target, reports)
