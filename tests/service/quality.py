"""Runs of a shop that is served whose horizon has passed, compared by the real job."""

from __future__ import annotations

from datetime import timedelta

from store.engine import Database
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
    compare_due(database, settings, now=NOW)
    return run.id
