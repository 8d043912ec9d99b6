"""A database of every released schema, with rows in all its tables, is upgraded, read and gone on with.

The rows are written as plain SQL, since the tables that the code declares are always those of the newest schema.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, text

from features.calendar import LocalCalendar
from store import policies, registry, runs
from store.engine import Database
from store.events import read_log
from store.exceptions import SchemaError
from store.lists import iterate_segment
from store.memberships import history
from store.schema import downgrade, require_current, upgrade
from store.scores import require_published_run
from store.tables import Base, Category, Channel, CustomerAttribute, Event, RejectedRow, ScoringRun, TrainingRun

# 1998-07-01 UTC in microseconds.
AT = 899_251_200_000_000
INSTANT = datetime(1998, 7, 1, tzinfo=UTC)
JSON = '{"one": 1}'

# One row or more for each table, in an order in which each finds what it refers to; keys are given by the database.
Rows = dict[str, list[dict[str, Any]]]

SCHEMA_0001: Rows = {
    "source": [{"name": "shop"}],
    "event_type": [{"name": "Order Completed"}, {"name": "Order Refunded"}],
    "product": [{"product_id": "P1"}],
    "category": [{"levels": '{"group": "shoes"}'}],
    "channel": [{"name": "web"}],
    "customer": [{"customer_id": "ada", "created_at": AT}, {"customer_id": "Łucja", "created_at": AT}],
    "customer_attribute": [
        {"customer_key": 1, "name": "age", "learnt_at": 0, "kind": "number", "number": 41.5, "text": None},
        {"customer_key": 1, "name": "city", "learnt_at": AT, "kind": "category", "number": None, "text": "Łódź"},
    ],
    "event": [
        {
            "customer_key": 1,
            "event_type_id": kind,
            "occurred_at": AT + kind,
            "reported_at": None,
            "received_at": AT + 2,
            "source_id": 1,
            "has_message_id": kind == 1,
            "identity": bytes([kind]) * 16,
            "order_id": "A",
            "order_key": -(2**63) + 1,
            "value": None,
            "channel_id": 1,
            "properties": JSON,
        }
        for kind in (1, 2)
    ],
    "order_line": [
        {
            "event_id": event,
            "identity": bytes([10 + event]) * 16,
            "occurred_at": AT + event,
            "product_key": 1,
            "category_id": 1,
            "quantity": 3.0 - event,
            "value": 12.5 * (3 - event),
            "discount": None,
        }
        for event in (1, 2)
    ],
    "rejected_row": [
        {
            "file_hash": bytes(32),
            "line": 2**40,
            "source_id": 1,
            "file": "orders.csv",
            "column": "value",
            "value": "ten",
            "code": "number",
            "reason": "is not a number",
            "received_at": AT,
        }
    ],
    "segment_policy": [{"policy": JSON, "created_at": AT}],
    "training_run": [
        {
            "status": "completed",
            "requested_at": AT,
            "started_at": AT,
            "heartbeat_at": AT,
            "finished_at": AT,
            "settings": JSON,
            "story": JSON,
            "error": None,
        }
    ],
    "model_version": [
        {
            "bundle": f"bundle-{version}",
            "bundle_hash": str(version) * 64,
            "registered_at": AT,
            "training_run_id": 1,
            "test_metrics": '{"target": {"auc": 0.8, "log_loss": 0.5}, "champion": null}',
            "report": JSON,
        }
        for version in (1, 2)
    ],
    "model_alias": [{"alias": "champion", "version": 2}, {"alias": "challenger", "version": 1}],
    "model_promotion": [
        {"version": 1, "replaced_version": None, "promoted_at": AT, "forced": False, "rolled_back_at": None},
        {"version": 2, "replaced_version": 1, "promoted_at": AT, "forced": True, "rolled_back_at": None},
    ],
    "segment_cutoffs": [{"model_version": 2, "policy_version": 1, "cutoffs": JSON}],
    "scoring_run": [
        {
            "status": "completed",
            "requested_at": AT,
            "started_at": AT,
            "heartbeat_at": AT,
            "finished_at": AT,
            "as_of": AT,
            "model_version": 2,
            "policy_version": 1,
            "n_customers": 2,
            "aggregates": JSON,
            "memberships_recorded": True,
            "error": None,
        }
    ],
    "published_run": [{"id": 1, "scoring_run_id": 1}],
    "score": [
        {
            "scoring_run_id": 1,
            "customer_key": key,
            "segment": "at_risk",
            "segments": "at_risk high_value",
            "eligible": True,
            "frequency": 3,
            "recency": 200,
            "T": 272,
            "monetary_value": 25.5,
            "days_since_last_purchase": 72,
            "p_alive": 0.7,
            "expected_purchases": 0.4,
            "expected_average_value": 24.0,
            "clv": 30.0,
            "churn_probability": 0.6,
            "value_at_risk": 18.0 + key,
            "upsell_propensity": None,
            "raw_margin": 0.4,
            "base_value": 0.1,
            "reasons": '[["T", 272, 0.3], ["", null, 0.0]]',
        }
        for key in (1, 2)
    ],
    "segment_listing": [
        {"scoring_run_id": 1, "segment": "at_risk", "rank_value": 18.0 + key, "customer_key": key} for key in (1, 2)
    ],
    "segment_membership": [
        {
            "customer_key": 1,
            "segment": "at_risk",
            "entered_at": AT,
            "entered_run_id": 1,
            "left_at": None,
            "left_run_id": None,
        }
    ],
}

TOLD = '{"upsell": {"probability": 0.2, "raw_margin": -1.4, "base_value": -1.0, "reasons": [["", null, -0.4]]}}'
SCHEMA_0002: Rows = {
    **SCHEMA_0001,
    "score": [{**row, "propensities": TOLD} for row in SCHEMA_0001["score"]],
    "driver_report": [{"scoring_run_id": 1, "target": "churn", "segment": "at_risk", "report": JSON}],
    "target_set": [{"targets": JSON, "created_at": AT}],
}

RELEASED = {"0001": SCHEMA_0001, "0002": SCHEMA_0002}
of_every_released_schema = pytest.mark.parametrize("revision", RELEASED)


def made_of(database: Database, revision: str, rows: Rows) -> None:
    """Make the database one of a released schema, with these rows."""
    downgrade(database, "base")
    upgrade(database, revision)
    assert set(rows) == set(inspect(database.engine).get_table_names()) - {"alembic_version"}
    with database.write() as session:
        for table, contents in rows.items():
            columns = ", ".join(f'"{column}"' for column in contents[0])
            values = ", ".join(f":{column}" for column in contents[0])
            session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), contents)


@of_every_released_schema
def test_a_database_of_a_released_schema_is_upgraded_and_read_as_it_was_written(
    database: Database, revision: str
) -> None:
    made_of(database, revision, RELEASED[revision])
    upgrade(database)
    require_current(database)

    tables = Base.metadata.tables
    with database.read() as session:
        counts = {name: session.scalar(select(func.count()).select_from(tables[name])) for name in RELEASED[revision]}
        assert counts == {name: len(rows) for name, rows in RELEASED[revision].items()}
        event = session.get_one(Event, 1)
        assert (event.identity, event.order_key, event.has_message_id) == (b"\1" * 16, -(2**63) + 1, True)
        attributes = session.scalars(select(CustomerAttribute).order_by(CustomerAttribute.name)).all()
        assert [(row.kind, row.number, row.text) for row in attributes] == [
            ("number", 41.5, None),
            ("category", None, "Łódź"),
        ]
        assert session.scalars(select(Category.levels)).one() == '{"group": "shoes"}'
        assert session.scalars(select(Channel.name)).one() == "web"
        rejected = session.scalars(select(RejectedRow)).one()
        assert (rejected.line, rejected.column, rejected.value) == (2**40, "value", "ten")
        training = session.get_one(TrainingRun, 1)
        assert (training.settings, training.story, training.finished_at) == ({"one": 1}, {"one": 1}, INSTANT)
        run = require_published_run(session)
        assert (run.as_of, run.aggregates, run.memberships_recorded) == (INSTANT, {"one": 1}, True)
        assert policies.current_policy(session) == (1, {"one": 1})
        assert policies.read_cutoffs(session, model_version=2, policy_version=1) == {"one": 1}
        assert registry.find_version(session).bundle == "bundle-2"
        assert [(stay.segment, stay.entered_at, stay.left_at) for stay in history(session, 1)] == [
            ("at_risk", INSTANT, None)
        ]

    log = read_log(database, LocalCalendar("UTC"))
    assert (log.customer_ids, log.value.tolist()) == (("ada", "Łucja"), [25.0, -12.5])
    rows = list(iterate_segment(database, "at_risk"))
    assert [(row.customer_id, row.score.value_at_risk, row.score.T) for row in rows] == [
        ("Łucja", 20.0, 272),
        ("ada", 19.0, 272),
    ]


@of_every_released_schema
def test_a_database_of_a_released_schema_is_gone_on_with_after_its_upgrade(database: Database, revision: str) -> None:
    made_of(database, revision, RELEASED[revision])
    upgrade(database)
    with database.write() as session:
        assert registry.rollback(session, now=INSTANT).version == 1
        assert runs.queue_scoring(session, now=INSTANT).id == 2
        run = runs.claim(session, ScoringRun, now=INSTANT)
        assert run is not None
        assert run.id == 2
        assert policies.add_policy(session, {"two": 2}, now=INSTANT) == 2


def test_a_database_of_a_newer_regulars_is_refused_and_left_as_it_is(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (require_current, upgrade):
        with pytest.raises(SchemaError, match=r"is at version 9999, made by a newer Regulars.*Install the newer one"):
            use(database)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
