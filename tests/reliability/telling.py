"""Tells a database all kinds of things in any order, and the model of it the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from store.engine import Database
from store.erasure import hide_customer, resume_erasures
from store.ingest import ingest_events
from store.ingest.identity import order_head
from store.settings import load_settings
from store.tables import Base, WriteNumber
from tests.reliability.live_model import LiveModel, Outcome
from tests.reliability.told_calls import ORDERS, Call, Told, csv_of, mapping_of
from tests.store.ingest.live_requests import (
    AT,
    KEY,
    RECEIVED_AT,
    SECRET,
    alias,
    identify,
    live_writer,
    request,
    root_ids,
    track,
)
from tests.store.ingest.stored import stored_attributes, stored_events, stored_lines

__all__ = ["check_model"]

_STEPS = 12
_CUSTOMERS, _VISITORS = ("a", "b", "c"), ("v1", "v2")
_ids = st.sampled_from((*_CUSTOMERS, *_VISITORS))
# The last is late by more than a year.
_days = st.sampled_from((0, 0, 1, 2, -400))
_products = st.lists(
    st.builds(
        lambda product, quantity: {"product_id": product, "quantity": quantity, "price": 2.5},
        st.sampled_from(("pen", "ink")),
        st.integers(1, 2),
    ),
    max_size=2,
)
_orders = st.builds(
    lambda event, user, day, order, products: track(user, event, day=day, order_id=order, products=products),
    st.sampled_from(("Order Completed", "Order Completed", "Order Updated", "Order Refunded", "Order Cancelled")),
    _ids,
    _days,
    st.sampled_from(("o1", "o1", "o1", "o2")),
    _products,
)
_views = st.builds(
    lambda user, day, said: track(user, day=day, **said), _ids, _days, st.sampled_from(({}, {"value": 3}))
)
_traits = st.sampled_from(({}, {"plan": "gold"}, {"plan": "tin", "age": 30}, {"age": 31}))
_learnt = st.builds(
    lambda user, visitor, day, traits: identify(user, visitor=visitor, day=day, **traits),
    st.sampled_from(_CUSTOMERS),
    st.sampled_from((None, *_VISITORS)),
    _days,
    _traits,
)
_groups = st.builds(
    lambda user, day, traits: {
        "type": "group",
        "userId": user,
        "groupId": "g1",
        "traits": traits,
        "timestamp": (AT + timedelta(days=day)).isoformat(),
    },
    _ids,
    _days,
    _traits,
)
_aliases = st.builds(alias, _ids, _ids)
# Whether a call has a message id of its own.
_calls = st.tuples(st.one_of(_orders, _views, _learnt, _groups, _aliases), st.booleans())
_sources = st.sampled_from(("shop", "shop", "till"))
# What another call tells of an order: by whom, when, how many lines more or fewer, and with a message id or without.
_retold = st.tuples(
    st.sampled_from((None, None, None, *_CUSTOMERS, *_VISITORS)),
    st.sampled_from((None, None, None, 1)),
    st.sampled_from((0, 0, 1, -1)),
    st.booleans(),
)


class _Telling(RuleBasedStateMachine):
    """Tells a database and the model of it the same."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__()
        self._database = database
        self._file = folder / "told.csv"
        self._settings = load_settings(secret_file=folder / "secret.key")
        self._settings.secret_file.write_bytes(SECRET)
        self._model = LiveModel(rank=order_head)
        self._told: list[Call] = []
        self._steps = 0
        self._to_close = ExitStack()
        # Two, as two processes would have: each remembers what it found before the other changed it.
        self._writers = [self._to_close.enter_context(live_writer(database)) for _ in range(2)]

    @rule(group=st.lists(st.tuples(_sources, st.lists(_calls, min_size=1, max_size=3)), min_size=1, max_size=3))
    def tell(self, group: list[tuple[str, list[tuple[dict[str, Any], bool]]]]) -> None:
        told = []
        for source, drawn in group:
            calls: list[Call] = []
            for call, has_message in drawn:
                calls.append({**call, "messageId": f"m{len(self._told)}"} if has_message else call)
                self._told.append(calls[-1])
            told.append(Told(source, calls))
        self._send(told)

    @precondition(lambda self: self._told)
    @rule(source=_sources, data=st.data())
    def tell_again(self, source: str, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(range(len(self._told))), min_size=1, max_size=4))
        self._send([Told(source, [self._told[i] for i in some])])

    @precondition(lambda self: any(map(_is_order, self._told)))
    @rule(source=_sources, data=st.data(), changes=st.lists(_retold, min_size=1, max_size=4))
    def tell_otherwise(self, source: str, data: st.DataObject, changes: list[tuple[Any, ...]]) -> None:
        orders = [call for call in self._told if _is_order(call)]
        calls = []
        for *change, has_message in changes:
            call = _otherwise(orders[data.draw(st.integers(0, len(orders) - 1))], *change)
            calls.append({**call, "messageId": f"m{len(self._told)}"} if has_message else call)
            self._told.append(calls[-1])
        self._send([Told(source, calls)])

    @precondition(lambda self: any(map(_is_event, self._told)))
    @rule(source=_sources, data=st.data())
    def tell_by_file(self, source: str, data: st.DataObject) -> None:
        events = [call for call in self._told if _is_event(call)]
        some = data.draw(st.lists(st.sampled_from(range(len(events))), min_size=1, max_size=6, unique=True))
        told = Told(source, [events[i] for i in some])
        self._file.write_text(csv_of(told.calls), encoding="utf-8")
        report = ingest_events(self._database, self._settings, self._file, mapping_of(source), received_at=self._now())
        expected = self._model.take_file(told)
        codes = [code for _, code in expected.rejected]
        assert (report.stored, report.already_there) == expected[:2]
        assert report.rejected_by_code == {code: codes.count(code) for code in codes}

    # Not before there is much to forget.
    @precondition(lambda self: self._steps > _STEPS // 2 and self._model.customers)
    @rule(data=st.data(), is_deleted=st.booleans())
    def erase(self, data: st.DataObject, is_deleted: bool) -> None:
        customer = data.draw(st.sampled_from(self._model.customers))
        hide_customer(self._database, customer, KEY, now=self._now())
        self._model.erase(customer)
        if is_deleted:
            assert resume_erasures(self._database) == 0

    def teardown(self) -> None:
        try:
            assert resume_erasures(self._database) == 0
            events, lines, attributes, roots = _content(self._database)
            assert roots == self._model.stands_for
            assert events == self._model.events()
            assert attributes == self._model.attributes()
            assert len(lines) == sum(len(event[-1]) for event in events)
        finally:
            self._to_close.close()
            _empty(self._database)

    def _send(self, told: Sequence[Told]) -> None:
        writer = self._writers[self._steps % 2]
        now = self._now()
        results = writer.write([request(*map(dict, each.calls), source=each.source, received_at=now) for each in told])
        outcomes = [
            Outcome(result.stored, result.already_there, tuple((each.line, each.code) for each in result.rejected))
            for result in results
        ]
        assert outcomes == self._model.take(told)

    def _now(self) -> Any:
        self._steps += 1
        return RECEIVED_AT + timedelta(minutes=self._steps)


def check_model(database: Database, folder: Path, *, runs: int) -> None:
    """Compare so many runs of some steps with the model; raises `AssertionError` with the shortest that differs."""

    class Telling(_Telling):
        def __init__(self) -> None:
            super().__init__(database, folder)

    run_state_machine_as_test(
        Telling,
        settings=settings(
            max_examples=runs,
            stateful_step_count=_STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def _is_event(call: Call) -> bool:
    return bool(call["type"] == "track")


def _is_order(call: Call) -> bool:
    return _is_event(call) and call["event"] in ORDERS


def _otherwise(call: Call, user: str | None, day: int | None, n_more: int) -> dict[str, Any]:
    """Return what another call tells of the same order."""
    said = call["properties"]
    products = said["products"][: len(said["products"]) + min(n_more, 0)] + said["products"][: max(n_more, 0)]
    told = {name: value for name, value in call.items() if name != "messageId"}
    told |= {"userId": user or call["userId"], "properties": {**said, "products": products}}
    return told if day is None else {**told, "timestamp": (AT + timedelta(days=day)).isoformat()}


def _content(database: Database) -> tuple[list[Any], list[Any], list[Any], dict[str, str]]:
    lines = stored_lines(database)
    events = sorted(
        (
            (
                row[0], row[1], row[4], bool(row[5]), row[7], row[2], row[9], row[11],
                tuple(sorted(((line[2], line[3], line[5], line[6]) for line in lines if line[0] == row[6]), key=repr)),
            )
            for row in stored_events(database)
        ),
        key=repr,
    )  # fmt: skip
    attributes = sorted((*row[:3], row[5] if row[3] == "category" else row[4]) for row in stored_attributes(database))
    return events, lines, attributes, root_ids(database)


def _empty(database: Database) -> None:
    with database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table is not WriteNumber.__table__:  # whose row is counted up, for good
                session.execute(text(f"DELETE FROM {table.name}"))
