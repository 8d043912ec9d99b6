"""Purchase histories: what the models know of each customer, and the same without repetition."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.btyd.checks import Column, Rule, checked_columns
from models.btyd.distinct import counted_rows, distinct_values, evenly_spread
from models.btyd.weighted_sum import weighted_sum

__all__ = [
    "DURATION_RULE",
    "FREQUENCY_RULE",
    "DistinctHistories",
    "PurchaseHistories",
    "Times",
    "count_rule",
]

HIGHEST_FREQUENCY = 1_000_000

# The longest T becomes this many internal units: parameters are then of order one, whatever the unit of the data.
LONGEST_SCALED_T = 10.0


def count_rule(column: str, advice: str) -> Rule:
    """Demand whole numbers, 0 or more, of a column that counts purchases."""
    return Rule(
        column,
        f"whole numbers from 0 to {HIGHEST_FREQUENCY:,}",
        lambda c: ~((c[column] >= 0) & (c[column] <= HIGHEST_FREQUENCY) & (np.rint(c[column]) == c[column])),
        advice,
    )


FREQUENCY_RULE = count_rule("frequency", "It counts the repeat purchase days: distinct purchase days less one.")

DURATION_RULE = Rule(
    "T",
    "finite times of 0 or more",
    lambda c: ~(np.isfinite(c["T"]) & (c["T"] >= 0)),
    "It runs from the first purchase day to the last day observed; drop customers who come later.",
)

HISTORY_RULES = (
    FREQUENCY_RULE,
    DURATION_RULE,
    Rule(
        "recency",
        "finite times of 0 or more",
        lambda c: ~(np.isfinite(c["recency"]) & (c["recency"] >= 0)),
        "It runs from the first to the last purchase day.",
    ),
    Rule(
        "recency",
        "values no greater than T",
        lambda c: c["recency"] > c["T"],
        "Recency runs from the first to the last purchase day, not from the last purchase to today.",
    ),
    Rule(
        "recency",
        "values above 0 where frequency is above 0",
        lambda c: (c["frequency"] > 0) & (c["recency"] <= 0),
        "Several orders on one day are one purchase day: count days, not orders.",
    ),
    Rule(
        "recency",
        "0 where frequency is 0",
        lambda c: (c["frequency"] == 0) & (c["recency"] != 0),
        "A customer with one purchase day has the same first and last purchase day.",
    ),
)


@dataclass(frozen=True, eq=False)
class PurchaseHistories:
    """Checked histories, one row a customer.

    Attributes
    ----------
    frequency : ndarray of float64, shape (n,)
        x, the repeat purchase days: whole numbers, 0 or more.
    recency : ndarray of float64, shape (n,)
        t_x, the time from first to last purchase; 0 exactly where frequency is 0.
    T : ndarray of float64, shape (n,)
        The time from first purchase to the end of observation, at least t_x, in the same unit.
    """

    frequency: Column
    recency: Column
    T: Column

    @classmethod
    def checked(cls, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """Check the three columns, and hold them.

        Raises
        ------
        InputError
            If they aren't legal histories; the message names column, count and first positions.
        """
        return cls(**checked_columns({"frequency": frequency, "recency": recency, "T": T}, HISTORY_RULES))

    def __len__(self) -> int:
        return len(self.frequency)

    @property
    def last_frequency(self) -> int:
        """The highest frequency among the rows; 0 if there are none."""
        return int(self.frequency.max(initial=0.0))

    def distinct(self) -> "DistinctHistories":
        """Each distinct row once, with the number of customers who have it, in scaled time.

        The rows are sorted, so a fit does not depend on the order in which customers come.
        """
        longest = float(self.T.max(initial=0.0))
        unit = longest / LONGEST_SCALED_T if longest > 0 else 1.0
        (x, t_x, T), counts = counted_rows(self.frequency, self.recency, self.T)
        return DistinctHistories(unit, x.astype(np.intp), Times.of(t_x, unit), Times.of(T, unit), counts)


@dataclass(frozen=True, eq=False)
class Times:
    """A column of times of which few are distinct: logarithms are taken of these and looked up by index.

    Attributes
    ----------
    values : ndarray of float64, shape (k,)
        The distinct times, scaled, ascending.
    index : ndarray of intp, shape (m,)
        For each row, which of them it is.
    """

    values: Column
    index: NDArray[np.intp]

    @classmethod
    def of(cls, column: Column, unit: float) -> Self:
        """Scale a column of times in the unit of the data."""
        values, index = distinct_values(column)
        return cls(values / unit, index)

    @property
    def rows(self) -> Column:
        """The time of each row, shape (m,)."""
        return self.values[self.index]


@dataclass(frozen=True, eq=False)
class DistinctHistories:
    """The distinct rows (x, t_x, T) of a data set in scaled time, and the sums a likelihood needs of them.

    Attributes
    ----------
    unit : float
        One unit of scaled time, in the unit of the data.
    frequency : ndarray of intp, shape (m,)
        x.
    recency, T : Times
        t_x and T of each row; the longest T is 10.
    counts : ndarray of float64, shape (m,)
        The number of customers with that row.
    """

    unit: float
    frequency: NDArray[np.intp]
    recency: Times
    T: Times
    counts: Column

    def sample(self, n_customers: int) -> "DistinctHistories":
        """Return so many of the customers, evenly spread over the sorted rows; the same ones every time."""
        rows, counts = evenly_spread(self.counts, n_customers)
        return DistinctHistories(
            unit=self.unit,
            frequency=self.frequency[rows],
            recency=Times(self.recency.values, self.recency.index[rows]),
            T=Times(self.T.values, self.T.index[rows]),
            counts=counts,
        )

    @cached_property
    def n_customers(self) -> int:
        """The number of customers behind the rows."""
        return int(self.counts.sum())

    @cached_property
    def n_purchases(self) -> float:
        """The number of repeat purchases of all customers."""
        return float(self.purchases_by_duration.sum())

    @cached_property
    def purchase_rate(self) -> float:
        """Repeat purchases of all customers over the scaled time for which they were observed; 0 without any."""
        observed = weighted_sum(self.customers_by_duration, self.T.values)
        return self.n_purchases / observed if observed > 0 else 0.0

    @cached_property
    def customers_by_frequency(self) -> Column:
        """The number of customers with frequency 0, 1, … up to the highest, shape (highest + 1,)."""
        return np.bincount(self.frequency, weights=self.counts).astype(np.float64)

    @cached_property
    def customers_by_duration(self) -> Column:
        """The number of customers with each distinct T, shape (k,)."""
        return self._by_duration(self.counts)

    @cached_property
    def purchases_by_duration(self) -> Column:
        """The number of repeat purchases of the customers with each distinct T, shape (k,)."""
        return self._by_duration(self.counts * self.frequency)

    def _by_duration(self, weights: Column) -> Column:
        return np.bincount(self.T.index, weights=weights, minlength=len(self.T.values)).astype(np.float64)
