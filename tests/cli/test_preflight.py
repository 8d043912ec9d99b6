"""What is checked before anything is installed, each lack with the one command that mends it."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from typing import NoReturn

import pytest

from cli.preflight import problems


def test_nothing_is_missing_where_the_tests_run() -> None:
    assert problems() == []  # type: ignore[no-untyped-call]


def test_a_missing_libgomp_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> NoReturn:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setattr(sys, "platform", "linux")
    assert problems() == [  # type: ignore[no-untyped-call]
        "LightGBM needs the library libgomp. Run: sudo apt-get install -y libgomp1"
    ]


def test_another_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert problems() == [  # type: ignore[no-untyped-call]
        "Python 3.11 is needed, this is 3.9. Run: make PYTHON=python3.11 setup"
    ]


def test_a_python_without_venv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    [problem] = problems()  # type: ignore[no-untyped-call]
    assert problem.endswith("Run: sudo apt-get install -y python3-venv")
