"""The migrations: up and down on both engines, and equal to the tables that the code declares."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, text

from store.engine import Database
from store.exceptions import SchemaError
from store.schema import downgrade, require_current, upgrade
from store.tables import Base, SegmentMembership
from tests.store.builders import NOW, Scored, add_customers, publish_run


def test_the_migrations_make_exactly_the_declared_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_go_down_to_nothing_and_up_again(database: Database) -> None:
    downgrade(database, "base")
    assert set(inspect(database.engine).get_table_names()) == {"alembic_version"}
    with pytest.raises(SchemaError, match=r"has no tables of Regulars yet\. Run: regulars db upgrade"):
        require_current(database)
    upgrade(database)
    require_current(database)
    assert set(Base.metadata.tables) <= set(inspect(database.engine).get_table_names())


def test_going_down_keeps_the_last_of_several_stays_by_one_run(database: Database) -> None:
    add_customers(database, ["ada"])
    run_id = publish_run(database, {1: Scored("new")})
    stay = {"customer_key": 1, "segment": "new", "entered_at": NOW, "entered_run_id": run_id}
    with database.write() as session:
        session.execute(insert(SegmentMembership), [{**stay, "left_at": NOW}, {**stay, "left_at": None}])
    downgrade(database, "0004")
    with database.read() as session:
        assert session.execute(text("SELECT id, left_at FROM segment_membership")).all() == [(2, None)]


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    before = sorted(inspect(database.engine).get_table_names())
    upgrade(database)
    assert sorted(inspect(database.engine).get_table_names()) == before
