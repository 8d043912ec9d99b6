"""Merges: the history of one id becomes that of the customer for whom it stands from now on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, and_, delete, select, text, update

from store.ingest.known_customers import KnownCustomers
from store.ingest.merged_orders import bring_together
from store.listings import places_of
from store.outbox import SEGMENT_LEFT, Audience, Change, as_told
from store.tables import Customer, Score, ScoringRun, SegmentMembership, SupersededScore
from store.tables.base import from_microseconds

__all__ = ["Merging"]

_MOVE_EVENTS = text("UPDATE event SET customer_key = :into, sequence_number = :number WHERE customer_key = :merged")
# Where the other has learnt the same at the same instant, that stays.
_MOVE_ATTRIBUTES = text(
    "INSERT INTO customer_attribute (customer_key, name, learnt_at, kind, number, text, sequence_number) "
    "SELECT :into, name, learnt_at, kind, number, text, :number FROM customer_attribute WHERE customer_key = :merged "
    "ON CONFLICT (customer_key, name, learnt_at) DO NOTHING"
)
_REMOVE_ATTRIBUTES = text("DELETE FROM customer_attribute WHERE customer_key = :merged")
_REMOVE_REPLACED = text("DELETE FROM replaced_attribute WHERE customer_key = :merged")
# Where both were assigned to arms of one campaign, that of the other stays, as does what came of it.
_MOVE_ASSIGNMENTS = text(
    "INSERT INTO campaign_assignment (campaign_id, customer_key, arm, assigned_at) "
    "SELECT campaign_id, :into, arm, assigned_at FROM campaign_assignment WHERE customer_key = :merged "
    "ON CONFLICT (campaign_id, customer_key) DO NOTHING"
)
_REMOVE_ASSIGNMENTS = text("DELETE FROM campaign_assignment WHERE customer_key = :merged")
_MOVE_CONTACTS = text("UPDATE contact SET customer_key = :into WHERE customer_key = :merged")
# Who waits to be scored again for the one waits for the other.
_MOVE_REQUEST = text(
    "INSERT INTO rescore_request (customer_key, requested_at, times) "
    "SELECT :into, requested_at, times FROM rescore_request WHERE customer_key = :merged "
    "ON CONFLICT (customer_key) DO UPDATE SET times = rescore_request.times + excluded.times"
)
_REMOVE_REQUEST = text("DELETE FROM rescore_request WHERE customer_key = :merged")
# What was told last of the score that goes; that of the other is compared with what was told of the other.
_REMOVE_TOLD = text("DELETE FROM told_score WHERE customer_key = :merged")
_MOVES = (
    _MOVE_EVENTS,
    _MOVE_ATTRIBUTES,
    _REMOVE_ATTRIBUTES,
    _REMOVE_REPLACED,
    _MOVE_ASSIGNMENTS,
    _REMOVE_ASSIGNMENTS,
    _MOVE_CONTACTS,
    _MOVE_REQUEST,
    _REMOVE_REQUEST,
    _REMOVE_TOLD,
)
_REDIRECT = text(
    "UPDATE customer SET merged_into = :into, merged_number = :number WHERE id = :merged OR merged_into = :merged "
    "RETURNING customer_id"
)
_REMOVE_LISTING = text(
    "DELETE FROM segment_listing "
    "WHERE scoring_run_id = :run AND segment = :segment AND rank_value = :rank_value AND customer_key = :key"
)
# What says where a customer stands in lists.
_PLACED_BY = (Score.segments, Score.value_at_risk, Score.clv, Score.churn_probability, Score.propensities)


class Merging:
    """Merges customers, inside the transactions that the caller begins.

    Parameters
    ----------
    connection : Connection
    customers : KnownCustomers
        Of the same connection; it knows of the merges then.
    """

    def __init__(self, connection: Connection, customers: KnownCustomers) -> None:
        self._connection = connection
        self._customers = customers

    def is_due(self, merged: str, into: str) -> bool:
        """Say whether an id is to be merged into another.

        It is not if it stands for another customer already (an id is merged once, and whoever comes first has it), if
        both stand for the same customer, or if one of them was erased. Both have been asked for.
        """
        keys = self._customers.keys((merged, into))
        both = keys[merged], keys[into]
        return not self._customers.is_merged(merged) and all(both) and both[0] != both[1]

    def merge(self, merged: str, into: str, *, now: int, number: int) -> list[str]:
        """Merge an id into another, where it is due; both customers are held.

        Parameters
        ----------
        merged, into : str
        now : int
            Microseconds since 1970-01-01 UTC; when open stays in segments end, which is told.
        number : int
            That of the transaction, from `next_number`.

        Returns
        -------
        list of str
            Ids of orders that both have and that differ; both stay.
        """
        keys = self._customers.keys((merged, into))
        both = {"merged": keys[merged], "into": keys[into], "number": number}
        conflicts = bring_together(self._connection, both["merged"], both["into"])
        for statement in _MOVES:
            self._connection.execute(statement, both)
        self._remove_scores(both["merged"])
        left = self._connection.scalars(
            update(SegmentMembership)
            .where(SegmentMembership.customer_key == both["merged"], SegmentMembership.left_at.is_(None))
            .values(left_at=from_microseconds(now))
            .returning(SegmentMembership.segment)
        ).all()
        if left:
            self._tell(merged, both["merged"], both["into"], sorted(left), now=from_microseconds(now))
        redirected = self._connection.execute(_REDIRECT, both).scalars().all()
        self._customers.stands_for(redirected, both["into"])
        return conflicts

    def _tell(self, merged: str, key: int, into: int, segments: Sequence[str], *, now: datetime) -> None:
        """Tell that an id has left its segments, and under which id the customer goes on."""
        audience = Audience.of(self._connection)
        if not audience.asks_for(SEGMENT_LEFT):
            return
        # No run has said so.
        by_nobody = {"model_version": None, "policy_version": None, "scoring_run_id": None}
        told = {
            "customer_id": merged,
            "merged_into": self._connection.scalar(select(Customer.customer_id).where(Customer.id == into)),
            **by_nobody,
            "as_of": as_told(now),
        }
        changes = [Change(SEGMENT_LEFT, key, {**told, "segment": segment}) for segment in segments]
        audience.write(self._connection, changes, now=now)

    def _remove_scores(self, key: int) -> None:
        """Remove what runs say of a customer, and its places in their lists, each by its key."""
        # Neither table has an index by customer; there are few runs of which not all has been, or is being, deleted.
        runs = self._connection.scalars(select(ScoringRun.id).where(ScoringRun.is_pruned.is_(False))).all()
        of_customer = and_(Score.scoring_run_id.in_(runs), Score.customer_key == key)
        scores = self._connection.execute(select(Score.scoring_run_id, *_PLACED_BY).where(of_customer)).mappings().all()
        if scores:
            self._connection.execute(_REMOVE_LISTING, [place for row in scores for place in _places(key, row)])
            self._connection.execute(delete(Score).where(of_customer))
            first = and_(SupersededScore.scoring_run_id.in_(runs), SupersededScore.customer_key == key)
            self._connection.execute(delete(SupersededScore).where(first))


def _places(key: int, score: RowMapping) -> Iterator[dict[str, Any]]:
    """Yield the keys of a customer's places in the lists of a run."""
    columns = {column.key: [score[column.key]] for column in _PLACED_BY}
    for segment, (rank_value, _) in places_of(np.array([key]), columns).items():
        yield {"run": score["scoring_run_id"], "segment": segment, "rank_value": float(rank_value[0]), "key": key}
