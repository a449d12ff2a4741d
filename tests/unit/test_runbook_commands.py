"""Every command that the runbook names is one that can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from distributor.cli.arguments import parser
from distributor.cli.commands import COMMANDS
from tests.factories import OPERATOR, a_hash
from tests.unit.test_runbook import RUNBOOK

NAMES = {command.name for command in COMMANDS}
PROGRAM = "python -m distributor "
FENCED = re.compile(r"```sh\n(.*?)```", re.DOTALL)
STANDS_FOR = {
    "ORDER": "default:A-1", "HASH": a_hash("x"), "ADDRESS": OPERATOR, "N": "7", "CODE": "low_gas",
    "HOST": "node.example", "FILE": "order.json", "URL": "https://app.example/webhook",
    "GROUP/NAME": "group/app", "SOURCE/ID": "default/A-1", "SECRET": "3f9a", "SOURCE": "shop-b",
}  # fmt: skip
"""What a person puts in the place of the words in capitals."""


def filled(command: str) -> list[str]:
    """Return the arguments of a command of the runbook, as a person types them."""
    return [STANDS_FOR.get(word, word) for word in shlex.split(command, comments=True)]


def named() -> Iterator[str]:
    """Yield each command with its arguments, in the text and in the blocks."""
    prose = FENCED.sub("", RUNBOOK)
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose))
    yield from (span.removeprefix(PROGRAM) for span in spans if span.removeprefix(PROGRAM).partition(" ")[0] in NAMES)
    for block in FENCED.findall(RUNBOOK):
        lines = (line.strip() for line in block.splitlines())
        yield from (line.removeprefix(PROGRAM) for line in lines if line.startswith(PROGRAM))


@pytest.mark.parametrize(
    "command", sorted(command for command in set(named()) if " " in command and "…" not in command)
)
def test_what_the_runbook_says_can_be_typed(command: str) -> None:
    """With --why where it is left out for brevity."""
    arguments = filled(command)
    changing = {each.name for each in COMMANDS if each.changes}
    if arguments[0] in changing and "--why" not in arguments:
        arguments += ["--why", "test"]

    assert parser().parse_args(arguments).command == arguments[0]


def test_every_command_is_in_the_runbook() -> None:
    """A command that nobody has written about is not found at night."""
    assert {command.partition(" ")[0] for command in named()} >= NAMES
