"""Runs of a shop that is served whose horizon has passed, compared by the real job."""

from __future__ import annotations

from datetime import timedelta

from store.engine import Database
from store.quality import drift_of, write_drift
from store.settings import Settings
from tests.service.shop import AS_OF, HORIZON_DAYS, NOW
from training.score_all import score_all
from training.stored_quality import compare_due

__all__ = ["THEN", "compare_shop"]

# So long before the instant of the shop that what is stored reaches the end of the horizon.
THEN = AS_OF - timedelta(days=HORIZON_DAYS)


def compare_shop(database: Database, settings: Settings) -> int:
    """Score the shop as of then and as of its instant again, compare what has passed, and return the compared run."""
    run = score_all(database, settings, now=lambda: NOW, as_of=THEN)
    score_all(database, settings, now=lambda: NOW)
    with database.write() as session:
        # As if its model had been trained then: else it is in hindsight.
        drift = {
            target: None if report is None else {**report, "trained_as_of": THEN.date().isoformat()}
            for target, report in drift_of(session, [run.id])[run.id].items()
        }
        write_drift(session, run.id, drift)
    compare_due(database, settings, now=NOW)
    return run.id
