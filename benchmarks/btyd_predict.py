"""p_alive, expected purchases and clv of many customers, beside lifetimes with the same parameters.

Expected purchases over 90 days; clv over twelve periods of 30 days at 10 % a year. lifetimes has no intervals: the
second case sets ours, of purchases and clv, against lifetimes' bare numbers. `agreement` is the largest difference
of any of the three.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.comparison import Case, Side, compare, largest_difference
from benchmarks.simulated_purchases import purchase_histories
from models.btyd import BetaGeoModel, GammaGammaModel
from models.clv import DAYS_PER_YEAR, ClvTerms, discounted_clv
from models.predictive import clv_interval, purchase_interval

__all__ = ["main"]

_HORIZON_DAYS = 90
_MONTHS, _DAYS_A_MONTH = 12, 30  # lifetimes' months are 30 days
_YEARLY_RATE = 0.1
_CUSTOMERS_OF_THE_FIT = 20_000
_MONTHLY_RATE = (1 + _YEARLY_RATE) ** (_DAYS_A_MONTH / DAYS_PER_YEAR) - 1
_TERMS = ClvTerms(
    horizon_days=_MONTHS * _DAYS_A_MONTH,
    yearly_discount_rate=_YEARLY_RATE,
    period_days=_DAYS_A_MONTH,
    # lifetimes discounts from the end of each month, we from its middle.
    calibration_factor=(1 + _MONTHLY_RATE) ** -0.5,
)

Predict = Callable[[], NDArray[np.float64]]


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=1_000_000)


def _cases(customers: int) -> Iterator[Case]:
    peer = Side(_prepare_lifetimes, customers)
    name = "lifetimes: p_alive, predict, clv"
    yield Case("btyd_predict", customers, ours=Side(_prepare_ours, customers, False), peer=peer, peer_name=name)
    yield Case(
        "btyd_predict with intervals",
        customers,
        ours=Side(_prepare_ours, customers, True),
        peer=peer,
        peer_name=name,
        agreement=lambda ours, peer: largest_difference(ours[: len(peer)], peer),
        note="ours with 80 % intervals of both, which lifetimes has not",
    )


def _prepare_ours(customers: int, with_intervals: bool) -> Predict:
    # Fitted, since an interval needs to know how sure the parameters are.
    some = purchase_histories(_CUSTOMERS_OF_THE_FIT)
    btyd = BetaGeoModel().fit(some.frequency, some.recency, some.T)
    spend = GammaGammaModel().fit(some.frequency, some.monetary_value)

    def predict(customers: int) -> Predict:
        told = purchase_histories(customers)
        columns: dict[str, Any] = {"frequency": told.frequency, "recency": told.recency, "T": told.T}

        def run() -> NDArray[np.float64]:
            p_alive = btyd.p_alive(**columns)
            expected = btyd.expected_purchases(_HORIZON_DAYS, **columns)
            clv = discounted_clv(btyd, spend, **columns, monetary_value=told.monetary_value, terms=_TERMS)
            found = [p_alive, expected, clv]
            if with_intervals:
                purchases = purchase_interval(btyd, horizon_days=_HORIZON_DAYS, **columns)
                value = clv_interval(btyd, spend, terms=_TERMS, **columns, monetary_value=told.monetary_value)
                found += [purchases.low, purchases.high, value.low, value.high]
            return np.stack(found)

        return run

    predict(1_000)()  # compiles
    return predict(customers)


def _prepare_lifetimes(customers: int) -> Predict:
    some = purchase_histories(_CUSTOMERS_OF_THE_FIT)
    btyd = BetaGeoModel().fit(some.frequency, some.recency, some.T).to_lifetimes()
    spend = GammaGammaModel().fit(some.frequency, some.monetary_value).to_lifetimes()
    told = pd.DataFrame(asdict(purchase_histories(customers)))  # lifetimes reads the columns' index
    columns = (told["frequency"], told["recency"], told["T"])

    def run() -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p_alive = btyd.conditional_probability_alive(*columns)
            expected = btyd.predict(_HORIZON_DAYS, *columns)
            clv = spend.customer_lifetime_value(
                btyd,
                *columns,
                told["monetary_value"],
                time=_MONTHS,
                discount_rate=_MONTHLY_RATE,
                freq="D",
            )
        return np.stack((p_alive, expected, clv))

    return run


if __name__ == "__main__":
    main()
