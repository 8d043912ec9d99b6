"""`regulars evaluate`: the documented JSON and the tables, with a model and without."""

from __future__ import annotations

import json
from typing import Any

from models.btyd import PURCHASE_MODELS
from tests.cli.conftest import At, Regulars

CLV_KEYS = {
    "model": str,
    "params": {"r": float, "alpha": float, "a": float, "b": float},
    "log_likelihood": float,
    "n_customers": int,
    "calibration_end": str,
    "holdout": {
        "days": int,
        "mae": float,
        "rmse": float,
        "bias": float,
        "spearman": float,
        "baselines": {
            "same_rate": {"mae": float, "rmse": float},
            "nobody_returns": {"mae": float, "rmse": float},
        },
    },
}


FURTHER_CLV_KEYS = {
    "assumptions",
    "asked",
    "baselines",
    "candidates",
    "forecast",
    "gamma_gamma",
    "holdout_days",
    "intervals",
    "kept",
    "why",
}


FIGURES = {
    "n": int,
    "rate": float,
    "auc": float,
    "average_precision": float,
    "log_loss": float,
    "brier": float,
    "calibration_error": float,
    "calibration_error_if_perfect": {"mean": float, "p95": float},
    "differences": {name: {"against": str, "low": float, "high": float} for name in ("auc", "log_loss")},
    "lift_at_10": float,
    "splits": str,
    "snapshots": {"train": list, "early_stopping": list, "calibration": list, "test": str},
}


LOGIT = {"logit_rfm": {"auc": float, "log_loss": float}}


OF_PURCHASES = {"buys_at_all": {"auc": float}, "own_mean_value": {"auc": float}}


TARGET_KEYS = {
    "churn": {
        **FIGURES,
        "baselines": {**LOGIT, "days_since_last_purchase": {"auc": float}, "p_alive": {"auc": float}},
    },
    "upsell": {
        **FIGURES,
        "baselines": {**LOGIT, **OF_PURCHASES},
        "among_buyers": {
            "n": int,
            "rate": float,
            "auc": float,
            "baselines": OF_PURCHASES,
            "difference": {"low": float, "high": float},
            "above_chance": {"low": float, "high": float},
            "beats_buys_at_all": bool,
            "beats_chance": bool,
        },
    },
}


def _shape(value: Any) -> Any:
    return {key: _shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value)


def test_evaluate_prints_exactly_the_documented_json(regulars: Regulars, at: At) -> None:
    at("trained")
    shown = regulars("evaluate", "--json")
    assert shown.exit_code == 0, shown.err
    printed = json.loads(shown.out)
    assert set(printed) == {"clv", "targets"}
    clv = printed["clv"]
    assert set(clv) == set(CLV_KEYS) | FURTHER_CLV_KEYS
    assert _shape({key: clv[key] for key in CLV_KEYS}) == CLV_KEYS
    assert {*PURCHASE_MODELS, "lightgbm_poisson"} == set(clv["candidates"])
    assert all(clv["candidates"][name]["certificate"]["converged"] for name in PURCHASE_MODELS)
    assert _shape(printed["targets"]) == TARGET_KEYS
    assert printed["clv"]["holdout"]["days"] == 90
    assert "NaN" not in shown.out
    assert "The figures are those of the evaluated model" in " ".join(shown.err.split())


def test_evaluate_takes_another_hold_out_and_works_without_a_model(regulars: Regulars, at: At) -> None:
    at("untrained")
    shown = regulars("evaluate", "--holdout-days", 200, "--clv-model", "mbg_nbd", "--json")
    printed = json.loads(shown.out)
    assert printed["targets"] == {}
    assert printed["clv"]["holdout"]["days"] == 200
    assert (printed["clv"]["model"], printed["clv"]["asked"]) == ("mbg_nbd", "mbg_nbd")
    assert printed["clv"]["calibration_end"] == "2023-12-13"
    assert "No model is trained yet. Run: regulars train" in " ".join(shown.err.split())


def test_evaluate_shows_tables_with_bars(regulars: Regulars, at: At) -> None:
    at("trained")
    shown = regulars("evaluate", "--model", "champion")
    assert shown.exit_code == 0
    assert "█" in shown.out
    for words in ("nobody returns", "same rate", "* bg nbd", "pareto nbd", "gamma gamma", "±", "intervals of bg nbd"):
        assert words in shown.out
    for words in ("p alive", "log-likelihood", "buys at all", "who bought"):
        assert words in shown.out
