"""Lists of customers: every member once, in order, whatever the page size and whatever is published meanwhile."""

from __future__ import annotations

import base64
import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from store.engine import Database
from store.exceptions import CursorError, StoreError
from store.list_cursor import Cursor
from store.listings import propensity_list
from store.lists import iterate_segment, list_segment
from store.publishing import publish
from tests.store.builders import NOW, Scored, add_customers, publish_run, queue_run, write_scores
from tests.store.statements import statements_of

MEMBERS = 23


def scored_at_random(seed: int) -> dict[int, Scored]:
    """Scores of 30 customers, 23 of them at risk, with few distinct values, so that ties run across pages."""
    by = random.Random(seed)
    at_risk = set(by.sample(range(1, 31), MEMBERS))
    return {
        key: Scored("at_risk new" if key in at_risk else "steady", by.choice((0.0, 0.1, 0.2, 0.3, 1e9)), 1.0)
        for key in by.sample(range(1, 31), 30)
    }


def in_order(scored: dict[int, Scored], segment: str = "at_risk") -> list[str]:
    """The ids of a segment as its list must show them."""
    members = [(score.value_at_risk, key) for key, score in scored.items() if segment in score.segments.split()]
    return [f"customer {key}" for _, key in sorted(members, reverse=True)]


def pages(database: Database, limit: int, *, cursor: str | None = None, budget: int | None = None) -> list[list[str]]:
    """All pages of the at-risk list; checks that places count on and pages are full."""
    found: list[list[str]] = []
    place = 0 if cursor is None else Cursor.decode(cursor).position
    while True:
        with database.read() as session:
            page = list_segment(session, "at_risk", limit=limit, cursor=cursor, budget=budget)
        assert [row.position for row in page.rows] == list(range(place + 1, place + 1 + len(page.rows)))
        place += len(page.rows)
        found.append([row.customer_id for row in page.rows])
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.rows) == limit


def joined(found: list[list[str]]) -> list[str]:
    return [customer_id for page in found for customer_id in page]


@pytest.fixture
def customers(database: Database) -> None:
    add_customers(database, [f"customer {key}" for key in range(1, 31)])


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("seed", [0, 1])
def test_pages_of_any_size_go_through_every_member_once_in_order(database: Database, seed: int) -> None:
    scored = scored_at_random(seed)
    publish_run(database, scored)
    for limit in range(1, MEMBERS + 2):
        found = pages(database, limit)
        assert joined(found) == in_order(scored)
        assert len(found) == -(-MEMBERS // limit)


@pytest.mark.usefixtures("customers")
def test_a_list_goes_on_in_the_run_that_it_began_with_when_another_is_published_meanwhile(database: Database) -> None:
    before, after = scored_at_random(0), scored_at_random(1)
    first = publish_run(database, before)
    with database.read() as session:
        page = list_segment(session, "at_risk", limit=5)
    assert page.next_cursor is not None
    second = queue_run(database)
    write_scores(database, second, after)
    assert joined(pages(database, 5, cursor=page.next_cursor)) == in_order(before)[5:]
    publish(database, second, n_customers=30, aggregates={}, now=lambda: NOW, claimed_at=NOW)
    assert joined(pages(database, 7, cursor=page.next_cursor)) == in_order(before)[5:]
    with database.read() as session:
        assert list_segment(session, "at_risk", limit=1, cursor=page.next_cursor).run.id == first
        assert list_segment(session, "at_risk", limit=1).run.id == second
    assert joined(pages(database, 7)) == in_order(after)


@pytest.mark.usefixtures("customers")
def test_a_budget_ends_the_list_across_pages(database: Database) -> None:
    scored = scored_at_random(2)
    publish_run(database, scored)
    for budget in (0, 1, 4, 5, 6, 10, MEMBERS, MEMBERS + 1, 1_000):
        assert joined(pages_within(database, budget)) == in_order(scored)[:budget]
        rows = list(iterate_segment(database, "at_risk", budget=budget, rows_a_page=4))
        assert [row.customer_id for row in rows] == in_order(scored)[:budget]


def pages_within(database: Database, budget: int) -> list[list[str]]:
    """Pages of five, the last one cut by the budget; there is no page behind it."""
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        with database.read() as session:
            page = list_segment(session, "at_risk", limit=5, cursor=cursor, budget=budget)
        found.append([row.customer_id for row in page.rows])
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.usefixtures("customers")
def test_going_through_a_whole_segment_gives_each_row_with_its_score_also_after_its_read_ended(
    database: Database,
) -> None:
    scored = scored_at_random(3)
    publish_run(database, scored)
    rows = list(iterate_segment(database, "at_risk", rows_a_page=6))
    assert [(row.position, row.customer_id) for row in rows] == list(enumerate(in_order(scored), start=1))
    assert [row.score.value_at_risk for row in rows] == [
        scored[int(row.customer_id.removeprefix("customer "))].value_at_risk for row in rows
    ]


@pytest.mark.usefixtures("customers")
def test_the_list_of_a_propensity_goes_through_everybody_judged_page_by_page(database: Database) -> None:
    by = random.Random(5)
    chances = {key: by.choice((0.1, 0.2, 0.2, 0.9)) for key in by.sample(range(1, 31), MEMBERS)}
    judged = {key: Scored("steady", propensities={"upsell": chance}) for key, chance in chances.items()}
    publish_run(database, {**{key: Scored("at_risk", 1.0, 1.0) for key in range(1, 31)}, **judged})
    name = propensity_list("upsell")
    expected = [f"customer {key}" for key in sorted(chances, key=lambda key: (chances[key], key), reverse=True)]
    assert [row.customer_id for row in iterate_segment(database, name, rows_a_page=4)] == expected
    with database.read() as session:
        cursor = list_segment(session, name, limit=5).next_cursor
        with pytest.raises(CursorError, match="belongs to another list"):
            list_segment(session, "steady", limit=5, cursor=cursor)


@pytest.mark.usefixtures("customers")
def test_a_segment_without_members_is_an_empty_page(database: Database) -> None:
    publish_run(database, scored_at_random(0))
    with database.read() as session:
        page = list_segment(session, "upsell_ready", limit=10)
    assert (list(page.rows), page.next_cursor) == ([], None)
    assert list(iterate_segment(database, "upsell_ready")) == []


def test_before_the_first_run_a_list_says_that_nobody_has_been_scored(database: Database) -> None:
    with database.read() as session, pytest.raises(StoreError, match="No customer has been scored yet"):
        list_segment(session, "at_risk", limit=10)


@pytest.mark.usefixtures("customers")
def test_a_cursor_of_another_segment_is_refused(database: Database) -> None:
    publish_run(database, scored_at_random(0))
    with database.read() as session:
        cursor = list_segment(session, "at_risk", limit=5).next_cursor
        with pytest.raises(CursorError, match=r"belongs to another list\. Begin again without a cursor"):
            list_segment(session, "new", limit=5, cursor=cursor)


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("run_id", [0, 2, 3])
def test_a_cursor_of_a_run_that_is_not_complete_or_not_there_is_refused(database: Database, run_id: int) -> None:
    publish_run(database, scored_at_random(0))
    write_scores(database, queue_run(database), scored_at_random(1))
    cursor = Cursor(run_id, "at_risk", 1e12, 1, 0, 0).encode()
    with database.read() as session, pytest.raises(CursorError, match=r"is gone\. Begin again without a cursor"):
        list_segment(session, "at_risk", limit=5, cursor=cursor)


@given(
    st.builds(
        Cursor,
        st.integers(0, 2**31 - 1),
        st.text(max_size=20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 2**31 - 1),
        st.integers(0, 2**31 - 1),
        st.integers(0, 2**31 - 1),
    )
)
@settings(deadline=None, derandomize=True)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    encoded = cursor.encode()
    assert Cursor.decode(encoded) == cursor
    assert encoded.isascii()
    assert not set(encoded) & set("+/=& ?#")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=8,
)
almost_cursors = st.tuples(*[json_values] * 5).map(list)


