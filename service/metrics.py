"""Prometheus metrics at `/metrics`: requests, durations and the process, with route templates as labels."""

from __future__ import annotations

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator

from service.access import needs

__all__ = ["add_metrics"]


def add_metrics(app: FastAPI) -> CollectorRegistry:
    """Measure an app and show the figures; return where further ones are registered.

    Each app counts for itself. Where `PROMETHEUS_MULTIPROC_DIR` was set before the process began, all apps that it was
    set for count together, by files there, and each shows the sum; then nothing is told of the process that answers.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    instrumentator = Instrumentator(registry=registry).instrument(app)
    instrumentator.expose(app, include_in_schema=False, dependencies=[needs("admin")])
    return registry
