"""What can happen on the chain between binding and block: no order is called paid without its transfer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import encode

from devstack.bor.rules import Rules
from devstack.bor.view import Finality
from devstack.evm import artifact
from distributor.addresses import keccak256
from distributor.model import Address, HoldReason, Order, OrderStatus
from distributor.units import TokenUnits
from tests.faults.polygon_world import DEEPEST_REORG_BLOCKS, PolygonWorld

TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
SILENT_CODE = str(artifact("test/SilentAuthority")["deployedBytecode"])
NO_CODE = "0x"


async def held_for(world: PolygonWorld, orders: list[Order]) -> set[HoldReason | None]:
    """Say why *orders* are held; they are, they have no transfer, and their nonce is theirs no longer."""
    for order in orders:
        found = await world.order(order)
        assert found.status is OrderStatus.HELD
        assert found.nonce is None
        assert world.transfers_of(order) == []
    return {(await world.order(order)).hold_reason for order in orders}


async def test_a_reserve_spent_elsewhere_holds_what_was_bound_and_the_line_moves_on(world: PolygonWorld) -> None:
    """The tokens are gone between submission and block: reverted, held; refilled, the orders behind are paid."""
    devchain, known = world.devchain, world.devchain.deployment
    everything = devchain.balance_of(known.reserve)
    bound = await world.bind(3)
    pooled = [offer.raw for offer in world.proxy.node.pool]
    devchain.rpc("anvil_dropAllTransactions")  # so that the theft is mined first
    devchain.transfer_from_reserve(known.admin, everything)
    behind = await world.receive(2)
    await world.step(5)
    waiting = await world.statuses()
    move(world, known.admin, known.reserve, everything)
    await world.run()

    assert len(pooled) == 3
    assert waiting == {OrderStatus.BOUND: 3, OrderStatus.RECEIVED: 2}
    assert "waiting_reserve_short" in world.raised.codes
    assert await held_for(world, bound) == {HoldReason.REVERTED}
    await world.everybody_was_paid_once(behind)


@pytest.mark.parametrize("code", [SILENT_CODE, NO_CODE], ids=["silent", "no code"])
async def test_an_authority_that_succeeds_and_pays_nothing_holds_what_was_bound(world: PolygonWorld, code: str) -> None:
    """Status 1 without the token's event proves nothing. With the Authority back and looked at, the rest is paid."""
    authority = world.devchain.deployment.authority
    honest = world.devchain.rpc("eth_getCode", authority, "latest")
    bound = await world.bind(3)
    world.devchain.rpc("anvil_setCode", authority, code)
    await world.step(2)
    world.devchain.rpc("anvil_setCode", authority, honest)
    behind = await world.receive(2)
    await world.run()
    assert (await world.ledger.admin.pause_state()).paused_by == "no_transfer"
    await world.ledger.admin.resume("ana", "the authority is back")
    await world.run()

    assert await held_for(world, bound) == {HoldReason.NO_TRANSFER}
    assert [code for code in world.raised.codes if code.startswith("held_")] == ["held_no_transfer"] * 3
    await world.everybody_was_paid_once(behind)


async def test_an_authority_without_code_gets_nothing_bound_to_it(world: PolygonWorld) -> None:
    """A wrong address in the settings: everything waits, one alarm, and goes on once the code is there."""
    authority = world.devchain.deployment.authority
    honest = world.devchain.rpc("eth_getCode", authority, "latest")
    world.devchain.rpc("anvil_setCode", authority, "0x")
    await world.receive(3)
    await world.step(5)
    stood = await world.statuses()
    world.devchain.rpc("anvil_setCode", authority, honest)
    await world.run()

    assert stood == {OrderStatus.RECEIVED: 3}
    assert world.raised.codes == ["waiting_authority_missing"]
    await world.everybody_was_paid_once()


async def test_a_recipient_that_empties_its_wallet_between_estimate_and_block_is_paid(world: PolygonWorld) -> None:
    """Paying an empty wallet costs more gas than was estimated; the limit is not the estimate."""
    known = world.devchain.deployment
    await world.receive(6)
    await world.run()
    emptied = await world.bind(3)
    world.devchain.rpc("anvil_dropAllTransactions")
    for customer in known.customers[:3]:
        move(world, customer, known.admin, world.devchain.balance_of(customer))
    await world.run()

    assert len(emptied) == 3
    await world.everybody_was_paid_once()


@pytest.mark.parametrize("puts_back", [True, False], ids=["put back", "forgotten"])
async def test_a_reorganisation_of_five_blocks_pays_each_order_once(world: PolygonWorld, *, puts_back: bool) -> None:
    """Their blocks are gone before they were final, and with them the transfers; the same bytes are mined again."""
    world.proxy.node.pool.rules = replace_puts_back(world, puts_back=puts_back)
    world.proxy.node.finality = Finality(back=DEEPEST_REORG_BLOCKS)
    orders = await world.receive(6)
    await world.step(4)
    mined = len(world.devchain.payouts())
    world.devchain.reorg(DEEPEST_REORG_BLOCKS)
    gone = len(world.devchain.payouts())
    await world.run()

    assert (mined, gone) == (6, 0)
    for order in orders:
        assert (await world.transaction(order)).attempts == 1
    await world.everybody_was_paid_once()


async def test_reorganisations_one_after_the_other_pay_each_order_once(world: PolygonWorld) -> None:
    """Of one to five blocks, now put back and now forgotten, while orders come and fees move."""
    world.proxy.node.finality = Finality(back=DEEPEST_REORG_BLOCKS)
    for depth, gwei in ((1, 5), (5, 30), (3, 12), (4, 20), (2, 5)):
        world.set_base_fee(gwei)
        world.proxy.node.pool.rules = replace_puts_back(world, puts_back=depth % 2 == 0)
        await world.receive(3)
        await world.step(DEEPEST_REORG_BLOCKS)
        world.devchain.reorg(depth)
        world.set_base_fee(gwei)
        await world.step(2)
    world.set_base_fee(5)
    await world.run()

    await world.everybody_was_paid_once()


def replace_puts_back(world: PolygonWorld, *, puts_back: bool) -> Rules:
    """Return the pool's rules with another custom after a reorganisation."""
    return replace(world.proxy.node.pool.rules, puts_back=puts_back)


def move(world: PolygonWorld, sender: Address, recipient: Address, amount_units: TokenUnits) -> None:
    """Move tokens by their owner's own hand."""
    data = TRANSFER + encode(["address", "uint256"], [recipient, amount_units])
    world.devchain.rpc(
        "eth_sendTransaction",
        {"from": sender, "to": world.devchain.deployment.token, "data": f"0x{data.hex()}", "gas": hex(100_000)},
    )
    world.devchain.mine()
