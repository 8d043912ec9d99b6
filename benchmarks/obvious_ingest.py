"""The obvious service that takes events, with FastAPI, pydantic and SQLAlchemy: the peer of `benchmarks.live_ingest`.

A batch is checked by a model, and each of its events is one row of one table, added and committed by a session; an
event whose message id is there already is left out. On SQLite a commit is as durable as ours, by the same settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, Field
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

__all__ = ["TABLE", "make_app"]

TABLE = "obvious_event"

# As long as anything waits for the one connection.
_SECONDS_TO_WAIT = 120


class _Base(DeclarativeBase):
    """Base of the one table."""


class _Event(_Base):
    """An event as it came."""

    __tablename__ = TABLE

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(index=True)
    event: Mapped[str]
    timestamp: Mapped[datetime]
    received_at: Mapped[datetime]
    properties: Mapped[str]


class _Call(BaseModel):
    """One track call."""

    type: str
    message_id: str = Field(alias="messageId")
    user_id: str = Field(alias="userId")
    event: str
    timestamp: datetime
    properties: dict[str, Any] = {}


class _Batch(BaseModel):
    """What is posted."""

    batch: list[_Call]


class _Taken(BaseModel):
    """What is answered."""

    stored: int
    already_there: int


def make_app(url: str) -> FastAPI:
    """Return the service, which makes its table in the database of a URL."""
    if make_url(url).get_backend_name() == "sqlite":
        # SQLite has one writer at a time. Requests that wait for its one connection are twice as fast as those that try
        # again and again to lock the file.
        engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=_SECONDS_TO_WAIT)
        event.listen(engine, "connect", _configure)
    else:
        engine = create_engine(url)
    _Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    app = FastAPI()
    app.state.sessions = sessions

    @app.post("/v1/batch")
    def take_batch(batch: _Batch, session: Annotated[Session, Depends(_session)]) -> _Taken:
        stored = 0
        for call in batch.batch:
            session.add(
                _Event(
                    message_id=call.message_id,
                    user_id=call.user_id,
                    event=call.event,
                    timestamp=call.timestamp,
                    received_at=datetime.now(UTC),
                    properties=json.dumps(call.properties),
                )
            )
            try:
                session.commit()
                stored += 1
            except IntegrityError:
                session.rollback()
        return _Taken(stored=stored, already_there=len(batch.batch) - stored)

    return app


def _session(request: Request) -> Iterator[Session]:
    with request.app.state.sessions() as session:
        yield session


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "cache_size = -65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
