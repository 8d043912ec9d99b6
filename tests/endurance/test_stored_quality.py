"""CDNOW: scores stored as of 2 April 1998 come true as well as a training that is tested from that day on says.

The training of 1 July 1998 has its test snapshot on 2 April, 90 days before. The stored run was made by a model that
knew nothing of what came after 2 April, and is compared with what came within these 90 days.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import shared_data

ROOT = Path(__file__).resolve().parents[2]
THEN, LATER = "1998-04-02", "1998-07-01"
TRAIN = ["train", "--target", "churn", "--trials", os.environ.get("QUALITY_TRIALS", "10")]
_SECONDS = 3_000


def _run(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")}
    found = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "REGULARS_AS_OF": f"{LATER}T00:00:00Z"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def _ingest(folder: Path) -> None:
    table = pq.read_table(
        shared_data("cdnow") / "cdnow_master.parquet", columns=["customer_id", "date", "dollar_value"]
    )
    with (folder / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    _run(folder, "db", "upgrade")
    columns = ["--customer-id", "customer_id", "--occurred-at", "date", "--value", "dollar_value"]
    _run(folder, "ingest", "events", "orders.csv", *columns)


def _figures(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what became of churn as of then, and what the test of the later training says."""
    _ingest(folder)
    _run(folder, *TRAIN, "--as-of", THEN)
    _run(folder, "score", "--as-of", THEN)
    parts = json.loads(_run(folder, "evaluate", "--stored", "--json"))["parts"]
    _run(folder, *TRAIN, "--as-of", LATER)
    tested = json.loads(_run(folder, "evaluate", "--json"))["targets"]["churn"]
    return {part["name"]: part for part in parts}, tested


def test_stored_churn_scores_come_true_as_well_as_the_test_of_a_later_training(tmp_path: Path) -> None:
    parts, tested = _figures(tmp_path)
    churn, purchases = parts["churn"], parts["purchases"]
    print(  # noqa: T201
        f"stored: AUC {churn['auc']:.4f}, log loss {churn['log_loss']:.4f}, calibration error "
        f"{churn['calibration_error']:.4f}, listed {churn['listed']}; tested: AUC {tested['auc']:.4f}, log loss "
        f"{tested['log_loss']:.4f}, calibration error {tested['calibration_error']:.4f}; purchases "
        f"{purchases['purchases']}, spend {purchases['spend']}, interval {purchases['interval']}"
    )
    assert tested["snapshots"]["test"] == THEN
    assert (churn["n"], churn["rate"]) == (tested["n"], pytest.approx(tested["rate"], abs=1e-12))
    assert churn["left_out"] == {"gone": 0, "later": 0}
    assert churn["auc"] == pytest.approx(tested["auc"], abs=0.01)
