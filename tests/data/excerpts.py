"""Smaller files of the real data sets, by the names of the whole ones, so that recipes run on them in seconds."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.conftest import shared_data

__all__ = ["EXCERPTS"]


def _cdnow(folder: Path) -> None:
    shutil.copy(shared_data("cdnow") / "cdnow_sample.parquet", folder / "cdnow_master.parquet")


def _online_retail(folder: Path) -> None:
    """Write every fourth customer, and some of the rows without one."""
    _filter(shared_data("uci_online_retail") / "online_retail.parquet", folder, "CustomerID", 4, keep_missing=500)


def _complete_journey(folder: Path) -> None:
    """Write every eighth household, with all that belongs to it."""
    source = shared_data("dunnhumby_complete_journey")
    for name in ("transactions", "campaigns", "coupon_redemptions", "demographics"):
        _filter(source / f"{name}.parquet", folder, "household_id", 8)
    for name in ("products", "campaign_descriptions"):
        shutil.copy(source / f"{name}.parquet", folder)


def _telco(folder: Path) -> None:
    _first_rows(shared_data("ibm_telco_churn") / "telco_churn.csv.gz", folder, 2_500)


def _hillstrom(folder: Path) -> None:
    _first_rows(shared_data("hillstrom_email") / "hillstrom.csv.gz", folder, 6_000)


def _first_rows(source: Path, folder: Path, n: int) -> None:
    with gzip.open(source, "rt", encoding="utf-8") as whole, gzip.open(folder / source.name, "wt") as part:
        part.writelines(islice(whole, 1 + n))


def _filter(source: Path, folder: Path, column: str, one_of: int, *, keep_missing: int = 0) -> None:
    table = pq.read_table(source)
    ids = pc.cast(table[column], "int64")
    remainder = pc.subtract(ids, pc.multiply(pc.divide(ids, one_of), one_of))
    kept = table.filter(pc.equal(remainder, 0))
    if keep_missing:
        kept = _with(kept, table.filter(pc.is_null(ids)).slice(0, keep_missing))
    pq.write_table(kept, folder / source.name)


def _with(table: object, more: object) -> object:
    import pyarrow as pa

    return pa.concat_tables([table, more])


# Writes the files of a recipe into a folder.
EXCERPTS: dict[str, Callable[[Path], None]] = {
    "cdnow": _cdnow,
    "online-retail": _online_retail,
    "complete-journey": _complete_journey,
    "telco": _telco,
    "hillstrom": _hillstrom,
}
