"""Keyed hashes: the same under one key, a key of its own for each deployment."""

from __future__ import annotations

import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.exceptions import SettingsError
from store.keyed_hash import KeyedHash


def test_it_is_the_hmac_sha_256_of_rfc_2104() -> None:
    key = bytes(range(32))
    assert KeyedHash(key).of("ada@example.org") == hmac.new(key, b"ada@example.org", hashlib.sha256).digest()
    assert KeyedHash(key).of("Łucja\ud800") != KeyedHash(key).of("Łucja")


def test_the_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "secret.key"
    made = KeyedHash.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]
    assert KeyedHash.open(path).of("ada") == made.of("ada") == KeyedHash(path.read_bytes()).of("ada")
    assert KeyedHash.open(tmp_path / "other.key").of("ada") != made.of("ada")


def test_all_who_begin_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        hashes = set(pool.map(lambda _: KeyedHash.open(tmp_path / "secret.key").of("ada"), range(64)))
    assert len(hashes) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_that_holds_something_else_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"expected a file of 32 bytes; .* has {len(content)}"):
        KeyedHash.open(path)


def test_a_file_that_can_not_be_made_is_told_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="REGULARS_SECRET_FILE: expected a file that can be read"):
        KeyedHash.open(tmp_path / "file" / "secret.key")
