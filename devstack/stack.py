"""
The parts of the local stack, and the settings that tie them together.

The settings are those of ``local.settings.json.example``, with the places and addresses of the
parts that really run.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import NoReturn, Protocol, TypeVar

from devstack import paths, servers, setup
from devstack.console import Console, StepFailed
from devstack.contracts import Deployment, deploy
from devstack.host.keys import FUNCTION_SETTING, MASTER_SETTING
from devstack.host.times import STOP_SETTING
from devstack.runs import Run
from distributor.settings import about

CHAIN_ID = 31337
BLOCK_TIME_S = 2
STORAGE_PORTS = (10000, 10001, 10002)
"""Blob, queue, table: where ``UseDevelopmentStorage=true`` looks."""
CHAIN_PORT = 8545
EXAMPLE = paths.ROOT / "local.settings.json.example"
FUNCTION_KEY = "local-function-key"
MASTER_KEY = "local-master-key"
CONSOLE_PERSON = "local"
CONSOLE_TOKEN = f"CONSOLE_TOKEN__{CONSOLE_PERSON.upper()}"
"""The setting with the personal token of the person who runs the stack; another one each time."""
_STOP_S = "2"
"""The platform gives 37 seconds; nobody waits so long for a stack that is thrown away."""
_FIRST_ANSWER_S = 90.0
_NEVER_ANSWERS = ("No job functions found", "The host cannot start")
"""As in Azure, the process stays up with an app that does not load; a person at a desk is informed."""


class _Server(Protocol):
    @property
    def process(self) -> Popen[bytes]: ...


S = TypeVar("S", bound=_Server)


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Storage and chain, with the contracts on it and a ledger that knows them."""

    storage: servers.Azurite
    chain: servers.Anvil
    deployment: Deployment
    settings: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionsHost:
    """A Functions host that answers."""

    url: str
    process: Popen[bytes]


@contextmanager
def services(console: Console, run: Run, *, fixed_ports: bool) -> Iterator[Services]:
    """Run storage and chain until the block ends; on free ports, or on those of the example. Raises StepFailed."""
    storage = servers.azurite(None, STORAGE_PORTS if fixed_ports else None, run.log("azurite"))
    chain = servers.anvil(CHAIN_PORT if fixed_ports else None, CHAIN_ID, BLOCK_TIME_S, run.log("anvil"))
    with (
        started(console, run, "start Azurite, the storage emulator", storage) as azurite,
        started(console, run, f"start anvil, an EVM node with a block each {BLOCK_TIME_S} s", chain) as anvil,
    ):
        with console.step("deploy the token, the Authority and the guard"):
            deployment = deploy(anvil.url, guarded=True)
        settings = app_settings(azurite, deployment)
        with console.step("initialise the ledger"):
            command(run, settings, "init", "--apply")
        yield Services(storage=azurite, chain=anvil, deployment=deployment, settings=settings)


@contextmanager
def started(console: Console, run: Run, name: str, server: AbstractContextManager[S]) -> Iterator[S]:
    """Start *server* as a step of its own, remember its process, and end it with the block. Raises StepFailed."""
    with ExitStack() as stack:
        with console.step(name):
            try:
                running = stack.enter_context(server)
            except (servers.ServerFailed, paths.NotInstalled) as why:
                raise StepFailed(str(why)) from why
            run.add(running.process.pid)
        yield running


@contextmanager
def functions_host(
    run: Run, settings: Mapping[str, str], kind: str, port: int | None = None, *, code: Path = paths.ROOT
) -> Iterator[FunctionsHost]:
    """
    Run the app in a Functions host until the block ends.

    Args:
        run: Where its log goes.
        settings: The app's.
        kind: ``func`` for Core Tools; any other word is our own.
        port: None: any free one.
        code: The folder of the app, and of our own host.
    """
    port = port or free_port()
    command = _core_tools(port) if kind == "func" else _our_host(port, code)
    url = f"http://127.0.0.1:{port}"
    given = environment({**settings, "CONSOLE_URL": url}, code)
    with servers.child("host", command, log=run.log("host"), environment=given) as server:
        first_answer(url, server)
        yield FunctionsHost(url=url, process=server.process)


