"""The body of a request: what is refused as a whole, and what costs one item only."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from store.ingest.calls import UnreadableBodyError, read_batch, read_body, read_call, read_posthog, write_key_in
from store.settings import load_settings
from tests.store.ingest.calls.reading import MOST_CALLS, RECEIVED_AT, batch, column, rejected

GOOD = b'{"type": "track", "userId": "anna", "event": "Seen", "properties": {"a": 1}}'

# What does not stand in one item, and code and words of the refusal.
UNREADABLE = [
    (b"", "not_json", "is not JSON"),
    (b"\xff\xfe{\x00}\x00", "not_json", "is not JSON"),
    (b'{"batch": [', "not_json", "is not JSON"),
    (b"{'batch': []}", "not_json", "is not JSON"),
    (b'{"batch": []} {}', "not_json", "is not JSON"),
    (b'"' + b"\\" * 9_999, "not_json", "is not JSON"),
    (b'{"batch": ["' + b'"' * 9_999, "not_json", "is not JSON"),
    (b'{"batch": ["' + b'\\"' * 1_000_000, "not_json", "is not JSON"),
    (b"[" * 100_000, "too_deep", "more than 200 deep"),
    (b'{"batch": ' * 300 + b"1" + b"}" * 300, "too_deep", "more than 200 deep"),
    (b'{"batch": [NaN, ' + b"[" * 300 + b"]" * 300 + b"]}", "too_deep", "more than 200 deep"),
    (b"[]", "not_an_object", "is a list; expected a JSON object"),
    (b"null", "not_an_object", "is null"),
    (b'"batch"', "not_an_object", "is a text"),
    (b"true", "not_an_object", "is true or false"),
    (b"NaN", "not_an_object", "is a number"),
    (b"{}", "no_batch", "`batch` is missing; expected a list of calls"),
    (b'{"batch": null}', "no_batch", "is missing"),
    (b'{"batch": {}}', "no_batch", "is an object"),
    (b'{"batch": 5}', "no_batch", "is a number"),
    (b'{"batch": [1, 2, 3, 4]}', "too_many_calls", "has 4 calls; expected at most 3"),
]


@pytest.mark.parametrize(
    ("body", "code", "words"), UNREADABLE, ids=[f"{code}{n}" for n, (_, code, _) in enumerate(UNREADABLE)]
)
def test_a_body_that_is_no_batch_is_refused_with_a_code_and_plain_words(body: bytes, code: str, words: str) -> None:
    for read in (read_batch, read_posthog):
        with pytest.raises(UnreadableBodyError, match=words) as refused:
            read(read_body(body), load_settings(), RECEIVED_AT, 3)
        assert refused.value.code == code
    if code not in ("no_batch", "too_many_calls"):
        with pytest.raises(UnreadableBodyError, match=words):
            read_body(body)


@pytest.mark.parametrize(
    "item",
    [
        b'{"type": "track", "userId": "anna", "event": "Seen", "properties": {"a": NaN}}',
        b'{"type": "track", "userId": "anna", "event": "Seen", "properties": {"a": -Infinity}}',
        b'{"type": "track", "userId": "anna", "event": "Seen", "properties": {"a": 1e400}}',
        b'{"type": "track", "userId": "anna", "event": "Seen", "properties": {"a": ' + b"9" * 5_000 + b"}}",
        b'{"type": "track", "userId": "\\ud83d", "event": "Seen"}',
        b'{"type": "track", "userId": "\xff", "event": "Seen"}',
        b'{"type": "track", "userId": "a\\u0000b", "event": "Seen"}',
    ],
)
def test_what_no_json_may_hold_costs_its_own_item_only(item: bytes) -> None:
    body = b'{"batch": [' + b", ".join([GOOD, item, GOOD]) + b"]}"
    calls = read_batch(read_body(body), load_settings(), RECEIVED_AT, MOST_CALLS)
    assert calls.n_read == 3
    assert calls.rows.line.tolist() == [0, 2]
    assert [one.line for one in calls.rejections] == [1]


def test_nul_and_halves_of_characters_in_free_text_are_kept_escaped() -> None:
    body = (
        b'\xef\xbb\xbf{"type": "track", "userId": "anna", "event": "Seen", "properties": '
        b'{"a": "x\\u0000y", "b": "\\ud83d", "c": "\xff", "d\\udc00": "\\ud83d\\ude00"}}'
    )
    calls = read_call("track", read_body(body), load_settings(), RECEIVED_AT)
    (text,) = column(calls.rows, "properties")
    assert json.loads(text) == {"a": "x\\x00y", "b": "\\ud83d", "c": "\\udcff", "d\\udc00": "😀"}
    assert text.encode().decode() == text


def test_brackets_in_texts_are_not_nesting() -> None:
    item = GOOD.replace(b'"a": 1', b'"a": NaN, "b": "' + b'[{\\"' * 300 + b'"')
    calls = read_batch(read_body(b'{"batch": [' + item + b"]}"), load_settings(), RECEIVED_AT, MOST_CALLS)
    assert rejected(calls) == [(0, "properties.a", "nan", "number")]


def test_an_empty_batch_is_read() -> None:
    calls = batch()
    assert (calls.n_read, len(calls.rows), calls.learnt, calls.merges, calls.rejections) == (0, 0, [], [], [])


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"writeKey": " rg_1 ", "batch": []}', "rg_1"),
        (b'{"api_key": "rg_2"}', "rg_2"),
        (b'{"writeKey": null, "api_key": "rg_3"}', "rg_3"),
        (b'{"writeKey": 5}', None),
        (b'{"writeKey": " "}', None),
        (b'{"writeKey": "\\ud800"}', None),
        (b"{}", None),
    ],
)
def test_the_key_in_a_body_is_found_under_either_name(body: bytes, key: str | None) -> None:
    assert write_key_in(read_body(body)) == key


def test_a_body_of_very_many_parts_is_refused_before_it_is_unfolded() -> None:
    body = b'{"batch": [' + b"[]," * 2_000_000 + b"[]]}"
    tracemalloc.start()
    with pytest.raises(UnreadableBodyError, match="more than 250,000 lists and objects") as refused:
        read_body(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "too_many_parts"
    assert peak < 1_000_000
