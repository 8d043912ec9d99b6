"""A new champion is taken up without a restart, no answer mixes two versions, a damaged bundle changes nothing."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.bundle import load_bundle
from models.bundle_folder import BundleError
from service.app import create_app
from service.bundle_cache import BundleCache, ServedModel
from service.exceptions import ModelUnavailableError
from service.scorer import warm_up
from store import registry
from store.engine import Database
from tests.service.conftest import Bundles, Shop, TestClient
from tests.service.shop import NOW, ODD_IDS, Registered, register, settings_for

IDS = [f"c{number:03}" for number in range(40)]


def _damage(folder: Path) -> None:
    file = folder / "btyd.json"
    file.write_text(file.read_text().replace("0.", "1.", 1))


def _scores(shop: Shop) -> dict[str, Any]:
    response = shop.client.post("/v1/scores", json={"customer_ids": IDS})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_new_champion_scores_the_next_request_while_lists_stay_with_their_run(
    own_shop: Shop, bundles: Bundles
) -> None:
    before = own_shop.get("/v1/score", customer_id=ODD_IDS[0])
    assert register(own_shop.database, bundles.second) == 2
    after = own_shop.get("/v1/score", customer_id=ODD_IDS[0])
    assert (before["model_version"], after["model_version"]) == (1, 2)
    assert before["raw_margin"] != after["raw_margin"]
    assert own_shop.get("/v1/at-risk")["model_version"] == 1
    assert own_shop.get("/readyz") == {"status": "ready", "model_version": 2, "warning": None}
    with own_shop.database.write() as session:
        registry.rollback(session, now=NOW)
    assert own_shop.get("/v1/score", customer_id=ODD_IDS[0]) == before


def test_no_answer_mixes_two_versions_while_the_champion_changes_under_load(own_shop: Shop, bundles: Bundles) -> None:
    expected = {1: _scores(own_shop)}
    register(own_shop.database, bundles.second)
    expected[2] = _scores(own_shop)
    assert expected[1]["scores"] != expected[2]["scores"]
    answers: list[dict[str, Any]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(_scores(own_shop))

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for swap in range(6):
            with own_shop.database.write() as session:
                registry.promote(session, 1 + swap % 2, force=True, now=NOW)
            _scores(own_shop)
        stop.set()
    for asked in asking:
        asked.result()
    assert {answer["model_version"] for answer in answers} == {1, 2}
    for answer in answers:
        assert answer == expected[answer["model_version"]]


def test_a_damaged_champion_leaves_the_old_one_serving_until_it_is_whole_again(
    own_shop: Shop, bundles: Bundles
) -> None:
    before = own_shop.get("/v1/customers/c000/score")
    folder = own_shop.settings.bundle_dir / bundles.second.folder
    _damage(folder)
    register(own_shop.database, bundles.second)
    assert own_shop.get("/v1/customers/c000/score") == before
    ready = own_shop.get("/readyz")
    assert ready["model_version"] == 1
    assert "Version 2 is champion, but can't be served" in ready["warning"]
    assert "btyd.json was changed after training" in ready["warning"]
    shutil.rmtree(folder)
    shutil.copytree(bundles.directory / bundles.second.folder, folder)
    assert own_shop.get("/v1/customers/c000/score") == before
    assert own_shop.get("/readyz") == {"status": "ready", "model_version": 2, "warning": None}
    assert own_shop.get("/v1/customers/c000/score")["model_version"] == 2


def test_a_rollback_from_a_damaged_champion_ends_the_warning(own_shop: Shop, bundles: Bundles) -> None:
    own_shop.get("/readyz")
    _damage(own_shop.settings.bundle_dir / bundles.second.folder)
    register(own_shop.database, bundles.second)
    assert own_shop.get("/readyz")["warning"] is not None
    with own_shop.database.write() as session:
        registry.rollback(session, now=NOW)
    assert own_shop.get("/readyz") == {"status": "ready", "model_version": 1, "warning": None}


def test_a_damaged_bundle_with_nothing_before_it_is_a_503_that_says_why(
    database_url: str, bundles: Bundles, tmp_path: Path, serve: Callable[..., Shop]
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(bundles.directory / bundles.first.folder, folder / bundles.first.folder)
    _damage(folder / bundles.first.folder)
    shop = serve(database_url, folder)
    register(shop.database, bundles.first)
    response = shop.client.get("/readyz")
    assert response.status_code == 503
    assert "was changed after training. Train again." in response.json()["detail"]
    shutil.rmtree(folder)
    shutil.copytree(bundles.directory, folder)
    assert shop.get("/readyz")["model_version"] == 1


def test_a_bundle_that_was_not_registered_so_is_refused(bundles: Bundles) -> None:
    with pytest.raises(BundleError, match="not the one that was registered"):
        load_bundle(bundles.directory / bundles.first.folder, expected_hash=bundles.second.bundle_hash)


def test_many_requests_for_a_new_champion_load_it_once(database: Database, bundles: Bundles) -> None:
    register(database, bundles.first)
    warmed: list[int] = []

    def slowly(model: ServedModel) -> None:
        warmed.append(model.version)
        warm_up(model)

    cache = BundleCache(bundles.directory, warm_up=slowly)

    def ask(_: int) -> ServedModel:
        with database.read() as session:
            return cache.current(session)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert warmed == [1]
    assert len({id(model) for model in found}) == 1


def test_a_process_loads_and_warms_the_champion_when_it_is_started_and_not_before(
    database_url: str, database: Database, bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(database, bundles.first)
    warmed: list[int] = []
    monkeypatch.setattr("service.app.warm_up", lambda model: warmed.append(model.version))
    # As a server does that forks after it: threads of a booster that was loaded don't survive that.
    app = create_app(settings_for(database_url, bundles.directory), now=lambda: NOW, log_to=io.StringIO())
    assert warmed == []
    with TestClient(app, "http://localhost") as client:
        # Nobody has asked yet: of several processes any may say for all that they are ready.
        assert warmed == [1]
        assert client.get("/readyz").json()["model_version"] == 1
        client.get("/v1/customers/c000/score")
    assert warmed == [1]


def test_without_a_champion_there_is_nothing_to_serve(database: Database, bundles: Bundles) -> None:
    cache = BundleCache(bundles.directory, warm_up=warm_up)
    with database.read() as session, pytest.raises(ModelUnavailableError, match="Run: regulars train"):
        cache.current(session)


def test_a_refused_champion_is_not_tried_again_by_every_request(database: Database, bundles: Bundles) -> None:
    register(database, bundles.first)
    cache = BundleCache(bundles.directory, warm_up=warm_up)
    with database.read() as session:
        cache.current(session)
    gone = Registered("gone", "0" * 64, bundles.second.report, bundles.second.test_metrics)
    register(database, gone)
    with database.read() as session:
        assert [cache.current(session).version for _ in range(3)] == [1, 1, 1]
        warning = str(cache.warning(session))
    assert "has no readable manifest: No such file or directory. Train again." in warning
    assert str(bundles.directory) not in warning


def test_a_refused_champion_is_tried_again_after_some_seconds_without_being_asked(
    database: Database, bundles: Bundles
) -> None:
    register(database, bundles.first)
    seconds = [0.0]
    cache = BundleCache(bundles.directory, warm_up=warm_up, clock=lambda: seconds[0])
    with database.read() as session:
        cache.current(session)
    folder = bundles.directory / bundles.second.folder
    away = folder.with_name("away")
    folder.rename(away)
    try:
        register(database, bundles.second)
        with database.read() as session:
            assert cache.current(session).version == 1
    finally:
        away.rename(folder)
    with database.read() as session:
        for at, version in ((9.9, 1), (10.0, 2)):
            seconds[0] = at
            assert cache.current(session).version == version
        assert cache.warning(session) is None


def test_a_process_that_begins_beside_a_damaged_champion_serves_the_one_before_and_says_so(
    own_shop: Shop, bundles: Bundles, serve: Callable[..., Shop]
) -> None:
    before = own_shop.get("/v1/customers/c000/score")
    folder = own_shop.settings.bundle_dir / bundles.second.folder
    _damage(folder)
    register(own_shop.database, bundles.second)
    begun = serve(own_shop.settings.database_url, own_shop.settings.bundle_dir)
    # Asked before anybody asked for a score.
    ready = begun.get("/readyz")
    assert ready["model_version"] == 1
    assert "Version 2 is champion, but can't be served" in ready["warning"]
    assert begun.get("/v1/customers/c000/score") == before
    shutil.rmtree(folder)
    shutil.copytree(bundles.directory / bundles.second.folder, folder)
    assert begun.get("/readyz") == {"status": "ready", "model_version": 2, "warning": None}
