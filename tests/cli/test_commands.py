"""Every command does what its help says, on a small shop."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cli.main import app
from cli.serve import _worker
from models.btyd import PURCHASE_MODELS
from models.segments import SEGMENTS, SegmentPolicy
from service.segment_csv import CSV_COLUMNS, WORK_COLUMNS
from store import policies, registry
from store.campaign_assignments import list_assignments
from store.held_out import read_held_out
from store.lists import iterate_segment
from store.scores import published_run
from store.tables import ScoringRun
from tests.cli.conftest import Regulars
from tests.shop import PROSPECTS
from tests.shop_databases import Shop, Stage

At = Callable[[Stage], Shop]

CLV_KEYS = {
    "model": str,
    "params": {"r": float, "alpha": float, "a": float, "b": float},
    "log_likelihood": float,
    "n_customers": int,
    "calibration_end": str,
    "holdout": {
        "days": int,
        "mae": float,
        "rmse": float,
        "bias": float,
        "spearman": float,
        "baselines": {
            "same_rate": {"mae": float, "rmse": float},
            "nobody_returns": {"mae": float, "rmse": float},
        },
    },
}
FURTHER_CLV_KEYS = {
    "assumptions",
    "asked",
    "baselines",
    "candidates",
    "forecast",
    "gamma_gamma",
    "holdout_days",
    "intervals",
    "kept",
    "why",
}
FIGURES = {
    "n": int,
    "rate": float,
    "auc": float,
    "average_precision": float,
    "log_loss": float,
    "brier": float,
    "calibration_error": float,
    "calibration_error_if_perfect": {"mean": float, "p95": float},
    "differences": {name: {"against": str, "low": float, "high": float} for name in ("auc", "log_loss")},
    "lift_at_10": float,
    "splits": str,
    "snapshots": {"train": list, "early_stopping": list, "calibration": list, "test": str},
}
LOGIT = {"logit_rfm": {"auc": float, "log_loss": float}}
OF_PURCHASES = {"buys_at_all": {"auc": float}, "own_mean_value": {"auc": float}}
TARGET_KEYS = {
    "churn": {
        **FIGURES,
        "baselines": {**LOGIT, "days_since_last_purchase": {"auc": float}, "p_alive": {"auc": float}},
    },
    "upsell": {
        **FIGURES,
        "baselines": {**LOGIT, **OF_PURCHASES},
        "among_buyers": {
            "n": int,
            "rate": float,
            "auc": float,
            "baselines": OF_PURCHASES,
            "difference": {"low": float, "high": float},
            "above_chance": {"low": float, "high": float},
            "beats_buys_at_all": bool,
            "beats_chance": bool,
        },
    },
}


def _shape(value: Any) -> Any:
    return {key: _shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value)


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
    shown = regulars("score", "--as-of", "2024-06-01T12:00:00")
    assert shown.exit_code == 0, shown.err
    assert "1,502 customers scored as of 2024-06-01 12:00 UTC with version 1." in shown.out
    for segment in SEGMENTS:
        assert segment in shown.out
    with shop.database.read() as session:
        run = published_run(session)
    assert run is not None
    assert f"{run.as_of:%Y-%m-%d %H:%M}" == "2024-06-01 12:00"


def test_segments_shows_the_published_sums(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    shown = regulars("segments")
    assert "As of 2024-07-01 00:00 UTC, model version 1, policy version 1." in shown.out
    with shop.database.read() as session:
        aggregates = published_run(session).aggregates or {}  # type: ignore[union-attr]
    assert f"{aggregates['total']['clv']:,.2f}" in shown.out


def test_at_risk_shows_the_list_with_its_reasons(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    rows = list(iterate_segment(shop.database, "at_risk"))
    shown = regulars("at-risk", "--limit", 3)
    assert shown.exit_code == 0
    assert f"3 of {len(rows)} customers at risk, as of 2024-07-01, model version 1." in shown.out
    for row in rows[:3]:
        assert row.customer_id in shown.out
    assert rows[3].customer_id not in shown.out
    with shop.database.read() as session:
        held_out = read_held_out(session, 0.1)
    may_be = [row for row in rows if row.score.customer_key not in held_out]
    assert f"{rows.index(may_be[1]) + 1} of {len(rows)} customers" in regulars("at-risk", "--budget", 2).out
    assert f"{len(rows) - len(may_be)} of them are held out" in shown.out
    assert "save rate 10%, an assumption until a campaign has measured it" in shown.out


def test_at_risk_shows_whom_a_reason_or_an_amount_singles_out_in_their_places(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    rows = list(iterate_segment(shop.database, "at_risk"))
    named = [(row, json.loads(row.score.reasons or "[]")[:-1]) for row in rows]
    feature = named[0][1][0][0]
    towards = [row.customer_id for row, told in named if any(name == feature and by > 0 for name, _, by in told)]
    assert 0 < len(towards) < len(rows)

    def listed(*options: object) -> list[tuple[int, str]]:
        printed = regulars("at-risk", "--csv", "-", *options)
        assert printed.exit_code == 0, printed.err
        return [(int(row["position"]), row["customer_id"]) for row in csv.DictReader(io.StringIO(printed.out))]

    places = {row.customer_id: place for place, row in enumerate(rows, start=1)}
    assert listed("--reason", f"{feature}:towards") == [(places[each], each) for each in towards]
    least = rows[4].score.value_at_risk
    assert listed("--min-value-at-risk", least) == [(places[row.customer_id], row.customer_id) for row in rows[:5]]
    assert "in their places among all" in regulars("at-risk", "--reason", feature).out
    refused = regulars("at-risk", "--reason", "nonsense")
    assert refused.exit_code != 0
    assert "No reason is called 'nonsense'" in refused.err


def test_propensity_shows_the_list_of_a_target_and_writes_it_as_csv(regulars: Regulars, at: At, tmp_path: Path) -> None:
    shop = at("scored")
    rows = list(iterate_segment(shop.database, "upsell_propensity"))
    shown = regulars("propensity", "upsell", "--limit", 3)
    assert shown.exit_code == 0, shown.err
    told = " ".join(shown.out.split())
    assert f"3 of {len(rows):,} customers judged (orders worth more than 1.25 times what was expected" in told
    assert "within 90 days; base rate " in told
    assert rows[0].customer_id in shown.out
    assert rows[3].customer_id not in shown.out
    path = tmp_path / "list.csv"
    assert "Written to" in regulars("propensity", "upsell", "--csv", path).out
    listed = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["customer_id"] for row in listed] == [row.customer_id for row in rows]
    assert {row["ranked_by"] for row in listed} == {"upsell_propensity"}
    assert "upsell" in regulars("segments").out


def test_at_risk_writes_the_whole_list_as_csv_to_a_file_and_to_the_terminal(
    regulars: Regulars, at: At, tmp_path: Path
) -> None:
    shop = at("scored")
    printed = regulars("at-risk", "--csv", "-")
    assert printed.exit_code == 0
    path = tmp_path / "list.csv"
    assert "Written to" in regulars("at-risk", "--csv", path).out
    assert path.read_bytes().decode() == printed.out
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert tuple(rows[0]) == (*CSV_COLUMNS, "upsell_propensity", *WORK_COLUMNS)
    listed = list(iterate_segment(shop.database, "at_risk"))
    assert [row["customer_id"] for row in rows] == [row.customer_id for row in listed]
    assert [float(row["value_at_risk"]) for row in rows] == [row.score.value_at_risk for row in listed]
    assert all(row["sentence"].endswith(".") for row in rows)
    first = list(csv.DictReader(io.StringIO(regulars("at-risk", "--csv", "-", "--budget", 4).out)))
    assert [row["held_out"] for row in first].count("no") == 4
    assert first == rows[: len(first)]


def test_a_campaign_is_made_contacts_are_told_from_a_file_and_its_effect_is_shown(
    regulars: Regulars, at: At, tmp_path: Path
) -> None:
    shop = at("scored")
    listed = [row.customer_id for row in iterate_segment(shop.database, "at_risk")]
    made = regulars("campaigns", "add", "Autumn calls", "--held-out-share", 0.3)
    assert made.exit_code == 0, made.err
    assert f"for {len(listed)} more customers, 30% of them held out; counts: a purchase within 90 days" in made.out
    assert "Autumn calls" in regulars("campaigns", "list").out
    with shop.database.read() as session:
        arms = {row.customer_id: row.arm for row in list_assignments(session, 1, limit=1_000)}
    called, out = (next(name for name in listed if arms[name] == arm) for arm in ("contacted", "held_out"))
    path = tmp_path / "contacts.csv"
    lines = [
        "customer_id,contacted_at,channel,campaign,cost",
        f"{called},2024-07-01T00:00:00Z,phone,Autumn calls,2.5",
    ]
    # The same contact again, of a campaign that is called by its number.
    lines.append(lines[1].replace("Autumn calls", "1"))
    path.write_text("\n".join([*lines, f"{out},2024-07-01,phone,,", "nobody,2024-07-01T00:00:00Z,phone,,"]))
    told = regulars("contacts", "add", path)
    assert "contacts.csv: stored 1 + already there 1 + rejected 2" in told.out
    assert "line 4: contacted_at: " in told.out
    assert "line 5: no customer has the id 'nobody'" in told.out
    assert "went to customers who are held out" not in told.out
    held_out = tmp_path / "held out.csv"
    held_out.write_text(f"{lines[0]}\n{out},2024-07-02T00:00:00Z,phone,1,")
    assert "1 went to customers who are held out" in regulars("contacts", "add", held_out).out
    assert "stored 0 + already there 2" in regulars("contacts", "add", path).out
    rows = list(csv.DictReader(io.StringIO(regulars("at-risk", "--csv", "-").out)))
    assert [row["customer_id"] for row in rows] == [name for name in listed if name not in {called, out}]
    shown = regulars("at-risk", "--include-contacted", "--limit", len(listed))
    assert "contacted 2024-07-01" in shown.out
    assert "contacted 2024-07-02" in shown.out
    effect = regulars("campaigns", "effect", "Autumn calls")
    assert effect.exit_code == 0, effect.err
    assert "held_out, held out" in effect.out
    assert "There is no campaign 'Spring'" in regulars("campaigns", "effect", "Spring").complaint()
    assert "held_out_share" in regulars("campaigns", "add", "x", "--held-out-share", 0.95).complaint()
    assert regulars("campaigns", "add", "2024").complaint().startswith("name: expected more than digits")


def test_before_there_is_a_list_no_campaign_is_left_behind(regulars: Regulars, at: At) -> None:
    at("untrained")
    assert "regulars score" in regulars("campaigns", "add", "Autumn calls").complaint()
    assert "Autumn" not in regulars("campaigns", "list").out


def test_explain_says_why_and_shows_contributions_that_sum(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = regulars("explain", first.customer_id)
    assert shown.exit_code == 0, shown.err
    assert f"leaves within 90 days with {first.score.churn_probability:.0%}" in shown.out
    assert "raw margin" in shown.out
    assert f"{first.score.raw_margin:+.3f}" in shown.out
    assert "reasons of upsell, in log-odds" in shown.out
    assert "for it" in shown.out or "against it" in shown.out
    assert "all other features" in shown.out
    assert "As of 2024-07-01 00:00 UTC, model version 1." in shown.out


def test_explain_says_how_sure_clv_is_and_what_it_comes_from(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = " ".join(regulars("explain", first.customer_id).out.split())
    assert f"(USD {first.score.clv_low:,.2f} to USD {first.score.clv_high:,.2f} in at least 8 cases of 10)" in shown
    assert f"{first.score.purchase_within_30d:.0%} within 30 days" in shown
    assert "than of the typical active customer" in shown
    assert "Compared with the typical active customer, who" in shown


def test_explain_says_why_scores_moved_since_a_day(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    first = next(iterate_segment(shop.database, "at_risk"))
    shown = " ".join(regulars("explain", first.customer_id, "--since", "2024-06-01").out.split())
    assert "Since 2024-06-01 clv" in shown
    assert "what moved" in shown
    assert "No score of 2020-01-01" in regulars("explain", first.customer_id, "--since", "2020-01-01").out
    ahead = regulars("explain", first.customer_id, "--since", "2025-01-01")
    assert ahead.exit_code != 0
    assert "--since: expected an instant before 2024-07-01 00:00 UTC" in " ".join(ahead.err.split())


def test_explain_tells_of_customers_without_a_churn_probability_why(regulars: Regulars, at: At) -> None:
    shop = at("scored")
    assert "No purchase is known before this date" in regulars("explain", PROSPECTS[0]).out
    dormant = next(iterate_segment(shop.database, "dormant"))
    shown = regulars("explain", dormant.customer_id).out
    assert "too long ago to count as an active customer" in shown
    assert "clv USD" in shown
    assert "Not judged for upsell." in shown


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


def test_evaluate_prints_exactly_the_documented_json(regulars: Regulars, at: At) -> None:
    at("trained")
    shown = regulars("evaluate", "--json")
    assert shown.exit_code == 0, shown.err
    printed = json.loads(shown.out)
    assert set(printed) == {"clv", "targets"}
    clv = printed["clv"]
    assert set(clv) == set(CLV_KEYS) | FURTHER_CLV_KEYS
    assert _shape({key: clv[key] for key in CLV_KEYS}) == CLV_KEYS
    assert {*PURCHASE_MODELS, "lightgbm_poisson"} == set(clv["candidates"])
    assert all(clv["candidates"][name]["certificate"]["converged"] for name in PURCHASE_MODELS)
    assert _shape(printed["targets"]) == TARGET_KEYS
    assert printed["clv"]["holdout"]["days"] == 90
    assert "NaN" not in shown.out
    assert "The figures are those of the evaluated model" in " ".join(shown.err.split())


def test_evaluate_takes_another_hold_out_and_works_without_a_model(regulars: Regulars, at: At) -> None:
    at("untrained")
    shown = regulars("evaluate", "--holdout-days", 200, "--clv-model", "mbg_nbd", "--json")
    printed = json.loads(shown.out)
    assert printed["targets"] == {}
    assert printed["clv"]["holdout"]["days"] == 200
    assert (printed["clv"]["model"], printed["clv"]["asked"]) == ("mbg_nbd", "mbg_nbd")
    assert printed["clv"]["calibration_end"] == "2023-12-13"
    assert "No model is trained yet. Run: regulars train" in " ".join(shown.err.split())


def test_evaluate_shows_tables_with_bars(regulars: Regulars, at: At) -> None:
    at("trained")
    shown = regulars("evaluate", "--model", "champion")
    assert shown.exit_code == 0
    assert "█" in shown.out
    for words in ("nobody returns", "same rate", "* bg nbd", "pareto nbd", "gamma gamma", "±", "intervals of bg nbd"):
        assert words in shown.out
    for words in ("p alive", "log-likelihood", "buys at all", "who bought"):
        assert words in shown.out


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}


def test_a_list_that_is_piped_to_a_reader_who_leaves_ends_quietly(at: At) -> None:
    at("scored")
    arguments = [sys.executable, "-m", "cli", "at-risk", "--csv", "-"]
    listing = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment())
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    assert listing.stderr.read() == b""
    listing.stderr.close()
    assert listing.wait(60) == 1


def test_a_worker_executes_what_is_queued_and_ends_when_interrupted(at: At) -> None:
    shop = at("trained")
    worker = subprocess.Popen([sys.executable, "-m", "cli", "worker"], env=_environment(), stdout=subprocess.DEVNULL)
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
    server = subprocess.Popen(arguments, env=_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True)
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
