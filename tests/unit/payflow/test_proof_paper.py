"""The page that says which test proves what: each test exists, and both languages name the same ones."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")


def named(paper: str) -> list[tuple[str, str]]:
    """Return the tests that a page names, in its order."""
    return NAMED.findall((ROOT / "docs" / "payflow" / paper).read_text("utf-8"))


def test_every_named_test_exists() -> None:
    """In a file of that name."""
    found = {
        (file.stem, name)
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", file.read_text("utf-8"))
    }

    assert len(named("proof.md")) > 80
    assert [one for one in named("proof.md") if one not in found] == []


def test_both_languages_name_the_same_tests() -> None:
    """In the same order."""
    assert named("proof.md") == named("proof.pt-BR.md")
