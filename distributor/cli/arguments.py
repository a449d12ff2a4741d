"""The parser of the whole command line; what each command takes is declared beside its handler."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distributor.cli.commands import COMMANDS
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.declared import Command
from distributor.cli.language import LANGUAGES, N_, _
from foundation.version import version

_EPILOG = N_("""\
exit codes:
  0  done, already done, or a dry run
  1  a difference, a refusal, or the ledger or the nodes do not answer; the output says why
  2  wrong arguments, or a setting is missing or wrong
""")


def parser() -> argparse.ArgumentParser:
    """Return the parser, in the language in use."""
    top = argparse.ArgumentParser(
        prog="python -m distributor",
        description=_("The operator's command line of the BALLX Backend Distributor."),
        epilog=_(_EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version()}", help=_("show the version"))
    _language(top)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for declared in COMMANDS:
        _add(commands, declared)
    return top


def _add(commands: Any, declared: Command) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        declared.name,
        help=_(declared.summary),
        description=_(declared.description),
        epilog=_(_EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=declared.run)
    command.add_argument(
        "--settings", type=Path, metavar="FILE", help=_("a local.settings.json; without it, the environment is read")
    )
    command.add_argument(
        "--app", default="", metavar="GROUP/NAME", help=_("a deployed app, whose settings the Azure CLI reads")
    )
    command.add_argument("--json", action="store_true", help=_("print JSON; progress goes to the error stream"))
    _language(command)
    declared.arguments(command)
    if declared.changes:
        apply_argument(command)
        by_and_why(command, _("for the audit trail"), required=True)


def _language(command: argparse.ArgumentParser) -> None:
    """Add the language, which is known before any argument is read: see ``language.choose``."""
    command.add_argument(
        "--language", choices=LANGUAGES, default=argparse.SUPPRESS, help=_("instead of LANG: en or pt")
    )
