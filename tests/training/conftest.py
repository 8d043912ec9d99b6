"""Fixtures of the jobs' tests: the shop in a database of each engine in turn, untrained or trained; a receiver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.receivers import Receiver, receiver
from tests.shop_databases import Shop, ShopDatabases, shop_databases
from tests.training.delivering import Clock

__all__ = ["shop_databases"]

Engine = Literal["sqlite", "postgresql"]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


@pytest.fixture
def untrained(engine_name: Engine, shop_databases: ShopDatabases, tmp_path: Path) -> Iterator[Shop]:
    """The shop with its events only."""
    with shop_databases.copy(engine_name, "untrained", tmp_path) as shop:
        yield shop


@pytest.fixture
def trained(engine_name: Engine, shop_databases: ShopDatabases, tmp_path: Path) -> Iterator[Shop]:
    """The shop with a champion, and a scoring run queued."""
    with shop_databases.copy(engine_name, "trained", tmp_path) as shop:
        yield shop


@pytest.fixture
def there() -> Iterator[Receiver]:
    """Whoever webhooks are sent to."""
    with receiver() as it:
        yield it


@pytest.fixture
def clock() -> Clock:
    return Clock()
