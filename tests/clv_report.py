"""What training stores of the purchase model, made by hand: by this release, and by one that knew one model only."""

from __future__ import annotations

from typing import Any

__all__ = ["CLV_REPORT", "CLV_REPORT_OF_OLD"]

CLV_REPORT_OF_OLD: dict[str, Any] = {
    "model": "bg_nbd",
    "params": {"r": 0.25, "alpha": 33.5, "a": 0.7, "b": 2.2},
    "log_likelihood": -9_582.4,
    "n_customers": 2_357,
    "calibration_end": "1997-09-30",
    "holdout": {
        "days": 273,
        "mae": 0.79,
        "rmse": 1.61,
        "bias": -0.1,
        "spearman": 0.44,
        "baselines": {"same_rate": {"mae": 1.02, "rmse": 2.16}, "nobody_returns": {"mae": 0.8, "rmse": 2.47}},
    },
}

_FIGURES = {
    "rmse": 1.61,
    "poisson_deviance": 1.64,
    "spearman": 0.44,
    "total_error": -0.122,
    "mae": 0.79,
    "bias": -0.1,
    "mae_of_median": 0.7,
}
_CERTIFICATE = {
    "converged": True,
    "gradient_norm": 3e-13,
    "condition_number": 241.08,
    "at_bound": ["a"],
    "not_identified": ["b"],
    "standard_errors": {"r": 0.012, "alpha": 1.7, "a": None, "b": None},
}
_INTERVAL = {
    "coverage": 0.91,
    "randomised_coverage": 0.792,
    "pit_deviation_points": 1.26,
    "interval_score": 4.1234,
}

CLV_REPORT: dict[str, Any] = {
    **CLV_REPORT_OF_OLD,
    "holdout_days": 273,
    "candidates": {
        "bg_nbd": {
            **_FIGURES,
            "params": CLV_REPORT_OF_OLD["params"],
            "log_likelihood": -9_582.4,
            "certificate": _CERTIFICATE,
        },
        "lightgbm_poisson": {**_FIGURES, "rmse": 1.5},
    },
    "baselines": {
        "same_rate": {**_FIGURES, "rmse": 2.16, "total_error": None},
        "nobody_returns": {**_FIGURES, "rmse": 2.47, "spearman": None, "total_error": -1.0},
    },
    "kept": "bg_nbd",
    "forecast": "lightgbm_poisson",
    "asked": None,
    "why": "bg_nbd is kept: the only one.",
    "gamma_gamma": {
        "params": {"p": 6.25, "q": 3.74, "v": 15.44},
        "log_likelihood": -4_055.9,
        "certificate": {
            "converged": True,
            "gradient_norm": 1e-12,
            "condition_number": None,
            "at_bound": [],
            "not_identified": [],
            "standard_errors": {"p": 0.5, "q": 0.2, "v": 1.0},
        },
    },
    "intervals": {
        "level": 0.8,
        "model": "bg_nbd",
        "purchase_days": {**_INTERVAL, "baselines": {"same_poisson": {"interval_score": 6.6}}},
        "value": {**_INTERVAL, "interval_score": 3_209.9},
    },
}
