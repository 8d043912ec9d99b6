"""Which purchase model is kept: the one that foretold a hold-out best, by a rule that is the same each time.

The candidates are fitted on what went before the hold-out, and compared in what they expected of each customer by, in
this order of weight:

1. root mean squared error; within .1 % of the least is a tie,
2. Poisson deviance; within 1 % of the least is a tie,
3. Spearman's rank correlation; within .005 of the highest is a tie,
4. error of the total, whatever its sign; within one point of the least is a tie,
5. the order in which they are listed, simpler ones first.

Each criterion decides only among those that tied on the one before. Error first: it is what a budget feels, and heavy
buyers weigh in it; the deviance, which counts each customer by what could be known of him, comes before the ranking,
which the family hardly changes. The tie in error is narrow on purpose: what is kept is then, to the third figure, no
worse than the best.

A fit that did not converge is kept only if none did. The candidate that is kept makes clv. Whether boosted trees that
correct it (`training.purchase_forecast`) make the forecast of the horizon instead, the same rule says, the purchase
model standing first. Baselines are not kept, but told.

What is kept was chosen on the hold-out that its figures are of, which flatters them a little, as the report says. An
earlier hold-out would not, but would judge by a shorter history and another season what is used now; and a young
business has none.

No factor calibrates the level of what is expected. One learnt on the period before was measured: it made the error of
CDNOW and of UCI Online Retail larger (by 1 and 3 %), and that of Complete Journey smaller by .2 to .5 %; the level of a
period is mostly its season, and the next one has another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.event_log import EventLog
from models.btyd import PURCHASE_MODELS, BuyTillYouDieModel
from models.exceptions import FitError
from models.poisson_forecast import PoissonForecast
from training.evaluate_purchases import evaluate_baselines, evaluate_btyd, evaluate_forecast
from training.exceptions import TrainingError
from training.progress import Progress, silent
from training.purchase_forecast import ForecastTrees
from training.purchase_holdout import PurchaseHoldout
from training.total_error_words import explain_total

__all__ = ["Best", "PurchaseChoice", "best_of", "choose_purchase_model"]

Figures = Mapping[str, Any]

_STEP = "Comparing purchase models"


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseChoice:
    """What was kept, and what speaks for it.

    Attributes
    ----------
    name : str
        Of the purchase model, one of `PURCHASE_MODELS`.
    forecast_name : str
        Of what forecasts the horizon: `name`, or that of `PoissonForecast`.
    report : dict
        JSON-safe. `candidates` and `baselines`: figures by name, as `evaluate_forecast` says; of purchase models also
        their fit. `kept`, `forecast`, `why`, `asked` (None if the rule chose), `notes`. `model`, `params`,
        `log_likelihood` and `holdout`: those of the one that is kept. `holdout_days`, `calibration_end` (the last day
        before the hold-out), `n_customers`.
    corrected : float64, shape (n_customers,), or None
        What boosted trees expected of each customer of the hold-out, where they make the forecast.
    """

    name: str
    forecast_name: str
    report: dict[str, Any]
    corrected: NDArray[np.float64] | None


class Best(NamedTuple):
    """The best of some forecasts, and what decided."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Criterion:
    words: str
    cost: Callable[[Figures], float]
    tie: Callable[[float], float]  # from the least cost to the highest that ties with it
    shown: Callable[[Figures], str]


_CRITERIA = (
    _Criterion(
        "root mean squared error",
        lambda found: float(found["rmse"]),
        lambda least: least * 1.001,
        lambda found: f"{found['rmse']:.4f}",
    ),
    _Criterion(
        "Poisson deviance",
        lambda found: float(found["poisson_deviance"]),
        lambda least: least * 1.01,
        lambda found: f"{found['poisson_deviance']:.4f}",
    ),
    _Criterion(
        "rank correlation",
        lambda found: -float(found["spearman"] or 0.0),
        lambda least: least + 0.005,
        lambda found: f"{found['spearman'] or 0.0:.3f}",
    ),
    _Criterion(
        "error of the total",
        lambda found: abs(found["total_error"] or 0.0),
        lambda least: least + 0.01,
        lambda found: f"{found['total_error'] or 0.0:+.1%}",
    ),
)


