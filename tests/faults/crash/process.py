"""What runs in a process of its own: one order, worked on until the process is killed; and who comes after it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from distributor.cli.init import initialise
from distributor.ledger import Ledger
from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.payout.distribution import Drained
from distributor.resources import Resources
from distributor.webhook.authentication import WebhookRequest
from distributor.wiring import Container
from foundation.clock import UnixMs, system_clock
from foundation.errors import Transient
from tests.faults.crash.wire import Call, Trip, Wire

LEASES_END_MS = 31_000
"""How much later the next process looks: every lease of the dead one has ended."""
WAKES_MAX = 20
PHASES = ("intake", "distribution", "settlement")


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One order on a ledger and a chain of its own."""

    settings: Mapping[str, str]
    order_id: str
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """The shop's signature of the body."""
        secret = self.settings["WEBHOOK_SECRET"].encode()
        return {"X-WP-Signature": hmac.digest(secret, self.body, hashlib.sha256).hex()}


@dataclass(frozen=True, slots=True)
class Answered:
    """The shop got its answer, so it will not send the order again."""


@dataclass(frozen=True, slots=True)
class Died:
    """The process dies now, at this call."""

    call: Call


@dataclass(frozen=True, slots=True)
class Ended:
    """The process was not killed; these were its calls."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What the ledger holds when nothing is left to do."""

    status: str
    committed_units: int
    open: bool
    bindings: int
    """Nonces bound by the process that came after."""


def work(job: Job, trip: Trip | None, habit: Callable[[], None] | None, said: Connection) -> None:
    """Take one order from the shop's bytes to `paid`, or to where the *trip* kills this process."""
    if habit:
        habit()
    asyncio.run(_work(job, trip, said))


async def _work(job: Job, trip: Trip | None, said: Connection) -> None:
    parts = Resources(job.settings, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    await parts.aclose()
    wire = Wire(trip, dying=lambda call: said.send(Died(call)))
    wire.watch()
    container = Container(job.settings, clock=system_clock)
    wire.phase = "intake"
    await (await container.intake()).accept(WebhookRequest(headers=job.headers, body=job.body))
    said.send(Answered())
    wire.phase = "distribution"
    await (await container.payouts.distribution()).drain()
    wire.phase = "settlement"
    await _settle(container, job.settings["RPC_URL"])
    said.send(Ended(tuple(wire.calls)))
    await container.aclose()


def come_after(job: Job, answered: bool, said: Connection) -> None:
    """Do what is left: the shop sends again what was not answered, the sweep wakes what stalled."""
    asyncio.run(_come_after(job, answered, said))


async def _come_after(job: Job, answered: bool, said: Connection) -> None:
    container = Container(job.settings, clock=lambda: UnixMs(system_clock() + LEASES_END_MS))
    if not answered:
        await (await container.intake()).accept(WebhookRequest(headers=job.headers, body=job.body))
    bindings = 0
    for _ in range(WAKES_MAX):
        try:
            wakes = await (await container.sweep()).run()
            if not (wakes.distribute or wakes.settle):
                break
            bindings += (await _drain(container)).bound if wakes.distribute else 0
            await _settle(container, job.settings["RPC_URL"])
        except Transient as trouble:  # storage was too slow for our deadline: the sweep of the next minute looks again
            sys.stderr.write(f"a wake ended early: {trouble}\n")
    said.send(await _left(container, job.order_id, bindings))
    await container.aclose()


async def _drain(container: Container) -> Drained:
    return await (await container.payouts.distribution()).drain()


async def _settle(container: Container, node_url: str) -> None:
    """Follow until nothing is open; where settlement would wait for a block, the chain makes one."""

    async def a_block(_: float) -> None:
        mine(node_url)

    await replace(await container.payouts.settlement(), sleep=a_block).follow()


async def _left(container: Container, order_id: str, bindings: int) -> Left:
    document = await (await container.status()).of(OrderKey(DEFAULT_SOURCE, order_id))
    distribution = await container.payouts.distribution()
    ledger: Ledger = distribution.ledger
    binding_state = await ledger.binding_state(distribution.lane.operator)
    assert binding_state is not None, "the ledger lost its books"
    return Left(
        status=str(document["status"]) if document else "unknown",
        committed_units=binding_state.committed_units,
        open=await ledger.any_open(),
        bindings=bindings,
    )


def mine(node_url: str) -> None:
    """Make a block; not through the wire that is watched."""
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "anvil_mine", "params": ["0x1"]}).encode()
    request = urllib.request.Request(node_url, call, {"Content-Type": "application/json"})  # noqa: S310 -- loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback
        assert "error" not in json.load(answer)
