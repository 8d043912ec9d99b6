"""Scores customers again, of whom something new has come, so that lists are as fresh as single scores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.bundle import Bundle, load_bundle
from models.scoring import score
from models.segment_policy import SegmentPolicy
from models.segments import Cutoffs
from store import policies, registry
from store.customer_keys import customers_among
from store.engine import Database
from store.events import read_events
from store.memberships import open_memberships
from store.rescore_requests import oldest, waiting
from store.rescoring import Rescored, write_rescored
from store.scores import published_run
from store.settings import Settings

__all__ = ["Rescorer"]

# So many that the lock is held for well under 100 ms.
_CUSTOMERS_A_GROUP = 50
# No index leads to who has waited longest, so that all requests are gone through once for so many.
_CUSTOMERS_A_LOOK = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """What the published run scores with."""

    run_id: int
    bundle: Bundle
    policy: SegmentPolicy
    cutoffs: Cutoffs


class Rescorer:
    """Takes up what is asked for, who has waited longest first.

    However much has come of a customer meanwhile, it is scored once. Several may be at work, in one process or in many.

    Parameters
    ----------
    database : Database
    settings : Settings
    now : callable

    Notes
    -----
    For one thread.
    """

    def __init__(self, database: Database, settings: Settings, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._terms: _Terms | None = None
        self._ahead: deque[int] = deque()

    def step(self) -> bool:
        """Score one small group again; return whether there may be more to do at once."""
        if not self._ahead:
            with self._database.read() as session:
                # Before the first run they wait for that, however many they are.
                if published_run(session) is not None:
                    self._ahead.extend(oldest(session, _CUSTOMERS_A_LOOK))
            if not self._ahead:
                return False
        group = [self._ahead.popleft() for _ in range(min(_CUSTOMERS_A_GROUP, len(self._ahead)))]
        rescored = self._score(group)
        if rescored is None:
            self._ahead.clear()
            return False
        done = write_rescored(self._database, rescored, now=self._now())
        # Where others are at the same customers, or more comes of them all the time, it is no use to hurry.
        return bool(self._ahead) or done > 0

    def _score(self, customer_keys: Sequence[int]) -> Rescored | None:
        """Score customers as they are now; None before anybody has been scored, or while another run is published."""
        terms = self._current_terms()
        if terms is None:
            return None
        bundle, calendar = terms.bundle, LocalCalendar(terms.bundle.timezone)
        with self._database.read() as session:
            run = published_run(session)
            if run is None or run.id != terms.run_id:
                return None
            requests = waiting(session, customer_keys)
            # Not before that: what is stored by then, a run that begins later reads too.
            as_of = self._settings.as_of or self._now()
            customers = customers_among(session, [request.customer_key for request in requests])
            log = read_events(session, customers, calendar, bundle.events_with_properties)
            memberships = open_memberships(session, customers.keys)
        found = score(bundle, terms.policy, terms.cutoffs, log, memberships, Snapshot.at(as_of, calendar))
        return Rescored(terms.run_id, as_of, requests, customers.keys, found.columns())

    def _current_terms(self) -> _Terms | None:
        """Return what the published run scores with; loaded between reads, since that takes a while."""
        with self._database.read() as session:
            run = published_run(session)
            if run is None or run.policy_version is None:
                return None
            if self._terms is not None and self._terms.run_id == run.id:
                return self._terms
            version = registry.find_version(session, str(run.model_version))
            policy = SegmentPolicy.from_dict(policies.read_policy(session, run.policy_version))
            cutoffs = policies.read_cutoffs(session, model_version=version.version, policy_version=run.policy_version)
        bundle = load_bundle(self._settings.bundle_dir / version.bundle, expected_hash=version.bundle_hash)
        found = bundle.cutoffs if cutoffs is None else Cutoffs.from_dict(cutoffs)
        self._terms = _Terms(run.id, bundle, policy, found)
        return self._terms
