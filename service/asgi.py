"""The app by the settings of the environment, for servers that make processes of their own:

uvicorn --factory service.asgi:app --workers 2
"""

from __future__ import annotations

import gc
import sys
from typing import TextIO

from fastapi import FastAPI

from service.app import create_app
from store.settings import Settings, load_settings

__all__ = ["app", "serving_app"]


def app() -> FastAPI:
    """Compose the service."""
    return serving_app(load_settings())


def serving_app(settings: Settings, *, log_to: TextIO = sys.stderr) -> FastAPI:
    """Compose the service for a process that does nothing else.

    What is there by then stays, so that the garbage collector need not look at it again: to do so takes a tenth of a
    second, in the middle of a request.
    """
    app = create_app(settings, log_to=log_to)
    gc.collect()
    gc.freeze()
    return app
