"""Fitting BG/NBD to purchase histories in days, beside lifetimes.

Ours starts from several points, uses an analytic gradient, and certifies the optimum: standard errors, conditioning
and the likelihood of its neighbours are part of the measured time. `agreement` is by how much the log-likelihood of a
customer under lifetimes' optimum differs from that under ours, both by our likelihood.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.comparison import Case, Side, compare
from benchmarks.simulated_purchases import purchase_histories
from models.btyd import BetaGeoModel

__all__ = ["main"]

Fit = Callable[[], dict[str, float]]


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=1_000_000)


def _cases(customers: int) -> Iterator[Case]:
    yield Case(
        "btyd_fit",
        customers,
        ours=Side(_prepare_ours, customers),
        peer=Side(_prepare_lifetimes, customers),
        peer_name="lifetimes.BetaGeoFitter.fit",
        agreement=partial(_difference_of_likelihood, customers),
    )


def _prepare_ours(customers: int) -> Fit:
    few = purchase_histories(1_000)
    BetaGeoModel().fit(few.frequency, few.recency, few.T)
    histories = purchase_histories(customers)
    return lambda: BetaGeoModel().fit(histories.frequency, histories.recency, histories.T).params_


def _prepare_lifetimes(customers: int) -> Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter
    histories = purchase_histories(customers)

    def run() -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of logarithms of 0 on the way
            fitter = BetaGeoFitter().fit(histories.frequency, histories.recency, histories.T)
        return dict(fitter.params_)

    return run


def _difference_of_likelihood(customers: int, ours: dict[str, float], peer: dict[str, float]) -> float:
    histories = purchase_histories(customers)
    columns = (histories.frequency, histories.recency, histories.T)
    mean_ours, mean_peer = (
        float(BetaGeoModel.from_params(**params).log_likelihood(*columns).mean()) for params in (ours, peer)
    )
    return abs(mean_ours - mean_peer)


if __name__ == "__main__":
    main()
