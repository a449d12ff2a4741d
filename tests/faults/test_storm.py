"""
Everything at once, by chance with a seed: faults of the wire, fees, reorganisations, forgetful pools, restarts.

``STORM_SEEDS=200 pytest tests/faults/test_storm.py`` tries more seeds; a failing one is in the test's name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from devstack.bor.faults import Fault, Kind, fault
from devstack.bor.proxy import BorProxy
from devstack.bor.view import Finality
from tests.faults.polygon_world import DEEPEST_REORG_BLOCKS, PolygonWorld

SEEDS = range(int(os.environ.get("STORM_SEEDS", "3")))
PHASES = 12


def some_faults(chance: Random) -> Sequence[Fault]:
    """Return up to three kinds of fault, each as likely as chance has it."""
    kinds = chance.sample(sorted(Kind), k=chance.randint(0, 3))
    return [fault(kind, chance=chance.uniform(0.1, 0.9), blocks=chance.randint(1, 6)) for kind in kinds]


def forget_some(world: PolygonWorld, proxy: BorProxy, chance: Random) -> None:
    """Let the pool forget about a third of what it holds; the producer behind it does as well."""
    for offer in proxy.node.pool:
        if chance.random() < 1 / 3:
            proxy.node.pool.drop(offer.tx_hash)
            world.devchain.rpc("anvil_dropTransaction", offer.tx_hash)


async def a_phase(world: PolygonWorld, chance: Random) -> None:
    """Let some orders come, some things go wrong, and some blocks pass."""
    for proxy in world.proxies:
        proxy.script.set(*some_faults(chance))
        proxy.node.pool.rules = replace(proxy.node.pool.rules, puts_back=chance.random() < 1 / 2)
        if chance.random() < 1 / 4:
            forget_some(world, proxy, chance)
    world.set_base_fee(chance.choice([1, 5, 12, 22, 30, 45, 58]))
    if chance.random() < 1 / 4:
        await world.restart()
    await world.receive(chance.randint(0, 5))
    await world.step(chance.randint(1, 12))
    if chance.random() < 1 / 3:
        world.devchain.reorg(chance.randint(1, DEEPEST_REORG_BLOCKS))
        world.set_base_fee(5)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_storm_pays_each_order_once(two_nodes: PolygonWorld, seed: int) -> None:
    """Two nodes, twelve phases; once it is over every order is paid, and by one transfer."""
    world, chance = two_nodes, Random(seed)  # noqa: S311 -- a run that can be repeated, no secret
    for proxy in world.proxies:
        proxy.node.finality = Finality(back=DEEPEST_REORG_BLOCKS)
    for _ in range(PHASES):
        await a_phase(world, chance)
    for proxy in world.proxies:
        proxy.script.clear()
    world.set_base_fee(5)
    await world.run()

    assert world.orders
    await world.everybody_was_paid_once()
