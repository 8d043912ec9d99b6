"""Reports of drivers, written with a run and read by target and segment."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from store import drivers
from store.engine import Database
from tests.store.builders import queue_run


def report(size: float) -> dict[str, Any]:
    return {"customers": 3, "mean_contribution": -0.0, "features": [{"feature": "Łódź", "mean_size": size}]}


def test_reports_are_read_by_target_and_segment_as_they_were_written(database: Database) -> None:
    run_id = queue_run(database)
    found = {"churn": {"all": report(0.1 + 0.2), "at_risk": report(1e-300)}, "Upsell": {"all": report(2.0)}}
    with database.write() as session:
        for target, reports in found.items():
            drivers.write(session, run_id, target, reports)
    with database.read() as session:
        assert drivers.read(session, run_id, "churn", "all") == found["churn"]["all"]
        assert drivers.read(session, run_id, "churn", "at_risk") == found["churn"]["at_risk"]
        assert drivers.read(session, run_id, "churn", "steady") is None
        assert drivers.read(session, run_id + 1, "churn", "all") is None
        assert list(drivers.reported(session, run_id).items()) == [("Upsell", ("all",)), ("churn", ("all", "at_risk"))]
        assert drivers.reported(session, run_id + 1) == {}


def test_a_second_attempt_replaces_what_the_first_wrote_and_nothing_of_other_runs_and_targets(
    database: Database,
) -> None:
    other, run_id = queue_run(database), queue_run(database)
    with database.write() as session:
        for run in (other, run_id):
            for target in ("churn", "upsell"):
                drivers.write(session, run, target, {"all": report(1.0), "new": report(1.5)})
    with database.write() as session:
        drivers.write(session, run_id, "churn", {"all": report(2.0)})
    with database.read() as session:
        assert drivers.reported(session, run_id) == {"churn": ("all",), "upsell": ("all", "new")}
        assert drivers.read(session, run_id, "churn", "all") == report(2.0)
        assert drivers.read(session, other, "churn", "all") == report(1.0)


def test_what_an_interrupted_attempt_left_can_be_cleared_away(database: Database) -> None:
    other, run_id = queue_run(database), queue_run(database)
    with database.write() as session:
        for run in (other, run_id):
            drivers.write(session, run, "upsell", {"all": report(1.0)})
        drivers.clear(session, run_id)
        drivers.write(session, run_id, "churn", {})
    with database.read() as session:
        assert drivers.reported(session, run_id) == {}
        assert drivers.reported(session, other) == {"upsell": ("all",)}


def test_a_report_belongs_to_a_run(database: Database) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), database.write() as session:
        drivers.write(session, 77, "churn", {"all": report(1.0)})
