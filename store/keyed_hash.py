"""Hashes that only the holder of a secret can make: they say that an id has been seen without keeping it."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Self

from store.durability import sync
from store.exceptions import SettingsError

__all__ = ["KeyedHash"]

_KEY_BYTES = 32


class KeyedHash:
    """HMAC-SHA-256 under one key.

    Parameters
    ----------
    key : bytes
        32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the key from its file, which is made at first use, for its owner only.

        Raises
        ------
        SettingsError
            The file can't be read or made, or holds something else.
        """
        try:
            if not path.exists():
                _make(path)
            key = path.read_bytes()
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise SettingsError(
                f"REGULARS_SECRET_FILE: expected a file that can be read, or a folder to make it in; {path}: {reason}"
            ) from error
        if len(key) != _KEY_BYTES:
            raise SettingsError(
                f"REGULARS_SECRET_FILE: expected a file of {_KEY_BYTES} bytes; {path} has {len(key)}. Take it from a "
                "backup: with another key the ids that were erased are not known any more."
            )
        return cls(key)

    def derived(self, purpose: str) -> KeyedHash:
        """Return the hash under a key of its own for one purpose."""
        return KeyedHash(hmac.digest(self._key, b"key\0" + purpose.encode(), "sha256"))

    def of(self, text: str) -> bytes:
        """Return the hash of a text, 32 bytes."""
        return self.of_bytes(text.encode("utf-8", "surrogatepass"))

    def of_bytes(self, content: bytes) -> bytes:
        """Return the hash of some bytes, 32 bytes."""
        return hmac.digest(self._key, content, "sha256")


def _make(path: Path) -> None:
    """Make the file whole or not at all, so that processes that begin at once get the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was faster
        sync(path.parent)
    finally:
        draft.unlink()
