"""How well intervals hold: on the period before the log's end, by what was known before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from features.event_log import EventLog
from models.btyd import BetaGeoModel, BuyTillYouDieModel, GammaGammaModel
from models.clv import ClvTerms
from models.exceptions import FitError
from models.poisson_forecast import PoissonForecast
from models.predictive import (
    DEFAULT_LEVEL,
    IDENTITY,
    Interval,
    Recalibration,
    RecalibrationTrial,
    clv_interval,
    horizons_at_pace,
    purchase_cdf,
    purchase_interval,
    value_cdf,
)
from models.predictive.interval import tails
from models.predictive.interval_metrics import (
    coverage,
    interval_score,
    pit_deviation,
    pit_tenths,
    randomised_coverage,
    randomised_pit,
)
from models.purchase_model import spent
from training.exceptions import TrainingError
from training.purchase_forecast import ForecastTrees
from training.purchase_holdout import PurchaseHoldout

__all__ = ["evaluate_intervals", "learn_recalibration"]

FloatArray = NDArray[np.float64]

# With fewer customers, a tenth holds so few of them that a deviation of 3 points is no sign of anything.
FEWEST_TO_JUDGE = 500

YEARLY_NOTE = (
    "Intervals are checked over the hold-out of {days} days. Those of a clv over a longer horizon can't be: nobody has "
    "yet seen what comes within it."
)
FEW_NOTE = (
    "There are only {n} customers. By chance alone the share of a tenth is off by {tenth:.1f} points, and that of an "
    "80 % interval by {middle:.1f}; so whether these intervals hold can't be told. They allow for how little "
    "so few tell of the parameters, but whether that is enough is not known."
)
SHIFT_NOTE = (
    "{actual:.2f} purchase days a customer came, {expected:.2f} were expected. Intervals allow for "
    "chance and for what the history leaves open, not for a season or a change that it never saw."
)
SHIFT_WORTH_SAYING = 0.1


def evaluate_intervals(
    log: EventLog,
    *,
    end_day: int,
    holdout_days: int,
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    seed: int,
    trees: ForecastTrees | None = None,
    corrected: FloatArray | None = None,
) -> dict[str, Any]:
    """Compare intervals with what came, in purchase days and in value.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day at whose midnight the log ends.
    holdout_days : int
        Length of the hold-out before it.
    btyd : BuyTillYouDieModel
        The chosen one, fitted on what was known when the hold-out began.
    gamma_gamma : GammaGammaModel
        Likewise.
    seed : int
        Of the uniform numbers of the randomised PIT.
    trees : ForecastTrees, optional
        Where boosted trees make the forecast: how they are grown.
    corrected : float64, shape (n,), optional
        What they expected of each customer of the hold-out.

    Returns
    -------
    dict
        JSON-safe: `purchase_days` and `value`, each with `pit_tenths`, `pit_deviation_points`, `coverage`,
        `randomised_coverage`, `interval_score` and its baselines; `recalibration`, what was learnt on the period before
        the hold-out and whether it is used, and `recalibration_of_value`; `notes` in plain words.

    Raises
    ------
    TrainingError
        Nobody purchased before the hold-out.
    """
    period = PurchaseHoldout.of(log, end_day=end_day, days=holdout_days)
    learn = partial(
        learn_recalibration, log, end_day=end_day - holdout_days, horizon_days=holdout_days, kind=type(btyd)
    )
    of_model = learn()
    trial = of_model if corrected is None else learn(trees=trees)
    by_model = btyd.expected_purchases(holdout_days, *period.history)
    expected = by_model if corrected is None else corrected
    days = _Predicted(period, btyd, _used(trial), horizons_at_pace(holdout_days, by_model, expected))
    uniforms = np.random.default_rng(seed).random(len(period.actual))
    return {
        "level": DEFAULT_LEVEL,
        "holdout_days": holdout_days,
        "n_customers": len(period.actual),
        "model": btyd.name,
        "forecast": btyd.name if corrected is None else PoissonForecast.name,
        "purchase_days": _purchase_days(days, expected, uniforms),
        "value": _value(period, btyd, gamma_gamma, _used(of_model), uniforms),
        "recalibration": None if trial is None else trial.to_dict(),
        "recalibration_of_value": None if of_model is None else of_model.to_dict(),
        "notes": _notes(period, expected, trial),
    }


def learn_recalibration(
    log: EventLog,
    *,
    end_day: int,
    horizon_days: int,
    kind: type[BuyTillYouDieModel],
    trees: ForecastTrees | None = None,
) -> RecalibrationTrial | None:
    """Learn from the period before a day how counts turn out, compared with what was predicted before that period.

    Parameters
    ----------
    log : EventLog
    end_day : int
        Local day at whose midnight the period ends; nothing after it is looked at.
    horizon_days : int
        Length of the period.
    kind : type of BuyTillYouDieModel
        Fitted on what was known before the period.
    trees : ForecastTrees, optional
        Where boosted trees make the forecast: they are grown on the period before that period. Where there is too
        little for that, the purchase model is judged alone; what it is off by, the trees are mostly off by less.

    Returns
    -------
    RecalibrationTrial or None
        None if the history before the period is shorter than the period itself, which is too little to learn from.
    """
    try:
        period = PurchaseHoldout.of(log, end_day=end_day, days=horizon_days)
    except TrainingError:
        return None
    if period.rfm.T.max() < horizon_days:
        return None
    model = kind().fit(*period.history)
    by_model = model.expected_purchases(horizon_days, *period.history)
    expected = by_model if trees is None else _corrected(trees, model, by_model, log, end_day, period)
    predicted = _Predicted(period, model, IDENTITY, horizons_at_pace(horizon_days, by_model, expected))
    return RecalibrationTrial.of(*predicted.cdf())


def _corrected(
    trees: ForecastTrees,
    model: BuyTillYouDieModel,
    by_model: FloatArray,
    log: EventLog,
    end_day: int,
    period: PurchaseHoldout,
) -> FloatArray:
    try:
        forecast = trees.fit(log, end_day=end_day - period.days, horizon_days=period.days, model=type(model))
    except (TrainingError, FitError):
        return by_model
    return trees.expected(forecast, model, log, period)


def _used(trial: RecalibrationTrial | None) -> Recalibration:
    return IDENTITY if trial is None else trial.recalibration


@dataclass(frozen=True, slots=True, eq=False)
class _Predicted:
    """Predictive distributions of the purchase days of a hold-out."""

    period: PurchaseHoldout
    model: BuyTillYouDieModel
    recalibration: Recalibration
    horizons: FloatArray

    def interval(self) -> Interval:
        frequency, recency, T = self.period.history
        return purchase_interval(
            self.model,
            horizon_days=self.horizons,
            frequency=frequency,
            recency=recency,
            T=T,
            recalibration=self.recalibration,
        )

    def cdf(self) -> tuple[FloatArray, FloatArray]:
        frequency, recency, T = self.period.history
        return purchase_cdf(
            self.model,
            self.period.actual,
            horizon_days=self.horizons,
            frequency=frequency,
            recency=recency,
            T=T,
            recalibration=self.recalibration,
        )


def _purchase_days(predicted: _Predicted, expected: FloatArray, uniforms: FloatArray) -> dict[str, Any]:
    period = predicted.period
    pit = randomised_pit(*predicted.cdf(), uniforms)
    plain = randomised_pit(*replace(predicted, recalibration=IDENTITY).cdf(), uniforms)
    bg_nbd = BetaGeoModel().fit(*period.history)
    without = _Predicted(
        period,
        BetaGeoModel.from_params(**bg_nbd.params_),
        IDENTITY,
        np.full(len(period.actual), float(period.days)),
    )
    baselines = {
        "same_poisson": _same_poisson(period, expected),
        "bg_nbd_without_parameter_uncertainty": without.interval(),
    }
    return {
        **_figures(period.actual, pit, predicted.interval()),
        "before_recalibration": {
            "pit_tenths": pit_tenths(plain).tolist(),
            "pit_deviation_points": pit_deviation(pit_tenths(plain)),
            "randomised_coverage": randomised_coverage(plain),
        },
        "baselines": {
            name: {"interval_score": interval_score(period.actual, interval)} for name, interval in baselines.items()
        },
    }


def _same_poisson(period: PurchaseHoldout, expected: FloatArray) -> Interval:
    """One Poisson distribution for all customers, of the mean that the model expects: it knows nobody in particular."""
    same = np.full(len(period.actual), expected.mean())
    low, high = tails(DEFAULT_LEVEL)
    return Interval(np.asarray(poisson.ppf(low, same)), np.asarray(poisson.ppf(high, same)))


def _value(
    period: PurchaseHoldout,
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    recalibration: Recalibration,
    uniforms: FloatArray,
) -> dict[str, Any]:
    frequency, recency, T = period.history
    money = {"frequency": frequency, "recency": recency, "T": T, "monetary_value": spent(period.rfm)}
    interval = clv_interval(
        btyd,
        gamma_gamma,
        terms=ClvTerms(horizon_days=period.days, yearly_discount_rate=0.0),
        level=DEFAULT_LEVEL,
        recalibration=recalibration,
        **money,
    )
    steps = value_cdf(btyd, gamma_gamma, period.spent, horizon_days=period.days, recalibration=recalibration, **money)
    return _figures(period.spent, randomised_pit(*steps, uniforms), interval)


def _figures(actual: FloatArray, pit: FloatArray, interval: Interval) -> dict[str, Any]:
    tenths = pit_tenths(pit)
    return {
        "pit_tenths": tenths.tolist(),
        "pit_deviation_points": pit_deviation(tenths),
        "coverage": coverage(actual, interval),
        "randomised_coverage": randomised_coverage(pit),
        "interval_score": interval_score(actual, interval),
        "mean_width": float(np.mean(interval.high - interval.low)),
    }


def _notes(period: PurchaseHoldout, expected: FloatArray, trial: RecalibrationTrial | None) -> list[str]:
    n, came, forecast = len(period.actual), float(period.actual.mean()), float(expected.mean())
    notes = [YEARLY_NOTE.format(days=period.days)]
    if n < FEWEST_TO_JUDGE:
        tenth, middle = (100 * np.sqrt(share * (1 - share) / n) for share in (0.1, 0.8))
        notes.append(FEW_NOTE.format(n=n, tenth=tenth, middle=middle))
    if abs(forecast - came) > SHIFT_WORTH_SAYING * max(came, forecast):
        notes.append(SHIFT_NOTE.format(actual=came, expected=forecast))
    notes.append(_recalibration_in_words(period.days, trial))
    return notes


def _recalibration_in_words(days: int, trial: RecalibrationTrial | None) -> str:
    if trial is None:
        return f"There is no earlier period of {days} days with as much history before it, so nothing was recalibrated."
    if not trial.kept:
        return (
            f"In the {days} days before the hold-out the worst share was off by {trial.deviation_points:.1f} points; "
            "nothing was recalibrated, since it would not have helped there, or next to nothing."
        )
    found = trial.recalibration
    return (
        f"Recalibrated by the {days} days before the hold-out, in which the worst share was off by "
        f"{trial.deviation_points:.1f} points: distributions are spread {found.stretch:.2f} times as widely, and moved "
        f"by {found.shift:+.2f} of their standard deviations."
    )
