"""Lists of whom is wanted: pages join to what filtering the whole list gives, each look is bounded, places are kept."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from store import lists, scores
from store.contacts import NewContact, add_contacts
from store.engine import Database
from store.exceptions import CursorError
from store.held_out import HeldOut
from store.list_filter import AttributeWanted, ListFilter, ReasonWanted
from store.listings import propensity_list, write_listings
from store.lists import EVERYBODY, Page, ScoreRow, iterate_segment, list_segment
from store.memberships import record_published
from store.publishing import publish
from store.retention import prune
from store.tables.base import to_microseconds
from store.work_list import WorkRules
from tests.features.learnt import Learnt
from tests.store.builders import NOBODY, NOW, Scored, add_attributes, add_customers, publish_run, queue_run
from tests.store.statements import statements_of

N = 60
FEATURES = ("gap_mean", "frequency", "attribute:größe")


def _reasons(by: random.Random) -> list[list[Any]]:
    named = by.sample(FEATURES, by.randint(0, 2))
    return [*([name, 1.0, by.choice((-0.5, 0.5))] for name in named), ["", None, 0.1]]


def _columns() -> dict[str, list[Any]]:
    """Scores of many customers, with few distinct numbers, and gaps."""
    by = random.Random(7)
    columns: dict[str, list[Any]] = {name: [None] * N for name in scores.SCORE_COLUMNS}
    columns["segments"] = [by.choice(("steady", "steady at_risk")) for _ in range(N)]
    columns["segment"] = ["steady"] * N
    columns["eligible"] = [True] * N
    columns["value_at_risk"] = [by.choice((None, 0.0, 5.0, 9.0)) for _ in range(N)]
    columns["clv"] = [by.choice((1.0, 7.0, 20.0)) for _ in range(N)]
    columns["churn_probability"] = [by.choice((None, 0.2, 0.6)) for _ in range(N)]
    columns["reasons"] = [
        None if chance is None else json.dumps(_reasons(by)) for chance in columns["churn_probability"]
    ]
    columns["propensities"] = [
        json.dumps({"visit": {"probability": by.choice((0.1, 0.8)), "reasons": _reasons(by)}} if i % 5 else {})
        for i in range(N)
    ]
    return columns


COLUMNS = _columns()
COUNTRIES = ("Chile", "Perú", "3")


def _learnt() -> list[Learnt]:
    by = random.Random(9)
    learnt = []
    for key in range(1, N + 1):
        who = f"customer {key}"
        if by.random() < 0.8:
            learnt.append(Learnt(who, "country", by.choice(COUNTRIES)))
        if by.random() < 0.5:
            learnt.append(Learnt(who, "age", float(by.choice((20, 30)))))
            learnt.append(Learnt(who, "age", float(by.choice((30, 40))), NOW - timedelta(microseconds=1)))
        learnt.append(Learnt(who, "age", 99.0, NOW))
        learnt.append(Learnt(who, "since", by.choice((date(2020, 1, 31), date(2021, 7, 1)))))
    return learnt


LEARNT = _learnt()


@pytest.fixture
def shop(database: Database) -> Database:
    add_customers(database, [f"customer {key}" for key in range(1, N + 1)])
    add_attributes(database, LEARNT)
    run_id = queue_run(database)
    places = scores.write(database, run_id, np.arange(1, N + 1), COLUMNS, claimed_at=NOW)
    write_listings(database, run_id, [places], claimed_at=NOW)
    publish(database, run_id, n_customers=N, aggregates={}, now=lambda: NOW, claimed_at=NOW)
    return database


def _known(key: int, name: str) -> Any:
    versions = [each for each in LEARNT if (each.customer, each.name) == (f"customer {key}", name)]
    known = sorted(
        (each for each in versions if each.learnt_at < to_microseconds(NOW)), key=lambda each: each.learnt_at
    )
    return known[-1].value if known else None


def _meets(value: Any, wanted: AttributeWanted) -> bool:
    if value is None:
        return False
    asked: Any = wanted.value
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, float):
        try:
            asked = float(asked)
        except ValueError:
            return False
    elif wanted.relation != "=" and wanted.name != "since":
        return False
    return bool({"=": value == asked, ">=": value >= asked, "<=": value <= asked}[wanted.relation])


def _is_wanted(row: ScoreRow, where: ListFilter) -> bool:
    """What a filter means, in plain words, from the row's whole score."""
    score = row.score
    if where.propensity is None:
        chance, reasons = score.churn_probability, json.loads(score.reasons or "[]")
    else:
        told = json.loads(score.propensities or "{}").get(where.propensity, {})
        chance, reasons = told.get("probability"), told.get("reasons", [])
    pushes = {name: contribution for name, _, contribution in reasons if name}
    least: list[tuple[float | None, float | None]] = [
        (where.min_probability, chance),
        (where.min_value_at_risk, score.value_at_risk),
        (where.min_clv, score.clv),
    ]
    return (
        all(bound is None or (number is not None and number >= bound) for bound, number in least)
        and all(
            wanted.feature in pushes
            and (wanted.direction is None or (pushes[wanted.feature] > 0) == (wanted.direction == "towards"))
            for wanted in where.reasons
        )
        and all(_meets(_known(score.customer_key, wanted.name), wanted) for wanted in where.attributes)
    )


