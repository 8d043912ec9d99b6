"""Backup and restore on SQLite: consistent while others write, checked before anything is replaced."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from store import backup
from store.backup import BackupError, back_up, restore
from store.engine import Database
from store.erasure import hide_customer, resume_erasures
from store.exceptions import SchemaError
from store.keyed_hash import KeyedHash
from store.settings import Settings, load_settings
from store.tables import Customer, ErasedCustomer, Event, OrderLine
from tests.store.builders import NOW, add_customers
from tests.store.held import ANNA, ANONYMOUS, BERT, add_events, fill, raw_hits, rows_of


@pytest.fixture
def settings(sqlite_template: Path, tmp_path: Path) -> Settings:
    """Those of a deployment with a database, a bundle and a key."""
    home = tmp_path / "home"
    bundle = home / "bundles" / "b1"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")
    (home / "bundles" / ".unfinished-x").mkdir()
    shutil.copy(sqlite_template, home / "regulars.db")
    KeyedHash.open(home / "secret.key")
    return _settings(home)


def _settings(home: Path) -> Settings:
    return load_settings(
        database_url=f"sqlite:///{home}/regulars.db", bundle_dir=home / "bundles", secret_file=home / "secret.key"
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    yield database
    database.close()


def _contents(settings: Settings) -> tuple[int, int, int]:
    database = Database(settings.database_url)
    with database.read() as session:
        found = [session.scalar(select(func.count()).select_from(table)) or 0 for table in (Customer, Event, OrderLine)]
    database.close()
    return found[0], found[1], found[2]


def test_a_backup_holds_everything_in_a_folder_for_its_owner_only(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    fill(database)
    told: list[float] = []
    back_up(settings, tmp_path / "backup", now=NOW, progress=told.append)
    names = sorted(str(path.relative_to(tmp_path / "backup")) for path in (tmp_path / "backup").rglob("*"))
    assert names == ["bundles", "bundles/b1", "bundles/b1/manifest.json", "manifest.json", "regulars.db", "secret.key"]
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    assert told[-1] == 1.0
    assert json.loads((tmp_path / "backup" / "manifest.json").read_text())["made_at"] == "2024-05-01T00:00:00+00:00"


def test_a_backup_is_restored_into_an_empty_place(settings: Settings, database: Database, tmp_path: Path) -> None:
    fill(database)
    back_up(settings, tmp_path / "backup", now=NOW)
    elsewhere = _settings(tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "backup", now=NOW)
    assert _contents(elsewhere) == _contents(settings) == (3, 4, 4)
    assert (elsewhere.bundle_dir / "b1" / "manifest.json").read_text() == "{}"
    assert elsewhere.secret_file.read_bytes() == settings.secret_file.read_bytes()
    assert stat.S_IMODE(elsewhere.secret_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "elsewhere").glob("*restoring*")) == []


def test_a_backup_while_somebody_writes_is_of_one_instant(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_PAGES_A_STEP", 2)
    keys = fill(database)
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        day = 0
        while not stop.is_set():
            add_events(database, keys[ANNA], [NOW + timedelta(days=day, minutes=i) for i in range(50)])
            day += 1
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(20)
        back_up(settings, tmp_path / "backup", now=NOW)
    finally:
        stop.set()
        writer.join(20)
    elsewhere = _settings(tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "backup", now=NOW)
    _, events, lines = _contents(elsewhere)
    assert events == lines
    assert (events - 4) % 50 == 0
    assert 4 < events <= _contents(settings)[1]


def test_a_backup_replaces_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(BackupError, match="is there already"):
        back_up(settings, tmp_path / "backup", now=NOW)


def test_a_database_with_tables_is_replaced_only_by_force(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    back_up(settings, tmp_path / "backup", now=NOW)
    fill(database)
    with pytest.raises(BackupError, match="has tables already"):
        restore(settings, tmp_path / "backup", now=NOW)
    assert _contents(settings) == (3, 4, 4)
    restore(settings, tmp_path / "backup", force=True, now=NOW)
    assert _contents(settings) == (0, 0, 0)


def test_another_key_is_replaced_only_by_force(settings: Settings, tmp_path: Path) -> None:
    back_up(settings, tmp_path / "backup", now=NOW)
    elsewhere = _settings(tmp_path / "elsewhere")
    KeyedHash.open(elsewhere.secret_file)
    with pytest.raises(BackupError, match="is another key than that of the backup"):
        restore(elsewhere, tmp_path / "backup", now=NOW)
    restore(elsewhere, tmp_path / "backup", now=NOW, force=True)
    assert elsewhere.secret_file.read_bytes() == settings.secret_file.read_bytes()


@pytest.mark.parametrize("name", ["regulars.db", "bundles/b1/manifest.json", "secret.key"])
def test_a_file_that_was_changed_after_the_backup_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    back_up(settings, tmp_path / "backup", now=NOW)
    with (tmp_path / "backup" / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BackupError, match="is missing or was changed after the backup"):
        restore(_settings(tmp_path / "elsewhere"), tmp_path / "backup", now=NOW)
    assert not (tmp_path / "elsewhere" / "regulars.db").exists()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("[", "can't be read"),
        ('{"format": 2, "files": {}}', "is not of a kind that this Regulars knows"),
        ('{"format": 1, "files": {"../x": ""}}', "is not of a kind that this Regulars knows"),
        ('{"format": 1, "files": {}}', "names no regulars.db"),
    ],
)
def test_a_folder_that_is_no_backup_is_refused(settings: Settings, tmp_path: Path, manifest: str, message: str) -> None:
    with pytest.raises(BackupError, match="is no backup"):
        restore(settings, tmp_path, force=True, now=NOW)
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(BackupError, match=message):
        restore(settings, tmp_path, force=True, now=NOW)


def test_a_backup_that_a_newer_regulars_made_is_refused_before_anything_is_replaced(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    back_up(settings, tmp_path / "backup", now=NOW)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    fill(database)
    with pytest.raises(SchemaError, match="made by a newer Regulars"):
        restore(settings, tmp_path / "backup", force=True, now=NOW)
    assert _contents(settings) == (3, 4, 4)


def test_of_postgresql_the_programs_to_use_are_named(tmp_path: Path) -> None:
    settings = load_settings(database_url="postgresql://user@host/regulars")
    with pytest.raises(BackupError, match="pg_dump --format=custom"):
        back_up(settings, tmp_path / "backup", now=NOW)
    with pytest.raises(BackupError, match="pg_restore --clean"):
        restore(settings, tmp_path / "backup", now=NOW)


def _erase(settings: Settings, customer_id: str) -> None:
    database = Database(settings.database_url)
    hide_customer(database, customer_id, KeyedHash.open(settings.secret_file), now=NOW)
    assert resume_erasures(database) == 0
    database.close()


def _hashes(settings: Settings) -> set[bytes]:
    database = Database(settings.database_url)
    with database.read() as session:
        found = set(session.scalars(select(ErasedCustomer.id_hash)))
    database.close()
    return found


def _restore_and_be_cut_off(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a restoring as soon as the database is there."""

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_copy_bundles", cut_off)
        with pytest.raises(KeyboardInterrupt, match="cut off"):
            restore(settings, folder, now=NOW, force=True)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_who_was_erased_after_the_backup_is_erased_again(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cut_off: bool
) -> None:
    keys = fill(database)
    back_up(settings, tmp_path / "backup", now=NOW)
    add_customers(database, ["came after"], keys=[99])
    for name in (ANNA, "came after"):
        _erase(settings, name)
    if is_cut_off:
        _restore_and_be_cut_off(settings, tmp_path / "backup", monkeypatch)
        assert rows_of(database, keys[ANNA]) == {}
    assert restore(settings, tmp_path / "backup", now=NOW, force=True) == 1
    assert rows_of(database, keys[ANNA]) == {}
    assert rows_of(database, keys[BERT])["event"] == 2
    made_by = KeyedHash.open(settings.secret_file)
    assert _hashes(settings) == {made_by.of(name) for name in (ANNA, ANONYMOUS, "came after")}
    database.close()
    assert raw_hits(settings.secret_file.parent, BERT.encode())
    assert raw_hits(settings.secret_file.parent, ANNA.encode()) == []


