"""Processes of the crash tables: forked from a server, heard over a pipe, and ended as expected."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

PROCESS_TIMEOUT_S = 300
"""A process that says nothing for so long hangs; one at the lowest priority took more than a minute."""

_FORKS = multiprocessing.get_context("forkserver")
"""Children of a server that has everything imported: the libraries would cost each two seconds."""
_FORKS.set_forkserver_preload(["tests.faults.crash.preloaded"])

_STARTING_OR_ENDING = threading.Lock()
"""Held while a process starts or its end is read: each start reads the end of every other process, an end can be read
once, and the second reader of two at a time takes it for 255 (CPython 3.11 to 3.13, `popen_forkserver.Popen.poll`)."""

Reply = Callable[[Any], Any]
"""Answers a message of the process; None: it waits for no answer."""


def run_process(
    target: Callable[..., None], *arguments: Any, killed: bool, reply: Reply = lambda _: None
) -> Sequence[Any]:
    """Run *target* in a fresh process and return what it said until its end; that must be the end expected."""
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=target, args=(*arguments, theirs))
    with _STARTING_OR_ENDING:
        process.start()
    theirs.close()
    try:
        messages = []
        for message in _heard(ours):
            messages.append(message)
            if (answer := reply(message)) is not None:
                ours.send(answer)
        wait([process.sentinel], PROCESS_TIMEOUT_S)
    finally:
        process.kill()
        wait([process.sentinel])
        with _STARTING_OR_ENDING:
            process.join()
        ours.close()
    expected = -signal.SIGKILL if killed else 0
    assert process.exitcode == expected, f"{target.__name__}{arguments[1:]} ended with {process.exitcode}"
    return messages


def _heard(pipe: Any) -> Iterator[Any]:
    """Yield what comes through *pipe* until its other end is closed, by the end of the process if by nothing else."""
    while pipe.poll(PROCESS_TIMEOUT_S):
        try:
            yield pipe.recv()
        except (EOFError, ConnectionResetError):
            return
    raise AssertionError(f"the process said nothing for {PROCESS_TIMEOUT_S} s")
