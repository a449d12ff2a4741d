"""
Where the console asks: the very commands of the command line, so that both always say and do the same.

A person's act runs the command with ``--apply``, with their name for the audit trail; before it the same command
runs without, and what it says it would do is shown.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distributor.cli.context import CommandContext
from distributor.resources import Resources
from foundation.clock import Clock
from foundation.errors import ServiceError

Run = Callable[[CommandContext], Awaitable[int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a command said on its way, and what it answered; *refused* is why it did nothing, if it did nothing."""

    said: tuple[str, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Runs commands for the console."""

    parts: Resources
    clock: Clock

    def context(self, options: Namespace, said: list[str], shown: list[str]) -> CommandContext:
        """Return a command's surroundings that keep what it says and shows."""
        return CommandContext(self.parts, options, clock=self.clock, say=said.append, show=shown.append)

    def looking(self) -> CommandContext:
        """Return the surroundings of a reading, whose progress nobody reads."""
        return self.context(Namespace(json=True, check=False, apply=False), [], [])

    async def run(self, run: Run, options: Mapping[str, Any]) -> Told:
        """Run a command with *options*; what it refuses, or that nobody answers it, is told."""
        said, shown = list[str](), list[str]()
        try:
            await run(self.context(Namespace(json=True, **options), said, shown))
        except ServiceError as error:
            return Told(said=tuple(said), refused=str(error))
        return Told(said=tuple(said), answer=json.loads("".join(shown) or "{}"))
