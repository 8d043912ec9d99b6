"""`regulars segments`, `at-risk` and `propensity`: lists on the terminal, as CSV, and down a pipe."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

from service.segment_csv import CSV_COLUMNS, WORK_COLUMNS
from store.held_out import read_held_out
from store.lists import iterate_segment
from store.scores import published_run
from tests.cli.conftest import At, Regulars, environment


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


def test_a_list_that_is_piped_to_a_reader_who_leaves_ends_quietly(at: At) -> None:
    at("scored")
    arguments = [sys.executable, "-m", "cli", "at-risk", "--csv", "-"]
    listing = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    assert listing.stderr.read() == b""
    listing.stderr.close()
    assert listing.wait(60) == 1
