"""What is the same and what is not, on both engines."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import replace
from datetime import timedelta

from store.engine import Database
from store.ingest import EventMapping, IngestReport
from store.ingest.identity import order_key
from tests.store.ingest.conftest import EVENTS, LINES, RECEIVED_AT, Ingest, events, lines
from tests.store.ingest.stored import stored_events, stored_lines

ORDER = ("anna,2024-01-05,o1,pen,2,3.00", "anna,2024-01-05,o1,ink,1,7.50")


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.read, report.stored, report.already_there, report.rejected


def test_the_same_file_twice_stores_nothing_twice(ingest: Ingest, database: Database) -> None:
    assert counts(ingest(lines(*ORDER))) == (2, 2, 0, 0)
    before = stored_events(database), stored_lines(database)
    assert counts(ingest(lines(*ORDER), name="copy.csv")) == (2, 0, 2, 0)
    assert (stored_events(database), stored_lines(database)) == before


def test_events_by_themselves_twice_are_stored_once(ingest: Ingest, database: Database) -> None:
    content = events("anna,2024-01-05,3", "anna,2024-01-05,3", "ben,2024-01-05,3")
    assert counts(ingest(content, EVENTS)) == (3, 3, 0, 0)
    assert counts(ingest(content, EVENTS)) == (3, 0, 3, 0)
    assert not stored_lines(database)
    assert sorted(row[9] for row in stored_events(database)) == [3.0, 3.0, 3.0]


def test_two_truly_equal_lines_both_survive(ingest: Ingest, database: Database) -> None:
    assert counts(ingest(lines(ORDER[0], ORDER[0], ORDER[1]))) == (3, 3, 0, 0)
    assert len(stored_events(database)) == 1
    assert len(stored_lines(database)) == 3


def test_overlapping_files_keep_the_larger_multiplicity(ingest: Ingest, database: Database) -> None:
    ingest(lines(ORDER[0], ORDER[0]))
    assert counts(ingest(lines(ORDER[0], ORDER[0], ORDER[0], ORDER[1]))) == (4, 2, 2, 0)
    assert counts(ingest(lines(ORDER[0]))) == (1, 0, 1, 0)
    assert len(stored_lines(database)) == 4


def test_lines_of_one_order_in_two_files_are_one_order_at_its_earliest_line(ingest: Ingest, database: Database) -> None:
    ingest(lines("anna,2024-01-05T10:00:00Z,o1,pen,2,3.00"))
    ingest(lines("anna,2024-01-05T09:00:00Z,o1,ink,1,7.50"))
    ingest(lines("anna,2024-01-05T11:00:00Z,o1,nib,1,1.00"))
    (order,) = stored_events(database)
    assert order[2] == 1_704_445_200_000_000  # 09:00
    assert order[9] is None
    assert len(stored_lines(database)) == 3


def test_an_order_id_of_another_customer_or_event_is_another_order(ingest: Ingest, database: Database) -> None:
    ingest(lines(ORDER[0], ORDER[0].replace("anna", "ben")))
    ingest(lines(ORDER[0]), replace(LINES, event="Order Updated"))
    assert len(stored_events(database)) == 3


UPDATES = replace(LINES, event="Order Updated")


def test_each_instant_at_which_an_order_is_updated_is_an_event_with_lines_of_its_own(
    ingest: Ingest, database: Database
) -> None:
    content = lines(*ORDER, *(row.replace("2024-01-05", "2024-01-06") for row in ORDER), ORDER[0].replace("o1", "o2"))
    assert counts(ingest(content, UPDATES)) == (5, 5, 0, 0)
    assert [(event[2] // 86_400_000_000, event[7]) for event in stored_events(database)] == [
        (19_727, "o1"),
        (19_727, "o2"),
        (19_728, "o1"),
    ]
    of_events = [line[0] for line in stored_lines(database)]
    assert sorted(of_events.count(event[6]) for event in stored_events(database)) == [1, 2, 2]
    assert counts(ingest(content, UPDATES)) == (5, 0, 5, 0)
    assert {event[8] for event in stored_events(database)} == {order_key("o1"), order_key("o2")}


def test_an_update_without_an_order_id_is_an_event_of_its_own(ingest: Ingest, database: Database) -> None:
    assert counts(ingest(lines("anna,2024-01-05,,pen,2,3.00", "anna,2024-01-05,,pen,2,3.00"), UPDATES)) == (2, 2, 0, 0)
    assert len(stored_events(database)) == 2


def test_a_line_without_an_order_id_is_an_order_of_its_own(ingest: Ingest, database: Database) -> None:
    content = lines("anna,2024-01-05,,pen,2,3.00", "anna,2024-01-05,,pen,2,3.00")
    assert counts(ingest(content)) == (2, 2, 0, 0)
    assert counts(ingest(content)) == (2, 0, 2, 0)
    assert len(stored_events(database)) == len(stored_lines(database)) == 2
    assert all(event[9] is None and event[7] is None for event in stored_events(database))


def test_other_columns_do_not_enter_identity(ingest: Ingest) -> None:
    mapping = replace(EVENTS, properties=("shop",), channel="shop")
    ingest("who,at,value,shop\nanna,2024-01-05,3,north\n", mapping)
    assert counts(ingest("who,at,value,shop\nanna,2024-01-05,3,south\n", mapping)) == (1, 0, 1, 0)


def test_numbers_instants_and_ids_are_compared_by_what_they_mean(ingest: Ingest) -> None:
    ingest(lines("17850,2024-01-05T10:00:00+02:00,7,pen,2,3"))
    same = lines(" 17850.0 ,2024-01-05 08:00:00Z,7.0,pen ,2.0,3.00")
    assert counts(ingest(same)) == (1, 0, 1, 0)


def test_the_source_is_part_of_identity(ingest: Ingest) -> None:
    ingest(events("anna,2024-01-05,3"), EVENTS)
    assert counts(ingest(events("anna,2024-01-05,3"), replace(EVENTS, source="shop"))) == (1, 1, 0, 0)


def test_identity_is_the_hash_that_it_has_been_from_the_first(ingest: Ingest, database: Database) -> None:
    """Computed by hand from the text of `store/ingest/identity.py`: were it to change, all would be stored twice."""
    ingest(lines(ORDER[0], ORDER[0], "ben,2024-01-05,,,,7.50"))

    def digest(text: str, *numbers: float) -> bytes:
        reported_at = (1_704_412_800_000_000).to_bytes(8, "little")
        content = text.encode() + (reported_at + struct.pack("<dd", *numbers) if numbers else b"")
        return hashlib.blake2b(content, digest_size=16).digest()

    own = digest("content\0file\0Order Completed\0anna\0o1\0pen\0", 2.0, 3.0)
    second = hashlib.blake2b(own + (1).to_bytes(8, "big"), digest_size=16).digest()
    alone = digest("content\0file\0Order Completed\0ben\0\0\0", math.nan, 7.5)
    head = digest("order\0Order Completed\0anna\0o1")
    assert {bytes(event[6]) for event in stored_events(database)} == {head, alone}
    assert {bytes(line[1]) for line in stored_lines(database)} == {own, second}


MESSAGES = EventMapping(
    customer_id="who", occurred_at="at", order_id="order", product="product", value="value", message_id="message"
)
MESSAGE_FILE = (
    "message,who,at,order,product,value\n"
    "m1,anna,2024-01-05,o1,pen,3\n"
    "m2,anna,2024-01-05,o2,pen,3\n"
    "m1,anna,2024-01-05,o1,ink,7\n"
)


def test_with_a_message_id_a_row_is_the_message_and_its_place_within_it(ingest: Ingest, database: Database) -> None:
    assert counts(ingest(MESSAGE_FILE, MESSAGES)) == (3, 3, 0, 0)
    # The same messages a second time, though a value was rounded otherwise.
    assert counts(ingest(MESSAGE_FILE.replace(",7\n", ",7.01\n"), MESSAGES)) == (3, 0, 3, 0)
    assert all(event[5] for event in stored_events(database))


def test_an_update_with_a_message_id_is_its_message_though_its_instant_is_told_otherwise(
    ingest: Ingest, database: Database
) -> None:
    updates = replace(MESSAGES, event="Order Updated")
    assert counts(ingest(MESSAGE_FILE, updates)) == (3, 3, 0, 0)
    assert counts(ingest(MESSAGE_FILE.replace("2024-01-05", "2024-01-05T00:00:01Z"), updates)) == (3, 0, 3, 0)
    assert counts(ingest(MESSAGE_FILE.replace("m1", "m3"), updates)) == (3, 2, 1, 0)
    of_events = [line[0] for line in stored_lines(database)]
    assert sorted(of_events.count(event[6]) for event in stored_events(database)) == [1, 2, 2]


def test_a_rejected_row_of_a_message_repaired_shifts_no_other(ingest: Ingest, database: Database) -> None:
    broken = MESSAGE_FILE.replace("o1,pen,3", "o1,pen,many")
    assert counts(ingest(broken, MESSAGES)) == (3, 2, 0, 1)
    assert counts(ingest(MESSAGE_FILE, MESSAGES)) == (3, 1, 2, 0)
    assert sorted(str(line[3]) for line in stored_lines(database)) == ["ink", "pen", "pen"]


def test_an_order_of_another_source_is_there_already_if_its_lines_are_equal(ingest: Ingest, database: Database) -> None:
    ingest(lines(*ORDER, ORDER[0]))
    report = ingest(lines(ORDER[1], ORDER[0], ORDER[0]), replace(LINES, source="shop"))
    assert counts(report) == (3, 0, 3, 0)
    assert len(stored_lines(database)) == 3


def test_an_order_that_another_source_tells_otherwise_is_reported(ingest: Ingest, database: Database) -> None:
    ingest(lines(*ORDER))
    told = lines(ORDER[0], ORDER[0], "anna,2024-01-05,o1,ink,1,8.50", "anna,2024-01-05,o2,pen,1,1")
    report = ingest(told, replace(LINES, source="shop"))
    assert counts(report) == (4, 1, 1, 2)
    assert [(row.line, row.column, row.value, row.code) for row in report.examples] == [
        (3, "order", "o1", "order_conflict"),
        (4, "order", "o1", "order_conflict"),
    ]
    assert "“file”" in report.examples[0].reason
    assert len(stored_lines(database)) == 3


def test_an_order_that_comes_again_without_its_message_ids_is_stored_once(ingest: Ingest, database: Database) -> None:
    ingest(MESSAGE_FILE, MESSAGES)
    assert counts(ingest(MESSAGE_FILE, replace(MESSAGES, message_id=None))) == (3, 0, 3, 0)
    other = MESSAGE_FILE.replace("o2,pen,3", "o2,pen,4")
    assert counts(ingest(other, replace(MESSAGES, message_id=None))) == (3, 0, 2, 1)
    assert len(stored_lines(database)) == 3


def test_a_clock_that_runs_ahead_is_stored_at_receipt_and_known_again(ingest: Ingest, database: Database) -> None:
    content = events("anna,2024-06-02T11:59:00Z,3", "anna,2024-06-02T12:00:01Z,3")
    report = ingest(content, EVENTS)
    assert counts(report) == (2, 1, 0, 1)
    assert report.rejected_by_code == {"future": 1}
    (event,) = stored_events(database)
    assert (event[2], event[3]) == (1_717_243_200_000_000, 1_717_329_540_000_000)
    assert counts(ingest(content, EVENTS, received_at=RECEIVED_AT + timedelta(days=3))) == (2, 1, 1, 0)


def test_what_an_order_has_from_its_lines_does_not_depend_on_their_order(ingest: Ingest, database: Database) -> None:
    mapping = replace(LINES, channel="shop", properties=("shop",))
    header = "who,at,order,product,quantity,value,shop\n"
    rows = [
        "anna,2024-01-06,o1,pen,1,1,early\n",
        "anna,2024-01-05,o1,ink,1,1,web\n",
        "anna,2024-01-05,o1,nib,1,1,store\n",
        "anna,2024-01-05,o1,cap,1,1,\n",
    ]
    for row in rows:
        ingest(header + row, mapping)
    one_by_one = stored_events(database)
    assert one_by_one[0][10:] == ("store", '{"shop": "store"}')
    again = [row.replace("o1", "o2") for row in reversed(rows)]
    ingest(header + "".join(again), mapping)
    assert [event[10:] for event in stored_events(database)] == [one_by_one[0][10:]] * 2
