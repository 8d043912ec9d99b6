"""Order lines and single events from CSV into a new database, beside pandas' `read_csv` and `to_sql`.

Five lines a customer, or one event for five customers, in order of time; events are visits and e-mails with a channel,
a property and a value. Ours judges every cell, identifies every row, tells orders from lines, indexes, and commits
every few thousand rows; pandas inserts into a table without keys, through SQLAlchemy: row by row for SQLite
(`method=None`), many rows a statement for PostgreSQL (`method="multi"`, as many as the protocol's 65,535 values
allow). `agreement` is the larger difference of the number of rows and of the sum of their values, as a share.

PostgreSQL is a server of our own on this machine; `python -m benchmarks.ingest_memory` measures memory at 10,000,000
rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
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

_ROWS_OF_THE_PEER = {"SQLite": 5_000_000, "PostgreSQL": 100_000}
_ROWS_TO_WARM_UP = 2_000
_VALUES_A_STATEMENT = 65_535
_ROWS_A_BLOCK = 100_000
_FIRST_SECOND, _THREE_YEARS = 1_640_995_200, 94_608_000

Stored = tuple[int, float]


@dataclass(frozen=True)
class _Kind:
    """What a file holds.

    Attributes
    ----------
    name : str
        Between the words of the case's name.
    rows_a_customer : int
    table : str
        Where each row is one, with its value.
    mapping : EventMapping
    """

    name: str
    rows_a_customer: float
    table: str
    mapping: EventMapping


_LINES = _Kind(
    name="ingest",
    rows_a_customer=5,
    table="order_line",
    mapping=EventMapping(
        customer_id="customer",
        occurred_at="at",
        order_id="order",
        product="product",
        quantity="quantity",
        value="value",
    ),
)
_EVENTS = _Kind(
    name="ingest events",
    rows_a_customer=0.2,
    table="event",
    mapping=EventMapping(
        customer_id="customer",
        occurred_at="at",
        event_column="event",
        channel="channel",
        properties=("topic",),
        value="value",
    ),
)


def main() -> None:
    """Measure and print."""
    compare(_cases, description=__doc__, customers=1_000_000)


def _cases(customers: int) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, events = folder / "lines.csv", folder / "events.csv"
        write_rows(lines, _rows(_LINES, customers))
        _write_events(events, _rows(_EVENTS, customers))
        with postgresql_server() as postgresql:
            for kind, whole in ((_LINES, lines), (_EVENTS, events)):
                yield _case(kind, "SQLite", customers, whole, f"sqlite:///{folder}/NAME.db")
                yield _case(kind, "PostgreSQL", customers, whole, postgresql)


def _rows(kind: _Kind, customers: int) -> int:
    return round(kind.rows_a_customer * customers)


def _write_events(path: Path, n_rows: int, seed: int = 1) -> None:
    """Write a CSV of visits and e-mails, 1 customer for 10 rows."""
    random = np.random.default_rng(seed)
    kinds = np.array(["Session Started", "Product Viewed", "Email Opened"])
    with path.open("w", encoding="utf-8") as file:
        file.write("customer,at,event,channel,topic,value\n")
        for start in range(0, n_rows, _ROWS_A_BLOCK):
            row = np.arange(start, min(start + _ROWS_A_BLOCK, n_rows))
            kind = random.integers(0, len(kinds), len(row))
            columns = (
                random.integers(0, max(n_rows // 10, 1), len(row)).tolist(),
                (_FIRST_SECOND + row * _THREE_YEARS // n_rows).astype("datetime64[s]").astype(str).tolist(),
                kinds[kind].tolist(),
                np.array(["web", "app", "email"])[kind].tolist(),
                random.integers(0, 60, len(row)).tolist(),
                random.integers(1, 600, len(row)).tolist(),
            )
            file.writelines(
                f"C{customer:08d},{at},{event},{channel},t{topic},{value}\n"
                for customer, at, event, channel, topic, value in zip(*columns, strict=True)
            )


def _case(kind: _Kind, engine: str, customers: int, whole: Path, url: str) -> Case:
    rows = _rows(kind, customers)
    some = min(rows, _ROWS_OF_THE_PEER[engine])
    part = _first(whole, some, whole.with_name(f"{engine}-{whole.name}"))
    return Case(
        f"{kind.name} into {engine}",
        customers,
        ours=Side(_prepare_ours, kind, whole, url),
        peer=Side(_prepare_pandas, kind, part, url),
        peer_name="pandas.read_csv, to_sql",
        peer_share=some / rows,
        agreement=lambda ours, peer: max(abs(o * some / rows / p - 1) for o, p in zip(ours, peer, strict=True)),
        note=f"{rows:,} rows",
    )


def _prepare_ours(kind: _Kind, path: Path, url: str) -> Callable[[], Stored]:
    few = _first(path, _ROWS_TO_WARM_UP, path.with_name(f"few-{path.name}"))
    _ingested(kind, few, _empty(url, "warm_up"))
    return lambda: _ingested(kind, path, _empty(url, "ours"))


def _ingested(kind: _Kind, path: Path, url: str) -> Stored:
    database = Database(url)
    upgrade(database)
    ingest_events(database, load_settings(), path, kind.mapping, received_at=datetime.now(UTC))
    database.close()
    return _stored(kind, url)


def _prepare_pandas(kind: _Kind, path: Path, url: str) -> Callable[[], Stored]:
    def run() -> Stored:
        fresh = _empty(url, "pandas")
        engine = create_engine(fresh)
        frame = pd.read_csv(path, parse_dates=["at"])
        if engine.dialect.name == "sqlite":
            frame.to_sql(kind.table, engine, index=False)
        else:
            at_once = _VALUES_A_STATEMENT // len(frame.columns)
            frame.to_sql(kind.table, engine, index=False, method="multi", chunksize=at_once)
        engine.dispose()
        return _stored(kind, fresh)

    return run


def _empty(url: str, name: str) -> str:
    """Return the URL of an empty database of that name."""
    if not url.startswith("sqlite"):
        return new_database(url, name)
    path = Path(url.removeprefix("sqlite:///").replace("NAME", name))
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    return f"sqlite:///{path}"


def _stored(kind: _Kind, url: str) -> Stored:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows, total = connection.execute(text(f"SELECT count(*), sum(value) FROM {kind.table}")).one()
    engine.dispose()
    return int(rows), float(total)


def _first(path: Path, rows: int, to: Path) -> Path:
    """Copy the head and the first rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as whole, to.open("w", encoding="utf-8", newline="") as part:
        part.writelines(islice(whole, rows + 1))
    return to


if __name__ == "__main__":
    main()
