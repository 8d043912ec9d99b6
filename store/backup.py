"""A copy of one deployment on SQLite, in a folder of its own, and putting it back.

The folder holds the database as one file, the bundles, the key under which erased ids are hashed, and a manifest with
the SHA-256 of each file. PostgreSQL has its own programs for the database.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from store.durability import sync
from store.engine import Database
from store.erasure import repeat_erasures, resume_erasures
from store.exceptions import SettingsError, StoreError
from store.keyed_hash import KeyedHash
from store.schema import upgrade
from store.settings import Settings
from store.turns import Turns

__all__ = ["BackupError", "back_up", "restore"]

_FORMAT = 1
_MANIFEST = "manifest.json"
_DATABASE = "regulars.db"
_BUNDLES = "bundles"
_SECRET = "secret.key"  # noqa: S105  # the name of its file
_PAGES_A_STEP = 4_096

Progress = Callable[[float], None]


class BackupError(StoreError):
    """A backup that can't be made or put back."""


def back_up(settings: Settings, folder: Path, *, now: datetime, progress: Progress = lambda _: None) -> None:
    """Copy database, bundles and key into a new folder, while others read and write.

    The database is copied as it is at one instant; the bundles after it, so that all that it names are there.

    Parameters
    ----------
    settings : Settings
    folder : Path
        Which must not exist; it appears when all is in it.
    now : datetime
        Kept in the manifest.
    progress : callable
        Told the share of the database done.

    Raises
    ------
    BackupError
        The folder is there already, or the database is no SQLite file.
    """
    source = _sqlite_file(
        settings,
        "Back it up with: pg_dump --format=custom --file=regulars.dump DATABASE_URL, and copy the folders of "
        f"{settings.bundle_dir} and the file {settings.secret_file} beside it",
    )
    if not source.exists():
        raise BackupError(f"There is no database {source}. Check REGULARS_DATABASE_URL.")
    if folder.exists():
        raise BackupError(f"{folder} is there already. Name a folder that is not; a backup replaces nothing.")
    draft = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    with closing(_connect(source)) as connection:
        # One view for all steps: without it a copy would begin anew whenever somebody writes.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        _copy_database(connection, draft / _DATABASE, progress)
    with closing(_connect(draft / _DATABASE)) as connection:
        # One file, with nothing in a log beside it; whoever opens the database begins one again.
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    if settings.bundle_dir.is_dir():
        # Those that a training is just writing have names that begin with a dot.
        shutil.copytree(settings.bundle_dir, draft / _BUNDLES, ignore=shutil.ignore_patterns(".*"))
    if settings.secret_file.is_file():
        shutil.copy2(settings.secret_file, draft / _SECRET)
        (draft / _SECRET).chmod(0o600)
    manifest = {"format": _FORMAT, "made_at": now.astimezone(UTC).isoformat(), "files": _contents(draft)}
    (draft / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in _files(draft):
        sync(path)
    draft.rename(folder)
    sync(folder.parent)


def restore(
    settings: Settings, folder: Path, *, now: datetime, force: bool = False, progress: Progress = lambda _: None
) -> int:
    """Put a backup in the place that the settings name, and bring its tables up to this version.

    Who was erased after the backup, as the database that is replaced knows, is erased from the copy before it is put
    there, and the hashes of all erased ids are kept. Cut off anywhere it is done again by calling it again.

    Parameters
    ----------
    settings : Settings
    folder : Path
        That `back_up` made.
    now : datetime
    force : bool
        Whether to replace what is there: a database with tables, another key. Of ids that were erased under that key
        only those are known further that are in the backup: under the key of the backup others have other hashes.
    progress : callable
        Told the share of the database done.

    Returns
    -------
    int
        How many customers were erased again.

    Raises
    ------
    BackupError
        The backup is damaged, or something would be replaced without `force`. Nothing has been changed then.
    SchemaError
        A newer Regulars has made the backup. Nothing has been changed then.
    """
    target = _sqlite_file(
        settings,
        "Restore it with: pg_restore --clean --if-exists --dbname=DATABASE_URL regulars.dump, and copy the folders of "
        f"{settings.bundle_dir} and the file {settings.secret_file} back",
    )
    _check(folder)
    if not force:
        _refuse_to_replace(settings, folder, target)
    keys = [key for key in (_key(folder / _SECRET), _key(settings.secret_file)) if key is not None]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, since it has to be brought up to this version before anything is replaced.
    draft = target.with_name(f"{target.name}.restoring")
    try:
        shutil.copyfile(folder / _DATABASE, draft)
        _prepare(draft)
        with closing(_connect(draft)) as connection:
            _check_integrity(connection, folder / _DATABASE)
        repeated = _erase_again(draft, _erased(target), keys, now)
        with closing(_connect(draft)) as connection, Turns(target).next():
            _copy_database(connection, target, progress)
    finally:
        for name in ("", "-wal", "-shm", ".queue", ".lock"):
            draft.with_name(draft.name + name).unlink(missing_ok=True)
    _copy_bundles(folder / _BUNDLES, settings.bundle_dir)
    if (folder / _SECRET).exists():
        # After the database, which holds hashes under both: cut off in between, none is without its key.
        _copy_secret(folder / _SECRET, settings.secret_file)
    return repeated


def _erase_again(draft: Path, erased: Mapping[bytes, object], keys: Sequence[KeyedHash], now: datetime) -> int:
    """Erase from a database who was erased from another, and keep the hashes of all ids that were."""
    if not erased:
        return 0
    repeated = 0
    if keys:
        database = Database(f"sqlite:///{draft}")
        try:
            repeated = repeat_erasures(database, erased, keys[0], keys[1:], now=now)
            resume_erasures(database)
        finally:
            database.close()
    with closing(_connect(draft)) as connection:
        # Also of those who are not in the backup: they became known after it.
        connection.executemany(
            "INSERT OR IGNORE INTO erased_customer (id_hash, erased_at) VALUES (?, ?)", erased.items()
        )
    return repeated


def _erased(target: Path) -> dict[bytes, object]:
    """Return the hashes of the ids that were erased from the database that is to be replaced, and when, as it says."""
    if not target.exists():
        return {}
    with closing(_connect(target)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'erased_customer'").fetchone():
            return {}
        return dict(connection.execute("SELECT id_hash, erased_at FROM erased_customer"))


def _key(file: Path) -> KeyedHash | None:
    """Return the key in a file, none where there is none, or something else, under which nothing can be hashed."""
    try:
        return KeyedHash.open(file) if file.is_file() else None
    except SettingsError:
        return None


def _sqlite_file(settings: Settings, instead: str) -> Path:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BackupError(f"The database is PostgreSQL, which has programs for this. {instead}.")
    return Path(url.database).resolve()


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None)


def _copy_database(source: sqlite3.Connection, file: Path, progress: Progress) -> None:
    """Copy a database over a file, and check the copy."""

    def tell(_status: int, remaining: int, total: int) -> None:
        progress(1.0 - remaining / total if total else 1.0)

    with closing(_connect(file)) as target:
        source.backup(target, pages=_PAGES_A_STEP, progress=tell)
        _check_integrity(target, file)


def _check_integrity(connection: sqlite3.Connection, file: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise BackupError(f"{file} is damaged: {'; '.join(map(str, found))}. Take another backup.")


def _check(folder: Path) -> None:
    """Raise `BackupError` unless a folder holds a backup as it was made."""
    path = folder / _MANIFEST
    if not path.is_file():
        raise BackupError(f"{folder} is no backup: it has no {_MANIFEST}. Name a folder that `regulars backup` made.")
    expected = _read_manifest(path)
    for name, sha256 in expected.items():
        file = folder / name
        if not file.is_file() or _sha256(file) != sha256:
            raise BackupError(f"{file} is missing or was changed after the backup. Take another backup.")
    if _DATABASE not in expected:
        raise BackupError(f"{path} names no {_DATABASE}. Take another backup.")


def _read_manifest(path: Path) -> Mapping[str, str]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BackupError(f"{path} can't be read. Take another backup.") from error
    match manifest:
        case {"format": found, "files": dict(files)} if found == _FORMAT:
            names = {name: sha256 for name, sha256 in files.items() if _is_within(name)}
            if len(names) == len(files):
                return names
    raise BackupError(f"{path} is not of a kind that this Regulars knows. Install the one that made it.")


def _is_within(name: object) -> bool:
    return isinstance(name, str) and not Path(name).is_absolute() and ".." not in Path(name).parts


def _refuse_to_replace(settings: Settings, folder: Path, target: Path) -> None:
    if target.exists():
        with closing(_connect(target)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
                raise BackupError(f"{target} has tables already. Add --force to replace all that is in it.")
    secret, kept = settings.secret_file, folder / _SECRET
    if secret.exists() and kept.exists() and secret.read_bytes() != kept.read_bytes():
        raise BackupError(
            f"{secret} is another key than that of the backup. Add --force to replace it; ids that were erased under "
            "it and are not in the backup are then not known any more, so that what still comes under them is stored."
        )


def _prepare(draft: Path) -> None:
    database = Database(f"sqlite:///{draft}")
    try:
        upgrade(database)
    finally:
        database.close()


def _copy_bundles(kept: Path, bundle_dir: Path) -> None:
    """Copy the bundles that are not there, or are there otherwise: a bundle's name is a hash of its content."""
    for bundle in sorted(kept.iterdir()) if kept.is_dir() else ():
        place = bundle_dir / bundle.name
        if _contents(place) != _contents(bundle):
            draft = bundle_dir / f".unfinished-{bundle.name}"
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(bundle, draft)
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)


def _copy_secret(kept: Path, secret: Path) -> None:
    secret.parent.mkdir(parents=True, exist_ok=True)
    draft = secret.with_name(f"{secret.name}.restoring")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(kept.read_bytes())
    draft.rename(secret)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, nothing if there is none."""
    return {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
