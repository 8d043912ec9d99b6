"""Looks for bytes in a file: a program of its own, `python raw_search.py`, which imports nothing of ours.

It reads JSON from standard input: `file`, and `traces`, pairs of bytes and of a pattern around them, hexadecimal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NOT_SHOWN", "SHOWN", "shows"]

SHOWN, NOT_SHOWN = 10, 11

_BLOCK = 1 << 24
# Longer than any pattern's match.
_OVERLAP = 4_096


def shows(file: Path, traces: Sequence[tuple[bytes, bytes]]) -> bool:
    """Say whether any pattern matches anywhere in a file; looked for are first the bytes, which is much faster."""
    patterns = [(text, re.compile(pattern, re.DOTALL)) for text, pattern in traces]
    with file.open("rb") as opened:
        end = b""
        while block := opened.read(_BLOCK):
            seen = end + block
            if any(text in seen and pattern.search(seen) for text, pattern in patterns):
                return True
            end = seen[-_OVERLAP:]
    return False


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    pairs = [(bytes.fromhex(text), bytes.fromhex(pattern)) for text, pattern in asked["traces"]]
    sys.exit(SHOWN if shows(Path(asked["file"]), pairs) else NOT_SHOWN)
