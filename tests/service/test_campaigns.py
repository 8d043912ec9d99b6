"""Campaigns over HTTP: made, contacted, counted by a worker, and their save rate put into the policy, visibly."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import delete, func, select, update

from models.segment_policy import SegmentPolicy
from models.segments import SEGMENTS
from service.list_answers import TOTAL_COUNT
from service.schemas.campaigns import CampaignIn
from service.sync.file_target import FileTarget
from service.sync.send import send_segment
from store import policies
from store.ingest import EventMapping, ingest_events
from store.tables import Campaign, CampaignAssignment, Contact, PublishedRun, ScoringRun
from tests.service.conftest import Shop
from tests.service.keys import make_keys
from tests.service.shop import AS_OF, NOW, POLICY
from training.measure import measure_campaign
from training.score_all import score_all
from training.worker import measure_due

LATER = AS_OF.isoformat()


def send(shop: Shop, path: str, body: Any, status: int = 200) -> Any:
    response = shop.client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


def listed(shop: Shop, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shop.get("/v1/at-risk", limit=1000, **params)["rows"]
    return rows


def contact(customer_id: str, days_ago: float = 0.0, **given: Any) -> dict[str, Any]:
    at = (AS_OF - timedelta(days=days_ago)).isoformat()
    return {"customer_id": customer_id, "contacted_at": at, "channel": "phone", **given}


def supplied(shop: Shop, *, assigned_at: datetime, contacted: list[str], held_out: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = send(
        shop,
        "/v1/campaigns",
        {
            "name": "Autumn calls",
            "assigned_at": assigned_at.isoformat(),
            "held_out_arm": "quiet",
            "assignment": [{"customer_id": name, "arm": "called"} for name in contacted]
            + [{"customer_id": name, "arm": "quiet"} for name in held_out],
        },
        201,
    )
    return made


def returned_or_not(shop: Shop, since: datetime) -> tuple[list[str], list[str]]:
    """Ids of customers who purchased within the 90 days after an instant, and of those who did not."""
    done: dict[str, bool] = {}
    for name in ("at_risk", "dormant", "steady", "high_value"):
        for row in shop.get(f"/v1/segments/{name}/customers", limit=1000)["rows"]:
            last = row["days_since_last_purchase"]
            done[row["customer_id"]] = last < (AS_OF - since).days
    return [name for name, came in done.items() if came], [name for name, came in done.items() if not came]


def test_segments_that_may_be_asked_for_are_those_of_the_policy() -> None:
    (literal, _) = get_args(CampaignIn.model_fields["segment"].annotation)
    assert get_args(literal) == SEGMENTS


def test_a_campaign_for_the_customers_at_risk_holds_a_share_out_and_is_made_once(own_shop: Shop) -> None:
    everybody = [row["customer_id"] for row in listed(own_shop)]
    body = {"name": "Autumn", "held_out_share": 0.5}
    made = send(own_shop, "/v1/campaigns", body, 201)
    assert made["assigned"] == {"stored": len(everybody), "already_there": 0, "rejected": []}
    assert (made["segment"], made["outcome"], made["outcome_days"]) == ("at_risk", "purchase", 90)
    assert (made["held_out_arm"], made["is_assigned"]) == ("held_out", True)
    assert send(own_shop, "/v1/campaigns", body, 201)["assigned"]["stored"] == 0
    again = body | {"assigned_at": "2023-12-01T00:00:00Z"}
    assert "with another assigned_at" in send(own_shop, "/v1/campaigns", again, 409)["detail"]
    refused = send(own_shop, "/v1/campaigns", body | {"held_out_share": 0.4}, 409)
    assert refused["type"] == "urn:regulars:problem:campaign-exists"
    with own_shop.database.read() as session:
        arms = dict(
            session.execute(select(CampaignAssignment.arm, func.count()).group_by(CampaignAssignment.arm)).all()
        )
    assert set(arms) == {"contacted", "held_out"}
    path = f"/v1/campaigns/{made['campaign_id']}"
    response = own_shop.client.get(f"{path}/effect")
    assert (response.status_code, response.json()) == (202, {"state": "queued"})
    measure_due(own_shop.database, own_shop.settings, now=lambda: NOW)
    effect = own_shop.get(f"{path}/effect")
    assert (effect["held_out"]["n"], effect["held_out"]["open"]) == (0, arms["held_out"])
    assert effect["adoption"]["policy_version"] is None
    assert "still open" in effect["adoption"]["why"]
    assert [campaign["name"] for campaign in own_shop.get("/v1/campaigns")["campaigns"]] == ["Autumn"]
    assert own_shop.get(path)["effect_as_of"] == "2024-01-01T00:00:00Z"


def test_whom_a_campaign_holds_out_is_told_and_marked_on_the_list_while_its_window_is_open(
    own_shop: Shop, tmp_path: Path
) -> None:
    rows = [row["customer_id"] for row in listed(own_shop)]
    assert not any(row["held_out"] for row in listed(own_shop))
    made = send(own_shop, "/v1/campaigns", {"name": "Autumn", "held_out_share": 0.5}, 201)
    path = f"/v1/campaigns/{made['campaign_id']}/assignments"
    first = own_shop.get(path, limit=3)
    rest = own_shop.get(path, after=first["next_after"])
    assert rest["next_after"] is None
    told = {each["customer_id"]: each for each in (*first["assignments"], *rest["assignments"])}
    assert sorted(told) == sorted(rows)
    out = {name for name, each in told.items() if each["held_out"]}
    assert {each["arm"] for name, each in told.items() if name in out} == {"held_out"}
    assert 0 < len(out) < len(rows)
    assert {row["customer_id"] for row in listed(own_shop) if row["held_out"]} == out
    within = own_shop.get("/v1/at-risk", budget=len(rows), limit=1000)
    worth = [row["value_at_risk"] for row in within["rows"] if not row["held_out"]]
    assert within["budget"]["contacts"] == len(worth) == len(rows) - len(out)
    assert within["budget"]["value_at_risk"] <= sum(worth) * (1 + 1e-9)
    path_of_file = tmp_path / "list.csv"
    target = FileTarget(path_of_file)
    send_segment(own_shop.database, "at_risk", target, difference=False, thresholds={}, now=lambda: NOW)
    with path_of_file.open(newline="") as synced:
        assert {row["customer_id"] for row in csv.DictReader(synced) if row["held_out"] == "yes"} == out
    with own_shop.database.write() as session:
        passed = AS_OF - timedelta(days=made["outcome_days"] + 1)
        session.execute(update(CampaignAssignment).values(assigned_at=passed))
    assert not any(row["held_out"] for row in listed(own_shop))
    assert own_shop.client.get("/v1/campaigns/99/assignments").status_code == 404


def test_before_the_first_scoring_no_campaign_is_left_behind(own_shop: Shop) -> None:
    with own_shop.database.write() as session:
        session.execute(delete(PublishedRun))
    assert own_shop.client.post("/v1/campaigns", json={"name": "Autumn"}).status_code == 409
    assert own_shop.get("/v1/campaigns")["campaigns"] == []


def test_windows_stay_open_until_what_is_stored_reaches_their_end(own_shop: Shop, tmp_path: Path) -> None:
    assigned = send(own_shop, "/v1/campaigns", {"name": "Autumn"}, 201)["assigned"]["stored"]
    settings = own_shop.settings.model_copy(update={"as_of": None})
    later = NOW + timedelta(days=200)
    silent = measure_campaign(own_shop.database, settings, "Autumn", now=later)
    # The shop's last order was on the day before.
    assert (silent.effect.open, silent.as_of) == (assigned, AS_OF)
    with own_shop.database.read() as session:
        assert session.scalars(select(Campaign.effect_due_at)).one() == later + timedelta(days=1)
    path = tmp_path / "late.csv"
    path.write_text(f"customer,at,value\nstranger,{later - timedelta(days=1):%Y-%m-%d},5\n")
    mapping = EventMapping(customer_id="customer", occurred_at="at", value="value", event="Order Completed")
    assert ingest_events(own_shop.database, settings, path, mapping, received_at=later).rejected == 0
    assert measure_campaign(own_shop.database, settings, "Autumn", now=later).effect.open == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"segment": None}, "expected a segment, or an assignment"),
        ({"assignment": []}, "expected held_out_arm with an assignment"),
        ({"held_out_share": 0.95}, "less than or equal to 0.9"),
        ({"outcome_days": 0}, "greater than or equal to 1"),
        ({"unknown": 1}, "no such part"),
        ({"name": "2024"}, "expected more than digits"),
        ({"name": "a\0b"}, "name: expected text that matches"),
        ({"name": "\0"}, "name: expected text that matches"),
        ({"assignment": [], "held_out_arm": "a", "held_out_share": 0.1}, "neither held_out_share nor most_customers"),
    ],
)
def test_a_campaign_that_cannot_be_meant_is_refused(shop: Shop, body: dict[str, Any], told: str) -> None:
    assert told in send(shop, "/v1/campaigns", {"name": "x", **body}, 422)["detail"]


def test_what_is_asked_of_no_campaign_is_answered_404(shop: Shop) -> None:
    for path in ("/v1/campaigns/9", "/v1/campaigns/9/effect"):
        assert shop.client.get(path).status_code == 404
    for path, body in (("effect", {}), ("adopt", {}), ("assignments", {"assignments": [contact("c000")]})):
        response = shop.client.post(f"/v1/campaigns/9/{path}", json=body)
        assert response.status_code == (422 if path == "assignments" else 404)


def test_contacted_customers_leave_the_list_until_they_are_asked_for(own_shop: Shop) -> None:
    before = listed(own_shop)
    first, second, third, old = (row["customer_id"] for row in before[:4])
    taken = send(
        own_shop,
        "/v1/contacts",
        {
            "contacts": [
                contact(first, 1.0),
                contact(third, 13.9, cost=2.0, message_id="m1"),
                contact(old, 14.1),
                contact("nobody"),
                {"customer_id": second},
                contact(second, cost=-1.0),
                contact(second, campaign="none"),
                contact(second, campaign=True),
                contact(second, message_id="m1"),
            ]
        },
    )
    assert (taken["stored"], taken["already_there"]) == (3, 0)
    codes = [(row["index"], row["code"]) for row in taken["rejected"]]
    assert codes == [
        (3, "unknown_customer"),
        (4, "invalid"),
        (5, "invalid"),
        (6, "unknown_campaign"),
        (7, "invalid"),
        (8, "conflicting_message_id"),
    ]
    assert taken["rejected"][1]["message"].startswith("contacted_at: field required")
    assert send(own_shop, "/v1/contacts", {"contacts": [contact(first, 1.0)]})["already_there"] == 1
    after = listed(own_shop)
    assert [row["customer_id"] for row in after[:2]] == [second, old]
    assert [row["position"] for row in after] == [2, *range(4, len(before) + 1)]
    shown = listed(own_shop, include_contacted=True)
    assert [row["customer_id"] for row in shown] == [row["customer_id"] for row in before]
    assert [row["contacted_at"] is not None for row in shown[:4]] == [True, False, True, False]
    assert shown[0]["contacted_at"] == "2023-12-31T00:00:00Z"
    text = own_shop.client.get("/v1/at-risk", params={"format": "csv", "include_contacted": "true"}).text
    cells = list(csv.DictReader(io.StringIO(text)))
    assert [row["contacted_at"] for row in cells[:2]] == ["2023-12-31T00:00:00+00:00", ""]
    assert {row["held_out"] for row in cells} == {"no"}


def test_a_filter_and_the_rules_of_contacts_hold_together_in_every_format(own_shop: Shop) -> None:
    before = listed(own_shop)
    send(own_shop, "/v1/contacts", {"contacts": [contact(before[place]["customer_id"]) for place in (0, 2)]})
    least = sorted(row["churn_probability"] for row in before)[len(before) // 3]
    likely = [row for row in before if row["churn_probability"] >= least]
    expected = [row for row in likely if row["position"] not in (1, 3)]
    assert 2 < len(expected) < len(before) - 2
    rows, cursor = [], None
    while True:
        page = own_shop.get("/v1/at-risk", min_probability=least, limit=2, **({"cursor": cursor} if cursor else {}))
        assert len(page["rows"]) <= 2
        rows += page["rows"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert rows == expected
    response = own_shop.client.get("/v1/at-risk", params={"format": "ndjson", "min_probability": least})
    *lines, end = map(json.loads, response.text.splitlines())
    assert (lines, end["rows"]) == (expected, len(expected))
    response = own_shop.client.get("/v1/at-risk", params={"format": "csv", "min_probability": least})
    cells = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["position"], row["held_out"]) for row in cells] == [(str(row["position"]), "no") for row in expected]
    shown = listed(own_shop, min_probability=least, include_contacted=True)
    assert [row["position"] for row in shown] == [row["position"] for row in likely]
    assert [row["position"] for row in shown if row["contacted_at"]] == [
        row["position"] for row in likely if row["position"] in (1, 3)
    ]
    some = listed(own_shop, min_probability=least, budget=4)
    assert some == [row for row in expected if row["position"] in (2, 4, 5, 6)]
    whole = own_shop.client.get("/v1/at-risk", params={"format": "ndjson"})
    assert TOTAL_COUNT not in whole.headers
    assert len(whole.text.splitlines()) == len(before) - 2 + 1
    whole = own_shop.client.get("/v1/at-risk", params={"format": "csv", "include_contacted": "true"})
    assert whole.headers[TOTAL_COUNT] == str(len(before))


def test_a_budget_promises_no_more_than_those_who_may_still_be_contacted_have(own_shop: Shop) -> None:
    before = listed(own_shop)
    contacts = [contact(before[place]["customer_id"]) for place in (0, 1, 5)]
    send(own_shop, "/v1/contacts", {"contacts": contacts})
    answer = own_shop.get("/v1/at-risk", limit=1000, budget=4)
    assert [row["position"] for row in answer["rows"]] == [3, 4, 5, 7]
    truly = sum(row["value_at_risk"] for row in answer["rows"])
    assert answer["budget"]["contacts"] == 4
    assert 0 < answer["budget"]["value_at_risk"] <= truly + 1e-9
    assert answer["budget"]["value_at_risk"] == pytest.approx(sum(row["value_at_risk"] for row in before[3:7]))


def test_whoever_is_held_out_is_marked_everywhere_and_no_budget_counts_them(own_shop: Shop, tmp_path: Path) -> None:
    plain = listed(own_shop)
    with own_shop.database.write() as session:
        policy = SegmentPolicy.from_dict({**POLICY.to_dict(), "held_out_share": 0.4})
        policies.add_policy(session, policy.to_dict(), now=NOW)
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW)
    answer = own_shop.get("/v1/at-risk", limit=1000)
    rows = answer["rows"]
    assert [row["customer_id"] for row in rows] == [row["customer_id"] for row in plain]
    out = [row for row in rows if row["held_out"]]
    assert 0 < len(out) < len(rows)
    assert answer["held_out_customers"] == len(out)
    assert answer["held_out_value_at_risk"] == pytest.approx(sum(row["value_at_risk"] for row in out))
    assert (answer["held_out_share"], answer["customers"]) == (0.4, len(rows))
    file = FileTarget(tmp_path / "all.csv")
    send_segment(own_shop.database, "all", file, difference=False, thresholds={}, now=lambda: NOW)
    with Path(file.name).open(encoding="utf-8", newline="") as synced:
        marks_of = {row["customer_id"]: row["held_out"] for row in csv.DictReader(synced)}
    assert all(marks_of[row["customer_id"]] == ("yes" if row["held_out"] else "no") for row in rows)
    made = send(own_shop, "/v1/campaigns", {"name": "Same ones"}, 201)
    with own_shop.database.read() as session:
        query = select(func.count()).where(CampaignAssignment.arm == "held_out")
        assert (made["held_out_share"], session.scalar(query)) == (0.4, len(out))
    told = [contact(row["customer_id"], campaign=made["campaign_id"]) for row in rows]
    taken = send(own_shop, "/v1/contacts", {"contacts": [contact("nobody"), *told]})
    assert taken["held_out"] == [place for place, row in enumerate(rows, start=1) if row["held_out"]]
    with own_shop.database.write() as session:
        session.execute(delete(Contact))
        policies.add_policy(session, POLICY.to_dict() | {"held_out_share": 0.3}, now=NOW)
    # What the policy has become since is no other campaign.
    again = send(own_shop, "/v1/campaigns", {"name": "Same ones"}, 201)
    assert (again["campaign_id"], again["held_out_share"]) == (made["campaign_id"], 0.4)
    with own_shop.database.write() as session:
        policies.add_policy(session, policy.to_dict(), now=NOW)
    asked = own_shop.get("/v1/at-risk", limit=1000, budget=5)
    may_be = [row for row in asked["rows"] if not row["held_out"]]
    assert len(may_be) == 5
    assert asked["rows"][-1] == may_be[-1]
    assert asked["budget"]["value_at_risk"] == pytest.approx(sum(row["value_at_risk"] for row in may_be))
    everybody = own_shop.get("/v1/at-risk", budget=10**6)["budget"]
    assert everybody["contacts"] == len(rows) - len(out)
    text = own_shop.client.get("/v1/at-risk", params={"format": "csv"}).text
    marks = [row["held_out"] == "yes" for row in csv.DictReader(io.StringIO(text))]
    assert marks == [row["held_out"] for row in rows]


def test_a_measured_save_rate_replaces_the_assumed_one_and_says_where_it_is_from(own_shop: Shop) -> None:
    since = AS_OF - timedelta(days=90)
    came, stayed_away = returned_or_not(own_shop, since)
    assert min(len(came), len(stayed_away)) > 60
    half = len(stayed_away) // 4
    made = supplied(
        own_shop,
        assigned_at=since,
        contacted=came[20:] + stayed_away[:half],
        held_out=came[:20] + stayed_away[half:],
    )
    path = f"/v1/campaigns/{made['campaign_id']}"
    told = [contact(name, 60.0, campaign=made["campaign_id"], cost=1.5) for name in came[20:40]]
    send(own_shop, "/v1/contacts", {"contacts": told})
    assert own_shop.get("/v1/segments")["save_rate_source"] == "assumed"
    measure_due(own_shop.database, own_shop.settings, now=lambda: NOW)
    effect = own_shop.get(f"{path}/effect")
    (arm,), held_out = effect["arms"], effect["held_out"]
    assert (arm["n"], arm["came"]) == (len(came) - 20 + half, len(came) - 20)
    assert (held_out["n"], held_out["came"]) == (20 + len(stayed_away) - half, 20)
    assert (arm["contacted"], arm["cost"]) == (20, pytest.approx(30.0))
    assert arm["contacted_share"] == pytest.approx(20 / arm["n"])
    assert arm["net"]["estimate"] == pytest.approx(arm["gained"]["estimate"] - 30.0)
    rate = (arm["came"] / arm["n"] - 20 / held_out["n"]) / (1 - 20 / held_out["n"])
    assert effect["save_rate"]["rate"]["estimate"] == pytest.approx(rate)
    assert effect["adoption"]["policy_version"] == 2
    with own_shop.database.read() as session:
        in_force = SegmentPolicy.from_dict(policies.current_policy(session)[1])
        queued = session.scalar(select(func.count()).where(ScoringRun.status == "queued"))
    assert in_force.save_rate == pytest.approx(rate)
    assert queued == 1
    score_all(own_shop.database, own_shop.settings, now=lambda: NOW)
    told_of = own_shop.get("/v1/segments")
    assert (told_of["save_rate_source"], told_of["save_rate_measured"]["campaign"]) == ("measured", "Autumn calls")
    budget = own_shop.get("/v1/at-risk", budget=3)["budget"]
    assert budget["save_rate_measured"]["n_held_out"] == held_out["n"]
    assert budget["expected_saved_value"] == pytest.approx(rate * budget["value_at_risk"])
    for page in ("/segments", "/?budget=3"):
        html = own_shop.client.get(page, headers={"accept": "text/html"}).text
        assert "measured by the campaign Autumn calls" in html
    # Counted again, it is not adopted again.
    measure_campaign(own_shop.database, own_shop.settings, "Autumn calls", now=NOW)
    assert own_shop.get(path)["adoption"]["policy_version"] == 2


def test_with_the_setting_off_an_administrator_decides_and_a_doubtful_rate_is_never_adopted(own_shop: Shop) -> None:
    since = AS_OF - timedelta(days=90)
    came, stayed_away = returned_or_not(own_shop, since)
    quiet = own_shop.settings.model_copy(update={"adopt_save_rate": False})
    made = supplied(own_shop, assigned_at=since, contacted=came, held_out=stayed_away + came[:0])
    path = f"/v1/campaigns/{made['campaign_id']}"
    send(own_shop, f"{path}/adopt", None, 409)
    measure_campaign(own_shop.database, quiet, made["campaign_id"], now=NOW)
    # Nobody of the contacted left: there is no ratio.
    assert "nobody of an arm left" in send(own_shop, f"{path}/adopt", None, 409)["detail"]
    body = {
        "name": "Second",
        "assigned_at": since.isoformat(),
        "held_out_arm": "quiet",
        "assignment": [{"customer_id": name, "arm": "called"} for name in (*came[10:], *stayed_away[:40])]
        + [{"customer_id": name, "arm": "quiet"} for name in (*came[:10], *stayed_away[40:])],
    }
    second = send(own_shop, "/v1/campaigns", body, 201)["campaign_id"]
    measure_campaign(own_shop.database, quiet, second, now=NOW)
    assert "REGULARS_ADOPT_SAVE_RATE is off" in own_shop.get(f"/v1/campaigns/{second}")["adoption"]["why"]
    assert send(own_shop, f"/v1/campaigns/{second}/adopt", None)["adoption"]["policy_version"] == 2
    even = body | {
        "name": "Third",
        "assignment": [
            {"customer_id": name, "arm": "called" if number % 2 else "quiet"}
            for names in (came, stayed_away)
            for number, name in enumerate(names)
        ],
    }
    third = send(own_shop, "/v1/campaigns", even, 201)["campaign_id"]
    measure_campaign(own_shop.database, own_shop.settings, third, now=NOW)
    assert "can't be told from none at all" in own_shop.get(f"/v1/campaigns/{third}")["adoption"]["why"]
    assert "can't be told" in send(own_shop, f"/v1/campaigns/{third}/adopt", None, 409)["detail"]


def test_an_assignment_goes_on_in_parts_and_names_whoever_changes_arms(own_shop: Shop) -> None:
    made = supplied(own_shop, assigned_at=AS_OF, contacted=["c000"], held_out=["c001", "who"])
    assert made["assigned"]["stored"] == 2
    assert made["assigned"]["rejected"][0]["index"] == 2
    path = f"/v1/campaigns/{made['campaign_id']}/assignments"
    rows = [{"customer_id": name, "arm": "called"} for name in ("c000", "c001", "c002")]
    taken = send(own_shop, path, {"assignments": rows})
    assert (taken["stored"], taken["already_there"]) == (1, 1)
    assert [(row["index"], row["code"]) for row in taken["rejected"]] == [(1, "conflicting_arm")]
    assert "'c001' is in the arm 'quiet' already" in taken["rejected"][0]["message"]


def test_a_crm_system_may_send_contacts_and_nothing_else(own_shop: Shop) -> None:
    secrets = make_keys(own_shop.database)
    body = {"contacts": [contact("c000")]}
    for scope, status in (("contacts:write", 200), ("admin", 200), ("scores:read", 403), ("events:write", 403)):
        headers = {"Authorization": f"Bearer {secrets[scope]}"}
        assert own_shop.client.post("/v1/contacts", json=body, headers=headers).status_code == status
    headers = {"Authorization": f"Bearer {secrets['contacts:write']}"}
    assert own_shop.client.get("/v1/at-risk", headers=headers).status_code == 403
    assert own_shop.client.post("/v1/campaigns/1/adopt", headers=headers).status_code == 403
    with own_shop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 1
