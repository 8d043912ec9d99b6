"""A thread that writes whatever waits as one group."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait

import pytest
from sqlalchemy.exc import OperationalError

from store.exceptions import DatabaseBusyError
from store.ingest.group_commit import GroupCommit, QueueFullError

SOON = 10.0


class Writer:
    """Takes groups of numbers once it may, and gives each number times ten."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.began = threading.Semaphore(0)
        self.groups: list[list[int]] = []
        self.refuses: Callable[[list[int]], Exception | None] = lambda _: None

    def __call__(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        self.began.release()
        assert self.may_go.wait(SOON)
        error = self.refuses(list(group))
        if error is not None:
            raise error
        return [10 * number for number in group]

    def wait_until_it_has_begun(self) -> None:
        assert self.began.acquire(timeout=SOON)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def group(writer: Writer) -> Iterator[GroupCommit[int, int]]:
    """Let ten wait and four go at once; the size of a request is 1."""
    group = GroupCommit(writer, most_waiting=10, most_at_once=4, size=lambda _: 1)
    yield group
    writer.may_go.set()
    group.close()


def submit_behind_one(group: GroupCommit[int, int], writer: Writer, numbers: Sequence[int]) -> list[Future[int]]:
    """Submit -1, and once it is being written the others, which wait for it together."""
    first = group.submit(-1)
    writer.wait_until_it_has_begun()
    return [first, *map(group.submit, numbers)]


def results(futures: Sequence[Future[int]]) -> list[int]:
    return [future.result(SOON) for future in futures]


def test_what_comes_while_a_group_is_written_is_the_next_group_in_the_order_in_which_it_came(
    group: GroupCommit[int, int], writer: Writer
) -> None:
    futures = submit_behind_one(group, writer, range(6))
    assert group.waiting == 6
    writer.may_go.set()
    assert results(futures) == [-10, 0, 10, 20, 30, 40, 50]
    assert writer.groups == [[-1], [0, 1, 2, 3], [4, 5]]
    assert group.waiting == 0


def test_more_than_may_wait_is_refused_and_what_waits_is_written(group: GroupCommit[int, int], writer: Writer) -> None:
    futures = submit_behind_one(group, writer, range(10))
    with pytest.raises(QueueFullError, match="10 wait to be stored already; at most 10 may"):
        group.submit(10)
    writer.may_go.set()
    assert results(futures) == [-10, *(10 * number for number in range(10))]
    assert group.submit(11).result(SOON) == 110


def test_a_request_larger_than_all_that_may_wait_is_taken_alone(writer: Writer) -> None:
    group = GroupCommit(writer, most_waiting=10, most_at_once=4, size=lambda number: number)
    writer.may_go.set()
    assert group.submit(1_000).result(SOON) == 10_000
    group.close()


def test_a_cancelled_request_is_not_written(group: GroupCommit[int, int], writer: Writer) -> None:
    futures = submit_behind_one(group, writer, range(3))
    assert futures[2].cancel()
    assert not futures[0].cancel(), "it is being written"
    writer.may_go.set()
    wait(futures, SOON)
    assert writer.groups == [[-1], [0, 2]]
    with pytest.raises(CancelledError):
        futures[2].result(SOON)


def test_one_that_can_not_be_written_takes_no_other_with_it(group: GroupCommit[int, int], writer: Writer) -> None:
    writer.refuses = lambda numbers: ValueError("a bug") if 1 in numbers else None
    futures = submit_behind_one(group, writer, range(3))
    writer.may_go.set()
    assert results([futures[1], futures[3]]) == [0, 20]
    with pytest.raises(ValueError, match="a bug"):
        futures[2].result(SOON)
    assert writer.groups == [[-1], [0, 1, 2], [0], [1], [2]]


@pytest.mark.parametrize(
    "error", [DatabaseBusyError("busy"), OperationalError("", {}, Exception("gone")), OSError("no space")]
)
def test_an_error_of_the_database_is_told_to_all_at_once(
    group: GroupCommit[int, int], writer: Writer, error: Exception
) -> None:
    writer.refuses = lambda numbers: error if -1 not in numbers else None
    futures = submit_behind_one(group, writer, range(3))
    writer.may_go.set()
    for future in futures[1:]:
        with pytest.raises(type(error)):
            future.result(SOON)
    assert writer.groups == [[-1], [0, 1, 2]]
    writer.refuses = lambda _: None
    assert group.submit(7).result(SOON) == 70


def test_too_few_answers_are_an_error_and_the_thread_goes_on(writer: Writer) -> None:
    group = GroupCommit[int, int](
        lambda numbers: [] if 3 in numbers else list(numbers), most_waiting=9, most_at_once=9, size=lambda _: 1
    )
    with pytest.raises(ValueError, match="shorter"):
        group.submit(3).result(SOON)
    assert group.submit(4).result(SOON) == 4
    group.close()


def test_how_much_waits_is_told_at_every_change(writer: Writer) -> None:
    told: list[int] = []
    group = GroupCommit(writer, most_waiting=10, most_at_once=4, size=lambda number: number, tell_waiting=told.append)
    first = group.submit(1)
    writer.wait_until_it_has_begun()
    second, third = group.submit(3), group.submit(2)
    # Whoever has left is not written, and waits no more all the same.
    assert second.cancel()
    assert third.cancel()
    writer.may_go.set()
    assert first.result(SOON) == 10
    group.close()
    assert told[:4] == [1, 0, 3, 5]
    assert told[4:6] == [2, 0]
    assert set(told[6:]) <= {0}
    assert writer.groups == [[1]]


def test_closing_writes_what_waits_and_takes_nothing_more(group: GroupCommit[int, int], writer: Writer) -> None:
    futures = submit_behind_one(group, writer, range(9))
    closing = threading.Thread(target=group.close)
    closing.start()
    writer.may_go.set()
    closing.join(SOON)
    assert not closing.is_alive()
    assert results(futures) == [-10, *(10 * number for number in range(9))]
    with pytest.raises(QueueFullError, match="the service ends"):
        group.submit(1)
    group.close()


def test_many_threads_get_each_their_own_answer(writer: Writer) -> None:
    writer.may_go.set()
    group = GroupCommit(writer, most_waiting=10_000, most_at_once=50, size=lambda _: 1)
    answers: dict[int, int] = {}

    def ask(start: int) -> None:
        for number in range(start, start + 100):
            answers[number] = group.submit(number).result(SOON)

    threads = [threading.Thread(target=ask, args=(100 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    group.close()
    assert answers == {number: 10 * number for number in range(800)}
    assert sum(map(len, writer.groups)) == 800
