"""What can be said of targets before training: how often they come about, and what is too little to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.build import FeatureFrame, FeaturePlan, build_features
from features.catalogue import CATALOGUE
from features.event_log import ORDER, EventLog
from features.labels import eligible_for, outcome
from features.rfm import Rfm
from features.targets import Target, TargetSet
from features.windows import Snapshot
from models.btyd import GammaGammaModel
from models.exceptions import FitError
from training.dataset import FEWEST_OF_A_CLASS, FEWEST_ROWS
from training.progress import Progress, silent
from training.unknown_terms import unknown_terms

__all__ = ["MAX_BASE_RATE", "MIN_BASE_RATE", "SnapshotCount", "TargetCheck", "check_targets", "log_days", "refusal"]

# Between these a propensity is learnt; churn may be as rare or as common as it is.
MIN_BASE_RATE = 0.02
MAX_BASE_RATE = 0.6

_SHOWN = 3
# What eligibility and the expected value of orders are made of.
_FEATURES = ("frequency", "recency", "T", "monetary_value", "days_since_last_purchase")
_PLAN = FeaturePlan.of([CATALOGUE[name] for name in _FEATURES])


@dataclass(frozen=True, slots=True)
class SnapshotCount:
    """How often a target came about within the horizon after one past snapshot.

    Attributes
    ----------
    day : int
        Local day since 1970-01-01, at whose midnight the horizon begins.
    eligible : int
        Customers who could be asked about.
    positives : int
        Those of them for whom it came about.
    """

    day: int
    eligible: int
    positives: int

    @property
    def date(self) -> date:
        """The local date on which the horizon begins."""
        return date(1970, 1, 1) + timedelta(days=self.day)

    @property
    def rate(self) -> float | None:
        """Share of the eligible for whom it came about, None without any."""
        return self.positives / self.eligible if self.eligible else None

    @property
    def is_thin(self) -> bool:
        """Whether it alone is too little to learn or measure anything by."""
        return self.eligible < FEWEST_ROWS or min(self.positives, self.eligible - self.positives) < FEWEST_OF_A_CLASS


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """What is known of one target before training.

    Attributes
    ----------
    target : Target
        With its horizon and activity window.
    snapshots : tuple of SnapshotCount
        Ascending, one horizon apart; the last is the one that a training tests on. None where nothing can be counted.
    complaints : tuple of str
        What is too little to learn from, or never occurs, and what to do; sentences for an analyst.
    """

    target: Target
    snapshots: tuple[SnapshotCount, ...]
    complaints: tuple[str, ...]

    @property
    def base_rate(self) -> float | None:
        """Share of the eligible rows of all snapshots that are positive, None without any."""
        return _pooled_rate(self.snapshots)


def check_targets(
    log: EventLog,
    targets: TargetSet,
    *,
    horizon_days: int,
    activity_days: int | None,
    end_day: int,
    progress: Progress = silent,
) -> list[TargetCheck]:
    """Count how often each target came about at past snapshots, as far back as the log goes.

    Parameters
    ----------
    log : EventLog
        Read with the properties of `targets.events_with_properties`.
    targets : TargetSet
    horizon_days : int
        For targets without their own.
    activity_days : int or None
        For targets without their own; None for twice the target's horizon.
    end_day : int
        Local day since 1970-01-01 at whose midnight the log ends.
    progress : Progress

    Returns
    -------
    list of TargetCheck
        In the order of the set.
    """
    resolved = [target.with_defaults(horizon_days, activity_days) for target in targets.targets]
    first_day, _ = log_days(log) or (end_day, end_day)
    end = Snapshot.at_midnight(end_day, log.calendar)
    complaints = {target.name: _why_not_counted(log, target, end) for target in resolved}
    days = {
        target.name: [] if complaints[target.name] else _snapshot_days(target, first_day, end_day)
        for target in resolved
    }

    upsells = [target for target in resolved if target.kind == "upsell" and days[target.name]]
    spend: GammaGammaModel | FitError | None = None
    if upsells:
        progress("Fitting spend model", 0.0)
        spend = _fit_spend(log, max(days[target.name][-1] for target in upsells))
        progress("Fitting spend model", 1.0)
    if isinstance(spend, FitError):
        for target in upsells:
            complaints[target.name].append(f"What orders are worth can't be expected: {spend}")
            days[target.name] = []
    counts = _counts(log, resolved, days, spend if isinstance(spend, GammaGammaModel) else None, progress)
    for target in resolved:
        if not complaints[target.name]:
            complaints[target.name] = [
                *_too_short(target, end_day - first_day),
                *_too_little(target, counts[target.name]),
            ]
    return [TargetCheck(target, tuple(counts[target.name]), tuple(complaints[target.name])) for target in resolved]


def refusal(target: Target, base_rate: float) -> str | None:
    """Say why a target is not learnt with this base rate, and what to do; None where it is.

    Parameters
    ----------
    target : Target
        Churn is never refused.
    base_rate : float
        Share of the eligible rows that are positive, in [0, 1].

    Examples
    --------
    >>> print(refusal(Target(name="buys", kind="purchase"), 0.71))
    It comes about for 71.0% of those asked about; a propensity over 60% tells little. Take a shorter horizon_days.
    >>> print(refusal(Target(name="churn", kind="inactivity"), 0.71))
    None
    """
    if target.is_churn or MIN_BASE_RATE <= base_rate <= MAX_BASE_RATE:
        return None
    if base_rate < MIN_BASE_RATE:
        why = f"under {MIN_BASE_RATE:.0%} holds too little to learn from"
        remedy = {"upsell": "a lower ratio", "new_category": "a finer level", "event": "wider conditions"}
        lengths = "a longer horizon_days"
    else:
        why = f"over {MAX_BASE_RATE:.0%} tells little"
        remedy = {"upsell": "a higher ratio", "new_category": "a coarser level", "event": "narrower conditions"}
        lengths = "a shorter horizon_days"
    take = "other labels" if target.kind == "label" else " or ".join(filter(None, [lengths, remedy.get(target.kind)]))
    return f"It comes about for {base_rate:.1%} of those asked about; a propensity {why}. Take {take}."


def log_days(log: EventLog) -> tuple[int, int] | None:
    """Return the local days of the first purchase and after the last, between which a log is learnt from.

    In a log without purchases those of any event; None where nothing ever happened.
    """
    days = log.day[log.kind == ORDER]
    days = days if days.size else log.day
    return (int(days.min()), int(days.max()) + 1) if days.size else None


def _snapshot_days(target: Target, first_day: int, end_day: int) -> list[int]:
    """Return the snapshots with a complete label and one horizon to look back, ascending."""
    if target.kind == "label":
        return []
    return sorted(range(end_day - target.horizon, first_day + target.horizon - 1, -target.horizon))


def _fit_spend(log: EventLog, day: int) -> GammaGammaModel | FitError:
    """Fit what a purchase model makes `expected_average_value` of, or return why it can't be."""
    rfm = Rfm.of(_frame(log, Snapshot.at_midnight(day, log.calendar)))
    try:
        return GammaGammaModel().fit(rfm.frequency, _spent(rfm))
    except FitError as error:
        return error


