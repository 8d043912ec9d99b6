"""Erasures after their answers: one thread carries out all, and none that was asked for is forgotten."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from service import erasures
from service.erasures import Erasures
from service.request_log import make_logger
from store.engine import Database
from store.exceptions import StoreError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Any; what is done with it is put in its place."""
    database = Database(f"sqlite:///{tmp_path}/any.db")
    yield database
    database.close()


def test_those_that_are_asked_for_meanwhile_are_carried_out_in_one_more_go_by_the_same_thread(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_end = Event(), Event()
    goes: list[int] = []

    def slow(_: Database) -> int:
        goes.append(len(goes))
        has_begun.set()
        assert may_end.wait(20)
        return 0

    monkeypatch.setattr(erasures, "resume_erasures", slow)
    log = io.StringIO()
    asked = Erasures(database, make_logger("console", log))
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(asked.resume)
        assert has_begun.wait(20)
        for _ in range(50):
            asked.resume()  # which waits for nothing
        assert goes == [0]
        may_end.set()
        working.result(20)
    assert goes == [0, 1]
    asked.resume()
    assert goes == [0, 1, 2]
    assert log.getvalue().count("erasures_resumed") == 3


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("DELETE", {}, Exception("of ada")),
        StoreError("The database file could not be searched: of ada"),
        OSError("of ada"),
    ],
)
def test_what_may_pass_is_logged_without_its_text_and_the_next_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(_: Database) -> int:
        raise error

    log = io.StringIO()
    asked = Erasures(database, make_logger("console", log))
    monkeypatch.setattr(erasures, "resume_erasures", broken)
    asked.resume()
    assert f"error={type(error).__name__}" in log.getvalue()
    assert not re.search(r"\bada\b", log.getvalue())
    monkeypatch.setattr(erasures, "resume_erasures", lambda _: 0)
    asked.resume()
    assert "erasures_resumed" in log.getvalue()
