"""The operator's command line: what an operator does by hand; a dry run unless --apply is given."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from distributor.cli import deployed
from distributor.cli.arguments import parser
from distributor.cli.context import NOT_CONFIGURED, REFUSED, CommandContext
from distributor.cli.language import _, choose, spoken
from distributor.resources import Resources
from distributor.wiring import quieten_and_mask
from foundation.clock import system_clock
from foundation.errors import ConfigurationError, InvariantBroken, ServiceError


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    choose(arguments, os.environ)
    options = parser().parse_args(arguments)
    try:
        environ = _environ(options)
        quieten_and_mask(environ)
        return asyncio.run(_run(options, environ))
    except ConfigurationError as error:
        return _complain(error, error.sentences, NOT_CONFIGURED, options)
    except InvariantBroken as error:
        next_step = _("`verify` lists the rows that disagree; the runbook's page row_unreadable says what to do.")
        return _complain(error, [spoken(error), next_step], REFUSED, options)
    except ServiceError as error:
        return _complain(error, [spoken(error)], REFUSED, options)


async def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    parts = Resources(environ, clock=system_clock)
    # Standard output has nothing but what a program reads: JSON, or a table of orders.
    say = _to_errors if options.json or getattr(options, "csv", False) else print
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    context = CommandContext(parts, options, clock=system_clock, say=say, show=print, environ=environ, columns=columns)
    try:
        code: int = await options.run(context)
        return code
    finally:
        await parts.aclose()


def _environ(options: Namespace) -> Mapping[str, str]:
    """Return the settings of the file or the app that is named, or the environment's. Raises ConfigurationError."""
    if options.app and options.settings:
        raise ConfigurationError(_("Give --settings or --app, not both."))
    if options.app:
        return deployed.deployed_settings(options.app)
    return _file(options.settings) if options.settings else os.environ


def _file(file: Path) -> Mapping[str, str]:
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))["Values"]
        return {str(name): str(value) for name, value in values.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            _('{file} is no settings file: JSON with "Values" ({error})').format(file=file, error=type(error).__name__)
        ) from None


def _complain(error: ServiceError, sentences: Sequence[str], code: int, options: Namespace) -> int:
    """Print what is wrong, a line for each setting; as JSON where JSON was asked for."""
    for sentence in sentences:
        _to_errors(sentence)
    if options.json:
        sys.stdout.write(f"{json.dumps({'error': type(error).__name__, 'detail': str(error)})}\n")
    return code


def _to_errors(line: str) -> None:
    sys.stderr.write(f"{line}\n")
