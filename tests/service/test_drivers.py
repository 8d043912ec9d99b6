"""Drivers over HTTP: the reports stored with the published run, in words, and what is said where there are none."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sqlalchemy import select

from models.segments import SEGMENTS
from store import drivers
from store.tables import Score
from tests.service.conftest import Shop
from tests.service.drivers import FEATURES, PLANS, driver_reports, write_drivers


@pytest.mark.parametrize("target", ["churn", "reorder"])
def test_every_report_is_told_as_the_scoring_run_stored_it(shop: Shop, target: str) -> None:
    for segment in ("all", *SEGMENTS):
        answer = shop.get("/v1/drivers", model=target, segment=segment)
        with shop.database.read() as session:
            stored = drivers.read(session, 1, target, segment)
        assert stored is not None
        assert (answer["target"], answer["targets"]) == (target, ["churn", "reorder"])
        assert (answer["segment"], answer["segments"]) == (segment, ["all", *SEGMENTS])
        assert (answer["scoring_run_id"], answer["as_of"], answer["currency"]) == (1, "2024-01-01T00:00:00Z", "USD")
        for name in ("customers", "mean_contribution", "drivers", "unused"):
            assert answer[name] == stored[name]
        for told, row in zip(answer["features"], stored["features"], strict=True):
            assert {name: told[name] for name in row} == row


def test_the_groups_of_a_segment_add_up_to_what_sets_its_scores_apart_from_the_base_value(shop: Shop) -> None:
    with shop.database.read() as session:
        scores = session.scalars(select(Score).where(Score.scoring_run_id == 1, Score.raw_margin.is_not(None))).all()
    for segment in ("all", "at_risk", "steady"):
        apart = [
            score.raw_margin - score.base_value  # type: ignore[operator]
            for score in scores
            if segment == "all" or segment in score.segments.split()
        ]
        answer = shop.get("/v1/drivers", segment=segment)
        assert answer["customers"] == len(apart) > 10
        of_groups = math.fsum(row["mean_contribution"] for row in answer["drivers"])
        assert of_groups == pytest.approx(math.fsum(apart) / len(apart), abs=1e-9)


@pytest.mark.parametrize(
    ("params", "status", "kind", "detail"),
    [
        (
            {"model": "visit"},
            404,
            "unknown-target",
            "There is no model of the target 'visit'. Targets: churn, reorder.",
        ),
        ({"segment": "vip"}, 404, "unknown-segment", "Segments: all, at_risk, high_value,"),
        ({"model": "1"}, 422, "invalid-request", "query.model: expected"),
        ({"segment": "x" * 51}, 422, "invalid-request", "at most 50 characters"),
    ],
)
def test_what_there_is_not_is_answered_with_what_there_is(
    shop: Shop, params: dict[str, str], status: int, kind: str, detail: str
) -> None:
    response = shop.client.get("/v1/drivers", params=params)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:regulars:problem:{kind}")
    assert detail in response.json()["detail"]


def test_features_are_told_in_words_with_the_value_from_which_on(own_shop: Shop) -> None:
    write_drivers(own_shop.database)
    answer = own_shop.get("/v1/drivers")
    assert answer["summary"] == "Inactivity weighs most, then frequency and attributes."
    assert answer["unused"] == [FEATURES[-1]]
    by_name: dict[str, Any] = {row["feature"]: row for row in answer["features"]}
    inactivity = by_name["days_since_last_purchase"]
    assert inactivity["words"] == "Higher values speak for leaving, from 45 days on"
    assert "last purchase" in inactivity["description"]
    assert by_name["frequency"]["words"] == "Lower values speak for leaving, below 3 days"
    assert by_name["mean_order_value"]["missing"]["customers"] > 0
    assert by_name["attribute.Plan"]["words"] == f"Most for leaving: {PLANS[0]}; most for staying: {PLANS[1]}"
    upsell = own_shop.get("/v1/drivers", model="upsell")["features"][0]
    assert upsell["words"] == "Lower values speak for it, below 45 days"
    nobody = own_shop.get("/v1/drivers", segment="dormant")
    assert (nobody["customers"], nobody["mean_contribution"], nobody["features"]) == (0, None, [])
    assert nobody["summary"] == "Nobody here is judged by this model, so nothing drives it."


def test_a_run_without_churn_answers_with_its_first_target_and_one_without_reports_says_how_to_get_some(
    own_shop: Shop,
) -> None:
    with own_shop.database.write() as session:
        drivers.clear(session, 1)
        for target in ("visit", "upsell"):
            drivers.write(session, 1, target, driver_reports()["upsell"])
    answer = own_shop.get("/v1/drivers")
    assert (answer["target"], answer["targets"]) == ("upsell", ["upsell", "visit"])
    with own_shop.database.write() as session:
        drivers.clear(session, 1)
    response = own_shop.client.get("/v1/drivers")
    assert response.status_code == 409
    assert response.json()["detail"] == "Scoring run 1 has no reports of drivers. Run: regulars score"
