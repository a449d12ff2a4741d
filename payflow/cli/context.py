"""What every command shares: how it is added to the parser, how it speaks, and the company it is about."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime

from foundation.errors import Rejected
from payflow.conta_azul.values import SAO_PAULO
from payflow.ledger.lane import LaneLedger
from payflow.model import CompanyId
from payflow.state import Company
from payflow.wiring import Container

Command = Callable[[Container, argparse.Namespace], Awaitable[None]]
Add = Callable[[str, str, Command], argparse.ArgumentParser]


class Refused(Rejected):
    """The command cannot do that; the message says why."""


def adding(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> Add:
    """Return what adds a command with its one-line help, and who gives it."""

    def add(name: str, meaning: str, run: Command) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=meaning)
        command.set_defaults(run=run, by=who(), say=say)
        return command

    return add


async def company_of(container: Container, chosen: argparse.Namespace) -> tuple[LaneLedger, Company]:
    """Return the rows of the company that was named. Raises Refused if there is none."""
    lane = (await container.base()).lane(CompanyId(chosen.company))
    company = await lane.read_company()
    if company is None:
        raise Refused(f"There is no company {chosen.company}; `companies` lists them.")
    return lane, company


def local_time(at: int) -> str:
    """Return a moment in São Paulo."""
    return datetime.fromtimestamp(at / 1000, SAO_PAULO).strftime("%Y-%m-%d %H:%M:%S") if at else "never"


def who() -> str:
    """Return who gives the command, for the audit."""
    return os.environ.get("USER", "") or "operator"


def say(line: str) -> None:
    """Show a line."""
    sys.stdout.write(f"{line}\n")
