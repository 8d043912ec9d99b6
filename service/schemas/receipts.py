"""A score computed again, and what it rested on."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from service.receipts import Receipt
from service.schemas.scores import Score
from store.tables.base import from_microseconds

__all__ = ["ReceiptAnswer", "RestedOn"]


class RestedOn(BaseModel):
    """What a score rested on, as its receipt says."""

    issued_at: datetime = Field(description="When the score was answered.")
    sequence_number: int = Field(description="Of the last that was stored of the customer then.")
    events: int = Field(description="Lines of orders, and events without lines, that had occurred before `as_of`.")
    digest: str = Field(description="Of their identities, in any order, hexadecimal; checked.")
    attributes: int = Field(description="Attributes in force at `as_of`.")
    attribute_version: int = Field(description="The greatest sequence number of these.")
    bundle_hash: str = Field(description="Beginning of the SHA-256 of the model's bundle; checked.")


class ReceiptAnswer(BaseModel):
    """The same score once more."""

    score: Score = Field(description="As it was answered.")
    rested_on: RestedOn = Field(description="What it rested on.")

    @classmethod
    def of(cls, receipt: Receipt, score: Score) -> Self:
        """Return what is told of a receipt."""
        return cls(
            score=score,
            rested_on=RestedOn(
                issued_at=from_microseconds(receipt.issued_at),
                sequence_number=receipt.sequence_number,
                events=receipt.n_rows,
                digest=receipt.digest.hex(),
                attributes=receipt.n_attributes,
                attribute_version=receipt.attribute_number,
                bundle_hash=receipt.bundle_hash.hex(),
            ),
        )
