"""The registry over HTTP, and runs that are queued and followed."""

from __future__ import annotations

from datetime import UTC, datetime

from store.tables import ScoringRun, TrainingRun
from tests.service.conftest import Bundles, Shop
from tests.service.shop import register
from training.worker import run_next


def test_models_are_listed_the_newest_first_with_their_aliases(own_shop: Shop, bundles: Bundles) -> None:
    register(own_shop.database, bundles.second)
    models = own_shop.get("/v1/models")["models"]
    assert [(model["version"], model["aliases"]) for model in models] == [(2, ["champion"]), (1, [])]
    assert models[0]["bundle_hash"] == bundles.second.bundle_hash
    assert models[0]["test_metrics"]["target"]["auc"] > 0.5


def test_a_model_is_told_with_its_report_by_number_and_by_alias(shop: Shop, bundles: Bundles) -> None:
    model = shop.get("/v1/models/1")
    assert model["report"] == bundles.first.report
    assert model == shop.get("/v1/models/champion") == shop.get("/v1/models/newest")


def test_a_training_run_is_queued_as_asked_and_can_be_followed(own_shop: Shop) -> None:
    response = own_shop.client.post("/v1/training-runs", json={"horizon_days": 60, "as_of": "2023-06-01"})
    assert response.status_code == 202
    queued = response.json()
    assert response.headers["location"] == f"/v1/training-runs/{queued['id']}"
    assert (queued["status"], queued["requested_at"]) == ("queued", "2024-01-01T09:30:00Z")
    assert queued["settings"]["horizon_days"] == 60
    assert queued["settings"]["as_of"] == "2023-06-01"
    assert queued["settings"]["trials"] == 25
    assert own_shop.get(response.headers["location"]) == queued
    with own_shop.database.write() as session:
        run = session.get_one(TrainingRun, queued["id"])
        run.status, run.error, run.finished_at = "failed", "Too few customers.", datetime(2024, 1, 2, tzinfo=UTC)
    followed = own_shop.get(response.headers["location"])
    assert (followed["status"], followed["error"]) == ("failed", "Too few customers.")


def test_a_scoring_run_is_queued_executed_by_a_worker_and_shown(own_shop: Shop) -> None:
    response = own_shop.client.post("/v1/scoring-runs", json={"as_of": "2023-12-01T00:00:00+01:00"})
    assert response.status_code == 202
    location = response.headers["location"]
    assert response.json()["as_of"] == "2023-11-30T23:00:00Z"
    future = own_shop.client.post("/v1/scoring-runs", json={"as_of": "2099-12-01T00:00:00Z"})
    assert (future.status_code, future.json()["code"]) == (422, "future-scores")
    again = own_shop.client.post("/v1/scoring-runs", json={"as_of": "2023-11-30T23:00:00Z"})
    assert again.headers["location"] == location
    assert run_next(own_shop.database, own_shop.settings, now=lambda: datetime(2024, 1, 1, 10, tzinfo=UTC))
    done = own_shop.get(location)
    assert (done["status"], done["n_customers"], done["model_version"]) == ("completed", 400, 1)
    assert own_shop.get("/v1/segments")["as_of"] == "2023-11-30T23:00:00Z"


def test_a_scoring_run_without_as_of_leaves_the_instant_to_the_setting(own_shop: Shop) -> None:
    response = own_shop.client.post("/v1/scoring-runs", json={})
    with own_shop.database.read() as session:
        assert session.get_one(ScoringRun, response.json()["id"]).as_of is None
