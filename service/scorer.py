"""Scores of a few customers from their stored events as they are at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from features.event_log import EventLog
from features.netting import NO_PRODUCT, ROW_ORDER, RawEvents, net
from features.targets import Target
from features.windows import Snapshot
from models.change_reasons import Change
from models.score_changes import score_changes
from models.scoring import Scores, score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs
from service.bundle_cache import BundleCache, ServedModel
from service.clock import Clock
from service.exceptions import PeriodError
from service.explained import ExplainedScore, explain
from store import policies
from store.events import CustomerKeys, read_events
from store.evidence import Evidence, read_with_evidence
from store.memberships import open_memberships
from store.tables.base import to_microseconds

__all__ = ["Basis", "Movement", "ScoredCustomers", "Scorer", "ScoringTerms", "score_stored", "warm_up"]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What scores of stored customers rest on beside the model and the policy.

    Attributes
    ----------
    customers : CustomerKeys
    evidence : Evidence
    memberships : mapping of segment to bool, one a customer
        Who was in it.
    has_stored_cutoffs : bool
        Whether the cut-offs are those found for model and policy, and not yet the bundle's own.
    """

    customers: CustomerKeys
    evidence: Evidence
    memberships: Mapping[str, NDArray[np.bool_]]
    has_stored_cutoffs: bool


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCustomers:
    """Scores of some customers, and what they were made with.

    Attributes
    ----------
    model : ServedModel
    policy_version : int
    as_of : datetime
        The instant that they speak of.
    by_customer : mapping of customer_id to columns
        Each customer's columns as the store keeps them: plain values, None for what does not apply.
    scores : Scores
        The same before it is put into columns.
    basis : Basis or None
        None of customers who are not stored.
    """

    model: ServedModel
    policy_version: int
    as_of: datetime
    by_customer: Mapping[str, Mapping[str, Any]]
    scores: Scores
    basis: Basis | None = None

    @property
    def targets(self) -> dict[str, Target]:
        """Those of the model, by name."""
        return {name: model.target for name, model in self.model.bundle.targets.items()}

    def explained(self, customer_id: str) -> ExplainedScore:
        """Return one customer's score in words."""
        bundle = self.model.bundle
        return explain(
            self.by_customer[customer_id],
            targets=self.targets,
            currency=bundle.currency,
            clv_reference=None if bundle.outlook is None else bundle.outlook.reference,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """Why the scores of one customer moved between two instants, by one model.

    Attributes
    ----------
    model : ServedModel
    since, until : datetime
    before, now : Scores
        At either instant, without what the policy says of who has been in a segment before.
    changes : mapping of name to Change
        As `score_changes` returns them.
    """

    model: ServedModel
    since: datetime
    until: datetime
    before: Scores
    now: Scores
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class ScoringTerms:
    """What customers are scored with: one model, one policy, its cut-offs, and whether those are stored."""

    model: ServedModel
    policy_version: int
    policy: SegmentPolicy
    cutoffs: Cutoffs
    has_stored_cutoffs: bool

    def score(self, log: EventLog, memberships: Mapping[str, NDArray[np.bool_]], as_of: datetime) -> ScoredCustomers:
        """Score the customers of a log.

        Parameters
        ----------
        log : EventLog
        memberships : mapping of segment to bool, one a customer of the log
            Who is in it now.
        as_of : datetime
            The instant that scores speak of.
        """
        snapshot = Snapshot.at(as_of, self.model.calendar)
        scores = score(self.model.bundle, self.policy, self.cutoffs, log, memberships, snapshot)
        columns = scores.columns()
        rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
        by_customer = dict(zip(log.customer_ids, rows, strict=True))
        return ScoredCustomers(self.model, self.policy_version, as_of, by_customer, scores)


class Scorer:
    """Composes what is stored of a customer with the champion.

    Parameters
    ----------
    bundles : BundleCache
    as_of : datetime, optional
        The instant that scores speak of; without it each speaks of the moment in which it is computed.
    now : Clock
    """

    def __init__(self, bundles: BundleCache, *, as_of: datetime | None, now: Clock) -> None:
        self._bundles = bundles
        self._fixed_as_of = as_of
        self._now = now
        # Replaced as a whole, which other threads see at once.
        self._known: ScoringTerms | None = None

    def as_of(self) -> datetime:
        """Return the instant that a score computed now speaks of."""
        return self._now() if self._fixed_as_of is None else self._fixed_as_of

    def score(self, session: Session, customers: CustomerKeys) -> ScoredCustomers:
        """Score up to a few thousand customers, all with one model, one policy and one instant.

        Parameters
        ----------
        session : Session
            One view of the data; everything is read from it.
        customers : CustomerKeys

        Raises
        ------
        ModelUnavailableError
            There is no model to score with.
        """
        terms = self.terms(session)
        return score_stored(session, terms, customers, open_memberships(session, customers.keys), self.as_of())

    def terms(self, session: Session) -> ScoringTerms:
        """Return what everybody is scored with at this moment.

        Raises
        ------
        ModelUnavailableError
            There is no model to score with.
        """
        model, policy_version = self._bundles.current(session), policies.current_version(session)
        known = self._known
        if known is not None and known.model is model and known.policy_version == policy_version:
            return known
        policy = policies.read_policy(session, policy_version)
        stored = policies.read_cutoffs(session, model_version=model.version, policy_version=policy_version)
        cutoffs = model.bundle.cutoffs if stored is None else Cutoffs.from_dict(stored)
        terms = ScoringTerms(model, policy_version, SegmentPolicy.from_dict(policy), cutoffs, stored is not None)
        if stored is not None:
            self._known = terms
        return terms

    def movement(
        self, session: Session, customer: CustomerKeys, since: datetime, until: datetime | None = None
    ) -> Movement:
        """Say why the scores of one customer moved between two instants, the second of which is now without `until`.

        Raises
        ------
        PeriodError
            The second is not after the first, or is after the instant that a score computed now speaks of.
        ModelUnavailableError
            There is no model to score with.
        """
        as_of = self.as_of()
        end = as_of if until is None else until
        if not since < end <= as_of:
            raise PeriodError(since, end, as_of)
        model = self._bundles.current(session)
        bundle, log = model.bundle, _events(session, customer, model)
        before, now = (
            score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at(instant, model.calendar))
            for instant in (since, end)
        )
        return Movement(model, since, end, before, now, score_changes(before, now))


