"""`regulars doctor` on the small shop, healthy and not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from store.sources import hour_of
from store.tables import Event, RejectedRow, SourceActivity
from tests.cli.conftest import At, Regulars


def test_of_a_healthy_shop_nothing_is_found_and_it_says_what_was_looked_at(regulars: Regulars, at: At) -> None:
    at("untrained")
    shown = regulars("doctor")
    assert shown.exit_code == 0, shown.err
    assert shown.out.startswith("Nothing found.\nLooked at 1 source; all ")
    assert "all 1,502 customers" in shown.out
    assert "Looked for silent sources; rejected rows;" in shown.out
    assert "Reading events" in shown.err


def test_what_is_wrong_is_said_with_its_number_and_what_to_do(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    with shop.database.write() as session:
        session.execute(update(Event).where(Event.id <= 1_000).values(value=0.0))
        session.execute(
            insert(RejectedRow),
            {
                "file_hash": b"h" * 32,
                "line": 1,
                "source_id": 1,
                "file": "[bold]odd.csv",
                "column": "at",
                "value": "[red]",
                "code": "occurred_at",
                "reason": "is [no] date",
                "received_at": datetime.now(UTC),
            },
        )
        now = datetime.now(UTC)
        session.execute(
            insert(SourceActivity),
            [
                {
                    "source_id": 1,
                    "hour": hour_of(now - timedelta(hours=ago)),
                    "stored": 9,
                    "already_there": 0,
                    "rejected": 1,
                    "last_received_at": now - timedelta(hours=ago),
                    "last_occurred_at": now - timedelta(hours=ago),
                }
                for ago in range(100, 300)
            ],
        )
    words = " ".join(regulars("doctor").out.split())
    assert "Problem of the source shop: Nothing has come for 4.2 days" in words
    assert "Warning of the source shop: 10.0% of what came in its last 30 days was rejected" in words
    assert "occurred_at 1 (is [no] date)" in words
    assert "of its orders have the value 0: 1,000 of " in words
    assert "What to do: " in words
    assert "Nothing found" not in words
    told = json.loads(regulars("doctor", "--json").out)
    assert [finding["code"] for finding in told["findings"]] == ["silent_source", "rejected_rows", "orders_at_zero"]
    assert told["findings"][2]["figures"]["orders_at_zero"] == 1_000
