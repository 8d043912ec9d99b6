"""Lines of orders as they were ordered: what was bought, how many, for how much."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.ragged import join_columns, join_offsets, keep_rows, recode, take_rows

__all__ = ["NO_CATEGORY", "STILL_HOLDS", "LineLog", "category_levels"]

NO_CATEGORY = -1
STILL_HOLDS = np.iinfo(np.int64).max

_COLUMNS = {
    "occurred_at": np.int64,
    "day": np.int32,
    "order": np.int32,
    "product": np.int32,
    "category": np.int32,
    "quantity": np.float64,
    "value": np.float64,
    "discount": np.float64,
    "ordered_at": np.int64,
    "until": np.int64,
}


@dataclass(frozen=True, slots=True, eq=False)
class LineLog:
    """Lines of completed orders of some customers, in order of customer, then time.

    Refunds don't touch them: what was once ordered shows taste, whether it was kept or not. Updates do: the lines that
    an update brings count as ordered when their order was, and those that it replaces hold no longer. What was in the
    orders at an instant are the lines with `occurred_at < instant <= until`.

    Attributes
    ----------
    offsets : int64, length n_customers + 1
        Lines of customer i are `offsets[i]:offsets[i + 1]`.
    occurred_at : int64
        When a line came, in microseconds since 1970-01-01 UTC; that may be later than its order.
    day : int32
        Local day of the business since 1970-01-01 to which `ordered_at` belongs.
    order : int32
        Position of its order within the customer's entries of the `EventLog`, so lines of one order share it.
    product : int32
        Says which lines are of the same product, and nothing else; -1 without one.
    category : int32
        Index into `categories`; -1 without one.
    quantity, value, discount : float64
        NaN if unknown; money in the currency of the business.
    categories : tuple of str
        JSON objects of level name to category, coarse to fine, ascending.
    ordered_at : int64
        When a line counts as ordered: with its order if an update brought it, else when it came, as if left out.
    until : int64
        When an update replaced a line; `STILL_HOLDS` if none did, as if left out.
    """

    offsets: NDArray[np.int64]
    occurred_at: NDArray[np.int64]
    day: NDArray[np.int32]
    order: NDArray[np.int32]
    product: NDArray[np.int32]
    category: NDArray[np.int32]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]
    categories: tuple[str, ...]
    ordered_at: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    until: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.ordered_at):
            object.__setattr__(self, "ordered_at", self.occurred_at)
        if not len(self.until):
            object.__setattr__(self, "until", np.full(len(self.occurred_at), STILL_HOLDS, dtype=np.int64))

    @property
    def n_customers(self) -> int:
        """Number of customers, those without lines included."""
        return len(self.offsets) - 1

    @classmethod
    def empty(cls, n_customers: int) -> LineLog:
        """Return the lines of customers who have none."""
        return cls(
            offsets=np.zeros(n_customers + 1, dtype=np.int64),
            **{name: np.empty(0, dtype=dtype) for name, dtype in _COLUMNS.items()},
            categories=(),
        )

    def before(self, as_of: int) -> LineLog:
        """Return the lines as they were known at an instant, of all customers: also those replaced before it."""
        known = self.occurred_at < as_of
        columns = {name: getattr(self, name)[known] for name in _COLUMNS}
        columns["until"] = np.where(columns["until"] < as_of, columns["until"], STILL_HOLDS)
        return replace(self, offsets=keep_rows(self.offsets, known), **columns)

    def take(self, customers: Sequence[int] | NDArray[np.int64]) -> LineLog:
        """Return the lines of the customers at these positions, in this order."""
        offsets, lines = take_rows(self.offsets, customers)
        return replace(self, offsets=offsets, **{name: getattr(self, name)[lines] for name in _COLUMNS})

    @classmethod
    def concatenate(cls, parts: Sequence[LineLog]) -> LineLog:
        """Join the lines of different customers, one part after another."""
        categories = tuple(sorted({text for part in parts for text in part.categories}))
        columns = {
            name: join_columns([getattr(part, name) for part in parts], dtype) for name, dtype in _COLUMNS.items()
        }
        columns["category"] = join_columns(
            [recode(part.category, part.categories, categories) for part in parts], np.int32
        )
        return cls(offsets=join_offsets([part.offsets for part in parts]), **columns, categories=categories)

    def level(self, name: str | None) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Look at the categories on one level only.

        Parameters
        ----------
        name : str or None
            Of the level; None for the coarsest of each category.

        Returns
        -------
        codes : int32, one a line
            Index into `names`; -1 for a line without a category, or whose category lacks the level.
        names : tuple of str
            Ascending.
        """
        of_category = [category_levels(text) for text in self.categories]
        found = [next(iter(levels.values()), None) if name is None else levels.get(name) for levels in of_category]
        names = tuple(sorted({category for category in found if category is not None}))
        position = {category: i for i, category in enumerate(names)}
        # The last one stands for lines without a category.
        code = [NO_CATEGORY if category is None else position[category] for category in found]
        return np.array([*code, NO_CATEGORY], dtype=np.int32)[self.category], names


@lru_cache(maxsize=65_536)
def category_levels(category: str) -> Mapping[str, str]:
    """Read a stored category: level name to category, coarse to fine.

    Examples
    --------
    >>> dict(category_levels('{"department": "Food", "aisle": "Tea"}'))
    {'department': 'Food', 'aisle': 'Tea'}
    """
    return MappingProxyType(json.loads(category))
