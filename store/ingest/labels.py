"""Reads a file of labels: what came of customers, as the business itself says. Nothing of it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.calendar import LocalCalendar
from store.exceptions import IngestError
from store.ingest.cells import as_id
from store.ingest.chunks import Chunk
from store.ingest.instants import InstantReader
from store.ingest.rejections import CellError, Rejection
from store.ingest.rows import ROW, FileRows
from store.ingest.screening import Screening, required
from store.ingest.table_file import PLAIN, FileFormat
from store.settings import Settings

__all__ = ["Labels", "read_labels"]

_VALUES_SHOWN = 10
_NO_DAY = 0


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of customers, one element a label, by customer id in code-point order, then by day.

    Attributes
    ----------
    customer_ids : tuple of str, length n
    positive : bool, shape (n,)
        Whether what is to be predicted came about.
    day : int32, shape (n,), or None
        Local day since 1970-01-01 at whose midnight the label begins to look ahead; None for a file without dates.
    rejections : tuple of Rejection
        Rows that make no label, in the order of the file. Codes: `customer_id`, `label` and `date` for empty cells,
        `occurred_at` for what is no date, `text` for what is no text, `fields` for a row that can't be cut into cells,
        `conflict` for labels that differ.
    n_read : int
        Rows of the file. What is neither label nor rejected says again what another row says.
    n_differing : int
        Labels left out since they differ, under several ids of one customer.
    """

    customer_ids: tuple[str, ...]
    positive: NDArray[np.bool_]
    day: NDArray[np.int32] | None
    rejections: tuple[Rejection, ...]
    n_read: int
    n_differing: int = 0

    def under_own_ids(self, merged: Mapping[str, str]) -> Labels:
        """Return the labels of the customers for whom ids stand now.

        As in the file, labels that meet in one customer (and day) are one if they say the same, and otherwise none of
        them counts.

        Parameters
        ----------
        merged : mapping of str to str
            The customers' own ids, of ids that were merged into them.
        """
        if merged.keys().isdisjoint(self.customer_ids):
            return self
        days = [_NO_DAY] * len(self.customer_ids) if self.day is None else self.day.tolist()
        told: dict[tuple[str, int], list[bool]] = {}
        for customer_id, day, positive in zip(self.customer_ids, days, self.positive.tolist(), strict=True):
            told.setdefault((merged.get(customer_id, customer_id), day), []).append(positive)
        labels = {key: flags[0] for key, flags in sorted(told.items()) if len(set(flags)) == 1}
        return replace(
            self,
            customer_ids=tuple(customer_id for customer_id, _ in labels),
            positive=np.array(list(labels.values()), dtype=np.bool_),
            day=None if self.day is None else np.array([day for _, day in labels], dtype=np.int32),
            n_differing=self.n_differing + sum(len(flags) for flags in told.values() if len(set(flags)) > 1),
        )


def read_labels(
    path: Path,
    *,
    customer_id_column: str,
    label_column: str,
    positive: str,
    date_column: str | None = None,
    settings: Settings,
    file_format: FileFormat = PLAIN,
) -> Labels:
    """Read labels from a CSV, CSV.gz or Parquet file.

    Rows of one customer (and day) that say the same are one label; where they differ, all are rejected.

    Parameters
    ----------
    path : Path
    customer_id_column : str
        `:row` for the number of the row.
    label_column : str
    positive : str
        The label that says that it came about, as a person writes it: "1" is also 1.0. Any other says that it didn't.
    date_column : str, optional
        When each label begins to look ahead; a time of day counts as its midnight.
    settings : Settings
        For the time zone.
    file_format : FileFormat
        How a CSV file is written.

    Returns
    -------
    Labels
        At least one positive and one other.

    Raises
    ------
    IngestError
        The file is not what its name says, ends in the middle or lacks a column; no row is a label; no label is
        `positive`, or all are.
    """
    columns = [customer_id_column, label_column, *([] if date_column is None else [date_column])]
    if ROW in columns[1:] or len(set(columns)) < len(columns):
        raise IngestError(
            f"Expected different columns for customer id, label and date, and {ROW} for the customer id only; got "
            f"{', '.join(columns)}."
        )
    wanted = _as_positive(positive)
    reader = _LabelReader(customer_id_column, label_column, date_column, settings)
    n_read = 0
    for chunk in FileRows(path, columns, file_format).chunks():
        if chunk.damage is not None:
            raise IngestError(f"{path.name}: {chunk.damage}. Labels are taken of whole files only; copy it again.")
        reader.read(chunk)
        n_read += chunk.n_read
    _require_both(path.name, label_column, wanted, reader)
    labels = reader.settle(wanted)
    if len(set(labels.values())) < 2:
        raise IngestError(
            f"After {len(reader.rejections):,} rows of {path.name} were rejected, of customers with different labels "
            f"among them, not both “{positive}” and another label are left. Let each customer have one label."
        )
    days = np.array([day for _, day in labels], dtype=np.int32)
    return Labels(
        customer_ids=tuple(customer_id for customer_id, _ in labels),
        positive=np.array(list(labels.values()), dtype=np.bool_),
        day=None if date_column is None else days,
        rejections=tuple(sorted(reader.rejections, key=lambda rejection: rejection.line)),
        n_read=n_read,
    )


