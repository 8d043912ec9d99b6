"""A campaign of the shop whose windows have passed, with customers contacted."""

from __future__ import annotations

from datetime import timedelta

from store.campaign_assignments import assign
from store.campaigns import NewCampaign, add_campaign
from store.contacts import NewContact, add_contacts
from store.engine import Database
from store.settings import Settings
from tests.service.shop import AS_OF, NOW
from tests.store.builders import NOBODY
from training.measure import measure_campaign

__all__ = ["open_campaign"]

_NAME = "Autumn <calls>"


def open_campaign(database: Database, settings: Settings, *, days_ago: int = 90) -> int:
    """Store a campaign of two arms and a held-out one for 90 days, and count its effect; return its number."""
    since = AS_OF - timedelta(days=days_ago)
    new = NewCampaign(
        name=_NAME, segment="at_risk", outcome_event=None, outcome_days=90, held_out_arm="none", assigned_at=since
    )
    with database.write() as session:
        campaign_id = add_campaign(session, new, now=NOW).id
    names = [f"c{number:03}" for number in range(390)]
    arms = [(name, ("phone & mail", "mail", "none")[number % 3]) for number, name in enumerate(names)]
    assign(database, campaign_id, arms, assigned_at=since, now=NOW)
    contacts = {
        number: NewContact(customer_id=name, campaign=_NAME, contacted_at=since + timedelta(days=1), channel="phone")
        for number, (name, arm) in enumerate(arms)
        if arm != "none" and number % 2
    }
    add_contacts(database, contacts, NOBODY, latest=NOW, now=NOW)
    measure_campaign(database, settings, campaign_id, now=NOW)
    return campaign_id
