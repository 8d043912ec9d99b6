"""Whether the process lives, and whether it is ready for requests: the two routes that need no key."""

from __future__ import annotations

from fastapi import APIRouter

from service.deps import OpenDatabase, ServedBundles
from service.schemas.health import Alive, Ready

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Alive:
    """Say that the process answers."""
    return Alive()


@router.get("/readyz")
def readyz(database: OpenDatabase, bundles: ServedBundles) -> Ready:
    """Say whether the database answers and a model is loaded and warm; 503 with the reason if not."""
    with database.read() as session:
        model = bundles.current(session, retry=True)
        return Ready(model_version=model.version, warning=bundles.warning(session))
