"""The parts of a soak, each a process that can be killed, frozen and started again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Generic, Protocol, TypeVar

from devstack import paths, servers
from devstack.console import StepFailed
from devstack.runs import Run


class Server(Protocol):
    """Something that runs."""

    @property
    def process(self) -> Popen[bytes]: ...


S = TypeVar("S", bound=Server)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """The proxy before the chain."""

    url: str
    process: Popen[bytes] = field(repr=False)


class Part(Generic[S]):
    """A server that comes and goes; *start* is given which life begins, from 1."""

    def __init__(self, name: str, start: Callable[[int], AbstractContextManager[S]], run: Run) -> None:
        self.name, self.lives, self.kills = name, 0, 0
        self._start, self._run = start, run
        self._stack = ExitStack()
        self._running: S | None = None

    @property
    def running(self) -> S:
        """The server, or the one that was killed last."""
        if self._running is None:
            raise StepFailed(f"{self.name} was never started.")
        return self._running

    def start(self) -> S:
        """Begin a life. Raises StepFailed."""
        self.lives += 1
        try:
            self._running = self._stack.enter_context(self._start(self.lives))
        except servers.ServerFailed as why:
            raise StepFailed(str(why)) from why
        self._run.add(self._running.process.pid)
        return self._running

    def stop(self) -> None:
        """End it gently; it may write what it holds."""
        self._stack.close()

    def kill(self) -> None:
        """End it and all it started, at once; it can do nothing about it."""
        self._signal(signal.SIGKILL)
        self.kills += 1
        self._stack.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it do nothing, not even end, until the block ends; every client waits."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.running.process.pid, number)


def life_of(run: Run, name: str, life: int) -> Run:
    """Return the folder of one life, so that the next does not write over its log."""
    return Run(run.folder / f"{name}-{life}")


def on_disk(run: Run) -> Callable[[int], AbstractContextManager[servers.Azurite]]:
    """Return how storage starts: always on the same data and, after the first life, on the same ports."""
    ports: list[tuple[int, int, int]] = []

    @contextmanager
    def start(life: int) -> Iterator[servers.Azurite]:
        known, log = (ports[0] if ports else None), life_of(run, "storage", life).log("azurite")
        with servers.azurite(run.folder / "storage", known, log) as running:
            ports.append((running.blob_port, running.queue_port, running.table_port))
            yield running

    return start


def before(node_url: str, run: Run, name: str) -> Callable[[int], AbstractContextManager[Proxy]]:
    """Return how the proxy starts: always on the port of its first life, its pool empty."""
    found: list[str] = []

    @contextmanager
    def start(life: int) -> Iterator[Proxy]:
        port = found[0].rpartition(":")[2] if found else "0"
        command = [sys.executable, "-m", "devstack.bor.proxy", "--upstream", node_url, "--port", port]
        environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), "PYTHONUNBUFFERED": "1"}
        log: Path = life_of(run, name, life).log("proxy")
        with servers.child("proxy", command, log=log, environment=environment) as server:
            found.append(servers.wait_until_said(server, r"Listening on (\S+)")[1])
            yield Proxy(url=found[0], process=server.process)

    return start
