"""
Real servers as child processes: Azurite (the Azure Storage emulator) and anvil (an EVM node).

A server listens on loopback only. Without a port given it picks a free one itself and says which,
so two stacks never race for one. Each is its own process group, ended as a whole.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from devstack import paths

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
STATES_KEPT = 20_000
"""Blocks whose state anvil keeps: a local chain of 2 s blocks makes as many in eleven hours."""
_POLL_S = 0.02
_LOG_TAIL_CHARS = 2000

# Public and the same on every machine: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class ServerFailed(RuntimeError):
    """A server ended before it answered, or did not answer in time; holds the end of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Azurite:
    """A running Azure Storage emulator."""

    blob_port: int
    queue_port: int
    table_port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def connection_string(self) -> str:
        """What ``AzureWebJobsStorage`` takes."""
        places = {"Blob": self.blob_port, "Queue": self.queue_port, "Table": self.table_port}
        endpoints = (f"{name}Endpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};" for name, port in places.items())
        return (
            f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};{''.join(endpoints)}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Anvil:
    """A running EVM node with anvil's ten well-known accounts."""

    url: str
    process: subprocess.Popen[bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """A server's process and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def azurite(
    folder: Path | None = None, ports: tuple[int, int, int] | None = None, log: Path | None = None
) -> Iterator[Azurite]:
    """
    Run Azurite until the block ends; in memory when *folder* is None.

    Args:
        folder: Where the data stays between runs.
        ports: Blob, queue, table; free ones when None.
        log: Where its output goes; kept only while it runs when None.

    Raises:
        NotInstalled: ``npm ci`` was not run, or there is no Node.
        ServerFailed: It did not start, a busy port included.
    """
    blob, queue, table = ports or (0, 0, 0)
    command = [
        *(str(paths.node().binary), str(paths.installed(paths.AZURITE))),
        *("--disableTelemetry", "--skipApiVersionCheck"),  # the queue SDK speaks a newer API version
        *(("--location", str(folder)) if folder else ("--inMemoryPersistence",)),
        *("--blobHost", "127.0.0.1", "--blobPort", str(blob)),
        *("--queueHost", "127.0.0.1", "--queuePort", str(queue)),
        *("--tableHost", "127.0.0.1", "--tablePort", str(table)),
    ]
    with child("azurite", command, log=log) as server:
        names = ("Blob", "Queue", "Table")
        found = [wait_until_said(server, rf"{name} service is successfully listening at \S+:(\d+)") for name in names]
        blob, queue, table = (int(match[1]) for match in found)
        yield Azurite(blob_port=blob, queue_port=queue, table_port=table, process=server.process)


@contextmanager
def anvil(
    port: int | None = None,
    chain_id: int = 31337,
    block_time_s: int | None = None,
    log: Path | None = None,
    *,
    mining: bool = True,
    state: Path | None = None,
) -> Iterator[Anvil]:
    """
    Run anvil until the block ends. Its ``finalized`` block is two behind the latest.

    Args:
        port: A free one when None.
        chain_id: What ``eth_chainId`` answers.
        block_time_s: A block each so many seconds; a block for each transaction when None.
        log: Where its output goes; kept only while it runs when None.
        mining: False: a block only when asked for.
        state: File the chain is read from when it is there, and written to at the end.

    Raises:
        NotInstalled: ``npm ci`` was not run.
        ServerFailed: It did not start, a busy port included.
    """
    command = [
        str(paths.installed(paths.foundry("anvil"))),
        *("--host", "127.0.0.1", "--port", str(port or 0), "--chain-id", str(chain_id)),
        *("--slots-in-an-epoch", "1"),
        # Anvil 1.7.1 moves all but its last 500 states to disk, and a reorganisation to one of those loses every
        # contract's code: calls then succeed and do nothing. This many stay in memory, and none goes to disk.
        *("--prune-history", str(STATES_KEPT)),
        # The next hardfork limits a transaction to 2^24 gas (EIP-7825); Polygon allows 2^25.
        *("--hardfork", "prague"),
        *(("--block-time", str(block_time_s)) if block_time_s else ()),
        *(() if mining else ("--no-mining",)),
        *(("--state", str(state)) if state else ()),
    ]
    with child("anvil", command, log=log) as server:
        found = wait_until_said(server, r"Listening on 127\.0\.0\.1:(\d+)")
        yield Anvil(url=f"http://127.0.0.1:{found[1]}", process=server.process)


@contextmanager
def child(
    name: str, command: Sequence[str], *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Run *command* in a folder of its own and a process group of its own until the block ends, then end it whole."""
    with TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as scratch:
        output = (log or Path(scratch) / f"{name}.log").resolve()
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("wb") as sink:
            process = _start(command, Path(scratch), sink, environment)
        try:
            yield Child(name=name, process=process, log=output)
        finally:
            stop(process)


def wait_until_said(server: Child, pattern: str, *, timeout_s: float = START_TIMEOUT_S) -> re.Match[str]:
    """
    Wait until *server* itself says *pattern*, so that a stranger on its port is never taken for it.

    Raises:
        ServerFailed: It ended, or did not say it in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        ended = server.process.poll()  # asked before the log is read: what is there then is all there will be
        said = server.log.read_text(encoding="utf-8", errors="replace")
        if match := re.search(pattern, said):
            return match
        if ended is not None or time.monotonic() > deadline_s:
            trouble = f"not up in {timeout_s:g} s" if ended is None else f"ended with code {ended}"
            raise ServerFailed(f"{server.name} {trouble}; the end of {server.log}:\n{said[-_LOG_TAIL_CHARS:]}")
        time.sleep(_POLL_S)


if sys.platform == "win32":

    def _start(
        command: Sequence[str], folder: Path, sink: BinaryIO, environment: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )

    def stop(process: subprocess.Popen[bytes]) -> None:
        """End a server that was started here; one that has ended already is no error."""
        if process.poll() is None:
            process.terminate()
        process.wait(STOP_TIMEOUT_S)

else:

    def _start(
        command: Sequence[str], folder: Path, sink: BinaryIO, environment: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the children in order
        )

    def stop(process: subprocess.Popen[bytes]) -> None:
        """End a server that was started here and all it started; one that has ended already is no error."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        # A process of the group that is still there ignored its end, or outlived its parent. Gone already:
        # no such group, or on macOS no right to it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
