"""Pages for people: rendered here, with nothing loaded from elsewhere and no script to run."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service.access import needs
from service.pages import at_risk, campaigns, customer, drivers, models, propensities, quality, segments

__all__ = ["add_pages"]

_STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Add all pages and their style sheet to an app."""
    for page in (at_risk, customer, segments, propensities, drivers, campaigns, models, quality):
        app.include_router(page.router, include_in_schema=False, dependencies=[needs("scores:read")])
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
