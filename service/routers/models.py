"""The registry: which versions there are, and how good they are."""

from __future__ import annotations

from fastapi import APIRouter

from service.access import needs
from service.deps import OpenDatabase
from service.openapi import PROBLEMS, problems
from service.parameters import ModelName
from service.schemas.models import ModelDetail, ModelOut, ModelsAnswer, model_fields_of
from store import registry

__all__ = ["router"]

router = APIRouter(tags=["models"], prefix="/v1/models", dependencies=[needs("scores:read")], responses=PROBLEMS)


@router.get("")
def read_models(database: OpenDatabase) -> ModelsAnswer:
    """List the registered versions, the newest first."""
    with database.read() as session:
        aliases = registry.aliases(session)
        rows = registry.list_versions(session)
        return ModelsAnswer(models=[ModelOut(**model_fields_of(row, aliases)) for row in rows])


@router.get("/{version}", responses=problems(404))
def read_model(version: ModelName, database: OpenDatabase) -> ModelDetail:
    """Tell one version with its report."""
    with database.read() as session:
        row = registry.find_version(session, version)
        return ModelDetail(**model_fields_of(row, registry.aliases(session)), report=row.report)
