"""Campaigns, assignments and contacts: stored once, refused by name, and read back as what came about."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from features.calendar import LocalCalendar
from store.campaign_assignments import MOST_ASSIGNED, assign, assign_segment
from store.campaign_outcomes import ArmOutcomes, read_outcomes
from store.campaigns import (
    CampaignExistsError,
    NewCampaign,
    UnknownCampaignError,
    add_campaign,
    due_campaigns,
    find_campaign,
    list_campaigns,
    write_effect,
)
from store.contacts import NewContact, add_contacts, count_recent, last_contacts
from store.engine import Database
from store.held_out import HeldOut, read_held_out
from store.lists import ScoreRow, list_segment, run_of_cursor
from store.tables import CampaignAssignment, Contact, Customer
from store.work_list import WorkRules
from tests.store.builders import NOBODY, NOW, Scored, add_customers, publish_run
from tests.store.held import ANNA, ANONYMOUS, BERT, add_events, fill

UTC = LocalCalendar("UTC")


def new(name: str = "summer", **given: object) -> NewCampaign:
    told = {"segment": "at_risk", "outcome_event": None, "outcome_days": 30, "assigned_at": NOW}
    return NewCampaign(name=name, **{**told, **given})  # type: ignore[arg-type]


def made(database: Database, name: str = "summer", **given: object) -> int:
    with database.write() as session:
        return add_campaign(session, new(name, **given), now=NOW).id


def shop(database: Database, n: int = 30) -> dict[str, int]:
    """Store customers of whom all are at risk, the first one most."""
    keys = add_customers(database, [f"c{number:03}" for number in range(n)])
    publish_run(database, {key: Scored("at_risk", float(1_000 - key), 10.0, 0.5) for key in keys.values()})
    return keys


def arms(database: Database, campaign_id: int) -> dict[int, str]:
    with database.read() as session:
        query = select(CampaignAssignment.customer_key, CampaignAssignment.arm)
        return dict(session.execute(query.where(CampaignAssignment.campaign_id == campaign_id)).all())


def contact(customer_id: str, **given: object) -> NewContact:
    told = {"campaign": None, "contacted_at": NOW, "channel": "phone"}
    return NewContact(customer_id=customer_id, **{**told, **given})  # type: ignore[arg-type]


def test_a_campaign_is_made_once_and_another_of_its_name_is_refused(database: Database) -> None:
    first = made(database)
    assert made(database) == first
    with pytest.raises(CampaignExistsError, match=r"'summer' already \(number 1\), with another outcome_days"):
        made(database, outcome_days=31)
    assert made(database, outcome_days=31, left_open=frozenset({"outcome_days"})) == first
    with pytest.raises(CampaignExistsError, match="with another way of assigning its customers"):
        made(database, held_out_share=0.1, left_open=frozenset({"held_out_share"}))
    assert made(database, name="winter") != first
    with database.read() as session:
        assert [campaign.name for campaign in list_campaigns(session)] == ["winter", "summer"]
        assert find_campaign(session, "winter").id == find_campaign(session, 2).id
        with pytest.raises(UnknownCampaignError, match="There is no campaign 'spring'"):
            find_campaign(session, "spring")


def test_a_supplied_assignment_is_stored_once_and_refuses_strangers_and_other_arms_by_place(
    database: Database,
) -> None:
    keys = fill(database)
    campaign_id = made(database)
    rows = [(ANNA, "mail"), ("nobody", "mail"), (BERT, "none"), (ANONYMOUS, "none"), (BERT, "none")]
    found = assign(database, campaign_id, rows, assigned_at=NOW, now=NOW)
    assert (found.stored, found.already_there) == (2, 1)
    assert [(row.row, row.code) for row in found.refused] == [(1, "unknown_customer"), (3, "conflicting_arm")]
    assert f"{ANONYMOUS!r} is in the arm 'mail' already" in found.refused[1].reason
    assert arms(database, campaign_id) == {keys[ANNA]: "mail", keys[BERT]: "none"}
    again = assign(database, campaign_id, rows[:1], assigned_at=NOW + timedelta(days=9), now=NOW)
    assert (again.stored, again.already_there, again.refused) == (0, 1, ())
    with database.read() as session:
        assert due_campaigns(session, now=NOW) == [campaign_id]
        assert due_campaigns(session, now=NOW - timedelta(seconds=1)) == []


def test_whoever_is_being_erased_is_assigned_to_nothing_and_no_campaign_has_too_many(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = fill(database)
    with database.write() as session:
        session.execute(update(Customer).where(Customer.id == keys[BERT]).values(erased_at=NOW))
    campaign_id = made(database)
    assert assign(database, campaign_id, [(BERT, "mail")], assigned_at=NOW, now=NOW).refused[0].code == (
        "unknown_customer"
    )
    assert MOST_ASSIGNED == 100_000
    monkeypatch.setattr("store.campaign_assignments.MOST_ASSIGNED", 1)
    # Counted are customers, however often they come, and only those who would be new.
    rows = [(BERT, "mail"), (ANNA, "mail"), (ANONYMOUS, "mail")]
    for stored, there in ((1, 1), (0, 2)):
        found = assign(database, campaign_id, rows, assigned_at=NOW, now=NOW)
        assert (found.stored, found.already_there, len(found.refused)) == (stored, there, 1)
    add_customers(database, ["carl"], [99])
    with pytest.raises(CampaignExistsError, match="at most 1 customers in a campaign; it has 1, and 1 more came"):
        assign(database, campaign_id, [*rows, ("carl", "mail")], assigned_at=NOW, now=NOW)


@pytest.mark.parametrize("most", [None, 7])
def test_a_segment_is_assigned_from_the_top_with_a_random_share_held_out(
    database: Database, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    keys = shop(database)
    monkeypatch.setattr("store.campaign_assignments._ROWS_A_TRANSACTION", 4)
    with database.write() as session:
        campaign = add_campaign(session, new(held_out_share=0.5, most_customers=most), now=NOW)
        held_out = read_held_out(session, 0.5)
    assert not campaign.is_assigned
    n = most or len(keys)
    assert assign_segment(database, campaign, held_out, now=NOW) == n
    assert assign_segment(database, campaign, held_out, now=NOW) == 0
    expected = {key: "held_out" if key in held_out else "contacted" for key in sorted(keys.values())[:n]}
    assert arms(database, campaign.id) == expected
    with database.read() as session:
        assert find_campaign(session, campaign.id).is_assigned
        assert due_campaigns(session, now=NOW) == [campaign.id]


def test_an_assignment_that_was_cut_off_goes_on_with_the_list_of_then_and_has_no_more_than_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = shop(database)
    monkeypatch.setattr("store.campaign_assignments._ROWS_A_TRANSACTION", 4)
    with database.write() as session:
        campaign = add_campaign(session, new(held_out_share=0.0, most_customers=7), now=NOW)
        last = [{"campaign_id": campaign.id, "customer_key": keys["c000"], "arm": "contacted", "assigned_at": NOW}]
        session.execute(insert(CampaignAssignment), last)
    # By now the list is another one: turned round, and without who is in the campaign already.
    publish_run(database, {key: Scored("at_risk", float(key), 10.0, 0.5) for key in keys.values() if key > 1})
    assert assign_segment(database, campaign, NOBODY, now=NOW) == 6
    assert arms(database, campaign.id) == dict.fromkeys([keys["c000"], *range(25, 31)], "contacted")


def test_who_is_held_out_is_a_random_share_that_only_grows_and_another_salt_holds_out_others() -> None:
    n = 20_000
    tenth, third, other = HeldOut(b"a" * 32, 0.1), HeldOut(b"a" * 32, 0.3), HeldOut(b"b" * 32, 0.1)
    of_tenth = {key for key in range(n) if key in tenth}
    assert len(of_tenth) == pytest.approx(n / 10, abs=4 * (n * 0.09) ** 0.5)
    assert of_tenth <= {key for key in range(n) if key in third}
    both = of_tenth & {key for key in range(n) if key in other}
    assert len(both) == pytest.approx(n / 100, abs=4 * (n * 0.01) ** 0.5)
    assert not any(key in HeldOut(b"a" * 32, 0.0) for key in range(n))


def test_contacts_are_stored_once_and_what_cannot_be_taken_is_named(database: Database) -> None:
    fill(database)
    campaign_id = made(database)
    late = NOW + timedelta(hours=1)
    told = [
        contact(ANNA, campaign="summer", cost=2.0),
        contact(ANNA, campaign=campaign_id, cost=3.0),  # the same: named by its number, and of another cost
        contact("nobody"),
        contact(BERT, campaign="autumn"),
        contact(BERT, contacted_at=late),
        contact(BERT, message_id="m1"),
        contact(ANONYMOUS, contacted_at=NOW - timedelta(days=1), message_id="m1"),
    ]
    taken = add_contacts(database, dict(enumerate(told)), NOBODY, latest=NOW, now=NOW)
    assert (taken.stored, taken.already_there) == (2, 1)
    assert [(row.row, row.code) for row in taken.refused] == [
        (2, "unknown_customer"),
        (3, "unknown_campaign"),
        (4, "contacted_at"),
        (6, "conflicting_message_id"),
    ]
    again = add_contacts(database, {8: told[0], 9: told[5], 10: told[6]}, NOBODY, latest=NOW, now=NOW)
    assert (again.stored, again.already_there) == (0, 2)
    assert [(row.row, row.reason) for row in again.refused] == [
        (10, "the message 'm1' went to another customer; expected an id for each")
    ]
    with database.read() as session:
        query = select(func.count()).select_from(Contact).where(Contact.campaign_id.is_not_distinct_from(campaign_id))
        assert session.scalar(query) == 1


def test_contacts_of_customers_who_were_held_out_then_are_named(database: Database) -> None:
    keys = fill(database)
    campaign_id, other = made(database), made(database, name="winter")
    assign(database, campaign_id, [(ANNA, "held_out"), (BERT, "mail")], assigned_at=NOW, now=NOW)
    day = timedelta(days=1)
    told = [
        contact(ANNA, campaign="summer"),
        contact(BERT, campaign="summer"),
        contact(ANONYMOUS, campaign=other),  # in no arm of it, and held out by summer
        contact(ANONYMOUS, contacted_at=NOW + 29 * day),
        contact(ANONYMOUS, contacted_at=NOW + 32 * day),
        contact(ANONYMOUS, contacted_at=NOW - day),
        contact(BERT),  # held out by another one
        contact(BERT, contacted_at=NOW - day),
        contact("nobody"),
    ]
    late = NOW + 400 * day
    taken = add_contacts(database, dict(enumerate(told)), NOBODY, latest=late, now=late)
    assert (taken.stored, taken.held_out) == (8, (0, 2, 3, 6))
    everybody = HeldOut(b"salt", 0.999999)
    assert all(key in everybody for key in keys.values())
    again = add_contacts(database, dict(enumerate(told)), everybody, latest=late, now=late)
    # A campaign has arms of its own.
    assert (again.already_there, again.held_out) == (8, (0, 2, 3, 4, 5, 6, 7))


def test_of_a_message_that_went_to_another_customer_nothing_is_told_of_the_one_it_went_to(database: Database) -> None:
    fill(database)
    campaign_id = made(database)
    assign(database, campaign_id, [(ANNA, "held_out"), (BERT, "mail")], assigned_at=NOW, now=NOW)
    of_anna, of_bert = (contact(who, campaign="summer", message_id="m1") for who in (ANNA, BERT))
    assert add_contacts(database, {0: of_anna}, NOBODY, latest=NOW, now=NOW).held_out == (0,)
    taken = add_contacts(database, {0: of_bert, 1: of_anna}, NOBODY, latest=NOW, now=NOW)
    assert (taken.already_there, taken.held_out) == (1, (1,))
    assert [(row.row, row.code) for row in taken.refused] == [(0, "conflicting_message_id")]


def _list(database: Database, rules: WorkRules, *, limit: int, budget: int | None = None) -> list[list[int]]:
    cursor, found = None, []
    while True:
        with database.read() as session:
            page = list_segment(session, "at_risk", cursor=cursor, rules=rules, limit=limit, budget=budget)
        found.append([row.position for row in page.rows])
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 4, 29, 30, 100])
def test_whoever_was_contacted_of_late_is_passed_over_and_everybody_else_keeps_the_place(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    shop(database)
    monkeypatch.setattr("store.lists._ROWS_A_SHORT_LOOK", 3)
    monkeypatch.setattr("store.lists.MOST_ROWS_LOOKED_AT", 12)
    contacted = [*range(2, 20), 29]  # more in a row than one page reads
    told = {i: contact(f"c{number:03}") for i, number in enumerate(contacted)}
    old = {100: contact("c000", contacted_at=NOW - timedelta(days=14, seconds=1))}
    add_contacts(database, told | old, NOBODY, latest=NOW, now=NOW)
    since = NOW - timedelta(days=14)
    rules = WorkRules(NOBODY, NOW, since)
    shown = [number + 1 for number in range(30) if number not in contacted]
    found = _list(database, rules, limit=limit)
    assert [position for page in found for position in page] == shown
    assert max(map(len, found)) <= limit
    for budget in (0, 1, 2, 3, 11, 12):
        found = _list(database, rules, limit=limit, budget=budget)
        assert [position for page in found for position in page] == shown[:budget]
    everybody = _list(database, WorkRules(NOBODY, NOW, since, include_contacted=True), limit=limit)
    assert [position for page in everybody for position in page] == list(range(1, 31))
    never = _list(database, WorkRules(NOBODY, NOW, None), limit=limit)
    assert [position for page in never for position in page] == list(range(1, 31))


def test_a_budget_counts_those_who_may_be_contacted_and_shows_who_is_held_out(database: Database) -> None:
    keys = shop(database)
    with database.read() as session:
        held_out = read_held_out(session, 0.5)
    rules = WorkRules(held_out, NOW, NOW, include_contacted=True)
    add_contacts(database, {0: contact("c000"), 1: contact("c005")}, NOBODY, latest=NOW, now=NOW)
    for limit in (2, 50):
        rows: list[ScoreRow] = []
        cursor = None
        while True:
            with database.read() as session:
                page = list_segment(session, "at_risk", cursor=cursor, rules=rules, limit=limit, budget=6)
            rows += page.rows
            if (cursor := page.next_cursor) is None:
                break
        assert [row.customer_id for row in rows] == [f"c{number:03}" for number in range(len(rows))]
        assert [row.held_out for row in rows] == [keys[row.customer_id] in held_out for row in rows]
        assert {row.customer_id for row in rows if row.contacted_at == NOW} <= {"c000", "c005"}
        assert rows[0].contacted_at == NOW
        may_be = [row for row in rows if not row.held_out and row.contacted_at is None]
        assert len(may_be) == 6
        assert rows[-1] == may_be[-1]


def test_recently_contacted_customers_of_a_list_are_counted_by_customer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = shop(database)
    publish_run(database, {key: Scored("steady" if key == 1 else "at_risk", 1.0, 1.0, 0.5) for key in keys.values()})
    earlier = NOW - timedelta(hours=1)
    told = [contact(name, contacted_at=earlier) for name in ("c000", "c001")]
    told += [contact("c001", channel="mail", contacted_at=earlier), contact("c002")]
    told.append(contact("c003", contacted_at=NOW - timedelta(days=2)))
    add_contacts(database, dict(enumerate(told)), NOBODY, latest=NOW, now=NOW)
    with database.read() as session:
        run = run_of_cursor(session, None)
        assert count_recent(session, run.id, "at_risk", since=NOW - timedelta(days=1)) == 2
        monkeypatch.setattr("store.contacts._MOST_COUNTED", 1)
        # The last contact was that of c002.
        assert count_recent(session, run.id, "at_risk", since=NOW - timedelta(days=1)) == 1
        assert count_recent(session, run.id, "steady", since=NOW - timedelta(days=1)) == 0
        found = last_contacts(session, [keys["c001"], keys["c003"]], since=NOW - timedelta(days=1))
        assert found == {keys["c001"]: earlier}


def _bought(database: Database, bought: dict[str, list[float]]) -> dict[str, int]:
    """Store customers and, so many days after NOW, their orders of .1 each."""
    keys = fill(database)
    names = [name for name in bought if name not in keys]
    keys |= add_customers(database, names, range(10, 10 + len(names)))
    for name, days in ((name, days) for name, days in bought.items() if days):
        add_events(database, keys[name], [NOW + timedelta(days=day) for day in days])
    return keys


def test_outcomes_are_counted_by_arm_within_each_customers_own_window(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.campaign_outcomes._CUSTOMERS_A_READ", 2)
    _bought(database, {"in": [3, 4], "late": [30], "before": [-1], "later": [12], "open": [2], "gone": [3]})
    campaign_id = made(database)
    day = timedelta(days=1)
    rows = [("in", "mail"), ("late", "mail"), ("before", "none"), ("gone", "none")]
    assign(database, campaign_id, rows, assigned_at=NOW, now=NOW)
    assign(database, campaign_id, [("later", "none")], assigned_at=NOW + 10 * day, now=NOW)
    assign(database, campaign_id, [("open", "mail")], assigned_at=NOW + 11 * day, now=NOW)
    told = [
        contact("in", campaign="summer", contacted_at=NOW + day, cost=1.5),
        contact("in", campaign="summer", contacted_at=NOW + 2 * day),
        contact("in", campaign="summer", contacted_at=NOW + 31 * day),  # after its window
        contact("late", contacted_at=NOW + day),  # in no campaign
        contact("open", campaign="summer", contacted_at=NOW + 12 * day),
        contact("before", campaign="summer", contacted_at=NOW + day, cost=0.0),  # held out, and contacted all the same
    ]
    add_contacts(database, dict(enumerate(told)), NOBODY, latest=NOW + 90 * day, now=NOW)
    with database.write() as session:
        session.execute(update(Customer).where(Customer.customer_id == "gone").values(erased_at=NOW))
        campaign = find_campaign(session, campaign_id)
    found = read_outcomes(database, campaign, UTC, as_of=NOW + 40 * day)
    value = pytest.approx(0.2)
    squares = pytest.approx(0.04)
    assert found["mail"] == ArmOutcomes(2, 1, 1, value, squares, 1, 2, 1, 1.5)  # type: ignore[arg-type]
    value, squares = pytest.approx(0.1), pytest.approx(0.01)
    assert found["none"] == ArmOutcomes(2, 0, 1, value, squares, 1, 1, 0, 0.0)  # type: ignore[arg-type]
    before = read_outcomes(database, campaign, UTC, as_of=NOW + 30 * day - timedelta(microseconds=1))
    assert (before["mail"].n, before["mail"].open, before["none"].open) == (0, 3, 2)


def test_an_event_may_be_the_outcome_and_one_that_never_came_came_for_nobody(database: Database) -> None:
    keys = _bought(database, {"in": [3], "out": []})
    add_events(database, keys["out"], [NOW + timedelta(days=5)], event_type=2)
    for event, came in (("Order Refunded", 1), ("Order Completed", 1), ("Visited", 0)):
        campaign_id = made(database, name=event, outcome_event=event)
        assign(database, campaign_id, [("in", "mail"), ("out", "mail")], assigned_at=NOW, now=NOW)
        with database.read() as session:
            campaign = find_campaign(session, campaign_id)
        found = read_outcomes(database, campaign, UTC, as_of=NOW + timedelta(days=30))
        assert (found["mail"].n, found["mail"].came) == (2, came)
        assert found["mail"].value == pytest.approx(0.1)


def test_an_effect_that_became_due_anew_while_it_was_counted_stays_due(database: Database) -> None:
    fill(database)
    campaign_id = made(database)
    assign(database, campaign_id, [(ANNA, "mail")], assigned_at=NOW, now=NOW)
    for seen, due in ((NOW, None), (NOW - timedelta(days=1), NOW)):
        with database.write() as session:
            find_campaign(session, campaign_id).effect_due_at = NOW
        with database.write() as session:
            write_effect(session, campaign_id, {"n": 1}, as_of=NOW, seen_due_at=seen, due_at=None)
        with database.read() as session:
            campaign = find_campaign(session, campaign_id)
            assert (campaign.effect, campaign.effect_as_of, campaign.effect_due_at) == ({"n": 1}, NOW, due)
