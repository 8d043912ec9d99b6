"""A feature is one declared value: what it is made of, what it means, and how a person is told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.aggregate import Aggregate

__all__ = ["Driver", "Feature", "Unit", "format_value"]

Unit = Literal["days", "purchase days", "orders", "currency", "ratio", "probability", "phase"]
Driver = Literal["inactivity", "frequency", "value", "rhythm", "lifetime", "season"]
Formula = Callable[..., NDArray[np.float64]]


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
        What a person is told, as a clause with `{value}` in it: "it has been {value} since the last purchase".
    inputs : tuple of Aggregate
        Arguments of `formula`; empty for what a fitted BTYD model gives (`source` is then "btyd").
    formula : callable, optional
        From the columns of `inputs` to the feature's column; without it the first input is the feature.
    clause_at_zero, clause_below_zero : str, optional
        The clause where the value is 0, or negative ({value} is then written without its sign).
    clause_if_missing : str
        The clause where there is nothing to compute it from.
    source : {"purchases", "btyd"}
    minimum, maximum : float, optional
        Bounds that hold for every customer; checked in training.
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
    clause_if_missing: str = "there is too little history to say more"
    source: Literal["purchases", "btyd"] = "purchases"
    minimum: float | None = None
    maximum: float | None = None
    needs_history_days: int = 0
    revision: int = 1

    @property
    def definition_hash(self) -> str:
        """SHA-256 of what decides the values: inputs with their windows, source and revision; not the text."""
        inputs = [[int(a.measure), a.days, a.ago] for a in self.inputs]
        definition = json.dumps([self.name, "float64", self.source, inputs, self.revision])
        return hashlib.sha256(definition.encode()).hexdigest()

    def column(self, inputs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the feature's column from those of its inputs."""
        return inputs[0] if self.formula is None else self.formula(*inputs)

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
        clause = self.clause
        if value == 0 and self.clause_at_zero is not None:
            clause = self.clause_at_zero
        elif value < 0 and self.clause_below_zero is not None:
            clause, value = self.clause_below_zero, -value
        return clause.format(value=format_value(value, self.unit, currency))


def format_value(value: float, unit: Unit, currency: str) -> str:
    """Write a value as a person would.

    Examples
    --------
    >>> format_value(1, "days", "USD"), format_value(12.4, "orders", "USD"), format_value(1234.5, "currency", "EUR")
    ('1 day', '12.4 orders', 'EUR 1,234.50')
    """
    if unit == "currency":
        return f"{currency} {value:,.2f}"
    if unit in ("probability", "phase"):
        return f"{value:.0%}"
    if unit == "ratio":
        return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    rounded = round(value) if unit == "days" or value >= 100 else round(value, 1)
    number = f"{rounded:,.0f}" if rounded == round(rounded) else f"{rounded:,}"
    return f"{number} {unit.removesuffix('s') if rounded == 1 else unit}"
