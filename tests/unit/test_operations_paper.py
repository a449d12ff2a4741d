"""The answers to the production guide: all 38 promises, commands that can be typed, tests and places that are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devstack import command as devstack
from distributor.cli.arguments import parser
from distributor.cli.doctor_items import ITEMS
from tests.runbook import CHANGING, NAMES, filled
from tests.unit.test_openapi import document
from tests.unit.test_runbook_commands import STANDS_FOR

ROOT = Path(__file__).parents[2]
PAPERS = {"en": ROOT / "docs" / "operations.md", "pt-BR": ROOT / "docs" / "pt-BR" / "operations.md"}
ROW = re.compile(r"^\| (G\d\d) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
TEST = re.compile(r"(test_\w+)::(test_\w+)")
DEVSTACK = "python3 -m devstack "
WORDS = STANDS_FOR | {"NAME": "2026-11-29T050000Z", "APP": "app", "GROUP": "group"}


def rows(language: str = "en") -> dict[str, str]:
    """Return what shows each promise, by its number."""
    return {number: seen for number, _promise, _here, seen in ROW.findall(PAPERS[language].read_text("utf-8"))}


def spans(start: str = "") -> list[str]:
    """Return what is quoted in the last column, as far as it begins with *start*."""
    return [span for seen in rows().values() for span in SPAN.findall(seen) if span.startswith(start)]


COMMANDS = sorted({span for span in spans() if span.partition(" ")[0] in NAMES})


@pytest.mark.parametrize("language", PAPERS)
def test_every_promise_is_answered_once_and_shown(language: str) -> None:
    """G01 to G38, in their order, each with something to look at."""
    assert list(rows(language)) == [f"G{number:02}" for number in range(1, 39)]
    assert [number for number, seen in rows(language).items() if not re.search(r"`|\]\(", seen)] == []


def test_both_languages_show_the_same() -> None:
    """Commands and tests, promise by promise; the pages they lead to have other names."""
    english, portuguese = ({number: SPAN.findall(seen) for number, seen in rows(each).items()} for each in PAPERS)

    assert english == portuguese


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_can_be_typed(command: str) -> None:
    """With --why where it is left out for brevity."""
    arguments = filled(command, WORDS)
    more = ["--why", "test"] if arguments[0] in CHANGING and "--why" not in arguments else []

    assert parser().parse_args([*arguments, *more]).command == arguments[0]


def test_what_is_quoted_is_a_command_a_test_a_route_a_check_or_a_file() -> None:
    """Nothing else, so that nothing stays unchecked; and there are many commands."""
    checks = {item.name for item in ITEMS}
    others = [
        span
        for span in spans()
        if span not in {*COMMANDS, *checks}
        and not TEST.fullmatch(span)
        and not span.startswith((DEVSTACK, "curl "))
        and not (ROOT / span).is_file()
    ]

    assert others == []
    assert len(COMMANDS) > len(rows()) / 3


@pytest.mark.parametrize("line", sorted(set(spans(DEVSTACK))))
def test_a_command_of_the_local_stack_can_be_typed(line: str) -> None:
    """As it is written."""
    words = [WORDS.get(word, word) for word in shlex.split(line.removeprefix(DEVSTACK))]

    assert devstack._parse(words)[0].command == words[0]


@pytest.mark.parametrize("line", sorted(set(spans("curl "))))
def test_an_address_is_a_route(line: str) -> None:
    """One that the interface's description has."""
    assert urlsplit(shlex.split(line)[1]).path in document()["paths"]


def test_every_test_it_names_is_there() -> None:
    """In a file of that name, in whichever folder."""
    named = {TEST.fullmatch(span).groups() for span in spans("test_")}  # type: ignore[union-attr]  # the test above
    there = {
        (path.stem, name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"\bdef (test_\w+)\(", path.read_text("utf-8"))
    }

    assert sorted(named - there) == []


@pytest.mark.parametrize("language", PAPERS)
def test_every_page_it_leads_to_is_there(language: str) -> None:
    """The heading too."""
    paper = PAPERS[language]
    for link in re.findall(r"\]\(([^)\s]+)\)", paper.read_text("utf-8")):
        file, _, anchor = link.partition("#")
        text = (paper.parent / file).resolve().read_text("utf-8")
        heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
        assert not anchor or anchor in anchors, link
