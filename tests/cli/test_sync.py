"""`regulars sync`: a segment in a file, and at an address that wants a token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import At, Regulars
from tests.receivers import receiver


def test_a_segment_is_sent_to_a_file_and_then_what_changed(regulars: Regulars, at: At, tmp_path: Path) -> None:
    at("scored")
    path = tmp_path / "list.ndjson"
    assert " members; of scoring run 1" in regulars("sync", "at_risk", "--to", path).out
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["action"] for row in rows} == {"member"}
    again = regulars("sync", "at_risk", "--to", path, "--difference", "--changed", "clv=1")
    assert "nothing to tell; of scoring run 1" in again.out
    assert path.read_text() == ""
    without = regulars("sync", "at_risk", "--to", path, "--changed", "clv=1")
    assert "--changed goes with --difference" in without.complaint()
    of_what = regulars("sync", "at_risk", "--to", path, "--difference", "--changed", "a")
    assert "--changed: expected one of" in of_what.complaint()


@pytest.mark.parametrize(("token", "sent"), [("t0ken", "Bearer t0ken"), ("", None)])
def test_an_address_is_sent_the_token_of_the_settings(regulars: Regulars, at: At, token: str, sent: str | None) -> None:
    at("scored")
    Path("regulars.env").write_text(f"REGULARS_SYNC_TOKEN={token}\n")
    with receiver() as there:
        assert " members; of scoring run 1" in regulars("sync", "at_risk", "--to", there.url).out
        assert {message.headers.get("authorization") for message in there.received} == {sent}
    assert (
        "Give a token by REGULARS_SYNC_TOKEN"
        in regulars("sync", "at_risk", "--to", "http://ada:secret@127.0.0.1/").complaint()
    )
