"""A ledger is lost; what the chain still knows of it, and why nothing is paid twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable
from distributor.ledger.rebuild_store import RestoreResult
from distributor.model import OrderStatus
from distributor.order_ids import ref_id
from distributor.recovery.fence import FENCE_NONCES
from distributor.units import Wei
from tests.distributions import with_lanes
from tests.factories import GWEI, LIMITS, POLICY
from tests.fakes.chain import OPERATOR
from tests.rebuilding import (
    Desk,
    a_payout,
    lose_ledger,
    send_again,
)
from tests.world import IDENTITY, World, a_world


async def test_a_rebuild_goes_on_only_where_the_nodes_show_what_they_showed_before() -> None:
    """
    A first run on a pruned node writes nothing and is refused; the second, on a whole one, begins anew.

    It went on at the checkpoint, the past added up, and every order from before it was paid again.
    """
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.history.forgets = True
    assert not (await desk.rebuild()).clear
    desk.history.forgets = False
    report = await desk.rebuild()

    assert report.restored[RestoreResult.NEW] == 2
    assert set((await send_again(desk.world, "A", "B")).values()) == {OrderStatus.PAID}
    assert any("beginning anew" in line for line in desk.said)


# the way back ------------------------------------------------------------------------------------


async def test_what_was_paid_is_never_paid_again() -> None:
    """Every webhook sent again is a duplicate, and what waits is paid once."""
    world = await a_world()
    await a_payout(world, "ORD1")
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)

    report = await context.rebuild()
    await context.resume()
    statuses = await send_again(context.world, "ORD1", "ORD2", "ORD3")
    await context.world.distribution.drain()
    await context.world.settle(8)

    assert (report.restored, report.clear) == ({RestoreResult.NEW: 2}, True)
    assert statuses == {"ORD1": "paid", "ORD2": "paid", "ORD3": "received"}
    assert len(context.world.transfers()) == 3


async def test_orders_of_every_name_are_known_again() -> None:
    """Of another shop, and of a name the chain keeps only the hash of."""
    long = "A-name-of-more-than-thirty-two-characters"
    names = [("default", long), ("loja", "ORD1"), ("default", "ORD1")]
    world = await a_world()
    for source, order_id in names:
        await a_payout(world, order_id, source=source, ref_id=ref_id(source, order_id))
    context = await lose_ledger(world)

    assert (await context.rebuild()).restored == {RestoreResult.NEW: 3}
    again = [await context.world.receive(name, source=shop, ref_id=ref_id(shop, name)) for shop, name in names]
    assert [order.status for order in again] == [OrderStatus.PAID] * 3


async def test_what_waits_in_a_pool_is_fenced_before_the_chain_is_read() -> None:
    """It is cancelled, and its webhook sent again is paid by a nonce behind the fence."""
    world = await a_world()
    await world.receive("ORD1")
    await world.receive("ORD2")
    await world.distribution.drain()
    context = await lose_ledger(world)

    await context.rebuild()
    assert context.world.transfers() == []
    await context.resume()
    await send_again(context.world, "ORD1", "ORD2")
    await context.world.distribution.drain()
    await context.world.settle(8)

    assert await context.world.statuses() == dict.fromkeys(await context.world.statuses(), OrderStatus.PAID)
    assert len(context.world.transfers()) == 2
    assert (await context.world.ledger.binding_state(OPERATOR)).next_nonce == FENCE_NONCES + 2  # type: ignore[union-attr]


async def test_a_payout_too_dear_to_replace_is_mined_and_found() -> None:
    """Whichever transaction wins the nonce: the order is paid once."""
    world = await a_world()
    await world.receive("ORD1")
    dear = LIMITS.model_copy(update={"min_tip_wei": Wei(39 * GWEI)})
    config = replace(world.distribution.lane.config, limits=dear)
    world.distribution = with_lanes(world.distribution, config=config)
    await world.distribution.drain()
    context = await lose_ledger(world)

    report = await context.rebuild()

    assert [line for line in context.said if "underpriced" in line] == ["Cancelling: underpriced"]
    assert report.restored == {RestoreResult.NEW: 1}
    assert await send_again(context.world, "ORD1") == {"ORD1": "paid"}


async def test_a_webhook_during_the_rebuild_waits_and_is_marked_paid() -> None:
    """The ledger is nobody's: what comes in is kept, and nothing is bound."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    assert await send_again(context.world, "ORD1") == {"ORD1": "received"}
    await context.world.distribution.drain()

    report = await context.rebuild()
    await context.resume()
    await context.world.distribution.drain()

    assert report.restored == {RestoreResult.MARKED: 1}
    assert context.world.alarms.codes == ["waiting_ledger_foreign"]
    assert len(context.world.transfers()) == 1


