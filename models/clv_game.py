"""How the four inputs of clv share the difference between two customers: exact Shapley values, in currency.

Shapley (1953), "A Value for n-Person Games", in Contributions to the Theory of Games II, equation (12). The players are
the inputs. A coalition of them is worth the clv of somebody who has these inputs of the one customer and all others of
the other; four inputs make sixteen coalitions, so that nothing needs to be sampled. The values sum to the difference in
clv, an input in which the two are alike has none, and none depends on an order.

Mixtures have to be legal histories. So the inputs are frequency, recency, days since the last purchase and monetary
value, and T is the sum of the second and the third: T itself as an input would meet recencies longer than it. What is
left is settled so that no customer's own history is ever altered:

- recency is 0 wherever the mixture's frequency is 0;
- a mixture with repeat purchases and the recency 0 of a one-time buyer has bought again within `SHORTEST_RECENCY`;
- a one-time buyer has no monetary value; with somebody else's repeat purchases it is read as the mean that the
  Gamma-Gamma model expects of the population, which is also what is expected of the one-time buyer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.btyd.checks import checked_columns
from models.btyd.distinct import distinct_rows
from models.btyd.gamma_gamma import SPEND_RULES
from models.btyd.histories import PurchaseHistories
from models.clv import ClvTerms, discounted_clv
from models.purchase_model import PurchaseModel

__all__ = ["CLV_INPUTS", "ClvInputs", "clv_of_all_mixtures", "shapley_values"]

FloatArray = NDArray[np.float64]

CLV_INPUTS = ("frequency", "recency", "days_since_last_purchase", "monetary_value")
_FREQUENCY, _RECENCY, _SILENCE, _VALUE = (1 << player for player in range(len(CLV_INPUTS)))
_HISTORY = _FREQUENCY | _RECENCY | _SILENCE

# A row alone is distinct: for one customer looking for others would take as long as all the rest.
_ONE_ROW = (np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp))

# Days: two purchase days can't be closer.
SHORTEST_RECENCY = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ClvInputs:
    """What clv is made of, one element a customer.

    Attributes
    ----------
    frequency : float64, shape (n,)
        Repeat purchase days.
    recency, days_since_last_purchase : float64, shape (n,)
        Days from the first purchase day to the last, and from there to the last day observed.
    monetary_value : float64, shape (n,)
        Mean value of the repeat purchase days; NaN where there are none.
    """

    frequency: FloatArray
    recency: FloatArray
    days_since_last_purchase: FloatArray
    monetary_value: FloatArray

    @classmethod
    def of(cls, *, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, monetary_value: ArrayLike) -> Self:
        """Take them from what the models read.

        Parameters
        ----------
        frequency, recency, T : array_like, shape (n,)
            x, t_x and T, in days.
        monetary_value : array_like, shape (n,)
            Not read where frequency is 0. Less than 0 counts as 0: refunds in parts may leave a rounding residue.

        Raises
        ------
        InputError
            If a column isn't legal.
        """
        histories = PurchaseHistories.checked(frequency, recency, T)
        x = histories.frequency
        spent = np.maximum(np.asarray(monetary_value, dtype=np.float64), 0.0)
        spent = checked_columns({"frequency": x, "monetary_value": spent}, SPEND_RULES)["monetary_value"]
        return cls(x, histories.recency, histories.T - histories.recency, np.where(x > 0, spent, np.nan))

    @property
    def columns(self) -> FloatArray:
        """All four in the order of `CLV_INPUTS`, shape (n, 4)."""
        return np.column_stack((self.frequency, self.recency, self.days_since_last_purchase, self.monetary_value))

    def __len__(self) -> int:
        return len(self.frequency)


def clv_of_all_mixtures(
    purchases: PurchaseModel, terms: ClvTerms, customers: ClvInputs, others: ClvInputs
) -> FloatArray:
    """Return the clv of each customer with every choice of inputs replaced by another's.

    Parameters
    ----------
    purchases : PurchaseModel
        Fitted in days.
    terms : ClvTerms
    customers : ClvInputs
        n customers.
    others : ClvInputs
        One for all of them, or n, one for each.

    Returns
    -------
    ndarray of float64, shape (16, n)
        In row c the inputs whose bits are set in c, the first of `CLV_INPUTS` having the lowest, are the customer's
        own: row 0 is the other's clv, row 15 the customer's.
    """
    # Clv is purchases times value, so that with everybody's value at the mean all mixtures of value are a factor away.
    clv = np.empty((1 << len(CLV_INPUTS), len(customers)))
    for own, at_mean_value in enumerate(_clv_at_mean_value(purchases, terms, customers, others)):
        clv[own] = clv[own | _VALUE] = at_mean_value
    for own, relative_value in _relative_values(purchases, customers, others).items():
        for own_times in (0, _RECENCY, _SILENCE, _RECENCY | _SILENCE):
            clv[own | own_times] *= relative_value
    return clv


def _clv_at_mean_value(
    purchases: PurchaseModel, terms: ClvTerms, customers: ClvInputs, others: ClvInputs
) -> list[FloatArray]:
    """Return, for each mixture of the history, clv if everybody spent the population's mean; shape (n,) or (1,)."""
    histories = [_mixed_history(own, customers, others) for own in range(_HISTORY + 1)]
    # A mixture has few distinct histories: what is the other's is often the same for everybody.
    distinct = [_ONE_ROW if len(history[0]) == 1 else distinct_rows(*history) for history in histories]
    x, t_x, T = (
        np.concatenate([history[column][first] for history, (first, _) in zip(histories, distinct, strict=True)])
        for column in range(3)
    )
    clv = discounted_clv(
        purchases.btyd,
        purchases.gamma_gamma,
        frequency=x,
        recency=t_x,
        T=T,
        monetary_value=np.full(len(x), purchases.gamma_gamma.population_mean()),
        terms=terms,
    )
    ends = np.cumsum([len(first) for first, _ in distinct])
    return [part[inverse] for part, (_, inverse) in zip(np.split(clv, ends[:-1]), distinct, strict=True)]


