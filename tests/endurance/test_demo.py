"""The demo as a new user runs it: all of it once, then again with nothing left to do."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "118"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_demo_ingests_trains_scores_and_prints_its_summary(folder: Path) -> None:
    found = run(folder, "demo", "--no-serve")
    assert found.returncode == 0, found.stderr
    assert "69,659 rows read, 69,659 stored, 0 already there, 0 rejected." in found.stdout
    assert "CDNOW as of 1998-07-01" in found.stdout
    assert "The 10 customers with most value at risk" in found.stdout
    assert (folder / "regulars.env").read_text(encoding="utf-8").endswith("REGULARS_AS_OF=1998-07-01T00:00:00Z\n")


def test_run_again_it_does_only_what_is_left_to_do(folder: Path) -> None:
    found = run(folder, "demo", "--no-serve")
    assert found.returncode == 0, found.stderr
    assert "rows read" not in found.stdout
    assert "Searching settings" not in found.stderr
    assert "Scoring customers" not in found.stderr
    assert "The 10 customers with most value at risk" in found.stdout


def test_commands_of_the_readme_work_after_the_demo(folder: Path) -> None:
    for arguments in (
        ("at-risk", "--budget", "200", "--csv", "at-risk.csv"),
        ("explain", "22279"),
        ("evaluate",),
        ("models", "list"),
        ("segments",),
    ):
        found = run(folder, *arguments)
        assert found.returncode == 0, (arguments, found.stderr)
    with (folder / "at-risk.csv").open(encoding="utf-8", newline="") as file:
        held_out = [row["held_out"] for row in csv.DictReader(file)]
    # The budget counts whom it can reach; who is held out stands between them, marked.
    assert held_out.count("no") == 200
    assert 0 < held_out.count("yes") < 50
