"""One customer: what is known, all that is held, and an end of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, BackgroundTasks, status
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from service.access import needs
from service.deps import OpenDatabase, Services, TheServices
from service.openapi import PROBLEMS, problems
from service.parameters import CustomerIdInPath, CustomerIdInQuery
from service.published_list import read_run
from service.schemas.customers import AttributeOut, CustomerOut, ErasureOut, MembershipOut
from service.schemas.scores import StoredScore
from store import memberships
from store.customers import read_facts
from store.engine import Database
from store.erasure import hide_customer
from store.events import find_customer
from store.export import export_customer
from store.keyed_hash import KeyedHash
from store.scores import published_run, stored_score

__all__ = ["router"]

router = APIRouter(tags=["customers"], prefix="/v1", responses=PROBLEMS | problems(404))

_READ = [needs("scores:read")]
# All that is held in one answer is for whoever sees to the customers' rights, not for whoever reads scores.
_ERASE = [needs("customers:erase")]
_AS_JSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get("/customers", dependencies=_READ)
def read_customer_by_query(customer_id: CustomerIdInQuery, database: OpenDatabase) -> CustomerOut:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _customer(customer_id, database)


@router.get("/customers/{customer_id}", dependencies=_READ)
def read_customer(customer_id: CustomerIdInPath, database: OpenDatabase) -> CustomerOut:
    """Tell what is known of a customer: attributes, events in sum, the stored score, the history of segments."""
    return _customer(customer_id, database)


@router.get(
    "/customers/{customer_id}/export", response_class=StreamingResponse, dependencies=_ERASE, responses=_AS_JSON
)
def read_export(customer_id: CustomerIdInPath, database: OpenDatabase) -> StreamingResponse:
    """Answer with all that is held of a customer: ids, attributes, score, segments, rejected rows, events."""
    return _export(customer_id, database)


@router.get("/export", response_class=StreamingResponse, dependencies=_ERASE, responses=_AS_JSON)
def read_export_by_query(customer_id: CustomerIdInQuery, database: OpenDatabase) -> StreamingResponse:
    """Answer as the address with the id in it; for ids with a slash and the like."""
    return _export(customer_id, database)


@router.delete("/customers", status_code=status.HTTP_202_ACCEPTED, dependencies=_ERASE)
def erase_customer_by_query(
    customer_id: CustomerIdInQuery, services: TheServices, background: BackgroundTasks
) -> ErasureOut:
    """Erase as at the address with the id in it; for ids with a slash and the like."""
    return _erase(customer_id, services, background)


@router.delete("/customers/{customer_id}", status_code=status.HTTP_202_ACCEPTED, dependencies=_ERASE)
def erase_customer(customer_id: CustomerIdInPath, services: TheServices, background: BackgroundTasks) -> ErasureOut:
    """Erase a customer for good: in no answer from now on, and deleted within moments; late events are kept out."""
    return _erase(customer_id, services, background)


def _export(customer_id: str, database: Database) -> StreamingResponse:
    headers = {"Content-Disposition": 'attachment; filename="customer.json"'}
    return StreamingResponse(export_customer(database, customer_id), media_type="application/json", headers=headers)


def _erase(customer_id: str, services: Services, background: BackgroundTasks) -> ErasureOut:
    keyed_hash = KeyedHash.open(services.settings.secret_file)
    hide_customer(services.database, customer_id, keyed_hash, now=services.clock())
    background.add_task(services.erasures.resume)
    return ErasureOut(state="hidden, being deleted")


def _customer(customer_id: str, database: Database) -> CustomerOut:
    with database.read() as session:
        customer = find_customer(session, customer_id)
        # Of an id that was merged into another's the answer is that of the other.
        own_id, key = customer.customer_ids[0], int(customer.keys[0])
        facts = read_facts(session, key)
        return CustomerOut(
            customer_id=own_id,
            attributes=[
                AttributeOut(name=attribute.name, value=attribute.value, learnt_at=attribute.learnt_at)
                for attribute in facts.attributes
            ],
            events=facts.events,
            first_event_at=facts.first_event_at,
            last_event_at=facts.last_event_at,
            stored_score=_stored_score(session, own_id, key),
            segment_history=[
                MembershipOut(segment=stay.segment, entered_at=stay.entered_at, left_at=stay.left_at)
                for stay in memberships.history(session, key)
            ],
        )


def _stored_score(session: Session, customer_id: str, key: int) -> StoredScore | None:
    run, score = published_run(session), stored_score(session, key)
    if run is None or score is None:
        return None
    return StoredScore.stored(customer_id, score, read_run(session, run))
