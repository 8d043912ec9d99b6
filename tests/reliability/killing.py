"""A server that is killed while it stores, again and again, and what is left of it in the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from store.engine import Database
from tests.reliability.senders import Sender, stored_facts, told_facts
from tests.reliability.server_process import make_key, serving, settings_in, start_server

__all__ = ["Outcome", "assert_stored_once", "kill_again_and_again", "require_sound"]

_SENDERS = 4
# From nothing stored yet, while the server starts, to well under way.
_SECONDS_TO_LIVE = (0.0, 1.2)


@dataclass(frozen=True)
class Outcome:
    """What happened, for a report.

    Attributes
    ----------
    cycles : int
        How often a server was killed.
    acknowledged : int
        Facts that were answered with 200.
    cut_off : int
        Requests that were under way at a kill.
    stored_all_the_same : int
        Those of them that were stored, though nobody could say so any more.
    """

    cycles: int
    acknowledged: int
    cut_off: int
    stored_all_the_same: int


def kill_again_and_again(
    url: str, folder: Path, *, cycles: int, seed: int, strike: Callable[[int], None] | None = None
) -> Outcome:
    """Kill servers of a database while several senders send, then let them send what was not answered.

    Parameters
    ----------
    url : str
        An empty database.
    folder : Path
        For what else the servers keep.
    cycles, seed : int
        How often, and what decides when.
    strike : callable, optional
        What else happens in the middle of a cycle, before the kill; takes the cycle's number.

    Raises
    ------
    AssertionError
        What was answered with 200 is not stored, or anything is stored twice, or the file is not sound.
    """
    random_moments = random.Random(seed)
    database = Database(url)
    key = make_key(database)
    # Only the server has it open when it is killed, and finds what is left when it is started again.
    database.close()
    senders = [Sender(key, number) for number in range(_SENDERS)]
    serve = settings_in(folder, url), folder / "server.log"
    with ThreadPoolExecutor(_SENDERS) as pool:
        for cycle in range(cycles):
            server = start_server(*serve)
            sending = [pool.submit(sender.send_until_gone, server.port) for sender in senders]
            try:
                time.sleep(random_moments.uniform(*_SECONDS_TO_LIVE))
                if strike is not None:
                    strike(cycle)
            finally:
                server.kill()
            for sent in sending:
                sent.result()
    with serving(*serve) as server:
        for sender in senders:
            assert [answer.status for answer in sender.send(server.port, batches=2)] == [200, 200]
    require_sound(database)
    assert_stored_once(database, senders)
    database.close()
    return Outcome(
        cycles,
        len(told_facts(senders)),
        sum(sender.unanswered for sender in senders),
        sum(sender.unanswered_but_stored for sender in senders),
    )


def assert_stored_once(database: Database, senders: list[Sender]) -> None:
    """Fail unless what was answered with 200 is stored, once and whole, and nothing else is."""
    assert stored_facts(database) == sorted(told_facts(senders).items())


def require_sound(database: Database) -> None:
    """Fail if the database is damaged, as far as the engine can tell."""
    with database.read() as session:
        if database.is_sqlite:
            assert session.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        else:
            # By the table itself, not by the index that should have kept them out.
            session.execute(text("SET LOCAL enable_indexscan = off"))
            session.execute(text("SET LOCAL enable_indexonlyscan = off"))
            twice = "SELECT identity FROM event GROUP BY identity HAVING count(*) > 1"
            assert session.execute(text(twice)).all() == []
