"""Fixtures of the command line's tests: the command as a function, and the shop that it works on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.console import console, err_console
from cli.main import main
from tests.shop_databases import Shop, ShopDatabases, Stage, shop_databases

__all__ = ["shop_databases"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    exit_code: int
    out: str
    err: str

    def complaint(self) -> str:
        """Return the one line on standard error of a command that refused its input."""
        assert self.exit_code == 2, (self.out, self.err)
        lines = [line for line in self.err.splitlines() if "━" not in line and line.strip()]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: ")
        assert "Traceback" not in self.err
        return lines[0].removeprefix("Error: ")


Regulars = Callable[..., Outcome]
At = Callable[[Stage], Shop]


def environment() -> dict[str, str]:
    """Return what a process of the command line is begun with, in a folder that is not the project's."""
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture
def regulars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Regulars:
    """Run `regulars` with arguments, as the entry point does."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["regulars", *map(str, arguments)])
        capsys.readouterr()
        exit_code = 0
        try:
            main()
        except SystemExit as left:
            exit_code = left.code if isinstance(left.code, int) else 0
        captured = capsys.readouterr()
        return Outcome(exit_code, captured.out, captured.err)

    # Consoles take their width from the environment when they are made, which was before.
    for shown_on in (console, err_console):
        monkeypatch.setattr(shown_on, "width", 200)
    return run


@pytest.fixture
def at(shop_databases: ShopDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[At]:
    """Put the command line before the shop at some stage: `at("scored")`."""
    with ExitStack() as stack:

        def put(stage: Stage) -> Shop:
            shop = stack.enter_context(shop_databases.copy("sqlite", stage, tmp_path))
            monkeypatch.setenv("REGULARS_DATABASE_URL", shop.settings.database_url)
            monkeypatch.setenv("REGULARS_BUNDLE_DIR", str(shop.settings.bundle_dir))
            monkeypatch.setenv("REGULARS_AS_OF", "2024-07-01")
            return shop

        yield put