@given(st.text() | st.binary().map(bytes.hex) | json_values.map(encoded) | almost_cursors.map(encoded))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_whatever_text_comes_as_a_cursor_is_read_or_refused_and_never_breaks(text: str) -> None:
    try:
        cursor = Cursor.decode(text)
    except CursorError:
        return
    assert Cursor.decode(cursor.encode()) == cursor


@pytest.mark.parametrize(
    "parts",
    [
        None,
        [],
        {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6},
        [1, "at_risk", 1.0, 1, 1],
        [1, "at_risk", 1.0, 1, 1, 1, 1],
        ["1", "at_risk", 1.0, 1, 1, 0],
        [1, 2, 1.0, 1, 1, 0],
        [-1, "at_risk", 1.0, 1, 1, 0],
        [2**31, "at_risk", 1.0, 1, 1, 0],
        [1, "at_risk", float("nan"), 1, 1, 0],
        [1, "at_risk", float("inf"), 1, 1, 0],
        [1, "at_risk", 1.0, 2**63, 1, 0],
        [1, "at_risk", 1.0, 1, -1, 0],
        [1, "at_risk", 1.0, 1, 1, -1],
        [1, "at_risk", 1.0, 1.5, 1, 0],
    ],
)
def test_a_cursor_with_parts_that_are_not_ours_is_refused(parts: object) -> None:
    with pytest.raises(CursorError, match="was not made by this service"):
        Cursor.decode(encoded(parts))


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000])
def test_a_cursor_made_to_exhaust_the_reader_is_refused(text: str) -> None:
    with pytest.raises(CursorError, match="was not made by this service"):
        Cursor.decode(base64.urlsafe_b64encode(text.encode()).decode())


def test_pages_are_read_by_index_without_a_scan_or_a_sort(database: Database) -> None:
    n = 2_000
    add_customers(database, [f"customer {key}" for key in range(1, n + 1)])
    by = random.Random(4)
    publish_run(database, {key: Scored("at_risk" if key % 4 else "new", by.random(), 1.0) for key in range(1, n + 1)})
    with database.write() as session:
        session.execute(text("ANALYZE"))
    with statements_of(database) as statements, database.read() as session:
        first = list_segment(session, "at_risk", limit=50)
        list_segment(session, "at_risk", limit=50, cursor=first.next_cursor)
    plans = [plan for statement, plan in statements.plans(database) if "segment_listing" in statement]
    assert len(plans) == 2
    for plan in plans:
        assert "Sort" not in plan
        assert "Seq Scan" not in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN" not in plan
        if not database.is_sqlite:
            assert re.search("Index (Only )?Scan Backward using pk_segment_listing", plan)
