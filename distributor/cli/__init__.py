"""The operator's command line: what an operator does by hand; a dry run unless --apply is given."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from distributor.cli import chain, corrections, guard, nonces, operators, orders, pause
from distributor.cli.arguments import parser
from distributor.cli.commands import COMMANDS
from distributor.cli.context import DONE, NOT_CONFIGURED, REFUSED, CommandContext
from distributor.cli.init import initialise
from distributor.cli.show import show
from distributor.resources import Resources
from distributor.wiring import quieten
from foundation.clock import system_clock
from foundation.errors import ConfigurationError, ServiceError

_COMMANDS: Mapping[str, Callable[[CommandContext], Awaitable[int]]] = {
    "show": show,
    "pause": pause.pause,
    "halt": pause.halt,
    "resume": pause.resume,
    "order": orders.order,
    "held": orders.held,
    "retry": orders.retry,
    "cancel": orders.cancel,
    "add-operator": operators.add_operator,
    "cancel-nonce": nonces.cancel_nonce,
    "resolve": nonces.resolve,
    "resubmit": corrections.resubmit,
    "settle": corrections.settle,
    "reopen": corrections.reopen,
    "guard": guard.guard,
    "audit-chain": chain.audit_chain,
    "rebuild": chain.rebuild,
    **{command.name: command.run for command in COMMANDS},
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    options = parser().parse_args(arguments)
    try:
        environ = _environ(options.settings)
        quieten(environ)
        return asyncio.run(_run(options, environ))
    except ConfigurationError as error:
        return _complain(error, NOT_CONFIGURED, options)
    except ServiceError as error:
        return _complain(error, REFUSED, options)


async def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    parts = Resources(environ, clock=system_clock)
    say = _to_errors if options.json else print
    context = CommandContext(parts, options, clock=system_clock, say=say, show=print, environ=environ)
    try:
        if options.command == "init":
            done = await initialise(
                parts, apply=options.apply, say=say, new_beginning=options.new_beginning, by=options.by
            )
            if options.json:
                context.answer({"done": done})
            return DONE if done else REFUSED
        return await _COMMANDS[options.command](context)
    finally:
        await parts.aclose()


def _environ(file: Path | None) -> Mapping[str, str]:
    """Return the settings of *file*, or the environment's. Raises ConfigurationError."""
    if file is None:
        return os.environ
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))["Values"]
        return {str(name): str(value) for name, value in values.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f'{file} is no settings file: JSON with "Values" ({type(error).__name__})') from None


def _complain(error: ServiceError, code: int, options: Namespace) -> int:
    """Print what is wrong, as JSON where JSON was asked for."""
    _to_errors(str(error))
    if options.json:
        sys.stdout.write(f"{json.dumps({'error': type(error).__name__, 'detail': str(error)})}\n")
    return code


def _to_errors(line: str) -> None:
    sys.stderr.write(f"{line}\n")
