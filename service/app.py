"""The composition root: from settings to an app."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib.metadata import version
from threading import BoundedSemaphore
from typing import TextIO

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from service import pages
from service.access import Access
from service.api_docs import add_api_docs
from service.batches import Batches, Scoring
from service.body_limit import BodyLimit
from service.bundle_cache import BundleCache
from service.clock import Clock, utc_now
from service.deps import Services
from service.erasures import Erasures
from service.errors import MAX_BODY_BYTES, add_error_handlers
from service.exceptions import ModelUnavailableError
from service.host_check import HostCheck
from service.hypothetical import Hypotheses
from service.ingest_metrics import IngestMetrics
from service.live_ingest import LiveIngest
from service.metrics import add_metrics
from service.openapi import describe_problems
from service.receipts import Receipts
from service.request_log import RequestLog, make_logger
from service.response_headers import ResponseHeaders
from service.routers import (
    campaigns,
    customers,
    drivers,
    health,
    lists,
    models,
    quality,
    receipts,
    runs,
    scores,
    sources,
    tracking,
    webhooks,
)
from service.scorer import Scorer, warm_up
from store.engine import Database
from store.keyed_hash import KeyedHash
from store.schema import require_current
from store.scratch import ScratchStores
from store.settings import Settings

__all__ = ["create_app"]

# Threads that compute at once take the interpreter from each other, and each score costs more. Beside a server of
# databases one computes while others wait for its answers.
_COMPUTING_BESIDE_SQLITE, _COMPUTING_BESIDE_A_SERVER = 1, 3

_DESCRIPTION = (
    "Which customers are about to leave, what each is worth, and why. Amounts are in the currency that each answer "
    'names; instants are in UTC; null stands for "does not apply". Errors are problem details (RFC 9457).'
)


def create_app(settings: Settings, *, now: Clock = utc_now, log_to: TextIO = sys.stderr) -> FastAPI:
    """Compose the service.

    Parameters
    ----------
    settings : Settings
    now : Clock
        What time it is.
    log_to : text file
        Where the log goes.

    Returns
    -------
    FastAPI
        It opens the database when it is started, not before, so that a server may fork first; its tables must be
        current then (`SchemaError`).
    """

    log = make_logger(settings.log_format, log_to)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.database_url)
        require_current(database)
        bundles = BundleCache(settings.bundle_dir, warm_up=warm_up)
        # Of several processes on one address each must be warm, since any of them may answer for all that it is ready.
        await run_in_threadpool(_take_up_champion, database, bundles)
        scorer = Scorer(bundles, as_of=settings.as_of, now=now)
        access = Access(
            database,
            may_be_open=settings.open,
            requests_per_second=settings.requests_per_second_per_key,
            clock=time.monotonic,
        )
        ingest = LiveIngest(database, settings, ingest_metrics, now)
        erasures = Erasures(database, log)
        stores = ScratchStores()
        receipts_given = Receipts(
            KeyedHash.open(settings.secret_file), bundles, valid_for=timedelta(days=settings.receipt_days), now=now
        )
        # Other processes have no clock but the machine's.
        batch_processes = settings.batch_processes if now is utc_now else 0
        batches = Batches(Scoring(database, scorer, receipts_given), settings, batch_processes)
        app.state.services = Services(
            settings=settings,
            database=database,
            bundles=bundles,
            scorer=scorer,
            clock=now,
            access=access,
            ingest=ingest,
            erasures=erasures,
            hypotheses=Hypotheses(scorer, stores, settings),
            receipts=receipts_given,
            batches=batches,
            computing=BoundedSemaphore(_COMPUTING_BESIDE_SQLITE if database.is_sqlite else _COMPUTING_BESIDE_A_SERVER),
        )
        yield
        batches.close()
        stores.close()
        ingest.close()
        database.close()

    app = FastAPI(
        title="Regulars",
        version=version("regulars"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        # Which names its scope, as every route does: `service.api_docs`.
        openapi_url=None,
    )
    for part in (
        health,
        customers,
        scores,
        receipts,
        lists,
        drivers,
        models,
        quality,
        runs,
        sources,
        tracking,
        campaigns,
        webhooks,
    ):
        app.include_router(part.router)
    pages.add_pages(app)
    add_api_docs(app)
    add_error_handlers(app)
    # The last one added is the first to see a request.
    app.add_middleware(HostCheck)
    app.add_middleware(BodyLimit, most_bytes=MAX_BODY_BYTES, without_limit=tracking.PATHS)
    app.add_middleware(RequestLog, log=log)
    ingest_metrics = IngestMetrics(add_metrics(app))
    app.add_middleware(ResponseHeaders)
    app.add_middleware(CorrelationIdMiddleware)
    describe_problems(app)
    return app


def _take_up_champion(database: Database, bundles: BundleCache) -> None:
    """Load the champion, if there is one that loads; else `/readyz` says what is wrong, and tries again."""
    with database.read() as session, suppress(ModelUnavailableError):
        bundles.current(session)
