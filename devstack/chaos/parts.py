"""
The parts of a soak, each a process that can be killed, frozen and started again.

Storage is on disk and keeps its ports; the chain lives through all of it, because anvil has no disk
to come back from; the app reaches it through the proxy that makes it a Polygon node.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Generic, Protocol, TypeVar

from devstack import paths, servers, stack
from devstack.console import Console, StepFailed
from devstack.contracts import Deployment, Devchain, deploy
from devstack.runs import Run
from distributor.cli.init import initialise
from distributor.resources import Resources
from foundation.clock import system_clock

BLOCK_TIME_S = 1
DEEPEST_REORG_BLOCKS = 5
SETTINGS = {
    "BLOCK_TIME_S": str(BLOCK_TIME_S),
    "MIN_CONFIRMATIONS": str(DEEPEST_REORG_BLOCKS + 3),  # what is final never leaves: anvil's own tag is only 2 behind
    "RESUBMIT_AFTER_S": "4",
    "REPLACE_AFTER_S": "8",
    "RPC_TIMEOUT_S": "5",
    "RATE_LIMIT_PER_SOURCE": "0",  # duplicates come faster here than from any shop
}
"""Polygon's patience at twice its pace."""


class _Server(Protocol):
    @property
    def process(self) -> Popen[bytes]: ...


S = TypeVar("S", bound=_Server)


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
        """Let it do nothing, not even end, until the block ends; whoever asks it waits."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.running.process.pid, number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """All parts of a soak, and the settings that tie them."""

    storage: Part[servers.Azurite]
    chain: Part[servers.Anvil]
    proxy: Part[Proxy]
    host: Part[stack.FunctionsHost]
    deployment: Deployment
    settings: Mapping[str, str]


@contextmanager
def ground(console: Console, run: Run) -> Iterator[Ground]:
    """Start every part; end them when the block ends. Raises StepFailed."""
    with ExitStack() as ends:

        def begin(part: Part[S]) -> S:
            ends.callback(part.stop)
            return part.start()

        with console.step("start the storage emulator, on disk"):
            storage = Part("storage", _on_disk(run), run)
            azurite = begin(storage)
        with console.step(f"start an EVM node with a block each {BLOCK_TIME_S} s, and the contracts"):
            chain = Part("chain", lambda _: servers.anvil(None, stack.CHAIN_ID, BLOCK_TIME_S, run.log("anvil")), run)
            deployment = deploy(begin(chain).url, guarded=True)
            Devchain(deployment).mine(DEEPEST_REORG_BLOCKS)  # the contracts stay whatever is reorganised away
        with console.step("start the proxy that makes it a Polygon node"):
            proxy = Part("proxy", _before(deployment.url, run), run)
            settings = {**stack.app_settings(azurite, deployment), **SETTINGS, "RPC_URL": begin(proxy).url}
        with console.step("initialise the ledger"):
            asyncio.run(_initialise(settings))
        with console.step("start the Functions host"):
            host = Part("host", lambda life: stack.functions_host(_life(run, "host", life), settings, "devstack"), run)
            begin(host)
        yield Ground(storage=storage, chain=chain, proxy=proxy, host=host, deployment=deployment, settings=settings)


def _life(run: Run, name: str, life: int) -> Run:
    """Return the folder of one life, so that the next does not write over its log."""
    return Run(run.folder / f"{name}-{life}")


def _on_disk(run: Run) -> Callable[[int], AbstractContextManager[servers.Azurite]]:
    """Return how storage starts: always on the same data and, after the first life, on the same ports."""
    ports: list[tuple[int, int, int]] = []

    @contextmanager
    def start(life: int) -> Iterator[servers.Azurite]:
        known, log = (ports[0] if ports else None), _life(run, "storage", life).log("azurite")
        with servers.azurite(run.folder / "storage", known, log) as running:
            ports.append((running.blob_port, running.queue_port, running.table_port))
            yield running

    return start


def _before(node_url: str, run: Run) -> Callable[[int], AbstractContextManager[Proxy]]:
    """Return how the proxy starts: always on the port of its first life, its pool empty."""
    found: list[str] = []

    @contextmanager
    def start(life: int) -> Iterator[Proxy]:
        port = found[0].rpartition(":")[2] if found else "0"
        command = [sys.executable, "-m", "devstack.bor.proxy", "--upstream", node_url, "--port", port]
        environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), "PYTHONUNBUFFERED": "1"}
        log: Path = _life(run, "proxy", life).log("proxy")
        with servers.child("proxy", command, log=log, environment=environment) as server:
            found.append(servers.wait_until_said(server, r"Listening on (\S+)")[1])
            yield Proxy(url=found[0], process=server.process)

    return start


async def _initialise(settings: Mapping[str, str]) -> None:
    parts, said = Resources(settings, clock=system_clock), list[str]()
    try:
        if not await initialise(parts, apply=True, say=said.append):
            raise StepFailed("\n".join(said))
    finally:
        await parts.aclose()
