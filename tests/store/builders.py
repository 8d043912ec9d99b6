"""What tests of the store put into a database: customers, facts, models, scoring runs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from store import registry, runs, scores
from store.engine import Database
from store.held_out import HeldOut
from store.listings import write_listings
from store.outbox import KINDS
from store.publishing import publish
from store.tables import (
    Category,
    Channel,
    Customer,
    CustomerAttribute,
    Event,
    EventType,
    ModelVersion,
    OrderLine,
    Product,
    ScoringRun,
    SegmentPolicyVersion,
    Source,
    WebhookEndpoint,
)
from tests.features.learnt import Learnt
from tests.features.strategies import CATEGORIES, CHANNELS, EVENT_TYPES, Row

__all__ = [
    "NOBODY",
    "NOW",
    "Scored",
    "add_attributes",
    "add_customers",
    "add_endpoint",
    "add_facts",
    "add_model",
    "columns_of",
    "publish_run",
    "queue_run",
    "write_scores",
]

NOW = datetime(2024, 5, 1, tzinfo=UTC)
NOBODY = HeldOut(b"salt", 0.0)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run says of one customer; `segments` as stored, separated by a space; probabilities by propensity."""

    segments: str
    value_at_risk: float | None = None
    clv: float | None = None
    churn_probability: float | None = None
    propensities: Mapping[str, float] | None = None


def add_customers(database: Database, customer_ids: Sequence[str], keys: Iterable[int] | None = None) -> dict[str, int]:
    """Store customers, in the order given; return their keys by id."""
    numbered = range(1, len(customer_ids) + 1) if keys is None else keys
    added = dict(zip(customer_ids, numbered, strict=True))
    rows = [{"id": key, "customer_id": customer_id, "created_at": NOW} for customer_id, key in added.items()]
    with database.write() as session:
        session.execute(insert(Customer), rows)
    return added


def add_facts(database: Database, facts: Sequence[Row], *, seed: int = 0, key_gap: int = 1) -> None:
    """Store facts by plain inserts, in an order and with keys that the seed decides.

    Facts of one instant act in the order in which they are given: that is how their identities ascend. What is no line
    stays an event by itself; of the lines of one order, channel and properties are those of the first one given.

    Parameters
    ----------
    database : Database
    facts : sequence of Row
    seed : int
    key_gap : int
        Keys of customers are multiples of it.
    """
    shuffled = random.Random(seed)
    customer_ids = _shuffled({fact.customer for fact in facts}, shuffled)
    customers = add_customers(database, customer_ids, [key_gap * i for i in range(1, len(customer_ids) + 1)])
    products = {product: i for i, product in enumerate(_shuffled(_products(facts), shuffled), start=1)}
    types = {name: i for i, name in enumerate(_shuffled(EVENT_TYPES, shuffled), start=1)}
    channels = {name: i for i, name in enumerate(_shuffled(CHANNELS, shuffled), start=1)}
    categories = {levels: i for i, levels in enumerate(_shuffled(CATEGORIES, shuffled), start=1)}

    heads: dict[object, int] = {}
    grouped: dict[int, list[int]] = {}
    for i, fact in enumerate(facts):
        is_shared = fact.action == "order" and fact.order is not None
        head = heads.setdefault((fact.customer, fact.order) if is_shared else i, len(heads) + 1)
        grouped.setdefault(head, []).append(i)
    event_rows, line_rows = [], []
    for head, members in grouped.items():
        first = facts[members[0]]
        has_lines = first.is_line
        event_rows.append(
            {
                "id": head,
                "customer_key": customers[first.customer],
                "event_type_id": types[first.name],
                "occurred_at": min(facts[i].at for i in members),
                "received_at": NOW,
                "source_id": 1,
                "has_message_id": False,
                "identity": b"head" + members[0].to_bytes(12, "big") if has_lines else _identity(members[0]),
                "order_id": first.order,
                "order_key": None if first.order is None else int.from_bytes(first.order.encode(), "big"),
                "value": None if has_lines else first.value,
                "channel_id": None if first.channel is None else channels[first.channel],
                "properties": first.properties,
            }
        )
        line_rows += [
            {
                "event_id": head,
                "identity": _identity(i),
                "occurred_at": facts[i].at,
                "product_key": None if facts[i].product is None else products[facts[i].product],
                "quantity": facts[i].quantity,
                "category_id": categories.get(facts[i].category),
                "value": facts[i].value,
                "discount": facts[i].discount,
            }
            for i in members
            if has_lines
        ]
    with database.write() as session:
        session.execute(insert(Source), [{"id": 1, "name": "shop"}])
        session.execute(insert(EventType), [{"id": i, "name": name} for name, i in types.items()])
        if products:
            session.execute(insert(Product), [{"id": i, "product_id": str(name)} for name, i in products.items()])
        session.execute(insert(Channel), [{"id": i, "name": name} for name, i in channels.items()])
        session.execute(insert(Category), [{"id": i, "levels": levels} for levels, i in categories.items()])
        session.execute(insert(Event), _shuffled(event_rows, shuffled))
        if line_rows:
            session.execute(insert(OrderLine), _shuffled(line_rows, shuffled))