def _relative_values(purchases: PurchaseModel, customers: ClvInputs, others: ClvInputs) -> dict[int, FloatArray]:
    """Return, for each mixture of frequency and value, what a purchase is worth over the population's mean."""
    mean_value = purchases.gamma_gamma.population_mean()
    mixtures = (0, _FREQUENCY, _VALUE, _FREQUENCY | _VALUE)
    shape = (len(mixtures), len(customers))
    x, spent = np.empty(shape), np.empty(shape)
    for row, own in enumerate(mixtures):
        x[row] = (customers if own & _FREQUENCY else others).frequency
        spent[row] = (customers if own & _VALUE else others).monetary_value
    spent[np.isnan(spent)] = mean_value
    expected = purchases.gamma_gamma.expected_average_value(x.ravel(), spent.ravel()).reshape(shape)
    return dict(zip(mixtures, expected / mean_value, strict=True))


def _mixed_history(own: int, customers: ClvInputs, others: ClvInputs) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return frequency, recency and T with some inputs the customers' own; legal, of one length."""
    x = (customers if own & _FREQUENCY else others).frequency
    recency = (customers if own & _RECENCY else others).recency
    silence = (customers if own & _SILENCE else others).days_since_last_purchase
    t_x = np.where(x > 0, np.where(recency > 0, recency, SHORTEST_RECENCY), 0.0)
    x, t_x, T = np.broadcast_arrays(x, t_x, t_x + silence)
    return x, t_x, T


def shapley_values(worth: FloatArray) -> FloatArray:
    """Return the Shapley value of each player of some games.

    Parameters
    ----------
    worth : ndarray, shape (2 ** k, n)
        Of each coalition; player j is in those whose number has bit j set.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Each row sums to ``worth[-1] - worth[0]``.

    Examples
    --------
    >>> shapley_values(np.array([[0.0], [1.0], [3.0], [10.0]])).tolist()
    [[4.0, 6.0]]
    """
    coalitions = len(worth)
    players = coalitions.bit_length() - 1
    values = np.zeros((players, worth.shape[1]))
    for coalition in range(coalitions):
        size = coalition.bit_count()
        for player in range(players):
            joined = coalition | 1 << player
            if joined != coalition:
                # Of all orders of the players, the share in which just this coalition comes before the player.
                share = factorial(size) * factorial(players - 1 - size) / factorial(players)
                values[player] += share * (worth[joined] - worth[coalition])
    return np.ascontiguousarray(values.T)
