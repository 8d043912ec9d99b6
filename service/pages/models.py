"""The registered models, and the report of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from features.targets import CHURN
from service.deps import OpenDatabase, TheSettings
from service.pages.model_report import ModelReport, read_report
from service.pages.ranked import titled
from service.pages.templating import render
from service.parameters import ModelName
from store import registry
from store.tables import ModelVersion

__all__ = ["ModelPage", "ModelRow", "ModelsPage", "router"]

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One version: its aliases and the figures of its leading target, which promotion compares."""

    version: int
    href: str
    aliases: tuple[str, ...]
    registered_at: datetime
    target_title: str
    auc: float | None
    log_loss: float | None


@dataclass(frozen=True, slots=True)
class ModelsPage:
    """Context of `models.html`: all versions, the newest first."""

    template: ClassVar[str] = "models.html"
    section: ClassVar[str] = "models"

    rows: tuple[ModelRow, ...]
    timezone: str

    @property
    def title(self) -> str:
        """Title of the page."""
        return "Models"


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Context of `model.html`: one version with its report."""

    template: ClassVar[str] = "model.html"
    section: ClassVar[str] = "models"

    row: ModelRow
    report: ModelReport
    bundle_hash: str
    timezone: str

    @property
    def title(self) -> str:
        """Title of the page."""
        return f"Model {self.row.version}"


@router.get("/models", response_class=HTMLResponse)
def show_models(database: OpenDatabase, settings: TheSettings) -> HTMLResponse:
    """Show all versions."""
    with database.read() as session:
        aliases = registry.aliases(session)
        rows = tuple(_row(version, aliases) for version in registry.list_versions(session))
    return render(ModelsPage(rows, settings.timezone))


@router.get("/models/{version}", response_class=HTMLResponse)
def show_model(version: ModelName, database: OpenDatabase, settings: TheSettings) -> HTMLResponse:
    """Show the report of one version."""
    with database.read() as session:
        found = registry.find_version(session, version)
        row = _row(found, registry.aliases(session))
    return render(ModelPage(row, read_report(found.report), found.bundle_hash, settings.timezone))


def _row(version: ModelVersion, aliases: Mapping[str, int]) -> ModelRow:
    target: Mapping[str, Any] = version.test_metrics.get("target") or {}
    return ModelRow(
        version=version.version,
        href=f"/models/{version.version}",
        aliases=tuple(sorted(alias for alias, holder in aliases.items() if holder == version.version)),
        registered_at=version.registered_at,
        target_title=titled(target.get("name", CHURN)),
        auc=target.get("auc"),
        log_loss=target.get("log_loss"),
    )
