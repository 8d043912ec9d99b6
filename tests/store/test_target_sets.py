"""Sets of targets as versions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from features.targets import DEFAULT_TARGETS, TargetSet
from store.engine import Database
from store.tables import TargetSetVersion
from store.target_sets import add_target_set, current_target_set, ensure_target_set, read_target_set
from tests.store.builders import NOW

DEFAULT = DEFAULT_TARGETS.to_dict()
CONTRACTUAL = {
    "target": [
        {
            "name": "churn",
            "kind": "event",
            "event": "Kündigung “sofort”",
            "where": [{"property": "plan", "one_of": ["basic", 1.5, True]}],
        }
    ]
}


def test_before_any_set_there_is_none(database: Database) -> None:
    with database.read() as session:
        assert current_target_set(session) is None


def test_the_same_set_again_keeps_its_version_and_another_is_in_force_from_then_on(database: Database) -> None:
    versions = []
    for days, targets in enumerate((DEFAULT, {"target": DEFAULT["target"]}, CONTRACTUAL, DEFAULT)):
        with database.write() as session:
            versions.append(add_target_set(session, targets, now=NOW + timedelta(days=days)))
    assert versions == [1, 1, 2, 3]
    with database.read() as session:
        assert current_target_set(session) == (3, DEFAULT)
        stored = session.scalars(select(TargetSetVersion).order_by(TargetSetVersion.version)).all()
        assert [row.created_at - NOW for row in stored] == [timedelta(days=days) for days in (0, 2, 3)]


def test_the_order_of_targets_is_part_of_a_set(database: Database) -> None:
    with database.write() as session:
        assert add_target_set(session, DEFAULT, now=NOW) == 1
        assert add_target_set(session, {"target": DEFAULT["target"][::-1]}, now=NOW) == 2


def test_a_condition_on_1_is_another_than_one_on_true(database: Database) -> None:
    for version, wanted in enumerate((1, True), start=1):
        condition = {"property": "renewed", "is": wanted}
        targets = {"target": [{"name": "renewal", "kind": "event", "event": "Bill Paid", "where": [condition]}]}
        with database.write() as session:
            assert add_target_set(session, targets, now=NOW) == version


def test_the_default_is_put_in_force_only_where_there_is_no_set(database: Database) -> None:
    for default in (CONTRACTUAL, DEFAULT):
        with database.write() as session:
            assert ensure_target_set(session, default, now=NOW) == (1, CONTRACTUAL)


@pytest.mark.parametrize("targets", [DEFAULT, CONTRACTUAL], ids=["default", "contractual"])
def test_a_set_is_read_as_it_was_written(database: Database, targets: dict[str, object]) -> None:
    with database.write() as session:
        version = add_target_set(session, targets, now=NOW)
    with database.read() as session:
        assert TargetSet.from_dict(read_target_set(session, version)) == TargetSet.from_dict(targets)
