"""The commands of a recipe, taken out of its document: to be run by a shell, or one by one in this process."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["RECIPES", "commands_of", "run_recipe"]

_ROOT = Path(__file__).resolve().parents[1]
_DOCUMENTS = _ROOT / "docs" / "recipes"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Each recipe with the folder of its data.
RECIPES = {
    "cdnow": "cdnow",
    "online-retail": "uci_online_retail",
    "complete-journey": "dunnhumby_complete_journey",
    "telco": "ibm_telco_churn",
    "hillstrom": "hillstrom_email",
}


def commands_of(recipe: str, data: Path) -> tuple[Mapping[str, str], list[list[str]]]:
    """Return the settings that a recipe exports, and the arguments of each `regulars` in it."""
    settings: dict[str, str] = {}
    commands: list[list[str]] = []
    for line in _script_of(recipe).replace("\\\n", " ").splitlines():
        words = [word.replace("$DATA", str(data)) for word in shlex.split(line)]
        if words[:1] == ["export"]:
            settings.update({name: value for name, _, value in (word.partition("=") for word in words[1:])})
        elif words:
            assert words[0] == "regulars", line
            commands.append(words[1:])
    return settings, commands


def run_recipe(recipe: str, data: Path, folder: Path, database_url: str) -> str:
    """Run a recipe in a folder as a reader would, stopping at the first command that fails; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")}
    script = f'set -eu\nregulars() {{ "{sys.executable}" -m cli "$@"; }}\n{_script_of(recipe)}'
    found = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **environment,
            "PYTHONPATH": str(_ROOT),
            "COLUMNS": "118",
            "DATA": str(data),
            "REGULARS_DATABASE_URL": database_url,
        },
        capture_output=True,
        text=True,
        timeout=3_000,
        check=False,
    )
    assert found.returncode == 0, f"{found.stdout}\n{found.stderr}"
    return found.stdout


def _script_of(recipe: str) -> str:
    return "\n".join(_BLOCK.findall((_DOCUMENTS / f"{recipe}.md").read_text(encoding="utf-8")))
