"""`regulars serve` and `worker` as processes: what they do, and how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from cli.serve import _worker
from store.scores import published_run
from tests.cli.conftest import At, environment
from tests.shop_databases import Shop


def test_a_worker_executes_what_is_queued_and_ends_when_interrupted(at: At) -> None:
    shop = at("trained")
    worker = subprocess.Popen([sys.executable, "-m", "cli", "worker"], env=environment(), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not _is_published(shop) and time.monotonic() < deadline:
            time.sleep(0.1)
        worker.send_signal(signal.SIGINT)
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    assert _is_published(shop)


def _is_published(shop: Shop) -> bool:
    with shop.database.read() as session:
        return published_run(session) is not None


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_and_ends_with_its_worker_when_told_to(
    at: At, monkeypatch: pytest.MonkeyPatch, told: signal.Signals
) -> None:
    at("scored")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("REGULARS_OPEN", "1")
    monkeypatch.setenv("REGULARS_PORT", str(port))
    arguments = [sys.executable, "-m", "cli", "serve"]
    server = subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        answer = _get(f"http://127.0.0.1:{port}/readyz")
        server.send_signal(told)
        said, _ = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert answer == 200
    assert f"At-risk list  http://127.0.0.1:{port}/" in said
    assert server.returncode in (0, 130, 143)
    _wait_until_nobody_is_left(server.pid)


def test_serve_begins_another_worker_in_the_place_of_one_that_was_killed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    whole = subprocess.Popen

    def short(arguments: list[str]) -> subprocess.Popen[bytes]:
        assert arguments == [sys.executable, "-m", "cli", "worker"]
        begun.append(whole(["sleep", "60"]))
        return begun[-1]

    monkeypatch.setattr("cli.serve.subprocess.Popen", short)
    monkeypatch.setattr("cli.serve._SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr("cli.serve._SECONDS_BEFORE_ANOTHER", 0.01)
    with _worker():
        for n in (1, 2):
            deadline = time.monotonic() + 20
            while len(begun) < n and time.monotonic() < deadline:
                time.sleep(0.01)
            if n == 1:
                begun[0].kill()
    assert [process.returncode for process in begun] == [-signal.SIGKILL, -signal.SIGTERM]
    assert "worker_ended" in "".join(capfd.readouterr())


def _wait_until_nobody_is_left(session: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a process is left of the session")


def _get(url: str) -> int:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # our own address
                return int(response.status)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
