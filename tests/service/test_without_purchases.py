"""A business without purchases: no clv anywhere, lists by probability, and words that say so."""

from __future__ import annotations

import csv
import io

import pytest

from tests.service.conftest import Shop
from tests.service.label_shop import CAVEAT, N_LABELLED, REFUSED
from tests.service.shop import POLICY

OF_PURCHASES = ("frequency", "recency", "T", "monetary_value", "p_alive", "expected_purchases", "clv", "value_at_risk")


def test_a_score_has_no_clv_and_says_why(label_shop: Shop) -> None:
    score = label_shop.get("/v1/customers/t001/score")
    assert [score[name] for name in OF_PURCHASES] == [None] * len(OF_PURCHASES)
    assert score["caveats"] == [CAVEAT]
    assert 0 < score["churn_probability"] < 1
    assert score["note"] is None
    visit = score["propensities"]["visit"]
    assert (visit["description"], visit["horizon_days"]) == ("what a file of labels says", None)
    stored = label_shop.get("/v1/customers/t001")["stored_score"]
    assert stored.pop("scoring_run_id") == 1
    assert stored == score | {"receipt": None}


def test_the_value_of_a_category_is_its_name(label_shop: Shop) -> None:
    score = label_shop.get("/v1/customers/t001/score")
    values = {reason["feature"]: reason["value"] for reason in score["reasons"]}
    attributes = {item["name"]: item["value"] for item in label_shop.get("/v1/customers/t001")["attributes"]}
    assert values == {"attribute.months": attributes["months"], "attribute.plan": attributes["plan"]}
    assert f"plan is {attributes['plan']}" in [reason["text"] for reason in score["reasons"]]


def test_the_at_risk_list_is_by_churn_probability_and_says_so(label_shop: Shop) -> None:
    answer = label_shop.get("/v1/at-risk", limit=1000)
    assert (answer["ranked_by"], answer["value_at_risk"]) == ("churn_probability", None)
    probabilities = [row["churn_probability"] for row in answer["rows"]]
    assert len(probabilities) == answer["customers"] > 20
    assert probabilities == sorted(probabilities, reverse=True)
    assert min(probabilities) >= POLICY.min_churn_probability
    text = label_shop.client.get("/v1/at-risk", params={"format": "csv"}).text
    found = list(csv.DictReader(io.StringIO(text)))
    assert {cells["ranked_by"] for cells in found} == {"churn_probability"}
    assert [float(cells["churn_probability"]) for cells in found] == probabilities
    assert {cells["clv"] for cells in found} == {""}


def test_a_budget_ends_the_list_without_any_talk_of_value(label_shop: Shop) -> None:
    answer = label_shop.get("/v1/at-risk", budget=5)
    assert len(answer["rows"]) == 5
    assert answer["budget"]["contacts"] == 5
    assert answer["budget"]["value_at_risk"] is answer["budget"]["expected_saved_value"] is None
    assert answer["budget"]["cost"] == pytest.approx(5 * POLICY.contact_cost)
    assert label_shop.get("/v1/at-risk", budget=10**6)["budget"]["contacts"] == answer["customers"]


def test_segments_say_what_they_are_without_clv(label_shop: Shop) -> None:
    answer = label_shop.get("/v1/segments")
    by_name = {segment["segment"]: segment for segment in answer["segments"]}
    assert by_name["at_risk"]["rule"].startswith(
        "A churn probability of 30% or more; at most 20% of the customers, those "
    )
    assert (by_name["at_risk"]["clv"], answer["total"]["clv"]) == (None, None)
    for name in ("high_value", "new", "prospect"):
        assert by_name[name]["rule"] == "Nobody: there are no purchases."
    assert by_name["dormant"]["rule"] == "Nobody: every customer is judged."
    assert by_name["steady"]["rule"] == "None of the above."
    assert label_shop.get("/v1/segments/steady/customers")["ranked_by"] == "churn_probability"


def test_everybody_is_on_the_list_of_a_propensity(label_shop: Shop) -> None:
    answer = label_shop.get("/v1/propensities/visit", limit=1000)
    assert len(answer["rows"]) == N_LABELLED
    assert answer["horizon_days"] is None
    assert label_shop.get("/v1/propensities")["refused"] == {"renewal": REFUSED}
    response = label_shop.client.get("/v1/propensities/renewal")
    assert (response.status_code, REFUSED in response.json()["detail"]) == (404, True)


def test_without_a_target_named_churn_it_is_said_that_nothing_is_said_of_leaving(visit_shop: Shop) -> None:
    score = visit_shop.get("/v1/customers/t001/score")
    for name in ("churn_probability", "value_at_risk", "base_value", "raw_margin", "all_other_features", "sentence"):
        assert score[name] is None
    assert score["note"] == "The model has no target named churn, so nothing is said of leaving."
    assert score["propensities"]["visit"]["probability"] > 0
    assert visit_shop.get("/v1/at-risk")["rows"] == []
    rules = {segment["segment"]: segment["rule"] for segment in visit_shop.get("/v1/segments")["segments"]}
    assert rules["at_risk"] == "Nobody: the model has no target named churn."
    rows = visit_shop.get("/v1/propensities/visit", limit=3)["rows"]
    assert all(row["sentence"].endswith(".") for row in rows)
