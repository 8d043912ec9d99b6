"""Silences: the days after a purchase day without another one, and how many of them end in a return.

A silence begins with a purchase day. It ends with the customer's next one, which is a return, or is still open when
the log ends; then nobody knows yet how long it will be (it is right-censored). A customer's usual gap is the mean of
the gaps between purchase days up to the one that the silence begins with: what was known then, never what came later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.event_log import EventLog
from features.occurrences import settled
from features.windows import Snapshot

__all__ = ["FEWEST_AT_THE_END", "FEWEST_SILENCES", "ReturnCurve", "Silences"]

_BoolArray = NDArray[np.bool_]
_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]

# Behind each share; and still watched on the last day that a curve speaks of, where each return weighs most.
FEWEST_SILENCES = 50
FEWEST_AT_THE_END = 10
# Where no more than this share of the silences lasts longer, nearly all have ended.
MOST_STILL_SILENT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Silences:
    """All silences of a log, by customer and day.

    Attributes
    ----------
    customer : int64, shape (n,)
        Position in the log, ascending.
    begins : int64, shape (n,)
        Local day, since 1970-01-01, of the purchase that it begins with.
    lasts : int64, shape (n,)
        Days to the next purchase day, at least 1; of an open one, days to the last day of the log, from 0.
    returns : bool, shape (n,)
        Whether it ended with a purchase.
    usual_gap : float64, shape (n,)
        Mean days between the customer's purchase days up to this one; NaN after the first purchase day.
    end_day : int
        Local day at whose midnight the log ends.
    """

    customer: _IntArray
    begins: _IntArray
    lasts: _IntArray
    returns: _BoolArray
    usual_gap: _FloatArray
    end_day: int

    @classmethod
    def of(cls, log: EventLog) -> Self:
        """Find the silences of a log, up to the midnight after its last order; there is one a purchase day.

        An order that is wholly refunded by then was no purchase.
        """
        last_day = log.last_purchase_day()
        end_day = 0 if last_day is None else last_day + 1
        is_purchase = settled(log, Snapshot.at_midnight(end_day, log.calendar))[1]
        counted = np.flatnonzero(is_purchase)
        customer = np.searchsorted(log.offsets, counted, side="right") - 1
        day = log.day[counted].astype(np.int64)

        # Several orders on one day are one purchase day; entries are by customer, then time, so equals are neighbours.
        is_new = _changes(customer) | _changes(day)
        customer, day = customer[is_new], day[is_new]
        n = len(day)
        is_first = _changes(customer)
        returns = np.ones(n, dtype=np.bool_)
        returns[:-1] = ~is_first[1:]
        returns[-1:] = False
        following = np.append(day[1:], 0)
        lasts = np.where(returns, following, end_day - 1) - day

        first = np.flatnonzero(is_first)
        position = np.arange(n)
        begin = np.repeat(first, np.diff(np.append(first, n)))
        with np.errstate(invalid="ignore"):
            usual_gap = (day - day[begin]) / (position - begin)  # 0 / 0 after the first purchase day
        return cls(customer, day, lasts, returns, usual_gap, end_day)

    @property
    def history_days(self) -> int:
        """Days from the first purchase day to the end of the log; 0 without purchases."""
        return self.end_day - int(self.begins.min()) if len(self.begins) else 0

    @property
    def known_days(self) -> _IntArray:
        """Days that each silence is known to have lasted, shape (n,): up to the day before a return."""
        return self.lasts - self.returns

    def customers_by_length(self, group: NDArray[np.int8], n_groups: int) -> _IntArray:
        """Count the customers who have been silent for so long.

        Parameters
        ----------
        group : int8, shape (n,)
            Of each silence, from 0; -1 for none.
        n_groups : int

        Returns
        -------
        int64, shape (n_groups, k)
            Customers with a silence of the group that is known to have lasted 0, 1, … days.
        """
        known = self.known_days
        longest = _longest_by_customer(self.customer, group, known, n_groups, int(known.max(initial=0)) + 1)
        return longest[:, ::-1].cumsum(axis=1)[:, ::-1]

    def open_at(self, day: int) -> _BoolArray:
        """Whether each is the silence that its customer is in at the midnight of a local day, shape (n,).

        There is at most one a customer: a purchase before the day and none between the two.
        """
        return (self.begins < day) & (~self.returns | (self.begins + self.lasts >= day))


@dataclass(frozen=True, slots=True, eq=False)
class ReturnCurve:
    """What share of some silences last how long: the product-limit estimate of Kaplan and Meier.

    Kaplan and Meier (1958), Journal of the American Statistical Association 53 (282), equation 2b:
    ``S(t) = prod over days u <= t of 1 - d_u / n_u`` with ``d_u`` returns on day u of a silence and ``n_u`` silences
    that were still watched on it. Silences that are open at the end of the log count for as long as they were watched.
    Those of one customer are pooled with all others, as Pena, Strawderman and Hollander (2001), Journal of the American
    Statistical Association 96 (456), do for events that recur.

    Attributes
    ----------
    watched : int64, shape (k,)
        Silences still watched on each day 0, 1, … of a silence: n_u.
    returned : int64, shape (k,)
        Returns on that day: d_u.
    lasting : float64, shape (k,)
        S, the share that lasts longer than so many days, from 1 down.
    followed_days : int
        The last day that the curve speaks of, on which `FEWEST_AT_THE_END` silences were watched; 0 if none is.
    """

    watched: _IntArray
    returned: _IntArray
    lasting: _FloatArray
    followed_days: int

    @classmethod
    def of(cls, lasts: _IntArray, returns: _BoolArray) -> Self:
        """Estimate the curve.

        Parameters
        ----------
        lasts : int64, shape (n,)
            Days that each silence lasted or was watched for, from 0.
        returns : bool, shape (n,)
            Whether it ended with a purchase.

        Examples
        --------
        >>> curve = ReturnCurve.of(np.array([1, 2, 2, 4]), np.array([True, True, False, False]))
        >>> curve.lasting.tolist()
        [1.0, 0.75, 0.5, 0.5, 0.5]
        """
        length = int(lasts.max(initial=0)) + 1
        watched = np.bincount(lasts, minlength=length)[::-1].cumsum()[::-1]
        returned = np.bincount(lasts[returns], minlength=length)
        lasting = np.cumprod(1.0 - returned / np.maximum(watched, 1))
        enough = np.flatnonzero(watched >= FEWEST_AT_THE_END)
        return cls(watched, returned, lasting, int(enough[-1]) if len(enough) else 0)

    def n_lasted(self, days: int) -> int:
        """Count the silences that are known to have lasted so many days."""
        return int(self.watched[days] - self.returned[days]) if days < len(self.watched) else 0

    def shares_returning(self) -> _FloatArray:
        """Return which share of the silences that have lasted 0, 1, … days end in a return, as far as observed.

        ``1 - S(followed_days) / S(days)``, for as many days as say something: at least `FEWEST_SILENCES` have lasted so
        long, and they were followed for as long again.

        Returns
        -------
        float64, shape (m,)
            In [0, 1]; of day 0, 1, …, m - 1.
        """
        n_lasted = self.watched - self.returned  # never rises
        told = min(int((n_lasted >= FEWEST_SILENCES).sum()), self.followed_days // 2 + 1)
        return np.asarray(1.0 - self.lasting[self.followed_days] / self.lasting[:told])

    def share_returning(self, days: int) -> float | None:
        """Return `shares_returning` of so many days, None where it says nothing."""
        shares = self.shares_returning()
        return float(shares[days]) if days < len(shares) else None

    def share_ended(self, days: int) -> float:
        """Return which share of all silences ends within so many days, in [0, 1]: at least, past `followed_days`."""
        return float(1.0 - self.lasting[min(days, self.followed_days)])

    def nearly_all_ended(self, days: int) -> bool:
        """Whether hardly any silence lasts so long, and the few that do mostly last on, as far as observed.

        It answers where `share_returning` can't because too few last so long. The few decide with: of grocery
        customers hardly a silence lasts two months either, yet most of those that do still end in a return.
        """
        still, at_the_end = self.lasting[[min(days, self.followed_days), self.followed_days]]
        is_known = self.n_lasted(0) >= FEWEST_SILENCES
        return bool(is_known and still <= MOST_STILL_SILENT and 2 * at_the_end >= still)


@njit(cache=True, nogil=True)
def _longest_by_customer(
    customer: _IntArray, group: NDArray[np.int8], known_days: _IntArray, n_groups: int, n_days: int
) -> _IntArray:
    """Count customers by group and the days of their longest silence in it, shape (n_groups, n_days)."""
    counts = np.zeros((n_groups, n_days), dtype=np.int64)
    longest = np.full(n_groups, -1, dtype=np.int64)
    n = len(customer)
    for i in range(n):
        if group[i] >= 0:
            longest[group[i]] = max(longest[group[i]], known_days[i])
        if i == n - 1 or customer[i + 1] != customer[i]:
            for of in range(n_groups):
                if longest[of] >= 0:
                    counts[of, longest[of]] += 1
                    longest[of] = -1
    return counts


def _changes(column: NDArray[np.int64]) -> _BoolArray:
    """Whether each element differs from the one before it; the first does."""
    changes = np.ones(len(column), dtype=np.bool_)
    changes[1:] = column[1:] != column[:-1]
    return changes
