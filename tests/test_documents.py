"""Documents can't rot: what is made from the code is as the code says, and every link and command leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.document import PARTS, rewritten
from features.catalogue import CATALOGUE
from service.app import create_app
from store.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_made_from_the_code_is_as_the_code_says(name: str) -> None:
    path, text = rewritten(name)
    assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date; run: make docs"


def test_every_setting_feature_and_route_is_documented() -> None:
    operations, features, api = (
        (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in ("operations", "features", "api")
    )
    assert [name for name in Settings.model_fields if f"`REGULARS_{name.upper()}`" not in operations] == []
    assert [name for name in CATALOGUE if f"`{name}`" not in features] == []
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]  # type: ignore[call-arg]
    assert [path for path in paths if f" {path}`" not in api] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_document_shows_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    known = {tuple(name.split()) for name in re.findall(r"^### `regulars ([^`]+)`", commands, re.MULTILINE)}
    shown = re.findall(r"(?:^|`|/)regulars ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    unknown = [
        words
        for words in shown
        if words.strip() and not any(tuple(words.split())[: len(name)] == name for name in known)
    ]
    assert unknown == []
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets
