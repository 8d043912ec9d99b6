"""The targets of a model as people are told of them: what has to come about, within how many days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.targets import CHURN, Target

__all__ = ["horizon_of", "in_words", "targets_of_report"]


def targets_of_report(report: Mapping[str, Any]) -> dict[str, Target]:
    """Read the targets of a model from its stored report, churn first.

    Parameters
    ----------
    report : mapping
        As training stored it, or any part of one. Before targets were data the only one was churn by inactivity, with
        its lengths among the settings.
    """
    settings = report.get("settings") or {}
    by_inactivity = Target(name=CHURN, kind="inactivity")
    if settings.get("horizon_days"):
        by_inactivity = by_inactivity.with_defaults(settings["horizon_days"], settings.get("activity_days"))
    targets = {
        name: Target.from_dict(told["target"]) if "target" in told else by_inactivity
        for name, told in (report.get("targets") or {}).items()
    }
    return dict(sorted(targets.items(), key=lambda named: named[0] != CHURN))


def horizon_of(target: Target) -> int | None:
    """Return the days within which it may come about; None where a file of labels says what came about."""
    return None if target.kind == "label" else target.horizon_days


def in_words(target: Target) -> str:
    """Say what has to come about, and within how many days.

    Examples
    --------
    >>> in_words(Target(name="churn", kind="inactivity", horizon_days=90))
    'no purchase within 90 days'
    >>> in_words(Target(name="visit", kind="label", horizon_days=90))
    'what a file of labels says'
    """
    days = horizon_of(target)
    return target.describe() if days is None else f"{target.describe()} within {days:,} days"
