"""Compiles ahead what would be compiled at its first use, once for every process: `python -m cli.compile`.

A shop is simulated, ingested, trained on, scored and explained in a folder of its own; what numba compiles meanwhile is
kept beside the code and read by whoever comes next.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import tempfile
from pathlib import Path

from cli.console import console
from cli.main import app
from cli.simulate import ingest_commands

__all__ = ["main"]

_CUSTOMERS = 600
_SHOP = Path("shop")


def main() -> None:
    """Run each step, saying which."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in [name for name in os.environ if name.startswith("REGULARS_")]:
            del os.environ[name]
        for command in (
            f"simulate --customers {_CUSTOMERS} --end 2025-01-01 --directory {_SHOP}",
            *(line.strip().removeprefix("regulars ") for line in ingest_commands(_SHOP)),
            "train --trials 1",
            "score",
            "explain synthetic-0000001 --since 2024-10-01",
            "churn-window",
            "evaluate",
        ):
            console.print(f"Compiling what `regulars {command.split(' --')[0]}` needs", markup=False)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                app(shlex.split(command), standalone_mode=False)


if __name__ == "__main__":
    main()
