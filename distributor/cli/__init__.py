"""The operator's command line: what a person does by hand, dry until told otherwise."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from distributor.cli.init import initialise
from distributor.errors import ConfigurationError, DistributorError
from distributor.parts import Parts
from distributor.wiring import now, quieten

DONE, REFUSED, NOT_CONFIGURED = 0, 1, 2
_EPILOG = """\
exit codes:
  0  done, already done, or a dry run
  1  refused, or the ledger or the nodes do not answer; what is said tells why
  2  wrong arguments, or a setting is missing or wrong
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        environ = _environ(options.settings)
        quieten(environ)
        return asyncio.run(_init(environ, apply=options.apply))
    except ConfigurationError as error:
        return _complain(error, NOT_CONFIGURED)
    except DistributorError as error:
        return _complain(error, REFUSED)


async def _init(environ: Mapping[str, str], *, apply: bool) -> int:
    parts = Parts(environ, clock=now)
    try:
        done = await initialise(parts, apply=apply, say=print)
    finally:
        await parts.aclose()
    return DONE if done else REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m distributor",
        description="The operator's command line of the BALLX Backend Distributor.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="make an empty ledger ours, once; nothing is paid before",
        description=(
            "Make an empty ledger ours: its tables, whose it is, and the operator's next nonce as the chain has it.\n"
            "Never run it on a ledger that was emptied: orders paid before would be paid again."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    init.add_argument(
        "--settings", type=Path, metavar="FILE", help="a local.settings.json; without it the environment is read"
    )
    init.add_argument("--apply", action="store_true", help="do it; without it only what would be done is shown")
    return parser


def _environ(file: Path | None) -> Mapping[str, str]:
    """Return the settings of *file*, or the environment's. Raises ConfigurationError."""
    if file is None:
        return os.environ
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))["Values"]
        return {str(name): str(value) for name, value in values.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f'{file} is no settings file: JSON with "Values" ({type(error).__name__})') from None


def _complain(error: DistributorError, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code
