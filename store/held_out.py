"""Who is held out: a random share of customers, the same ones whenever and for whatever it is asked.

What decides is a hash of the customer's key under a salt of the database: scores, ranks and runs have no part in it, so
that those held out differ from the others by chance alone.
"""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.tables import HoldOutSalt

__all__ = ["HeldOut", "read_held_out"]

_DIGEST_BYTES, _KEY_BYTES = 8, 8


class HeldOut:
    """The customers who are held out.

    Parameters
    ----------
    salt : bytes
        Up to 64.
    share : float
        Of all customers, from 0 to below 1. Whoever is held out at a share is at every larger one.
    """

    def __init__(self, salt: bytes, share: float) -> None:
        self._salt = salt
        self._below = int(share * 2 ** (8 * _DIGEST_BYTES))

    def __contains__(self, customer_key: int) -> bool:
        digest = blake2b(customer_key.to_bytes(_KEY_BYTES, "big"), key=self._salt, digest_size=_DIGEST_BYTES).digest()
        return int.from_bytes(digest, "big") < self._below


def read_held_out(session: Session, share: float) -> HeldOut:
    """Read who is held out at a share."""
    return HeldOut(session.scalars(select(HoldOutSalt.salt)).one(), share)
