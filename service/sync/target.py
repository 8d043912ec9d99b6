"""What a target of a sync is: something that takes batches of rows, and in the end has all or says that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Row", "SyncHead", "Target"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SyncHead:
    """What all rows of a sync have in common.

    Attributes
    ----------
    segment, mode : str
        The mode is whole or difference.
    scoring_run_id, model_version, sync : int
        `sync` counts the syncs of this segment to this target.
    as_of, currency : str
    columns : tuple of str
        Names in every row.
    erased : int
        Customers erased since the target had last been sent the segment as a whole, of whom it is not told.
    """

    segment: str
    mode: str
    scoring_run_id: int
    model_version: int
    as_of: str
    currency: str
    sync: int
    columns: tuple[str, ...]
    erased: int


class Target(Protocol):
    """Takes batches.

    Attributes
    ----------
    name : str
        Under which is kept what it has.
    takes_batches : bool
        Whether it has a batch once `send` returns; else all of them once `finish` does.
    """

    name: str
    takes_batches: bool

    def begin(self, head: SyncHead) -> None:
        """Prepare for rows."""

    def send(self, rows: Sequence[Row], *, last: bool) -> None:
        """Send a batch."""

    def finish(self) -> None:
        """Make all of it there at once, if it is not yet."""

    def abandon(self) -> None:
        """Leave nothing half done."""
