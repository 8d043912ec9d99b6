"""What the figures of a classifier mean, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["among_buyers_in_words", "verdict"]

_BASELINES = {
    "base_rate": "the same chance for everybody",
    "buys_at_all": "the propensity to buy at all",
    "days_since_last_purchase": "days since the last purchase",
    "logit_all": "logistic regression on all features",
    "logit_rfm": "logistic regression on RFM",
    "own_mean_value": "the customer's own mean value",
    "p_alive": "P(alive) of the purchase model",
}


def verdict(report: Mapping[str, Any]) -> str:
    """Say whether a classifier is worth its keep.

    Parameters
    ----------
    report : mapping
        Figures, `classifier`, `baselines`, and what `training.comparison.doubts` adds.
    """
    if report["auc"] is None:
        return "All customers of the test rows had the same fate, so that nothing can be said of the ranking."
    used = "Logistic regression did best on the selection rows and is what is used. "
    return f"{used if report['classifier'] == 'logistic' else ''}{_compared(report)} {_calibrated(report)}"


def _compared(report: Mapping[str, Any]) -> str:
    ranking, probabilities = (report["differences"][figure] for figure in ("auc", "log_loss"))
    if ranking["low"] is None or probabilities["low"] is None:
        return f"Too few customers were tested to compare it with its baselines (AUC {report['auc']:.4f})."
    if all(difference["low"] == difference["high"] == 0.0 for difference in (ranking, probabilities)):
        return f"Its best baseline is itself (AUC {report['auc']:.4f}, log loss {report['log_loss']:.4f})."
    ranked, measured = _figures("AUC", "auc", report), _figures("log loss", "log_loss", report)
    if ranking["low"] > 0:
        ranks = f"It ranks customers better than every baseline ({ranked})"
    elif ranking["high"] < 0:
        ranks = f"It ranks customers worse than its best baseline, so use it with care ({ranked})"
    else:
        ranks = f"Between its ranking and that of its best baseline no difference can be told ({ranked})"
    if probabilities["high"] < 0:
        fits = f"its probabilities are better ({measured})"
    elif probabilities["low"] > 0:
        fits = f"its probabilities are worse ({measured})"
    else:
        fits = f"between the probabilities no difference can be told ({measured})"
    return f"{ranks}; {fits}."


def _figures(title: str, figure: str, report: Mapping[str, Any]) -> str:
    difference = report["differences"][figure]
    theirs = report["baselines"][difference["against"]][figure]
    return (
        f"{title} {report[figure]:.4f} against {theirs:.4f} of {_BASELINES[difference['against']]}, difference "
        f"{_interval(difference)}"
    )


def _interval(difference: Mapping[str, Any]) -> str:
    return f"{difference['low']:+.4f} to {difference['high']:+.4f}"


def _calibrated(report: Mapping[str, Any]) -> str:
    observed, perfect = report["calibration_error"], report["calibration_error_if_perfect"]
    is_chance = observed <= perfect["p95"]
    return (
        f"Its calibration error of {observed:.4f} is {'within' if is_chance else 'beyond'} what true probabilities "
        f"would show on as many customers ({perfect['mean']:.4f} on average, up to {perfect['p95']:.4f})."
    )


def among_buyers_in_words(among: Mapping[str, Any]) -> str:
    """Say whether there is more in a propensity than who buys at all.

    Parameters
    ----------
    among : mapping
        The part `among_buyers` of a report.
    """
    if among["difference"]["low"] is None:
        return "Too few of the test rows purchased to say more, so it makes no segment."
    if not among["beats_chance"]:
        chance = among["above_chance"]
        return (
            f"Among those who buy it ranks no better than chance (AUC {among['auc']:.4f}, "
            f"{0.5 + chance['low']:.4f} to {0.5 + chance['high']:.4f}), so it makes no segment."
        )
    theirs = among["baselines"]["buys_at_all"]["auc"]
    interval = f"AUC {among['auc']:.4f} against {theirs:.4f}, difference {_interval(among['difference'])}"
    if among["beats_buys_at_all"]:
        return f"Among those who buy it says more than who buys at all ({interval})."
    return f"Among those who buy it says no more than who buys at all ({interval}), so it makes no segment."
