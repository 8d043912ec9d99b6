"""Assumptions of the models, held against logs of which the answer is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import Row, local_day, to_log
from training.purchase_assumptions import assumptions_of, whole_months


def test_cdnow_is_a_cohort_followed_from_its_first_purchase_and_too_short_for_a_season() -> None:
    checks = {check["name"]: check for check in assumptions_of(cdnow_log("cdnow_sample.parquet"), end_day=END_DAY)}
    assert checks["history_begins_with_customers"]["holds"] is True
    assert checks["no_season"]["holds"] is None
    # 1997-01-01 to 1998-06-30 are eighteen whole months.
    assert checks["no_season"]["text"].startswith("18 whole months")
    assert checks["value_independent_of_frequency"]["n_customers"] > 900
    assert json.loads(json.dumps(list(checks.values()), allow_nan=False)) == list(checks.values())


def test_a_shop_that_sells_in_december_has_a_season() -> None:
    rng = np.random.default_rng(0)
    first = datetime(2021, 1, 10, tzinfo=UTC)
    rows = []
    for day in range(1_090):
        moment = first + timedelta(days=day)
        n = rng.poisson(12 if moment.month == 12 else 4)
        rows += [Row(f"c{rng.integers(0, 300):03}", moment, float(rng.gamma(4.0, 10.0))) for _ in range(n)]
    end = first + timedelta(days=1_090)
    checks = {
        check["name"]: check for check in assumptions_of(to_log(rows), end_day=local_day(end.year, end.month, end.day))
    }
    assert checks["no_season"]["holds"] is False
    assert "December is the strongest month" in checks["no_season"]["text"]


def test_the_first_of_a_month_that_is_not_whole_is_not_counted_into_the_month_before() -> None:
    first, end = local_day(2020, 1, 1), local_day(2020, 4, 10)
    days = np.repeat(np.arange(first, end, dtype=np.int32), 10)
    counts, first_month = whole_months(days, first, end)
    assert (counts.tolist(), first_month) == ([310, 290, 310], 1)
    counts, first_month = whole_months(days[days > first], first + 1, end)
    assert (counts.tolist(), first_month) == ([290, 310], 2)
    assert whole_months(days[:100], first + 1, first + 10)[0].tolist() == []


def test_what_comes_after_the_end_is_not_looked_at() -> None:
    log = cdnow_log("cdnow_sample.parquet")
    earlier = END_DAY - 200
    assert assumptions_of(log, end_day=earlier) == assumptions_of(
        log.before(log.calendar.midnight(earlier)), end_day=earlier
    )
