"""Model versions and their aliases: register, promote a challenger that is no worse, roll back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.bulk_read import read_blocks
from store.exceptions import PromotionRefusedError, UnknownModelError
from store.outbox import MODEL_PROMOTED, Audience, Change
from store.tables import ModelAlias, ModelPromotion, ModelVersion

__all__ = [
    "AUC_TOLERANCE",
    "LOG_LOSS_TOLERANCE",
    "aliases",
    "champion_version",
    "champions_before",
    "churn_horizon",
    "find_version",
    "list_versions",
    "promote",
    "register",
    "rollback",
]

# Differences below these are noise between two trainings on the same data.
LOG_LOSS_TOLERANCE = 0.001
AUC_TOLERANCE = 0.003

_MOST_DIGITS = 9  # of a version, so that it fits the column


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
        Folder and SHA-256 of its manifest. A bundle that is registered already keeps its version; unless it is
        champion, it takes the report and the metrics given now, which may stand beside another champion's.
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
        row = ModelVersion(bundle=bundle, bundle_hash=bundle_hash, registered_at=now, training_run_id=training_run_id)
        session.add(row)
    elif row.version == aliases(session).get("champion"):
        return row
    row.test_metrics = test_metrics
    row.report = report
    session.flush()
    session.merge(ModelAlias(alias="challenger", version=row.version))
    session.flush()
    return row


def champion_version(session: Session) -> int | None:
    """Return the version that is champion, as `aliases` would, for those who ask again and again."""
    rows = list(chain.from_iterable(read_blocks(session, "SELECT version FROM model_alias WHERE alias = 'champion'")))
    return int(rows[0][0]) if rows else None


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
        is_number = name.isdecimal() and len(name) <= _MOST_DIGITS
        version = int(name) if is_number else aliases(session).get(name)
        row = None if version is None else session.get(ModelVersion, version)
    if row is None:
        versions = session.scalars(select(ModelVersion.version).order_by(ModelVersion.version.desc()))
        known = ", ".join(map(str, versions)) or "none yet; run: regulars train"
        raise UnknownModelError(f"There is no model {name!r}. Versions: {known}.")
    return row


def champions_before(session: Session, version: int) -> list[int]:
    """Return the versions that were champion before this one, the latest first, each once."""
    replaced: dict[int, int | None] = {}
    query = select(ModelPromotion).where(ModelPromotion.rolled_back_at.is_(None)).order_by(ModelPromotion.id)
    for row in session.scalars(query):
        replaced[row.version] = row.replaced_version
    found = [version]
    while (before := replaced.get(found[-1])) is not None and before not in found:
        found.append(before)
    return found[1:]


def churn_horizon(session: Session) -> int | None:
    """Return within how many days without a purchase a customer has left, by the champion; None where none says so."""
    champion = aliases(session).get("champion")
    report = {} if champion is None else session.get_one(ModelVersion, champion).report
    churn = report.get("targets", {}).get("churn", {}).get("target", {})
    if churn.get("kind") != "inactivity":
        return None
    days: int | None = churn.get("horizon_days") or report.get("settings", {}).get("horizon_days")
    return days


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
        raise PromotionRefusedError(
            f"{complaint} To promote it all the same: regulars models promote {row.version} --force"
        )
    session.merge(ModelAlias(alias="champion", version=row.version))
    session.add(ModelPromotion(version=row.version, replaced_version=champion, promoted_at=now, forced=force))
    _drop_challenger(session, row.version)
    session.flush()
    _tell(session, row.version, champion, now=now, rolled_back=False)
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
    _tell(session, last.replaced_version, champion, now=now, rolled_back=True)
    return find_version(session)


def _tell(session: Session, version: int, replaced: int | None, *, now: datetime, rolled_back: bool) -> None:
    data = {"model_version": version, "replaced_version": replaced, "rolled_back": rolled_back}
    connection = session.connection()
    Audience.of(connection).write(connection, [Change(MODEL_PROMOTED, None, data)], now=now)


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
            "before, or for another target. Train again."
        )
    if not (
        _exceeds(ours["log_loss"], theirs["log_loss"], LOG_LOSS_TOLERANCE)
        or _exceeds(theirs["auc"], ours["auc"], AUC_TOLERANCE)
    ):
        return None
    return (
        f"Version {row.version} is worse than the champion, version {champion}, on the same test snapshot: log loss "
        f"{_figure(ours['log_loss'])} against {_figure(theirs['log_loss'])}, AUC {_figure(ours['auc'])} against "
        f"{_figure(theirs['auc'])}."
    )


def _exceeds(figure: float | None, other: float | None, tolerance: float) -> bool:
    """Whether a figure is above another; one that the test snapshot does not define decides nothing."""
    return figure is not None and other is not None and figure > other + tolerance


def _figure(figure: float | None) -> str:
    return "undefined" if figure is None else f"{figure:.4f}"
