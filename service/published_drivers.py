"""What drives the scores of the published run, by target and segment, as the run stored it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from features.targets import CHURN
from models.driver_report import EVERYBODY, DriverReport
from models.segments import SEGMENTS
from service.exceptions import UnknownSegmentError, UnknownTargetError
from service.published_list import PublishedList, read_published
from store import drivers
from store.exceptions import StoreError

__all__ = ["PublishedDrivers", "read_drivers"]


@dataclass(frozen=True, slots=True, eq=False)
class PublishedDrivers:
    """One report of drivers, and what others there are beside it.

    Attributes
    ----------
    published : PublishedList
        The run.
    target, segment : str
        What the report is of.
    targets, segments : tuple of str
        All that the run has reports of: churn first, then by name; everybody first, then in the order of the policy.
    report : DriverReport
    """

    published: PublishedList
    target: str
    segment: str
    targets: tuple[str, ...]
    segments: tuple[str, ...]
    report: DriverReport


def read_drivers(session: Session, *, target: str | None, segment: str) -> PublishedDrivers:
    """Read a report of the published run.

    Parameters
    ----------
    session : Session
    target : str or None
        None for churn, or the first by name where there is no churn.
    segment : str
        "all" for everybody judged.

    Raises
    ------
    StoreError
        Nothing is published yet, or by a version that made no reports.
    UnknownTargetError, UnknownSegmentError
        It names those that there are.
    """
    published = read_published(session)
    reported = drivers.reported(session, published.run.id)
    targets = tuple(sorted(reported, key=lambda name: (name != CHURN, name)))
    if not targets:
        raise StoreError(f"Scoring run {published.run.id} has no reports of drivers. Run: regulars score")
    found = targets[0] if target is None else target
    if found not in reported:
        raise UnknownTargetError(f"There is no model of the target {found!r}. Targets: {', '.join(targets)}.")
    segments = tuple(name for name in (EVERYBODY, *SEGMENTS) if name in reported[found])
    if segment not in segments:
        raise UnknownSegmentError(f"There is no segment {segment!r}. Segments: {', '.join(segments)}.")
    # Written by the run as `models.drivers` made it.
    report = cast(DriverReport, drivers.read(session, published.run.id, found, segment))
    return PublishedDrivers(published, found, segment, targets, segments, report)
