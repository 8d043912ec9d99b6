"""What was known of a customer can be read again as it was, however it was told and whatever was told since."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.calendar import LocalCalendar
from store.api_keys import find_or_create_source
from store.customer_keys import among
from store.engine import Database
from store.event_rows import read_numbered
from store.events import find_customer
from store.evidence import Evidence, read_with_evidence
from store.exceptions import UnknownCustomerError
from store.ingest import EventMapping, ingest_events
from store.ingest.calls import read_batch
from store.ingest.live import LiveRequest, LiveWriter
from store.keyed_hash import KeyedHash
from store.settings import Settings, load_settings
from store.tables.base import to_microseconds

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LATER = to_microseconds(NOW + timedelta(days=1))
CALENDAR = LocalCalendar("UTC")
MAPPING = EventMapping(
    customer_id="who", order_id="order", occurred_at="at", product="product", value="value", channel="channel",
    properties=("note",),
)  # fmt: skip
PROPERTIES_OF = ("Order Completed", "Visited")

files = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["o1", "o2", ""]),
        st.integers(1, 9),
        st.sampled_from(["pen", "ink", ""]),
        st.integers(1, 5),
        st.sampled_from(["web", "mail", ""]),
        st.sampled_from(["x", "y", ""]),
    ),
    min_size=1,
    max_size=4,
)
calls = st.lists(
    st.one_of(
        st.tuples(st.just("identify"), st.sampled_from(["a", "b"]), st.integers(1, 3), st.sampled_from([7, "tin"])),
        st.tuples(st.just("track"), st.sampled_from(["a", "b"]), st.integers(1, 9), st.sampled_from(["x", "y"])),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tellings=st.lists(st.one_of(files.map(list), calls.map(tuple)), min_size=2, max_size=6), data=st.data())
def test_what_was_known_is_read_again_whatever_was_told_since(
    database: Database, tmp_path: Path, tellings: list[Any], data: st.DataObject
) -> None:
    told = load_settings(secret_file=tmp_path / "secret")
    prefix = f"{data.draw(st.uuids())}"
    known: list[tuple[str, int, Any]] = []
    for telling in tellings:
        tell(database, told, tmp_path, telling, prefix)
        now = ((customer, content(database, f"{prefix}{customer}")) for customer in ("a", "b"))
        known += [(customer, int(seen[1].sequence_number[0]), seen) for customer, seen in now if seen is not None]
    for customer, number, (rows, evidence) in known:
        again = content(database, f"{prefix}{customer}", upto=number)
        assert again is not None
        assert again[0] == rows
        for name in ("n_rows", "digest", "attribute_number", "n_attributes", "attribute_digest", "sequence_number"):
            assert (getattr(again[1], name) == getattr(evidence, name)).all(), name


def test_whoever_writes_at_once_what_was_seen_is_read_again(database: Database, tmp_path: Path) -> None:
    told = load_settings(secret_file=tmp_path / "secret")
    source = _source(database)
    visit(database, told, source, 0)
    seen: list[Evidence] = []
    done = Event()

    def watch() -> None:
        while not done.is_set():
            found = content(database, "a")
            assert found is not None
            seen.append(found[1])

    with ThreadPoolExecutor(5) as pool:
        watching = pool.submit(watch)
        list(pool.map(lambda number: visit(database, told, source, number), range(1, 101)))
        done.set()
        watching.result()
    assert len({int(evidence.n_rows[0]) for evidence in seen}) > 10
    for evidence in seen:
        again = content(database, "a", upto=int(evidence.sequence_number[0]))
        assert again is not None
        assert (again[1].digest == evidence.digest).all()


def visit(database: Database, told: Settings, source: int, number: int) -> None:
    """Store a visit of one customer, later ones as earlier ones."""
    call = {
        "type": "track",
        "userId": "a",
        "timestamp": (NOW - timedelta(minutes=number)).isoformat(),
        "event": "Visited",
    }
    writer = LiveWriter(database, KeyedHash(b"x" * 32))
    read = read_batch({"batch": [call]}, told, NOW, most_calls=1)
    writer.write([LiveRequest(source, "live", NOW, read, b"\0" * 32, 0)])
    writer.close()


def tell(database: Database, told: Settings, folder: Path, telling: Any, prefix: str) -> None:
    """Store lines of a file (a list), or live calls (a tuple)."""
    if isinstance(telling, list):
        lines = [
            f"{prefix}{who},{order},2024-05-{day:02},{product},{value},{channel},{note}"
            for who, order, day, product, value, channel, note in telling
        ]
        path = folder / "told.csv"
        path.write_text("who,order,at,product,value,channel,note\n" + "\n".join(lines))
        ingest_events(database, told, path, MAPPING, received_at=NOW)
        return
    batch = []
    for kind, who, day, what in telling:
        call: dict[str, Any] = {"type": kind, "userId": f"{prefix}{who}", "timestamp": f"2024-05-{day:02}T00:00:00Z"}
        call |= {"traits": {"level": what}} if kind == "identify" else {"event": "Visited", "properties": {"p": what}}
        batch.append(call)
    read = read_batch({"batch": batch}, told, NOW, most_calls=9)
    writer = LiveWriter(database, KeyedHash(b"x" * 32))
    writer.write([LiveRequest(_source(database), "live", NOW, read, b"\0" * 32, 0)])
    writer.close()


def content(database: Database, customer_id: str, upto: int | None = None) -> tuple[Any, Evidence] | None:
    """What is read of a customer, by content, and its evidence; None of one who is unknown."""
    with database.read() as session:
        try:
            customer = find_customer(session, customer_id)
        except UnknownCustomerError:
            return None
        raw, _ = read_numbered(session, customer, among(customer.keys), PROPERTIES_OF, upto=upto)
        log, evidence = read_with_evidence(session, customer, CALENDAR, PROPERTIES_OF, as_of=LATER, upto=upto)
    text_of = [None if code < 0 else raw.property_texts[code] for code in raw.properties.tolist()]
    channel_of = [None if code < 0 else raw.channels[code] for code in raw.channel.tolist()]
    rows = list(
        zip(
            raw.occurred_at.tolist(),
            [raw.event_types[code] for code in raw.event_type.tolist()],
            np.nan_to_num(raw.value, nan=-1.0).tolist(),
            raw.is_line.tolist(),
            channel_of,
            text_of,
            strict=True,
        )
    )
    attributes = {
        name: (column.kind, column.learnt_at.tolist(), column.values.tolist(), column.texts)
        for name, column in log.attributes.columns.items()
    }
    return (rows, attributes), evidence


def _source(database: Database) -> int:
    with database.write() as session:
        return find_or_create_source(session, "live").id
