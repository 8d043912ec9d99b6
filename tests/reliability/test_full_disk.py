"""A disk that is full is answered with 503 at once; nothing that was answered for is lost, and room is all it takes."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.reliability.killing import assert_stored_once, require_sound
from tests.reliability.senders import Served, assert_away, served
from tests.reliability.small_disk import ROOM, ballast, postgresql_on_a_small_disk, sqlite_on_a_small_disk


def test_a_full_disk_under_sqlite_is_a_503_until_there_is_room(sqlite_template: Path, tmp_path: Path) -> None:
    with sqlite_on_a_small_disk(sqlite_template, tmp_path) as (shop, disk), ballast(disk) as make_room:
        assert_stops_and_goes_on(shop, make_room)


def test_a_full_disk_under_postgresql_is_a_503_until_there_is_room(postgresql_template: str, tmp_path: Path) -> None:
    with postgresql_on_a_small_disk(postgresql_template, tmp_path) as (shop, disk), ballast(disk) as make_room:
        assert_stops_and_goes_on(shop, make_room)


def test_a_quota_that_is_used_up_is_a_503_until_there_is_more(sqlite_template: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(sqlite_template, tmp_path))
    with served(f"sqlite:///{file}", tmp_path) as shop:
        pid, (_, hard) = shop.server.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        most_bytes = file.with_name(file.name + "-wal").stat().st_size + ROOM
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, hard))
        assert_stops_and_goes_on(shop, lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard)))


def assert_stops_and_goes_on(shop: Served, make_room: Callable[[], object]) -> None:
    """Send until there is no room, and fail unless each answer is as promised then, and once there is room."""
    while (answer := shop.send()[0]).status == 200:
        pass
    assert_away([answer, *shop.send(batches=2)])
    make_room()
    assert [answer.status for answer in shop.send(batches=20)] == [200] * 20
    require_sound(shop.database)
    assert_stored_once(shop.database, [shop.sender])
