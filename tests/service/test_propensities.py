"""Propensities: the list of everybody whom a model judges, as JSON and as CSV, and what stands beside each customer."""

from __future__ import annotations

import csv
import io

from tests.service.conftest import Shop

PATH = "/v1/propensities/reorder"


def test_the_targets_of_the_model_are_told_with_whom_they_judge(shop: Shop) -> None:
    answer = shop.get("/v1/propensities")
    (reorder,) = answer["propensities"]
    assert (reorder["target"], reorder["description"], reorder["horizon_days"]) == ("reorder", "a purchase", 30)
    assert 0 < reorder["base_rate"] < 1
    assert reorder["makes_segment"]
    assert answer["refused"] == {}
    assert answer["model_version"] == 1


def test_the_list_holds_everybody_judged_the_highest_propensity_first(shop: Shop) -> None:
    answer = shop.get(PATH, limit=1000)
    (reorder,) = shop.get("/v1/propensities")["propensities"]
    assert {name: answer[name] for name in reorder} == reorder
    assert answer["ranked_by"] == "reorder_propensity"
    probabilities = [row["propensities"]["reorder"] for row in answer["rows"]]
    assert len(probabilities) == answer["customers"] > 100
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(row["eligible"] for row in answer["rows"])
    assert "prospect" not in [row["customer_id"] for row in answer["rows"]]


def test_pages_of_the_list_go_through_everything_once(shop: Shop) -> None:
    whole = shop.get(PATH, limit=1000)["rows"]
    rows, page = [], shop.get(PATH, limit=60)
    while True:
        rows.extend(page["rows"])
        if page["next_cursor"] is None:
            break
        page = shop.get(PATH, limit=60, cursor=page["next_cursor"])
    assert rows == whole


def test_a_row_tells_the_reasons_of_the_target_that_its_list_is_of(shop: Shop) -> None:
    row = shop.get(PATH, limit=1)["rows"][0]
    score = shop.get("/v1/score", customer_id=row["customer_id"])
    assert row["sentence"] == score["propensities"]["reorder"]["sentence"] != score["sentence"]
    assert row["propensities"] == {"reorder": score["propensities"]["reorder"]["probability"]}
    at_risk = shop.get("/v1/at-risk", limit=1)["rows"][0]
    assert at_risk["sentence"] == shop.get("/v1/score", customer_id=at_risk["customer_id"])["sentence"]


def test_csv_of_the_list_has_the_same_rows_with_the_propensity_at_the_end(shop: Shop) -> None:
    response = shop.client.get(PATH, params={"format": "csv"})
    assert response.headers["content-disposition"] == 'attachment; filename="reorder-propensity.csv"'
    found = list(csv.DictReader(io.StringIO(response.text, newline="")))
    rows = shop.get(PATH, limit=1000)["rows"]
    assert list(found[0])[-1] == "reorder_propensity"
    assert [float(cells["reorder_propensity"]) for cells in found] == [row["propensities"]["reorder"] for row in rows]
    assert [cells["sentence"] for cells in found] == [row["sentence"] for row in rows]
    assert {cells["ranked_by"] for cells in found} == {"reorder_propensity"}
    page = shop.client.get(PATH, params={"format": "csv", "limit": 5})
    assert len(list(csv.DictReader(io.StringIO(page.text)))) == 5
    assert "cursor=" in page.headers["Link"]


def test_a_cursor_of_one_list_is_not_taken_for_another(shop: Shop) -> None:
    cursor = shop.get(PATH, limit=3)["next_cursor"]
    response = shop.client.get("/v1/at-risk", params={"cursor": cursor})
    assert (response.status_code, response.json()["type"]) == (400, "urn:regulars:problem:invalid-cursor")
