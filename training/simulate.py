"""Writes a simulated shop to files that `regulars ingest` reads, some customers at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.simulation import ShopBlock, SimulatedShop
from models.simulation.attributes import NOISE_ATTRIBUTES, TELLING_ATTRIBUTES
from models.simulation.behaviour import EVENTS, NOISE_EVENTS
from training.exceptions import TrainingError
from training.progress import Progress, silent
from training.synthetic_files import SCHEMAS, tables

__all__ = ["README", "TRUTH", "Simulated", "SimulationError", "simulate"]

TRUTH, README = "truth.json", "README.md"

_STEP = "Simulating"
# Each text but these stands often in its column.
_UNIQUE_TEXTS = {"order_id", "message_id"}


class SimulationError(TrainingError):
    """The files can't be written where they are wanted; its text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was written.

    Attributes
    ----------
    customers, orders, lines : int
    events : dict of str to int
        How many of each name, besides the orders.
    """

    customers: int
    orders: int
    lines: int
    events: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as values that JSON can hold."""
        return {"customers": self.customers, "orders": self.orders, "lines": self.lines, "events": self.events}


def simulate(
    shop: SimulatedShop, directory: Path, *, overwrite: bool = False, progress: Progress = silent
) -> Simulated:
    """Write `orders.parquet`, `events.parquet`, `customers.parquet`, the truth behind them, and a README.

    The same shop gives the same bytes. One block of customers is held in memory at a time. If it can't be finished,
    no file is left behind.

    Parameters
    ----------
    shop : SimulatedShop
    directory : Path
        Made if it isn't there.
    overwrite : bool
        Replace the files of an earlier simulation; other files are never touched.
    progress : callable, optional

    Returns
    -------
    Simulated

    Raises
    ------
    SimulationError
        The directory is in use.
    """
    _require_free(directory, overwrite=overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    paths = {name: directory / f"{name}.parquet" for name in SCHEMAS}
    with _nothing_left_of_a_failure([*paths.values(), directory / TRUTH, directory / README]):
        # First of all, so that whatever is found here later can be told to be ours.
        _write_json(directory / TRUTH, {"synthetic": True, "complete": False})
        (directory / README).write_text(_readme(shop), encoding="utf-8")
        counts = _write_blocks(shop, paths, progress)
        _write_json(directory / TRUTH, _truth(shop, counts))
    return counts


def _write_blocks(shop: SimulatedShop, paths: dict[str, Path], progress: Progress) -> Simulated:
    orders = lines = 0
    events: Counter[int] = Counter()
    with ExitStack() as stack:
        writers = {name: stack.enter_context(_writer(name, path)) for name, path in paths.items()}
        for index, block in enumerate(shop.blocks()):
            for name, table in tables(block, shop.business.p).items():
                writers[name].write_table(table)
            orders += len(block.orders.customer)
            lines += len(block.lines.order)
            events.update(_count(block))
            progress(_STEP, (index + 1) / shop.n_blocks)
    return Simulated(shop.n_customers, orders, lines, {name: events[code] for code, name in enumerate(EVENTS)})


def _count(block: ShopBlock) -> dict[int, int]:
    return dict(enumerate(np.bincount(block.events.event, minlength=len(EVENTS)).tolist()))


@contextmanager
def _writer(name: str, path: Path) -> Iterator[pq.ParquetWriter]:
    schema = SCHEMAS[name]
    texts = [column for column in schema.names if column not in _UNIQUE_TEXTS]
    # Without our own schema in the file, its texts are texts to every reader, whichever way they were made.
    with pq.ParquetWriter(path, schema, store_schema=False, use_dictionary=texts, compression="zstd") as writer:
        writer.add_key_value_metadata(schema.metadata)
        yield writer


@contextmanager
def _nothing_left_of_a_failure(paths: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def _require_free(directory: Path, *, overwrite: bool) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise SimulationError(f"Expected a directory, and {directory} is a file. Choose another --directory.")
    if not any(directory.iterdir()):
        return
    if not _is_ours(directory):
        raise SimulationError(
            f"{directory} is not empty, and what it holds is not of a simulated shop. Choose another --directory."
        )
    if not overwrite:
        raise SimulationError(
            f"{directory} is not empty: it holds a simulated shop. Choose another --directory, or --overwrite it."
        )


def _is_ours(directory: Path) -> bool:
    try:
        truth = json.loads((directory / TRUTH).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(truth, dict) and truth.get("synthetic") is True


def _truth(shop: SimulatedShop, counts: Simulated) -> dict[str, Any]:
    return {
        "synthetic": True,
        "complete": True,
        "seed": shop.seed,
        "days": shop.period.days,
        "first_day": shop.period.first_date.isoformat(),
        "end": shop.period.end_instant.isoformat(),
        "counts": counts.to_dict(),
        **shop.business.to_dict(),
        "tells_of_churn": {
            "events": [name for name in EVENTS if name not in NOISE_EVENTS],
            "attributes": list(TELLING_ATTRIBUTES),
        },
        "says_nothing": {"events": list(NOISE_EVENTS), "attributes": list(NOISE_ATTRIBUTES)},
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _readme(shop: SimulatedShop) -> str:
    return f"""\
# A synthetic shop

**None of this is real.** `regulars simulate` made these {shop.n_customers:,} customers, whose ids all begin with
`synthetic-`, and everything they did from {shop.period.first_date} up to {shop.period.end_instant.isoformat()}
(seed {shop.seed}). Times are in UTC.

| file | what is in it |
|---|---|
| `orders.parquet` | lines of orders |
| `events.parquet` | visits, letters, support tickets, and an event that says nothing |
| `customers.parquet` | attributes |
| `{TRUTH}` | the parameters it was made with, and how customers who are lost show it |
| `truth.parquet` | of each customer: purchase rate, drop-out probability, mean value, whether alive, else when lost |

Never ingest the two files of the truth: a model that had read them would only repeat them. Keep the rest in a database
of its own, apart from real customers and from other simulations, whose customers have the same ids.
"""
