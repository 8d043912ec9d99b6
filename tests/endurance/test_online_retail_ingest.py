"""UCI Online Retail as a whole: counts that add up, twice, interrupted once, the same rows on both engines."""

from __future__ import annotations

import pytest

from store.engine import Database
from tests.conftest import shared_data
from tests.data.online_retail import FILE, count, fingerprint, ingest_again, ingest_in_goes

# From the data set's own README: rows, and rows without a customer.
N_ROWS, N_WITHOUT_CUSTOMER, N_CUSTOMERS = 541_909, 135_080, 4_372

# The same on SQLite and PostgreSQL.
FINGERPRINT = "a2f83239b9f1f0eb92c00bf0d1205c2f1527d82b7fcfd9613c8f938898255c90"


def test_interrupted_once_then_whole_then_again_it_is_stored_exactly_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shared_data("uci_online_retail") / FILE
    whole = ingest_in_goes(database, path, monkeypatch, fails_at=40)
    assert (whole.read, whole.rejected_by_code) == (N_ROWS, {"customer_id": N_WITHOUT_CUSTOMER})
    assert count(database, "*", "order_line") == N_ROWS - N_WITHOUT_CUSTOMER
    assert count(database, "*", "customer") == N_CUSTOMERS
    assert count(database, "DISTINCT order_id", "event") == 22_190
    assert fingerprint(database) == FINGERPRINT
    ingest_again(database, path, 50_000)
