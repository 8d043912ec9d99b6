"""The small shop of the service's tests, with models and a published run, in a database of one's own."""

from __future__ import annotations

from pathlib import Path

from store.engine import Database
from store.settings import Settings
from tests.reliability.server_process import settings_in
from tests.service.shop import fill, publish, register, train

__all__ = ["store_shop"]


def store_shop(database_url: str, folder: Path, *, models: int = 1) -> Settings:
    """Fill an empty database: model 1 gave the published scores, the last one is champion; bundles in the folder."""
    settings = settings_in(folder, database_url)
    settings.bundle_dir.mkdir()
    database = Database(database_url)
    fill(database)
    first, *others = [train(database, settings.bundle_dir, seed=seed) for seed in range(1, models + 1)]
    publish(database, settings, first)
    for other in others:
        register(database, other)
    database.close()
    return settings
