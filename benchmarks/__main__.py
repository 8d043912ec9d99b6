"""All claims beside their peers, as one table: `python -m benchmarks`, with `--share 0.05` a twentieth of each size.

Each benchmark runs by itself, one after another; `--charts docs` draws what `benchmarks.growth` has measured. `goal` is
the ratio that is claimed; a line that falls short of it, or of the memory that is claimed, is marked, and the exit
status is then 1. With a share nothing fails: the goals are those of the full size, where what is done once no longer
weighs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["main"]

# Of each benchmark the customers at full size; that of growth measures `score_all` with the last of its sizes.
_SIZES: Mapping[str, int] = {
    "btyd_fit": 1_000_000,
    "btyd_predict": 1_000_000,
    "rfm": 1_000_000,
    "features": 500_000,
    "reasons": 100_000,
    "growth": 1_000_000,
    "ingest": 1_000_000,
    "live_ingest": 2_000,
}
# Of each case the least ratio; others are only reported.
_GOALS: Mapping[str, float] = {
    "btyd_fit": 10,
    "btyd_predict": 3,
    "btyd_predict with intervals": 0.1,
    "rfm": 5,
    "features": 10,
    "reasons_300_trees_depth_6": 8,
    "score_all": 10,
    "ingest into SQLite": 0.5,
    "ingest into PostgreSQL": 2,
    "live_ingest into SQLite": 3,
}
_MOST_MB: Mapping[str, float] = {"score_all": 4 * 2**30 / 1e6}
_FORMAT = "{:<30} {:>11} {:>9} {:>10} {:>8} {:>6} {:>9} {:>9} {:>10}  {}"
_HEAD = ("case", "customers", "ours s", "peer s", "ratio", "goal", "ours MB", "peer MB", "agreement", "peer; note")


def main() -> int:
    """Run all benchmarks, print their lines, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the customers of each benchmark, by default all")
    parser.add_argument("--charts", help="the folder where the charts of growth are written")
    arguments = parser.parse_args()
    share = arguments.share
    print(_FORMAT.format(*_HEAD), flush=True)
    all_met = True
    for name, size in _SIZES.items():
        charts = ["--charts", arguments.charts] if name == "growth" and arguments.charts else []
        for line in _lines(name, round(size * share), charts):
            is_met = line["ratio"] >= _GOALS.get(line["name"], 0)
            is_small = line["ours_peak_mb"] <= _MOST_MB.get(line["name"], float("inf"))
            all_met &= is_met and is_small
            _print(line, "" if is_met and is_small else "  <- falls short")
    return 0 if all_met or share < 1 else 1


def _lines(name: str, customers: int, options: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what a benchmark prints, line by line."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--customers", str(customers), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise SystemExit(f"benchmarks.{name} ended with status {process.returncode}; its message stands above")


def _print(line: dict[str, Any], mark: str) -> None:
    told = "; ".join(filter(None, (line["peer"], line.get("note"))))
    print(
        _FORMAT.format(
            line["name"],
            f"{line['customers']:,}",
            f"{line['ours_s']:.3g}",
            f"{line['peer_s']:.4g}",
            f"{line['ratio']:.3g}",
            _GOALS.get(line["name"], ""),
            f"{line['ours_peak_mb']:,}",
            f"{line['peer_peak_mb']:,}",
            f"{line['agreement']:.1e}",
            told + mark,
        ),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
