"""From a plain table of purchases, one row each in any order, to what the BTYD models read.

For data that is not in the store: a data frame, a query's result. The dates are days of the business already. The way
through `EventLog` gives the same numbers and knows refunds, time zones and many snapshots too; this one sorts no rows:
they are dealt out to their customers, whose few days are then put in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray

from features.exceptions import CheckError

__all__ = ["PurchaseSummary", "rfm_of_purchases"]

_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseSummary:
    """Purchase days of customers, one element a customer.

    Attributes
    ----------
    customer_ids : array, shape (n,)
        As they came, ascending, each once.
    frequency, recency, T : float64, shape (n,)
        Repeat purchase days; days from first to last; days from first to the last day observed.
    monetary_value : float64, shape (n,)
        Mean value of the repeat purchase days; NaN for frequency 0.
    """

    customer_ids: NDArray[Any]
    frequency: NDArray[np.float64]
    recency: NDArray[np.float64]
    T: NDArray[np.float64]
    monetary_value: NDArray[np.float64]


def rfm_of_purchases(
    customer_id: ArrayLike | pd.Series[Any], date: ArrayLike | pd.Series[Any], value: ArrayLike, *, as_of: date
) -> PurchaseSummary:
    """Summarise purchases by customer.

    Parameters
    ----------
    customer_id : array_like, shape (rows,)
        Whole numbers or texts.
    date : array_like of datetime64, shape (rows,)
        Local days of the business; a time of day is cut off.
    value : array_like, shape (rows,)
        Finite; in the currency of the business. Those of one customer and day are added.
    as_of : datetime.date
        The first day that is not known yet: rows of this day or later are left out, and so are customers who have no
        others. The last day observed is the day before it.

    Returns
    -------
    PurchaseSummary

    Raises
    ------
    CheckError
        If the columns differ in length, or a row has no customer, no date or no finite value.

    Examples
    --------
    >>> summary = rfm_of_purchases(
    ...     ["b", "a", "b", "b"],
    ...     np.array(["1997-01-09", "1997-01-02", "1997-01-01", "1997-01-09"], dtype="datetime64[D]"),
    ...     [7.0, 1.0, 2.0, 3.0],
    ...     as_of=date(1997, 1, 31),
    ... )
    >>> summary.customer_ids.tolist(), summary.frequency.tolist(), summary.T.tolist()
    (['a', 'b'], [0.0, 1.0], [28.0, 29.0])
    >>> summary.monetary_value.tolist()
    [nan, 10.0]
    """
    codes, ids = pd.factorize(customer_id if isinstance(customer_id, pd.Series) else np.asarray(customer_id))
    values = np.asarray(value, dtype=np.float64)
    days = np.asarray(date).astype("datetime64[D]")
    _check(codes, days, values)
    first_unknown = np.datetime64(as_of, "D")
    columns = _summarised(codes, days.astype(np.int64), values, len(ids), int(first_unknown.astype(np.int64)))
    ascending = np.argsort(np.asarray(ids), kind="stable")
    ascending = ascending[columns[0][ascending] >= 0]
    return PurchaseSummary(np.asarray(ids)[ascending], *(column[ascending] for column in columns))


def _check(codes: NDArray[np.intp], days: NDArray[np.datetime64], values: NDArray[np.float64]) -> None:
    if not len(codes) == len(days) == len(values):
        raise CheckError(
            f"expected one customer_id, date and value a row, got {len(codes):,}, {len(days):,} and {len(values):,}"
        )
    for name, wanted, wrong in (
        ("customer_id", "a customer", codes < 0),
        ("date", "a date", np.isnat(days)),
        ("value", "a finite number", ~np.isfinite(values)),
    ):
        if wrong.any():
            rows = np.flatnonzero(wrong)
            shown = ", ".join(map(str, rows[:_SHOWN].tolist())) + (", …" if len(rows) > _SHOWN else "")
            raise CheckError(
                f"{name}: expected {wanted} in every row, got none in {len(rows):,} (rows {shown}); leave those out"
            )


@njit(cache=True)
def _summarised(
    codes: NDArray[np.intp], days: NDArray[np.int64], values: NDArray[np.float64], n_customers: int, end: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return frequency, recency, T and monetary value by code; a frequency of -1 for nothing before the end."""
    ends = np.zeros(n_customers, dtype=np.int64)
    for row in range(len(codes)):
        ends[codes[row]] += days[row] < end
    total = 0
    for customer in range(n_customers):
        n = ends[customer]
        ends[customer] = total
        total += n

    # Deal the rows out: those of a customer come to stand side by side, in the order in which they came.
    day, worth = np.empty(total, dtype=np.int32), np.empty(total)
    for row in range(len(codes)):
        if days[row] < end:
            at = ends[codes[row]]
            day[at] = days[row]
            worth[at] = values[row]
            ends[codes[row]] = at + 1

    frequency, recency, T, monetary_value = (
        np.full(n_customers, -1.0),
        np.empty(n_customers),
        np.empty(n_customers),
        np.empty(n_customers),
    )
    begin = 0
    for customer in range(n_customers):
        stop = ends[customer]
        if stop > begin:
            order = np.argsort(day[begin:stop], kind="mergesort")
            first = day[begin + order[0]]
            last, repeats, repeat_value = first, 0, 0.0
            for i in order:
                if day[begin + i] != last:
                    last = day[begin + i]
                    repeats += 1
                if last != first:
                    repeat_value += worth[begin + i]
            frequency[customer] = repeats
            recency[customer] = last - first
            T[customer] = end - 1 - first
            monetary_value[customer] = repeat_value / repeats if repeats else np.nan
        begin = stop
    return frequency, recency, T, monetary_value