wanted_reasons = st.builds(
    ReasonWanted, st.sampled_from((*FEATURES, "nobody's")), st.sampled_from((None, "towards", "against"))
)
wanted_attributes = st.sampled_from(
    [
        AttributeWanted("country", "=", "Chile"),
        AttributeWanted("country", "=", "3"),
        AttributeWanted("country", ">=", "Chile"),
        AttributeWanted("age", "=", "30"),
        AttributeWanted("age", ">=", "30"),
        AttributeWanted("age", "<=", "30.0"),
        AttributeWanted("age", "=", "old"),
        AttributeWanted("since", ">=", "2021-01-01"),
        AttributeWanted("nothing", "=", "x"),
    ]
)
filters = st.builds(
    ListFilter,
    propensity=st.sampled_from((None, "visit")),
    reasons=st.lists(wanted_reasons, max_size=2).map(tuple),
    attributes=st.lists(wanted_attributes, max_size=2).map(tuple),
    min_probability=st.sampled_from((None, 0.5)),
    min_value_at_risk=st.sampled_from((None, 0.0, 5.0)),
    min_clv=st.sampled_from((None, 7.0)),
)


def _pages(database: Database, name: str, where: ListFilter | None, **options: Any) -> list[Page]:
    found: list[Page] = []
    cursor: str | None = None
    while True:
        with database.read() as session:
            found.append(list_segment(session, name, cursor=cursor, where=where, **options))
        cursor = found[-1].next_cursor
        if cursor is None:
            return found


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=filters,
    name=st.sampled_from(("at_risk", "steady", EVERYBODY, propensity_list("visit"))),
    limit=st.integers(1, 9),
    look=st.integers(1, 7),
    most=st.integers(7, 25),
    budget=st.sampled_from((None, 0, 1, 20)),
)
def test_pages_of_whom_is_wanted_join_to_what_filtering_the_whole_list_gives(
    shop: Database, where: ListFilter, name: str, limit: int, look: int, most: int, budget: int | None
) -> None:
    whole = list(iterate_segment(shop, name, budget=budget))
    expected = [(row.position, row.customer_id) for row in whole if _is_wanted(row, where)]
    with patch.object(lists, "_ROWS_A_LOOK", look), patch.object(lists, "MOST_ROWS_LOOKED_AT", most):
        pages = _pages(shop, name, where, limit=limit, budget=budget)
        rows = list(iterate_segment(shop, name, where=where, budget=budget, rows_a_page=limit))
    assert [(row.position, row.customer_id) for page in pages for row in page.rows] == expected
    assert [(row.position, row.customer_id) for row in rows] == expected
    assert all(len(page.rows) <= limit and page.looked_at <= most for page in pages)
    assert [page.position for page in pages] == np.cumsum([page.looked_at for page in pages]).tolist()
    assert pages[-1].position == len(whole)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.none() | filters,
    share=st.sampled_from((0.0, 0.3, 0.9)),
    include_contacted=st.booleans(),
    limit=st.integers(1, 9),
    look=st.integers(1, 7),
    most=st.integers(7, 25),
    budget=st.sampled_from((None, 0, 1, 6)),
)
def test_a_filter_and_the_rules_of_a_list_to_be_worked_down_leave_out_what_both_do(
    shop: Database,
    where: ListFilter | None,
    share: float,
    include_contacted: bool,
    limit: int,
    look: int,
    most: int,
    budget: int | None,
) -> None:
    contacted = {f"customer {key}" for key in range(2, N, 3)}
    told = [NewContact(customer_id=who, campaign=None, contacted_at=NOW, channel="mail") for who in sorted(contacted)]
    add_contacts(shop, dict(enumerate(told)), NOBODY, latest=NOW, now=NOW)
    held_out = HeldOut(b"salt", share)
    expected, counted = [], 0
    for row in iterate_segment(shop, "steady"):
        if budget is not None and counted >= budget:
            break
        is_held_out, is_contacted = row.score.customer_key in held_out, row.customer_id in contacted
        counted += not is_held_out and not is_contacted
        if (include_contacted or not is_contacted) and (where is None or _is_wanted(row, where)):
            expected.append((row.position, row.customer_id, is_held_out, NOW if is_contacted else None))
    rules = WorkRules(held_out, NOW, NOW, include_contacted)
    short = patch.object(lists, "_ROWS_A_SHORT_LOOK", look)
    with short, patch.object(lists, "_ROWS_A_LOOK", look), patch.object(lists, "MOST_ROWS_LOOKED_AT", most):
        pages = _pages(shop, "steady", where, rules=rules, limit=limit, budget=budget)
        rows = list(iterate_segment(shop, "steady", where=where, rules=rules, budget=budget, rows_a_page=limit))
    for found in ([row for page in pages for row in page.rows], rows):
        assert [(row.position, row.customer_id, row.held_out, row.contacted_at) for row in found] == expected
    assert all(len(page.rows) <= limit and page.looked_at <= most for page in pages)
    assert [page.position for page in pages] == np.cumsum([page.looked_at for page in pages]).tolist()


