"""The small shop in a database of either engine, at some stage: made once a process, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import make_url

from store.engine import Database
from store.settings import Settings
from tests.clones import Clones
from tests.shop import NOW, REQUEST, fill, shop_rows, shop_settings
from training.score_all import score_all
from training.train import train

__all__ = ["Clock", "Shop", "ShopDatabases", "Stage", "shop_databases"]

Engine = Literal["sqlite", "postgresql"]
Stage = Literal["untrained", "trained", "scored"]

_BEFORE: dict[Stage, Stage | None] = {"untrained": None, "trained": "untrained", "scored": "trained"}


class Clock:
    """A clock that goes a second further at each look."""

    def __init__(self, start: datetime = NOW) -> None:
        self.time = start

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


@dataclass(frozen=True)
class Shop:
    """A database that holds the shop, the settings of its deployment, and a clock."""

    database: Database
    settings: Settings
    clock: Clock


class ShopDatabases:
    """Makes copies of the shop.

    Parameters
    ----------
    folder : Path
        For the templates.
    request : FixtureRequest
        Gives the migrated, empty databases of `tests/conftest.py`, of an engine that is asked for only.
    """

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._folder = folder
        self._request = request
        self._made: dict[tuple[Engine, Stage], Settings] = {}

    @contextmanager
    def copy(self, engine: Engine, stage: Stage, folder: Path) -> Iterator[Shop]:
        """Open a copy, with bundles of its own below the folder, for the body."""
        template = self._template(engine, stage)
        url = self._clone(engine, template.database_url, folder)
        if template.bundle_dir.exists():
            shutil.copytree(template.bundle_dir, folder / "bundles")
        database = Database(url)
        try:
            yield Shop(database, shop_settings(url, folder), Clock(NOW + timedelta(hours=1)))
        finally:
            database.close()
            if engine == "postgresql":
                self._clones.drop(url)

    def _template(self, engine: Engine, stage: Stage) -> Settings:
        if (engine, stage) not in self._made:
            before = _BEFORE[stage]
            folder = self._folder / f"{engine}-{stage}"
            folder.mkdir()
            if before is None:
                empty = self._request.getfixturevalue(f"{engine}_template")
                url = self._clone(engine, str(empty) if engine == "postgresql" else f"sqlite:///{empty}", folder)
            else:
                earlier = self._template(engine, before)
                url = self._clone(engine, earlier.database_url, folder)
                if earlier.bundle_dir.exists():
                    shutil.copytree(earlier.bundle_dir, folder / "bundles")
            settings = shop_settings(url, folder)
            database = Database(url)
            _ADVANCE[stage](database, settings)
            database.close()
            self._made[engine, stage] = settings
        return self._made[engine, stage]

    def _clone(self, engine: Engine, url: str, folder: Path) -> str:
        if engine == "sqlite":
            path = folder / "regulars.db"
            shutil.copy(make_url(url).database or "", path)
            return f"sqlite:///{path}"
        return self._clones.of(url)

    @property
    def _clones(self) -> Clones:
        clones: Clones = self._request.getfixturevalue("postgresql_clones")
        return clones


def _fill(database: Database, settings: Settings) -> None:
    fill(database, settings.bundle_dir.parent, shop_rows())


def _train(database: Database, settings: Settings) -> None:
    train(database, settings, REQUEST, now=Clock())


def _score(database: Database, settings: Settings) -> None:
    score_all(database, settings, now=Clock(NOW + timedelta(minutes=1)))


_ADVANCE: dict[Stage, Callable[[Database, Settings], None]] = {"untrained": _fill, "trained": _train, "scored": _score}


@pytest.fixture(scope="session")
def shop_databases(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> ShopDatabases:
    return ShopDatabases(tmp_path_factory.mktemp("shops"), request)
