"""Memory and speed of ingesting a large file.

Writes a CSV of random order lines (seeded, streamed) into a temporary directory, ingests it in a process of its own,
and prints one line of JSON: peak memory of that process, and rows a second. The limit is 2 GiB at 10,000,000 rows.

    python -m benchmarks.ingest_memory --rows 10000000
    python -m benchmarks.ingest_memory --engine postgresql --url postgresql://…
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.schema import upgrade
from store.settings import load_settings

__all__ = ["main", "write_rows"]

_ROWS_A_BLOCK = 100_000
_FIRST_SECOND = 1_640_995_200  # 2022-01-01
_THREE_YEARS = 94_608_000
_LIMIT_BYTES = 2 * 2**30


def write_rows(path: Path, n_rows: int, *, lines_an_order: int = 4, seed: int = 1) -> None:
    """Write a CSV of order lines: 1 customer for 10 rows, orders in order of time as a shop's export has them."""
    generator = np.random.default_rng(seed)
    n_customers = max(n_rows // 10, 1)
    customers = generator.integers(0, n_customers, n_rows // lines_an_order + 1)
    with path.open("w", encoding="utf-8") as file:
        file.write("customer,at,order,product,quantity,value\n")
        for start in range(0, n_rows, _ROWS_A_BLOCK):
            row = np.arange(start, min(start + _ROWS_A_BLOCK, n_rows))
            order = row // lines_an_order
            second = _FIRST_SECOND + order * _THREE_YEARS // max(n_rows // lines_an_order, 1)
            columns = (
                customers[order].tolist(),
                second.astype("datetime64[s]").astype(str).tolist(),
                order.tolist(),
                generator.integers(0, 20_000, len(row)).tolist(),
                generator.integers(1, 6, len(row)).tolist(),
                (generator.integers(100, 20_000, len(row)) / 100).tolist(),
            )
            file.writelines(
                f"C{customer:08d},{at},{order},P{product:05d},{quantity},{value:.2f}\n"
                for customer, at, order, product, quantity, value in zip(*columns, strict=True)
            )


def main() -> None:
    """Measure, or, as the child process, ingest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--url", help="an empty PostgreSQL database")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file is not None:
        _ingest(arguments.url, arguments.file)
        return
    if arguments.engine == "postgresql" and not arguments.url:
        parser.error("--engine postgresql needs --url")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orders.csv"
        write_rows(file, arguments.rows)
        url = arguments.url if arguments.engine == "postgresql" else f"sqlite:///{folder}/regulars.db"
        command = [sys.executable, "-m", "benchmarks.ingest_memory", "--url", url, "--file", str(file)]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(child.stdout)
    measured |= {"engine": arguments.engine, "within_limit": measured["peak_bytes"] < _LIMIT_BYTES}
    print(json.dumps(measured))


def _ingest(url: str, file: Path) -> None:
    database = Database(url)
    upgrade(database)
    mapping = EventMapping(
        customer_id="customer",
        occurred_at="at",
        order_id="order",
        product="product",
        quantity="quantity",
        value="value",
    )
    started = time.perf_counter()
    report = ingest_events(database, load_settings(), file, mapping, received_at=datetime.now(UTC))
    seconds = time.perf_counter() - started
    database.close()
    assert report.stored == report.read
    # Linux counts ru_maxrss in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": report.read, "peak_bytes": peak, "rows_a_second": round(report.read / seconds)}))


if __name__ == "__main__":
    main()
