"""Purchase histories: what the models know of each customer, and the same without repetition."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.btyd.checks import Column, Rule, checked_columns
from models.btyd.weighted_sum import weighted_sum

__all__ = [
    "FREQUENCY_RULE",
    "DistinctHistories",
    "Durations",
    "PurchaseHistories",
    "RepeatBuyers",
    "count_rule",
    "distinct_rows",
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

HISTORY_RULES = (
    FREQUENCY_RULE,
    Rule(
        "T",
        "finite times of 0 or more",
        lambda c: ~(np.isfinite(c["T"]) & (c["T"] >= 0)),
        "It runs from the first purchase day to the last day observed; drop customers who come later.",
    ),
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
        first, inverse = distinct_rows(self.frequency, self.recency, self.T)
        return DistinctHistories(
            unit=unit,
            frequency=self.frequency[first].astype(np.intp),
            recency=self.recency[first] / unit,
            T=self.T[first] / unit,
            counts=np.bincount(inverse, minlength=len(first)).astype(np.float64),
        )


@dataclass(frozen=True, eq=False)
class DistinctHistories:
    """The distinct rows (x, t_x, T) of a data set in scaled time, and the sums a likelihood needs of them.

    Attributes
    ----------
    unit : float
        One unit of scaled time, in the unit of the data.
    frequency : ndarray of intp, shape (m,)
        x.
    recency, T : ndarray of float64, shape (m,)
        t_x and T, scaled; the longest T is 10.
    counts : ndarray of float64, shape (m,)
        The number of customers with that row.
    """

    unit: float
    frequency: NDArray[np.intp]
    recency: Column
    T: Column
    counts: Column

    @cached_property
    def n_customers(self) -> int:
        """The number of customers behind the rows."""
        return int(self.counts.sum())

    @cached_property
    def n_purchases(self) -> float:
        """The number of repeat purchases of all customers."""
        return weighted_sum(self.counts, self.frequency.astype(np.float64))

    @cached_property
    def purchase_rate(self) -> float:
        """Repeat purchases of all customers over the scaled time for which they were observed; 0 without any."""
        observed = weighted_sum(self.counts, self.T)
        return self.n_purchases / observed if observed > 0 else 0.0

    @cached_property
    def customers_by_frequency(self) -> Column:
        """The number of customers with frequency 0, 1, … up to the highest, shape (highest + 1,)."""
        return np.bincount(self.frequency, weights=self.counts).astype(np.float64)

    @cached_property
    def durations(self) -> "Durations":
        """The distinct T, with customers and purchases at each."""
        values, index = np.unique(self.T, return_inverse=True)
        return Durations(
            values=values,
            index=index,
            customers=np.bincount(index, weights=self.counts).astype(np.float64),
            purchases=np.bincount(index, weights=self.counts * self.frequency).astype(np.float64),
        )

    @cached_property
    def repeat_buyers(self) -> "RepeatBuyers":
        """The rows with frequency above 0, as indices into the few distinct times."""
        bought_again = self.frequency > 0
        recency_values, recency_index = np.unique(self.recency[bought_again], return_inverse=True)
        return RepeatBuyers(
            frequency=self.frequency[bought_again],
            recency_values=recency_values,
            recency_index=recency_index,
            duration_index=self.durations.index[bought_again],
            counts=self.counts[bought_again],
        )


@dataclass(frozen=True, eq=False)
class Durations:
    """The k distinct values of T, each with its customers and their repeat purchases; ``index`` maps rows to them."""

    values: Column
    index: NDArray[np.intp]
    customers: Column
    purchases: Column


@dataclass(frozen=True, eq=False)
class RepeatBuyers:
    """The distinct rows of those who bought again.

    There are far fewer distinct times than rows: logarithms are taken of these and looked up by index.
    """

    frequency: NDArray[np.intp]
    recency_values: Column
    recency_index: NDArray[np.intp]
    duration_index: NDArray[np.intp]
    counts: Column


def distinct_rows(*columns: Column) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the distinct rows of some columns of one length n.

    Returns
    -------
    first : ndarray of intp, shape (m,)
        For each distinct row a position at which it stands; rows ascend, the first column counting most.
    inverse : ndarray of intp, shape (n,)
        For each row, which of the distinct ones it is.

    Examples
    --------
    >>> import numpy as np
    >>> first, inverse = distinct_rows(np.array([2.0, 1.0, 2.0]), np.array([5.0, 5.0, 5.0]))
    >>> first.tolist(), inverse.tolist()
    ([1, 0], [1, 0, 1])
    """
    order = np.lexsort(columns[::-1])
    starts = np.zeros(len(order), dtype=np.bool_)
    starts[:1] = True
    for column in columns:
        in_order = column[order]
        starts[1:] |= in_order[1:] != in_order[:-1]
    inverse = np.empty(len(order), dtype=np.intp)
    inverse[order] = np.cumsum(starts) - 1
    return order[starts], inverse
