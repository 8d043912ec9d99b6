"""`regulars serve` with several processes, begun as an operator does; a connection goes to the one that is wanted."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.mmap_dict import MmapedDict

from store.settings import Settings

__all__ = ["Connection", "SideBySide", "serving_side_by_side"]

T = TypeVar("T")

_HOST = "127.0.0.1"
_SECONDS = 240.0
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Connection:
    """A connection that is kept, to one process.

    Attributes
    ----------
    sent : Counter of path
        How often each was asked.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(_HOST, port, timeout=60)
        self.sent: Counter[str] = Counter()

    def ask(self, path: str, told: Mapping[str, Any] | None = None) -> str:
        """Return the text of an answer that must be fine; with `told` it is a POST."""
        body = None if told is None else json.dumps(told)
        self._connection.request("GET" if told is None else "POST", path, body, {"content-type": "application/json"})
        with self._connection.getresponse() as response:
            text = response.read().decode()
            assert response.status == 200, (path, response.status, text)
        self.sent[path] += 1
        return text

    def samples(self) -> dict[str, float]:
        """Return what `/metrics` tells, by name with labels."""
        lines = [line for line in self.ask("/metrics").splitlines() if not line.startswith("#")]
        return {sample: float(value) for sample, _, value in (line.rpartition(" ") for line in lines)}

    def close(self) -> None:
        """Break it off."""
        self._connection.close()


class SideBySide:
    """The processes.

    Attributes
    ----------
    parent : int
        Id of the process that began the others, and of their session.
    port : int
    folder : Path
        Where they count.
    """

    def __init__(self, parent: int, port: int) -> None:
        self.parent, self.port = parent, port
        self._stack = ExitStack()
        self.folder = Path(self._wait_for(self._find_folder))
        self._wait_for(self._is_listening)

    def wait_for_processes(self, n: int, *, but: int | None = None) -> list[int]:
        """Return the ids of those that answer, once there are so many."""

        def found() -> list[int]:
            pids = sorted(int(file.stem.rpartition("_")[2]) for file in self.folder.glob("gauge_livesum_*.db"))
            return pids if len(pids) == n and but not in pids else []

        return self._wait_for(found)

    def connect_to(self, pid: int) -> Connection:
        """Connect while all others stand still."""
        connection = Connection(self.port)
        self._stack.callback(connection.close)
        others = [other for other in self.wait_for_processes(2) if other != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            connection.ask("/readyz")
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
        return connection

    def counted_by(self, pid: int, sample: str) -> float:
        """Return what one process has counted of itself, summed over labels."""
        values = MmapedDict.read_all_values_from_file(self.folder / f"counter_{pid}.db")  # type: ignore[no-untyped-call]
        return float(sum(value for key, value, *_ in values if json.loads(key)[1] == sample))

    def close(self) -> None:
        """Break all connections off."""
        self._stack.close()

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((_HOST, self.port)) == 0

    def _find_folder(self) -> str:
        children = Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text(encoding="ascii").split()
        for child in children:
            for line in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                name, _, value = line.decode().partition("=")
                if name == _FOLDER:
                    return value
        return ""

    def _wait_for(self, find: Callable[[], T]) -> T:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if found := find():
                return found
            time.sleep(0.05)
        raise AssertionError("the processes did not begin")


@contextmanager
def serving_side_by_side(settings: Settings, folder: Path) -> Iterator[SideBySide]:
    """Serve by two processes; told to end after the body, both must, and leave nothing."""
    with socket.create_server((_HOST, 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if name != _FOLDER},
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "REGULARS_DATABASE_URL": settings.database_url,
        "REGULARS_BUNDLE_DIR": str(settings.bundle_dir),
        "REGULARS_SECRET_FILE": str(folder / "secret.key"),
        "REGULARS_AS_OF": settings.as_of.isoformat() if settings.as_of else "",
        "REGULARS_OPEN": "1",
        "REGULARS_PORT": str(port),
        "REGULARS_LOG_FORMAT": "json",
    }
    arguments = [sys.executable, "-m", "cli", "serve", "--workers", "2", "--no-worker"]
    with (folder / "serve.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            arguments, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            served = SideBySide(server.pid, port)
            served.wait_for_processes(2)
            try:
                yield served
            finally:
                served.close()
                server.send_signal(signal.SIGTERM)
                ended = server.wait(60)
            assert ended in (0, 143)
            assert not served.folder.exists()
            _wait_until_nobody_is_left(server.pid)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait_until_nobody_is_left(session: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a process is left of the session")
