"""What drives the scores of the published run."""

from __future__ import annotations

from fastapi import APIRouter

from models.driver_report import EVERYBODY
from service.access import needs
from service.deps import OpenDatabase
from service.openapi import PROBLEMS, problems
from service.parameters import SegmentInQuery, TargetInQuery
from service.published_drivers import read_drivers
from service.schemas.drivers import DriversAnswer

__all__ = ["router"]

router = APIRouter(
    tags=["models"], prefix="/v1/drivers", dependencies=[needs("scores:read")], responses=PROBLEMS | problems(404, 409)
)


@router.get("")
def read_drivers_of_model(
    database: OpenDatabase, model: TargetInQuery = None, segment: SegmentInQuery = EVERYBODY
) -> DriversAnswer:
    """Tell what drives a model's scores, over all customers or those of one segment: groups and single features."""
    with database.read() as session:
        return DriversAnswer.of(read_drivers(session, target=model, segment=segment))
