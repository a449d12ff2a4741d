"""
The command line. Each command says what it did, or in one sentence why not, and ends with 1 then.

Nothing here shows a customer's name, address or a token; `show` says where a receipt is and why.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from foundation.clock import system_clock
from foundation.errors import ServiceError
from foundation.version import version
from payflow.cli import (
    audits,
    checks,
    clinic,
    companies,
    decide,
    installation,
    keys,
    office,
    personal,
    receipts,
    senders,
)
from payflow.cli.context import Refused, adding
from payflow.wiring import Container

__all__ = ["Refused", "main"]
FAMILIES = (installation, companies, receipts, decide, clinic, office, personal, audits, senders, checks)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    chosen = _parser().parse_args(arguments)
    if chosen.run is None:
        keys.show_new()
        return 0
    try:
        asyncio.run(_run(chosen))
    except ServiceError as why:
        sys.stderr.write(f"{why}\n")
        return 1
    return 0


async def _run(chosen: argparse.Namespace) -> None:
    container = Container(os.environ, clock=system_clock)
    try:
        await chosen.run(container, chosen)
    finally:
        await container.aclose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m payflow", description="PayFlow's operator.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    commands = parser.add_subparsers(dest="command", required=True)
    for family in FAMILIES:
        family.add_to(adding(commands))
    keys.add_to(commands)
    return parser
