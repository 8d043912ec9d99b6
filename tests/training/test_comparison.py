"""A classifier beside its baselines: which one counts as the best, and what is said of the difference."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.special import expit

from models.bootstrap import Resampling, auc_difference_interval, log_loss_difference_interval
from models.calibration_check import calibration_error_if_perfect
from models.metrics import auc, log_loss
from training.comparison import Baseline, doubts

N = 400
RNG = np.random.default_rng(5)
LOG_ODDS = RNG.normal(0, 1.2, N)
Y = (RNG.random(N) < expit(LOG_ODDS)).astype(float)
OURS = expit(LOG_ODDS)
CUSTOMER = RNG.random(N)
NEAR = Baseline(expit(LOG_ODDS + RNG.normal(0, 0.5, N)), is_probability=True)
FAR = Baseline(expit(LOG_ODDS + RNG.normal(0, 3, N)), is_probability=True)
RANKING = Baseline(LOG_ODDS + RNG.normal(0, 0.1, N))


def test_each_figure_is_compared_with_the_baseline_that_is_best_by_it() -> None:
    told = doubts(Y, OURS, {"far": FAR, "near": NEAR, "ranking": RANKING}, customer=CUSTOMER, seed=2)
    resampling = Resampling.of(CUSTOMER, draws=1_000, seed=2)
    by_auc = auc_difference_interval(Y, OURS, RANKING.score, resampling)
    by_loss = log_loss_difference_interval(Y, OURS, NEAR.score, resampling)
    assert by_auc is not None
    assert by_loss is not None
    assert told["differences"] == {
        "auc": {"low": by_auc[0], "high": by_auc[1], "against": "ranking"},
        "log_loss": {"low": by_loss[0], "high": by_loss[1], "against": "near"},
    }
    assert told["calibration_error_if_perfect"] == asdict(calibration_error_if_perfect(OURS, draws=1_000, seed=2))
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_baseline_that_knows_nothing_of_some_rows_is_compared_on_the_others() -> None:
    known = np.arange(N) % 3 > 0
    partly = Baseline(np.where(known, RANKING.score, np.nan))
    assert partly.figures(Y) == {"auc": auc(Y[known], RANKING.score[known])}
    told = doubts(Y, OURS, {"partly": partly, "far": FAR}, customer=CUSTOMER, seed=2)["differences"]["auc"]
    on_the_others = auc_difference_interval(
        Y[known], OURS[known], RANKING.score[known], Resampling.of(CUSTOMER[known], draws=1_000, seed=2)
    )
    assert told["against"] == "partly"
    assert (told["low"], told["high"]) == on_the_others


def test_of_a_baseline_that_is_a_probability_the_log_loss_is_told_too() -> None:
    assert NEAR.figures(Y) == {"auc": auc(Y, NEAR.score), "log_loss": log_loss(Y, NEAR.score)}


def test_by_folds_the_best_baseline_is_that_with_the_best_mean_over_the_folds() -> None:
    fold = (np.arange(N) >= N // 2).astype(np.int64)
    # Within each fold it ranks well; a shift between the folds spoils the ranking of all rows together.
    shifted = Baseline(expit(RANKING.score + np.where(fold == 0, 6.0, -6.0)), is_probability=True)
    baselines = {"near": NEAR, "shifted": shifted}
    together = doubts(Y, OURS, baselines, customer=CUSTOMER, seed=2)
    by_fold = doubts(Y, OURS, baselines, customer=CUSTOMER, seed=2, fold=fold)
    assert together["differences"]["auc"]["against"] == "near"
    assert by_fold["differences"]["auc"]["against"] == "shifted"


def test_with_one_event_there_is_no_interval_of_the_auc_but_one_of_the_log_loss() -> None:
    y = (np.arange(N) == 7).astype(float)
    told = doubts(y, OURS, {"near": NEAR}, customer=CUSTOMER, seed=2)["differences"]
    assert told["auc"] == {"low": None, "high": None, "against": "near"}
    assert told["log_loss"]["low"] < told["log_loss"]["high"]


@pytest.mark.parametrize("seed", [2, 3])
def test_the_same_seed_tells_the_same(seed: int) -> None:
    first, again = (doubts(Y, OURS, {"near": NEAR}, customer=CUSTOMER, seed=seed) for _ in range(2))
    assert first == again
