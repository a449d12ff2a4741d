"""``show | head``: a reader that has gone ends the command, and no traceback is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from devstack import paths
from foundation.unread import UNREAD, until_unread


@pytest.mark.parametrize("length", [1, 100_000])
def test_a_reader_that_has_gone_ends_the_command(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Whether it wrote a line, or more than the stream keeps."""

    def show(_: Sequence[str]) -> int:
        sys.stdout.write("x" * length)
        return 0

    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert until_unread(show, []) == UNREAD


def test_what_is_read_has_its_own_exit_code() -> None:
    """The command's."""
    assert until_unread(len, ["show", "--check"]) == 2


def test_another_pipe_that_breaks_is_no_reader() -> None:
    """A connection to a server, for instance: its traceback is wanted."""

    def lost(_: Sequence[str]) -> int:
        raise BrokenPipeError("a server")

    with pytest.raises(BrokenPipeError, match="a server"):
        until_unread(lost, [])


def test_a_command_of_payflow_ends_so() -> None:
    """`keys new` needs no setting: it prints a key, which nobody reads."""
    command = [sys.executable, "-m", "payflow", "keys", "new"]
    with subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout
        assert ran.stderr
        ran.stdout.close()
        said = ran.stderr.read()

    assert (ran.returncode, "Traceback" in said, "BrokenPipe" in said) == (UNREAD, False, False), said
