"""
What is running: each ``up`` and ``services`` keeps a folder with its logs and the processes it started.

A process is known by its id *and* the moment it began, so that ``down`` never ends a stranger who
got an old id. The list is written before anything else is done with a new process: what a killed
``up`` left behind is found there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from devstack import paths
from devstack.console import Ended

_END_TIMEOUT_S = 20.0
_LIST = "processes.json"


@dataclass(frozen=True, slots=True)
class Run:
    """One ``up`` or ``services``."""

    folder: Path

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def add(self, pid: int) -> None:
        """Remember a process of this run."""
        began = psutil.Process(pid).create_time()
        text = json.dumps([*self._listed(), {"pid": pid, "began": began}])
        fresh = self.folder / (_LIST + ".new")
        fresh.write_text(text, "ascii")
        fresh.replace(self.folder / _LIST)

    def alive(self) -> list[psutil.Process]:
        """Return the processes of this run that live, its own first."""
        return [process for entry in self._listed() if (process := _alive(entry["pid"], entry["began"]))]

    def end(self) -> int:
        """End this run's processes: its own first, which ends the others in order; return how many were alive."""
        alive = self.alive()
        for process in alive:
            _end(process)
        shutil.rmtree(self.folder, ignore_errors=True)
        return len(alive)

    def _listed(self) -> list[dict[str, float]]:
        try:
            listed: list[dict[str, float]] = json.loads((self.folder / _LIST).read_text("ascii"))
        except FileNotFoundError:
            return []
        return listed


def known(folder: Path = paths.RUNS) -> list[Run]:
    """Return every run that left a folder, dead ones included."""
    return [Run(path) for path in sorted(folder.glob("[0-9]*"))]


@contextmanager
def begin(folder: Path = paths.RUNS) -> Iterator[Run]:
    """
    Begin a run of this process; until the block ends, a request to end raises Ended in it, once.

    Logs stay until the next run begins. Processes of earlier runs whose own process died are ended.
    """
    for earlier in known(folder):
        if not _owner_lives(earlier):
            earlier.end()
    run = _new(folder)
    with _endable():
        yield run


def _new(folder: Path) -> Run:
    """Make a run's folder; it has its name when its process is listed, so one that begins beside it finds it alive."""
    unnamed = Run(folder / f".{os.getpid()}")
    unnamed.folder.mkdir(parents=True, exist_ok=True)
    unnamed.add(os.getpid())
    return Run(unnamed.folder.rename(folder / str(os.getpid())))


def _owner_lives(run: Run) -> bool:
    return any(process.pid == int(run.folder.name) for process in run.alive())


def _alive(pid: float, began: float) -> psutil.Process | None:
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - began) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _end(process: psutil.Process) -> None:
    """End a process and all it started, gently first."""
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, stubborn = psutil.wait_procs([process], timeout=_END_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
    for left in {*stubborn, *(child for child in family if child.is_running())}:
        _kill(left)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(_END_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return


@contextmanager
def _endable() -> Iterator[None]:
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave a server behind
        raise Ended

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
