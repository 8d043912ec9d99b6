"""Frequency, recency, T and monetary value of purchases in a plain data frame, beside lifetimes' own summary.

Ten rows a customer, in no order, with times of day; `python -m benchmarks.rfm --json`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Case, Side, compare, largest_difference
from benchmarks.simulated_purchases import AS_OF, purchase_rows
from features.purchase_table import rfm_of_purchases

__all__ = ["main"]

_ROWS_A_CUSTOMER = 10
_COLUMNS = ("frequency", "recency", "T", "monetary_value")

Summarise = Callable[[], NDArray[np.float64]]


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=1_000_000)


def _cases(customers: int) -> Iterator[Case]:
    yield Case(
        "rfm",
        customers,
        ours=Side(_prepare_ours, customers),
        peer=Side(_prepare_lifetimes, customers),
        peer_name="lifetimes.utils.summary_data_from_transaction_data",
        agreement=_agreement,
        note=f"{_ROWS_A_CUSTOMER} rows a customer",
    )


def _prepare_ours(customers: int) -> Summarise:
    few = purchase_rows(1_000, 100)
    rfm_of_purchases(few["customer_id"], few["date"], few["value"], as_of=AS_OF.date())
    frame = purchase_rows(_ROWS_A_CUSTOMER * customers, customers)

    def run() -> NDArray[np.float64]:
        summary = rfm_of_purchases(frame["customer_id"], frame["date"], frame["value"], as_of=AS_OF.date())
        return np.stack([getattr(summary, name) for name in _COLUMNS])

    return run


def _prepare_lifetimes(customers: int) -> Summarise:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes.utils import summary_data_from_transaction_data
    frame = purchase_rows(_ROWS_A_CUSTOMER * customers, customers)
    last_day = np.datetime64(AS_OF.date()) - 1

    def run() -> NDArray[np.float64]:
        summary = summary_data_from_transaction_data(
            frame, "customer_id", "date", "value", observation_period_end=last_day
        )
        columns: NDArray[np.float64] = summary.sort_index()[list(_COLUMNS)].to_numpy().T
        return columns

    return run


def _agreement(ours: NDArray[np.float64], peer: NDArray[np.float64]) -> float:
    # lifetimes writes 0 where there are no repeat purchases.
    return largest_difference(np.nan_to_num(ours, nan=0.0), peer)


if __name__ == "__main__":
    main()
