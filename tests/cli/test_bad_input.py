"""Bad input is one clear line on standard error and exit code 2, never a traceback."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from store.registry import AUC_TOLERANCE
from store.tables import ModelVersion
from tests.cli.conftest import At, Regulars


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nosuch"], "No such command 'nosuch'."),
        (["train", "--trials", "many"], "--trials"),
        (["train", "--trials", "0"], "--trials"),
        (["train", "--as-of", "yesterday"], "--as-of"),
        (["train", "--as-of", "0001-01-01"], "expected a year from 1900 to 2099, got 1."),
        (["score", "--as-of", "2024-13-01"], "--as-of"),
        (["score", "--as-of", "9999-12-31"], "expected a year from 1900 to 2099, got 9999."),
        (["evaluate", "--holdout-days", "1000000000"], "--holdout-days"),
        (
            ["evaluate", "--clv-model", "crystal_ball"],
            "--clv-model: expected bg_nbd or mbg_nbd or pareto_nbd, got 'crystal_ball'",
        ),
        (["models", "promote", "99999999999999999999"], "version"),
        (["explain"], "CUSTOMER"),
        (["explain", "\udcff"], "expected UTF-8 text"),
        (["at-risk", "--limit", "0"], "--limit"),
        (["segments", "import-policy", "nowhere.toml"], "No such file or directory: nowhere.toml"),
    ],
    ids=lambda value: None if isinstance(value, str) else ascii(" ".join(value)),
)
def test_arguments_that_can_not_be_meant(regulars: Regulars, arguments: list[str], complaint: str) -> None:
    assert complaint.lower() in regulars(*arguments).complaint().lower()


@pytest.mark.parametrize(
    "arguments",
    [
        "train",
        "evaluate",
        "score",
        "at-risk",
        "propensity upsell",
        "explain x",
        "segments",
        "models list",
        "models promote",
        "worker",
        "serve",
    ],
)
def test_a_database_without_tables(regulars: Regulars, arguments: str) -> None:
    told = regulars(*arguments.split()).complaint()
    assert told == "The database has no tables of Regulars yet. Run: regulars db upgrade"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("train", "There are no orders to learn from"),
        ("evaluate", "There are no orders to evaluate on. Run: regulars ingest events FILE"),
        ("score", "There is no model 'champion'."),
        ("at-risk", "No customer has been scored yet. Run: regulars score"),
        ("propensity upsell", "No customer has been scored yet. Run: regulars score"),
        ("segments", "No customer has been scored yet. Run: regulars score"),
        ("segments export-policy", "No segment policy is stored yet. Run: regulars train"),
        ("models promote", "There is no model 'challenger'."),
        ("models rollback", "There is no champion before this one to go back to."),
        ("explain x", "No customer has the id 'x'."),
    ],
)
def test_tables_without_anything_in_them(regulars: Regulars, arguments: str, complaint: str) -> None:
    assert regulars("db", "upgrade").exit_code == 0
    assert complaint in regulars(*arguments.split()).complaint()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://shop", "REGULARS_DATABASE_URL: expected a URL that begins with sqlite:/// or postgresql://"),
        ("sqlite:///", "expected a file in the SQLite URL"),
        ("postgresql://shop:port/x", "expected a database URL"),
        ("postgresql://nobody@127.0.0.1:1/shop", "The database can't be used: connection failed"),
        ("sqlite:///list.txt", "The database can't be used: file is not a database. Check REGULARS_DATABASE_URL."),
        ("sqlite:///folder", "The database can't be used: unable to open database file."),
        ("sqlite:///list.txt/regulars.db", "list.txt"),
    ],
)
def test_a_database_that_can_not_be_opened(
    regulars: Regulars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, complaint: str
) -> None:
    (tmp_path / "list.txt").write_text("no database, but more than a hundred bytes of text " * 40)
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("REGULARS_DATABASE_URL", url)
    assert complaint in regulars("segments").complaint()


def test_a_database_that_somebody_else_has_locked(regulars: Regulars, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = at("scored")
    monkeypatch.setattr("store.engine._BUSY_TIMEOUT_MS", 50)
    with sqlite3.connect(shop.database.engine.url.database or "", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        told = regulars("score").complaint()
        other.execute("ROLLBACK")
    other.close()
    assert told == "The database can't be used: database is locked. Check REGULARS_DATABASE_URL."


def test_settings_that_can_not_be_used_are_named(regulars: Regulars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_TIMEZONE", "Mars")
    monkeypatch.setenv("REGULARS_MARGIN", "7")
    told = regulars("segments").complaint()
    assert "REGULARS_TIMEZONE: expected an IANA time zone such as Europe/Berlin (got 'Mars')" in told
    assert "REGULARS_MARGIN" in told


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("max_share = 2", "max_share: expected above 0 and at most 1, got 2"),
        ("max_shares = 0.2", "unknown max_shares; expected some of contact_cost"),
        ("max_share = '0.2'", "expected a number for max_share"),
        ("max_share = ", "not TOML"),
        ("[max_share]\nx = 1", "expected a number for max_share"),
    ],
)
def test_a_policy_that_is_none(regulars: Regulars, at: At, tmp_path: Path, content: str, complaint: str) -> None:
    at("scored")
    path = tmp_path / "policy.toml"
    path.write_text(content)
    assert complaint in regulars("segments", "import-policy", path).complaint()
    assert "policy version 1" in regulars("segments").out


def test_a_policy_that_is_not_text(regulars: Regulars, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"max_share = \xff")
    assert "is not UTF-8 text: invalid start byte at byte 12" in regulars("segments", "import-policy", path).complaint()


def test_a_customer_whom_nobody_knows(regulars: Regulars, at: At) -> None:
    at("scored")
    assert regulars("explain", "nobody").complaint() == "No customer has the id 'nobody'."


@pytest.mark.parametrize("target", ["churn", "vip", "UPSELL"])
def test_a_propensity_that_the_model_does_not_have(regulars: Regulars, at: At, target: str) -> None:
    at("scored")
    told = regulars("propensity", target).complaint()
    assert told == f"There is no propensity '{target}'. Propensities of model 1: upsell."


def test_a_model_that_does_not_exist(regulars: Regulars, at: At) -> None:
    at("scored")
    for name in ("9", "9" * 30, "best"):
        assert f"There is no model '{name}'. Versions: 1." in regulars("evaluate", "--model", name).complaint()
    assert "There is no model '9'. Versions: 1." in regulars("models", "promote", "9").complaint()


@pytest.mark.parametrize("arguments", [("score",), ("explain", "k0001")])
def test_a_damaged_bundle_is_named_with_its_file(regulars: Regulars, at: At, arguments: tuple[str, ...]) -> None:
    shop = at("scored")
    (folder,) = shop.settings.bundle_dir.iterdir()
    (folder / "gamma_gamma.json").write_text("{}")
    told = regulars(*arguments).complaint()
    assert f"In bundle {folder.name} gamma_gamma.json was changed after training. Train again." in told


def test_a_worse_challenger_is_refused_and_there_is_nobody_to_roll_back_to(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    assert regulars("train", "--trials", 1, "--seed", 9).exit_code == 0
    with shop.database.write() as session:
        version = session.get_one(ModelVersion, 2)
        champion = version.test_metrics["champion"]
        worse = {"auc": champion["auc"] - 2 * AUC_TOLERANCE, "log_loss": champion["log_loss"] + 0.1}
        version.test_metrics = {**version.test_metrics, "target": worse}
    told = regulars("models", "promote").complaint()
    assert "Version 2 is worse than the champion, version 1, on the same test snapshot" in told
    assert "regulars models promote 2 --force" in told
    assert "There is no champion before this one" in regulars("models", "rollback").complaint()


def test_a_file_that_can_not_be_written(regulars: Regulars, at: At, tmp_path: Path) -> None:
    at("scored")
    assert "No such file or directory" in regulars("at-risk", "--csv", tmp_path / "none" / "list.csv").complaint()


def test_serve_without_any_key_starts_only_if_told_to(regulars: Regulars, at: At) -> None:
    at("scored")
    told = regulars("serve").complaint()
    assert "There is no key yet" in told
    assert "regulars keys create --scope admin, or set REGULARS_OPEN=1" in told


def test_serve_without_any_key_listens_on_loopback_only(
    regulars: Regulars, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("scored")
    monkeypatch.setenv("REGULARS_OPEN", "1")
    for host in ("0.0.0.0", "shop.example", "::"):  # noqa: S104  # what is refused
        monkeypatch.setenv("REGULARS_HOST", host)
        assert f"REGULARS_HOST is {host}: without any key" in regulars("serve").complaint()


@pytest.mark.parametrize("by_option", [False, True])
def test_serve_says_that_a_port_is_in_use(
    regulars: Regulars, at: At, monkeypatch: pytest.MonkeyPatch, by_option: bool
) -> None:
    at("scored")
    monkeypatch.setenv("REGULARS_OPEN", "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # Options come before settings.
        monkeypatch.setenv("REGULARS_HOST", "::1" if by_option else "127.0.0.1")
        monkeypatch.setenv("REGULARS_PORT", "1" if by_option else str(port))
        options = ("--host", "127.0.0.1", "--port", str(port)) if by_option else ()
        told = regulars("serve", "--no-worker", *options).complaint()
    assert told == f"127.0.0.1:{port}: Address already in use. Choose another with --port, or REGULARS_PORT."


def test_the_demo_refuses_a_database_of_other_data_and_another_as_of(
    regulars: Regulars, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("scored")
    monkeypatch.setenv("REGULARS_AS_OF", "1998-07-01")
    assert "holds other data. Set REGULARS_DATABASE_URL" in regulars("demo", "--no-serve").complaint()
    monkeypatch.setenv("REGULARS_AS_OF", "2024-07-01")
    assert "The demo speaks of 1998-07-01: set REGULARS_AS_OF" in regulars("demo", "--no-serve").complaint()
