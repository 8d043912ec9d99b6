"""An excerpt of Hillstrom's randomised e-mails as a campaign; all of it is for `make endurance`."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from store.engine import Database
from tests.data.hillstrom_campaign import MENS, NONE, WOMENS, effect_on_visits


def test_the_effect_on_an_excerpt_is_that_of_its_own_rows_on_either_engine(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    found, rows = effect_on_visits(database, database_url, tmp_path, 4_500)
    visits = {arm: [row["visit"] == "1" for row in rows if row["segment"] == arm] for arm in (MENS, WOMENS, NONE)}
    spend = {arm: [float(row["spend"]) for row in rows if row["segment"] == arm] for arm in visits}
    assert (found["held_out"]["n"], found["held_out"]["came"]) == (len(visits[NONE]), sum(visits[NONE]))
    for arm in found["arms"]:
        told = visits[arm["arm"]]
        assert (arm["n"], arm["came"], arm["open"]) == (len(told), sum(told), 0)
        expected = stats.ttest_ind(spend[arm["arm"]], spend[NONE]).confidence_interval()
        assert arm["value_difference"]["low"] == pytest.approx(expected.low, rel=1e-6)
        assert arm["value_difference"]["high"] == pytest.approx(expected.high, rel=1e-6)
