"""The page that says which test proves what: each test exists, and both languages name the same ones."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from payflow.cli.commands import _parser

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")


def named(paper: str) -> list[tuple[str, str]]:
    """Return the tests that a page names, in its order."""
    return NAMED.findall((ROOT / "docs" / "payflow" / paper).read_text("utf-8"))


PAPERS = ("proof", "guide")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_named_test_exists(paper: str) -> None:
    """In a file of that name."""
    found = {
        (file.stem, name)
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", file.read_text("utf-8"))
    }

    assert len(named(f"{paper}.md")) > 30
    assert [one for one in named(f"{paper}.md") if one not in found] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_both_languages_name_the_same_tests(paper: str) -> None:
    """In the same order."""
    assert named(f"{paper}.md") == named(f"{paper}.pt-BR.md")


CRITERIA = [*range(1, 16), 22, 25]
TROUBLES, PROOFS = 16, 10
"""How many entries of bad input and trouble, and of proof, were asked for; each has a row."""


def rows(paper: str) -> list[list[str]]:
    """Return the rows of each table of a page, in its order; without heads and rules."""
    text = (ROOT / "docs" / "payflow" / paper).read_text("utf-8")
    tables = re.findall(r"^\|[^\n]*\|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [table.splitlines() for table in tables]


@pytest.mark.parametrize("paper", ["proof.md", "proof.pt-BR.md"])
def test_every_criterion_trouble_and_proof_names_a_test(paper: str) -> None:
    """Each has a row of its own, and no row is without one."""
    criteria, troubles, proofs, *_ = rows(paper)

    assert [int(row.split("|")[1]) for row in criteria] == CRITERIA
    assert (len(troubles), len(proofs)) == (TROUBLES, PROOFS)
    assert [row for row in (*criteria, *troubles, *proofs) if not NAMED.search(row)] == []


@pytest.mark.parametrize("language", ["", ".pt-BR"])
def test_every_promise_of_the_guide_has_a_row(language: str) -> None:
    """G01 to G38, each once, in order."""
    text = (ROOT / "docs" / "payflow" / f"guide{language}.md").read_text("utf-8")

    assert re.findall(r"^\| (G\d\d) \|", text, re.MULTILINE) == [f"G{number:02d}" for number in range(1, 39)]


@pytest.mark.parametrize("paper", ["guide", "guide.pt-BR", "operating", "operating.pt-BR"])
def test_every_named_command_is_one(paper: str) -> None:
    """The first word of a text in backticks and is one of PayFlow's commands, or looks like one."""
    text = (ROOT / "docs" / "payflow" / f"{paper}.md").read_text("utf-8")
    known = next(action.choices for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    spelled = set(re.findall(r"`([a-z-]+)(?: [^`]*)?`", text)) & known.keys()

    assert {"backup", "pause", "purge", "verify", "doctor"} <= spelled
    assert set(re.findall(r"`([a-z]+) (?:COMPANY|EMPRESA)[ `]", text)) <= known.keys()
