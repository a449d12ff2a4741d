"""The guard on a real node: whatever happens to the ledger, an order is paid once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from devstack.contracts import OPERATOR_KEY, SECOND_OPERATOR_KEY, Devchain
from distributor.model import OrderStatus
from distributor.state import WaitingReason
from foundation.tablestore.memory import MemoryRows
from tests.faults.polygon_world import PolygonWorld, polygon_world

FINALITY_BLOCKS = 6


@pytest.fixture
def guarded(devchain: Devchain) -> Devchain:
    """The shared chain with a guard as the Authority's only operator."""
    devchain.revoke(devchain.deployment.operator)
    return Devchain(devchain.install_guard())


@pytest.fixture
async def world(guarded: Devchain) -> AsyncIterator[PolygonWorld]:
    """One Polygon node, the ledger in memory, the guard in between."""
    async with polygon_world(guarded) as opened:
        yield opened


@asynccontextmanager
async def another_ledger(world: PolygonWorld, key: str) -> AsyncIterator[PolygonWorld]:
    """Open an empty ledger on the same chain, with a key of its own."""
    async with AsyncExitStack() as stack:
        other = PolygonWorld(world.devchain, world.proxies, MemoryRows(), key=key)
        stack.push_async_callback(other.aclose)
        operator = other.signer.address
        await other.ledger.admin.initialise(other.identity, operator, world.devchain.nonce_of(operator))
        yield other


def moved(world: PolygonWorld) -> int:
    """Return how many transfers left the reserve."""
    return len(world.devchain.payouts())


async def hashes(world: PolygonWorld) -> list[str | None]:
    """Return by which transactions the orders of *world* are paid."""
    return [(await world.order(order)).paid_hash for order in world.orders]


async def waits_for(world: PolygonWorld) -> WaitingReason | None:
    """Return why orders wait."""
    return (await world.ledger.service.why_waiting()).reason


async def test_orders_are_paid_through_the_guard_and_recorded(world: PolygonWorld) -> None:
    """Each by its own event, in a block that the guard remembers."""
    await world.receive(3)
    await world.run()

    await world.everybody_was_paid_once()
    for order in world.orders:
        found = await world.order(order)
        record = world.devchain.recorded(order.ref_id)
        assert found.paid_block == record >> 160
        assert record % 2**160 == int(order.wallet, 16)
        assert found.paid_log is not None


async def test_an_emptied_ledger_adopts_what_was_paid_and_pays_nothing_again(world: PolygonWorld) -> None:
    """The shop sends everything again to a ledger that knows nothing: paid by the first hashes."""
    await world.receive(3)
    await world.run()
    await world.step(FINALITY_BLOCKS)
    async with another_ledger(world, OPERATOR_KEY) as emptied:
        await emptied.receive(3)
        await emptied.run()

        assert await hashes(emptied) == await hashes(world)
        assert "paid_elsewhere" in emptied.raised.codes
    assert moved(world) == 3


async def test_a_ledger_that_went_back_pays_nothing_again(guarded: Devchain) -> None:
    """Its table is the one from before the binding; only the nonce was set right by a person."""
    rows = MemoryRows()
    async with polygon_world(guarded, rows) as world:
        await world.receive(3)
        before = dict(rows._rows)
        await world.run()
        await world.step(FINALITY_BLOCKS)
        paid = await hashes(world)
        nonce = next(row for key, row in rows._rows.items() if key.startswith("nonce:"))
        rows._rows = {**before, nonce.key: nonce}
        await world.restart()
        await world.run()

        assert await hashes(world) == paid
        assert moved(world) == 3


async def test_two_keys_and_one_reference_from_two_ledgers_end_paid_by_one_hash(world: PolygonWorld) -> None:
    """Both are bound before either is mined; the second ends AlreadyPaid."""
    async with another_ledger(world, SECOND_OPERATOR_KEY) as other:
        await world.bind(2)
        await other.bind(2)
        for _ in range(FINALITY_BLOCKS):
            await world.step()
            await other.settlement.turn()
        await world.run()
        await other.run()

        assert await hashes(world) == await hashes(other)
        assert {*world.raised.codes, *other.raised.codes} >= {"paid_elsewhere"}
        assert await other.statuses() == {OrderStatus.PAID: 2}
    assert moved(world) == 2


