"""Why scores moved between two instants: in reasons that sum, up to the score of this moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from store.tables import Customer
from tests.service.conftest import Shop
from tests.service.shop import AS_OF, ODD_IDS, PROSPECT, add_order

_QUARTER_AGO = "2023-10-01T00:00:00Z"


def judged(shop: Shop) -> list[str]:
    rows = [shop.get(f"/v1/segments/{name}/customers", limit=20)["rows"] for name in ("steady", "high_value")]
    return sorted({row["customer_id"] for part in rows for row in part})


def total(change: dict[str, Any]) -> float:
    return float(sum(reason["contribution"] for reason in change["reasons"]) + change["all_other_features"])


def test_reasons_sum_to_the_movement_and_end_at_the_score_of_now(shop: Shop) -> None:
    seen = dict.fromkeys(("churn", "reorder", "clv"), 0)
    for customer_id in judged(shop):
        answer = shop.get("/v1/changes", customer_id=customer_id, since=_QUARTER_AGO)
        score = shop.get("/v1/score", customer_id=customer_id)
        assert (answer["customer_id"], answer["until"], answer["currency"]) == (customer_id, score["as_of"], "USD")
        for name, change in answer["changes"].items():
            seen[name] += 1
            assert total(change) == pytest.approx(change["now"] - change["before"], abs=1e-6)
            assert change["sentence"].endswith(".")
        changes = answer["changes"]
        if "churn" in changes:
            assert changes["churn"]["now"] == pytest.approx(score["raw_margin"], abs=1e-9)
            assert changes["churn"]["probability_now"] == score["churn_probability"]
        if "clv" in changes:
            assert changes["clv"]["now"] == pytest.approx(score["clv"], rel=1e-9)
            assert changes["clv"]["probability_now"] is None
    assert min(seen.values()) > 10


def test_two_periods_one_after_another_add_up_to_the_whole(shop: Shop) -> None:
    middle = "2023-11-15T00:00:00Z"
    customer_id = next(
        each
        for each in judged(shop)
        if "clv" in shop.get("/v1/changes", customer_id=each, since=_QUARTER_AGO)["changes"]
    )
    whole, first, second = (
        shop.get("/v1/changes", customer_id=customer_id, **period)["changes"]
        for period in (
            {"since": _QUARTER_AGO},
            {"since": _QUARTER_AGO, "until": middle},
            {"since": middle},
        )
    )
    for name in whole.keys() & first.keys() & second.keys():
        assert first[name]["before"] == whole[name]["before"]
        assert first[name]["now"] == pytest.approx(second[name]["before"], rel=1e-12)
        assert total(first[name]) + total(second[name]) == pytest.approx(total(whole[name]), rel=1e-6, abs=1e-6)


def test_an_order_of_a_moment_ago_is_among_the_reasons(own_shop: Shop) -> None:
    with own_shop.database.read() as session:
        key = session.scalars(select(Customer.id).where(Customer.customer_id == "c000")).one()
    add_order(own_shop.database, key, AS_OF - timedelta(hours=1), 500.0)
    since = (AS_OF - timedelta(hours=2)).isoformat()
    clv = own_shop.get("/v1/customers/c000/changes", since=since)["changes"]["clv"]
    frequency = next(reason for reason in clv["reasons"] if reason["feature"] == "frequency")
    assert frequency["now"] == frequency["before"] + 1
    assert frequency["contribution"] > 0
    assert clv["now"] > clv["before"]


@pytest.mark.parametrize("customer_id", ODD_IDS)
def test_an_odd_id_is_found_by_query(shop: Shop, customer_id: str) -> None:
    assert shop.get("/v1/changes", customer_id=customer_id, since=_QUARTER_AGO)["customer_id"] == customer_id


def test_of_a_prospect_nothing_can_be_compared(shop: Shop) -> None:
    answer = shop.get(f"/v1/customers/{PROSPECT}/changes", since=_QUARTER_AGO)
    assert answer["changes"] == {}
    assert "no purchase was known" in answer["note"]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2024-01-01T00:00:00Z", None),
        ("2023-10-01T00:00:00Z", "2023-10-01T00:00:00Z"),
        ("2023-10-01T00:00:00Z", "2023-09-01T00:00:00Z"),
        ("2023-10-01T00:00:00Z", "2024-01-01T00:00:01Z"),
    ],
)
def test_what_is_no_period_up_to_now_is_refused(shop: Shop, since: str, until: str | None) -> None:
    params = {"since": since} if until is None else {"since": since, "until": until}
    response = shop.client.get("/v1/customers/c000/changes", params=params)
    assert (response.status_code, response.json()["code"]) == (422, "invalid-period")
    assert "2024-01-01T00:00:00+00:00" in response.json()["detail"]


@pytest.mark.parametrize("since", ["2023-10-01T00:00:00", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_what_is_no_instant_is_refused(shop: Shop, since: str) -> None:
    response = shop.client.get("/v1/customers/c000/changes", params={"since": since})
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")
    assert response.json()["errors"][0]["where"] == "query.since"


def test_of_nobody_nothing_is_told(shop: Shop) -> None:
    response = shop.client.get("/v1/customers/nobody/changes", params={"since": _QUARTER_AGO})
    assert (response.status_code, response.json()["code"]) == (404, "unknown-customer")
