"""How several processes are begun, where they count, and what of them is forgotten once they have ended."""

from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cli import side_by_side
from cli.side_by_side import serve_side_by_side
from store.settings import load_settings
from tests.cli.conftest import At, Regulars

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@pytest.fixture(autouse=True)
def _no_folder_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_VARIABLE, raising=False)


class _Begun:
    """In place of uvicorn's processes: files of metrics that one leaves, and nothing that runs."""

    pids = iter(range(0))
    folder = ""
    living: set[int]

    def __init__(self, _config: uvicorn.Config, _sockets: list[socket.socket]) -> None:
        self.pid = next(self.pids)
        self.exitcode = None

    def start(self) -> None:
        self.living.add(self.pid)
        for name in ("gauge_livesum", "counter", "histogram"):
            Path(self.folder, f"{name}_{self.pid}.db").touch()

    def is_alive(self, timeout: float) -> bool:
        return self.pid in self.living

    def kill(self) -> None:
        self.living.discard(self.pid)

    terminate = kill

    def join(self) -> None:
        """It has ended at once."""


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Uvicorn's supervisor as ours, with two processes that don't run, in a folder with one of somebody else."""
    (tmp_path / "gauge_livesum_99.db").touch()
    monkeypatch.setattr(_Begun, "pids", iter(range(1, 9)))
    monkeypatch.setattr(_Begun, "folder", str(tmp_path))
    monkeypatch.setattr(_Begun, "living", set(), raising=False)
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", _Begun)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    config = uvicorn.Config("service.asgi:app", workers=2, log_config=None)
    return side_by_side._Supervisor(config, [], str(tmp_path))


def _kept(folder: Path, name: str) -> set[int]:
    return {int(file.stem.rpartition("_")[2]) for file in folder.glob(f"{name}_*.db")}


def test_what_a_process_said_of_its_present_state_is_forgotten_with_it_and_what_it_counted_is_not(
    supervisor: Any, tmp_path: Path
) -> None:
    supervisor.init_processes()
    supervisor.keep_subprocess_alive()
    assert _kept(tmp_path, "gauge_livesum") == {1, 2, 99}
    _Begun.living.discard(1)
    supervisor.keep_subprocess_alive()
    assert _kept(tmp_path, "gauge_livesum") == {2, 3, 99}
    supervisor.handle_ttou()
    supervisor.keep_subprocess_alive()
    assert _kept(tmp_path, "gauge_livesum") == {3, 99}
    supervisor.handle_ttin()
    supervisor.keep_subprocess_alive()
    assert _kept(tmp_path, "gauge_livesum") == {3, 4, 99}
    assert _kept(tmp_path, "counter") == _kept(tmp_path, "histogram") == {1, 2, 3, 4}


def test_at_the_end_all_is_forgotten_but_what_others_said(supervisor: Any, tmp_path: Path) -> None:
    keep_alive = supervisor.keep_subprocess_alive

    def keep_alive_once() -> None:
        keep_alive()
        assert _kept(tmp_path, "gauge_livesum") == {1, 2, 99}
        supervisor.should_exit.set()

    supervisor.keep_subprocess_alive = keep_alive_once
    supervisor.run()
    assert _kept(tmp_path, "gauge_livesum") == {99}
    assert _kept(tmp_path, "counter") == {1, 2}


def test_serve_lets_several_processes_answer(at: At, regulars: Regulars, monkeypatch: pytest.MonkeyPatch) -> None:
    at("untrained")
    asked: list[Any] = []

    class Recorded:
        def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], folder: str) -> None:
            (listening,) = sockets
            asked.extend((config, listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), Path(folder)))
            listening.close()

        def run(self) -> None:
            folder = asked[2]
            assert os.environ[_VARIABLE] == str(folder)
            assert list(folder.iterdir()) == []
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "counter_1.db").touch()

    monkeypatch.setenv("REGULARS_OPEN", "1")
    monkeypatch.setenv("REGULARS_PORT", str(_free_port()))
    monkeypatch.setattr("cli.side_by_side._Supervisor", Recorded)
    assert regulars("serve", "--no-worker", "--workers", 2).exit_code == 0
    config, sends_at_once, folder = asked
    assert (config.app, config.factory, config.workers) == ("service.asgi:app", True, 2)
    assert sends_at_once
    assert not folder.exists()
    assert _VARIABLE not in os.environ
    module, _, name = config.app.partition(":")
    assert getattr(importlib.import_module(module), name)().title == "Regulars"


def test_a_folder_that_the_operator_names_is_used_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "metrics"
    named.mkdir()
    monkeypatch.setenv(_VARIABLE, str(named))
    asked: list[str] = []

    class Recorded:
        def __init__(self, _config: uvicorn.Config, sockets: list[socket.socket], folder: str) -> None:
            sockets[0].close()
            asked.append(folder)

        def run(self) -> None:
            (named / "counter_1.db").touch()

    monkeypatch.setattr("cli.side_by_side._Supervisor", Recorded)
    serve_side_by_side(load_settings(port=_free_port()), 2)
    assert asked == [os.environ[_VARIABLE]] == [str(named)]
    assert _kept(named, "counter") == {1}


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("named", ["", "nowhere"])
def test_a_folder_that_is_none_is_refused(
    at: At, regulars: Regulars, monkeypatch: pytest.MonkeyPatch, named: str, processes: int
) -> None:
    at("untrained")
    monkeypatch.setenv("REGULARS_OPEN", "1")
    monkeypatch.setenv(_VARIABLE, named)
    for begins in ("cli.serve.uvicorn.run", "cli.serve.serve_side_by_side"):
        monkeypatch.setattr(begins, lambda *_, **__: pytest.fail("it was begun"))
    told = regulars("serve", "--no-worker", "--workers", processes).complaint()
    assert told.startswith(f"{_VARIABLE} is '{named}', which is no folder that can be written to. Make it, or unset it")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
