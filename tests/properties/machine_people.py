"""What people do: stop and go on, decide about orders, take the exits where ledger and chain differ, and elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from distributor.model import Hash, OrderKey
from distributor.units import TokenUnits
from foundation.clock import DAY_MS
from tests.factories import TOKEN
from tests.properties.machine_host import Host
from tests.properties.machine_loop import Job
from tests.properties.machine_rules import DEEP_REORG_BLOCKS_MAX, OPERATORS, ORDERS

if TYPE_CHECKING:
    from tests.properties.machine_world import World

EXITS = ["bar", "resubmit", "settle", "reopen"]
_NONCES = 6
"""More than most histories bind."""


class Start(Protocol):
    """Begins an invocation on a host, and lets it get as far as it may for now."""

    def __call__(self, at: int, begin: Callable[[Host], Job], *, at_once: bool = False) -> None: ...


class People:
    """Who has the command line: any command at any moment, each begun on one of the hosts."""

    def __init__(self, world: World, start: Start) -> None:
        self.world, self._start = world, start

    def pause(self, host: int, at_once: bool, halts: bool) -> None:
        """A person closes the switch; once that is answered nothing is bound, and after a halt nothing submitted."""
        self._start(host, lambda each: each.pause(halts=halts), at_once=at_once)

    def resume(self, host: int) -> None:
        """A person opens the switch."""
        for each, job in self.world.jobs:
            if job.name == "pause":
                each.turns.run(job)
        self.world.paused_for_good = self.world.halted_for_good = False
        self._start(host, Host.resume, at_once=True)

    def decide(self, host: int, at: int, at_once: bool, cancel: bool) -> None:
        """A person retries an order, or takes one back; refused where its state forbids that."""
        orders = self.world.stored()
        if orders:
            order = orders[at % len(orders)]
            self._start(host, lambda each: each.cancel(order) if cancel else each.retry(order), at_once=at_once)

    def purge(self, host: int, at: int, at_once: bool) -> None:
        """
        A person has the data of an order erased that is over; refused where it is still needed.

        That waits for a day, in which more blocks are made than ever leave the chain.
        """
        orders = [order for order in self.world.stored() if order.purged_ms is None]
        if orders:
            self.world.clock.advance(DAY_MS + 1)
            for _ in range(DEEP_REORG_BLOCKS_MAX + 1):
                self.world.block_passes()
            order = orders[at % len(orders)]
            self._start(host, lambda each: each.purge(order), at_once=at_once)

    def approve(self, host: int, at: int, by: str, at_once: bool) -> None:
        """A person approves an order; refused unless it waits for that, and to who asked for it."""
        orders = self.world.stored()
        if orders:
            order = orders[at % len(orders)]
            self._start(host, lambda each: each.approve(order, by), at_once=at_once)

    def change_limit(self, host: int, tokens: int | None) -> None:
        """A person sets another limit, or none; that host starts anew with it, the other one when it is started."""
        units = None if tokens is None else TokenUnits(tokens * TOKEN)
        self.world.caps = replace(self.world.caps, approval_units=units)
        self.world.kill(host)

    def cancel_nonce(self, host: int, at: int, at_once: bool) -> None:
        """A person has a nonce spent on nothing; refused while its payment would go through."""
        opened = self.world.loop.finish(self.world.ledger.open_transactions())
        if opened:
            slot = opened[at % len(opened)].transaction
            self._start(host, lambda each: each.cancel_nonce(slot.operator, slot.nonce), at_once=at_once)

    def rotate(self, host: int, at_once: bool) -> None:
        """A person adds the next key; once that is answered it is configured, and each host takes it at its start."""
        self._start(host, lambda each: each.add_operator(self.world.rotated), at_once=at_once)

    def command(self, host: int, what: str, at: int, at_once: bool) -> None:
        """A person takes one of the other exits; refused where ledger and chain agree."""
        self._start(host, lambda each: _take_exit(each, what, at), at_once=at_once)

    def change_shop(self, name: bool, secret: bool) -> None:
        """A person gives the first shop another name, or another secret under the old name or a new one."""
        if self.world.shops is not None:
            self.world.shops.change(name=name, secret=secret)

    def say_whose(self, host: int, at_once: bool) -> None:
        """A person says whose the secrets are that nobody has spoken of."""
        if not any(job.name == "say whose" for _, job in self.world.jobs):
            self._start(host, Host.say_whose, at_once=at_once)

    def resolve(self, host: int, at: int, at_once: bool) -> None:
        """A person names the transaction that spent a nonce which the ledger bound, or never bound."""
        strays = sorted(self.world.strays)
        if strays:
            operator, nonce = strays[at % len(strays)]
            self._start(host, lambda each: each.resolve(operator, nonce), at_once=at_once)

    def rebuild(self, host: int, at_once: bool) -> None:
        """A person has the ledger made again from the chain, once it is lost; one at a time."""
        if self.world.lost and not any(job.name == "rebuild" for _, job in self.world.jobs):
            self._start(host, Host.rebuild, at_once=at_once)


def _take_exit(host: Host, what: str, at: int) -> Job:
    """Begin the command *what*, about whatever *at* picks."""
    world, operator = host.world, OPERATORS[at % len(OPERATORS)]
    orders = world.stored()
    if what == "bar" or not orders:
        key = OrderKey("default", ORDERS[at % len(ORDERS)])
        world.asked[key] = world.asked.get(key, 0) + 1  # a later sender gets the answer that it is known
        return host.bar(key)
    order = orders[at % len(orders)]
    if what == "resubmit" or not world.chain.handed:
        return host.resubmit(operator, at % _NONCES)
    tx_hash = _hash_of(host, at)
    if what == "settle" and not world.liars:  # of a bound order a person may decide to believe one node
        return host.settle_by(order, tx_hash)
    return host.reopen(order, tx_hash)


def _hash_of(host: Host, at: int) -> Hash:
    handed = host.world.chain.handed
    return handed[at % len(handed)].tx_hash
