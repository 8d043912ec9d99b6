"""Every command does what its help says, on a small shop."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import select

from cli.main import app
from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS
from store import policies, registry
from store.scores import published_run
from store.tables import ScoringRun
from tests.cli.conftest import At, Regulars


def test_help_names_every_command_and_no_argument_is_a_call_for_help(regulars: Regulars) -> None:
    shown = regulars("--help")
    assert shown.exit_code == 0
    for command in app.registered_commands:
        assert f" {command.name} " in shown.out
    for group in app.registered_groups:
        assert f" {group.name} " in shown.out
    without = regulars()
    assert without.exit_code == 2
    assert "at-risk" in without.out + without.err
    assert "Error" not in without.err


def test_db_upgrade_makes_the_tables_and_does_nothing_again(
    regulars: Regulars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite:///{tmp_path}/new/regulars.db")
    assert regulars("segments").complaint() == "The database has no tables of Regulars yet. Run: regulars db upgrade"
    for _ in range(2):
        assert regulars("db", "upgrade").out == "The tables are current.\n"
    assert regulars("models", "list").exit_code == 0


def test_train_registers_the_first_as_champion_and_the_next_as_challenger(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    first = regulars("train", "--trials", 1)
    assert first.exit_code == 0, first.err
    assert "Version 1 is registered as champion." in first.out
    assert "logit rfm" in first.out
    second = regulars("train", "--trials", 1, "--seed", 5, "--horizon-days", 60, "--activity-days", 150)
    assert "Version 2 is registered as challenger." in second.out
    assert "regulars models promote" in second.out
    with shop.database.read() as session:
        settings = registry.find_version(session, "2").report["settings"]
    assert (settings["seed"], settings["horizon_days"], settings["activity_days"]) == (5, 60, 150)


def test_train_as_of_speaks_of_an_earlier_day(regulars: Regulars, at: At) -> None:
    shop = at("untrained")
    assert regulars("train", "--trials", 1, "--as-of", "2024-05-01").exit_code == 0
    with shop.database.read() as session:
        report = registry.find_version(session).report
    assert report["targets"]["churn"]["snapshots"]["test"] == "2024-02-01"


def test_score_publishes_and_shows_the_segments(regulars: Regulars, at: At) -> None:
    shop = at("trained")
    assert "--as-of: expected an instant up to" in regulars("score", "--as-of", "2099-12-31").complaint()
    shown = regulars("score", "--as-of", "2024-06-01T12:00:00")
    assert shown.exit_code == 0, shown.err
    assert "1,502 customers scored as of 2024-06-01 12:00 UTC with version 1." in shown.out
    for segment in SEGMENTS:
        assert segment in shown.out
    with shop.database.read() as session:
        run = published_run(session)
    assert run is not None
    assert f"{run.as_of:%Y-%m-%d %H:%M}" == "2024-06-01 12:00"


def test_a_policy_that_is_exported_changed_and_imported_is_in_force(regulars: Regulars, at: At, tmp_path: Path) -> None:
    shop = at("scored")
    exported = regulars("segments", "export-policy").out
    assert SegmentPolicy.from_dict(tomllib.loads(exported)) == SegmentPolicy()
    path = tmp_path / "policy.toml"
    path.write_text(exported)
    assert "Policy version 1 is in force" in regulars("segments", "import-policy", path).out
    path.write_text(exported.replace("max_share = 0.2", "max_share = 0.1"))
    assert "Policy version 2 is in force" in regulars("segments", "import-policy", path).out
    with shop.database.read() as session:
        assert policies.current_policy(session)[1]["max_share"] == 0.1
        assert len(session.scalars(select(ScoringRun).where(ScoringRun.status == "queued")).all()) == 1
    assert "policy version 2" not in regulars("segments").out
    assert regulars("score").exit_code == 0
    assert "policy version 2" in regulars("segments").out


def test_models_are_listed_promoted_and_rolled_back(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    assert "Version 2" in regulars("train", "--trials", 1, "--seed", 3).out
    listed = regulars("models", "list").out
    assert listed.index("challenger") < listed.index("champion")
    promoted = regulars("models", "promote", "--force")
    assert "Version 2 is champion. A scoring run is queued" in promoted.out
    assert "Version 1 is champion again. A scoring run is queued" in regulars("models", "rollback").out
    with shop.database.read() as session:
        assert registry.aliases(session)["champion"] == 1