class _LabelReader:
    """Gathers the labels of a file.

    Attributes
    ----------
    rejections : list of Rejection
    counts : Counter of str
        How many rows have each label.
    """

    def __init__(self, customer_id: str, label: str, date: str | None, settings: Settings) -> None:
        self._customer_id = customer_id
        self._label = label
        self._date = date
        self._read_instant = InstantReader(ZoneInfo(settings.timezone))
        self._calendar = LocalCalendar(settings.timezone)
        self._told: dict[tuple[str, int], list[tuple[int, str]]] = {}
        self.rejections: list[Rejection] = []
        self.counts: Counter[str] = Counter()

    def read(self, chunk: Chunk) -> None:
        """Take the rows of a chunk, or reject them."""
        self.rejections += chunk.broken
        if not len(chunk.lines):
            return
        rows = Screening(chunk)
        customer_ids = rows.objects(self._customer_id, required(as_id, "customer_id"))
        labels = rows.objects(self._label, required(as_id, "label"))
        days = np.full(len(rows), _NO_DAY, dtype=np.int32)
        if self._date is not None:
            days = self._calendar.days(rows.integers(self._date, required(self._read_instant, "date")))
        for row in np.flatnonzero(rows.fit).tolist():
            told = self._told.setdefault((customer_ids[row], int(days[row])), [])
            told.append((int(chunk.lines[row]), labels[row]))
            self.counts[labels[row]] += 1
        self.rejections += rows.rejections

    def settle(self, positive: str) -> dict[tuple[str, int], bool]:
        """Return whether each customer (and day) is positive, in order, and reject those of whom rows differ."""
        labels: dict[tuple[str, int], bool] = {}
        for key, told in sorted(self._told.items()):
            is_positive = {label == positive for _, label in told}
            if len(is_positive) == 1:
                labels[key] = is_positive.pop()
                continue
            reason = f"is not what other rows say of customer {key[0]}; none of them counts"
            self.rejections += [Rejection.of(line, self._label, label, "conflict", reason) for line, label in told]
        return labels


def _as_positive(positive: str) -> str:
    try:
        wanted = as_id(positive)
    except CellError as error:
        raise IngestError(f"The positive label {error.reason}.") from error
    if wanted is None:
        raise IngestError("The positive label is empty; expected one that the file has, such as “Yes” or “1”.")
    return wanted


def _require_both(file: str, column: str, positive: str, reader: _LabelReader) -> None:
    counts = reader.counts
    if not counts:
        first = min(reader.rejections, key=lambda rejection: rejection.line)
        raise IngestError(
            f"No row of {file} is a label: all {len(reader.rejections):,} were rejected. The first, in line "
            f"{first.line:,}: {first.column} {first.reason}."
        )
    shown = ", ".join(f"“{value}” ({count:,})" for value, count in counts.most_common(_VALUES_SHOWN))
    if positive not in counts:
        more = f" and {len(counts) - _VALUES_SHOWN:,} more" if len(counts) > _VALUES_SHOWN else ""
        raise IngestError(
            f"No label in the column “{column}” of {file} is “{positive}”. The labels there: {shown}{more}. Say which "
            "of them is the positive one with --positive."
        )
    if len(counts) == 1:
        raise IngestError(
            f"Every label in the column “{column}” of {file} is “{positive}”. Expected others too: there is nothing to "
            "tell apart."
        )
