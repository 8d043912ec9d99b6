"""A disk so small that a test can fill it, with a database on it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.reliability.senders import Served, served

__all__ = ["ROOM", "ballast", "postgresql_on_a_small_disk", "sqlite_on_a_small_disk"]

# For some batches, so that they fill it and not we.
ROOM = 200_000
_SQLITE_MEGABYTES, _POSTGRESQL_MEGABYTES = 16, 48


@contextmanager
def sqlite_on_a_small_disk(template: Path, folder: Path) -> Iterator[tuple[Served, Path]]:
    """Serve a copy of a file on a disk of its own; yields the disk too."""
    with small_disk(folder / "disk", megabytes=_SQLITE_MEGABYTES) as disk:
        file = shutil.copy(template, disk)
        with served(f"sqlite:///{file}", folder) as shop:
            yield shop, disk


@contextmanager
def postgresql_on_a_small_disk(template: str, folder: Path) -> Iterator[tuple[Served, Path]]:
    """Serve a clone of a database whose tables have a disk of their own; yields the disk too.

    The tables alone: a server that can't write its log ends, and all tests share this one.
    """
    # Not below pytest's folder, which the server's user may not enter.
    place = Path(tempfile.gettempdir()) / f"regulars-disk-{os.getpid()}"
    with (
        small_disk(place, megabytes=_POSTGRESQL_MEGABYTES) as disk,
        _cloned_to(disk, template) as url,
        served(url, folder) as shop,
    ):
        yield shop, disk


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a disk in memory; skips the test where the machine does not allow it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("this machine lets nobody mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)
        folder.rmdir()


@contextmanager
def ballast(disk: Path) -> Iterator[Callable[[], None]]:
    """Fill a disk but for a little room; yields what makes room again."""
    heavy = disk / "ballast"
    try:
        heavy.write_bytes(bytes(max(shutil.disk_usage(disk).free - ROOM, 0)))
    except OSError as error:
        # Others have filled the rest meanwhile, which is as good.
        if error.errno != errno.ENOSPC:
            raise
    try:
        yield heavy.unlink
    finally:
        heavy.unlink(missing_ok=True)


@contextmanager
def _cloned_to(disk: Path, template: str) -> Iterator[str]:
    url = make_url(template)
    name = f"disk_{os.getpid()}"
    folder = disk / "tables"
    folder.mkdir()
    engine = create_engine(url.set(database="postgres", drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        data = connection.execute(text("SHOW data_directory")).scalar_one()
        shutil.chown(folder, Path(data).owner())
        connection.execute(text(f"CREATE TABLESPACE {name} LOCATION '{folder}'"))
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {url.database} TABLESPACE {name} STRATEGY FILE_COPY"))
        try:
            yield url.set(database=name).render_as_string(False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            connection.execute(text(f"DROP TABLESPACE {name}"))
    engine.dispose()
