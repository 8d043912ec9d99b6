"""A list to be worked down: who on it is held out, and who was contacted of late and is therefore passed over.

Both are found out among the rows that a page has read (`store.lists`), some hundreds at a time, so that the list is
read by index as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from store.campaign_arms import held_by_campaigns
from store.contacts import last_contacts
from store.held_out import HeldOut

__all__ = ["Standing", "WorkRules"]

_KEYS_A_STATEMENT = 500


class Standing(NamedTuple):
    """What keeps a customer from being contacted.

    Attributes
    ----------
    held_out : bool
    contacted_at : datetime or None
        When the customer was contacted last, where that matters.
    """

    held_out: bool = False
    contacted_at: datetime | None = None

    @property
    def may_be_contacted(self) -> bool:
        """Whether nothing does."""
        return not self.held_out and self.contacted_at is None


@dataclass(frozen=True, slots=True)
class WorkRules:
    """Who may be contacted.

    Attributes
    ----------
    held_out : HeldOut
        Who may not.
    as_of : datetime
        Nor may whoever a campaign holds out whose outcomes still count then.
    contacted_since : datetime or None
        Nor may whoever was contacted since then; None where that does not matter.
    include_contacted : bool
        Whether these are shown all the same.
    """

    held_out: HeldOut
    as_of: datetime
    contacted_since: datetime | None
    include_contacted: bool = False

    def shows(self, standing: Standing) -> bool:
        """Whether the list shows a customer: those held out too, marked."""
        return standing.contacted_at is None or self.include_contacted

    def of(self, session: Session, customer_keys: Sequence[int]) -> list[Standing]:
        """Read how customers stand."""
        contacted: dict[int, datetime] = {}
        by_campaigns: set[int] = set()
        for start in range(0, len(customer_keys), _KEYS_A_STATEMENT):
            some = customer_keys[start : start + _KEYS_A_STATEMENT]
            by_campaigns |= held_by_campaigns(session, some, as_of=self.as_of)
            if self.contacted_since is not None:
                contacted |= last_contacts(session, some, since=self.contacted_since)
        return [Standing(key in self.held_out or key in by_campaigns, contacted.get(key)) for key in customer_keys]
