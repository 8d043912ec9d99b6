"""The customers of a scoring run in parts: read, scored and written in this process, or in several side by side.

A part is described by plain values, so that it can be told to another process. What comes out does not depend on how
many processes there are: each customer is scored alone, and sums are merged in the order of the parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import score
from models.segments import Cutoffs, SegmentPolicy
from store import scores
from store.engine import Database
from store.events import read_range
from store.memberships import open_memberships
from training.run_sums import RunSums

__all__ = ["PartScorer", "RunPart"]


# Beginning a process takes as long as scoring several thousand customers.
_RANGES_A_PROCESS = 2


@dataclass(frozen=True, slots=True)
class RunPart:
    """What scoring customers of a run takes, as plain values.

    Attributes
    ----------
    database_url : str
    bundle : Path
        Folder of the model.
    bundle_hash : str
        As registered.
    policy : SegmentPolicy
    cutoffs : Cutoffs
    as_of : datetime
    run_id : int
    """

    database_url: str
    bundle: Path
    bundle_hash: str
    policy: SegmentPolicy
    cutoffs: Cutoffs
    as_of: datetime
    run_id: int


@dataclass(frozen=True, slots=True)
class PartScorer:
    """A part of a run with what it is scored by, opened in this process."""

    part: RunPart
    database: Database
    bundle: Bundle

    def score(self, low: int, high: int) -> RunSums:
        """Score the customers of a range of keys, write what comes out under the run, and return its sums."""
        part, calendar = self.part, LocalCalendar(self.bundle.timezone)
        sums = RunSums.of_nobody(self.bundle)
        customers, log = read_range(self.database, low, high, calendar, self.bundle.events_with_properties)
        if not customers.customer_ids:
            return sums
        with self.database.read() as session:
            memberships = open_memberships(session, customers.keys)
        found = score(self.bundle, part.policy, part.cutoffs, log, memberships, Snapshot.at(part.as_of, calendar))
        places = scores.write(self.database, part.run_id, customers.keys, found.columns())
        sums.add(found, places)
        return sums

    def in_order(self, ranges: Sequence[tuple[int, int]], n_processes: int) -> Iterator[RunSums]:
        """Score the customers of each range of keys, and give their sums in the order of the ranges.

        Parameters
        ----------
        ranges : sequence of (lowest key, highest key)
        n_processes : int
            At most so many side by side; with 1, or with few ranges, all is done in this process.
        """
        n_processes = min(n_processes, len(ranges) // _RANGES_A_PROCESS)
        if n_processes < 2:
            for low, high in ranges:
                yield self.score(low, high)
            return
        # Begun anew rather than forked: neither LightGBM's threads nor an open database survives a fork.
        with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
            try:
                yield from pool.map(partial(_score_elsewhere, self.part), *zip(*ranges, strict=True))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _score_elsewhere(part: RunPart, low: int, high: int) -> RunSums:
    return _opened(part).score(low, high)


@cache  # once in each process, however many ranges it is told
def _opened(part: RunPart) -> PartScorer:
    return PartScorer(part, Database(part.database_url), load_bundle(part.bundle, expected_hash=part.bundle_hash))
