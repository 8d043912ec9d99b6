"""The same events, settings and seed give the same bundle, byte for byte, wherever they come from."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from sqlalchemy import text

from models.bundle import save_bundle
from models.segment_policy import SegmentPolicy
from store.engine import Database
from store.events import read_log
from tests.shop import CHURN_TARGET, NOW, REQUEST, fill, shop_log, shop_rows, shop_settings, shop_training
from training.fit import LOGIT_RFM
from training.fit_bundle import fit_bundle
from training.fit_target import ChampionSettings
from training.train import train


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("first")
    name, _ = save_bundle(shop_training().bundle, directory)
    return _bytes(directory / name)


def test_the_same_log_twice_gives_the_same_bundle(first: dict[str, bytes], tmp_path: Path) -> None:
    again = fit_bundle(
        shop_log(),
        shop_settings("sqlite:///unused.db", tmp_path),
        REQUEST,
        today=NOW,
        policy=SegmentPolicy(),
        champion=None,
    )
    name, bundle_hash = save_bundle(again.bundle, tmp_path)
    assert _bytes(tmp_path / name) == first
    assert bundle_hash == hashlib.sha256(first["manifest.json"]).hexdigest()


def test_shuffled_ingestion_into_either_database_gives_the_same_bundle(
    database: Database, database_url: str, tmp_path: Path, first: dict[str, bytes]
) -> None:
    shuffled = list(shop_rows())
    random.Random(7).shuffle(shuffled)
    fill(database, tmp_path, shuffled)
    settings = shop_settings(database_url, tmp_path)
    train(database, settings, REQUEST, now=lambda: NOW)
    (folder,) = settings.bundle_dir.iterdir()
    assert _bytes(folder) == first


def test_a_shuffled_log_really_was_stored_in_another_order(database: Database, tmp_path: Path) -> None:
    shuffled = list(shop_rows())
    random.Random(7).shuffle(shuffled)
    fill(database, tmp_path, shuffled)
    with database.read() as session:
        stored = [row[0] for row in session.execute(text("SELECT customer_id FROM customer ORDER BY id"))]
    assert stored != sorted(stored)
    assert read_log(database, shop_log().calendar).value.tobytes() == shop_log().value.tobytes()


def test_another_seed_gives_another_bundle(first: dict[str, bytes], tmp_path: Path) -> None:
    request = REQUEST.model_copy(update={"seed": 1})
    settings = shop_settings("sqlite:///unused.db", tmp_path)
    name, _ = save_bundle(fit_bundle(shop_log(), settings, request, today=NOW, policy=SegmentPolicy()).bundle, tmp_path)
    other = _bytes(tmp_path / name)
    assert other["churn.classifier.txt"] != first["churn.classifier.txt"]
    assert other["btyd.json"] == first["btyd.json"]


def test_a_champion_that_is_evaluated_beside_it_leaves_the_bundle_as_it_is(
    first: dict[str, bytes], tmp_path: Path
) -> None:
    training = fit_bundle(
        shop_log(),
        shop_settings("sqlite:///unused.db", tmp_path),
        REQUEST,
        today=NOW,
        policy=SegmentPolicy(),
        champion=ChampionSettings(3, CHURN_TARGET, LOGIT_RFM),
    )
    name, _ = save_bundle(training.bundle, tmp_path)
    assert _bytes(tmp_path / name) == first
    baseline = training.bundle.report["targets"]["churn"]["baselines"]["logit_rfm"]
    assert training.test_metrics["champion"] == {"version": 3, **baseline}