def test_who_was_erased_before_the_backup_stays_known_as_erased(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    fill(database)
    _erase(settings, BERT)
    back_up(settings, tmp_path / "backup", now=NOW)
    _erase(settings, ANNA)
    assert restore(settings, tmp_path / "backup", now=NOW, force=True) == 1
    made_by = KeyedHash.open(settings.secret_file)
    assert _hashes(settings) == {made_by.of(name) for name in (ANNA, ANONYMOUS, BERT)}


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_who_was_erased_under_another_key_is_erased_again_and_known_under_that_of_the_backup(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cut_off: bool
) -> None:
    keys = fill(database)
    back_up(settings, tmp_path / "backup", now=NOW)
    before = KeyedHash.open(settings.secret_file)
    settings.secret_file.unlink()
    _erase(settings, ANNA)
    assert before.of(ANNA) not in _hashes(settings)
    if is_cut_off:
        _restore_and_be_cut_off(settings, tmp_path / "backup", monkeypatch)
        # It is still the other key that says who was erased.
        assert KeyedHash.open(settings.secret_file).of(ANNA) in _hashes(settings)
    assert restore(settings, tmp_path / "backup", now=NOW, force=True) == 1
    assert rows_of(database, keys[ANNA]) == {}
    assert KeyedHash.open(settings.secret_file).of(ANNA) == before.of(ANNA)
    assert {before.of(ANNA), before.of(ANONYMOUS)} <= _hashes(settings)


def test_what_is_no_key_is_replaced_by_that_of_the_backup(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    keys = fill(database)
    back_up(settings, tmp_path / "backup", now=NOW)
    _erase(settings, ANNA)
    settings.secret_file.write_bytes(b"cut off")
    assert restore(settings, tmp_path / "backup", now=NOW, force=True) == 1
    assert rows_of(database, keys[ANNA]) == {}
    assert settings.secret_file.read_bytes() == (tmp_path / "backup" / "secret.key").read_bytes()
