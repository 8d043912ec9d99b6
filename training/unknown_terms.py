"""What a target speaks of and a log does not have: events, properties, values, category levels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.conditions import VALUE, Condition
from features.event_log import ORDER, EventLog
from features.line_log import category_levels
from features.occurrences import happened
from features.targets import Target
from features.windows import Snapshot

__all__ = ["unknown_terms"]

_SHOWN = 10


def unknown_terms(log: EventLog, target: Target, end: Snapshot) -> list[str]:
    """Say what a target speaks of that never occurs, what does, and what to do.

    Parameters
    ----------
    log : EventLog
        Read with the properties of the target's event.
    target : Target
    end : Snapshot
        Where the log ends.

    Returns
    -------
    list of str
        Sentences for an analyst; empty where everything is there.
    """
    if target.is_about_purchases and not (log.kind == ORDER).any():
        return ["There are no orders, and this target is about purchases. Ingest them by: regulars ingest events FILE"]
    if target.kind == "new_category":
        return _unknown_level(log, target.level)
    return _unknown_events(log, target, end) if target.kind == "event" else []


def _unknown_level(log: EventLog, level: str | None) -> list[str]:
    levels = list(dict.fromkeys(name for category in log.lines.categories for name in category_levels(category)))
    if not levels:
        return ["No line of an order has a category. Ingest the orders with --category COL, or leave the target out."]
    if level is None or level in levels:
        return []
    return [
        f"There is no category level “{level}”.{_meant(level, levels)} Levels: {', '.join(levels)}. Set level to one."
    ]


def _unknown_events(log: EventLog, target: Target, end: Snapshot) -> list[str]:
    occurs = happened(replace(target, where=()), log, end)
    if not occurs.any():
        entries = np.bincount(log.event_type, minlength=len(log.event_types))
        names = [log.event_types[code] for code in np.argsort(-entries, kind="stable").tolist() if entries[code]]
        return [
            f"The event “{target.event}” never occurs.{_meant(target.event or '', names)} Events that do: "
            f"{_listed(names)}. Set event to one of them, letter by letter, or ingest it."
        ]
    told = [
        sentence
        for condition in target.where
        if not happened(replace(target, where=(condition,)), log, end).any()
        for sentence in [_unmet(log, target, condition, occurs)]
    ]
    if not told and not happened(target, log, end).any():
        return [
            f"Each condition is met by some “{target.event}”, but never all of them by one. Take a condition out, "
            "or make it wider."
        ]
    return told


def _unmet(log: EventLog, target: Target, condition: Condition, occurs: NDArray[np.bool_]) -> str:
    """Say what there is instead of what a condition asks for."""
    event, name = target.event, condition.property
    if name == VALUE:
        values = np.abs(log.value[occurs])
        return (
            f"No “{event}” meets the condition {condition.describe()}. Their values lie between "
            f"{values.min():,.2f} and {values.max():,.2f}. Set another bound."
        )
    codes, counts = np.unique(log.properties[occurs], return_counts=True)
    properties: Counter[str] = Counter()
    values_of: Counter[str] = Counter()
    for code, n in zip(codes.tolist(), counts.tolist(), strict=True):
        stored: dict[str, Any] = {} if code < 0 else json.loads(log.property_texts[code])
        present = {key: value for key, value in stored.items() if value not in (None, "")}
        properties.update(dict.fromkeys(present, n))
        if name in present:
            values_of[json.dumps(present[name], ensure_ascii=False)] += n
    if not properties:
        return f"No “{event}” has any properties. Ingest it with --property {name}, or take the condition out."
    if not values_of:
        return (
            f"No “{event}” has the property “{name}”.{_meant(name, list(properties))} Properties that they have: "
            f"{_listed(_with_counts(properties))}. Set property to one of them, or ingest the event with --property "
            f"{name}."
        )
    return (
        f"No “{event}” meets the condition {condition.describe()}. Values of “{name}”: "
        f"{_listed(_with_counts(values_of))}. Set the condition to what occurs."
    )


def _meant(written: str, names: Sequence[str]) -> str:
    """Ask whether a name much like the written one was meant."""
    of_lower = {name.lower(): name for name in names}
    close = [of_lower[lower] for lower in get_close_matches(written.lower(), list(of_lower), n=2)]
    return f" Did you mean {' or '.join(f'“{name}”' for name in close)}?" if close else ""


def _with_counts(counts: Counter[str]) -> list[str]:
    return [f"{name} ({n:,})" for name, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
