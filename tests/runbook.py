"""The runbook as tests use it: its pages, the commands on each, and how a person fills them in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from distributor.cli.commands import COMMANDS

RUNBOOK = (Path(__file__).parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
NAMES = frozenset(command.name for command in COMMANDS)
CHANGING = frozenset(command.name for command in COMMANDS if command.changes)
PROGRAM = "python -m distributor "
FENCED = re.compile(r"[ ]*```sh\n(.*?)```", re.DOTALL)
_FILLED_IN = re.compile(r"--|\b[A-Z]{1,}\b")
"""An option, or a word that a person fills in: more than the name of a command."""
_AS_ABOVE = "…"


@cache
def pages() -> Mapping[str, str]:
    """Return what is written under each heading."""
    parts = re.split(r"^##+ (.*)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(heading: str) -> Sequence[str]:
    """Return the commands in the blocks of a page, in their order, without the name of the program."""
    lines = (line.strip() for block in FENCED.findall(pages()[heading]) for line in block.splitlines())
    return [_plain(line) for line in lines if line.startswith(PROGRAM)]


def spans(heading: str) -> Sequence[str]:
    """Return the commands in the sentences of a page; a name alone is one too."""
    return list(_spans(pages()[heading]))


def written(heading: str) -> Sequence[str]:
    """Return the commands that a person types from a page: those in its blocks, and in its sentences with arguments."""
    whole = (span for span in spans(heading) if _FILLED_IN.search(span) and _AS_ABOVE not in span)
    return list(dict.fromkeys((*blocks(heading), *whole)))


def typed(heading: str, command: str, words: Mapping[str, str] | None = None) -> list[str]:
    """Return the arguments of a command that is on a page in these very words."""
    assert command in written(heading), f"the page {heading} does not say `{command}`"
    return filled(command, words)


def filled(command: str, words: Mapping[str, str] | None = None) -> list[str]:
    """Return the arguments of a command, with what a person puts in the place of the words in capitals."""
    return [(words or {}).get(word, word) for word in shlex.split(command, comments=True)]


def _spans(body: str) -> Iterator[str]:
    for span in re.findall(r"`([^`]+)`", FENCED.sub("", body)):
        command = " ".join(span.split()).removeprefix(PROGRAM)
        if command.partition(" ")[0] in NAMES:
            yield command


def _plain(line: str) -> str:
    return line.removeprefix(PROGRAM).partition("  #")[0].strip()
