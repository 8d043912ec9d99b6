"""`regulars simulate` as a person uses it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.simulate import simulate
from features.build import build_features
from features.calendar import LocalCalendar
from features.windows import Snapshot
from models.simulation import SimulatedShop
from store.engine import Database
from store.events import read_log
from tests.cli.conftest import Regulars
from tests.simulated_log import simulated_log
from training.simulate import SimulationError

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.simulate.now", lambda: NOW)


def run(*arguments: object, standalone_mode: bool = True) -> Any:
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], standalone_mode=standalone_mode)


def test_the_printed_commands_load_what_was_simulated(regulars: Regulars, tmp_path: Path) -> None:
    directory = tmp_path / "a shop"
    result = run("--customers", 40, "--days", 200, "--seed", 3, "--directory", directory)
    assert result.exit_code == 0, result.output
    assert "none of its customers is real" in result.stdout
    assert "from 2025-08-17 up to 2026-03-04 15:30 UTC" in result.stdout
    commands = [line.split("regulars ", 1)[1] for line in result.stdout.splitlines() if line.startswith("  regulars ")]
    assert [command.split()[:2] for command in commands] == [
        ["db", "upgrade"],
        ["ingest", "events"],
        ["ingest", "events"],
        ["ingest", "customers"],
    ]
    for command in commands:
        outcome = regulars(*shlex.split(command))
        assert outcome.exit_code == 0, outcome.err
        assert "upgrade" in command or "already there 0 + rejected 0" in outcome.out

    calendar = LocalCalendar("UTC")
    database = Database("sqlite:///var/regulars.db")
    stored = read_log(database, calendar)
    database.close()
    simulated = simulated_log(SimulatedShop.up_to(NOW, n_customers=40, days=200, seed=3).blocks())
    assert stored.customer_ids == simulated.customer_ids
    assert stored.event_types == simulated.event_types
    assert np.array_equal(np.bincount(stored.event_type), np.bincount(simulated.event_type))
    at_the_end = Snapshot.at(NOW, calendar)
    np.testing.assert_allclose(
        build_features(stored, at_the_end).values, build_features(simulated, at_the_end).values, rtol=1e-12
    )


def test_a_day_as_end_is_its_midnight(tmp_path: Path) -> None:
    result = run("--customers", 5, "--days", 30, "--end", "2026-01-31", "--directory", tmp_path / "shop")
    assert result.exit_code == 0, result.output
    assert "from 2026-01-01 up to 2026-01-31 00:00 UTC" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--customers", "0"], "'--customers': Input should be greater than or equal to 1"),
        (["--customers", "many"], "'--customers': "),
        (["--days", "1"], "'--days': Input should be greater than or equal to 30"),
        (["--seed", "-1"], "'--seed': Input should be greater than or equal to 0"),
        (["--end", "yesterday"], "expected now or a day such as 2026-01-31, got 'yesterday'"),
        (["--end", "20260131"], "expected now or a day such as 2026-01-31, got '20260131'"),
        (["--end", "2026-02-30"], "expected now or a day such as 2026-01-31, got '2026-02-30'"),
        (["--end", "2026-03-05"], "expected a day from 1950 up to today, got 2026-03-05"),
        (["--end", "0001-01-01"], "expected a day from 1950 up to today, got 0001-01-01"),
    ],
)
def test_arguments_that_can_not_be_meant(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    # As the entry point runs it, which says in one line what is raised.
    result = run(*arguments, "--directory", tmp_path / "shop", standalone_mode=False)
    assert isinstance(result.exception, typer.BadParameter)
    assert complaint in result.exception.format_message()
    assert not (tmp_path / "shop").exists()


def test_a_directory_in_use_is_refused_until_it_may_be_overwritten(tmp_path: Path) -> None:
    few = ("--customers", 3, "--days", 30, "--directory", tmp_path / "shop")
    assert run(*few).exit_code == 0
    again = run(*few)
    assert isinstance(again.exception, SimulationError)
    assert "holds a simulated shop" in str(again.exception)
    assert run(*few, "--overwrite").exit_code == 0


def test_an_interruption_leaves_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.simulate.write_files", interrupted)
    result = run("--directory", tmp_path / "shop")
    assert result.exit_code == 130
    assert "No file is left behind" in result.stderr
