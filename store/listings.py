"""The order of every list of a run: gathered while it scores, written once all is known.

In order of the lists each row follows the one before, and the table only grows at its end. Written customer by customer
every row would land on another page, and a run of a million would write each page hundreds of times.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.bulk_load import load
from store.engine import Database
from store.runs import hold_run
from store.tables import ScoringRun

__all__ = ["Places", "places_of", "propensity_list", "write_listings"]

# By list, of those who stand in it: the value that says where, and the customer's key.
Places = Mapping[str, tuple[NDArray[np.float64], NDArray[np.int64]]]

# So many rows that the lock is held for well under 100 ms.
_ROWS_A_TRANSACTION = 5_000

_COLUMNS = ("scoring_run_id", "segment", "rank_value", "customer_key")
# A list of a segment is ordered by the first of these that a customer has.
# What says where a customer stands in them.
PLACED_BY = ("segments", "value_at_risk", "clv", "churn_probability", "propensities")
_RANKED_BY = ("value_at_risk", "clv", "churn_probability")


def propensity_list(target: str) -> str:
    """Return the name of the list of everybody whom the model of a propensity judges."""
    return f"{target}_propensity"


def places_of(keys: NDArray[np.int64], columns: Mapping[str, Sequence[Any]]) -> Places:
    """Return where some customers stand in the lists.

    Parameters
    ----------
    keys : int64, shape (n,)
    columns : mapping of name to sequence of length n
        As `store.scores.write` takes them.
    """
    rank_value = np.zeros(len(keys))
    for name in reversed(_RANKED_BY):
        known = np.array(columns[name], dtype=np.float64)  # NaN for None
        rank_value = np.where(np.isnan(known), rank_value, known)
    members: dict[str, list[int]] = defaultdict(list)
    for i, segments in enumerate(columns["segments"]):
        members[segments].append(i)
    positions: dict[str, list[int]] = defaultdict(list)
    for segments, of_segments in members.items():
        for segment in segments.split():
            positions[segment] += of_segments
    places = {segment: (rank_value[of_segment], keys[of_segment]) for segment, of_segment in positions.items()}
    judged: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for key, told in zip(keys.tolist(), columns["propensities"], strict=True):
        for target, of_target in json.loads(told).items() if told is not None else ():
            judged[propensity_list(target)].append((of_target["probability"], key))
    for name, rows in judged.items():
        propensity, key = zip(*rows, strict=True)
        places[name] = np.array(propensity, dtype=np.float64), np.array(key, dtype=np.int64)
    return places


def write_listings(
    database: Database,
    run_id: int,
    parts: Sequence[Places],
    progress: Callable[[float], None] = lambda _: None,
    *,
    claimed_at: datetime | None,
) -> None:
    """Write the lists of a run, in short transactions.

    Parameters
    ----------
    database : Database
    run_id : int
    parts : sequence of Places
        Of all customers of the run, each in one part.
    progress : callable
        Told the share done.
    claimed_at : datetime or None
        The run's `started_at` when this process took it.

    Raises
    ------
    RunLostError
        Another process has taken the run since.
    """
    total = sum(len(keys) for part in parts for _, keys in part.values())
    written = 0
    with database.bulk() as connection:
        for name in sorted({name for part in parts for name in part}):
            of_list = [part[name] for part in parts if name in part]
            rank_value, key = (np.concatenate(column) for column in zip(*of_list, strict=True))
            in_order = np.lexsort((key, rank_value))
            for start in range(0, len(key), _ROWS_A_TRANSACTION):
                rows = in_order[start : start + _ROWS_A_TRANSACTION]
                n = len(rows)
                with database.transaction(connection):
                    hold_run(connection, ScoringRun, run_id, claimed_at=claimed_at)
                    load(
                        connection, "segment_listing", _COLUMNS, [[run_id] * n, [name] * n, rank_value[rows], key[rows]]
                    )
                written += n
                progress(written / total)