def add_attributes(database: Database, learnt: Sequence[Learnt]) -> None:
    """Store what was learnt of customers who are there, as the ingest of customer files stores it."""
    with database.write() as session:
        keys = dict(session.execute(select(Customer.customer_id, Customer.id)).all())
        session.execute(
            insert(CustomerAttribute),
            [
                {
                    "customer_key": keys[each.customer],
                    "name": each.name,
                    "learnt_at": each.learnt_at,
                    "kind": each.kind,
                    "number": each.value if isinstance(each.value, float) else None,
                    "text": None if isinstance(each.value, float) else str(each.value),
                }
                for each in learnt
            ],
        )


def add_model(
    database: Database,
    *,
    bundle_hash: str = "a" * 64,
    log_loss: float | None = 0.5,
    auc: float | None = 0.8,
    champion: tuple[int, float | None, float | None] | None = None,
) -> int:
    """Register a model; `champion` is the version compared with, its log loss and AUC. Return the version."""
    theirs = None if champion is None else dict(zip(("version", "log_loss", "auc"), champion, strict=True))
    with database.write() as session:
        return registry.register(
            session,
            bundle=bundle_hash[:12],
            bundle_hash=bundle_hash,
            report={"of": bundle_hash},
            test_metrics={"target": {"log_loss": log_loss, "auc": auc}, "champion": theirs},
            training_run_id=None,
            now=NOW,
        ).version


def add_endpoint(
    database: Database, kinds: Sequence[str] = KINDS, thresholds: Mapping[str, float] | None = None, **further: Any
) -> int:
    """Store an endpoint that is told of changes; return its id."""
    with database.write() as session:
        endpoint = WebhookEndpoint(
            url="https://crm.example.org/hook",
            events=list(kinds),
            thresholds={"churn_probability": 0.1} if thresholds is None else dict(thresholds),
            secret="whsec_",  # noqa: S106  # nobody's
            created_at=NOW,
            **further,
        )
        session.add(endpoint)
        session.flush()
        return endpoint.id


def queue_run(database: Database, *, as_of: datetime = NOW) -> int:
    """Begin a scoring run with model 1 and policy 1, made where they are missing; return its id."""
    with database.write() as session:
        if session.get(ModelVersion, 1) is None:
            session.add(ModelVersion(bundle="b", bundle_hash="h", registered_at=NOW, test_metrics={}, report={}))
        if session.get(SegmentPolicyVersion, 1) is None:
            session.add(SegmentPolicyVersion(policy={}, created_at=NOW))
        run_id = runs.queue_scoring(session, now=NOW, as_of=as_of).id
        runs.claim(session, ScoringRun, now=NOW, run_id=run_id)
    scores.begin(database, run_id, claimed_at=NOW, as_of=as_of, model_version=1, policy_version=1)
    return run_id


def columns_of(scored: Mapping[int, Scored]) -> dict[str, list[Any]]:
    """Return the columns of scores."""
    columns: dict[str, list[Any]] = {name: [None] * len(scored) for name in scores.SCORE_COLUMNS}
    columns["segments"] = [score.segments for score in scored.values()]
    columns["segment"] = [score.segments.split(" ")[0] for score in scored.values()]
    columns["eligible"] = [score.value_at_risk is not None for score in scored.values()]
    columns["value_at_risk"] = [score.value_at_risk for score in scored.values()]
    columns["clv"] = [score.clv for score in scored.values()]
    columns["churn_probability"] = [score.churn_probability for score in scored.values()]
    columns["propensities"] = [
        json.dumps({name: {"probability": probability} for name, probability in (score.propensities or {}).items()})
        for score in scored.values()
    ]
    return columns


def write_scores(database: Database, run_id: int, scored: Mapping[int, Scored], *, claimed_at: datetime = NOW) -> None:
    """Write the scores of customers, by key, under a run."""
    places = scores.write(
        database, run_id, np.array(list(scored), dtype=np.int64), columns_of(scored), claimed_at=claimed_at
    )
    write_listings(database, run_id, [places], claimed_at=claimed_at)


def publish_run(database: Database, scored: Mapping[int, Scored], *, as_of: datetime = NOW) -> int:
    """Make and publish a run that says this of customers; return its id."""
    run_id = queue_run(database, as_of=as_of)
    write_scores(database, run_id, scored)
    publish(database, run_id, n_customers=len(scored), aggregates={"n": len(scored)}, now=lambda: NOW, claimed_at=NOW)
    return run_id


def _identity(position: int) -> bytes:
    return position.to_bytes(16, "big")


def _products(facts: Sequence[Row]) -> set[int]:
    return {fact.product for fact in facts if fact.product is not None}


def _shuffled(items: Iterable[Any], by: random.Random) -> list[Any]:
    ordered = sorted(items, key=repr)
    by.shuffle(ordered)
    return ordered
