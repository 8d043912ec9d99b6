"""One customer: what is known."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.orm import Session

from service.deps import OpenDatabase
from service.openapi import PROBLEMS, problems
from service.parameters import CustomerIdInPath, CustomerIdInQuery
from service.published_list import read_run
from service.schemas.customers import AttributeOut, CustomerOut, MembershipOut
from service.schemas.scores import StoredScore
from store import memberships
from store.customers import read_facts
from store.engine import Database
from store.events import find_customer
from store.scores import published_run, stored_score

__all__ = ["router"]

router = APIRouter(tags=["customers"], prefix="/v1/customers", responses=PROBLEMS | problems(404))


@router.get("")
def read_customer_by_query(customer_id: CustomerIdInQuery, database: OpenDatabase) -> CustomerOut:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _customer(customer_id, database)


@router.get("/{customer_id}")
def read_customer(customer_id: CustomerIdInPath, database: OpenDatabase) -> CustomerOut:
    """Tell what is known of a customer: attributes, events in sum, the stored score, the history of segments."""
    return _customer(customer_id, database)


def _customer(customer_id: str, database: Database) -> CustomerOut:
    with database.read() as session:
        key = int(find_customer(session, customer_id).keys[0])
        facts = read_facts(session, key)
        return CustomerOut(
            customer_id=customer_id,
            attributes=[
                AttributeOut(name=attribute.name, value=attribute.value, learnt_at=attribute.learnt_at)
                for attribute in facts.attributes
            ],
            events=facts.events,
            first_event_at=facts.first_event_at,
            last_event_at=facts.last_event_at,
            stored_score=_stored_score(session, customer_id, key),
            segment_history=[
                MembershipOut(segment=stay.segment, entered_at=stay.entered_at, left_at=stay.left_at)
                for stay in memberships.history(session, key)
            ],
        )


def _stored_score(session: Session, customer_id: str, key: int) -> StoredScore | None:
    run, score = published_run(session), stored_score(session, key)
    if run is None or score is None:
        return None
    published = read_run(session, run)
    return StoredScore.stored(customer_id, published.explained(score), published)
