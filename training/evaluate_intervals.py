"""How well intervals hold: on the period before the log's end, by what was known before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from features.aggregate import Aggregate, Measure, aggregate
from features.build import build_features
from features.event_log import EventLog
from features.rfm import Rfm
from features.windows import Snapshot
from models.btyd import BetaGeoModel, BuyTillYouDieModel, GammaGammaModel
from models.clv import ClvTerms
from models.predictive import (
    DEFAULT_LEVEL,
    IDENTITY,
    Interval,
    Recalibration,
    RecalibrationTrial,
    clv_interval,
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
from training.exceptions import TrainingError

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
    "80 % interval by {middle:.1f}; so whether these intervals hold can't be told. They are wider for it, as the "
    "parameters are less certain, but whether they are wide enough is not known."
)
SHIFT_NOTE = (
    "{actual:.2f} purchase days a customer came, {expected:.2f} were expected ({error:+.0f} %). Intervals allow for "
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

    Returns
    -------
    dict
        JSON-safe: `purchase_days` and `value`, each with `pit_tenths`, `pit_deviation_points`, `coverage`,
        `randomised_coverage`, `interval_score` and its baselines; `recalibration`, what was learnt on the period before
        the hold-out and whether it is used; `notes` in plain words.

    Raises
    ------
    TrainingError
        Nobody purchased before the hold-out.
    """
    period = _Period.before(log, end_day, holdout_days)
    if not len(period.actual):
        raise TrainingError(
            f"Nobody purchased before the last {holdout_days} days of the log, where the hold-out begins. Choose a "
            "shorter one."
        )
    trial = learn_recalibration(log, end_day=end_day - holdout_days, horizon_days=holdout_days, kind=type(btyd))
    recalibration = trial.recalibration if trial is not None else IDENTITY
    uniforms = np.random.default_rng(seed).random(len(period.actual))
    expected = btyd.expected_purchases(holdout_days, period.frequency, period.recency, period.T)
    return {
        "level": DEFAULT_LEVEL,
        "holdout_days": holdout_days,
        "n_customers": len(period.actual),
        "model": btyd.name,
        "purchase_days": _purchase_days(period, btyd, recalibration, expected, uniforms),
        "value": _value(period, btyd, gamma_gamma, recalibration, uniforms),
        "recalibration": None if trial is None else trial.to_dict(),
        "notes": _notes(period, expected, trial),
    }


