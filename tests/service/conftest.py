"""Fixtures of the service's tests: a shop on either engine, open for reading or to be changed."""

from __future__ import annotations

import io
import itertools
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, _EffectiveRouteContext

from service.app import create_app
from store.engine import Database
from store.settings import Settings
from tests.clones import Clones
from tests.service.label_shop import fill_with_attributes, train_on_labels
from tests.service.shop import NOW, Registered, fill, open_shop, publish, settings_for, train

with warnings.catch_warnings():
    # It asks for another client library than the one that this project uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

__all__ = ["Bundles", "Shop", "TestClient"]

_numbers = itertools.count()


@dataclass(frozen=True)
class Bundles:
    """A folder with two bundles that give different scores."""

    directory: Path
    first: Registered
    second: Registered


@dataclass(frozen=True)
class Shop:
    """A shop that is served: its database, its settings, a client, and what the service has logged."""

    database: Database
    settings: Settings
    client: TestClient
    log: io.StringIO

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of an answer that must be fine."""
        response = self.client.get(path, params=params or None)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="session", autouse=True)
def _routes_that_are_built_once() -> Iterator[None]:
    """FastAPI builds the routes of each app anew, at its first request, which takes longer than most tests do."""
    build = _EffectiveRouteContext.from_api_route
    built: dict[int, _EffectiveRouteContext] = {}  # each keeps its route, so that no other can come by its id

    def build_once(*, original_route: APIRoute, include_context: Any) -> _EffectiveRouteContext:
        if id(original_route) not in built:
            built[id(original_route)] = build(original_route=original_route, include_context=include_context)
        return built[id(original_route)]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_EffectiveRouteContext, "from_api_route", build_once)
        yield


@pytest.fixture(scope="session")
def bundles(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("bundles")
    path = folder / "events.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    fill(database)
    first, second = (train(database, folder, seed=seed) for seed in (1, 2))
    database.close()
    return Bundles(folder, first, second)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shops(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundles: Bundles
) -> Callable[[], str]:
    """Makes URLs of filled shops on each engine in turn, by copying one that is filled once."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("shops")
        filled = folder / "filled.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), filled)
        _fill(f"sqlite:///{filled}", bundles)

        def copy() -> str:
            path = folder / f"shop_{next(_numbers)}.db"
            shutil.copy(filled, path)
            return f"sqlite:///{path}"

        return copy

    clones: Clones = request.getfixturevalue("postgresql_clones")
    filled_url = clones.next()
    _fill(filled_url, bundles)
    return lambda: clones.of(filled_url)


@pytest.fixture(scope="session")
def shop(shops: Callable[[], str], bundles: Bundles) -> Iterator[Shop]:
    """A shop on each engine in turn that no test may change."""
    with _Serving(settings_for(shops(), bundles.directory)) as found:
        yield found


@pytest.fixture
def own_shop(shops: Callable[[], str], bundles: Bundles, tmp_path: Path) -> Iterator[Shop]:
    """A shop on each engine in turn that the test may change, with a bundle folder of its own."""
    folder = tmp_path / "bundles"
    shutil.copytree(bundles.directory, folder)
    with _Serving(settings_for(shops(), folder)) as found:
        yield found


@pytest.fixture(scope="session")
def label_shop_settings(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a business without purchases, whose model says who leaves and who visits."""
    return _label_shop(sqlite_template, tmp_path_factory.mktemp("labels"), ("churn", "visit"))


@pytest.fixture(scope="session")
def label_shop(label_shop_settings: Settings) -> Iterator[Shop]:
    """A business without purchases that no test may change; that lists are alike on both engines the store sees to."""
    with _Serving(label_shop_settings) as found:
        yield found


@pytest.fixture(scope="session")
def visit_shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A business without purchases whose model says nothing of leaving."""
    with _Serving(_label_shop(sqlite_template, tmp_path_factory.mktemp("visits"), ("visit",))) as found:
        yield found


@pytest.fixture
def serve() -> Iterator[Callable[..., Shop]]:
    """Serve whatever a database holds: `serve(url, bundle_dir)`."""
    with ExitStack() as stack:

        def start(url: str, bundle_dir: Path, **settings: Any) -> Shop:
            return stack.enter_context(_Serving(settings_for(url, bundle_dir, **settings)))

        yield start


def _label_shop(template: Path, folder: Path, targets: tuple[str, ...]) -> Settings:
    path = folder / "shop.db"
    shutil.copy(template, path)
    settings = settings_for(f"sqlite:///{path}", folder)
    database = Database(settings.database_url)
    fill_with_attributes(database)
    publish(database, settings, train_on_labels(database, folder, names=targets))
    database.close()
    return settings


def _fill(url: str, bundles: Bundles) -> None:
    database = Database(url)
    open_shop(database, settings_for(url, bundles.directory), bundles.first)
    database.close()


class _Serving:
    """A shop while it is served."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = ExitStack()

    def __enter__(self) -> Shop:
        log = io.StringIO()
        app = create_app(self._settings, now=lambda: NOW, log_to=log)
        client = self._stack.enter_context(TestClient(app, "http://localhost", raise_server_exceptions=False))
        database = Database(self._settings.database_url)
        self._stack.callback(database.close)
        return Shop(database, self._settings, client, log)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
