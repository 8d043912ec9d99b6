"""What an ingest run says at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from store.ingest.refunds import StoredRefunds
from store.ingest.rejections import Rejection
from store.ingest.rows import UnmatchedKeys

__all__ = ["IngestReport", "Tally"]

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the rows of one file.

    Attributes
    ----------
    file : str
        Its name.
    read : int
        Rows read; the sum of the next three.
    stored, already_there, rejected : int
    unmatched_refunds : int
        How many of those stored are refunds that find no line to take back, wholly or in part, as of the run's end.
    rejected_by_code : dict of str to int
    examples : tuple of Rejection
        The first rejected rows of the file.
    damage : str or None
        What is wrong with a file that ends in the middle; what came before was stored.
    unmatched_keys : tuple of UnmatchedKeys
        For each file that was joined, how many of the rows read found no row there.
    refunds : StoredRefunds
        The refunds among those stored, to count the unmatched again once other files have been ingested too.
    """

    file: str
    read: int
    stored: int
    already_there: int
    rejected: int
    unmatched_refunds: int
    rejected_by_code: dict[str, int]
    examples: tuple[Rejection, ...]
    damage: str | None
    unmatched_keys: tuple[UnmatchedKeys, ...]
    refunds: StoredRefunds = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse numbers that don't add up: then a row was lost or stored twice."""
        if self.read != self.stored + self.already_there + self.rejected:
            raise ValueError(
                f"rows don't add up: read {self.read}, but stored {self.stored} + already there {self.already_there} "
                f"+ rejected {self.rejected}"
            )


class Tally:
    """Counts what becomes of the rows of one file while it is ingested."""

    def __init__(self) -> None:
        self._read = self._stored = self._already_there = 0
        self._codes: Counter[str] = Counter()
        self._examples: list[Rejection] = []
        self._damage: str | None = None
        self.refunds = StoredRefunds()

    def read(self, n: int, damage: str | None) -> None:
        """Count rows as read, the last ones perhaps of a file that is damaged after them."""
        self._read += n
        self._damage = damage

    def written(self, stored: int, already_there: int) -> None:
        """Count rows as stored or already there."""
        self._stored += stored
        self._already_there += already_there

    def rejected(self, rejections: Sequence[Rejection]) -> None:
        """Count rows as rejected."""
        self._codes.update(rejection.code for rejection in rejections)
        self._examples = sorted([*self._examples, *rejections], key=lambda rejection: rejection.line)[:_EXAMPLES]

    def report(self, file: str, unmatched_keys: tuple[UnmatchedKeys, ...], unmatched_refunds: int = 0) -> IngestReport:
        """Return what has been counted."""
        return IngestReport(
            file=file,
            read=self._read,
            stored=self._stored,
            already_there=self._already_there,
            rejected=self._codes.total(),
            unmatched_refunds=unmatched_refunds,
            rejected_by_code=dict(sorted(self._codes.items())),
            examples=tuple(self._examples),
            damage=self._damage,
            unmatched_keys=unmatched_keys,
            refunds=self.refunds,
        )
