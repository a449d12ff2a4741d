"""One command as its own module declares it: how it is typed, what it is for, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from distributor.cli.context import CommandContext


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has only the options that all have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command; its words are translated when the parser is built."""

    name: str
    summary: str
    """One line in the list of commands."""
    description: str
    """Shown by ``--help``."""
    run: Callable[[CommandContext], Awaitable[int]]
    arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    changes: bool = False
    """It writes: a dry run without ``--apply``, and ``--why`` is required."""