def score_stored(
    session: Session,
    terms: ScoringTerms,
    customers: CustomerKeys,
    memberships: Mapping[str, NDArray[np.bool_]],
    as_of: datetime,
    *,
    upto: int | None = None,
) -> ScoredCustomers:
    """Score stored customers.

    Parameters
    ----------
    session, terms, customers
    memberships : mapping of segment to bool, one a customer
        Who is in it.
    as_of : datetime
        The instant that scores speak of.
    upto : int, optional
        From no more than was written up to this sequence number.
    """
    model, instant = terms.model, to_microseconds(as_of)
    log, evidence = read_with_evidence(
        session, customers, model.calendar, model.bundle.events_with_properties, as_of=instant, upto=upto
    )
    basis = Basis(customers, evidence, memberships, terms.has_stored_cutoffs)
    return replace(terms.score(log, memberships, as_of), basis=basis)


def warm_up(model: ServedModel) -> None:
    """Score an invented customer, so that everything compiled is compiled before the first real one."""
    instant = model.calendar.midnight(0)
    one_order = RawEvents(
        customer_ids=("invented",),
        customer=np.zeros(1, dtype=np.int64),
        occurred_at=np.full(1, instant, dtype=np.int64),
        action=np.full(1, ROW_ORDER, dtype=np.int8),
        group=np.ones(1, dtype=np.int64),
        order_key=np.ones(1, dtype=np.int64),
        product=np.full(1, NO_PRODUCT, dtype=np.int64),
        quantity=np.full(1, np.nan),
        value=np.ones(1),
        event_type=np.zeros(1, dtype=np.int16),
        event_types=("Order Completed",),
    )
    log, _ = net(one_order, model.calendar)
    bundle = model.bundle
    score(bundle, bundle.policy, bundle.cutoffs, log, {}, Snapshot.at_midnight(1, model.calendar))


def _events(session: Session, customers: CustomerKeys, model: ServedModel) -> EventLog:
    return read_events(session, customers, model.calendar, model.bundle.events_with_properties)
