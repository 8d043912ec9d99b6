"""`regulars serve` and `regulars worker`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Annotated

import structlog
import typer
import uvicorn

from cli.console import console, fail, now, opened
from cli.side_by_side import require_metrics_folder, serve_side_by_side
from service.asgi import serving_app
from service.host_check import is_loopback
from store.api_keys import any_key
from store.engine import Database
from store.settings import Settings
from training.worker import work

__all__ = ["refuse_without_keys", "serve", "serve_here", "worker"]

_SECONDS_TO_STOP = 10
_SECONDS_BETWEEN_LOOKS, _SECONDS_BEFORE_ANOTHER = 0.5, 2.0

_log = structlog.get_logger()


def worker() -> None:
    """Execute queued training and scoring runs until stopped."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with opened() as (settings, database):
        work(database, settings, stop=stop, now=now)


def serve(
    with_worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker beside the service.")] = True,
    workers: Annotated[
        int, typer.Option("--workers", "--processes", min=1, help="How many processes answer, side by side.")
    ] = 1,
    host: Annotated[str | None, typer.Option("--host", help="Address to serve on, instead of REGULARS_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="Port to serve on, instead of REGULARS_PORT.")
    ] = None,
) -> None:
    """Serve the API and the pages."""
    # By the environment, since further processes go by that.
    os.environ |= {
        name: str(value) for name, value in (("REGULARS_HOST", host), ("REGULARS_PORT", port)) if value is not None
    }
    # Closed again: the service opens it for itself.
    with opened() as (settings, database):
        refuse_without_keys(database, settings)
    serve_here(settings, with_worker=with_worker, processes=workers)


def refuse_without_keys(database: Database, settings: Settings) -> None:
    """Fail if there is no key at all, unless the settings say to serve this machine without."""
    with database.read() as session:
        if any_key(session):
            return
    if not settings.open:
        fail(
            "There is no key yet, so that nobody could ask anything. Make one with regulars keys create --scope admin, "
            "or set REGULARS_OPEN=1 to serve this machine alone without."
        )
    if not is_loopback(settings.host):
        fail(
            f"REGULARS_HOST is {settings.host}: without any key the service listens on loopback only (127.0.0.1). "
            "Make one first: regulars keys create --scope admin"
        )


def serve_here(settings: Settings, *, with_worker: bool, processes: int = 1) -> None:
    """Serve until interrupted; the database has been opened before and is fine.

    Several processes go by the settings of the environment, each for itself.
    """
    require_metrics_folder()
    _require_free(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    root = f"http://{host}:{settings.port}"
    # Uvicorn raises the signal that ended it once more, and by default that would end us without the worker.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with _worker() if with_worker else _nothing():
        console.print(f"At-risk list  {root}/\nSegments      {root}/segments\nModels        {root}/models")
        console.print(f"API           {root}/docs\nCtrl-C ends it.")
        if processes == 1:
            uvicorn.run(
                serving_app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False
            )
        else:
            serve_side_by_side(settings, processes)


def _require_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            fail(f"{settings.host}:{settings.port}: {error.strerror}. Choose another with --port, or REGULARS_PORT.")


@contextmanager
def _worker() -> Iterator[None]:
    stop = Event()
    keeper = Thread(target=_keep_a_worker, args=(stop,), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _keep_a_worker(stop: Event) -> None:
    """Have a worker until `stop` is set; in the place of one that ends, of itself or killed, another is begun."""
    while not stop.is_set():
        with subprocess.Popen([sys.executable, "-m", "cli", "worker"]) as process:  # our own program
            while not stop.wait(_SECONDS_BETWEEN_LOOKS) and process.poll() is None:
                pass
            if not stop.is_set():
                _log.error("worker_ended", exit_status=process.returncode)
                stop.wait(_SECONDS_BEFORE_ANOTHER)
                continue
            process.terminate()
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                # In the middle of a run: it is queued again once its signs of life have stopped.
                process.kill()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
