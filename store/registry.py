"""Model versions and their aliases: register, promote a challenger that is no worse, roll back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.exceptions import PromotionRefusedError, UnknownModelError
from store.tables import ModelAlias, ModelPromotion, ModelVersion

__all__ = [
    "AUC_TOLERANCE",
    "LOG_LOSS_TOLERANCE",
    "aliases",
    "find_version",
    "list_versions",
    "promote",
    "register",
    "rollback",
]

# Differences below these are noise between two trainings on the same data.
LOG_LOSS_TOLERANCE = 0.001
AUC_TOLERANCE = 0.003


def register(
    session: Session,
    *,
    bundle: str,
    bundle_hash: str,
    report: dict[str, Any],
    test_metrics: dict[str, Any],
    training_run_id: int | None,
    now: datetime,
) -> ModelVersion:
    """Register a bundle as the next version and make it the challenger.

    Parameters
    ----------
    session : Session
    bundle, bundle_hash : str
        Folder and SHA-256 of its manifest. A bundle that is registered already keeps its version.
    report : dict
        What `regulars evaluate` shows.
    test_metrics : dict
        `{"target": {"auc", "log_loss"}, "champion": {"version", "auc", "log_loss"} or None}`, both on this version's
        test snapshot.
    training_run_id : int, optional
    now : datetime
    """
    row = session.scalars(select(ModelVersion).where(ModelVersion.bundle_hash == bundle_hash)).first()
    if row is None:
        row = ModelVersion(
            bundle=bundle,
            bundle_hash=bundle_hash,
            registered_at=now,
            training_run_id=training_run_id,
            test_metrics=test_metrics,
            report=report,
        )
        session.add(row)
        session.flush()
    if aliases(session).get("champion") != row.version:
        session.merge(ModelAlias(alias="challenger", version=row.version))
        session.flush()
    return row


def aliases(session: Session) -> dict[str, int]:
    """Return who holds which alias."""
    return {row.alias: row.version for row in session.scalars(select(ModelAlias))}


def list_versions(session: Session) -> Sequence[ModelVersion]:
    """Return all versions, newest first."""
    return session.scalars(select(ModelVersion).order_by(ModelVersion.version.desc())).all()


def find_version(session: Session, name: str = "champion") -> ModelVersion:
    """Return a version by alias, number, or `newest`.

    Raises
    ------
    UnknownModelError
        Nobody has that name.
    """
    if name == "newest":
        row = session.scalars(select(ModelVersion).order_by(ModelVersion.version.desc()).limit(1)).first()
    else:
        version = int(name) if name.isdecimal() else aliases(session).get(name)
        row = None if version is None else session.get(ModelVersion, version)
    if row is None:
        known = ", ".join(str(version.version) for version in list_versions(session)) or "none yet; run: regulars train"
        raise UnknownModelError(f"There is no model {name!r}. Versions: {known}.")
    return row


def promote(session: Session, version: int | None = None, *, force: bool = False, now: datetime) -> ModelVersion:
    """Make a version (the challenger by default) the champion.

    Its test metrics are compared with those that the champion's settings reach on the same test snapshot, fitted on
    the same data.

    Raises
    ------
    PromotionRefusedError
        It is worse, and `force` is not set.
    UnknownModelError
        No such version, or no challenger.
    """
    row = find_version(session, "challenger" if version is None else str(version))
    champion = aliases(session).get("champion")
    if champion == row.version:
        return row
    if champion is not None and not force and (complaint := _worse(row, champion)):
        raise PromotionRefusedError(f"{complaint} To promote it all the same: regulars models promote --force")
    session.merge(ModelAlias(alias="champion", version=row.version))
    session.add(ModelPromotion(version=row.version, replaced_version=champion, promoted_at=now, forced=force))
    _drop_challenger(session, row.version)
    session.flush()
    return row


def rollback(session: Session, *, now: datetime) -> ModelVersion:
    """Give the alias back to the champion before; called again, to the one before that.

    Raises
    ------
    UnknownModelError
        There was none before.
    """
    champion = aliases(session).get("champion")
    last = session.scalars(
        select(ModelPromotion)
        .where(ModelPromotion.version == champion, ModelPromotion.rolled_back_at.is_(None))
        .order_by(ModelPromotion.id.desc())
        .limit(1)
    ).first()
    if champion is None or last is None or last.replaced_version is None:
        raise UnknownModelError("There is no champion before this one to go back to.")
    last.rolled_back_at = now
    session.merge(ModelAlias(alias="champion", version=last.replaced_version))
    _drop_challenger(session, last.replaced_version)
    session.flush()
    return find_version(session)


def _drop_challenger(session: Session, champion: int) -> None:
    challenger = session.get(ModelAlias, "challenger")
    if challenger is not None and challenger.version == champion:
        session.delete(challenger)


def _worse(row: ModelVersion, champion: int) -> str | None:
    """Say in words that a version is worse than the champion, or None if it is not."""
    ours, theirs = row.test_metrics["target"], row.test_metrics["champion"]
    if theirs is None or theirs["version"] != champion:
        return (
            f"Version {row.version} was not compared with version {champion}, which is champion now: it was trained "
            "before. Train again."
        )
    if ours["log_loss"] <= theirs["log_loss"] + LOG_LOSS_TOLERANCE and ours["auc"] >= theirs["auc"] - AUC_TOLERANCE:
        return None
    return (
        f"Version {row.version} is worse than the champion, version {champion}, on the same test snapshot: log loss "
        f"{ours['log_loss']:.4f} against {theirs['log_loss']:.4f}, AUC {ours['auc']:.4f} against {theirs['auc']:.4f}."
    )
