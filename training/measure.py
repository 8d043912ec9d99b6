"""Count the effect of campaigns, and let a save rate that was measured replace the one assumed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from features.calendar import LocalCalendar
from models.campaign_effect import ArmTally, CampaignEffect, measure_effect
from models.save_rate import Verdict, judge_save_rate, with_measured
from models.segment_policy import SegmentPolicy
from store import policies, registry
from store.campaign_outcomes import ArmOutcomes, read_outcomes
from store.campaigns import adopt, find_campaign, write_effect, write_verdict
from store.engine import Database
from store.exceptions import StoreError
from store.settings import Settings
from training.log_end import find_log_end

__all__ = ["Measured", "measure_campaign"]

# While windows are open, what came about changes by the day.
_BETWEEN_COUNTS = timedelta(days=1)


class Measured(NamedTuple):
    """What was counted, the instant that it speaks of, and whether the save rate is fit to be adopted."""

    effect: CampaignEffect
    as_of: datetime
    verdict: Verdict


def measure_campaign(database: Database, settings: Settings, named: int | str, *, now: datetime) -> Measured:
    """Count the effect of a campaign from what is stored, and keep it.

    Where the settings say so and the save rate is fit for it, it goes into the segment policy.

    Parameters
    ----------
    database : Database
    settings : Settings
    named : int or str
        Number or name.
    now : datetime

    Raises
    ------
    UnknownCampaignError
        There is no such campaign.
    StoreError
        Nobody is assigned to it yet, or what it was counted from has been deleted.
    """
    with database.read() as session:
        campaign = find_campaign(session, named)
        policy = _policy(session)
        horizon_days = registry.churn_horizon(session)
    if campaign.pruned_at is not None:
        raise StoreError(
            f"What the effect of campaign {campaign.name!r} is counted from was deleted up to "
            f"{campaign.pruned_at:%Y-%m-%d}. What was counted before stays."
        )
    calendar = LocalCalendar(settings.timezone)
    # Orders that are not stored yet, because a source is late or silent, are none that did not come.
    as_of = find_log_end(database, settings.as_of or now, calendar) or campaign.assigned_at
    outcomes = read_outcomes(database, campaign, calendar, as_of=as_of)
    if not outcomes:
        raise StoreError(f"Nobody is assigned to campaign {campaign.name!r} yet.")
    effect = measure_effect(
        _tally(campaign.held_out_arm, outcomes.pop(campaign.held_out_arm, ArmOutcomes()), policy),
        [_tally(arm, sums, policy) for arm, sums in sorted(outcomes.items())],
        margin=settings.margin,
        assumed_save_rate=policy.save_rate if campaign.outcome_event is None else None,
    )
    verdict = judge_save_rate(
        effect,
        segment=campaign.segment,
        outcome_event=campaign.outcome_event,
        outcome_days=campaign.outcome_days,
        horizon_days=horizon_days,
    )
    with database.write() as session:
        write_effect(
            session,
            campaign.id,
            effect.to_dict(),
            as_of=as_of,
            seen_due_at=campaign.effect_due_at,
            due_at=now + _BETWEEN_COUNTS if effect.open else None,
        )
        if verdict.save_rate is not None and settings.adopt_save_rate and not campaign.is_adopted:
            in_force = with_measured(
                _policy(session),
                verdict.save_rate,
                campaign=campaign.name,
                outcome_days=campaign.outcome_days,
                as_of=as_of,
            )
            adopt(session, campaign.id, in_force.to_dict(), why=verdict.why, now=now)
        elif not campaign.is_adopted:
            write_verdict(session, campaign.id, _kept(verdict), now=now)
    return Measured(effect, as_of, verdict)


def _policy(session: Session) -> SegmentPolicy:
    """Return the policy in force; before the first training, the default."""
    content = policies.find_policy(session)
    return SegmentPolicy() if content is None else SegmentPolicy.from_dict(content)


def _tally(arm: str, sums: ArmOutcomes, policy: SegmentPolicy) -> ArmTally:
    """Return the sums of an arm, with the policy's cost of each contact of which none was told."""
    return ArmTally(
        arm=arm,
        n=sums.n,
        open=sums.open,
        came=sums.came,
        value=sums.value,
        squares=sums.squares,
        contacted=sums.contacted,
        contacts=sums.contacts,
        cost=sums.cost + sums.without_cost * policy.contact_cost,
    )


def _kept(verdict: Verdict) -> str:
    if verdict.save_rate is None:
        return verdict.why
    return f"{verdict.why} The policy is left as it is, since REGULARS_ADOPT_SAVE_RATE is off."
