"""Scoring again: what a worker makes of live events is what the API says at that instant, in lists too."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from service.app import create_app
from store.lists import list_segment
from store.memberships import history
from store.outbox import SCORE_CHANGED, SEGMENT_ENTERED, SEGMENT_LEFT
from store.publishing import publish
from store.rescore_requests import oldest
from store.rescoring import write_rescored
from store.scores import require_published_run, stored_score
from store.tables import Customer, OutboxEvent, Score
from tests.service.conftest import TestClient
from tests.shop import AS_OF
from tests.shop_databases import Shop, ShopDatabases
from tests.store.builders import add_endpoint
from tests.store.ingest.live_requests import live_writer, request
from training import rescoring
from training.rescoring import Rescorer
from training.score_all import score_all
from training.worker import work

Engine = Any


@pytest.fixture
def scored(engine_name: Engine, shop_databases: ShopDatabases, tmp_path: Path) -> Iterator[Shop]:
    """The shop with a published run."""
    with shop_databases.copy(engine_name, "scored", tmp_path) as shop:
        yield shop


def of_now(shop: Shop) -> Shop:
    """The same, where scores speak of the moment in which they are computed."""
    return replace(shop, settings=shop.settings.model_copy(update={"as_of": None}))


def buy(shop: Shop, *customer_ids: str, at: datetime = AS_OF - timedelta(days=2), value: float = 80.0) -> None:
    """Let customers order, live."""
    calls = [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": customer_id,
            "timestamp": at.isoformat(),
            "properties": {"order_id": f"{customer_id} {at}", "revenue": value},
        }
        for customer_id in customer_ids
    ]
    with live_writer(shop.database) as writer:
        (result,) = writer.write([request(*calls, source="till", received_at=shop.clock())])
    assert result.stored == len(customer_ids)


def rescorer(shop: Shop) -> Rescorer:
    return Rescorer(shop.database, shop.settings, now=shop.clock)


def at_risk(shop: Shop, n: int = 1) -> list[str]:
    with shop.database.read() as session:
        return [row.customer_id for row in list_segment(session, "at_risk", limit=n).rows]


def key_of(shop: Shop, customer_id: str) -> int:
    with shop.database.read() as session:
        return session.scalars(select(Customer.id).where(Customer.customer_id == customer_id)).one()


def score_of(shop: Shop, customer_id: str) -> Score:
    key = key_of(shop, customer_id)
    with shop.database.read() as session:
        score = stored_score(session, key)
    assert score is not None
    return score


def waits(shop: Shop) -> bool:
    with shop.database.read() as session:
        return bool(oldest(session, 1))


def told(shop: Shop, customer_id: str) -> list[tuple[str, dict[str, Any]]]:
    key = key_of(shop, customer_id)
    with shop.database.read() as session:
        rows = session.scalars(select(OutboxEvent).where(OutboxEvent.customer_key == key).order_by(OutboxEvent.id))
        return [(row.kind, row.data) for row in rows]


def open_stays(shop: Shop, customer_id: str) -> list[str]:
    key = key_of(shop, customer_id)
    with shop.database.read() as session:
        return [stay.segment for stay in history(session, key) if stay.left_at is None]


def catch_up(shop: Shop) -> None:
    worker = rescorer(shop)
    while worker.step():
        pass
    assert not waits(shop)


def require_told_once(shop: Shop, customer_ids: list[str], *, is_listed: bool = True) -> None:
    """Each was told at most once of all that changed, and stays are those that were told."""
    n_left = 0
    for customer_id in customer_ids:
        changes = told(shop, customer_id)
        # Not of a change by less than a tenth.
        assert [kind for kind, _ in changes].count(SCORE_CHANGED) <= 1
        left, entered = (
            [data["segment"] for kind, data in changes if kind == wanted] for wanted in (SEGMENT_LEFT, SEGMENT_ENTERED)
        )
        assert len({*left, *entered}) == len(left) + len(entered)
        assert set(entered) <= set(open_stays(shop, customer_id))
        assert not set(left) & set(open_stays(shop, customer_id))
        if is_listed:
            assert set(open_stays(shop, customer_id)) == set(score_of(shop, customer_id).segments.split())
        n_left += bool(left)
    assert n_left > 0


@pytest.mark.parametrize("as_of", ["fixed", "now"])
def test_a_score_stored_again_is_the_one_that_the_api_computes_at_that_instant(scored: Shop, as_of: str) -> None:
    shop = of_now(scored) if as_of == "now" else scored
    leaving, staying = at_risk(shop, 2)
    buy(shop, leaving, "somebody new")
    buy(shop, leaving, at=AS_OF - timedelta(days=1))
    assert rescorer(shop).step()
    assert not waits(shop)
    instant = score_of(shop, leaving).rescored_at
    assert instant is not None
    assert instant == AS_OF if as_of == "fixed" else AS_OF < instant <= shop.clock.time
    served = shop.settings.model_copy(update={"open": True, "log_format": "json", "as_of": instant})
    app = create_app(served, now=lambda: instant, log_to=io.StringIO())
    with TestClient(app, "http://localhost") as client:
        for customer_id in (leaving, "somebody new"):
            computed = client.get("/v1/score", params={"customer_id": customer_id}).json() | {"receipt": None}
            known = client.get("/v1/customers", params={"customer_id": customer_id}).json()
            stored = known["stored_score"]
            assert {name: stored[name] for name in computed} == computed
            assert {stay["segment"] for stay in known["segment_history"] if stay["left_at"] is None} == set(
                computed["segments"]
            )
        listed = client.get("/v1/segments/at_risk/customers", params={"limit": 1}).json()
    (row,) = listed["rows"]
    assert (row["customer_id"], datetime.fromisoformat(row["as_of"])) == (staying, AS_OF)
    assert score_of(shop, staying).rescored_at is None


def test_a_worker_cut_off_between_score_and_write_leaves_all_to_the_next_and_nothing_is_told_twice(
    scored: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_endpoint(scored.database)
    leaving = at_risk(scored, 20)
    buy(scored, *leaving)

    def cut_off(*_: object, **__: object) -> int:
        raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patched:
        patched.setattr(rescoring, "write_rescored", cut_off)
        with pytest.raises(OperationalError, match="closed the connection"):
            rescorer(scored).step()
    assert not any(told(scored, customer_id) for customer_id in leaving)
    assert waits(scored)
    catch_up(scored)
    require_told_once(scored, leaving)


def test_a_stream_of_orders_opens_and_closes_each_stay_once(scored: Shop) -> None:
    shop = of_now(scored)
    add_endpoint(shop.database)
    (customer_id,) = at_risk(shop)
    # A year without an order, then one: what comes between is of long ago.
    for day, has_ordered in (
        (1, True),
        (366, False),
        (367, True),
        (368, True),
        (733, False),
        (734, False),
        (735, True),
    ):
        shop.clock.time = AS_OF + timedelta(days=day, hours=1)
        buy(shop, customer_id, at=shop.clock.time if has_ordered else AS_OF - timedelta(days=day))
        catch_up(shop)
    assert set(open_stays(shop, customer_id)) == set(score_of(shop, customer_id).segments.split())
    moves: dict[str, list[str]] = {}
    for kind, data in told(shop, customer_id):
        if kind != SCORE_CHANGED:
            moves.setdefault(data["segment"], []).append(kind)
    assert moves["dormant"] == [SEGMENT_ENTERED, SEGMENT_LEFT] * 2
    assert all(kind != following for kinds in moves.values() for kind, following in pairwise(kinds))


def test_what_comes_while_a_run_is_at_work_is_scored_again_by_it_and_told_once(
    scored: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = of_now(scored)
    add_endpoint(shop.database)
    leaving = at_risk(shop, 20)
    shop.clock.time = AS_OF + timedelta(days=1, hours=12)

    def publish_late(*positional: Any, **named: Any) -> None:
        # The run has read and scored everybody.
        buy(shop, *leaving, at=shop.clock.time)
        assert rescorer(shop).step()
        publish(*positional, **named)

    monkeypatch.setattr("training.score_all.publish", publish_late)
    run = score_all(shop.database, shop.settings, now=shop.clock)
    # The lists of the run don't know of the orders yet, and nobody was told so.
    assert {score_of(shop, customer_id).rescored_at for customer_id in leaving} == {None}
    require_told_once(shop, leaving, is_listed=False)
    assert waits(shop)
    catch_up(shop)
    require_told_once(shop, leaving)
    assert run.as_of is not None
    for customer_id in leaving:
        again = score_of(shop, customer_id)
        assert again.scoring_run_id == run.id
        assert again.rescored_at is not None
        assert again.rescored_at > run.as_of


def test_what_comes_while_the_first_run_is_at_work_is_scored_again_by_it(
    trained: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = of_now(trained)
    shop.clock.time = AS_OF + timedelta(hours=12)
    buy(shop, "known before", at=shop.clock.time)

    def publish_late(*positional: Any, **named: Any) -> None:
        # The run has read and scored everybody.
        buy(shop, "known before", "somebody new", at=shop.clock.time)
        assert not rescorer(shop).step()
        publish(*positional, **named)

    monkeypatch.setattr("training.score_all.publish", publish_late)
    run = score_all(shop.database, shop.settings, now=shop.clock)
    assert score_of(shop, "known before").frequency == 0
    with shop.database.read() as session:
        assert len(oldest(session, 9)) == 2
    catch_up(shop)
    for customer_id in ("known before", "somebody new"):
        again = score_of(shop, customer_id)
        assert again.scoring_run_id == run.id
        assert again.rescored_at is not None
        assert sorted(open_stays(shop, customer_id)) == sorted(again.segments.split())


def test_before_anybody_was_scored_there_is_nothing_to_do(trained: Shop) -> None:
    buy(trained, "somebody new")
    assert not rescorer(trained).step()


def test_the_worker_scores_again_beside_its_runs_and_survives_a_database_that_is_away(
    scored: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real = write_rescored

    def away_at_first(*positional: Any, **named: Any) -> int:
        tried.append(len(tried))
        if len(tried) < 2:
            raise OperationalError("INSERT", {}, Exception("the server closed the connection"))
        return real(*positional, **named)

    monkeypatch.setattr(rescoring, "write_rescored", away_at_first)
    (leaving,) = at_risk(scored)
    stop = Event()
    thread = Thread(target=work, args=(scored.database, scored.settings), kwargs={"stop": stop, "now": scored.clock})
    thread.start()
    try:
        buy(scored, leaving)
        deadline = time.monotonic() + 30
        while waits(scored) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert len(tried) == 2
    assert score_of(scored, leaving).rescored_at == AS_OF
    with scored.database.read() as session:
        assert require_published_run(session).as_of == AS_OF
