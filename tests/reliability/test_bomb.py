"""Bodies that unpack to far more than came are refused before they take memory, or time."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.reliability.senders import MOST_SECONDS, Answer, Served, post, served
from tests.reliability.server_process import HOST

__all__ = ["MEGABYTE", "MOST_GROWTH", "bomb", "drop"]

MEGABYTE = 1_000_000
GIGABYTE = 1_000 * MEGABYTE
MOST_GROWTH = 50 * MEGABYTE
MEMBERS = 100
# More than may come, and so little that only unpacking tells.
PACKED = (10 * MEGABYTE, 0)


def bomb(packed: int) -> bytes:
    """Return gzip of some bytes and a megabyte more, at its highest level, that unpacks to a gigabyte."""
    salt = random.Random(1).randbytes(packed // MEMBERS)
    return gzip.compress(salt + bytes(GIGABYTE // MEMBERS - len(salt)), 9) * MEMBERS


def drop(shop: Served, body: bytes) -> Answer:
    """Post a body on a connection of its own."""
    with closing(HTTPConnection(HOST, shop.server.port, timeout=60.0)) as connection:
        return post(connection, "/v1/batch", body, shop.key)


@pytest.fixture(scope="module")
def shop(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bombed")
    file = shutil.copy(sqlite_template, folder)
    with served(f"sqlite:///{file}", folder) as shop:
        yield shop


@pytest.mark.parametrize("packed", PACKED)
def test_a_gigabyte_packed_is_refused_and_takes_no_memory(shop: Served, packed: int) -> None:
    body = bomb(packed)
    shop.server.forget_peak()
    before = shop.server.peak_bytes()
    assert [drop(shop, body).status for _ in range(5)] == [413] * 5
    assert shop.server.peak_bytes() - before < MOST_GROWTH
    assert [answer.status for answer in shop.send()] == [200]


def test_very_many_empty_members_of_gzip_take_no_time(shop: Served) -> None:
    answer = drop(shop, gzip.compress(b"", 9) * 250_000)
    assert (answer.status, answer.content["code"]) == (400, "not_json"), answer
    assert answer.seconds < MOST_SECONDS
