"""The documentation of the API at `/docs`, `/redoc` and `/openapi.json`, with nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from service.access import needs

__all__ = ["add_api_docs"]

# FastAPI's own pages load scripts from elsewhere; these come with that package.
_SCRIPTS = Path(fastapi_offline.__file__).parent / "static"
_SCRIPTS_AT = "/static-offline-docs"
_DOCUMENT_AT = "/openapi.json"
_ICON_AT = "/static/favicon.svg"

_router = APIRouter(include_in_schema=False, dependencies=[needs("scores:read")])


def add_api_docs(app: FastAPI) -> None:
    """Add the document of an app, and the two pages that show it."""
    app.include_router(_router)
    app.mount(_SCRIPTS_AT, StaticFiles(directory=_SCRIPTS), name="static-offline-docs")


@_router.get(_DOCUMENT_AT)
def show_document(request: Request) -> JSONResponse:
    """Show the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@_router.get("/docs")
async def show_swagger_ui(request: Request) -> HTMLResponse:
    """Show the document by Swagger UI, where routes can be tried."""
    return get_swagger_ui_html(
        openapi_url=_DOCUMENT_AT,
        title=f"{request.app.title} - Swagger UI",
        swagger_js_url=f"{_SCRIPTS_AT}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SCRIPTS_AT}/swagger-ui.css",
        swagger_favicon_url=_ICON_AT,
        # Null, so that Swagger UI asks nobody outside whether the document is valid.
        swagger_ui_parameters={"validatorUrl": None},
    )


@_router.get("/redoc")
async def show_redoc(request: Request) -> HTMLResponse:
    """Show the document by ReDoc, to be read."""
    return get_redoc_html(
        openapi_url=_DOCUMENT_AT,
        title=f"{request.app.title} - ReDoc",
        redoc_js_url=f"{_SCRIPTS_AT}/redoc.standalone.js",
        redoc_favicon_url=_ICON_AT,
        with_google_fonts=False,
    )
