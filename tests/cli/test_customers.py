"""`regulars customers erase|export` and `regulars prune`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import At, Regulars
from tests.shop import AS_OF, HORIZON_DAYS


def test_a_customer_is_exported_and_then_erased(at: At, regulars: Regulars, tmp_path: Path) -> None:
    at("untrained")
    document = json.loads(regulars("customers", "export", "k0001").out)
    assert document["customer_ids"] == ["k0001"]
    assert document["events"]
    written = regulars("customers", "export", "k0001", "--output", tmp_path / "k.json")
    assert "Written to" in written.out
    assert json.loads((tmp_path / "k.json").read_text()) == document
    assert "is there already" in regulars("customers", "export", "k0001", "--output", tmp_path / "k.json").complaint()
    erased = regulars("customers", "erase", "k0001")
    assert (erased.exit_code, erased.out.splitlines()[-1]) == (0, "All is deleted.")
    for command in ("erase", "export"):
        assert "No customer has the id 'k0001'" in regulars("customers", command, "k0001").complaint()


def test_what_is_due_is_compared_before_it_is_deleted(at: At, regulars: Regulars) -> None:
    at("scored")
    then = AS_OF - timedelta(days=HORIZON_DAYS)
    assert regulars("score", "--as-of", f"{then:%Y-%m-%d}").exit_code == 0
    assert "Compared" not in regulars("prune", "--runs-older-than-days", 1, "--dry-run").err
    assert "Compared with what came true before: run 2." in regulars("prune", "--runs-older-than-days", 1).err
    assert "Compared" not in regulars("prune", "--runs-older-than-days", 1).err


def test_old_events_are_counted_and_then_deleted(at: At, regulars: Regulars, monkeypatch: pytest.MonkeyPatch) -> None:
    at("untrained")
    assert "--older-than-days" in regulars("prune").complaint()
    monkeypatch.setenv("REGULARS_RUN_RETENTION_DAYS", "1")
    only_runs = regulars("prune", "--dry-run").out
    assert re.findall(r" (\d+) *$", only_runs, re.MULTILINE) == ["0"] * 12
    assert "Scoring runs older than" in only_runs
    monkeypatch.setenv("REGULARS_RETENTION_DAYS", "1")
    counted = regulars("prune", "--dry-run")
    assert "would be deleted" in counted.out
    deleted = regulars("prune")
    assert "would be deleted" not in deleted.out
    assert re.findall(r"[\d,]+ *$", counted.out, re.MULTILINE) == re.findall(r"[\d,]+ *$", deleted.out, re.MULTILINE)
    assert json.loads(regulars("customers", "export", "k0001").out)["events"] == []
