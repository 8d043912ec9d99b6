"""Speed of ingesting order lines into SQLite, beside pandas' `to_sql` of the same rows.

Writes a Parquet file of random lines like those of a grocer (seeded: some thousand households, baskets of about ten
lines, products of very unequal popularity), and stores it three times either way, by turns, each time into a new
database. pandas only inserts; ingestion also judges every cell, identifies every row, tells orders from lines, and
commits every two thousand rows. Prints one line of JSON: medians of rows a second and of microseconds of CPU a row,
and our speed as a share of that of pandas.

    python -m benchmarks.ingest_speed --rows 300000
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.schema import upgrade
from store.settings import load_settings

__all__ = ["main", "write_baskets"]

_ROUNDS = 3
_ROWS_TO_WARM_UP = 2_000
_LINES_A_BASKET = 9.4
_BASKETS_A_HOUSEHOLD = 63
_N_PRODUCTS = 92_000
_FIRST_SECOND = 1_483_228_800  # 2017-01-01
_YEAR = 31_536_000
_MAPPING = EventMapping(
    customer_id="household_id",
    occurred_at="transaction_timestamp",
    order_id="basket_id",
    product="product_id",
    quantity="quantity",
    value="sales_value",
    discounts=("retail_disc",),
)


def write_baskets(path: Path, n_rows: int, seed: int = 1) -> None:
    """Write a Parquet file of order lines, in order of time as a till has them."""
    generator = np.random.default_rng(seed)
    size = generator.geometric(1 / _LINES_A_BASKET, n_rows)
    basket = np.repeat(np.arange(n_rows), size)[:n_rows]
    n_baskets = int(basket[-1]) + 1
    household = generator.integers(1, max(n_baskets // _BASKETS_A_HOUSEHOLD, 1) + 1, n_baskets)
    second = _FIRST_SECOND + np.sort(generator.integers(0, _YEAR, n_baskets))
    # A tenth of the products makes most of the lines, as everywhere.
    product = 819_063 + (_N_PRODUCTS * generator.random(n_rows) ** 3).astype(np.int64)
    table = {
        "household_id": household[basket],
        "basket_id": 31_198_570_044 + 37 * basket,
        "product_id": product,
        "quantity": generator.geometric(0.75, n_rows),
        "sales_value": generator.integers(50, 900, n_rows) / 100,
        "retail_disc": np.where(generator.random(n_rows) < 0.5, generator.integers(0, 200, n_rows) / 100, 0.0),
        "transaction_timestamp": (second[basket] * 1_000_000).astype("datetime64[us]"),
    }
    pq.write_table(pa.table(table), path)


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, file = folder / "few.parquet", folder / "baskets.parquet"
        write_baskets(few, _ROWS_TO_WARM_UP)
        write_baskets(file, arguments.rows)
        _ingested(few, folder / "warm.db")
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for number in range(_ROUNDS):
            ours.append(_ingested(file, folder / f"ours{number}.db"))
            theirs.append(_inserted(file, folder / f"theirs{number}.db"))
    seconds, cpu = (statistics.median(column) for column in zip(*ours, strict=True))
    pandas_seconds, pandas_cpu = (statistics.median(column) for column in zip(*theirs, strict=True))
    measured = {
        "rows": arguments.rows,
        "rows_a_second": round(arguments.rows / seconds),
        "pandas_rows_a_second": round(arguments.rows / pandas_seconds),
        "share_of_pandas": round(pandas_seconds / seconds, 2),
        "cpu_us_a_row": round(cpu / arguments.rows * 1e6, 1),
        "pandas_cpu_us_a_row": round(pandas_cpu / arguments.rows * 1e6, 1),
    }
    print(json.dumps(measured))


def _ingested(file: Path, path: Path) -> tuple[float, float]:
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    settings, now = load_settings(), datetime.now(UTC)
    taken = _timed(lambda: ingest_events(database, settings, file, _MAPPING, received_at=now))
    database.close()
    return taken


def _inserted(file: Path, path: Path) -> tuple[float, float]:
    with closing(sqlite3.connect(path)) as connection:
        return _timed(lambda: pd.read_parquet(file).to_sql("order_line", connection, index=False))


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of the clock and of the processor."""
    started, cpu_started = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - cpu_started


if __name__ == "__main__":
    main()