def _counts(
    log: EventLog,
    targets: Sequence[Target],
    days: Mapping[str, Sequence[int]],
    spend: GammaGammaModel | None,
    progress: Progress,
) -> dict[str, list[SnapshotCount]]:
    counts: dict[str, list[SnapshotCount]] = {target.name: [] for target in targets}
    # Day by day, so that the features of one day at a time are in memory, and shared by all targets.
    all_days = sorted({day for of_target in days.values() for day in of_target})
    for done, day in enumerate(all_days, start=1):
        snapshot = Snapshot.at_midnight(day, log.calendar)
        frame = _frame(log, snapshot)
        if spend is not None:
            rfm = Rfm.of(frame)
            expected = np.full(len(frame.customer_ids), np.nan)
            expected[rfm.rows] = spend.expected_average_value(rfm.frequency, _spent(rfm))
            frame = frame.with_columns(["expected_average_value"], [expected])
        for target in targets:
            if day in days[target.name]:
                kept = eligible_for(target, log, snapshot, frame)
                positives = outcome(target, log, snapshot, frame)[kept].sum()
                counts[target.name].append(SnapshotCount(day, int(kept.sum()), int(positives)))
        progress("Counting labels", done / len(all_days))
    return counts


def _frame(log: EventLog, snapshot: Snapshot) -> FeatureFrame:
    return build_features(log, snapshot, plan=_PLAN)


def _spent(rfm: Rfm) -> NDArray[np.float64]:
    """Return monetary_value, at least 0: a refund in parts may leave a rounding residue below it."""
    return np.maximum(rfm.monetary_value, 0.0)


def _why_not_counted(log: EventLog, target: Target, end: Snapshot) -> list[str]:
    """Say what is missing for there to be anything to count; nothing where it can be."""
    if target.kind == "label":
        return [
            "Its labels come from a file, and nothing can be counted before: regulars train --target "
            f"{target.name} --labels FILE"
        ]
    return unknown_terms(log, target, end)


def _too_short(target: Target, history: int) -> list[str]:
    needed = 3 * target.horizon
    if history >= needed:
        return []
    remedy = f"Take a horizon_days of {history // 3} at most." if history >= 3 else "Bring more history."
    return [
        f"The log spans {history:,} days; a horizon of {target.horizon:,} days needs at least {needed:,}: one to look "
        f"back, one to learn from, one to test on. {remedy}"
    ]


def _too_little(target: Target, snapshots: Sequence[SnapshotCount]) -> list[str]:
    """Say what of the counts is too little, or too much, to learn from."""
    complaints = []
    rate = _pooled_rate(snapshots)
    if rate is not None and (why := refusal(target, rate)) is not None:
        complaints.append(why)
    if thin := [count for count in snapshots if count.is_thin]:
        # The newest first: the last snapshot is what a training tests on.
        shown = "; ".join(
            f"{count.date}: {count.eligible:,} eligible, {count.positives:,} positive" for count in thin[::-1][:_SHOWN]
        )
        complaints.append(
            f"{len(thin)} of {len(snapshots)} snapshots have fewer than {FEWEST_ROWS} eligible customers, or "
            f"fewer than {FEWEST_OF_A_CLASS} of either kind ({shown}{'; …' if len(thin) > _SHOWN else ''}). Take a "
            "longer horizon_days or activity_days, or bring more customers."
        )
    return complaints


def _pooled_rate(snapshots: Sequence[SnapshotCount]) -> float | None:
    eligible = sum(count.eligible for count in snapshots)
    return sum(count.positives for count in snapshots) / eligible if eligible else None
