"""
The ground of a soak: two hosts of the app, two nodes, one storage, one chain.

Storage is on disk and keeps its ports; the chain lives through all of it, because anvil has no disk
to come back from; the app reaches it through two proxies, each a Polygon node with a pool of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from devstack import paths, servers, stack
from devstack.chaos.parts import Part, Proxy, Server, before, life_of, on_disk
from devstack.console import Console
from devstack.contracts import SIDE_OPERATOR_KEY, Deployment, Devchain, deploy
from devstack.runs import Run
from distributor.model import Address
from distributor.units import Wei

BLOCK_TIME_S = 1
DEEPEST_REORG_BLOCKS = 5
HOSTS = 2
NODES = 2
SETTINGS = {
    "BLOCK_TIME_S": str(BLOCK_TIME_S),
    "MIN_CONFIRMATIONS": str(DEEPEST_REORG_BLOCKS + 3),  # what is final never leaves: anvil's own tag is only 2 behind
    "RESUBMIT_AFTER_S": "4",
    "REPLACE_AFTER_S": "8",
    "RPC_TIMEOUT_S": "5",
    "RATE_LIMIT_PER_SOURCE": "0",  # duplicates come faster here than from any shop
}
"""Polygon's patience at twice its pace."""

SIDE_OPERATOR = Address("0xBcd4042DE499D14e55001CcbB24a551F3b954096")
_SIDE_COIN = Wei(10**22)

S = TypeVar("S", bound=Server)


@dataclass(kw_only=True, slots=True)
class Release:
    """What a host runs from its next start on: which code, and with which settings."""

    settings: Mapping[str, str]
    code: Path = paths.ROOT


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """All parts of a soak, and the settings that tie them."""

    storage: Part[servers.Azurite]
    chain: Part[servers.Anvil]
    nodes: tuple[Part[Proxy], ...]
    hosts: tuple[Part[stack.FunctionsHost], ...]
    releases: tuple[Release, ...]
    """Of each host."""
    deployment: Deployment
    settings: Mapping[str, str]
    """What the ledger was initialised with."""

    @property
    def parts(self) -> tuple[Part[Any], ...]:
        """Every process there is."""
        return (*self.hosts, self.storage, *self.nodes, self.chain)


@contextmanager
def ground(console: Console, run: Run, *, code: Path = paths.ROOT, side_lane: bool = False) -> Iterator[Ground]:
    """
    Start every part, the hosts with *code*; end them when the block ends.

    *side_lane*: a second operator pays at the same time, in the lane ``SIDE``.

    Raises:
        StepFailed: One of them did not start.
    """
    with ExitStack() as ends:

        def begin(part: Part[S]) -> S:
            ends.callback(part.stop)
            return part.start()

        with console.step("start the storage emulator, on disk"):
            storage = Part("storage", on_disk(run), run)
            azurite = begin(storage)
        with console.step(f"start an EVM node with a block each {BLOCK_TIME_S} s, and the contracts"):
            chain = Part("chain", lambda _: servers.anvil(None, stack.CHAIN_ID, BLOCK_TIME_S, run.log("anvil")), run)
            deployment = deploy(begin(chain).url, guarded=True)
            Devchain(deployment).mine(DEEPEST_REORG_BLOCKS)  # the contracts stay whatever is reorganised away
        with console.step("start the proxies that make it two Polygon nodes"):
            names = [f"node-{at}" for at in range(1, NODES + 1)]
            nodes = tuple(Part(name, before(deployment.url, run, name), run) for name in names)
            urls = ",".join(begin(node).url for node in nodes)
            settings = {**stack.app_settings(azurite, deployment), **SETTINGS, "RPC_URL": urls}
        with console.step("initialise the ledger"):
            stack.command(run, settings, "init", "--apply", code=code)
            if side_lane:
                settings |= _with_side_lane(run, deployment, settings)
        with console.step("start two Functions hosts"):
            releases = tuple(Release(settings=settings, code=code) for _ in range(HOSTS))
            hosts = tuple(a_host(f"host-{at}", release, run) for at, release in enumerate(releases, 1))
            for host in hosts:
                begin(host)
        yield Ground(
            storage=storage,
            chain=chain,
            nodes=nodes,
            hosts=hosts,
            releases=releases,
            deployment=deployment,
            settings=settings,
        )


def _with_side_lane(run: Run, deployment: Deployment, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Let one more operator pay: coin, the guard's word, its row in the ledger. Returns its setting."""
    chain = Devchain(deployment)
    chain.set_balance(SIDE_OPERATOR, _SIDE_COIN)
    chain.at_guard("allow", SIDE_OPERATOR)
    lane = {"OPERATOR_PK__SIDE": SIDE_OPERATOR_KEY}
    words = ("add-operator", "--apply", "--by", "soak", "--why", "a second lane")
    stack.command(life_of(run, "side-lane", 1), {**settings, **lane}, *words)
    return lane


def a_host(name: str, release: Release, run: Run) -> Part[stack.FunctionsHost]:
    """Return a host that takes what *release* says at each start."""

    def start(life: int) -> Any:
        return stack.functions_host(life_of(run, name, life), release.settings, "devstack", code=release.code)

    return Part(name, start, run)
