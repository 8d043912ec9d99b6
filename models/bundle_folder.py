"""The folder of a bundle: files under a manifest of SHA-256.

It is written whole or not at all, and is on the disk before anybody is told its name. Every file is verified before any
is parsed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.exceptions import ModelError

__all__ = ["BundleError", "read_folder", "to_json", "write_folder"]

_FORMAT = 3
_MANIFEST = "manifest.json"
_OURS = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z]+){1,2}")


class BundleError(ModelError):
    """A bundle that is damaged, incomplete, or made for other features than the catalogue's."""


def to_json(content: Any) -> str:
    """Return the one text of a content: of any equal one it is the same, byte for byte."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_folder(directory: Path, files: Mapping[str, bytes]) -> tuple[str, str]:
    """Write files and their manifest into a folder of their own below `directory`.

    Parameters
    ----------
    directory : Path
    files : mapping of name to content

    Returns
    -------
    name : str
        Of the folder; derived from the content, so that the same files are written once.
    bundle_hash : str
        SHA-256 of the manifest, hexadecimal.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = to_json({"format": _FORMAT, "files": sums}).encode()
    bundle_hash = hashlib.sha256(manifest).hexdigest()
    name = f"bundle-{bundle_hash[:16]}"
    if not _is_whole(directory / name, bundle_hash):
        _write_durably(directory / name, {**files, _MANIFEST: manifest})
    return name, bundle_hash


def read_folder(directory: Path, expected_hash: str | None) -> dict[str, str]:
    """Read all files that the manifest lists.

    Parameters
    ----------
    directory : Path
        The bundle's own folder.
    expected_hash : str or None
        SHA-256 of the manifest as registered.

    Returns
    -------
    dict of name to text
        Without the manifest.

    Raises
    ------
    BundleError
        Says which file is not as it was written.
    """
    try:
        manifest = (directory / _MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(
            f"The bundle {directory.name} has no readable manifest: {error.strerror}. Train again."
        ) from error
    if expected_hash is not None and hashlib.sha256(manifest).hexdigest() != expected_hash:
        raise BundleError(f"The manifest of bundle {directory.name} is not the one that was registered. Train again.")
    try:
        listed = json.loads(manifest)
        found_format, sums = listed["format"], dict(listed["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"The manifest of bundle {directory.name} can't be read: {error}. Train again.") from error
    if found_format != _FORMAT:
        raise BundleError(f"Bundle {directory.name} has format {found_format!r}, expected {_FORMAT}. Train again.")
    if strangers := [name for name in sums if not _OURS.fullmatch(name)]:
        raise BundleError(
            f"The manifest of bundle {directory.name} lists a file by the name of {', '.join(strangers)}, which no "
            "bundle has. Train again."
        )
    files = {}
    for name, expected in sums.items():
        try:
            content = (directory / name).read_bytes()
        except OSError as error:
            raise BundleError(f"Bundle {directory.name} lacks {name}: {error.strerror}. Train again.") from error
        if hashlib.sha256(content).hexdigest() != expected:
            raise BundleError(f"In bundle {directory.name} {name} was changed after training. Train again.")
        files[name] = content.decode()
    return files


def _is_whole(folder: Path, bundle_hash: str) -> bool:
    try:
        read_folder(folder, bundle_hash)
    except BundleError:
        return False
    return True


def _write_durably(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder under another name and rename it, so that it appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        for file, content in files.items():
            with (unfinished / file).open("wb") as written:
                written.write(content)
                written.flush()
                os.fsync(written.fileno())
        unfinished.chmod(0o755)
        _sync(unfinished)
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one of the same name
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, not only what the files hold."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
