"""The outbox: a row for each change that somebody asked for, in the transaction that makes it, and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from store import registry
from store.engine import Database
from store.memberships import record_published
from store.outbox import (
    MODEL_PROMOTED,
    NUMBERS_TOLD,
    SCORE_CHANGED,
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    Audience,
    Change,
)
from store.scores import SCORE_COLUMNS
from store.tables import OutboxEvent, WebhookDelivery
from tests.store.builders import NOW, Scored, add_customers, add_endpoint, add_model, publish_run

DAY = timedelta(days=1)
LATER = NOW + 2 * DAY


def told(database: Database) -> list[tuple[str, int | None, dict[str, Any]]]:
    with database.read() as session:
        rows = session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))
        return [(row.kind, row.customer_key, row.data) for row in rows]


def deliveries(database: Database) -> list[tuple[int, int, int | None]]:
    """Endpoint, event and customer of each."""
    with database.read() as session:
        rows = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
    assert {(row.status, row.attempts) for row in rows} <= {("pending", 0)}
    return [(row.endpoint_id, row.event_id, row.customer_key) for row in rows]


def write(database: Database, *changes: Change) -> int:
    with database.write() as session:
        connection = session.connection()
        return Audience.of(connection).write(connection, changes, now=NOW)


def record(database: Database) -> None:
    record_published(database, now=lambda: LATER)


def test_the_numbers_told_are_columns_of_a_score() -> None:
    assert set(NUMBERS_TOLD) <= set(SCORE_COLUMNS)


def test_without_an_endpoint_that_asks_nothing_is_written(database: Database) -> None:
    add_customers(database, ["ada"])
    add_endpoint(database, [SEGMENT_LEFT])
    add_endpoint(database, disabled_at=NOW)
    add_endpoint(database, deleted_at=NOW)
    assert write(database, Change(SEGMENT_ENTERED, 1, {}), Change(MODEL_PROMOTED, None, {})) == 0
    publish_run(database, {1: Scored("at_risk")})
    record(database)
    assert (told(database), deliveries(database)) == ([], [])


def test_each_endpoint_is_told_of_what_it_asked_for(database: Database) -> None:
    add_customers(database, ["ada"])
    of_all, of_models = add_endpoint(database), add_endpoint(database, [MODEL_PROMOTED])
    assert write(database, Change(SEGMENT_LEFT, 1, {"segment": "new"}), Change(MODEL_PROMOTED, None, {})) == 2
    assert [row[:2] for row in told(database)] == [(SEGMENT_LEFT, 1), (MODEL_PROMOTED, None)]
    assert deliveries(database) == [(of_all, 1, 1), (of_all, 2, None), (of_models, 2, None)]
    with database.read() as session:
        assert {row.next_attempt_at for row in session.scalars(select(WebhookDelivery))} == {NOW}


def test_a_change_for_some_endpoints_comes_to_those_of_them_that_ask_for_it(database: Database) -> None:
    add_customers(database, ["ada"])
    first, second, _ = add_endpoint(database), add_endpoint(database), add_endpoint(database)
    disabled, of_models = add_endpoint(database, disabled_at=NOW), add_endpoint(database, [MODEL_PROMOTED])
    assert write(database, Change(SCORE_CHANGED, 1, {}, [first, second, disabled, of_models])) == 1
    assert write(database, Change(SCORE_CHANGED, 1, {}, [disabled, of_models])) == 0
    assert deliveries(database) == [(first, 1, 1), (second, 1, 1)]


def test_no_id_of_an_event_is_ever_given_again(database: Database) -> None:
    add_endpoint(database)
    change = Change(MODEL_PROMOTED, None, {})
    write(database, change, change)
    with database.write() as session:
        session.execute(delete(WebhookDelivery))
        session.execute(delete(OutboxEvent))
    write(database, change)
    assert [row[1] for row in deliveries(database)] == [3]


def with_a_change_before_it(database: Database, change: Change) -> None:
    with database.write() as session:
        connection = session.connection()
        audience = Audience.of(connection)
        assert audience.write(connection, [Change(MODEL_PROMOTED, None, {})], now=NOW) == 1
        audience.write(connection, [change], now=NOW)


def test_what_is_rolled_back_is_not_told(database: Database) -> None:
    add_endpoint(database)
    with pytest.raises(ValueError, match="not JSON compliant"):
        with_a_change_before_it(database, Change(MODEL_PROMOTED, None, {"rate": float("nan")}))
    assert told(database) == []


def test_a_promotion_and_its_rollback_are_told(database: Database) -> None:
    add_endpoint(database)
    for digit in "ab":
        add_model(database, bundle_hash=digit * 64)
        with database.write() as session:
            registry.promote(session, force=True, now=NOW)
            registry.promote(session, registry.aliases(session)["champion"], now=NOW)
    with database.write() as session:
        registry.rollback(session, now=NOW)
    assert told(database) == [
        (MODEL_PROMOTED, None, {"model_version": 1, "replaced_version": None, "rolled_back": False}),
        (MODEL_PROMOTED, None, {"model_version": 2, "replaced_version": 1, "rolled_back": False}),
        (MODEL_PROMOTED, None, {"model_version": 1, "replaced_version": 2, "rolled_back": True}),
    ]


def test_a_run_tells_who_came_and_left_and_whose_score_changed_against_the_one_before(database: Database) -> None:
    add_customers(database, ["ada", "bob", "cy", "dora"])
    first = publish_run(
        database,
        {1: Scored("at_risk", 1.0, 2.0, 0.5), 2: Scored("new", None, 3.0, 0.2), 3: Scored("steady", None, 3.0, None)},
    )
    record(database)
    endpoint = add_endpoint(database)
    second = publish_run(
        database,
        {
            1: Scored("steady", 0.5, 2.0, 0.25),
            2: Scored("new", None, 30.0, 0.25),
            3: Scored("steady", None, 3.0, 0.9),
            4: Scored("steady", None, 3.0, 0.9),
        },
        as_of=NOW + DAY,
    )
    record(database)
    made_with = {
        "model_version": 1,
        "policy_version": 1,
        "as_of": "2024-05-02T00:00:00Z",
        "scoring_run_id": second,
    }
    ada = {"customer_id": "ada", **made_with}
    nothing = {"upsell_propensity": None, "p_alive": None, "expected_purchases": None}
    assert told(database) == [
        (SEGMENT_LEFT, 1, {**ada, "segment": "at_risk"}),
        (SEGMENT_ENTERED, 1, {**ada, "segment": "steady"}),
        (SEGMENT_ENTERED, 4, {**ada, "customer_id": "dora", "segment": "steady"}),
        (
            SCORE_CHANGED,
            1,
            {
                **ada,
                "segment": "steady",
                "before": {"churn_probability": 0.5, "clv": 2.0, "value_at_risk": 1.0, **nothing},
                "after": {"churn_probability": 0.25, "clv": 2.0, "value_at_risk": 0.5, **nothing},
            },
        ),
    ]
    assert deliveries(database) == [(endpoint, event, key) for event, key in ((1, 1), (2, 1), (3, 4), (4, 1))]
    assert first < second


class _CutOffError(Exception):
    """What stands for a process that ends in the middle."""


@pytest.mark.parametrize("cut", range(5))
def test_a_recording_that_is_cut_off_tells_nothing_twice_and_leaves_nothing_out(
    database: Database, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 3)  # 2 beside one endpoint
    keys = range(1, 12)
    add_customers(database, [f"customer {key}" for key in keys])
    add_endpoint(database)
    publish_run(database, {key: Scored("new", None, None, 0.1) for key in keys})
    record(database)
    publish_run(database, {key: Scored("steady", None, None, 0.3) for key in keys}, as_of=NOW + DAY)
    whole_write, left = database.write, [cut]

    def write_some() -> object:
        left[0] -= 1
        if left[0] < 0:
            raise _CutOffError("cut off")
        return whole_write()

    monkeypatch.setattr(database, "write", write_some)
    with pytest.raises(_CutOffError, match="cut off"):
        record(database)
    monkeypatch.setattr(database, "write", whole_write)
    record(database)
    record(database)
    expected = [(SEGMENT_ENTERED, key) for key in keys]
    expected += [(kind, key) for kind in (SEGMENT_LEFT, SEGMENT_ENTERED, SCORE_CHANGED) for key in keys]
    assert sorted(row[:2] for row in told(database)) == sorted(expected)
