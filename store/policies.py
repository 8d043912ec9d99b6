"""Segment policies as versioned rows, and the cut-offs found for a model under a policy."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.exceptions import StoreError, UnknownPolicyError
from store.tables import SegmentCutoffs, SegmentPolicyVersion

__all__ = [
    "add_policy",
    "current_policy",
    "current_version",
    "ensure_policy",
    "find_policy",
    "read_cutoffs",
    "read_policy",
    "write_cutoffs",
]


_NO_POLICY = "No segment policy is stored yet. Run: regulars train"


def add_policy(session: Session, policy: dict[str, Any], *, now: datetime) -> int:
    """Put a policy in force from now on, unless it already is; return its version."""
    newest = _newest(session)
    if newest is not None and newest.policy == policy:
        return newest.version
    row = SegmentPolicyVersion(policy=policy, created_at=now)
    session.add(row)
    session.flush()
    return row.version


def ensure_policy(session: Session, default: dict[str, Any], *, now: datetime) -> tuple[int, dict[str, Any]]:
    """Return version and content of the policy in force; the very first is `default`."""
    newest = _newest(session)
    return (newest.version, newest.policy) if newest else (add_policy(session, default, now=now), default)


def current_policy(session: Session) -> tuple[int, dict[str, Any]]:
    """Return version and content of the policy in force."""
    newest = _newest(session)
    if newest is None:
        raise StoreError(_NO_POLICY)
    return newest.version, newest.policy


def current_version(session: Session) -> int:
    """Return the version of the policy in force; what a version says never changes."""
    ((version,),) = chain.from_iterable(read_blocks(session, "SELECT max(version) FROM segment_policy"))
    if version is None:
        raise StoreError(_NO_POLICY)
    return int(version)


def find_policy(session: Session) -> dict[str, Any] | None:
    """Return the content of the policy in force, None before the first."""
    newest = _newest(session)
    return None if newest is None else newest.policy


def read_policy(session: Session, version: int) -> dict[str, Any]:
    """Return the content of one version of the policy; raises `UnknownPolicyError` if it is not there."""
    row = session.get(SegmentPolicyVersion, version)
    if row is None:
        raise UnknownPolicyError(f"There is no version {version} of the segment policy.")
    return row.policy


def read_cutoffs(session: Session, *, model_version: int, policy_version: int) -> dict[str, Any] | None:
    """Return the cut-offs found for a model under a policy, which stay; None if none were found yet."""
    row = session.get(SegmentCutoffs, (model_version, policy_version))
    return None if row is None else row.cutoffs


def write_cutoffs(session: Session, cutoffs: dict[str, Any], *, model_version: int, policy_version: int) -> None:
    """Keep the cut-offs of a model under a policy; those already there stay, and are to be read again."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    found = {"model_version": model_version, "policy_version": policy_version, "cutoffs": cutoffs}
    session.execute(dialect.insert(SegmentCutoffs).values(**found).on_conflict_do_nothing())


def _newest(session: Session) -> SegmentPolicyVersion | None:
    return session.scalars(select(SegmentPolicyVersion).order_by(SegmentPolicyVersion.version.desc()).limit(1)).first()
