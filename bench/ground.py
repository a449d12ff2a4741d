"""The servers of one measurement: storage, node, the counter before both, and the app in its host."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from azure.data.tables import TableClient
from eth_account import Account

from bench.figures import Counts
from devstack import servers, stack
from devstack.contracts import Deployment, Devchain, deploy
from devstack.runs import Run
from distributor.model import Address

_COUNTED = ("table", "queue", "blob", "rpc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What one measurement runs on; every setting that names a server names the counter before it."""

    deployment: Deployment
    settings: Mapping[str, str]
    storage: str
    """The connection string past the counter: what the benchmark itself reads is not counted."""
    counter_url: str
    rpc_url: str
    host: psutil.Process | None
    url: str
    """Of the app; empty without a host."""
    log: Path

    def counts(self) -> Counts:
        return Counts.at(self.counter_url)

    def worker(self) -> psutil.Process:
        """Return the process that runs the app's code: the host's child."""
        if self.host is None:
            raise RuntimeError("no host runs on this ground")
        (worker,) = [each for each in self.host.children() if "devstack.host.worker_main" in each.cmdline()]
        return worker

    def ledger(self) -> TableClient:
        return TableClient.from_connection_string(self.storage, "ledger")


def logs_of(run: Run, name: str) -> Run:
    """Return a folder of *run* for the logs of one measurement."""
    folder = run.folder / name
    folder.mkdir()
    return Run(folder)


@contextmanager
def chain(run: Run, logs: Run, *, guarded: bool) -> Iterator[Deployment]:
    """Run a node with a block each two seconds, and the contracts on it, until the block ends."""
    with servers.anvil(None, stack.CHAIN_ID, stack.BLOCK_TIME_S, logs.log("anvil")) as anvil:
        run.add(anvil.process.pid)
        yield deploy(anvil.url, guarded=guarded)


@contextmanager
def counter(run: Run, logs: Run, behind: Mapping[str, int]) -> Iterator[Mapping[str, int]]:
    """Run the counter before the ports *behind*; yield where it listens, by what is behind."""
    options = [text for kind, port in behind.items() for text in (f"--{kind}", str(port))]
    environment = stack.environment({})
    command = [sys.executable, "-m", "bench.counter", *options]
    with servers.child("counter", command, log=logs.log("counter"), environment=environment) as server:
        run.add(server.process.pid)
        yield {name: int(servers.wait_until_said(server, rf"{name} on (\d+)")[1]) for name in ("counted", *_COUNTED)}


def _lanes(deployment: Deployment, lanes: int) -> Mapping[str, str]:
    """Let as many operators pay as there are *lanes*; return the settings of those beside the first one."""
    chain, keys = Devchain(deployment), {f"OPERATOR_PK__L{number}": _key(number) for number in range(2, lanes + 1)}
    for key in keys.values():
        operator = Account.from_key(key).address
        chain.set_balance(Address(operator), chain.gas_balance_of(deployment.operator))
        chain.at_guard("allow", operator)
    return keys


def _key(number: int) -> str:
    return "0x" + hashlib.sha256(f"the operator of lane {number}".encode()).hexdigest()


@contextmanager
def ground(run: Run, name: str, changes: Mapping[str, str], *, host: bool = True, lanes: int = 1) -> Iterator[Ground]:
    """Run everything until the block ends, with *changes* to the settings of the local stack; *lanes* are operators."""
    logs = logs_of(run, name)
    with ExitStack() as ends:
        azurite = ends.enter_context(servers.azurite(None, None, logs.log("azurite")))
        run.add(azurite.process.pid)
        deployment = ends.enter_context(chain(run, logs, guarded=True))
        behind = {"table": azurite.table_port, "queue": azurite.queue_port, "blob": azurite.blob_port}
        rpc = int(deployment.url.rpartition(":")[2])
        ports = ends.enter_context(counter(run, logs, {**behind, "rpc": rpc}))
        settings = {**stack.app_settings(azurite, deployment), "RATE_LIMIT_PER_SOURCE": "0", **changes}
        settings |= _lanes(deployment, lanes)
        stack.command(logs, settings, "init", "--apply")
        if lanes > 1:
            stack.command(logs, settings, "add-operator", "--apply", "--why", "lanes are measured")
        counted = servers.Azurite(
            blob_port=ports["blob"], queue_port=ports["queue"], table_port=ports["table"], process=azurite.process
        )
        rpc_url = f"http://127.0.0.1:{ports['rpc']}"
        settings |= {"AzureWebJobsStorage": counted.connection_string, "RPC_URL": rpc_url}
        running = ends.enter_context(stack.functions_host(logs, settings, "devstack")) if host else None
        yield Ground(
            deployment=deployment,
            settings=settings,
            storage=azurite.connection_string,
            counter_url=f"http://127.0.0.1:{ports['counted']}/counted",
            rpc_url=rpc_url,
            host=psutil.Process(running.process.pid) if running else None,
            url=running.url if running else "",
            log=logs.log("host"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """What the plain script runs on: a node behind the counter, and no guard."""

    deployment: Deployment
    counter_url: str
    rpc_url: str


@contextmanager
def script_ground(run: Run) -> Iterator[Script]:
    """Run a node of its own for the script, whose key is the Authority's operator, until the block ends."""
    logs = logs_of(run, "script")
    with chain(run, logs, guarded=False) as deployment:
        port = int(deployment.url.rpartition(":")[2])
        behind = dict.fromkeys(_COUNTED, port)
        with counter(run, logs, behind) as ports:
            yield Script(
                deployment=deployment,
                counter_url=f"http://127.0.0.1:{ports['counted']}/counted",
                rpc_url=f"http://127.0.0.1:{ports['rpc']}",
            )
