"""`GET /v1/sources`."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert

from store.sources import hour_of
from store.tables import SourceActivity
from tests.service.conftest import Shop
from tests.service.shop import NOW


def test_sources_tell_their_last_event_their_rate_and_what_was_rejected(own_shop: Shop) -> None:
    before = {
        "name": "shop",
        "last_received_at": None,
        "last_occurred_at": None,
        "events_per_hour_24h": 0.0,
        "events_per_hour_7d": 0.0,
        "rejected_share_7d": None,
    }
    assert own_shop.get("/v1/sources") == {"sources": [before]}
    rows = [
        {
            "source_id": 1,
            "hour": hour_of(NOW) - ago,
            "stored": 84,
            "already_there": 10,
            "rejected": 6,
            "last_received_at": NOW - timedelta(hours=ago),
            "last_occurred_at": NOW - timedelta(hours=ago, seconds=1),
        }
        for ago in (1, 30)
    ]
    with own_shop.database.write() as session:
        session.execute(insert(SourceActivity), rows)
    assert own_shop.get("/v1/sources")["sources"] == [
        {
            "name": "shop",
            "last_received_at": "2024-01-01T08:30:00Z",
            "last_occurred_at": "2024-01-01T08:29:59Z",
            "events_per_hour_24h": 3.5,
            "events_per_hour_7d": 1.0,
            "rejected_share_7d": 0.06,
        }
    ]
