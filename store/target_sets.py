"""Sets of targets as versioned rows; the newest is in force."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.tables import TargetSetVersion

__all__ = ["add_target_set", "current_target_set", "ensure_target_set", "read_target_set"]


def add_target_set(session: Session, targets: dict[str, Any], *, now: datetime) -> int:
    """Put a set of targets in force from now on, unless it already is; return its version."""
    newest = _newest(session)
    if newest is not None and _written(newest.targets) == _written(targets):
        return newest.version
    row = TargetSetVersion(targets=targets, created_at=now)
    session.add(row)
    session.flush()
    return row.version


def ensure_target_set(session: Session, default: dict[str, Any], *, now: datetime) -> tuple[int, dict[str, Any]]:
    """Return version and content of the set in force; the very first is `default`."""
    return current_target_set(session) or (add_target_set(session, default, now=now), default)


def current_target_set(session: Session) -> tuple[int, dict[str, Any]] | None:
    """Return version and content of the set in force, None before the first."""
    newest = _newest(session)
    return None if newest is None else (newest.version, newest.targets)


def read_target_set(session: Session, version: int) -> dict[str, Any]:
    """Return the content of one version of the set."""
    return session.get_one(TargetSetVersion, version).targets


def _written(targets: dict[str, Any]) -> str:
    # In Python 1 equals True; a condition on one is not a condition on the other.
    return json.dumps(targets, sort_keys=True)


def _newest(session: Session) -> TargetSetVersion | None:
    return session.scalars(select(TargetSetVersion).order_by(TargetSetVersion.version.desc()).limit(1)).first()
