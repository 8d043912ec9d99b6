"""From events in SQLite to stored scores, reasons and segments, beside the obvious pipeline of pandas, lifetimes, shap.

Ten events a customer; a fixed model of 300 trees of depth 6 that judges everybody. Ours also gives every customer an
interval of purchases and of clv, reasons of clv and dates of the next purchase, keeps the lists in order, sums up each
segment and its drivers, and publishes all at once; the pipeline (`benchmarks.obvious_pipeline`) has none of it.
`agreement` is the largest difference of churn probability and of clv, the latter as a share of it.

    python -m benchmarks.score_all --customers 50000 --profile

prints where our time goes instead, in one process.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import create_engine

from benchmarks import obvious_pipeline
from benchmarks.comparison import Case, Side, compare
from benchmarks.scored_shop import LATER, TERMS, open_shop, settings_of, store_shop
from models.clv import DAYS_PER_YEAR
from store.scores import published_run
from training.score_all import score_all

__all__ = ["case_of", "main", "prepare_ours", "store_both"]

_CUSTOMERS_OF_THE_PEER = 20_000
_STEPS_SHOWN = 60


def main() -> None:
    """Measure and print, or profile."""
    if "--profile" in sys.argv:
        sys.argv.remove("--profile")
        compare(_profiled, description=__doc__, customers=50_000)
    else:
        compare(_cases, description=__doc__, customers=1_000_000)


def prepare_ours(folder: Path, *, processes: int | None = None) -> Callable[[], int]:
    """Open the shop in a folder; return what scores its customers in so many processes, and their number."""
    database, settings = open_shop(folder), settings_of(folder)
    if processes is not None:
        settings = settings.model_copy(update={"scoring_processes": processes})

    def run() -> int:
        return score_all(database, settings, now=lambda: LATER).n_customers or 0

    return run


def store_both(folder: Path, customers: int) -> tuple[Path, Path]:
    """Store our shop and the peer's, which is a part of it, below a folder, and return where."""
    ours, peer = folder / "ours", folder / "peer"
    for each in (ours, peer):
        each.mkdir()
    store_shop(ours, customers, store_shop(peer, min(customers, _CUSTOMERS_OF_THE_PEER)))
    return ours, peer


def case_of(ours: Path, peer: Path, customers: int) -> Case:
    """Return the case of two shops that have been stored."""
    return Case(
        "score_all",
        customers,
        ours=Side(prepare_ours, ours, processes=settings_of(ours).scoring_processes),
        peer=Side(obvious_pipeline.prepare, peer),
        peer_name="pandas, lifetimes and shap",
        peer_share=min(customers, _CUSTOMERS_OF_THE_PEER) / customers,
        agreement=lambda *_: _agreement(peer),
    )


def _cases(customers: int) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as name:
        yield case_of(*store_both(Path(name), customers), customers)


def _profiled(customers: int) -> Iterator[Case]:
    """Print a profile, and yield nothing to compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store_shop(folder, customers)
        run, profile = prepare_ours(folder, processes=1), cProfile.Profile()
        run()  # compiles
        profile.runcall(run)
        pstats.Stats(profile, stream=sys.stdout).sort_stats("cumulative").print_stats(_STEPS_SHOWN)
    yield from ()


def _agreement(folder: Path) -> float:
    """Score the shop of the peer our way too, and compare every customer."""
    prepare_ours(folder)()
    database = open_shop(folder)
    with database.read() as session:
        run = published_run(session)
    database.close()
    assert run is not None
    engine = create_engine(settings_of(folder).database_url)
    statement = (
        "SELECT customer.customer_id, score.churn_probability AS probability, score.clv AS value, p.* FROM score "
        f"JOIN customer ON customer.id = score.customer_key JOIN {obvious_pipeline.SCORES} p USING (customer_id) "
        f"WHERE score.scoring_run_id = {run.id}"
    )
    both = pd.read_sql(statement, engine)
    engine.dispose()
    assert len(both) == run.n_customers
    # lifetimes discounts from the end of each month, we from its middle.
    half_a_month = (1 + TERMS.yearly_discount_rate) ** (TERMS.period_days / DAYS_PER_YEAR / 2)
    apart = (both["probability"] - both["churn_probability"], both["value"] / (both["clv"] * half_a_month) - 1)
    return float(max(np.abs(column).max() for column in apart))


if __name__ == "__main__":
    main()
