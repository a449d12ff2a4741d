"""Two ledgers on one guard, and a pool nobody asks: only the guard sees both, and it pays each reference once."""

from __future__ import annotations

from pathlib import Path

from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.payout.ledger_age import PATIENCE_MS
from distributor.state import WaitingReason
from distributor.units import Wei
from tests import factories
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.fakes.signer import FakeSigner
from tests.unit.test_guard_past import from_guard, mark_of
from tests.unit.test_ledger_age import put_back
from tests.unit.test_resolution import RELEASE, resolve
from tests.world import World, a_world

SECOND = factories.an_address("the other ledger's key")
RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")


async def two_ledgers() -> tuple[World, World]:
    """Return two ledgers that pay through one guard, each with a key of its own."""
    one = await a_world(guarded=True)
    two = World(chain=one.chain, guarded=True)
    two.guard, two.signer, two.clock = one.guard, FakeSigner(SECOND), one.clock
    two.ledger = two.a_ledger()
    one.guard.install(OPERATOR, SECOND)
    one.chain.set_gas(SECOND, Wei(one.chain.state.gas_wei[OPERATOR]))
    two.start()
    await two.ledger.admin.initialise(two.identity, SECOND, 0)
    return one, two


async def both(worlds: tuple[World, World], order_id: str) -> None:
    """Let one webhook reach both ledgers."""
    for world in worlds:
        await world.receive(order_id)


async def go_on(worlds: tuple[World, World], turns: int = 8) -> None:
    """Let both work, block by block."""
    for _ in range(turns):
        for world in worlds:
            await world.distribution.drain()
            await world.settlement.turn()
        await worlds[0].a_block_passes()


async def status_in(world: World, order_id: str) -> Order:
    """Return the order as that ledger has it."""
    found = await world.ledger.order(OrderKey("default", order_id))
    assert found is not None
    return found


async def test_two_ledgers_of_the_same_orders_never_stop_each_other() -> None:
    """Found-faults A30: references are compared, never counts. Each order is paid once, and both end with one hash."""
    worlds = one, two = await two_ledgers()
    for order_id in ("A", "B", "C"):
        await both(worlds, order_id)
        await go_on(worlds, turns=3)
    await go_on(worlds, turns=20)

    for order_id in ("A", "B", "C"):
        here, there = await status_in(one, order_id), await status_in(two, order_id)
        assert here.status is there.status is OrderStatus.PAID
        assert here.paid_hash == there.paid_hash
    assert len(one.transfers()) == 3
    await both(worlds, "D")
    await go_on(worlds, turns=1)
    for world in worlds:
        assert await world.ledger.signs.noted() is None
        assert not (await world.ledger.admin.pause_state()).paused
        assert await mark_of(world) == 3


async def test_a_reference_paid_with_other_content_stops_nobody_for_good() -> None:
    """The guard counts one payment more than this ledger made, permanently; what comes after it is paid."""
    worlds = one, two = await two_ledgers()
    await one.receive("A", wallet=CUSTOMERS[1])
    await go_on((one, one), turns=8)
    await two.receive("A")
    await two.receive("B")
    await one.receive("B")
    await go_on(worlds, turns=20)

    assert (await status_in(two, "A")).hold_reason is HoldReason.REFERENCE_USED
    assert {(await status_in(world, "B")).status for world in worlds} == {OrderStatus.PAID}
    assert len(one.transfers()) == 2
    assert await two.ledger.signs.noted() is None


async def test_two_ledgers_of_different_orders_are_stopped_and_have_an_exit() -> None:
    """They may not share a guard: the other's payment is a payment this ledger lost, as far as anybody can tell."""
    one, two = await two_ledgers()
    await one.receive("ONLY-HERE")
    await go_on((one, one), turns=8)
    await two.receive("ONLY-THERE")
    await two.distribution.drain()
    two.clock.advance(PATIENCE_MS)
    await two.distribution.drain()
    assert (await two.ledger.admin.pause_state()).paused
    assert (await two.ledger.service.why_waiting()).reason in {WaitingReason.NONCE_AHEAD, WaitingReason.PAUSED}

    await from_guard(two).run(by="ana", why="the other shop's ledger")
    await two.ledger.admin.resume("ana", "written")
    await go_on((two, two), turns=8)
    assert (await status_in(two, "ONLY-THERE")).status is OrderStatus.PAID
    assert len(one.transfers()) == 2


async def test_a_forgotten_payment_hidden_by_our_own_binding_is_refused_by_the_guard() -> None:
    """
    Found-faults A29: no count shows it, for the ledger's own bytes hold the nonce of those it forgot.

    A's old bytes wait in a pool nobody asks. B is bound to the same nonce, A to the next one; both of A's are mined.
    """
    world = await a_world(guarded=True)
    first = await world.receive("A")
    copy = dict(world.rows._rows)
    await world.distribution.drain()
    (forgotten,) = world.chain.handed
    world.chain.drop(forgotten.tx_hash)
    put_back(world, copy)
    second = await world.receive("B", received_ms=first.received_ms - 1, wallet=CUSTOMERS[1])
    world.start()
    await world.distribution.drain()
    bound = {order.order_id: (await world.order(order)).nonce for order in (second, first)}
    assert bound == {"B": 0, "A": 1}
    world.chain.drop(await world.last_hash(second))
    world.chain.arrive(forgotten)
    await world.settle(RELEASE + 5)

    paid = [each for each in world.transfers() if each.recipient == first.wallet]
    assert len(paid) == 1
    assert (await world.order(first)).status is OrderStatus.PAID
    assert (await world.order(first)).paid_hash == forgotten.tx_hash
    await world.ledger.admin.pause("ana", "a nonce is lost")
    await resolve(world, forgotten.tx_hash)
    held = await world.order(second)
    assert held.hold_reason is HoldReason.NONCE_LOST
    await world.ledger.admin.retry(held, "ana", "not paid")
    await world.ledger.admin.resume("ana", "looked")
    await go_on((world, world), turns=20)
    assert (await world.order(second)).status is OrderStatus.PAID
    assert len(world.transfers()) == 2


def test_without_a_guard_the_page_asks_for_the_pause_before_a_row_is_put_back() -> None:
    """Without it nothing on the chain refuses A's second payment, and no reading shows the first."""
    page = RUNBOOK.partition("## The ledger is lost")[2].partition("\n## ")[0]
    assert "a table that is put back by other means is paused first, by you: `pause`" in page
