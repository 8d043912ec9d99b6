"""Those who send numbered facts, remember what was answered with 200, and send anew what was not."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from store.engine import Database
from store.events import ORDER_COMPLETED
from tests.reliability.server_process import HOST, ServerProcess, make_key, serving, settings_in

__all__ = [
    "MOST_SECONDS",
    "Answer",
    "Sender",
    "Served",
    "assert_away",
    "post",
    "served",
    "stored_facts",
    "told_facts",
]

# To any answer, as senders are promised.
MOST_SECONDS = 5.0
_PRODUCTS = ("pen", "ink")
_FACTS_A_BATCH = 10
# So many facts that no sender reaches the numbers of the next one.
_FACTS_A_SENDER = 10_000_000
_CUSTOMERS = 50
_BEGAN = datetime(2023, 1, 1, tzinfo=UTC)
# Longer than any answer may take.
_SECONDS_TO_ANSWER = 20.0
_SECONDS_TO_COME_AGAIN = 0.1


class Answer(NamedTuple):
    """What came back, and after how many seconds."""

    status: int
    retry_after: str | None
    content: dict[str, Any]
    seconds: float


def post(connection: HTTPConnection, path: str, body: bytes, key: str) -> Answer:
    """Send a body with a key; raises `OSError` or `HTTPException` if nobody answers."""
    begun = time.monotonic()
    authorization = "Basic " + b64encode(f"{key}:".encode()).decode()
    connection.request("POST", path, body, {"Authorization": authorization})
    response = connection.getresponse()
    content = json.loads(response.read())
    return Answer(response.status, response.getheader("Retry-After"), content, time.monotonic() - begun)


class Sender:
    """Sends one batch after another, and the same again until it is answered with 200, as clients do.

    The facts of a batch are numbered: the last one is an order of two products, the others are plain events; both have
    their number as value, and as message id.

    Parameters
    ----------
    key : str
    number : int
        Of the sender, from 0; no two may share one.

    Attributes
    ----------
    acknowledged : list of int
        The first number of each batch that was answered with 200.
    unanswered : int
        How often nobody answered.
    unanswered_but_stored : int
        How many batches were stored although nobody said so: what was sent anew was there already.
    refused : list of Answer
        With 503.
    """

    def __init__(self, key: str, number: int) -> None:
        self._key = key
        self._next = number * _FACTS_A_SENDER
        self._is_again = False
        self.acknowledged: list[int] = []
        self.unanswered = 0
        self.unanswered_but_stored = 0
        self.refused: list[Answer] = []

    def send_until_gone(self, port: int) -> None:
        """Send until nobody answers any more."""
        with closing(_connection(port)) as connection:
            try:
                while True:
                    if self._send(connection).status == 503:
                        time.sleep(_SECONDS_TO_COME_AGAIN)
            except (OSError, HTTPException):
                self.unanswered += 1

    def send(self, port: int, batches: int = 1) -> list[Answer]:
        """Send some batches, whatever the answer; one that was not taken is the first that goes the next time."""
        with closing(_connection(port)) as connection:
            return [self._send(connection) for _ in range(batches)]

    def _send(self, connection: HTTPConnection) -> Answer:
        calls = [_call(self._next + i, is_order=i == _FACTS_A_BATCH - 1) for i in range(_FACTS_A_BATCH)]
        is_again, self._is_again = self._is_again, True
        answer = post(connection, "/v1/batch", json.dumps({"batch": calls}).encode(), self._key)
        if answer.status == 503:
            self.refused.append(answer)
            return answer
        assert answer.status == 200, answer
        assert answer.content["rejected"] == [], answer
        self.unanswered_but_stored += is_again and answer.content["already_there"] > 0
        self.acknowledged.append(self._next)
        self._next += _FACTS_A_BATCH
        self._is_again = False
        return answer


class Served(NamedTuple):
    """A server, its database seen from outside, and somebody who sends to it."""

    server: ServerProcess
    database: Database
    sender: Sender
    key: str

    def send(self, batches: int = 1) -> list[Answer]:
        """Send some batches, whatever the answer."""
        return self.sender.send(self.server.port, batches)


@contextmanager
def served(url: str, folder: Path) -> Iterator[Served]:
    """Serve an empty database, with a folder for what else the server keeps; one batch has been stored."""
    database = Database(url)
    key = make_key(database)
    with serving(settings_in(folder, url), folder / "server.log") as server:
        found = Served(server, database, Sender(key, 0), key)
        assert [answer.status for answer in found.send()] == [200]
        yield found
    database.close()


def assert_away(answers: Iterable[Answer]) -> None:
    """Fail unless answers say in time that the database can't be written to, and when to come again."""
    for answer in answers:
        assert answer.status == 503, answer
        assert int(answer.retry_after or 0) > 0, answer
        assert answer.seconds < MOST_SECONDS, answer


def told_facts(senders: Iterable[Sender]) -> dict[int, int]:
    """Return the number of each fact that was answered with 200, and how many lines it has."""
    firsts = (first for sender in senders for first in sender.acknowledged)
    last = _FACTS_A_BATCH - 1
    return {first + i: len(_PRODUCTS) if i == last else 0 for first in firsts for i in range(_FACTS_A_BATCH)}


def stored_facts(database: Database) -> list[tuple[int, int]]:
    """Return the number of each stored fact and how many lines it has, in order; one that is there twice is so here."""
    query = (
        "SELECT coalesce(e.value, sum(l.value)) AS number, count(l.event_id) FROM event e "
        "LEFT JOIN order_line l ON l.event_id = e.id GROUP BY e.id, e.value ORDER BY number"
    )
    with database.read() as session:
        return [(round(number), lines) for number, lines in session.execute(text(query))]


def _call(number: int, *, is_order: bool) -> dict[str, Any]:
    call = {
        "type": "track",
        "messageId": str(number),
        "userId": f"c{number % _CUSTOMERS}",
        "timestamp": (_BEGAN + timedelta(seconds=number % _FACTS_A_SENDER)).isoformat(),
    }
    if not is_order:
        return {**call, "event": "Product Viewed", "properties": {"value": number}}
    products = [{"product_id": product, "price": number / len(_PRODUCTS)} for product in _PRODUCTS]
    return {**call, "event": ORDER_COMPLETED, "properties": {"order_id": f"o{number}", "products": products}}


def _connection(port: int) -> HTTPConnection:
    return HTTPConnection(HOST, port, timeout=_SECONDS_TO_ANSWER)
