"""Model versions and their quality."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from store.tables import ModelVersion

__all__ = ["ModelDetail", "ModelOut", "ModelsAnswer", "model_fields_of"]

_EXAMPLE: dict[str, Any] = {
    "version": 3,
    "aliases": ["champion"],
    "registered_at": "2026-03-01T06:00:00Z",
    "bundle_hash": "9f2b…",
    "training_run_id": 3,
    "test_metrics": {
        "target": {"auc": 0.842, "log_loss": 0.361},
        "champion": {"version": 2, "auc": 0.84, "log_loss": 0.363},
    },
}


class ModelOut(BaseModel):
    """One registered version."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    version: int = Field(description="Its number.")
    aliases: list[str] = Field(description="`champion` serves; `challenger` waits to be promoted.")
    registered_at: datetime = Field(description="When it was registered.")
    bundle_hash: str = Field(description="SHA-256 of its bundle's manifest, hexadecimal.")
    training_run_id: int | None = Field(description="The training run that made it.")
    test_metrics: dict[str, Any] = Field(
        description="On its test snapshot: its own `target` figures, and those of the `champion` of that time."
    )


class ModelDetail(ModelOut):
    """One registered version with its report: quality against baselines, as `regulars evaluate` shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "report": {"clv": {}, "targets": {}}}]})

    report: dict[str, Any] = Field(description="Hold-out of the clv, test of each target, snapshots, settings, notes.")


class ModelsAnswer(BaseModel):
    """All registered versions, the newest first."""

    models: list[ModelOut] = Field(description="The newest first.")


def model_fields_of(row: ModelVersion, aliases: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields of `ModelOut` of a version."""
    return {
        "version": row.version,
        "aliases": sorted(alias for alias, version in aliases.items() if version == row.version),
        "registered_at": row.registered_at,
        "bundle_hash": row.bundle_hash,
        "training_run_id": row.training_run_id,
        "test_metrics": row.test_metrics,
    }
