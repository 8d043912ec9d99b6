"""The customers of a scoring run in parts: read, scored and written in this process, or in several side by side.

A part is described by plain values, so that it can be told to another process. What comes out does not depend on how
many processes there are: each customer is scored alone, and sums are merged in the order of the parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs
from store import scores
from store.child_process import end_with_parent
from store.engine import Database
from store.events import read_range
from store.memberships import open_memberships
from store.scoring_parts import read_places, read_sums, write_part
from training.part_sums import from_bytes, to_bytes
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
    run_before : int or None
        The published one; None before the first.
    claimed_at : datetime or None
        The run's `started_at` when this process took it.
    """

    database_url: str
    bundle: Path
    bundle_hash: str
    policy: SegmentPolicy
    cutoffs: Cutoffs
    as_of: datetime
    run_id: int
    run_before: int | None
    claimed_at: datetime | None

    @property
    def terms(self) -> str:
        """What decides scores and sums beside the events: parts of a run go together only where it is the same."""
        said = {
            "version": version("regulars"),
            "bundle": self.bundle_hash,
            "policy": self.policy.to_dict(),
            "cutoffs": self.cutoffs.to_dict(),
            "as_of": self.as_of.isoformat(),
            "run_before": self.run_before,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


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
            self._write(sums, low, high)
            return sums
        with self.database.read() as session:
            memberships = open_memberships(session, customers.keys)
            before = scores.primary_segments(session, part.run_before, low, high)
        found = score(self.bundle, part.policy, part.cutoffs, log, memberships, Snapshot.at(part.as_of, calendar))
        places = scores.write(self.database, part.run_id, customers.keys, found.columns(), claimed_at=part.claimed_at)
        sums.add(found, places)
        sums.notes.add(customers.keys, found.primary, before, log.attributes)
        self._write(sums, low, high)
        return sums

    def restore(self, low: int, high: int) -> RunSums:
        """Return the sums of a range that an earlier attempt has done."""
        with self.database.read() as session:
            stored = read_sums(session, self.part.run_id, low)
            places = read_places(session, self.part.run_id, low, high)
        return from_bytes(stored, self.bundle, places)

    def _write(self, sums: RunSums, low: int, high: int) -> None:
        write_part(
            self.database,
            self.part.run_id,
            claimed_at=self.part.claimed_at,
            keys=(low, high),
            terms=self.part.terms,
            sums=to_bytes(sums),
        )

    def in_order(self, ranges: Sequence[tuple[int, int]], n_processes: int) -> Generator[RunSums]:
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
        with ProcessPoolExecutor(n_processes, get_context("spawn"), initializer=end_with_parent) as pool:
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
