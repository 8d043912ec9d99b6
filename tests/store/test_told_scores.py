"""Each endpoint is told of a score against what it was told last, whoever scores and however small the steps are."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, update

from store.engine import Database
from store.memberships import record_published
from store.outbox import MODEL_PROMOTED, NUMBERS_TOLD, SCORE_CHANGED, Audience, Numbers
from store.rescore_requests import waiting
from store.rescoring import Rescored, write_rescored
from store.scores import require_published_run
from store.tables import Customer, OutboxEvent, RescoreRequest, ToldScore, WebhookDelivery, WebhookEndpoint
from store.told_scores import compare
from tests.store.builders import NOW, Scored, add_customers, add_endpoint, columns_of, publish_run

SECOND = timedelta(seconds=1)

Told = dict[tuple[int, int], list[tuple[Numbers, Numbers]]]


def numbers(**given: float | None) -> dict[str, float | None]:
    return dict.fromkeys(NUMBERS_TOLD) | given


def told(database: Database) -> Told:
    """What each endpoint is told of each customer's score, before and after, in order."""
    query = select(WebhookDelivery.endpoint_id, OutboxEvent).join(
        OutboxEvent, OutboxEvent.id == WebhookDelivery.event_id
    )
    found: Told = defaultdict(list)
    with database.read() as session:
        for endpoint_id, event in session.execute(query.order_by(WebhookDelivery.id)):
            assert (event.kind, event.data["segment"]) == (SCORE_CHANGED, "steady")
            assert event.customer_key is not None
            found[endpoint_id, event.customer_key].append((event.data["before"], event.data["after"]))
    return found


def n_rows(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(ToldScore)) or 0


def run(database: Database, scored: Mapping[int, Scored]) -> None:
    publish_run(database, scored)
    record_published(database, now=lambda: NOW)


def ask(database: Database, key: int) -> None:
    with database.write() as session:
        session.merge(RescoreRequest(customer_key=key, requested_at=NOW, times=1))


def score_again(database: Database, scored: Mapping[int, Scored]) -> None:
    for key in scored:
        with database.read() as session:
            is_waiting = session.get(RescoreRequest, key) is not None
        if not is_waiting:
            ask(database, key)
    with database.read() as session:
        run_id, requests = require_published_run(session).id, waiting(session, list(scored))
    keys = np.array(list(scored), dtype=np.int64)
    again = Rescored(run_id, NOW + SECOND, requests, keys, columns_of(scored))
    assert write_rescored(database, again, now=NOW) == len(scored)


def churns(probability: float) -> dict[int, Scored]:
    return {1: Scored("steady", None, None, probability)}


def test_a_score_that_rises_in_small_steps_is_told_once_they_are_the_threshold_together(database: Database) -> None:
    add_customers(database, ["ada"])
    endpoint = add_endpoint(database, [SCORE_CHANGED], {"churn_probability": 0.1})
    run(database, churns(0.1))
    for probability in (0.15, 0.2, 0.25, 0.26):
        run(database, churns(probability))
    for probability in (0.29, 0.3, 0.31):
        score_again(database, churns(probability))
    steps = [(0.1, 0.2), (0.2, 0.3)]
    assert told(database) == {
        (endpoint, 1): [(numbers(churn_probability=was), numbers(churn_probability=now)) for was, now in steps]
    }
    assert n_rows(database) == 1
    score_again(database, churns(0.3))
    assert n_rows(database) == 0


