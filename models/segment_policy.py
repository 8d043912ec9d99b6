"""What makes a customer at risk, of high value, ready to buy more: the decisions of a business, as data."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from models.exceptions import InputError

__all__ = ["MeasuredSaveRate", "SegmentPolicy"]

_MOST_HELD_OUT, _MOST_DAYS = 0.9, 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSaveRate:
    """Where a save rate that was measured comes from.

    Attributes
    ----------
    campaign : str
        Name of the campaign.
    low, high : float
        The 95 % interval of the save rate.
    n_contacted, n_held_out : int
        Customers of the two arms.
    outcome_days : int
        Within which they had to purchase.
    as_of : str
        The instant that it speaks of, in ISO 8601.
    """

    campaign: str
    low: float
    high: float
    n_contacted: int
    n_held_out: int
    outcome_days: int
    as_of: str

    def __post_init__(self) -> None:
        numbers = (self.low, self.high, self.n_contacted, self.n_held_out, self.outcome_days)
        are_numbers = not any(isinstance(value, bool) or not isinstance(value, int | float) for value in numbers)
        if not (are_numbers and self.low <= self.high <= 1 and min(numbers[2:]) >= 1):
            raise InputError(
                f"segment policy: save_rate_measured: expected low up to high, high up to 1, and customers and days of "
                f"1 and more, got {numbers}"
            )

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read what `dataclasses.asdict` gave."""
        known = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) != known:
            raise InputError(f"segment policy: save_rate_measured: expected a table of {', '.join(sorted(known))}")
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPolicy:
    """What makes a customer at risk, of high value, ready to buy more.

    Attributes
    ----------
    min_churn_probability : float
        At risk from this probability on, in (0, 1).
    save_rate : float
        Of the customers who would have left, the share whom a contact keeps, in (0, 1]. An assumption until it is
        measured.
    save_rate_measured : MeasuredSaveRate or None
        Where it was measured; None for an assumption.
    contact_cost : float
        Of contacting one customer, in the currency of the business, from 0.
    max_share : float
        Share of the eligible customers who may be at risk at most, in (0, 1].
    high_value_share : float
        High value is the smallest group that holds this share of the eligible customers' clv, in (0, 1).
    min_upsell_propensity : float or None
        Upsell ready from this propensity on, in (0, 1); None for `upsell_multiple` times the target's base rate.
    upsell_multiple : float
        Above 0.
    leave_margin : float
        A member leaves only when the value falls below the threshold by this share of it, in [0, 1).
    held_out_share : float
        Share of the customers at risk who are not to be contacted, so that what contacts do can be measured, in
        [0, .9].
    recent_contact_days : int
        Days for which whoever was contacted is hidden from the at-risk list, from 0 (never) to 3650.
    """

    min_churn_probability: float = 0.3
    save_rate: float = 0.1
    contact_cost: float = 1.0
    max_share: float = 0.2
    high_value_share: float = 0.5
    min_upsell_propensity: float | None = None
    upsell_multiple: float = 2.0
    leave_margin: float = 0.1
    held_out_share: float = 0.1
    recent_contact_days: int = 14
    save_rate_measured: MeasuredSaveRate | None = None

    def __post_init__(self) -> None:
        rules = (
            ("min_churn_probability", 0 < self.min_churn_probability < 1, "above 0 and below 1"),
            ("save_rate", 0 < self.save_rate <= 1, "above 0 and at most 1"),
            ("contact_cost", 0 <= self.contact_cost < np.inf, "0 or more"),
            ("max_share", 0 < self.max_share <= 1, "above 0 and at most 1"),
            ("high_value_share", 0 < self.high_value_share < 1, "above 0 and below 1"),
            (
                "min_upsell_propensity",
                self.min_upsell_propensity is None or 0 < self.min_upsell_propensity < 1,
                "above 0 and below 1",
            ),
            ("upsell_multiple", 0 < self.upsell_multiple < np.inf, "above 0"),
            ("leave_margin", 0 <= self.leave_margin < 1, "0 or more and below 1"),
            ("held_out_share", 0 <= self.held_out_share <= _MOST_HELD_OUT, f"0 to {_MOST_HELD_OUT}"),
            (
                "recent_contact_days",
                0 <= self.recent_contact_days <= _MOST_DAYS
                and self.recent_contact_days == int(self.recent_contact_days),
                f"a whole number from 0 to {_MOST_DAYS}",
            ),
            (
                "save_rate",
                self.save_rate_measured is None
                or self.save_rate_measured.low <= self.save_rate <= self.save_rate_measured.high,
                "a rate within the interval measured, or no [save_rate_measured]",
            ),
        )
        if wrong := [f"{name}: expected {rule}, got {getattr(self, name)}" for name, holds, rule in rules if not holds]:
            raise InputError("segment policy: " + "; ".join(wrong))

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, or part of it (the rest keeps its default); unknown names are refused."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(
                f"segment policy: unknown {', '.join(unknown)}; expected some of {', '.join(sorted(known))}"
            )
        measured = values.get("save_rate_measured")
        numbers = {
            name: v
            for name, v in values.items()
            if name != "save_rate_measured" and not (v is None and name == "min_upsell_propensity")
        }
        if wrong := sorted(k for k, v in numbers.items() if isinstance(v, bool) or not isinstance(v, int | float)):
            raise InputError(f"segment policy: expected a number for {', '.join(wrong)}")
        return cls(
            **{
                **values,
                "save_rate_measured": None if measured is None else MeasuredSaveRate.from_dict(measured),
            }
        )

    def to_toml(self) -> str:
        """Return the policy as TOML, for export."""
        values = self.to_dict()
        measured = values.pop("save_rate_measured")
        text = "".join(f"{name} = {value!r}\n" for name, value in values.items() if value is not None)
        if measured is None:
            return text
        # JSON writes a text as TOML reads it.
        return f"{text}\n[save_rate_measured]\n" + "".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in measured.items()
        )

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read what `to_toml` gave, or part of it; nothing at all is refused."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"segment policy: not TOML: {error}") from error
        if not values:
            raise InputError("segment policy: expected some of its keys, got none. What is left out takes its default.")
        return cls.from_dict(values)
