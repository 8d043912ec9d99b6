"""Receipts: a score computed again from what it rested on."""

from __future__ import annotations

from fastapi import APIRouter

from service.access import needs
from service.deps import OpenDatabase, TheReceipts
from service.openapi import PROBLEMS, problems
from service.parameters import ReceiptText
from service.schemas.receipts import ReceiptAnswer
from service.schemas.scores import Score

__all__ = ["router"]

router = APIRouter(tags=["scores"], prefix="/v1", dependencies=[needs("scores:read")], responses=PROBLEMS)


@router.get("/receipts/{receipt}", responses=problems(404, 410))
def read_receipt(receipt: ReceiptText, database: OpenDatabase, receipts: TheReceipts) -> ReceiptAnswer:
    """Compute a score again as it was answered, whatever came since, and tell what it rested on."""
    told = receipts.read(receipt)
    with database.read() as session:
        scored = receipts.replay(session, told)
    (customer_id,) = scored.by_customer
    score = Score.computed(customer_id, scored.explained(customer_id), scored, receipt)
    return ReceiptAnswer.of(told, score)
