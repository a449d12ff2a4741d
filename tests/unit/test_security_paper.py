"""docs/security.md says nothing that the code does not have: settings, commands, pages."""

from __future__ import annotations

import re
from pathlib import Path

from distributor.cli.arguments import parser
from distributor.settings import about

DOCS = Path(__file__).parents[2] / "docs"
PAPER = (DOCS / "security.md").read_text("utf-8")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")


def test_every_setting_it_names_can_be_set() -> None:
    """In backticks and capitals, alone or with a value."""
    words = {name for code in CODE.findall(PAPER) for name in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", code)}
    known = {name.replace("<SOURCE>", "SOURCE") for name in about()}

    assert "WEBHOOK_SECRET_PREVIOUS" in words
    assert sorted(words - known) == []


def test_every_command_it_names_can_be_run() -> None:
    """With what must be given; an order is one of the reader's."""
    lines = [code for code in CODE.findall(PAPER) if code.startswith("python -m distributor ")]

    assert lines
    for line in lines:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line.removeprefix("python -m distributor "))]
        given = words if "--why" in words or words[0] not in ("pause", "halt", "resume") else [*words, "--why", "x"]
        assert parser().parse_args(given).command == words[0]


def test_every_page_it_leads_to_is_there() -> None:
    """Files, and headings in them."""
    links = LINK.findall(PAPER)

    assert links
    for link in links:
        page, _, anchor = link.partition("#")
        text = (DOCS / page).read_text("utf-8") if page else PAPER
        headings = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in _headings(text)}
        assert not anchor or anchor in headings, link


def _headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)


def test_every_test_it_calls_as_a_witness_is_there() -> None:
    """A claim that names a test must be able to show it."""
    named = [code for code in CODE.findall(PAPER) if code.startswith("tests/")]

    assert named
    assert all((DOCS.parent / name).exists() for name in named)