def choose_purchase_model(
    log: EventLog,
    *,
    end_day: int,
    holdout_days: int,
    asked: str | None,
    trees: ForecastTrees,
    progress: Progress = silent,
) -> PurchaseChoice:
    """Fit every candidate before a hold-out, compare them there, and keep the best.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day since 1970-01-01 at whose midnight the log ends.
    holdout_days : int
        Length of the hold-out before it.
    asked : str or None
        The purchase model to keep whatever comes out, for the forecast too; None for the best.
    trees : ForecastTrees
        With inputs fitted on what was known at the beginning of the hold-out; with or without a model of purchases,
        which is not used.
    progress : Progress

    Raises
    ------
    TrainingError
        Nobody purchased before the hold-out, or there is no model of the name asked for.
    """
    if asked is not None and asked not in PURCHASE_MODELS:
        raise TrainingError(f"There is no purchase model {asked!r}. Choose one of: {', '.join(PURCHASE_MODELS)}.")
    holdout = PurchaseHoldout.of(log, end_day=end_day, days=holdout_days)
    notes: list[str] = []
    corrected: NDArray[np.float64] | None = None
    fitted: dict[str, BuyTillYouDieModel] = {}
    for name, model in PURCHASE_MODELS.items():
        progress(_STEP, len(fitted) / (len(PURCHASE_MODELS) + 1))
        fitted[name] = model().fit(*holdout.history)
    candidates = {name: evaluate_btyd(model, holdout) for name, model in fitted.items()}
    converged = {name: found for name, found in candidates.items() if found["certificate"]["converged"]}
    best = best_of(converged or candidates)
    left_out = [name for name in candidates if converged and name not in converged]
    kept = asked or best.name
    progress(_STEP, len(PURCHASE_MODELS) / (len(PURCHASE_MODELS) + 1))
    try:
        challenger = trees.fit(
            log, end_day=end_day - holdout_days, horizon_days=holdout_days, model=PURCHASE_MODELS[kept]
        )
    except (TrainingError, FitError) as error:
        notes.append(f"Boosted trees could not be compared with the purchase model: {error}")
    else:
        corrected = trees.expected(challenger, fitted[kept], log, holdout)
        candidates[PoissonForecast.name] = evaluate_forecast(corrected, holdout)
    forecast = best_of({name: candidates[name] for name in (kept, PoissonForecast.name) if name in candidates})
    forecast_name = asked or forecast.name
    baselines = evaluate_baselines(holdout)
    notes += fitted[kept].certificate_.notes
    total_errors = {name: found["total_error"] for name, found in candidates.items()}
    # Both are in use, and what explains the one explains the other.
    further_off = max((forecast_name, kept), key=lambda name: abs(total_errors[name] or 0.0))
    notes += explain_total(holdout, further_off, total_errors)
    if asked is None:
        notes.append(
            f"The forecast was chosen among {len(candidates)} on the hold-out that its figures are of, which flatters "
            "them a little."
        )
    report = {
        **_of_the_kept(kept, candidates[kept], holdout, baselines),
        "candidates": candidates,
        "baselines": baselines,
        "kept": kept,
        "forecast": forecast_name,
        "asked": asked,
        "why": " ".join(
            [
                *_why(asked, best, forecast),
                *(f"{name} did not converge and was left out." for name in left_out),
                _against_baselines(forecast_name, candidates[forecast_name], baselines),
            ]
        ),
        "notes": notes,
    }
    return PurchaseChoice(kept, forecast_name, report, corrected if forecast_name == PoissonForecast.name else None)


def best_of(figures: Mapping[str, Figures]) -> Best:
    """Return the best by the rule of this module.

    Parameters
    ----------
    figures : mapping of name to figures
        At least one, simpler ones first; as `evaluate_forecast` gives them.

    Examples
    --------
    >>> alike = {"poisson_deviance": 1.0, "spearman": 0.4, "total_error": -0.1}
    >>> best_of({"a": {"rmse": 1.2, **alike}, "b": {"rmse": 1.1, **alike}})
    Best(name='b', reason='root mean squared error 1.1000 against 1.2000 of a')
    >>> best_of({"a": {"rmse": 1.1001, **alike}, "b": {"rmse": 1.1, **alike}})
    Best(name='a', reason='no worse than b by any figure, and simpler')
    """
    tied = list(figures)
    for criterion in _CRITERIA:
        costs = {name: criterion.cost(figures[name]) for name in tied}
        limit = criterion.tie(min(costs.values()))
        left = [name for name in tied if costs[name] <= limit]
        if len(left) == 1 < len(tied):
            best = left[0]
            second = min((name for name in tied if name != best), key=costs.__getitem__)
            better, worse = criterion.shown(figures[best]), criterion.shown(figures[second])
            return Best(best, f"{criterion.words} {better} against {worse} of {second}")
        tied = left
    best, *others = tied
    return Best(best, f"no worse than {' and '.join(others)} by any figure, and simpler" if others else "the only one")


def _why(asked: str | None, best: Best, forecast: Best) -> Iterator[str]:
    if asked is None:
        yield f"{best.name} is kept: {best.reason}."
        if forecast.name != best.name:
            yield f"{forecast.name} forecasts the horizon: {forecast.reason}."
        return
    yield f"{asked} was asked for."
    if asked != best.name:
        yield f"The rule would have kept {best.name}: {best.reason}."


def _of_the_kept(
    name: str, found: Figures, holdout: PurchaseHoldout, baselines: Mapping[str, Figures]
) -> dict[str, Any]:
    last_day = date(1970, 1, 1) + timedelta(days=holdout.start.last_day)
    return {
        "model": name,
        "params": found["params"],
        "log_likelihood": found["log_likelihood"],
        "n_customers": len(holdout.actual),
        "calibration_end": last_day.isoformat(),
        "holdout_days": holdout.days,
        "holdout": {
            "days": holdout.days,
            **{key: found[key] for key in ("mae", "rmse", "bias", "spearman")},
            "baselines": {
                baseline: {key: baselines[baseline][key] for key in ("mae", "rmse")}
                for baseline in ("same_rate", "nobody_returns")
            },
        },
    }


def _against_baselines(name: str, found: Figures, baselines: Mapping[str, Figures]) -> str:
    better = [
        f"{baseline} has the lower {criterion.words} ({criterion.shown(figures)} against {criterion.shown(found)})"
        for criterion in _CRITERIA[:2]
        for baseline, figures in baselines.items()
        if criterion.cost(figures) < criterion.cost(found)
    ]
    if not better:
        return f"{name} is better than every baseline in root mean squared error and in Poisson deviance."
    return f"{name} does not beat every baseline: {'; '.join(better)}."
