"""The ledger begins to pay through another Authority, and forgets nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.chain_types import Simulation
from distributor.ledger.own_addresses import former_parties
from distributor.model import OrderStatus
from distributor.payout.authority_change import AuthorityChange
from tests.factories import an_address
from tests.fakes.chain import OPERATOR
from tests.fakes.chain_state import AUTHORITY, GUARD
from tests.world import World, a_world

NEW = an_address("new authority")


async def a_change(*, guarded: bool = False) -> tuple[World, AuthorityChange]:
    """A paused ledger with one paid order; the administrators have replaced the Authority by NEW."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    await world.settle(6)
    assert await world.status(order) is OrderStatus.PAID
    await world.ledger.admin.pause("ana", "another authority")
    world.chain.rules.authority = NEW
    if guarded:
        world.guard.install(OPERATOR)
    change = AuthorityChange(
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        identity=replace(world.identity, guard=GUARD) if guarded else world.identity,
        operator=OPERATOR,
        gas_limit=300_000,
    )
    return world, change


def closed(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """None of our keys has a role at the Authority of before."""

    async def nobody(*_: object, **__: object) -> list[str]:
        return []

    monkeypatch.setattr(world.guard, "direct_payers", nobody)


@pytest.mark.parametrize("guarded", [False, True])
async def test_the_identity_names_the_new_one_and_the_old_one_stays_known(
    monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Every nonce row is written again in the same group, so that a round that read before loses."""
    world, change = await a_change(guarded=guarded)
    closed(monkeypatch, world)
    before = await world.ledger.binding_state(OPERATOR)

    assert await change.adopt(NEW, "ana", "replaced") == []

    identity, after = await world.ledger.identity(), await world.ledger.binding_state(OPERATOR)
    assert identity is not None
    assert before is not None
    assert after is not None
    assert identity.authority == NEW
    assert before.nonce_version != after.nonce_version
    assert [(each.kind, each.address) for each in await former_parties(world.rows)] == [("authority", AUTHORITY)]
    assert await world.ledger.own_addresses.all() >= {AUTHORITY, OPERATOR}


async def test_each_thing_in_the_way_is_named_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old way open, no contract, a refusal, silence of the node."""
    world, change = await a_change()
    assert "can still pay at" in " ".join(await change.adopt(NEW, "ana", "too early"))
    closed(monkeypatch, world)
    assert "no contract at" in " ".join(await change.obstacles(an_address("nowhere")))
    assert "of today" in " ".join(await change.obstacles(AUTHORITY))
    world.chain.rules.operators.clear()
    assert "would not pay the operator one unit" in " ".join(await change.obstacles(NEW))

    async def silent(*_: object, **__: object) -> list[Simulation]:
        return [Simulation(unknown="header not found")]

    monkeypatch.setattr(world.chain, "simulate", silent)
    assert "cannot say whether it would pay: header not found" in " ".join(await change.obstacles(NEW))
    identity = await world.ledger.identity()
    assert identity is not None
    assert identity.authority == AUTHORITY


async def test_through_a_guard_its_owner_changes_the_authority_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one there, a pause that nobody ended, or no guard at all."""
    world, change = await a_change(guarded=True)
    closed(monkeypatch, world)
    assert "set the new authority" in " ".join(await change.obstacles(an_address("a third")))
    world.chain.rules.guard_paused = True
    assert "is paused" in " ".join(await change.obstacles(NEW))
    world.chain.rules.guard_paused = False
    elsewhere = replace(change, identity=replace(change.identity, guard=an_address("nowhere")))
    assert "There is no guard" in " ".join(await elsewhere.obstacles(NEW))