def learn_recalibration(
    log: EventLog, *, end_day: int, horizon_days: int, kind: type[BuyTillYouDieModel]
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

    Returns
    -------
    RecalibrationTrial or None
        None if the history before the period is shorter than the period itself, which is too little to learn from.
    """
    period = _Period.before(log, end_day, horizon_days)
    if period.T.max(initial=0.0) < horizon_days:
        return None
    model = kind().fit(period.frequency, period.recency, period.T)
    return RecalibrationTrial.of(*period.purchase_cdf(model, IDENTITY))


@dataclass(frozen=True, slots=True, eq=False)
class _Period:
    """What was known of the customers before a period, and what they bought within it."""

    days: int
    frequency: FloatArray
    recency: FloatArray
    T: FloatArray
    monetary_value: FloatArray
    actual: FloatArray  # purchase days
    spent: FloatArray

    @classmethod
    def before(cls, log: EventLog, end_day: int, days: int) -> Self:
        rfm = Rfm.of(build_features(log, Snapshot.at_midnight(end_day - days, log.calendar)))
        end = Snapshot.at_midnight(end_day, log.calendar)
        measures = (Aggregate(Measure.PURCHASE_DAYS, days=days), Aggregate(Measure.VALUE, days=days))
        came = np.nan_to_num(aggregate(log, end, measures)[rfm.rows])
        return cls(
            days=days,
            frequency=rfm.frequency,
            recency=rfm.recency,
            T=rfm.T,
            # Refunds in parts may leave a rounding residue below 0, and those of earlier orders outweigh a period's.
            monetary_value=np.maximum(np.nan_to_num(rfm.monetary_value), 0.0),
            actual=came[:, 0],
            spent=np.maximum(came[:, 1], 0.0),
        )

    def purchase_interval(self, model: BuyTillYouDieModel, recalibration: Recalibration) -> Interval:
        return purchase_interval(
            model,
            horizon_days=self.days,
            frequency=self.frequency,
            recency=self.recency,
            T=self.T,
            recalibration=recalibration,
        )

    def purchase_cdf(self, model: BuyTillYouDieModel, recalibration: Recalibration) -> tuple[FloatArray, FloatArray]:
        return purchase_cdf(
            model,
            self.actual,
            horizon_days=self.days,
            frequency=self.frequency,
            recency=self.recency,
            T=self.T,
            recalibration=recalibration,
        )


def _purchase_days(
    period: _Period,
    btyd: BuyTillYouDieModel,
    recalibration: Recalibration,
    expected: FloatArray,
    uniforms: FloatArray,
) -> dict[str, Any]:
    pit = randomised_pit(*period.purchase_cdf(btyd, recalibration), uniforms)
    plain = randomised_pit(*period.purchase_cdf(btyd, IDENTITY), uniforms)
    bg_nbd = BetaGeoModel().fit(period.frequency, period.recency, period.T)
    baselines = {
        "same_poisson": _same_poisson(period, expected),
        "bg_nbd_without_parameter_uncertainty": period.purchase_interval(
            BetaGeoModel.from_params(**bg_nbd.params_), IDENTITY
        ),
    }
    return {
        **_figures(period.actual, pit, period.purchase_interval(btyd, recalibration)),
        "before_recalibration": {
            "pit_tenths": pit_tenths(plain).tolist(),
            "pit_deviation_points": pit_deviation(pit_tenths(plain)),
            "randomised_coverage": randomised_coverage(plain),
        },
        "baselines": {
            name: {"interval_score": interval_score(period.actual, interval)} for name, interval in baselines.items()
        },
    }


def _same_poisson(period: _Period, expected: FloatArray) -> Interval:
    """One Poisson distribution for all customers, of the mean that the model expects: it knows nobody in particular."""
    same = np.full(len(period.actual), expected.mean())
    low, high = tails(DEFAULT_LEVEL)
    return Interval(np.asarray(poisson.ppf(low, same)), np.asarray(poisson.ppf(high, same)))


def _value(
    period: _Period,
    btyd: BuyTillYouDieModel,
    gamma_gamma: GammaGammaModel,
    recalibration: Recalibration,
    uniforms: FloatArray,
) -> dict[str, Any]:
    interval = clv_interval(
        btyd,
        gamma_gamma,
        frequency=period.frequency,
        recency=period.recency,
        T=period.T,
        monetary_value=period.monetary_value,
        terms=ClvTerms(horizon_days=period.days, yearly_discount_rate=0.0),
        recalibration=recalibration,
    )
    steps = value_cdf(
        btyd,
        gamma_gamma,
        period.spent,
        horizon_days=period.days,
        frequency=period.frequency,
        recency=period.recency,
        T=period.T,
        monetary_value=period.monetary_value,
        recalibration=recalibration,
    )
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


def _notes(period: _Period, expected: FloatArray, trial: RecalibrationTrial | None) -> list[str]:
    n, came, forecast = len(period.actual), float(period.actual.mean()), float(expected.mean())
    notes = [YEARLY_NOTE.format(days=period.days)]
    if n < FEWEST_TO_JUDGE:
        tenth, middle = (100 * np.sqrt(share * (1 - share) / n) for share in (0.1, 0.8))
        notes.append(FEW_NOTE.format(n=n, tenth=tenth, middle=middle))
    if abs(forecast - came) > SHIFT_WORTH_SAYING * max(came, forecast):
        error = 100 * (forecast / came - 1) if came > 0 else np.inf
        notes.append(SHIFT_NOTE.format(actual=came, expected=forecast, error=error))
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
