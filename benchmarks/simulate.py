"""Speed and memory of the simulated shop, and how well its parameters are recovered at full size.

Writes 1,000,000 customers with more than 10,000,000 events into a temporary directory, in a process of its own, and
prints one line of JSON. The limit is 120 seconds.

    python -m benchmarks.simulate --customers 1000000

With --recovery it compares ways to bring the instants of BG/NBD into whole days: for each, how far the fitted
parameters are from the true ones, in standard errors of that fit, mean over the seeds.

    python -m benchmarks.simulate --recovery
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.btyd import BetaGeoModel
from models.simulation import Business, SimulatedShop
from training.simulate import simulate

__all__ = ["main"]

_END = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 730
_LIMIT_SECONDS = 120
_SEEDS = (1, 2, 3)

Column = NDArray[np.float64]

# From an exponential variable of mean 1 and the rate a day to a gap in whole days.
_WAYS: dict[str, Callable[[Column, Column], Column]] = {
    "rounded, at least one": lambda gap, rate: np.maximum(np.rint(gap / rate), 1),
    "rounded up": lambda gap, rate: np.ceil(gap / rate),
    "the rate as chance of each day": lambda gap, rate: 1 + np.floor(gap / -np.log1p(-np.minimum(rate, 0.9))),
}


def main() -> None:
    """Measure speed, or recovery, or, as the child process, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--recovery", action="store_true")
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.directory is not None:
        _write(arguments.customers, arguments.directory)
    elif arguments.recovery:
        _recover(arguments.customers)
    else:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.simulate", "--directory", folder]
            command += ["--customers", str(arguments.customers)]
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        measured = json.loads(child.stdout)
        print(json.dumps(measured | {"within_limit": measured["seconds"] < _LIMIT_SECONDS}))


def _write(n_customers: int, directory: Path) -> None:
    shop = SimulatedShop.up_to(_END, n_customers=n_customers, days=_DAYS, seed=1)
    started, cpu_started = time.perf_counter(), time.process_time()
    counts = simulate(shop, directory)
    measured = {
        "customers": counts.customers,
        "orders": counts.orders,
        "order_lines": counts.lines,
        "other_events": sum(counts.events.values()),
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu_started, 1),
        # Linux counts ru_maxrss in KiB.
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "file_bytes": sum(path.stat().st_size for path in directory.iterdir()),
    }
    print(json.dumps(measured))


def _recover(n_customers: int) -> None:
    truth = Business().bg_nbd
    print(f"{n_customers:,} customers; errors of {', '.join(truth)} in standard errors of the fit, seeds {_SEEDS}")
    for name, gap_of in _WAYS.items():
        away = np.mean([_away(_history(n_customers, truth, gap_of, seed), truth) for seed in _SEEDS], axis=0)
        print(f"{name:<32}", " ".join(f"{z:6.1f}" for z in away))


def _history(
    n: int, truth: dict[str, float], gap_of: Callable[[Column, Column], Column], seed: int
) -> NDArray[np.float64]:
    """Return frequency, recency and T of n customers, shape (3, n)."""
    random = np.random.default_rng(seed)
    T = _DAYS - 1 - np.floor((_DAYS - 1) * np.sqrt(random.random(n)))
    rate, drop_out = random.gamma(truth["r"], 1 / truth["alpha"], n), random.beta(truth["a"], truth["b"], n)
    frequency, recency, day = np.zeros((3, n))
    buying = np.arange(n)
    while buying.size:
        day[buying] += gap_of(random.exponential(size=buying.size), rate[buying])
        buying = buying[day[buying] <= T[buying]]
        frequency[buying] += 1
        recency[buying] = day[buying]
        buying = buying[random.random(buying.size) >= drop_out[buying]]
    return np.stack((frequency, recency, T))


def _away(history: NDArray[np.float64], truth: dict[str, float]) -> Column:
    """Return the errors of the logarithms of the parameters, in standard errors from the observed information."""
    distinct, counts = np.unique(history, axis=1, return_counts=True)
    fitted = BetaGeoModel().fit(*history).params_
    point = np.log([fitted[name] for name in truth])

    def total(shift: Column) -> float:
        params = dict(zip(truth, np.exp(point + shift).tolist(), strict=True))
        return float(np.einsum("i,i->", counts, BetaGeoModel.from_params(**params).log_likelihood(*distinct)))

    step = 1e-3 * np.eye(len(point))
    hessian = np.array([[total(i + j) - total(i - j) - total(j - i) + total(-i - j) for j in step] for i in step])
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian / (4 * 1e-6))))
    away: Column = (point - np.log(list(truth.values()))) / errors
    return away


if __name__ == "__main__":
    main()
