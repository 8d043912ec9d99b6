"""Regulars beside a peer, on the same work: what every benchmark of this folder that has a peer is made with.

Each side lives in a process of its own, so that neither inherits the other's libraries, caches or memory. Both prepare
what they work on, outside the measured time; then they run in turns, three times each. A benchmark says what its cases
are, and `compare` does the rest:

    def _cases(customers: int) -> Iterator[Case]:
        ours, peer = Side(_prepare_numpy, customers), Side(_prepare_plain, customers)
        yield Case("sums", customers, ours=ours, peer=peer, peer_name="sum()")

    def main() -> None:
        compare(_cases, description=__doc__, customers=1_000_000)

One line of JSON a case with `--json`, else a row of a table. `ratio` is the peer's seconds over ours; peaks are of the
whole process (and of those that it starts), inputs and libraries included, in MB (10^6 bytes).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Case", "Side", "compare", "largest_difference", "measure", "measure_alone"]

_ROUNDS = 3
_COLUMNS = ("name", "customers", "ours_s", "peer_s", "ratio", "ours_peak_mb", "peer_peak_mb", "agreement", "peer")
_WIDTHS = (28, 11, 9, 9, 7, 13, 13, 10, 24)


class Side:
    """One of the two that are compared.

    Parameters
    ----------
    prepare : callable
        A function at the top of a module, called once with the arguments in the process of this side: reads or makes
        the input, compiles what compiles, and returns the function that is measured. What that one returns goes to
        `Case.agreement`.
    *arguments
        Anything that pickles.
    processes : int
        How many more processes it starts side by side; the peak of the largest is counted for each of them.
    """

    def __init__(self, prepare: Callable[..., Callable[[], Any]], *arguments: object, processes: int = 0) -> None:
        self.prepare = prepare
        self.arguments = arguments
        self.processes = processes


def largest_difference(ours: ArrayLike, peer: ArrayLike) -> float:
    """Return the largest absolute difference of two arrays, over the rows that the peer has; NaN equals NaN."""
    theirs = np.asarray(peer, dtype=np.float64)
    mine = np.asarray(ours, dtype=np.float64)[: len(theirs)]
    if mine.shape != theirs.shape:
        raise ValueError(f"results must have the same shape to be compared, got {mine.shape} and {theirs.shape}")
    apart = np.where(np.isnan(mine) & np.isnan(theirs), 0.0, np.abs(mine - theirs))
    return float(apart.max(initial=0.0))


@dataclass(frozen=True)
class Case:
    """One line: the same work, done by both.

    Attributes
    ----------
    name : str
    customers : int
        Customers (or rows) that our side works on.
    ours, peer : Side
    peer_name : str
        What the peer is, as a reader knows it.
    peer_share : float
        Share of the work that the peer is given, in (0, 1]: for one that would take over two minutes. Its seconds are
        scaled to the whole, its memory is not, and the note says so.
    agreement : callable
        Takes the results of both sides and returns how far they are apart.
    note : str
        What else a reader of the figures has to know.
    """

    name: str
    customers: int
    ours: Side
    peer: Side
    peer_name: str
    peer_share: float = 1.0
    agreement: Callable[[Any, Any], float] = largest_difference
    note: str = ""


def measure(case: Case) -> dict[str, Any]:
    """Measure both sides of a case in turns and return its line."""
    with _process() as ours, _process() as peer:
        for process, side in ((ours, case.ours), (peer, case.peer)):
            process.submit(_prepare, side).result()
        seconds = [[process.submit(_run).result() for process in (ours, peer)] for _ in range(_ROUNDS)]
        (our_result, our_peak), (peer_result, peer_peak) = (
            process.submit(_outcome, side.processes).result()
            for process, side in ((ours, case.ours), (peer, case.peer))
        )
    our_seconds, peer_seconds = (statistics.median(column) for column in zip(*seconds, strict=True))
    peer_seconds /= case.peer_share
    scaled = f"peer measured on {case.peer_share:.3g} of the work, its seconds scaled" if case.peer_share < 1 else ""
    note = "; ".join(filter(None, (case.note, scaled)))
    line = {
        "name": case.name,
        "customers": case.customers,
        "ours_s": _rounded(our_seconds),
        "peer": case.peer_name,
        "peer_s": _rounded(peer_seconds),
        "ratio": _rounded(peer_seconds / our_seconds),
        "ours_peak_mb": round(our_peak / 1e6),
        "peer_peak_mb": round(peer_peak / 1e6),
        "agreement": _rounded(case.agreement(our_result, peer_result)),
    }
    return line | ({"note": note} if note else {})


def measure_alone(side: Side) -> tuple[float, float]:
    """Run one side once, in a process of its own, and return its seconds and the peak of its memory in MB."""
    with _process() as process:
        process.submit(_prepare, side).result()
        seconds = process.submit(_run).result()
        _, peak = process.submit(_outcome, side.processes).result()
    return seconds, peak / 1e6


def compare(cases: Callable[[int], Iterable[Case]], *, description: str | None, customers: int) -> None:
    """Read the command line, measure the cases one after another and print each as soon as it is measured.

    Parameters
    ----------
    cases : callable
        Takes the number of customers. May be a generator that removes what it has written when it is exhausted.
    description : str
        The text of `--help`.
    customers : int
        Customers where the command line doesn't say.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=customers, help=f"customers, by default {customers:,}")
    parser.add_argument("--json", action="store_true", help="print one line of JSON a case and nothing else")
    arguments = parser.parse_args()
    if not arguments.json:
        _print_row(dict(zip(_COLUMNS, _COLUMNS, strict=True)))
    for case in cases(arguments.customers):
        line = measure(case)
        if arguments.json:
            print(json.dumps(line), flush=True)
        else:
            _print_row(line)


# What runs in the process of a side: the function that is measured, and its last result.
_prepared: list[Callable[[], Any]] = []
_results: list[Any] = []


def _process() -> ProcessPoolExecutor:
    # Spawned, not forked: LightGBM's and numba's threads don't survive a fork.
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))


def _prepare(side: Side) -> None:
    _prepared[:] = [side.prepare(*side.arguments)]
    # From here on the peak counts: Linux sets it back to what is held now.
    Path("/proc/self/clear_refs").write_text("5")


def _run() -> float:
    _results.clear()
    started = time.perf_counter()
    _results.append(_prepared[0]())
    return time.perf_counter() - started


def _outcome(processes: int) -> tuple[Any, int]:
    """Return the last result, and the peak of memory since the preparation, in bytes, that of its processes added."""
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    of_the_largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if processes else 0
    return _results[0], (int(peak.split()[1]) + processes * of_the_largest) * 1024


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _print_row(row: dict[str, Any]) -> None:
    cells = (f"{row[name]:,}" if isinstance(row[name], int) else str(row[name]) for name in _COLUMNS)
    print(
        " ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True)), row.get("note", ""), flush=True
    )
