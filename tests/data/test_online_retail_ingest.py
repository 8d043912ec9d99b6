"""Every fourth customer of UCI Online Retail, and 500 rows without one; the whole is for `make endurance`."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.engine import Database
from tests.data.excerpts import EXCERPTS
from tests.data.online_retail import FILE, fingerprint, ingest_again, ingest_in_goes

# The same on SQLite and PostgreSQL.
FINGERPRINT = "7d80b508f8da06e61543eede117c787b83f7d2373b071eb3e00581b43a49018c"


def test_interrupted_once_then_whole_then_again_it_is_stored_exactly_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EXCERPTS["online-retail"](tmp_path)
    whole = ingest_in_goes(database, tmp_path / FILE, monkeypatch, fails_at=10)
    assert whole.rejected_by_code == {"customer_id": 500}
    assert fingerprint(database) == FINGERPRINT
    ingest_again(database, tmp_path / FILE, 10_000)
