"""Ten million rows are ingested in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_ten_million_rows_ingest_in_under_two_gibibytes() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest_memory", "--rows", "10000000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3_600,
        check=True,
    )
    figures = json.loads(found.stdout.splitlines()[-1])
    assert figures["rows"] == 10_000_000
    assert figures["peak_bytes"] < 2 * 2**30
