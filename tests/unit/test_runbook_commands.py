"""Every command that the runbook has is one that can be typed, and that a test has typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributor.cli.arguments import parser
from tests.factories import OPERATOR, a_hash
from tests.runbook import CHANGING, NAMES, blocks, filled, pages, spans, written

TESTS = Path(__file__).parents[1]
STANDS_FOR = {
    "ORDER": "default:A-1", "HASH": a_hash("x"), "ADDRESS": OPERATOR, "N": "7", "CODE": "low_gas",
    "HOST": "node.example", "FILE": "order.json", "URL": "https://app.example/webhook",
    "GROUP/NAME": "group/app", "SOURCE/ID": "default/A-1", "SECRET": "3f9a", "SOURCE": "shop-b",
}  # fmt: skip
"""What a person puts in the place of the words in capitals."""
_BOTH = 2
EVERY = sorted({(heading, command) for heading in pages() for command in written(heading)})


@pytest.mark.parametrize("command", sorted({command for _, command in EVERY}))
def test_what_the_runbook_says_can_be_typed(command: str) -> None:
    """With --why where it is left out for brevity."""
    arguments = filled(command, STANDS_FOR)
    if arguments[0] in CHANGING and "--why" not in arguments:
        arguments += ["--why", "test"]

    assert parser().parse_args(arguments).command == arguments[0]


def test_every_command_is_in_the_runbook() -> None:
    """A command that nobody has written about is not found at night."""
    named = {command.partition(" ")[0] for heading in pages() for command in (*blocks(heading), *spans(heading))}

    assert named >= NAMES


def test_a_test_types_every_command_of_each_page() -> None:
    """As it is written there: by ``desk.written(page, command)``, or all blocks of a page by ``desk.page``."""
    typed = set(_typed())

    assert [each for each in EVERY if each not in typed] == []
    assert typed <= set(EVERY), "typed from a page that does not have it any more"


def _typed() -> Iterator[tuple[str, str]]:
    """Yield the page and the command of every call that types one."""
    for source in sorted((TESTS / "integration").glob("test_*.py")):
        for call in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
                page_and_command = [each.value for each in call.args[:2] if isinstance(each, ast.Constant)]
                if name in {"written", "typed"} and len(page_and_command) == _BOTH:
                    yield str(page_and_command[0]), str(page_and_command[1])
                elif name in {"page", "commands_of"}:
                    yield from _of_pages(_pattern(call.args[0]))


def _of_pages(pattern: str) -> Iterator[tuple[str, str]]:
    found = [heading for heading in pages() if re.fullmatch(pattern, heading)]
    yield from ((heading, command) for heading in found for command in blocks(heading))


def _pattern(argument: ast.expr) -> str:
    """Return the text of a constant; an f-string with ``.+`` for each of its values."""
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)
