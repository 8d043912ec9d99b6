"""Several workers of one service, and how long each lets those wait who send to it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from store.engine import Database
from tests.reliability.killing import assert_stored_once
from tests.reliability.senders import Answer, Sender
from tests.reliability.server_process import make_key, serving, settings_in

__all__ = ["Waits", "send_to_workers"]

_OF_ONE_WORKER = 2


@dataclass(frozen=True)
class Waits:
    """How long requests waited for an answer, in seconds.

    Attributes
    ----------
    requests, refused : int
        Refused are those that were answered with 503.
    median, p99, longest : float
    """

    requests: int
    refused: int
    median: float
    p99: float
    longest: float

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Waits:
        """Sum up answers."""
        seconds = np.array([answer.seconds for answer in answers])
        refused = sum(answer.status == 503 for answer in answers)
        return cls(len(seconds), refused, *np.quantile(seconds, (0.5, 0.99, 1.0)).tolist())

    def __str__(self) -> str:
        figures = f"p50 {self.median * 1e3:.0f} ms, p99 {self.p99 * 1e3:.0f} ms, longest {self.longest * 1e3:.0f} ms"
        return f"{self.requests:,} requests, {self.refused} x 503, {figures}"


def send_to_workers(url: str, folder: Path, *, workers: int, batches: int) -> list[Waits]:
    """Send batches to all workers at once, some to each alone and some to all of them.

    Parameters
    ----------
    url : str
        An empty database.
    folder : Path
        For what else the workers keep.
    workers, batches : int
        So many batches come from each of the senders of a worker.

    Returns
    -------
    list of Waits
        One a worker.

    Raises
    ------
    AssertionError
        Something is refused, is not stored, or is stored twice.
    """
    database = Database(url)
    key = make_key(database)
    # The first sender of each worker tells what that of every other one tells too.
    numbers = [(0, *range(1 + worker, 1 + worker + workers * _OF_ONE_WORKER, workers)) for worker in range(workers)]
    senders = [[Sender(key, number) for number in of_worker] for of_worker in numbers]
    with ExitStack() as stack:
        serve = settings_in(folder, url), folder / "workers.log"
        ports = [stack.enter_context(serving(*serve)).port for _ in range(workers)]
        # What a process does once, at its first request, is no wait for a turn.
        for port in ports:
            Sender(key, 0).send(port)
        pool = stack.enter_context(ThreadPoolExecutor(workers * (1 + _OF_ONE_WORKER)))
        sending = [
            [pool.submit(sender.send, port, batches) for sender in ours]
            for port, ours in zip(ports, senders, strict=True)
        ]
        waits = [Waits.of([answer for sent in of_worker for answer in sent.result()]) for of_worker in sending]
    assert [wait.refused for wait in waits] == [0] * workers
    assert_stored_once(database, [sender for ours in senders for sender in ours])
    database.close()
    return waits
