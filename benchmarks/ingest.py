"""Order lines from CSV into a new database, beside pandas' `read_csv` and `to_sql`.

Five rows a customer. Ours judges every cell, identifies every row, tells orders from lines, indexes, and commits every
few thousand rows; pandas inserts into a table without keys, through SQLAlchemy: row by row for SQLite (`method=None`),
many rows a statement for PostgreSQL (`method="multi"`, as many as the protocol's 65,535 values allow). `agreement` is
the larger difference of the number of rows and of the sum of their values, as a share.

PostgreSQL is a server of our own on this machine; `python -m benchmarks.ingest_memory` measures memory at 10,000,000
rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, text

from benchmarks.comparison import Case, Side, compare
from benchmarks.ingest_memory import write_rows
from benchmarks.postgresql_server import new_database, postgresql_server
from store.engine import Database
from store.ingest import EventMapping, ingest_events
from store.schema import upgrade
from store.settings import load_settings

__all__ = ["main"]

_ROWS_A_CUSTOMER = 5
_ROWS_OF_THE_PEER = {"SQLite": 5_000_000, "PostgreSQL": 200_000}
_ROWS_TO_WARM_UP = 2_000
_VALUES_A_STATEMENT = 65_535
_MAPPING = EventMapping(
    customer_id="customer", occurred_at="at", order_id="order", product="product", quantity="quantity", value="value"
)
_TOLD = text("SELECT count(*), sum(value) FROM order_line")

Stored = tuple[int, float]


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=1_000_000)


def _cases(customers: int) -> Iterator[Case]:
    rows = _ROWS_A_CUSTOMER * customers
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = folder / "whole.csv"
        write_rows(whole, rows)
        yield _case("SQLite", customers, whole, f"sqlite:///{folder}/NAME.db")
        with postgresql_server() as url:
            yield _case("PostgreSQL", customers, whole, url)


def _case(engine: str, customers: int, whole: Path, url: str) -> Case:
    rows = _ROWS_A_CUSTOMER * customers
    some = min(rows, _ROWS_OF_THE_PEER[engine])
    part = _first(whole, some, whole.with_name(f"{engine}.csv"))
    return Case(
        f"ingest into {engine}",
        customers,
        ours=Side(_prepare_ours, whole, url),
        peer=Side(_prepare_pandas, part, url),
        peer_name="pandas.read_csv, to_sql",
        peer_share=some / rows,
        agreement=lambda ours, peer: max(abs(o * some / rows / p - 1) for o, p in zip(ours, peer, strict=True)),
        note=f"{rows:,} rows",
    )


def _prepare_ours(path: Path, url: str) -> Callable[[], Stored]:
    few = _first(path, _ROWS_TO_WARM_UP, path.with_name(f"few-{path.name}"))
    _ingested(few, _empty(url, "warm_up"))
    return lambda: _ingested(path, _empty(url, "ours"))


def _ingested(path: Path, url: str) -> Stored:
    database = Database(url)
    upgrade(database)
    ingest_events(database, load_settings(), path, _MAPPING, received_at=datetime.now(UTC))
    database.close()
    return _stored(url)


def _prepare_pandas(path: Path, url: str) -> Callable[[], Stored]:
    def run() -> Stored:
        fresh = _empty(url, "pandas")
        engine = create_engine(fresh)
        frame = pd.read_csv(path, parse_dates=["at"])
        if engine.dialect.name == "sqlite":
            frame.to_sql("order_line", engine, index=False)
        else:
            at_once = _VALUES_A_STATEMENT // len(frame.columns)
            frame.to_sql("order_line", engine, index=False, method="multi", chunksize=at_once)
        engine.dispose()
        return _stored(fresh)

    return run


def _empty(url: str, name: str) -> str:
    """Return the URL of an empty database of that name."""
    if not url.startswith("sqlite"):
        return new_database(url, name)
    path = Path(url.removeprefix("sqlite:///").replace("NAME", name))
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    return f"sqlite:///{path}"


def _stored(url: str) -> Stored:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows, total = connection.execute(_TOLD).one()
    engine.dispose()
    return int(rows), float(total)


def _first(path: Path, rows: int, to: Path) -> Path:
    """Copy the head and the first rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as whole, to.open("w", encoding="utf-8", newline="") as part:
        part.writelines(islice(whole, rows + 1))
    return to


if __name__ == "__main__":
    main()