def test_below_the_least_rank_nobody_looks(shop: Database) -> None:
    where = ListFilter(min_value_at_risk=5.0, least_rank=5.0)
    (page,) = _pages(shop, "steady", where, limit=N)
    whole = list(iterate_segment(shop, "steady"))
    assert [row.customer_id for row in page.rows] == [row.customer_id for row in whole if _is_wanted(row, where)]
    known = [(row.score.value_at_risk, row.score.clv) for row in whole]
    ranks = [clv if value_at_risk is None else value_at_risk for value_at_risk, clv in known]
    assert page.looked_at == sum(rank is not None and rank >= 5.0 for rank in ranks) < N


def test_everybody_is_listed_once_in_the_order_in_which_they_became_known(shop: Database) -> None:
    rows = list(iterate_segment(shop, EVERYBODY, rows_a_page=7))
    assert [(row.position, row.customer_id) for row in rows] == [(key, f"customer {key}") for key in range(1, N + 1)]


def _scored() -> Mapping[int, Scored]:
    return {key: Scored("steady", float(key), 1.0) for key in range(1, N + 1)}


def test_a_list_whose_run_is_pruned_meanwhile_ends_with_an_error_and_not_short(database: Database) -> None:
    add_customers(database, [f"customer {key}" for key in range(1, N + 1)])
    publish_run(database, _scored())
    rows = iterate_segment(database, "steady", rows_a_page=10)
    assert [next(rows).position for _ in range(10)] == list(range(1, 11))
    publish_run(database, _scored())
    # Until then the first run is needed to tell what the second has changed.
    record_published(database, now=lambda: NOW)
    later = NOW.replace(year=NOW.year + 1)
    prune(database, before=later, dry_run=True)
    assert next(rows).position == 11
    prune(database, before=later)
    with pytest.raises(CursorError, match="is gone"):
        list(rows)
    assert len(list(iterate_segment(database, "steady"))) == N


def test_what_a_filter_looks_at_is_read_by_index(shop: Database) -> None:
    where = ListFilter(
        reasons=(ReasonWanted("frequency"),),
        attributes=(AttributeWanted("age", ">=", "20"),),
        min_value_at_risk=5.0,
        least_rank=5.0,
    )
    with shop.write() as session:
        session.execute(text("ANALYZE"))
    with statements_of(shop) as statements, shop.read() as session:
        for name in ("steady", EVERYBODY):
            cursor = list_segment(session, name, limit=2, where=where).next_cursor
            list_segment(session, name, limit=2, where=where, cursor=cursor)
    plans = [
        plan
        for statement, plan in statements.plans(shop)
        if "segment_listing" in statement or "FROM score" in statement
    ]
    assert len(plans) >= 4
    for plan in plans:
        assert "Seq Scan" not in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
