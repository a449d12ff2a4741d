"""The exits a person takes from a state in which ledger and chain differ, tried where they do not differ too."""

from __future__ import annotations

from distributor.model import Hash, OrderKey
from tests.properties.machine_host import Host
from tests.properties.machine_loop import Job
from tests.properties.machine_rules import OPERATORS, ORDERS

EXITS = ["bar", "resubmit", "settle", "reopen"]
_NONCES = 6
"""More than most histories bind."""


def take_exit(host: Host, what: str, at: int) -> Job:
    """Begin the command *what*, about whatever *at* picks."""
    world, operator = host.world, OPERATORS[at % len(OPERATORS)]
    orders = world.stored()
    if what == "bar" or not orders:
        key = OrderKey("default", ORDERS[at % len(ORDERS)])
        world.asked[key] = world.asked.get(key, 0) + 1  # whoever sends it later is answered that it is known
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
