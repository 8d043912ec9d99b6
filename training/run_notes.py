"""What a scoring run notes beside its sums: who moved between segments since the run before, and what is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.attributes import Attributes
from models.segments import SEGMENTS

__all__ = ["RunNotes"]


@dataclass(slots=True)
class RunNotes:
    """Counts of customers by primary segment in the published run before and now, and names of attributes.

    Attributes
    ----------
    moved : Counter of (segment before or None, segment now)
        None before stands for whom that run did not have. Whole numbers: it does not matter in which order they add.
    attributes : set of str
        Names of what is known of anybody.
    """

    moved: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    attributes: set[str] = field(default_factory=set)

    def add(
        self,
        keys: NDArray[np.int64],
        primary: NDArray[np.integer[Any]],
        before: Mapping[int, str],
        attributes: Attributes,
    ) -> None:
        """Add some customers.

        Parameters
        ----------
        keys : int64, shape (n,)
        primary : integer, shape (n,)
            Position of the primary segment in `SEGMENTS`.
        before : mapping of key to segment
            Of the run before; may have others too.
        attributes : Attributes
        """
        now = (SEGMENTS[place] for place in primary.tolist())
        self.moved.update(zip(map(before.get, keys.tolist()), now, strict=True))
        self.attributes.update(attributes.columns)

    def merge(self, other: RunNotes) -> None:
        """Add the customers that another has added up."""
        self.moved.update(other.moved)
        self.attributes |= other.attributes

    def aggregates(self, run_before: int | None) -> dict[str, Any]:
        """Return the notes as stored with the run; without a run before nobody moved."""
        order: dict[str | None, int] = {segment: i for i, segment in enumerate((None, *SEGMENTS))}
        moved = sorted(self.moved.items(), key=lambda item: (order[item[0][0]], order[item[0][1]]))
        return {
            "attributes": sorted(self.attributes),
            "transitions": None
            if run_before is None
            else {
                "scoring_run_id": run_before,
                "moved": [[before, now, customers] for (before, now), customers in moved],
            },
        }