async def test_the_pause_stays_on_until_a_person_ends_it() -> None:
    """The ledger is ours again, and pays nothing."""
    context = await lose_ledger(await a_world())

    report = await context.rebuild()
    await context.world.receive("ORD1")
    await context.world.distribution.drain()

    pause_state = await context.world.ledger.admin.pause_state()
    assert (pause_state.paused, pause_state.paused_by, pause_state.paused_why) == (True, "ana", "table deleted")
    assert report.ledger_id == IDENTITY.ledger_id
    assert await context.world.ledger.identity() == IDENTITY
    assert context.world.alarms.codes == ["waiting_paused"]


async def test_a_ledger_without_an_id_gets_one() -> None:
    """Or keeps the one it has."""
    context = await lose_ledger(await a_world())
    context.identity = replace(IDENTITY, ledger_id="")

    first = await context.rebuild()
    second = await context.rebuild()

    assert len(first.ledger_id) == 32
    assert second.ledger_id == first.ledger_id


async def test_a_restored_backup_learns_what_happened_since() -> None:
    """The order waits in it, and was paid after the backup was made."""
    world = await a_world()
    await a_payout(world, "ORD1")
    backup = World(chain=world.chain)
    await backup.ledger.admin.initialise(IDENTITY, OPERATOR, 0)
    await backup.receive("ORD1")

    report = await Desk(backup).rebuild()

    assert report.restored == {RestoreResult.MARKED: 1}
    assert (await backup.ledger.binding_state(OPERATOR)).next_nonce == 1 + FENCE_NONCES  # type: ignore[union-attr]


@pytest.mark.parametrize("depth", [None, 5])
async def test_only_final_blocks_are_read(depth: int | None) -> None:
    """By the tag, or by depth, as it is configured."""
    context = await lose_ledger(await a_world())
    context.policy = POLICY.model_copy(update={"finality_depth": depth})

    report = await context.rebuild()

    assert report.last_block == context.world.chain.head.number - (depth or POLICY.min_confirmations)


async def test_without_a_final_block_nothing_is_read() -> None:
    """The node knows of none."""
    context = await lose_ledger(await a_world())
    context.world.chain.miss_finality()

    with pytest.raises(ChainUnavailable, match="no final block"):
        await context.use_case.look(0)


# what people decided --------------------------------------------------------------------------------


async def test_what_a_person_cancelled_stays_cancelled_after_a_rebuild() -> None:
    """Found-faults A4: orders cancelled for fraud were paid after it. One came again meanwhile, one was paid before."""
    world = await a_world()
    fraud, again = await world.receive("FRAUD"), await world.receive("AGAIN")
    for order in (fraud, again):
        await world.ledger.admin.cancel(order, "ana", "fraud")
    await a_payout(world, "PAID")
    await world.ledger.admin.record("cancel", "default:PAID", "ana", "too late")
    await world.ledger.admin.record("cancel-nonce", f"{OPERATOR}:7", "ana", "another deed")
    context = await lose_ledger(world)
    context.audit = world.audit
    await context.world.receive("AGAIN")

    report = await context.rebuild()
    await context.resume()

    assert [key.order_id for key in report.barred] == ["AGAIN", "FRAUD"]
    statuses = await send_again(context.world, "FRAUD", "AGAIN", "PAID")
    assert statuses == {"FRAUD": "cancelled", "AGAIN": "cancelled", "PAID": "paid"}
