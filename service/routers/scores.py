"""Scores, computed at the moment from the stored events."""

from __future__ import annotations

from datetime import datetime
from threading import BoundedSemaphore

from fastapi import APIRouter, Response

from service.access import needs
from service.deps import ATurn, OpenDatabase, TheBatches, TheHypotheses, TheReceipts, TheScorer
from service.hypothetical import Hypotheses
from service.openapi import PROBLEMS, problems
from service.parameters import CustomerIdInPath, CustomerIdInQuery, Since, Until
from service.receipts import Receipts
from service.schemas.changes import ChangesAnswer
from service.schemas.hypothetical import UnseenCustomer, WhatIfAnswer, WhatIfRequest
from service.schemas.scores import Score, ScoresAnswer, ScoresRequest
from service.scorer import ScoredCustomers, Scorer
from store.engine import Database
from store.events import find_customer

__all__ = ["router"]

router = APIRouter(
    tags=["scores"], prefix="/v1", dependencies=[needs("scores:read")], responses=PROBLEMS | problems(409)
)


@router.get("/customers/{customer_id}/score", responses=problems(404))
def read_score(
    customer_id: CustomerIdInPath, database: OpenDatabase, scorer: TheScorer, receipts: TheReceipts, turn: ATurn
) -> Score:
    """Score one customer from the events stored at this moment, with reasons."""
    return _score(customer_id, database, scorer, receipts, turn)


@router.get("/score", responses=problems(404))
def read_score_by_query(
    customer_id: CustomerIdInQuery, database: OpenDatabase, scorer: TheScorer, receipts: TheReceipts, turn: ATurn
) -> Score:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _score(customer_id, database, scorer, receipts, turn)


@router.get("/customers/{customer_id}/changes", responses=problems(404))
def read_changes(
    customer_id: CustomerIdInPath,
    since: Since,
    database: OpenDatabase,
    scorer: TheScorer,
    turn: ATurn,
    until: Until = None,
) -> ChangesAnswer:
    """Say why the scores of a customer moved between two instants, in reasons that sum to the movement."""
    return _changes(customer_id, since, until, database, scorer, turn)


@router.get("/changes", responses=problems(404))
def read_changes_by_query(
    customer_id: CustomerIdInQuery,
    since: Since,
    database: OpenDatabase,
    scorer: TheScorer,
    turn: ATurn,
    until: Until = None,
) -> ChangesAnswer:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _changes(customer_id, since, until, database, scorer, turn)


@router.post("/score", responses=problems(400, 413, 415))
def read_unseen_score(unseen: UnseenCustomer, database: OpenDatabase, hypotheses: TheHypotheses, turn: ATurn) -> Score:
    """Score a customer who is told whole, as if stored; nothing is."""
    customer_id = unseen.customer_id
    events = [event.supposed() for event in unseen.events]
    with turn, database.read() as session:
        scored = hypotheses.unseen(session, customer_id, events, unseen.attributes)
    return _of(customer_id, scored)


@router.post("/customers/{customer_id}/what-if", responses=problems(400, 404, 413, 415))
def read_what_if(
    customer_id: CustomerIdInPath,
    request: WhatIfRequest,
    database: OpenDatabase,
    hypotheses: TheHypotheses,
    turn: ATurn,
) -> WhatIfAnswer:
    """Score a customer as is and as if more had happened or other things were known; nothing is stored."""
    return _what_if(customer_id, request, database, hypotheses, turn)


@router.post("/what-if", responses=problems(400, 404, 413, 415))
def read_what_if_by_query(
    customer_id: CustomerIdInQuery,
    request: WhatIfRequest,
    database: OpenDatabase,
    hypotheses: TheHypotheses,
    turn: ATurn,
) -> WhatIfAnswer:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _what_if(customer_id, request, database, hypotheses, turn)


@router.post("/scores", response_model=ScoresAnswer, responses=problems(400, 413, 415))
def read_scores(request: ScoresRequest, batches: TheBatches) -> Response:
    """Score up to 1,000 customers, in the order asked; an id asked twice is answered twice."""
    return Response(batches.answer(request.customer_ids), media_type="application/json")


def _score(customer_id: str, database: Database, scorer: Scorer, receipts: Receipts, turn: BoundedSemaphore) -> Score:
    with turn:
        with database.read() as session:
            customer = find_customer(session, customer_id)
            scored = scorer.score(session, customer)
        (own_id,) = customer.customer_ids
        return _of(own_id, scored, receipts.of(scored)[own_id])


def _what_if(
    customer_id: str, request: WhatIfRequest, database: Database, hypotheses: Hypotheses, turn: BoundedSemaphore
) -> WhatIfAnswer:
    events = [event.supposed() for event in request.events]
    with turn, database.read() as session:
        customer = find_customer(session, customer_id)
        what_if = hypotheses.what_if(session, customer, events, request.attributes)
    return WhatIfAnswer.of(customer.customer_ids[0], what_if)


def _changes(
    customer_id: str,
    since: datetime,
    until: datetime | None,
    database: Database,
    scorer: Scorer,
    turn: BoundedSemaphore,
) -> ChangesAnswer:
    with turn, database.read() as session:
        customer = find_customer(session, customer_id)
        movement = scorer.movement(session, customer, since, until)
    return ChangesAnswer.of(customer.customer_ids[0], movement)


def _of(customer_id: str, scored: ScoredCustomers, receipt: str | None = None) -> Score:
    return Score.computed(customer_id, scored.explained(customer_id), scored, receipt)
