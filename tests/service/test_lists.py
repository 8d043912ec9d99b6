"""Segments and lists: sums, order, paging, budget and CSV."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from models.segments import SEGMENTS
from service.published_list import list_of_segment, read_published
from service.segment_csv import CSV_COLUMNS, csv_text, harmless
from store.lists import iterate_segment
from tests.service.conftest import Shop
from tests.service.shop import AS_OF, N_CUSTOMERS, NOW, POLICY
from training.score_all import score_all

HEADER = (*CSV_COLUMNS, "reorder_propensity")


def _all_pages(shop: Shop, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = shop.get(path, **params)
    while True:
        rows.extend(page["rows"])
        if page["next_cursor"] is None:
            return rows
        page = shop.get(path, **params, cursor=page["next_cursor"])


def test_segments_tell_the_sums_stored_with_the_run(shop: Shop) -> None:
    answer = shop.get("/v1/segments")
    assert [segment["segment"] for segment in answer["segments"]] == list(SEGMENTS)
    assert answer["total"]["customers"] == N_CUSTOMERS == sum(segment["primary"] for segment in answer["segments"])
    for segment in answer["segments"]:
        rows = _all_pages(shop, f"/v1/segments/{segment['segment']}/customers", limit=100)
        assert segment["customers"] == len(rows)
        assert sum(row["clv"] or 0.0 for row in rows) == pytest.approx(segment["clv"] or 0.0)
        assert (segment["why_empty"] is None) == (segment["customers"] > 0)


def test_segments_say_their_rule_with_the_numbers_of_the_policy_and_why_upsell_ready_is_empty(shop: Shop) -> None:
    by_name = {segment["segment"]: segment for segment in shop.get("/v1/segments")["segments"]}
    for number in ("30%", "10%", "USD 0.20", "20%"):
        assert number in by_name["at_risk"]["rule"]
    assert "90 days" in by_name["new"]["rule"]
    assert "180 days" in by_name["dormant"]["rule"]
    assert "no upsell target" in by_name["upsell_ready"]["why_empty"]


def test_paging_goes_through_everything_once_and_in_order(shop: Shop) -> None:
    path = "/v1/segments/dormant/customers"
    whole = shop.get(path, limit=1000)["rows"]
    assert len(whole) > 100
    assert _all_pages(shop, path, limit=7) == whole
    assert [row["position"] for row in whole] == list(range(1, len(whole) + 1))
    assert len({row["customer_id"] for row in whole}) == len(whole)
    at_risk = [row["value_at_risk"] for row in shop.get("/v1/at-risk", limit=1000)["rows"]]
    assert at_risk == sorted(at_risk, reverse=True)


def test_a_page_of_fifty_is_the_default_and_the_link_header_leads_to_the_next(shop: Shop) -> None:
    response = shop.client.get("/v1/segments/dormant/customers")
    assert len(response.json()["rows"]) == 50
    path, _, relation = response.headers["Link"].partition("; ")
    assert relation == 'rel="next"'
    assert shop.client.get(path.strip("<>")).json()["rows"][0]["position"] == 51


def test_a_list_goes_on_in_the_run_it_began_with_though_a_new_one_is_published(own_shop: Shop) -> None:
    path = "/v1/segments/dormant/customers"
    before = own_shop.get(path, limit=1000)
    page = own_shop.get(path, limit=40)
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW, as_of=AS_OF - timedelta(days=60))
    rows = list(page["rows"])
    while page["next_cursor"]:
        page = own_shop.get(path, limit=40, cursor=page["next_cursor"])
        assert (page["scoring_run_id"], page["as_of"]) == (1, "2024-01-01T00:00:00Z")
        rows.extend(page["rows"])
    assert rows == before["rows"]
    fresh = own_shop.get(path, limit=1)
    assert (fresh["scoring_run_id"], fresh["as_of"]) == (2, "2023-11-02T00:00:00Z")


@pytest.mark.parametrize("limit", [3, 5, 1000])
def test_a_budget_ends_the_list_and_tells_what_it_covers(shop: Shop, limit: int) -> None:
    whole = shop.get("/v1/at-risk", limit=1000)
    budget = 7
    assert whole["customers"] > budget
    rows = _all_pages(shop, "/v1/at-risk", limit=limit, budget=budget)
    assert rows == whole["rows"][:budget]
    told = shop.get("/v1/at-risk", limit=limit, budget=budget)["budget"]
    assert told["contacts"] == budget
    assert told["value_at_risk"] == pytest.approx(sum(row["value_at_risk"] for row in rows))
    assert told["expected_saved_value"] == pytest.approx(POLICY.save_rate * told["value_at_risk"])
    assert told["cost"] == pytest.approx(POLICY.contact_cost * budget)
    assert whole["ranked_by"] == "value_at_risk"


def test_a_budget_beyond_the_list_covers_all_of_it(shop: Shop) -> None:
    answer = shop.get("/v1/at-risk", limit=1000, budget=10**6)
    assert len(answer["rows"]) == answer["customers"] == answer["budget"]["contacts"]
    assert answer["budget"]["value_at_risk"] == pytest.approx(answer["value_at_risk"])
    assert shop.get("/v1/at-risk")["budget"] is None


@pytest.mark.parametrize("asked", [{"params": {"format": "csv"}}, {"headers": {"accept": "text/csv"}}])
def test_csv_holds_the_whole_list_with_the_same_numbers_as_json(shop: Shop, asked: dict[str, Any]) -> None:
    response = shop.client.get("/v1/segments/dormant/customers", **asked)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="dormant.csv"'
    found = list(csv.DictReader(io.StringIO(response.text, newline="")))
    rows = shop.get("/v1/segments/dormant/customers", limit=1000)["rows"]
    assert len(found) == len(rows)
    assert tuple(found[0]) == HEADER
    for cells, row in zip(found, rows, strict=True):
        assert cells["customer_id"].removeprefix("'") == row["customer_id"]
        assert float(cells["clv"]) == row["clv"]
        assert cells["churn_probability"] == ""
        assert (cells["as_of"], cells["model_version"]) == ("2024-01-01T00:00:00+00:00", "1")
        assert (cells["ranked_by"], cells["reorder_propensity"]) == ("value_at_risk", "")


def test_csv_keeps_to_the_budget_and_to_a_page(shop: Shop) -> None:
    whole = shop.client.get("/v1/at-risk", params={"format": "csv", "budget": 7}).text
    assert len(list(csv.DictReader(io.StringIO(whole)))) == 7
    page = shop.client.get("/v1/at-risk", params={"format": "csv", "budget": 7, "limit": 5})
    assert len(list(csv.DictReader(io.StringIO(page.text)))) == 5
    following = shop.client.get(page.headers["Link"].partition(";")[0].strip("<>"))
    assert [row["position"] for row in csv.DictReader(io.StringIO(following.text))] == ["6", "7"]


def test_json_goes_before_csv_where_a_client_takes_both(shop: Shop) -> None:
    response = shop.client.get("/v1/at-risk", headers={"accept": "application/json, text/csv"})
    assert response.headers["content-type"] == "application/json"
    forced = shop.client.get("/v1/at-risk", params={"format": "json"}, headers={"accept": "text/csv"})
    assert forced.headers["content-type"] == "application/json"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_take_for_a_formula_is_made_harmless(start: str) -> None:
    assert harmless(f"{start}1") == f"'{start}1"
    assert harmless(f"1{start}") == f"1{start}"


def test_the_id_of_a_customer_that_looks_like_a_formula_is_made_harmless(shop: Shop) -> None:
    segment = shop.get("/v1/score", customer_id="=2+5")["segment"]
    text = shop.client.get(f"/v1/segments/{segment}/customers", params={"format": "csv"}).text
    ids = [row["customer_id"] for row in csv.DictReader(io.StringIO(text))]
    assert "'=2+5" in ids
    assert "=2+5" not in ids


def test_csv_is_written_while_it_is_read(shop: Shop) -> None:
    taken = 0

    def counted() -> Any:
        nonlocal taken
        for row in [*iterate_segment(shop.database, "dormant")] * 20:
            taken += 1
            yield row

    with shop.database.read() as session:
        pieces = csv_text(counted(), list_of_segment("dormant"), read_published(session))
    assert next(pieces).startswith("position,customer_id,")
    assert taken == 0
    next(pieces)
    assert taken == 500


def test_a_cursor_of_one_segment_is_not_taken_for_another(shop: Shop) -> None:
    cursor = shop.get("/v1/segments/dormant/customers", limit=3)["next_cursor"]
    response = shop.client.get("/v1/at-risk", params={"cursor": cursor})
    assert (response.status_code, response.json()["type"]) == (400, "urn:regulars:problem:invalid-cursor")


def test_an_empty_segment_is_an_empty_list(shop: Shop) -> None:
    assert shop.get("/v1/segments/upsell_ready/customers")["rows"] == []
    text = shop.client.get("/v1/segments/upsell_ready/customers", params={"format": "csv"}).text
    assert text == ",".join(HEADER) + "\r\n"
