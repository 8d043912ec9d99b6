"""Bombs again and again, by one and by eight at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.reliability.senders import Served, served
from tests.reliability.test_bomb import MEGABYTE, MOST_GROWTH, PACKED, bomb, drop

BOMBS = 100
AT_ONCE = 8


@pytest.fixture
def shop(sqlite_template: Path, tmp_path: Path) -> Iterator[Served]:
    file = shutil.copy(sqlite_template, tmp_path)
    with served(f"sqlite:///{file}", tmp_path) as shop:
        yield shop


@pytest.mark.parametrize("packed", PACKED)
def test_a_hundred_bombs_grow_the_service_by_less_than_50_megabytes(shop: Served, packed: int) -> None:
    body = bomb(packed)
    before = shop.server.peak_bytes()
    assert {drop(shop, body).status for _ in range(BOMBS)} == {413}
    growth = shop.server.peak_bytes() - before
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert {answer.status for answer in pool.map(lambda _: drop(shop, body), range(BOMBS))} == {413}
    at_once = shop.server.peak_bytes() - before
    print(  # noqa: T201
        f"{len(body) / MEGABYTE:.1f} MB: {growth / MEGABYTE:.1f} MB more by one, "
        f"{at_once / MEGABYTE:.1f} MB by {AT_ONCE} at once"
    )
    assert growth < MOST_GROWTH
    # Each may have as much in hand as a body may have, packed and unpacked.
    assert at_once < MOST_GROWTH * AT_ONCE
    assert [answer.status for answer in shop.send()] == [200]
