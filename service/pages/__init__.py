"""Pages for people: rendered here, with nothing loaded from elsewhere and no script to run."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service.access import needs
from service.pages import at_risk, customer, drivers, models, propensities, segments

__all__ = ["add_pages"]

_STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Add all pages and their style sheet to an app."""
    for page in (at_risk, customer, segments, propensities, drivers, models):
        app.include_router(page.router, include_in_schema=False, dependencies=[needs("scores:read")])
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
