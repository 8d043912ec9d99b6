"""The app by the settings of the environment, for servers that make processes of their own:

uvicorn --factory service.asgi:app --workers 2
"""

from __future__ import annotations

from fastapi import FastAPI

from service.app import create_app
from store.settings import load_settings

__all__ = ["app"]


def app() -> FastAPI:
    """Compose the service."""
    return create_app(load_settings())
