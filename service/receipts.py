"""Receipts of scores: signed ids that hold all it takes to compute a score again, so that nothing has to be kept."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy.orm import Session

from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS, Cutoffs
from service.bundle_cache import BundleCache
from service.clock import Clock
from service.exceptions import GoneReceiptError, ModelUnavailableError, UnknownReceiptError
from service.scorer import ScoredCustomers, ScoringTerms, score_stored
from store import policies
from store.customer_keys import CustomerKeys
from store.evidence import Evidence, has_merged_since, holder_of
from store.exceptions import UnknownModelError, UnknownPolicyError
from store.keyed_hash import KeyedHash
from store.tables.base import from_microseconds, to_microseconds

__all__ = ["Receipt", "Receipts"]

_BEGINNING = "r1_"
_SIGNATURE_BYTES = 16
_NOT_OURS = "No score of this service has this receipt. Take it from `receipt` of a score as it is."


class Receipt(NamedTuple):
    """What a score rests on.

    Attributes
    ----------
    issued_at, as_of : int
        Microseconds since 1970-01-01 UTC; the second is the instant that the score speaks of.
    customer_key : int
    customer : bytes
        Beginning of a keyed hash of the customer's id.
    model_version : int
    bundle_hash : bytes
        Beginning of the bundle's.
    policy_version : int
    sequence_number : int
        Of the last that was known of the customer.
    n_rows, digest, attribute_number, n_attributes, attribute_digest
        As `Evidence` has them.
    segments : int
        Those that the customer was in, one bit each in the order of `SEGMENTS`.
    has_stored_cutoffs : bool
        As `Basis` has it.
    """

    issued_at: int
    as_of: int
    customer_key: int
    customer: bytes
    model_version: int
    bundle_hash: bytes
    policy_version: int
    sequence_number: int
    n_rows: int
    digest: bytes
    attribute_number: int
    n_attributes: int
    attribute_digest: int
    segments: int
    has_stored_cutoffs: bool


_LAYOUT = struct.Struct(">qqq8sI16sIqI16sqIQH?")


class Receipts:
    """Gives receipts, reads them, and computes scores again by them.

    Parameters
    ----------
    keyed_hash : KeyedHash
        Of the deployment.
    bundles : BundleCache
    valid_for : timedelta
        Since it was given.
    now : Clock
    """

    def __init__(self, keyed_hash: KeyedHash, bundles: BundleCache, *, valid_for: timedelta, now: Clock) -> None:
        self._signatures = keyed_hash.derived("receipts")
        self._customers = keyed_hash.derived("customers of receipts")
        self._bundles = bundles
        self._valid_for = valid_for
        self._now = now

    def of(self, scored: ScoredCustomers) -> dict[str, str]:
        """Return the receipt of each of some stored customers' scores, by customer_id; none of those not stored."""
        return {
            customer_id: self._text(receipt)
            for customer_id, receipt in self._receipts(scored, to_microseconds(self._now()))
        }

    def read(self, text: str) -> Receipt:
        """Read a receipt.

        Raises
        ------
        UnknownReceiptError
            It is none that was given here, or was changed.
        GoneReceiptError
            It was given too long ago.
        """
        try:
            packed = base64.urlsafe_b64decode(text.removeprefix(_BEGINNING) + "==")
        except (binascii.Error, ValueError):
            packed = b""
        if not text.startswith(_BEGINNING):
            packed = b""
        content, signature = packed[:-_SIGNATURE_BYTES], packed[-_SIGNATURE_BYTES:]
        if len(content) != _LAYOUT.size or not hmac.compare_digest(signature, self._signature(content)):
            raise UnknownReceiptError(_NOT_OURS)
        receipt = Receipt._make(_LAYOUT.unpack(content))
        if self._now() - from_microseconds(receipt.issued_at) > self._valid_for:
            raise GoneReceiptError(
                "receipt-expired", f"receipts are good for {self._valid_for.days} days (REGULARS_RECEIPT_DAYS)."
            )
        return receipt

    def replay(self, session: Session, receipt: Receipt) -> ScoredCustomers:
        """Compute a score again, of one customer, from what it rested on.

        Raises
        ------
        GoneReceiptError
            What it rested on is not there any more.
        """
        customer_id = self._holder(session, receipt)
        terms = self._terms(session, receipt)
        customer = CustomerKeys((customer_id,), np.array([receipt.customer_key]))
        memberships = {segment: np.array([True]) for bit, segment in enumerate(SEGMENTS) if receipt.segments >> bit & 1}
        scored = score_stored(
            session, terms, customer, memberships, from_microseconds(receipt.as_of), upto=receipt.sequence_number
        )
        if scored.basis is None or not _rests_on(receipt, scored.basis.evidence):
            if has_merged_since(session, receipt.customer_key, receipt.sequence_number):
                raise GoneReceiptError(
                    "history-merged", "another customer was merged into this one, and orders of both became one."
                )
            raise GoneReceiptError("history-pruned", "a part of the history that it rested on has been deleted.")
        return scored

    def _receipts(self, scored: ScoredCustomers, issued_at: int) -> Iterator[tuple[str, Receipt]]:
        basis, model = scored.basis, scored.model
        if basis is None:
            return
        customers, evidence = basis.customers, basis.evidence
        segments = np.zeros(len(customers.keys), dtype=np.int64)
        for bit, segment in enumerate(SEGMENTS):
            if segment in basis.memberships:
                segments |= basis.memberships[segment].astype(np.int64) << bit
        bundle_hash = bytes.fromhex(model.bundle_hash)[:16]
        as_of = to_microseconds(scored.as_of)
        of_each = zip(
            customers.customer_ids, customers.keys.tolist(), evidence.sequence_number.tolist(),
            evidence.n_rows.tolist(), evidence.digest.astype(">u8"), evidence.attribute_number.tolist(),
            evidence.n_attributes.tolist(), evidence.attribute_digest.tolist(), segments.tolist(), strict=True,
        )  # fmt: skip
        for customer_id, key, number, n_rows, digest, attribute, n_attributes, attribute_digest, member in of_each:
            yield (
                customer_id,
                Receipt(
                    issued_at=issued_at,
                    as_of=as_of,
                    customer_key=key,
                    customer=self._customer(customer_id),
                    model_version=model.version,
                    bundle_hash=bundle_hash,
                    policy_version=scored.policy_version,
                    sequence_number=number,
                    n_rows=n_rows,
                    digest=digest.tobytes(),
                    attribute_number=attribute,
                    n_attributes=n_attributes,
                    attribute_digest=attribute_digest,
                    segments=member,
                    has_stored_cutoffs=basis.has_stored_cutoffs,
                ),
            )

    def _text(self, receipt: Receipt) -> str:
        content = _LAYOUT.pack(*receipt)
        packed = base64.urlsafe_b64encode(content + self._signature(content))
        return _BEGINNING + packed.decode().rstrip("=")

    def _signature(self, content: bytes) -> bytes:
        return self._signatures.of_bytes(content)[:_SIGNATURE_BYTES]

    def _customer(self, customer_id: str) -> bytes:
        return self._customers.of(customer_id)[:8]

    def _holder(self, session: Session, receipt: Receipt) -> str:
        holder = holder_of(session, receipt.customer_key)
        # A key may be given anew once its holder is gone.
        if holder is None or not hmac.compare_digest(self._customer(holder.customer_id), receipt.customer):
            raise GoneReceiptError("history-erased", "the customer has been erased.")
        if holder.is_merged:
            raise GoneReceiptError("history-merged", "the customer has been merged into another.")
        return holder.customer_id

    def _terms(self, session: Session, receipt: Receipt) -> ScoringTerms:
        version = receipt.model_version
        try:
            model = self._bundles.of_version(session, version)
        except (ModelUnavailableError, UnknownModelError) as error:
            raise GoneReceiptError("model-gone", str(error)) from error
        if bytes.fromhex(model.bundle_hash)[:16] != receipt.bundle_hash:
            raise GoneReceiptError("model-gone", f"version {version} was another model then.")
        policy_version = receipt.policy_version
        try:
            policy = SegmentPolicy.from_dict(policies.read_policy(session, policy_version))
        except UnknownPolicyError as error:
            raise GoneReceiptError("policy-gone", str(error)) from error
        stored = policies.read_cutoffs(session, model_version=version, policy_version=policy_version)
        if stored is None or not receipt.has_stored_cutoffs:
            return ScoringTerms(model, policy_version, policy, model.bundle.cutoffs, has_stored_cutoffs=False)
        return ScoringTerms(model, policy_version, policy, Cutoffs.from_dict(stored), has_stored_cutoffs=True)


def _rests_on(receipt: Receipt, evidence: Evidence) -> bool:
    return (receipt.n_rows, receipt.digest, receipt.n_attributes, receipt.attribute_digest) == (
        int(evidence.n_rows[0]),
        evidence.digest[0].astype(">u8").tobytes(),
        int(evidence.n_attributes[0]),
        int(evidence.attribute_digest[0]),
    )