def app_settings(storage: servers.Azurite, deployment: Deployment) -> dict[str, str]:
    """Return the example's settings with what really runs in the place of its fixed ports and addresses."""
    example: dict[str, str] = json.loads(EXAMPLE.read_text("utf-8"))["Values"]
    return {
        **example,
        "AzureWebJobsStorage": storage.connection_string,
        "BACKUP_STORAGE": storage.connection_string,
        "RPC_URL": deployment.url,
        "CHAIN_ID": str(deployment.chain_id),
        "FIRST_BLOCK": str(deployment.block_number),
        "TOKEN_ADDRESS": deployment.token,
        "AUTHORITY_ADDRESS": deployment.authority,
        "RESERVE_ADDRESS": deployment.reserve,
        "GUARD_ADDRESS": deployment.guard or "",
        "MAX_ORDERS_PER_TRANSACTION": "30",
        "OPERATOR_PK": deployment.operator_key,
        CONSOLE_TOKEN: secrets.token_hex(32),
        "CONSOLE_OPERATORS": CONSOLE_PERSON,
        "CONSOLE_KEY": secrets.token_hex(32),
        FUNCTION_SETTING: FUNCTION_KEY,
        MASTER_SETTING: MASTER_KEY,
        STOP_SETTING: _STOP_S,
    }


def environment(settings: Mapping[str, str], code: Path = paths.ROOT) -> dict[str, str]:
    """Return this environment with *settings* and no other setting of the app: a shell's own must not leak in."""
    ours = {name: value for name, value in os.environ.items() if name not in about() and "KEYVAULT" not in name}
    return {**ours, "PYTHONPATH": str(code), "PYTHONUNBUFFERED": "1", **settings}


def command(run: Run, settings: Mapping[str, str], *words: str, code: Path = paths.ROOT) -> None:
    """Type a command of the distributor. Raises StepFailed when it ends with another code than 0."""
    log = run.log(words[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        ended = subprocess.run(
            [sys.executable, "-m", "distributor", *words],
            cwd=code,
            env=environment(settings, code),
            stdout=sink,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        raise StepFailed(f"`python -m distributor {' '.join(words)}` ended with code {ended.returncode}.", log)


def _our_host(port: int, code: Path) -> list[str]:
    options = ["--app", str(code), "--port", str(port), "--runtime", str(setup.RUNTIME)]
    return [sys.executable, "-m", "devstack.host", *options, "--no-local-settings", "--restart"]


def _core_tools(port: int) -> list[str]:
    func = shutil.which("func")
    if func is None:
        raise servers.ServerFailed(
            "Azure Functions Core Tools are not on PATH; install them: "
            "https://learn.microsoft.com/azure/azure-functions/functions-run-local"
        )
    return [func, "start", "--script-root", str(paths.ROOT), "--port", str(port)]


def first_answer(url: str, server: servers.Child) -> None:
    """Wait until the app answers. Raises ServerFailed when it never will."""
    deadline = time.monotonic() + _FIRST_ANSWER_S
    while not _answers(f"{url}/healthz"):
        said = server.log.read_text("utf-8", errors="replace")
        given_up = any(words in said for words in _NEVER_ANSWERS)
        if given_up or server.process.poll() is not None or time.monotonic() > deadline:
            raise servers.ServerFailed(f"the Functions host does not answer; the end of {server.log}:\n{said[-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 -- our own loopback URL
            return bool(reply.status == 200)  # noqa: PLR2004 -- OK
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stay(parts: Mapping[str, Popen[bytes]], run: Run, meanwhile: Callable[[], object] = lambda: None) -> NoReturn:
    """
    Wait until someone asks for the end (Ended), doing *meanwhile* again and again.

    A part that ends by itself is a failure (StepFailed).
    """
    while True:
        meanwhile()
        for name, process in parts.items():
            if process.poll() is not None:
                raise StepFailed(f"{name} ended by itself.", run.log(name))
        time.sleep(0.5)
