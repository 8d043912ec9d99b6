"""`regulars backup` and `regulars restore`: what was backed up scores as before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.conftest import Regulars
from tests.shop_databases import Shop, Stage


def test_a_backup_made_while_others_write_is_restored_and_scores_a_customer_as_before(
    at: Callable[[Stage], Shop], regulars: Regulars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = at("scored")
    monkeypatch.setenv("REGULARS_SECRET_FILE", str(tmp_path / "secret.key"))
    before = regulars("explain", "k0001").out
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with shop.database.write() as session:
                session.execute(text("INSERT INTO source (name) VALUES (:name)"), {"name": f"source {number}"})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "Backed up to" in regulars("backup", tmp_path / "kept").out
    finally:
        stop.set()
        writer.join(20)
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite:///{tmp_path}/new/regulars.db")
    monkeypatch.setenv("REGULARS_BUNDLE_DIR", str(tmp_path / "new" / "bundles"))
    monkeypatch.setenv("REGULARS_SECRET_FILE", str(tmp_path / "new" / "secret.key"))
    assert "Restored from" in regulars("restore", tmp_path / "kept").out
    assert regulars("explain", "k0001").out == before
    refused = regulars("restore", tmp_path / "kept")
    assert (refused.exit_code, "Add --force" in refused.err) == (2, True)
    refused = regulars("backup", tmp_path / "kept")
    assert (refused.exit_code, "is there already" in refused.err) == (2, True)