def test_of_many_customers_each_is_told_against_its_own(database: Database) -> None:
    keys = range(1, 1_301)
    add_customers(database, [f"customer {key}" for key in keys])
    endpoint = add_endpoint(database, [SCORE_CHANGED], {"clv": 2.0})
    for step in (0.0, 1.0, 2.5):
        # Every tenth stays as it is.
        run(database, {key: Scored("steady", None, key + (step if key % 10 else 0.0), 0.5) for key in keys})
        if step == 1.0:
            assert n_rows(database) == 1_170
    assert n_rows(database) == 0
    assert told(database) == {
        (endpoint, key): [
            (numbers(clv=float(key), churn_probability=0.5), numbers(clv=key + 2.5, churn_probability=0.5))
        ]
        for key in keys
        if key % 10
    }


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({"churn_probability": 0.1}, [0, 4]),
        ({"churn_probability": 0.3}, []),
        ({"clv": 10}, [2, 4]),
        ({"clv": 10, "churn_probability": 0.05}, [0, 1, 2, 4]),
        ({"value_at_risk": 0}, []),
    ],
)
def test_a_changed_score_is_told_from_the_thresholds_of_each_endpoint_on(
    database: Database, thresholds: dict[str, float], expected: list[int]
) -> None:
    endpoint = add_endpoint(database, thresholds=thresholds)
    add_endpoint(database, thresholds={"churn_probability": 10.0})
    add_endpoint(database, [MODEL_PROMOTED])
    add_endpoint(database, disabled_at=NOW)
    moves: list[tuple[Numbers, Numbers]] = [
        (numbers(churn_probability=0.5, clv=5.0), numbers(churn_probability=0.4, clv=5.0)),
        (numbers(churn_probability=0.5, clv=5.0), numbers(churn_probability=0.41, clv=-4.0)),
        (numbers(churn_probability=None, clv=5.0), numbers(churn_probability=0.5, clv=15.0)),
        (numbers(churn_probability=0.5, clv=None), numbers(churn_probability=None, clv=15.0)),
        (numbers(churn_probability=0.1, clv=30.0), numbers(churn_probability=0.35, clv=10.0)),
    ]
    with database.read() as session:
        compared = compare(session, dict(enumerate(moves)), Audience.of(session.connection()))
    assert compared.told == {i: [(moves[i][0], [endpoint])] for i in expected}


def test_a_number_that_was_not_there_when_told_last_is_compared_with_the_first_since(database: Database) -> None:
    add_customers(database, ["ada"])
    endpoint = add_endpoint(database, [SCORE_CHANGED], {"churn_probability": 0.1})
    run(database, {1: Scored("steady", None, 1.0)})
    for probability in (0.5, 0.55, None, 0.45, 0.4):
        score_again(database, {1: Scored("steady", None, 2.0, probability)})
    before, after = numbers(churn_probability=0.5, clv=1.0), numbers(churn_probability=0.4, clv=2.0)
    assert told(database) == {(endpoint, 1): [(before, after)]}


def test_an_endpoint_that_was_disabled_is_told_what_has_changed_since_it_was_told_last(database: Database) -> None:
    add_customers(database, ["ada"])
    endpoint = add_endpoint(database, [SCORE_CHANGED], {"churn_probability": 0.1})
    run(database, churns(0.1))
    for disabled_at, probability in ((NOW, 0.25), (NOW, 0.5), (None, 0.5), (None, 0.5)):
        with database.write() as session:
            session.execute(update(WebhookEndpoint).values(disabled_at=disabled_at))
        run(database, churns(probability))
    assert told(database) == {(endpoint, 1): [(numbers(churn_probability=0.1), numbers(churn_probability=0.5))]}


def test_what_a_deleted_endpoint_was_told_goes_with_the_next_run(database: Database) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, [SCORE_CHANGED], {"churn_probability": 0.5})
    run(database, dict.fromkeys((1, 2), Scored("steady", None, None, 0.1)))
    run(database, dict.fromkeys((1, 2), Scored("steady", None, None, 0.2)))
    assert n_rows(database) == 2
    with database.write() as session:
        session.execute(update(WebhookEndpoint).values(deleted_at=NOW))
    run(database, dict.fromkeys((1, 2), Scored("steady", None, None, 0.3)))
    assert n_rows(database) == 0


@pytest.mark.parametrize("end", [{"merged_into": 2}, {"erased_at": NOW}])
def test_of_whom_was_merged_or_erased_nothing_is_written(database: Database, end: dict[str, Any]) -> None:
    add_customers(database, ["ada", "bob"])
    add_endpoint(database, [SCORE_CHANGED], {"churn_probability": 0.15})
    run(database, churns(0.1))
    with database.write() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(**end))
    run(database, churns(0.2))
    run(database, churns(0.3))
    assert (told(database), n_rows(database)) == ({}, 0)


