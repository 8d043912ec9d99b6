"""Targets as data: what is predicted of each customer, over how many days, and of whom."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from features.conditions import VALUE, Condition, is_text, require_known_keys
from features.exceptions import TargetError

__all__ = ["CHURN", "DEFAULT_TARGETS", "UPSELL", "Kind", "Target", "TargetSet"]

Kind = Literal["inactivity", "event", "purchase", "upsell", "new_category", "label"]

# The name of the one target that is no propensity.
CHURN = "churn"

# The name of the propensity by which customers are ready to buy more.
UPSELL = "upsell"

_LONGEST_HORIZON, _LONGEST_ACTIVITY = 1_825, 7_300  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that may come about for a customer within the horizon after a snapshot.

    The target named `churn` is churn; it is of kind `inactivity`, `event` or `label`. Every other is a propensity, of
    any kind but `inactivity`.

    Attributes
    ----------
    name : str
        A lower-case letter, then up to 39 letters, digits and `_`; `<name>_propensity` is what scores call it.
    kind : Kind
        `inactivity`: no purchase. `event`: an event of this name that meets all conditions. `purchase`: any purchase.
        `upsell`: the mean value of the orders is above `ratio` times what was expected. `new_category`: a purchase
        from a category that the customer never bought from before. `label`: what a file of labels says.
    horizon_days : int or None
        Days in which it may come about, 1 to 1825; None for the horizon of the training.
    activity_days : int or None
        Customers are asked about who were active within so many days before, 1 to 7300; None for the window of the
        training.
    event : str or None
        Name of the event as sent; of kind `event` only.
    where : tuple of Condition
        What the event must be to count; of kind `event` only.
    ratio : float
        Above 0; of kind `upsell` only.
    level : str or None
        Name of a category level, None for the coarsest; of kind `new_category` only.

    Examples
    --------
    >>> Target(name="downgrade", kind="event", event="Plan Changed", where=(Condition(property="to", is_="basic"),))
    ... # doctest: +ELLIPSIS
    Target(name='downgrade', kind='event', ...)
    """

    name: str
    kind: Kind
    horizon_days: int | None = None
    activity_days: int | None = None
    event: str | None = None
    where: tuple[Condition, ...] = ()
    ratio: float = 1.25
    level: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            expected, is_right = _EXPECTED[field.name]
            value = getattr(self, field.name)
            if not (is_right(value) or (value is None and field.default is None)):
                raise TargetError(f"{_called(self.name)}: {field.name}: expected {expected}, got {value!r}")
        foreign = [
            field.name
            for field in fields(self)
            if self.kind not in _KINDS_OF.get(field.name, (self.kind,)) and getattr(self, field.name) != field.default
        ]
        self._refuse_keys(foreign)
        if self.kind == "event" and self.event is None:
            raise TargetError(f"{_called(self.name)}: event: expected {_EXPECTED['event'][0]}, got none")
        if self.is_churn and self.kind not in _CHURN_KINDS:
            raise TargetError(
                f"{_called(self.name)}: kind: churn is one of {', '.join(_CHURN_KINDS)}, got {self.kind!r}; give a "
                "propensity another name"
            )
        if not self.is_churn and self.kind == "inactivity":
            raise TargetError(
                f"{_called(self.name)}: kind: inactivity is churn, so its name must be {CHURN!r}, got {self.name!r}"
            )

    @property
    def is_churn(self) -> bool:
        """Whether it is churn; else it is a propensity."""
        return self.name == CHURN

    @property
    def is_about_purchases(self) -> bool:
        """Whether only customers who purchase can be asked about."""
        return self.kind in ("inactivity", "purchase", "upsell", "new_category")

    @property
    def horizon(self) -> int:
        """`horizon_days` where they are set, as `with_defaults` does."""
        return self._set("horizon_days")

    @property
    def activity(self) -> int:
        """`activity_days` where they are set, as `with_defaults` does."""
        return self._set("activity_days")

    def with_defaults(self, horizon_days: int, activity_days: int | None) -> Self:
        """Return the target with both lengths set.

        Parameters
        ----------
        horizon_days : int
            Of the training, for a target without its own.
        activity_days : int or None
            Of the training, for a target without its own; None for twice the horizon that the target has.
        """
        horizon = self.horizon_days or horizon_days
        return replace(self, horizon_days=horizon, activity_days=self.activity_days or activity_days or 2 * horizon)

    def describe(self) -> str:
        """Say in words what has to come about, without its horizon.

        Examples
        --------
        >>> [target.describe() for target in DEFAULT_TARGETS.targets]
        ['no purchase', 'orders worth more than 1.25 times what was expected, on average']
        """
        if self.kind == "event":
            conditions = " and ".join(condition.describe() for condition in self.where)
            return f"the event “{self.event}”{f' where {conditions}' if conditions else ''}"
        return {
            "inactivity": "no purchase",
            "purchase": "a purchase",
            "upsell": f"orders worth more than {self.ratio:g} times what was expected, on average",
            "new_category": "a purchase from a category never bought before"
            + (f", on the level “{self.level}”" if self.level else ""),
            "label": "what a file of labels says",
        }[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as JSON-safe values under the keys of TOML."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given["where"] = [condition.to_dict() for condition in self.where]
        return {
            key: value
            for key, value in given.items()
            if value not in (None, []) and self.kind in _KINDS_OF.get(key, (self.kind,))
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave; keys left out have their defaults.

        Raises
        ------
        TargetError
            A key is missing, unknown, of another kind, or holds what it can't; the text names target and key.
        """
        called = _called(values.get("name"))
        try:
            require_known_keys(values, tuple(_EXPECTED))
        except TargetError as error:
            raise TargetError(f"{called}: {error}") from error
        for key in ("name", "kind"):
            if key not in values:
                raise TargetError(f"{called}: {key}: expected {_EXPECTED[key][0]}, got none")
        target = cls(**{**values, "where": _conditions(values.get("where", []), called)})
        target._refuse_keys([key for key in values if target.kind not in _KINDS_OF.get(key, (target.kind,))])
        return target

    def _set(self, key: Literal["horizon_days", "activity_days"]) -> int:
        days: int | None = getattr(self, key)
        if days is None:
            raise TargetError(f"{_called(self.name)}: {key}: expected to be set, got none; call with_defaults first")
        return days

    def _refuse_keys(self, foreign: list[str]) -> None:
        """Refuse keys that mean nothing for the kind, rather than leave them without effect."""
        for key in foreign:
            raise TargetError(
                f"{_called(self.name)}: {key}: expected with kind {' or '.join(_KINDS_OF[key])} only, got it with "
                f"kind {self.kind}; take it out"
            )


@dataclass(frozen=True, slots=True)
class TargetSet:
    """The targets of a training, at least one, each with a name of its own.

    Attributes
    ----------
    targets : tuple of Target
    """

    targets: tuple[Target, ...]

    def __post_init__(self) -> None:
        if not self.targets:
            raise TargetError("targets: expected at least one, written as [[target]], got none")
        counts = Counter(target.name for target in self.targets)
        if counts[CHURN] > 1:
            raise TargetError(
                f"target {CHURN!r}: name: expected one churn at most, got {counts[CHURN]}; name the others, which are "
                "then propensities"
            )
        if twice := [name for name, count in counts.items() if count > 1]:
            raise TargetError(f"target {twice[0]!r}: name: expected each once, got {counts[twice[0]]} of this name")

    @property
    def events_with_properties(self) -> tuple[str, ...]:
        """Names of the events whose properties are looked at, ascending: a log of them must have been read so."""
        return tuple(
            sorted(
                {
                    target.event
                    for target in self.targets
                    if target.event is not None and any(c.property != VALUE for c in target.where)
                }
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the set as JSON-safe values, in the shape of its TOML."""
        return {"target": [target.to_dict() for target in self.targets]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        TargetError
            It can't be meant; the text names target and key.
        """
        if unknown := sorted(set(values) - {"target"}):
            raise TargetError(f"targets: unknown {', '.join(map(repr, unknown))}; expected [[target]] and nothing else")
        listed = values.get("target", [])
        if not isinstance(listed, list) or not all(isinstance(target, dict) for target in listed):
            raise TargetError("targets: expected each target as a table of its own, written as [[target]]")
        return cls(tuple(Target.from_dict(target) for target in listed))

    def to_toml(self) -> str:
        """Return the set as TOML, for export."""
        return "\n".join(
            "[[target]]\n" + "".join(f"{key} = {_as_toml(value)}\n" for key, value in target.to_dict().items())
            for target in self.targets
        )

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` gave, or a person wrote.

        Raises
        ------
        TargetError
            It is not TOML, or can't be meant.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TargetError(f"targets: not TOML: {error}") from error
        return cls.from_dict(values)


def _called(name: object) -> str:
    return "a target without name" if name is None else f"target {name!r}"


def _conditions(listed: object, called: str) -> tuple[Condition, ...]:
    if not isinstance(listed, list) or not all(isinstance(condition, dict) for condition in listed):
        raise TargetError(f'{called}: where: expected a list such as [{{property = "plan", is = "basic"}}]')
    conditions = []
    for number, condition in enumerate(listed, start=1):
        try:
            conditions.append(Condition.from_dict(condition))
        except TargetError as error:
            raise TargetError(f"{called}: where: condition {number}: {error}") from error
    return tuple(conditions)


def _as_toml(value: object) -> str:
    """Write a value as TOML; lists of tables as inline tables, one a line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_as_toml(of_key)}" for key, of_key in value.items()) + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"  {_as_toml(table)},\n" for table in value) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    # Texts, numbers, true and false are written as in JSON, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _days_up_to(longest: int) -> tuple[str, Callable[[Any], bool]]:
    return (
        f"a whole number of days from 1 to {longest}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= longest,
    )


_KINDS: tuple[Kind, ...] = ("inactivity", "event", "purchase", "upsell", "new_category", "label")
_CHURN_KINDS: tuple[Kind, ...] = ("inactivity", "event", "label")

# Keys that mean something for these kinds only.
_KINDS_OF: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {"event": ("event",), "where": ("event",), "ratio": ("upsell",), "level": ("new_category",)}
)

# What each key may hold, in words and as a test.
_EXPECTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "name": (
            "a lower-case letter, then up to 39 lower-case letters, digits and _",
            lambda value: isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value) is not None,
        ),
        "kind": (f"one of {', '.join(_KINDS)}", lambda value: value in _KINDS),
        "horizon_days": _days_up_to(_LONGEST_HORIZON),
        "activity_days": _days_up_to(_LONGEST_ACTIVITY),
        "event": ('the name of an event, such as "Subscription Cancelled"', is_text),
        "where": ("a list of conditions", lambda value: isinstance(value, tuple)),
        "ratio": (
            "a finite number above 0",
            lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"),
        ),
        "level": ("the name of a category level", is_text),
    }
)

DEFAULT_TARGETS = TargetSet((Target(name=CHURN, kind="inactivity"), Target(name=UPSELL, kind="upsell")))
