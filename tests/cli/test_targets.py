"""`regulars targets`: shown, exported, imported as versions, and checked before training."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.targets import DEFAULT_TARGETS, TargetSet
from store.target_sets import current_target_set
from tests.cli.conftest import At, Regulars

CONTRACTUAL = """\
[[target]]
name = "churn"
kind = "event"
horizon_days = 30
event = "Subscription Cancelled"

[[target]]
name = "downgrade"
kind = "event"
event = "Plan Changed"
where = [
  {property = "to", one_of = ["free", "basic"]},
]
"""


@pytest.fixture
def empty(regulars: Regulars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Regulars:
    """The command before a database that has tables and nothing in them."""
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    assert regulars("db", "upgrade").exit_code == 0
    return regulars


def _file(folder: Path, text: str) -> Path:
    path = folder / "targets.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _words(text: str) -> str:
    """Return what was printed as one line, however it was wrapped."""
    return " ".join(text.split())


def test_before_any_import_the_defaults_are_shown_and_exported(empty: Regulars) -> None:
    shown = empty("targets", "show")
    assert shown.exit_code == 0
    assert "churn no purchase as trained as trained" in _words(shown.out)
    assert "upsell orders worth more than 1.25 times what was expected" in _words(shown.out)
    assert "No targets were imported yet; these are the defaults." in shown.out
    assert TargetSet.from_toml(empty("targets", "export").out) == DEFAULT_TARGETS


def test_what_is_imported_is_in_force_as_a_version_and_exported_as_it_came(empty: Regulars, tmp_path: Path) -> None:
    path = _file(tmp_path, CONTRACTUAL)
    for _ in range(2):
        imported = empty("targets", "import", path)
        assert imported.exit_code == 0
        assert "Version 1 is in force: churn, downgrade." in imported.out
    shown = _words(empty("targets", "show").out)
    assert "churn the event “Subscription Cancelled” 30 as trained" in shown
    assert 'downgrade the event “Plan Changed” where to is "free" or "basic" as trained' in shown
    assert "Version 1 is in force." in shown
    assert empty("targets", "export").out == CONTRACTUAL
    assert (
        "Version 2 is in force: churn." in empty("targets", "import", _file(tmp_path, CONTRACTUAL.split("\n\n")[0])).out
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[target]]\nname = 'x'\n", "target 'x': kind: expected one of inactivity, event, purchase"),
        (
            "[[target]]\nname = 'upsell'\nkind = 'upsell'\nratio = 0\n",
            "target 'upsell': ratio: expected a finite number",
        ),
        (2 * "[[target]]\nname = 'churn'\nkind = 'inactivity'\n", "expected one churn at most, got 2"),
        ("[[target]\n", "targets: not TOML: Expected ']]'"),
    ],
)
@pytest.mark.parametrize("command", [("import",), ("check", "--file")], ids=lambda command: command[0])
def test_targets_that_can_not_be_meant_are_one_line_and_change_nothing(
    at: At, regulars: Regulars, tmp_path: Path, command: tuple[str, ...], text: str, complaint: str
) -> None:
    shop = at("untrained")
    assert complaint in regulars("targets", *command, _file(tmp_path, text)).complaint()
    with shop.database.read() as session:
        assert current_target_set(session) is None


def test_a_file_that_is_none_of_ours_is_one_line(empty: Regulars, tmp_path: Path) -> None:
    assert "No such file or directory: nowhere.toml" in empty("targets", "import", "nowhere.toml").complaint()
    path = tmp_path / "latin.toml"
    path.write_bytes("[[target]]\nname = 'ü'".encode("latin-1"))
    assert "latin.toml is not UTF-8 text: " in empty("targets", "check", "--file", path).complaint()


@pytest.mark.parametrize("command", ["show", "export", "check"])
def test_a_database_without_tables_says_how_to_get_them(
    regulars: Regulars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    assert regulars("targets", command).complaint().endswith("Run: regulars db upgrade")


def test_without_events_there_is_nothing_to_count_by(empty: Regulars) -> None:
    assert empty("targets", "check").complaint() == "There are no events to count by. Run: regulars ingest events FILE"


def test_the_check_shows_counts_at_each_snapshot_with_bars_and_complains_of_nothing(at: At, regulars: Regulars) -> None:
    at("untrained")
    checked = regulars("targets", "check")
    assert checked.exit_code == 0
    told = _words(checked.out)
    assert "churn: no purchase, within 90 days; " in told
    assert "of those active within 180" in told
    rows = [line.split() for line in checked.out.splitlines() if line.strip().startswith("202")]
    dates = [row[0] for row in rows]
    # One horizon apart, up to one horizon before the end; for each of the two targets.
    assert dates[: len(dates) // 2] == dates[len(dates) // 2 :]
    assert dates[-1] == "2024-04-02"
    assert all("█" in row[4] for row in rows)
    assert "2 of 2 targets are without a complaint." in told


def test_lengths_can_be_given_and_those_of_a_target_stay(at: At, regulars: Regulars, tmp_path: Path) -> None:
    at("untrained")
    own = _file(tmp_path, "[[target]]\nname = 'churn'\nkind = 'inactivity'\nhorizon_days = 30\n")
    given = ("--horizon-days", 60, "--activity-days", 200)
    assert "churn: no purchase, within 60 days" in _words(regulars("targets", "check", *given).out)
    told = _words(regulars("targets", "check", "--file", own, *given).out)
    assert "churn: no purchase, within 30 days" in told
    assert "of those active within 200" in told


def test_a_target_that_can_not_be_learnt_says_what_occurs_instead(at: At, regulars: Regulars, tmp_path: Path) -> None:
    at("untrained")
    path = _file(tmp_path, "[[target]]\nname = 'visits'\nkind = 'event'\nevent = 'Session started'\n")
    told = _words(regulars("targets", "check", "--file", path).out)
    assert "The event “Session started” never occurs. Did you mean “Session Started”?" in told
    assert "0 of 1 targets are without a complaint." in told


def test_conditions_are_checked_against_the_properties_that_were_ingested(empty: Regulars, tmp_path: Path) -> None:
    plans = tmp_path / "plans.csv"
    days = [f"{year}-{month:02}-01" for year in (2022, 2023) for month in range(1, 13)]
    rows = [f"c{i},{day},{'basic' if (i + k) % 3 else 'pro'}" for k, day in enumerate(days) for i in range(40)]
    plans.write_text("\n".join(["who,at,to", *rows]), encoding="utf-8")
    ingested = empty(
        *("ingest", "events", plans, "--customer-id", "who", "--occurred-at", "at"),
        *("--event", "Plan Changed", "--property", "to"),
    )
    assert ingested.exit_code == 0
    path = _file(tmp_path, CONTRACTUAL.split("\n\n")[1])
    assert "downgrade: the event “Plan Changed” where" in _words(empty("targets", "check", "--file", path).out)
    other = _file(tmp_path, path.read_text(encoding="utf-8").replace('"free", "basic"', '"Free"'))
    told = _words(empty("targets", "check", "--file", other).out)
    assert 'Values of “to”: "basic" (640), "pro" (320). Set the condition to what occurs.' in told
