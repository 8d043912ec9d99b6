"""A feature is one declared value: what it is made of, what it means, and how a person is told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate, Measure
from features.units import Unit, format_value, rounded

__all__ = ["Driver", "Feature", "Formula", "Unit", "format_value"]

Driver = Literal[
    "inactivity",
    "frequency",
    "value",
    "basket",
    "price",
    "refunds",
    "engagement",
    "service",
    "rhythm",
    "lifetime",
    "season",
    "attributes",
]
Formula = Callable[..., NDArray[np.float64]]

# Sums of shares may leave this much of nothing.
_DUST = 1e-9

_PURCHASES, _BTYD, _ATTRIBUTE, _EVENT = "purchases", "btyd", "attribute.", "event."


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One input of the classifiers.

    Attributes
    ----------
    name : str
    unit : Unit
        Of its values; decides how they are written out.
    driver : Driver
        The group it belongs to when reasons are put into words or summed up.
    description : str
        For the documentation; one sentence.
    clause : str
        What a person is told: a whole clause that can stand in the middle of a sentence, with `{value}` in it, which
        brings its unit along: "it has been {value} since the last purchase".
    inputs : tuple of Aggregate
        Arguments of `formula`; empty for attributes, and for what a fitted BTYD model gives.
    formula : callable, optional
        From the columns of `inputs` to the feature's column, element by element, so that features which share one are
        computed in one go (`features.families.formulas` has the common ones). Without it the only input is the
        feature.
    clause_at_zero, clause_below_zero : str, optional
        The clause where the value, as it would be written, is 0 (of a share: where it is exactly 0), or negative
        (`{value}` then comes without its sign).
    clause_at_one : str, optional
        The clause where the value is exactly 1.
    clause_if_missing : str
        The clause where there is nothing to compute it from.
    needs : str
        The kind of data it is made of, a key of `Reference.first_days`; "btyd" for what the purchase model gives and
        "attribute.<name>" for attributes. Until the business has had that data for the feature's longest window, the
        feature is missing for everybody.
    categorical : bool
        Values are codes of the categories that the `Reference` lists.
    minimum, maximum : float, optional
        Bounds that hold for every customer; checked in training.
    lively_above, lively_below : float, optional
        Beyond this value the clause tells of a lively customer, and short of it of a quiet one (or the reverse). A
        classifier may see it otherwise; said aloud as a reason, it has to agree with common sense.
    purchase_chance : {"rises", "falls"}, optional
        How the chance of a purchase goes with the value, all else equal, where common sense knows. A classifier is
        held to it where that makes it better.
    needs_history_days : int
        Days of history that the log must have before a model may use it.
    revision : int
        Raise it when `formula` changes, so that older bundles are refused instead of misread.
    """

    name: str
    unit: Unit
    driver: Driver
    description: str
    clause: str
    inputs: tuple[Aggregate, ...] = ()
    formula: Formula | None = None
    clause_at_zero: str | None = None
    clause_below_zero: str | None = None
    clause_at_one: str | None = None
    clause_if_missing: str = "there is too little history to say more"
    needs: str = _PURCHASES
    categorical: bool = False
    minimum: float | None = None
    maximum: float | None = None
    lively_above: float | None = None
    lively_below: float | None = None
    purchase_chance: Literal["rises", "falls"] | None = None
    needs_history_days: int = 0
    revision: int = 1

    @property
    def source(self) -> Literal["log", "attributes", "btyd"]:
        """Where its values come from: measured in the log, learnt of customers, or given by the purchase model."""
        return "btyd" if self.needs == _BTYD else "attributes" if self.needs.startswith(_ATTRIBUTE) else "log"

    @property
    def window(self) -> str:
        """The days before the snapshot that it looks at, in words.

        Examples
        --------
        >>> from features.catalogue import CATALOGUE
        >>> CATALOGUE["recency"].window, CATALOGUE["value_30d"].window, CATALOGUE["value_change_90d"].window
        ('all history', 'last 30 days', 'last 180 days')
        """
        if self.inputs and all(a.measure == Measure.YEAR_PHASE for a in self.inputs):
            return "date of the snapshot"
        if not self.longest_window:
            return "all history"
        newest = min(a.ago for a in self.inputs if a.days is not None)
        return f"last {self.longest_window} days" if newest == 0 else f"{newest + 1} to {self.longest_window} days back"

    @property
    def longest_window(self) -> int:
        """Days back from the snapshot to the beginning of its longest window, 0 where it looks at all history."""
        return max((a.ago + a.days for a in self.inputs if a.days is not None), default=0)

    @property
    def gates(self) -> tuple[str, ...]:
        """Kinds of data that must have been there for as long as it looks back, or else it is missing for everybody.

        Of purchases that is not asked: before a customer's first one it is missing anyway.
        """
        needed = (self.needs, *(f"{_EVENT}{a.of}" for a in self.inputs if a.of is not None))
        return tuple(dict.fromkeys(key for key in needed if key != _PURCHASES)) if self.source == "log" else ()

    @property
    def definition_hash(self) -> str:
        """SHA-256 of what decides the values: inputs with their windows, data, revision; not the text."""
        inputs = [[int(a.measure), a.days, a.ago, *([] if a.of is None else [a.of])] for a in self.inputs]
        definition = json.dumps([self.name, "float64", self.needs, inputs, self.revision])
        return hashlib.sha256(definition.encode()).hexdigest()

    def column(self, inputs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the feature's column from those of its inputs."""
        return inputs[0] if self.formula is None else self.formula(*inputs)

    def shows(self, value: float) -> Literal["life", "quiet"] | None:
        """What the clause would make anybody think of, None where it could be either.

        Examples
        --------
        >>> from features.catalogue import CATALOGUE
        >>> CATALOGUE["purchase_days_90d"].shows(0.0), CATALOGUE["silence_ratio"].shows(1.7)
        ('quiet', 'quiet')
        """
        # NaN compares false with everything, so what is missing shows nothing.
        if self.lively_above is not None:
            return "life" if value > self.lively_above else "quiet" if value < self.lively_above else None
        if self.lively_below is not None:
            return "life" if value < self.lively_below else "quiet" if value > self.lively_below else None
        return None

    def written(self, value: float | str, currency: str) -> str:
        """Write a value with its unit; a category is written as it is, and what is missing as nothing."""
        if isinstance(value, str):
            return value
        return "" if np.isnan(value) else format_value(value, self.unit, currency)

    def tell(self, value: float | str, currency: str) -> str:
        """Say in a clause what the feature is for one customer.

        Parameters
        ----------
        value : float or str
            NaN where missing; the text of a category, not its code.
        currency : str
            Put before amounts of money.

        Examples
        --------
        >>> from features.catalogue import CATALOGUE, find_feature
        >>> CATALOGUE["days_since_last_purchase"].tell(97.0, "USD")
        'it has been 97 days since the last purchase'
        >>> CATALOGUE["purchase_days_90d"].tell(0.0, "USD")
        'there were no purchases in the last 90 days'
        >>> find_feature("attribute.Contract").tell("Month-to-month", "USD")
        'Contract is Month-to-month'
        """
        if isinstance(value, str):
            return self.clause.format(value=value)
        if value != value:
            return self.clause_if_missing
        clause = self.clause
        # What is written decides: a sum that rounding leaves at 1e-14 is nothing to whoever reads it.
        written = rounded(value, self.unit)
        if value == 1 and self.clause_at_one is not None:
            clause = self.clause_at_one
        elif self._is_nothing(value, written) and self.clause_at_zero is not None:
            clause = self.clause_at_zero
        elif written < 0 and self.clause_below_zero is not None:
            clause, value = self.clause_below_zero, -value
        return clause.format(value=format_value(value, self.unit, currency))

    def _is_nothing(self, value: float, written: float) -> bool:
        """Whether a value is told as nothing: "none of it" is said of a share only where it is so."""
        return abs(value) < _DUST if self.unit == "share" else written == 0
