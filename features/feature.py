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

__all__ = ["Driver", "Feature", "Unit", "format_value"]

Unit = Literal["days", "purchase days", "orders", "currency", "ratio", "probability", "phase"]
Driver = Literal["inactivity", "frequency", "value", "rhythm", "lifetime", "season"]
_Formula = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
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
        Arguments of `formula`; empty for what a fitted BTYD model gives (`source` is then "btyd").
    formula : callable, optional
        From the columns of `inputs` to the feature's column; without it the first input is the feature.
    clause_at_zero, clause_below_zero : str, optional
        The clause where the value, as it would be written, is 0, or negative (`{value}` then comes without its sign).
    clause_at_one : str, optional
        The clause where the value is exactly 1.
    clause_if_missing : str
        The clause where there is nothing to compute it from.
    source : {"purchases", "btyd"}
    minimum, maximum : float, optional
        Bounds that hold for every customer; checked in training.
    lively_above, lively_below : float, optional
        Beyond this value the clause tells of a lively customer, and short of it of a quiet one (or the reverse). A
        classifier may see it otherwise; said aloud as a reason, it has to agree with common sense.
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
    formula: _Formula | None = None
    clause_at_zero: str | None = None
    clause_below_zero: str | None = None
    clause_at_one: str | None = None
    clause_if_missing: str = "there is too little history to say more"
    source: Literal["purchases", "btyd"] = "purchases"
    minimum: float | None = None
    maximum: float | None = None
    lively_above: float | None = None
    lively_below: float | None = None
    needs_history_days: int = 0
    revision: int = 1

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
        spans = [(a.ago, a.ago + a.days) for a in self.inputs if a.days is not None]
        if not spans:
            return "all history"
        newest, oldest = min(ago for ago, _ in spans), max(end for _, end in spans)
        return f"last {oldest} days" if newest == 0 else f"{newest + 1} to {oldest} days back"

    @property
    def definition_hash(self) -> str:
        """SHA-256 of what decides the values: inputs with their windows, source and revision; not the text."""
        inputs = [[int(a.measure), a.days, a.ago] for a in self.inputs]
        definition = json.dumps([self.name, "float64", self.source, inputs, self.revision])
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

    def tell(self, value: float, currency: str) -> str:
        """Say in a clause what the feature is for one customer.

        Examples
        --------
        >>> from features.catalogue import CATALOGUE
        >>> CATALOGUE["days_since_last_purchase"].tell(97.0, "USD")
        'it has been 97 days since the last purchase'
        >>> CATALOGUE["purchase_days_90d"].tell(0.0, "USD")
        'there were no purchases in the last 90 days'
        """
        if np.isnan(value):
            return self.clause_if_missing
        # What is written decides: a sum that rounding leaves at 1e-14 is nothing to whoever reads it.
        written = _rounded(value, self.unit)
        clause = self.clause
        if value == 1 and self.clause_at_one is not None:
            clause = self.clause_at_one
        elif written == 0 and self.clause_at_zero is not None:
            clause = self.clause_at_zero
        elif written < 0 and self.clause_below_zero is not None:
            clause, value = self.clause_below_zero, -value
        return clause.format(value=format_value(value, self.unit, currency))


def format_value(value: float, unit: Unit, currency: str) -> str:
    """Write a value as a person would.

    Purchase days are written as days: the sentence around says what was done on them.

    Parameters
    ----------
    value : float
        Finite.
    unit : Unit
    currency : str
        Put before amounts of money.

    Examples
    --------
    >>> format_value(1, "days", "USD"), format_value(12.4, "orders", "USD"), format_value(1234.5, "currency", "EUR")
    ('1 day', '12.4 orders', 'EUR 1,234.50')
    >>> format_value(-5, "currency", "EUR"), format_value(0.9999, "probability", "EUR")
    ('minus EUR 5.00', 'more than 99%')
    """
    written = _rounded(value, unit)
    if unit == "currency":
        return f"{'minus ' if written < 0 else ''}{currency} {abs(written):,.2f}"
    if unit == "probability":
        return "less than 1%" if written < 0.01 else "more than 99%" if written > 0.99 else f"{written:.0%}"
    if unit == "phase":
        return f"{written:.2f}"
    if unit == "ratio":
        return f"{written:,.1f}" if written < 100 else f"{written:,.0f}"
    number = f"{written:,.0f}" if written == round(written) else f"{written:,.1f}"
    noun = "days" if unit == "purchase days" else unit
    return f"{number} {noun.removesuffix('s') if abs(written) == 1 else noun}"


def _rounded(value: float, unit: Unit) -> float:
    """Round a value to the digits with which it is written; never -0."""
    if unit in ("currency", "probability", "phase"):
        return round(value, 2) + 0.0
    return round(value, 0 if unit == "days" or abs(value) >= 100 else 1) + 0.0
