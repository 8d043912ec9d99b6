"""Declarative checks of the columns that the models of this package are given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import InputError

__all__ = ["Column", "Columns", "Rule", "checked_columns"]

Column = NDArray[np.float64]
Columns = Mapping[str, Column]

POSITIONS_SHOWN = 5


@dataclass(frozen=True)
class Rule:
    """What one column must look like.

    Attributes
    ----------
    column : str
        The column that is named when the rule is broken.
    expected : str
        What the column should hold, in words that follow "expected".
    broken : callable
        From all columns to a boolean array, true at each row that breaks the rule.
    advice : str
        What to do next, a whole sentence.
    """

    column: str
    expected: str
    broken: Callable[[Columns], NDArray[np.bool_]]
    advice: str


def checked_columns(values: Mapping[str, ArrayLike], rules: Sequence[Rule]) -> dict[str, Column]:
    """Turn the values into float columns of one length that obey all the rules.

    Parameters
    ----------
    values : mapping of str to array_like
        One-dimensional columns of numbers, by name; a single number is a column of one row.
    rules : sequence of Rule
        Judged in order; the first one broken is reported.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        The same columns, in the same order.

    Raises
    ------
    InputError
        If a column isn't one row of numbers, the lengths differ, or a rule is broken. The message names the column,
        how many values are wrong, and the first positions.
    """
    columns = {name: _as_column(name, value) for name, value in values.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"expected columns of one length, got {counted}. Give one row for each customer.")
    for rule in rules:
        _check(rule, columns)
    return columns


def _as_column(name: str, value: ArrayLike) -> Column:
    try:
        column = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected numbers, got {type(value).__name__} ({error}).") from error
    if column.ndim != 1:
        raise InputError(f"{name}: expected one dimension, got an array of shape {column.shape}. Pass one column.")
    return column


def _check(rule: Rule, columns: Columns) -> None:
    broken = rule.broken(columns)
    if not broken.any():
        return
    wrong = np.flatnonzero(broken)
    column = columns[rule.column]
    shown = wrong[:POSITIONS_SHOWN]
    examples = ", ".join(f"{position} ({column[position]:g})" for position in shown)
    more = ", …" if wrong.size > shown.size else ""
    raise InputError(
        f"{rule.column}: expected {rule.expected}; {wrong.size} of {column.size} values are not, "
        f"at positions {examples}{more}. {rule.advice}"
    )
