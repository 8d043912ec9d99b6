"""`regulars campaigns` and `contacts`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from store.campaign_arms import list_assignments
from store.lists import iterate_segment
from tests.cli.conftest import At, Regulars


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