class _Model:
    """What is told, by dictionaries and nothing else."""

    def __init__(self) -> None:
        self.thresholds: dict[int, dict[str, float]] = {}
        self.disabled: set[int] = set()
        self.stored: dict[int, dict[str, float | None]] = {}
        self.known: dict[tuple[int, int], dict[str, float | None]] = {}
        self.told: Told = defaultdict(list)
        self.events = 0

    def scored(self, key: int, after: dict[str, float | None] | None) -> None:
        befores: list[Numbers] = []
        for endpoint, thresholds in self.thresholds.items():
            if after is None or key not in self.stored:
                self.known.pop((endpoint, key), None)
                continue
            known = self.known.setdefault((endpoint, key), dict(self.stored[key]))
            moved = any(
                known[name] is not None
                and after[name] is not None
                and abs(after[name] - known[name]) > threshold - 1e-9  # type: ignore[operator]
                for name, threshold in thresholds.items()
            )
            if moved and endpoint not in self.disabled:
                self.told[endpoint, key].append((dict(known), after))
                if known not in befores:
                    befores.append(dict(known))
                self.known[endpoint, key] = dict(after)
            else:
                for name, number in after.items():
                    known[name] = number if known[name] is None else known[name]
        self.events += len(befores)
        if after is None:
            self.stored.pop(key, None)
        else:
            self.stored[key] = after

    def differing(self) -> int:
        """How many of those known differ from what is stored."""
        return sum(self.stored.get(key) != known for (_, key), known in self.known.items())


def _random_scores(source: random.Random, keys: list[int]) -> dict[int, Scored]:
    def number(scale: float) -> float | None:
        return None if source.random() < 0.1 else source.randrange(8) * scale

    return {key: Scored("steady", number(1.0), number(5.0), number(0.05)) for key in keys}


def _numbers_of(scored: Scored) -> dict[str, float | None]:
    return numbers(churn_probability=scored.churn_probability, clv=scored.clv, value_at_risk=scored.value_at_risk)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_runs_and_live_scores_tell_each_endpoint_what_a_plain_model_tells(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("store.memberships._CUSTOMERS_A_TRANSACTION", 4)
    monkeypatch.setattr("store.memberships._ROWS_A_TRANSACTION", 7)
    source, model, keys = random.Random(seed), _Model(), list(range(1, 8))
    add_customers(database, [f"customer {key}" for key in keys])
    wanted: list[dict[str, float]] = [
        {"churn_probability": 0.1},
        {"churn_probability": 0.2, "clv": 10.0},
        {"clv": 35.0},
    ]

    def add(thresholds: dict[str, float]) -> None:
        model.thresholds[add_endpoint(database, [SCORE_CHANGED], thresholds)] = thresholds

    def end(endpoint: int, **values: Any) -> None:
        with database.write() as session:
            session.execute(update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint).values(**values))

    def run_of(some: list[int]) -> None:
        scored = _random_scores(source, some)
        run(database, scored)
        with database.read() as session:
            left_to_the_worker = set(session.scalars(select(RescoreRequest.customer_key)))
        for key in keys:
            if key not in left_to_the_worker:
                model.scored(key, _numbers_of(scored[key]) if key in scored else None)

    for thresholds in wanted:
        add(thresholds)
    run_of(keys)
    for _ in range(100):
        endpoint = source.choice(sorted(model.thresholds))
        doer = source.choice(["run", "run", "live", "live", "live", "ask", "disable", "another"])
        if doer == "run":
            run_of(source.sample(keys, source.choice([5, 7, 7])))
        elif doer == "live":
            scored = _random_scores(source, source.sample(keys, 3))
            score_again(database, scored)
            for key, score in scored.items():
                model.scored(key, _numbers_of(score))
        elif doer == "ask":
            ask(database, source.choice(keys))
        elif doer == "disable":
            is_disabled = source.random() < 0.3
            end(endpoint, disabled_at=NOW if is_disabled else None)
            model.disabled = model.disabled | {endpoint} if is_disabled else model.disabled - {endpoint}
        elif source.random() < 0.3:
            end(endpoint, deleted_at=NOW)
            add(model.thresholds.pop(endpoint))
            model.known = {place: known for place, known in model.known.items() if place[0] != endpoint}
    assert told(database) == model.told
    assert {1, 2, 3} <= {endpoint for endpoint, _ in model.told}
    assert sum(map(len, model.told.values())) > model.events > 40
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(OutboxEvent)) == model.events
    scored = _random_scores(source, keys)
    score_again(database, scored)
    for key, score in scored.items():
        model.scored(key, _numbers_of(score))
    assert n_rows(database) == model.differing() > 0
