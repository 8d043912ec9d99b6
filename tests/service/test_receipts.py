"""A receipt gives the same score again, to the last digit, whatever came since; and says so where it can't."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from models.segment_policy import SegmentPolicy
from service.exceptions import GoneReceiptError
from service.receipts import Receipts
from service.scorer import Scorer
from store import policies
from store.events import find_customer
from store.ingest import EventMapping, ingest_events
from store.keyed_hash import KeyedHash
from store.retention import prune
from store.tables import (
    Base,
    Customer,
    ReplacedAttribute,
    ReplacedHead,
    ScoringRun,
    SegmentCutoffs,
    SegmentPolicyVersion,
)
from store.tables.base import to_microseconds
from tests.service.conftest import Bundles, Shop
from tests.service.shop import AS_OF, NOW, register

FURTHER_EVENTS = int(os.environ.get("RECEIPT_EVENTS", "500"))
LEARNT = (AS_OF - timedelta(days=40)).isoformat()


def order(customer_id: str, order_id: str, days: int, *lines: float, **more: Any) -> dict[str, Any]:
    """A completed order so many days before the instant of scores."""
    products = [{"product_id": f"p{price}", "quantity": 1, "price": price} for price in lines]
    return {
        "type": "track",
        "userId": customer_id,
        "event": "Order Completed",
        "timestamp": (AS_OF - timedelta(days=days)).isoformat(),
        "properties": {"order_id": order_id, "products": products},
        **more,
    }


def traits(customer_id: str, **told: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": customer_id, "timestamp": LEARNT, "traits": told}


def tell(shop: Shop, *calls: dict[str, Any]) -> None:
    answer = shop.client.post("/v1/batch", json={"batch": list(calls)})
    assert (answer.status_code, answer.json()["rejected"]) == (200, []), answer.text


def scores(shop: Shop, *ids: str) -> dict[str, dict[str, Any]]:
    answer = shop.client.post("/v1/scores", json={"customer_ids": list(ids)})
    return {score["customer_id"]: score for score in answer.json()["scores"]}


def replayed(shop: Shop, score: dict[str, Any]) -> dict[str, Any]:
    answer = shop.client.get(f"/v1/receipts/{score['receipt']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["score"])


def refusal(shop: Shop, score: dict[str, Any]) -> tuple[int, str]:
    answer = shop.client.get(f"/v1/receipts/{score['receipt']}")
    return answer.status_code, answer.json()["code"]


def tell_by_file(shop: Shop, path: Path, *lines: str) -> None:
    """Ingest lines of orders, which may come to an order that is there."""
    path.write_text("who,order,at,product,value,channel\n" + "\n".join(lines))
    mapping = EventMapping(
        customer_id="who", order_id="order", occurred_at="at", product="product", value="value", channel="channel"
    )
    report = ingest_events(shop.database, shop.settings, path, mapping, received_at=NOW)
    assert report.stored == len(lines)


def everybody(shop: Shop) -> list[str]:
    with shop.database.read() as session:
        return [name for name in session.scalars(select(Customer.customer_id).order_by(Customer.id)) if name.isalnum()]


def test_late_events_lines_and_attributes_change_scores_and_no_receipt(own_shop: Shop, tmp_path: Path) -> None:
    tell_by_file(own_shop, tmp_path / "1.csv", "ada,o1,2023-12-10,pen,30,store", "ada,o2,2023-10-02,ink,12,web")
    tell(own_shop, traits("ada", country="Chile", age=41))
    ids = [*everybody(own_shop)[:60], "ada"]
    before = scores(own_shop, *ids)
    for customer_id in ids:
        tell(own_shop, order(customer_id, f"late of {customer_id}", 33, 500.0))
    # A line of an order that was there, earlier than it and through another channel; and the same attribute otherwise.
    tell_by_file(own_shop, tmp_path / "2.csv", "ada,o1,2023-12-09,ink,70,web")
    tell(own_shop, traits("ada", country="Peru", age=60))
    tell_by_file(own_shop, tmp_path / "3.csv", "ada,o1,2023-12-08,cap,71,mail")
    tell(own_shop, traits("ada", country="Cuba"))
    after = scores(own_shop, *ids)
    for customer_id in ids:
        assert after[customer_id]["frequency"] != before[customer_id]["frequency"]
        assert replayed(own_shop, before[customer_id]) == before[customer_id]
        assert replayed(own_shop, after[customer_id]) == after[customer_id]
    with own_shop.database.read() as session:
        kept = [session.scalar(select(func.count()).select_from(table)) for table in (ReplacedHead, ReplacedAttribute)]
    assert kept == [2, 3]


def test_no_receipt_changes_by_any_number_of_further_events(own_shop: Shop) -> None:
    # Each is asked for by itself: of few events, a third of the customers will do.
    ids = everybody(own_shop)[:: 1 if FURTHER_EVENTS > 500 else 3]
    before = scores(own_shop, *ids)
    random = np.random.default_rng(5)
    for start in range(0, FURTHER_EVENTS, 500):
        who, days = random.choice(ids, 500).tolist(), random.integers(1, 700, 500).tolist()
        kinds = random.choice(["order", "visit", "refund", "traits"], 500, p=[0.4, 0.4, 0.1, 0.1]).tolist()
        tell(own_shop, *map(further, range(start, start + 500), who, days, kinds))
    after = scores(own_shop, *ids)
    moved = sum(after[each]["clv"] != before[each]["clv"] for each in ids)
    different = sum(replayed(own_shop, before[each]) != before[each] for each in ids)
    told = f"{FURTHER_EVENTS:,} further events, {len(ids)} receipts: {moved} scores moved, {different} differences"
    print(f"{own_shop.settings.database_url.partition(':')[0]}: {told}")  # noqa: T201
    assert moved > min(FURTHER_EVENTS / 2, len(ids)) / 2
    assert different == 0


def further(number: int, customer_id: str, days: int, kind: str) -> dict[str, Any]:
    """One of many events, most of them of long ago."""
    if kind == "traits":
        return traits(customer_id, country=f"land {number % 7}", age=number % 90)
    if kind == "order":
        return order(customer_id, f"f{number}", days, 10.0 + number % 50)
    event = "Session Started" if kind == "visit" else "Order Refunded"
    properties = {} if kind == "visit" else {"products": [{"product_id": "p10.0", "quantity": 1, "price": 10.0}]}
    at = (AS_OF - timedelta(days=days)).isoformat()
    return {"type": "track", "userId": customer_id, "event": event, "timestamp": at, "properties": properties}


def test_a_receipt_holds_after_another_model_and_policy_came_into_force(own_shop: Shop, bundles: Bundles) -> None:
    ids = everybody(own_shop)[:30]
    before = scores(own_shop, *ids)
    second = register(own_shop.database, bundles.second)
    with own_shop.database.write() as session:
        policies.add_policy(session, SegmentPolicy(max_share=0.9, contact_cost=0.0).to_dict(), now=NOW)
    after = scores(own_shop, *ids)
    assert {score["model_version"] for score in after.values()} == {second}
    for customer_id in ids:
        assert after[customer_id] != before[customer_id]
        assert replayed(own_shop, before[customer_id]) == before[customer_id]


def test_a_receipt_says_what_the_score_rested_on(own_shop: Shop) -> None:
    tell(own_shop, order("ada", "o1", 20, 30.0, 5.0), traits("ada", country="Chile"))
    tell(own_shop, traits("ada", age=3))
    answer = own_shop.get(f"/v1/receipts/{own_shop.get('/v1/customers/ada/score')['receipt']}")
    rested_on = answer["rested_on"]
    assert (rested_on["events"], rested_on["attributes"]) == (2, 2)
    assert rested_on["sequence_number"] == rested_on["attribute_version"] > 0
    assert answer["score"]["customer_id"] == "ada"


def test_neither_a_score_nor_its_receipt_writes_anything(shop: Shop) -> None:
    def stored() -> dict[str, Any]:
        with shop.database.read() as session:
            tables = Base.metadata.tables.items()
            return {name: session.scalar(select(func.count()).select_from(table)) for name, table in tables}

    before = stored()
    score = shop.get(f"/v1/customers/{everybody(shop)[0]}/score")
    assert replayed(shop, score) == score
    assert stored() == before


@pytest.mark.parametrize("changed", ["", "r1_", "nonsense", "r1_AAAA"])
def test_what_is_no_receipt_is_unknown(shop: Shop, changed: str) -> None:
    answer = shop.client.get(f"/v1/receipts/{changed or 'r2_x'}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-receipt")


def test_a_receipt_that_was_changed_anywhere_is_unknown(shop: Shop) -> None:
    receipt = shop.get(f"/v1/customers/{everybody(shop)[0]}/score")["receipt"]
    for place in range(3, len(receipt) - 1):
        other = receipt[:place] + ("A" if receipt[place] != "A" else "B") + receipt[place + 1 :]
        assert shop.client.get(f"/v1/receipts/{other}").status_code == 404, place


def test_a_receipt_of_another_deployment_is_unknown(shop: Shop) -> None:
    services = shop.client.app.state.services  # type: ignore[attr-defined]
    other = Receipts(KeyedHash(b"x" * 32), services.bundles, valid_for=timedelta(days=9), now=services.clock)
    with shop.database.read() as session:
        (text,) = other.of(services.scorer.score(session, find_customer(session, everybody(shop)[0]))).values()
    assert shop.client.get(f"/v1/receipts/{text}").status_code == 404


def test_a_receipt_expires(shop: Shop) -> None:
    bundles = shop.client.app.state.services.bundles  # type: ignore[attr-defined]
    scorer = Scorer(bundles, as_of=AS_OF, now=lambda: NOW)

    def at(now: datetime) -> Receipts:
        return Receipts(KeyedHash(b"x" * 32), bundles, valid_for=timedelta(days=400), now=lambda: now)

    with shop.database.read() as session:
        (text,) = at(NOW).of(scorer.score(session, find_customer(session, everybody(shop)[0]))).values()
    assert at(NOW + timedelta(days=400)).read(text).as_of == to_microseconds(AS_OF)
    with pytest.raises(GoneReceiptError, match=r"good for 400 days \(REGULARS_RECEIPT_DAYS\)"):
        at(NOW + timedelta(days=400, seconds=1)).read(text)


def test_after_an_erasure_it_says_so(own_shop: Shop) -> None:
    customer_id = everybody(own_shop)[5]
    score = own_shop.get(f"/v1/customers/{customer_id}/score")
    assert own_shop.client.delete(f"/v1/customers/{customer_id}").status_code == 202
    assert refusal(own_shop, score) == (410, "history-erased")


def test_after_a_merge_it_says_so_of_the_merged_and_gives_the_survivors_score_again(own_shop: Shop) -> None:
    tell(own_shop, order("ada", "o1", 20, 30.0), order("visitor", "o2", 10, 9.0), traits("visitor", country="Peru"))
    before = scores(own_shop, "ada", "visitor")
    tell(own_shop, {"type": "alias", "userId": "ada", "previousId": "visitor"})
    assert own_shop.get("/v1/customers/ada/score")["frequency"] == 1
    assert refusal(own_shop, before["visitor"]) == (410, "history-merged")
    assert replayed(own_shop, before["ada"]) == before["ada"]


def test_after_a_merge_that_made_two_orders_one_it_says_so(own_shop: Shop) -> None:
    tell(own_shop, order("ada", "o1", 20, 30.0), order("visitor", "o1", 20, 30.0, 8.0))
    before = scores(own_shop, "ada")["ada"]
    tell(own_shop, {"type": "alias", "userId": "ada", "previousId": "visitor"})
    assert refusal(own_shop, before) == (410, "history-merged")


def test_after_what_it_rested_on_was_pruned_it_says_so(own_shop: Shop) -> None:
    tell(own_shop, order("ada", "o1", 900, 30.0), order("ada", "o2", 5, 30.0), order("young", "o3", 5, 30.0))
    before = scores(own_shop, "ada", "young")
    prune(own_shop.database, before=AS_OF - timedelta(days=600))
    assert refusal(own_shop, before["ada"]) == (410, "history-pruned")
    assert replayed(own_shop, before["young"]) == before["young"]


def test_after_the_policy_is_gone_it_says_so(own_shop: Shop) -> None:
    score = own_shop.get(f"/v1/customers/{everybody(own_shop)[0]}/score")
    with own_shop.database.write() as session:
        version = session.scalars(select(SegmentPolicyVersion.version)).one()
        session.execute(update(ScoringRun).values(policy_version=None))
        session.execute(delete(SegmentCutoffs))
        session.execute(delete(SegmentPolicyVersion))
        policies.add_policy(session, SegmentPolicy().to_dict(), now=AS_OF)
        session.execute(update(SegmentPolicyVersion).values(version=version + 1))
    assert refusal(own_shop, score) == (410, "policy-gone")


def test_a_receipt_without_its_beginning_is_none(own_shop: Shop) -> None:
    score = own_shop.get(f"/v1/customers/{everybody(own_shop)[0]}/score")
    bare = score["receipt"].removeprefix("r1_")
    assert own_shop.client.get(f"/v1/receipts/{bare}").status_code == 404


def test_after_the_model_is_gone_it_says_so(own_shop: Shop, bundles: Bundles) -> None:
    score = own_shop.get(f"/v1/customers/{everybody(own_shop)[0]}/score")
    register(own_shop.database, bundles.second)
    own_shop.get(f"/v1/customers/{everybody(own_shop)[0]}/score")
    shutil.rmtree(own_shop.settings.bundle_dir / bundles.first.folder)
    assert refusal(own_shop, score) == (410, "model-gone")
