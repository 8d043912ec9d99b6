"""Prometheus metrics at `/metrics`: requests, durations and the process, with route templates as labels."""

from __future__ import annotations

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator

__all__ = ["add_metrics"]


def add_metrics(app: FastAPI) -> None:
    """Measure an app and show the figures; each app counts for itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    Instrumentator(registry=registry).instrument(app).expose(app, include_in_schema=False)
