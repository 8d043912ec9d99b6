"""Workers in processes of their own, which can be killed, and a writer of changes beside them.

What `regulars worker` runs is forked from a process that has imported it already, so that a cycle takes moments.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from random import Random
from threading import Event

from sqlalchemy import func, select

from store.engine import Database
from store.settings import load_settings
from store.tables import Customer, CustomerAttribute, OutboxEvent, WebhookDelivery
from store.tables.base import to_microseconds
from tests.receivers import Received, Reply, receiver, reply
from tests.reliability.lying_receiver import numbers_by_customer
from tests.store.builders import add_customers
from tests.store.webhook_rows import add_endpoint, write_change
from training.worker import work

__all__ = ["Killed", "kill_workers"]

_CUSTOMERS = 60
_SECONDS_TO_LIVE = (0.1, 1.6)
# So long a receiver takes, so that kills come while it does.
_SECONDS_TO_ANSWER = 0.02
_SECONDS_TO_END = 300


@dataclass(frozen=True)
class Killed:
    """What happened, for a report.

    Attributes
    ----------
    cycles : int
        How often a worker was killed.
    changes, lost : int
        Changes that were committed, and those of them that never came.
    between_kills : int
        Messages that came from workers that were killed.
    out_of_order : int
        Messages that came after a later one of their customer.
    doubled : int
        Messages that came again.
    """

    cycles: int
    changes: int
    lost: int
    between_kills: int
    out_of_order: int
    doubled: int


def kill_workers(url: str, folder: Path, *, cycles: int, seed: int) -> Killed:
    """Kill workers of a database while changes are written, then let one deliver what is left.

    Parameters
    ----------
    url : str
        An empty database.
    folder : Path
        For what else workers keep.
    cycles, seed : int
        How often, and what decides when.
    """
    chance = Random(seed)
    database = Database(url)
    add_customers(database, [f"c{i}" for i in range(_CUSTOMERS)])
    context = _context()
    with receiver() as there:
        there.answer = _slowly
        endpoint = add_endpoint(database, there.url)
        there.secret = endpoint.secret
        database.close()
        enough = context.Event()
        writer = context.Process(target=_write, args=(url, endpoint.id, enough, seed))
        writer.start()
        for _ in range(cycles):
            worker = _start(url, folder)
            time.sleep(chance.uniform(*_SECONDS_TO_LIVE))
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
        between_kills = len(there.received)
        enough.set()
        writer.join()
        assert writer.exitcode == 0
        last = _start(url, folder)
        end = time.monotonic() + _SECONDS_TO_END
        while _is_left(database) and time.monotonic() < end:
            time.sleep(0.2)
        last.terminate()
        last.join()
        received = list(there.received)
        assert there.forged == []
    with database.read() as session:
        written = session.scalars(select(OutboxEvent.data).order_by(OutboxEvent.id)).all()
        assert len(written) == session.scalar(select(func.count()).select_from(CustomerAttribute))
    database.close()
    expected = defaultdict(list)
    for data in written:
        expected[data["customer_id"]].append(data["number"])
    came = numbers_by_customer(received)
    lost = sum(len(set(numbers) - set(came.get(customer, []))) for customer, numbers in expected.items())
    late = sum(
        number < max(numbers[:place], default=-1) for numbers in came.values() for place, number in enumerate(numbers)
    )
    return Killed(
        cycles, len(written), lost, between_kills, late, len(received) - len({each.message_id for each in received})
    )


@cache
def _context() -> ForkServerContext:
    # Not forked from this process itself, which may have databases open and threads at work.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _start(url: str, folder: Path) -> ForkServerProcess:
    worker = _context().Process(target=_work, args=(url, folder))
    worker.start()
    return worker


def _work(url: str, folder: Path) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    settings = load_settings(database_url=url, bundle_dir=folder, webhook_allow_private=True, worker_poll_seconds=0.05)
    work(Database(url), settings, stop=stop, now=lambda: datetime.now(UTC))


def _write(url: str, endpoint_id: int, enough: ProcessEvent, seed: int) -> None:
    """Move customers between segments, each in a transaction that tells of it, and now and then is taken back."""
    chance = Random(seed)
    database = Database(url)
    number = 0
    while not enough.wait(chance.uniform(0.005, 0.03)):
        of = chance.randint(1, _CUSTOMERS)
        try:
            with database.write() as session:
                # Whoever changes a customer holds the row, so that its changes are numbered as they are committed.
                session.execute(select(Customer.id).where(Customer.id == of).with_for_update())
                now = datetime.now(UTC)
                session.add(
                    CustomerAttribute(
                        customer_key=of,
                        name="segment",
                        learnt_at=to_microseconds(now),
                        kind="category",
                        text=str(number),
                    )
                )
                write_change(session, [endpoint_id], of, number, at=now)
                if chance.random() < 0.1:
                    raise _TakenBackError
        except _TakenBackError:
            continue
        number += 1
    database.close()


def _slowly(_number: int, _received: Received) -> Reply:
    time.sleep(_SECONDS_TO_ANSWER)
    return reply(200)


class _TakenBackError(Exception):
    """What makes a transaction roll back."""


def _is_left(database: Database) -> bool:
    with database.read() as session:
        pending = select(WebhookDelivery.id).where(WebhookDelivery.status == "pending").limit(1)
        return session.scalar(pending) is not None
