"""Bodies as clients send them: gzip however it is labelled, and never more than is taken."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from service.exceptions import BodyTooLargeError, BrokenGzipError
from service.raw_body import gunzipped

BODY = b'{"batch": []}' * 1_000


def test_what_is_not_gzip_stays_as_it_is() -> None:
    assert gunzipped(BODY, most_bytes=10) == BODY
    assert gunzipped(b"", most_bytes=10) == b""


def test_gzip_is_unpacked_of_several_members_too() -> None:
    assert gunzipped(gzip.compress(BODY), most_bytes=len(BODY)) == BODY
    assert gunzipped(gzip.compress(BODY) + gzip.compress(BODY), most_bytes=2 * len(BODY)) == 2 * BODY


@pytest.mark.parametrize("members", [1, 3])
def test_one_byte_more_than_is_taken_is_refused(members: int) -> None:
    packed = gzip.compress(BODY) * members
    with pytest.raises(BodyTooLargeError, match="at most"):
        gunzipped(packed, most_bytes=members * len(BODY) - 1)


def _cut_short(packed: bytes) -> bytes:
    return packed[:-9]


def _overwritten(packed: bytes) -> bytes:
    return packed[:12] + b"x" * 50


def _only_its_mark(packed: bytes) -> bytes:
    return packed[:2]


@pytest.mark.parametrize("broken", [_cut_short, _overwritten, _only_its_mark])
def test_broken_gzip_is_told(broken: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BrokenGzipError, match="gzip"):
        gunzipped(broken(gzip.compress(BODY)), most_bytes=1_000_000)


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1_000_000)
    bomb = b"".join(packer.compress(zeros) for _ in range(1_000)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(BodyTooLargeError, match="6,000,000"):
        gunzipped(bomb, most_bytes=6_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
