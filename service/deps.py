"""What routes are given, as aliases, so that a signature reads as prose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated, cast

from fastapi import Depends, Request

from service.access import Access
from service.batches import Batches
from service.bundle_cache import BundleCache
from service.clock import Clock
from service.erasures import Erasures
from service.hypothetical import Hypotheses
from service.live_ingest import LiveIngest
from service.receipts import Receipts
from service.scorer import Scorer
from store.engine import Database
from store.settings import Settings

__all__ = [
    "ATurn",
    "Now",
    "OpenDatabase",
    "ServedBundles",
    "Services",
    "TheBatches",
    "TheHypotheses",
    "TheReceipts",
    "TheScorer",
    "TheServices",
    "TheSettings",
]


@dataclass(frozen=True, slots=True)
class Services:
    """What one app is composed of."""

    settings: Settings
    database: Database
    bundles: BundleCache
    scorer: Scorer
    clock: Clock
    access: Access
    ingest: LiveIngest
    erasures: Erasures
    hypotheses: Hypotheses
    receipts: Receipts
    batches: Batches
    computing: BoundedSemaphore


# Coroutines, since FastAPI sends plain functions through its thread pool, and these only look something up.
async def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


async def _database(services: Annotated[Services, Depends(_services)]) -> Database:
    return services.database


async def _bundles(services: Annotated[Services, Depends(_services)]) -> BundleCache:
    return services.bundles


async def _scorer(services: Annotated[Services, Depends(_services)]) -> Scorer:
    return services.scorer


async def _hypotheses(services: Annotated[Services, Depends(_services)]) -> Hypotheses:
    return services.hypotheses


async def _batches(services: Annotated[Services, Depends(_services)]) -> Batches:
    return services.batches


async def _receipts(services: Annotated[Services, Depends(_services)]) -> Receipts:
    return services.receipts


async def _computing(services: Annotated[Services, Depends(_services)]) -> BoundedSemaphore:
    return services.computing


async def _settings(services: Annotated[Services, Depends(_services)]) -> Settings:
    return services.settings


async def _now(services: Annotated[Services, Depends(_services)]) -> datetime:
    return services.clock()


OpenDatabase = Annotated[Database, Depends(_database)]
ServedBundles = Annotated[BundleCache, Depends(_bundles)]
TheServices = Annotated[Services, Depends(_services)]
# For as long as something is computed that takes milliseconds.
ATurn = Annotated[BoundedSemaphore, Depends(_computing)]
TheBatches = Annotated[Batches, Depends(_batches)]
TheHypotheses = Annotated[Hypotheses, Depends(_hypotheses)]
TheReceipts = Annotated[Receipts, Depends(_receipts)]
TheScorer = Annotated[Scorer, Depends(_scorer)]
TheSettings = Annotated[Settings, Depends(_settings)]
Now = Annotated[datetime, Depends(_now)]
