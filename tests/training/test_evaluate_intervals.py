"""Intervals on a hold-out: goals on CDNOW, a shop whose habits change, and plain words where little can be said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from features.build import build_features
from features.event_log import EventLog
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd import BetaGeoModel, GammaGammaModel
from tests.data.cdnow import END_DAY, cdnow_log
from tests.shop import Row, local_day, to_log
from training.evaluate_intervals import evaluate_intervals, learn_recalibration
from training.exceptions import TrainingError

FIRST = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 270
HORIZON = 60


def evaluate(log: EventLog, *, end_day: int, holdout_days: int) -> dict[str, Any]:
    rfm = Rfm.of(build_features(log, Snapshot.at_midnight(end_day - holdout_days, log.calendar)))
    return evaluate_intervals(
        log,
        end_day=end_day,
        holdout_days=holdout_days,
        btyd=BetaGeoModel().fit(rfm.frequency, rfm.recency, rfm.T),
        gamma_gamma=GammaGammaModel().fit(rfm.frequency, rfm.monetary_value),
        seed=1,
    )


@cache
def shop(n_customers: int, *, restless: bool) -> EventLog:
    """A grocer: everybody buys at a rate of his own; where customers are restless, it is drawn anew every 60 days."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(n_customers):
        usual = rng.gamma(4.0, 0.05)
        drawn = usual * (rng.gamma(3.0, 1 / 3, size=6) if restless else np.ones(6))
        bought = rng.random(DAYS) < 1 - np.exp(-drawn[(DAYS - 1 - np.arange(DAYS)) // HORIZON])
        bought[rng.integers(0, 20)] = True
        values = rng.gamma(6.0, 4.0, DAYS)
        rows += [
            Row(f"c{number:04}", FIRST + timedelta(days=int(day), hours=12), float(values[day]))
            for day in np.flatnonzero(bought)
        ]
    return to_log(rows)


def end_of_shop() -> int:
    end = FIRST + timedelta(days=DAYS)
    return local_day(end.year, end.month, end.day)


@pytest.fixture(scope="module")
def cdnow() -> dict[str, Any]:
    return evaluate(cdnow_log("cdnow_master.parquet"), end_day=END_DAY, holdout_days=90)


@pytest.fixture(scope="module")
def restless() -> dict[str, Any]:
    return evaluate(shop(1_200, restless=True), end_day=end_of_shop(), holdout_days=HORIZON)


def test_on_cdnow_every_tenth_of_the_transform_is_within_three_points(cdnow: dict[str, Any]) -> None:
    for part in ("purchase_days", "value"):
        assert cdnow[part]["pit_deviation_points"] < 1
        assert cdnow[part]["randomised_coverage"] == pytest.approx(0.8, abs=0.01)
        assert sum(cdnow[part]["pit_tenths"]) == pytest.approx(1)


def test_on_cdnow_intervals_beat_the_same_poisson_and_lose_nothing_by_parameter_uncertainty(
    cdnow: dict[str, Any],
) -> None:
    baselines = cdnow["purchase_days"]["baselines"]
    ours = cdnow["purchase_days"]["interval_score"]

    assert ours < 0.7 * baselines["same_poisson"]["interval_score"]
    assert ours < 1.005 * baselines["bg_nbd_without_parameter_uncertainty"]["interval_score"]


def test_on_cdnow_nothing_needs_to_be_recalibrated(cdnow: dict[str, Any]) -> None:
    assert cdnow["recalibration"]["kept"] is False
    assert cdnow["recalibration"]["recalibration"] == {"shift": 0.0, "stretch": 1.0}
    assert "In the 90 days before the hold-out the worst share was off by 0.8 points" in cdnow["notes"][-1]


def test_the_report_says_that_yearly_intervals_cannot_be_checked(cdnow: dict[str, Any]) -> None:
    assert cdnow["notes"][0].startswith("Intervals are checked over the hold-out of 90 days. Those of a clv over a lon")


def test_the_report_is_json(cdnow: dict[str, Any]) -> None:
    assert json.loads(json.dumps(cdnow, allow_nan=False)) == cdnow


def test_customers_who_change_their_habits_are_recalibrated_by_the_period_before(restless: dict[str, Any]) -> None:
    counts = restless["purchase_days"]

    assert restless["recalibration"]["kept"] is True
    assert restless["recalibration"]["recalibration"]["stretch"] > 1.2
    assert counts["before_recalibration"]["pit_deviation_points"] > 5
    assert counts["pit_deviation_points"] < 3
    assert counts["randomised_coverage"] == pytest.approx(0.8, abs=0.03)
    without = counts["baselines"]["bg_nbd_without_parameter_uncertainty"]["interval_score"]
    assert counts["interval_score"] < without


def test_what_is_learnt_reads_nothing_after_its_period() -> None:
    log = shop(1_200, restless=True)
    end = end_of_shop()
    before_hold_out = learn_recalibration(log, end_day=end - HORIZON, horizon_days=HORIZON, kind=BetaGeoModel)
    cut = log.before(Snapshot.at_midnight(end - HORIZON, log.calendar).as_of)

    assert before_hold_out is not None
    assert learn_recalibration(cut, end_day=end - HORIZON, horizon_days=HORIZON, kind=BetaGeoModel) == before_hold_out


def test_nothing_is_learnt_from_a_history_shorter_than_the_period() -> None:
    log = shop(300, restless=False)

    assert learn_recalibration(log, end_day=end_of_shop(), horizon_days=200, kind=BetaGeoModel) is None
    report = evaluate(log, end_day=end_of_shop(), holdout_days=120)
    assert report["recalibration"] is None
    assert "There is no earlier period of 120 days with as much history before it" in report["notes"][-1]


def test_with_few_customers_the_report_says_what_cannot_be_told() -> None:
    report = evaluate(shop(300, restless=False), end_day=end_of_shop(), holdout_days=HORIZON)

    # sqrt(.1 x .9 / 300) and sqrt(.8 x .2 / 300).
    assert (
        "There are only 300 customers. By chance alone the share of a tenth is off by 1.7 points" in report["notes"][1]
    )
    assert "that of an 80 % interval by 2.3" in report["notes"][1]


def test_a_season_that_the_history_never_saw_is_named() -> None:
    report = evaluate(shop(300, restless=False), end_day=end_of_shop() + 40, holdout_days=80)

    named = [note for note in report["notes"] if "not for a season or a change that it never saw" in note]
    assert len(named) == 1


def test_a_hold_out_longer_than_the_log_is_refused() -> None:
    log = shop(300, restless=False)
    with pytest.raises(TrainingError, match="where a hold-out of 400 days begins"):
        evaluate_intervals(
            log,
            end_day=end_of_shop(),
            holdout_days=400,
            btyd=BetaGeoModel.from_params(r=1.0, alpha=10.0, a=1.0, b=3.0),
            gamma_gamma=GammaGammaModel.from_params(p=6.0, q=3.0, v=10.0),
            seed=1,
        )