async def test_a_guard_without_role_waits_and_burns_nothing(world: PolygonWorld) -> None:
    """As soon as it has the role the orders go on by themselves."""
    guard = world.devchain.deployment.guard
    assert guard is not None
    world.devchain.revoke(guard)
    await world.receive(2)
    await world.step(3)
    nonce, waiting = world.devchain.nonce_of(world.signer.address), await waits_for(world)
    world.devchain.grant(guard)
    await world.run()

    assert (nonce, waiting) == (0, WaitingReason.ROLE_MISSING)
    await world.everybody_was_paid_once()


async def test_a_key_with_a_role_of_its_own_stops_binding(world: PolygonWorld) -> None:
    """Around the guard nothing would refuse a second payment."""
    world.devchain.grant(world.signer.address)
    await world.receive(2)
    await world.step(2)
    nonce, waiting = world.devchain.nonce_of(world.signer.address), await waits_for(world)
    world.devchain.revoke(world.signer.address)
    await world.run()

    assert (nonce, waiting) == (0, WaitingReason.GUARD_BYPASSED)
    await world.everybody_was_paid_once()


async def test_a_paused_guard_gives_open_orders_back_and_they_are_paid_by_themselves(world: PolygonWorld) -> None:
    """One transaction is refused as a whole; its order waits, and goes on when the guard does."""
    await world.bind(1)
    pooled = [offer.raw for offer in world.proxy.node.pool]
    world.devchain.rpc("anvil_dropAllTransactions")
    world.devchain.at_guard("pause")
    await world.receive(2)
    await world.step(FINALITY_BLOCKS)
    waiting = await waits_for(world)
    world.devchain.at_guard("unpause")
    await world.run()

    assert len(pooled) == 1
    assert waiting is WaitingReason.GUARD_PAUSED
    assert "batch_reverted" in world.raised.codes
    await world.everybody_was_paid_once()


async def test_many_open_transactions_of_a_paused_guard_all_come_back(world: PolygonWorld) -> None:
    """Two in a row pause the payouts; every order waits, none is held, and after `resume` all are paid."""
    await world.bind(4)
    world.devchain.rpc("anvil_dropAllTransactions")
    world.devchain.at_guard("pause")
    await world.step(FINALITY_BLOCKS)
    statuses, paused = await world.statuses(), (await world.ledger.admin.pause_state()).paused
    world.devchain.at_guard("unpause")
    await world.ledger.admin.resume("a person", "the guard was paused on purpose")
    await world.run()

    assert (statuses, paused) == ({OrderStatus.RECEIVED: 4}, True)
    await world.everybody_was_paid_once()


async def test_a_guard_set_and_unset_binds_nothing_until_the_ledger_agrees(world: PolygonWorld) -> None:
    """What is open is settled, judged by the address it went to; nothing new is bound."""
    first = await world.bind(2)
    world.identity = replace(world.identity, guard=None)
    await world.restart()
    second = await world.receive(2)
    await world.step(FINALITY_BLOCKS)

    await world.everybody_was_paid_once(first)
    assert await waits_for(world) is WaitingReason.GUARD_CHANGED
    assert [(await world.order(order)).status for order in second] == [OrderStatus.RECEIVED] * 2
    world.identity = replace(world.identity, guard=world.devchain.deployment.guard)
    await world.restart()
    await world.run()
    await world.everybody_was_paid_once()


async def test_plain_transactions_that_are_open_when_a_guard_is_set_are_settled_as_plain(devchain: Devchain) -> None:
    """They went to the Authority."""
    async with polygon_world(devchain) as world:
        plain = await world.bind(2)
        await world.a_block_passes()
        devchain.revoke(devchain.deployment.operator)
        deployment = devchain.install_guard()
        world.identity = replace(world.identity, guard=deployment.guard)
        await world.restart()
        await world.step(FINALITY_BLOCKS)

        await world.everybody_was_paid_once(plain)
        assert [(await world.order(order)).paid_log for order in plain] == [None, None]


async def test_a_reorganisation_that_turns_failed_into_paid_pays_once(world: PolygonWorld) -> None:
    """The item failed in a block that left the chain; in the one that stayed it was paid."""
    devchain, known = world.devchain, world.devchain.deployment
    everything = devchain.balance_of(known.reserve)
    before = devchain.rpc("eth_blockNumber")
    await world.bind(1)
    world.devchain.rpc("anvil_dropAllTransactions")
    devchain.transfer_from_reserve(known.admin, everything)
    await world.step(2)
    failed = await world.transaction(world.orders[0])
    depth = int(devchain.rpc("eth_blockNumber"), 16) - int(before, 16)
    devchain.reorg(depth)
    await world.run()

    assert failed.block_number is not None
    await world.everybody_was_paid_once()
    assert moved(world) == 1
