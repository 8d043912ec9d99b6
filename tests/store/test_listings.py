"""The order of lists: gathered in parts, written once, the same however the run was cut into parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from store.engine import Database
from store.listings import places_of, propensity_list, write_listings
from store.tables import SegmentListing
from tests.store.builders import NOW, add_customers, queue_run

COLUMNS: dict[str, list[Any]] = {
    "segments": ["at_risk high_value", "", "at_risk", "at_risk", "new"],
    "value_at_risk": [3.0, None, 9.0, 3.0, None],
    "clv": [50.0, None, 10.0, 7.0, None],
    "churn_probability": [0.1, 0.2, 0.3, 0.4, None],
    "propensities": [None, '{"upsell": {"probability": 0.25}}', None, '{"upsell": {"probability": 0.5}}', None],
}
WRITTEN = [
    ("at_risk", 3.0, 1),
    ("at_risk", 3.0, 4),
    ("at_risk", 9.0, 3),
    ("high_value", 3.0, 1),
    ("new", 0.0, 5),
    (propensity_list("upsell"), 0.25, 2),
    (propensity_list("upsell"), 0.5, 4),
]


@pytest.mark.parametrize("cut", [0, 2, 5])
def test_lists_are_the_same_however_customers_are_cut_into_parts(
    database: Database, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr("store.listings._ROWS_A_TRANSACTION", 2)
    add_customers(database, [f"customer {key}" for key in range(1, 6)])
    run_id, done = queue_run(database), list[float]()
    parts = [
        places_of(np.arange(1, 6)[some], {name: column[some] for name, column in COLUMNS.items()})
        for some in (slice(cut), slice(cut, None))
    ]
    write_listings(database, run_id, parts, done.append, claimed_at=NOW)
    with database.read() as session:
        rows = session.scalars(select(SegmentListing).where(SegmentListing.scoring_run_id == run_id)).all()
    assert sorted((row.segment, row.rank_value, row.customer_key) for row in rows) == sorted(WRITTEN)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_a_run_of_nobody_has_no_lists(database: Database) -> None:
    write_listings(database, queue_run(database), [], claimed_at=NOW)
    with database.read() as session:
        assert session.scalars(select(SegmentListing)).all() == []
