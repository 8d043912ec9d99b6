"""Conditions on an event: what its properties, or its value, must be for it to count."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.exceptions import TargetError

__all__ = ["VALUE", "Condition", "Scalar", "is_text", "meeting", "require_known_keys"]

# What a property is compared with.
Scalar = str | int | float | bool

# The name under which a condition speaks of the event's own value.
VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What one property of an event must be; of several tests all must hold.

    A number that was sent as text counts as the number that it reads as, so that what came from a CSV file and what
    came as JSON are judged alike. Texts are compared letter by letter. A property that is null, or an empty text, is
    as good as absent, and an absent one passes `exists = false` only.

    Attributes
    ----------
    property : str
        Its name as sent; `value` means the event's own value, in the currency of the business (0 where it has none).
    is_ : text, number or bool, optional
        Equal to it; `is` in TOML.
    one_of : tuple of the same, optional
        Equal to one of these.
    at_least, at_most, below, above : float, optional
        A number within these bounds.
    exists : bool, optional
        Present, or absent.

    Examples
    --------
    >>> condition = Condition(property="plan", one_of=("basic", "free"))
    >>> condition.holds({"plan": "free"}), condition.holds({"plan": "pro"}), condition.holds({})
    (True, False, False)
    >>> Condition(property="seats", at_least=2, below=10).holds({"seats": "9.5"})
    True
    """

    property: str
    is_: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    above: float | None = None
    exists: bool | None = None

    def __post_init__(self) -> None:
        given = self.to_dict()
        of_value = self.property == VALUE
        for key, value in given.items():
            expected, is_right = _EXPECTED_OF_VALUE[key] if of_value and key in _EXPECTED_OF_VALUE else _EXPECTED[key]
            if not is_right(value):
                raise TargetError(f"{key}: expected {expected}, got {value!r}")
        if len(given) == 1:
            raise TargetError(f"expected a test of {self.property!r}: {', '.join(_TESTS)}; got none")
        if self.exists is False and len(given) > 2:
            raise TargetError(f"exists: expected no further test of {self.property!r} where it is absent")

    def holds(self, properties: Mapping[str, Any]) -> bool:
        """Whether an event with these properties passes."""
        stored = properties.get(self.property)
        if stored is None or stored == "":
            return self.exists is False
        if self.exists is False:
            return False
        if self.is_ is not None and not _same(stored, self.is_):
            return False
        if self.one_of is not None and not any(_same(stored, wanted) for wanted in self.one_of):
            return False
        number = _number(stored)
        return all(
            number is not None and passes(number, bound)
            for name, passes in _BOUNDS.items()
            if (bound := getattr(self, name)) is not None
        )

    def holds_for_values(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether events worth so much pass a condition on `value`, same shape."""
        passed = np.ones(len(values), dtype=np.bool_)
        for wanted in (self.one_of, None if self.is_ is None else (self.is_,)):
            if wanted is not None:
                passed &= np.isin(values, np.array(wanted, dtype=np.float64))
        for name, passes in _BOUNDS.items():
            if (bound := getattr(self, name)) is not None:
                passed &= passes(values, bound)
        return passed

    def describe(self) -> str:
        """Say it in words.

        Examples
        --------
        >>> Condition(property="plan", is_="basic").describe(), Condition(property="value", at_least=50).describe()
        ('plan is "basic"', 'value at least 50')
        """
        told = []
        for key, value in self.to_dict().items():
            if key == "exists":
                told.append("exists" if value else "is absent")
            elif key != "property":
                shown = " or ".join(map(_shown, value)) if key == "one_of" else _shown(value)
                told.append(f"{'is' if key == 'one_of' else key.replace('_', ' ')} {shown}")
        return f"{self.property} {' and '.join(told)}"

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as JSON-safe values under the keys of TOML."""
        given = {field.name.removesuffix("_"): getattr(self, field.name) for field in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value is not None
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        TargetError
            A key is unknown, or holds what it can't; the text names the key.
        """
        require_known_keys(values, tuple(_EXPECTED))
        if "property" not in values:
            raise TargetError(f"property: expected {_EXPECTED['property'][0]}, got none")
        given: dict[str, Any] = {
            {"is": "is_"}.get(key, key): tuple(value) if isinstance(value, list) else value
            for key, value in values.items()
        }
        return cls(**given)


def require_known_keys(values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise `TargetError` naming the keys that are not known, and those that are."""
    if unknown := sorted(set(values) - set(known)):
        raise TargetError(f"unknown key {', '.join(map(repr, unknown))}; expected some of {', '.join(known)}")


def meeting(conditions: tuple[Condition, ...], property_texts: tuple[str, ...]) -> NDArray[np.bool_]:
    """Judge each distinct text of properties once.

    Parameters
    ----------
    conditions : tuple of Condition
        None of them on `value`.
    property_texts : tuple of str
        JSON objects.

    Returns
    -------
    bool, length n_texts + 1, not writeable
        Whether events with these properties pass all conditions; the last element is that of events without any, so
        that the position -1 finds it.
    """
    # Kept, since a training asks again at every snapshot; by what is written, since in Python True equals 1.
    return _meeting(json.dumps([condition.to_dict() for condition in conditions]), property_texts)


@lru_cache(maxsize=16)
def _meeting(written: str, property_texts: tuple[str, ...]) -> NDArray[np.bool_]:
    conditions = [Condition.from_dict(condition) for condition in json.loads(written)]
    judged = np.array(
        [all(c.holds(properties) for c in conditions) for properties in (*map(json.loads, property_texts), {})],
        dtype=np.bool_,
    )
    judged.flags.writeable = False
    return judged


def _same(stored: object, wanted: Scalar) -> bool:
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return _truth(stored) is not None and _truth(stored) == _truth(wanted)
    if isinstance(stored, str) and isinstance(wanted, str):
        return stored == wanted
    number = _number(stored)
    return number is not None and number == _number(wanted)


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    """Return the finite number that a value is, or reads as."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Scalar) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    return json.dumps(value, ensure_ascii=False)


def is_text(value: object) -> bool:
    """Whether a value can be a name, or a text to compare with: not blank, and legal in a file."""
    # Half of a surrogate pair has no place in a file or database.
    return isinstance(value, str) and bool(value.strip()) and value.encode(errors="replace").decode() == value


def _is_number(value: object) -> bool:
    return not isinstance(value, str) and _number(value) is not None


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool) or is_text(value) or _is_number(value)


def _list_of(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(is_right, value))


_Check = tuple[str, Callable[[object], bool]]

# What each key may hold, in words and as a test.
_NUMBER: _Check = ("a finite number", _is_number)
_EXPECTED: Mapping[str, _Check] = MappingProxyType(
    {
        "property": ("the name of a property, or 'value'", is_text),
        "is": ("a text, a finite number, true or false", _is_scalar),
        "one_of": ("a list of texts, finite numbers, true or false", _list_of(_is_scalar)),
        "at_least": _NUMBER,
        "at_most": _NUMBER,
        "below": _NUMBER,
        "above": _NUMBER,
        "exists": ("true or false", lambda value: isinstance(value, bool)),
    }
)
_EXPECTED_OF_VALUE: Mapping[str, _Check] = MappingProxyType(
    {
        "is": ("a finite number, since an event's value is one", _is_number),
        "one_of": ("a list of finite numbers, since an event's value is one", _list_of(_is_number)),
        "exists": ("no such test of 'value', which every event has", lambda _: False),
    }
)
_TESTS = tuple(key for key in _EXPECTED if key != "property")

_BOUNDS: Mapping[str, Callable[[Any, float], Any]] = MappingProxyType(
    {
        "at_least": lambda value, bound: value >= bound,
        "at_most": lambda value, bound: value <= bound,
        "below": lambda value, bound: value < bound,
        "above": lambda value, bound: value > bound,
    }
)
