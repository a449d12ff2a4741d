"""What the commands print: plain lines, each step with its time, safe on any console."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_TAIL_LINES = 15
_COLOURS = {"green": "32", "red": "31", "bold": "1", "dim": "2"}


class StepFailed(Exception):
    """A step of a command failed; the message is for the person at the console."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class Ended(BaseException):
    """
    Someone asked this command to end: Ctrl-C, ``down``, or a closing terminal.

    Like KeyboardInterrupt no Exception, so that no library takes it for a failure of its own.
    """


class NoReader(Ended):
    """What this command prints goes into a pipe that was closed, as ``| head`` does: it ends."""


class Console:
    """Where a command speaks. Colours only on a terminal; a character it cannot show becomes ``?``."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace", line_buffering=True)
        self._out = out
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        if self._coloured and sys.platform == "win32":
            os.system("")  # noqa: S605, S607 -- the documented way to let a Windows console understand colours

    def say(self, text: str = "", colour: str = "") -> None:
        """Print a line. Raises NoReader, once, if nobody reads it any more."""
        self._print(self._dyed(text, colour), end="\n")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce a step, and say how long it took, or that it failed."""
        self._print(f"  {name} ... ", end="")
        began = time.monotonic()
        try:
            yield
        except Ended:
            self.say("stopped")
            raise
        except BaseException:
            self.say("failed", "red")
            raise
        self.say(f"{time.monotonic() - began:.1f} s", "dim")

    def failed(self, why: StepFailed) -> None:
        """Say what went wrong, and show the end of its log."""
        self.say(str(why), "red")
        if why.log and why.log.exists():
            self.say(f"The whole log: {why.log}")
            self.say("Its last lines:")
            for line in why.log.read_text("utf-8", errors="replace").splitlines()[-_TAIL_LINES:]:
                self.say(f"    {line}")

    def _print(self, text: str, *, end: str) -> None:
        try:
            print(text, end=end, file=self._out, flush=True)
        except BrokenPipeError:
            # What the failed line left in the stream would be written again at the interpreter's end.
            self._out = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- open until the process ends
            os.dup2(self._out.fileno(), sys.stdout.fileno())
            raise NoReader from None

    def _dyed(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and self._coloured else text
