"""A published run of any size whose customers nearly all are in one segment, without the events behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select

from benchmarks.scored_shop import LATER, settings_of, store_shop
from store import runs, scores
from store.bulk_load import load
from store.engine import Database
from store.list_cursor import Cursor
from store.listings import Places, write_listings
from store.publishing import publish
from store.settings import Settings
from store.tables import Score, ScoringRun
from store.tables.base import to_microseconds
from training.score_all import score_all

__all__ = ["SEGMENT", "Listed", "store_list"]

SEGMENT = "at_risk"
_ROWS_A_PAGE = 50
_FEW = 200
_CUSTOMERS_AT_ONCE = 20_000


class Listed(NamedTuple):
    """A list, and where its first and its last page are.

    Attributes
    ----------
    settings : Settings
    first_page, last_page : str
        Paths.
    """

    settings: Settings
    first_page: str
    last_page: str


def store_list(folder: Path, customers: int) -> Listed:
    """Store a list of so many customers, each scored as one of a few hundred who really are.

    Parameters
    ----------
    folder : Path
        There; empty.
    customers : int
    """
    store_shop(folder, _FEW)
    settings = settings_of(folder)
    database = Database(settings.database_url)
    scored = score_all(database, settings, now=lambda: LATER)
    with database.read() as session:
        rows = session.scalars(select(Score).where(Score.scoring_run_id == scored.id)).all()
        alike = [
            {name: getattr(row, name) for name in scores.SCORE_COLUMNS}
            for row in rows
            if row.value_at_risk and row.reasons
        ]
    first = _FEW + 1
    keys = np.arange(first, first + customers)
    _store_customers(database, keys)
    with database.write() as session:
        run_id = runs.queue_scoring(session, now=LATER, as_of=scored.as_of).id
        runs.claim(session, ScoringRun, now=LATER, run_id=run_id)
    assert scored.as_of is not None
    assert scored.model_version is not None
    assert scored.policy_version is not None
    assert scored.aggregates is not None
    scores.begin(
        database,
        run_id,
        claimed_at=LATER,
        as_of=scored.as_of,
        model_version=scored.model_version,
        policy_version=scored.policy_version,
    )
    random = np.random.default_rng(1)
    places = []
    for start in range(0, customers, _CUSTOMERS_AT_ONCE):
        some = keys[start : start + _CUSTOMERS_AT_ONCE]
        places.append(scores.write(database, run_id, some, _columns(alike, len(some), random), claimed_at=LATER))
    write_listings(database, run_id, places, claimed_at=LATER)
    publish(database, run_id, n_customers=customers, aggregates=scored.aggregates, now=lambda: LATER, claimed_at=LATER)
    database.close()
    return Listed(settings, *_pages(places, run_id, customers))


def _columns(alike: list[dict[str, Any]], n: int, random: np.random.Generator) -> dict[str, list[Any]]:
    which = random.integers(0, len(alike), n).tolist()
    columns = {name: [alike[i][name] for i in which] for name in scores.SCORE_COLUMNS}
    columns["segment"] = columns["segments"] = [SEGMENT] * n
    columns["value_at_risk"] = random.gamma(2.0, 40.0, n).tolist()
    return columns


def _pages(places: list[Places], run_id: int, customers: int) -> tuple[str, str]:
    rank_value = np.concatenate([place[SEGMENT][0] for place in places])
    keys = np.concatenate([place[SEGMENT][1] for place in places])
    descending = np.lexsort((keys, rank_value))[::-1]
    before = descending[customers - _ROWS_A_PAGE - 1]
    passed = customers - _ROWS_A_PAGE
    cursor = Cursor(run_id, SEGMENT, float(rank_value[before]), int(keys[before]), passed, passed).encode()
    path = f"/v1/segments/{SEGMENT}/customers?limit={_ROWS_A_PAGE}"
    return path, f"{path}&cursor={cursor}"


def _store_customers(database: Database, keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    names = ("id", "customer_id", "created_at")
    with database.bulk() as connection:
        for start in range(0, len(keys), _CUSTOMERS_AT_ONCE):
            some = keys[start : start + _CUSTOMERS_AT_ONCE].tolist()
            created = [to_microseconds(LATER)] * len(some)
            with database.transaction(connection):
                load(connection, "customer", names, [some, [f"listed{key:08}" for key in some], created])
