"""A command whose reader has gone, as in ``show | head -3``: it ends as other programs do, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

UNREAD = 141
"""What a shell says of a program that SIGPIPE ended: 128 and its number."""


def until_unread(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Return the exit code of *main*; 141 if nobody reads its output any more. Another broken pipe is raised on."""
    try:
        code = main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        return UNREAD
    return code


def _reader_has_gone() -> bool:
    """Write an empty line, and say whether nobody takes it; if so, what is left goes nowhere, now and at the end."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False
