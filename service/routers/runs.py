"""Training and scoring runs: queue one, and see what became of it. A worker executes them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response, status

from service.access import needs
from service.deps import Now, OpenDatabase, TheScorer
from service.exceptions import FutureScoresError, ModelUnavailableError, UnknownRunError
from service.openapi import PROBLEMS, problems
from service.parameters import RunId
from service.schemas.runs import ScoringRequest, ScoringRunOut, TrainingRunOut
from store import registry, runs
from store.tables import ScoringRun, TrainingRun
from store.training_request import TrainingRequest

__all__ = ["router"]

router = APIRouter(tags=["runs"], prefix="/v1", responses=PROBLEMS)

_QUEUED = problems(400, 413, 415)
_READ = [needs("scores:read")]
_RUN = [needs("admin")]


@router.post("/training-runs", status_code=status.HTTP_202_ACCEPTED, dependencies=_RUN, responses=_QUEUED)
def queue_training_run(
    request: Annotated[TrainingRequest, Body()], response: Response, database: OpenDatabase, now: Now
) -> TrainingRunOut:
    """Queue a training; an empty object takes every default."""
    with database.write() as session:
        run = runs.queue_training(session, request.model_dump(mode="json"), now=now)
    response.headers["Location"] = f"/v1/training-runs/{run.id}"
    return TrainingRunOut.model_validate(run)


@router.get("/training-runs/{run_id}", dependencies=_READ, responses=problems(404))
def read_training_run(run_id: RunId, database: OpenDatabase) -> TrainingRunOut:
    """Tell how far a training is, or how it ended."""
    with database.read() as session:
        run = session.get(TrainingRun, run_id)
        if run is None:
            raise UnknownRunError(f"There is no training run {run_id}.")
        return TrainingRunOut.model_validate(run)


@router.post("/scoring-runs", status_code=status.HTTP_202_ACCEPTED, dependencies=_RUN, responses=_QUEUED)
def queue_scoring_run(
    request: Annotated[ScoringRequest, Body()], response: Response, database: OpenDatabase, scorer: TheScorer, now: Now
) -> ScoringRunOut:
    """Queue a scoring of all customers with the champion; one that waits for the same already is answered instead."""
    if request.as_of is not None and request.as_of > (latest := scorer.as_of()):
        raise FutureScoresError(request.as_of, latest)
    with database.write() as session:
        if "champion" not in registry.aliases(session):
            raise ModelUnavailableError("No model has been trained and promoted yet. Queue a training run first.")
        run = runs.queue_scoring(session, now=now, as_of=request.as_of)
    response.headers["Location"] = f"/v1/scoring-runs/{run.id}"
    return ScoringRunOut.model_validate(run)


@router.get("/scoring-runs/{run_id}", dependencies=_READ, responses=problems(404))
def read_scoring_run(run_id: RunId, database: OpenDatabase) -> ScoringRunOut:
    """Tell how far a scoring is, or how it ended."""
    with database.read() as session:
        run = session.get(ScoringRun, run_id)
        if run is None:
            raise UnknownRunError(f"There is no scoring run {run_id}.")
        return ScoringRunOut.model_validate(run)
