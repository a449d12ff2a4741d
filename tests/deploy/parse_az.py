"""
Parses command lines with the parser of the installed ``az``, and runs none of them.

Run by the interpreter of ``az``: command lines as JSON on stdin, what is wrong with each on stdout.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any, NoReturn

from azure.cli.core import get_default_cli
from knack.events import EVENT_INVOKER_POST_PARSE_ARGS


class Parsed(BaseException):
    """A command line was parsed: the next thing ``az`` would do is to run it."""


def main() -> None:
    """Write for each command line an empty text, or what ``az`` says is wrong with it."""
    lines: list[list[str]] = json.load(sys.stdin)
    said = io.StringIO()  # one for all: the log keeps the stream it found at first
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        told = [_trouble(line, said) for line in lines]
    json.dump(told, sys.stdout)


def _trouble(line: list[str], said: io.StringIO) -> str:
    cli = get_default_cli()
    cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, _stop)
    before = said.tell()
    try:
        code = cli.invoke(line)
    except Parsed:
        return ""
    except SystemExit as ended:
        code = ended.code
    return f"ended with {code}: {said.getvalue()[before:]}"


def _stop(_cli: Any, **_: Any) -> NoReturn:
    raise Parsed


if __name__ == "__main__":
    main()
