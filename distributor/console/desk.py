"""
Where the console asks: the very commands of the command line, so that both always say and do the same.

A person's act runs the command with ``--apply``, with their name for the audit trail; before it the same command
runs without, and what it says it would do is shown.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from distributor.cli.context import CommandContext, CommandRefused
from distributor.cli.language import _, spoken
from distributor.errors import NotYet
from distributor.resources import Resources
from foundation.clock import Clock
from foundation.console.acting import ActOutcome
from foundation.errors import ConfigurationError, InvariantBroken, Rejected, ServiceError

Run = Callable[[CommandContext], Awaitable[int]]
_NOTHING_DONE = (CommandRefused, NotYet, Rejected)
"""What a command raises before it has written anything. Whatever else it raises may come after a write."""


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

    async def run(self, run: Run, options: Mapping[str, Any]) -> ActOutcome:
        """Run a command with *options*; a refusal, or that nobody answers, is part of the result."""
        said, shown = list[str](), list[str]()
        try:
            await run(self.context(Namespace(json=True, **options), said, shown))
        except ServiceError as error:
            unknown = bool(options["apply"]) and not isinstance(error, _NOTHING_DONE)
            return ActOutcome(said=tuple(said), refused=spoken(error), unknown=unknown)
        return ActOutcome(said=tuple(said), answer=json.loads("".join(shown) or "{}"))


def why_not(error: ServiceError) -> tuple[int, str]:
    """Return the status and the sentence for what does not work now."""
    said = spoken(error)
    if isinstance(error, ConfigurationError):
        return 503, _("The service is not configured: {what}").format(what=said)
    if isinstance(error, InvariantBroken):
        return 500, f"{said} " + _(
            "`verify` lists the rows that disagree; the runbook's page row_unreadable says what to do."
        )
    return 503, _("Storage or nodes do not answer now: {what} Try again.").format(what=said)
