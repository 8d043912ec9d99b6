"""Several processes that answer on one address, and one count of what all of them did."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess

from cli.console import fail
from store.settings import Settings

__all__ = ["require_metrics_folder", "serve_side_by_side"]

# Read by the library that counts, once, when it is imported: so by each process that is begun after it was set.
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Memory where there is some: whoever writes to a file that is mapped, and for which a full disk has no room, is killed.
_IN_MEMORY = "/dev/shm"  # noqa: S108 - what is made there has a name of its own and is for its owner only
# Until a process that doesn't answer its supervisor is killed; one that compiles or loads may be busy for seconds.
_SECONDS_TO_ANSWER = 30


def serve_side_by_side(settings: Settings, processes: int) -> None:
    """Serve by several processes until interrupted; they go by the settings of the environment, each for itself."""
    config = uvicorn.Config(
        "service.asgi:app",
        factory=True,
        workers=processes,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_worker_healthcheck=_SECONDS_TO_ANSWER,
    )
    with _metrics_folder() as folder:
        listening = config.bind_socket()
        # Sockets that processes share don't name their protocol, so that asyncio lets what it sends wait: an answer on
        # a connection that is kept would come 40 ms late. Those accepted have this from the one that listens.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Supervisor(config, [listening], folder).run()


def require_metrics_folder() -> None:
    """Fail if the environment names a folder for metrics that can't be one."""
    named = os.environ.get(_METRICS_FOLDER)
    if named is not None and not _is_writable(named):
        fail(
            f"{_METRICS_FOLDER} is {named!r}, which is no folder that can be written to. Make it, or unset it: several "
            "processes of one regulars serve need none."
        )


@contextmanager
def _metrics_folder() -> Iterator[str]:
    """Give processes that are begun in the body a folder to count in: a fresh one, unless the operator names one."""
    named = os.environ.get(_METRICS_FOLDER)
    if named is not None:
        yield named
        return
    parent = _IN_MEMORY if _is_writable(_IN_MEMORY) else None
    with TemporaryDirectory(prefix="regulars-metrics-", dir=parent, ignore_cleanup_errors=True) as folder:
        os.environ[_METRICS_FOLDER] = folder
        try:
            yield folder
        finally:
            del os.environ[_METRICS_FOLDER]


def _is_writable(folder: str) -> bool:
    # As a path an empty name would be the folder in which we are.
    return folder != "" and Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)


class _Supervisor(Multiprocess):
    """Uvicorn's, which also takes out of the metrics what processes that have ended said of their present state.

    Parameters
    ----------
    config, sockets
        As uvicorn's.
    folder : str
        Where the processes count.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], folder: str) -> None:
        super().__init__(config, sockets)
        self._folder = folder
        self._begun: set[int] = set()

    def run(self) -> None:
        """Begin the processes and keep them alive until told to end."""
        try:
            super().run()
        finally:
            self._forget_all_but(set())

    def keep_subprocess_alive(self) -> None:
        """Replace processes that have ended, for whatever reason."""
        self._begun |= self._running()
        super().keep_subprocess_alive()
        self._forget_all_but(self._running())

    def _running(self) -> set[int]:
        return {process.pid for process in self.processes if process.pid is not None}

    def _forget_all_but(self, running: set[int]) -> None:
        for pid in self._begun - running:
            # What they counted stays in the sums, which would fall otherwise.
            mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call]
        self._begun = running
