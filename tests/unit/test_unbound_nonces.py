"""An exit never forgets what it saw: nonces the ledger never bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import NotYet
from distributor.model import Fees, Hash, Order, OrderKey, OrderStatus
from distributor.payout.cancellation import Cancelled
from distributor.payout.resolution import Resolved
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.unit.test_cancellation import ROOM, cancel
from tests.unit.test_ledger_age import a_rival, put_back
from tests.unit.test_resolution import RELEASE, resolve
from tests.world import World, a_world


async def a_forgotten_payment(world: World) -> tuple[Order, Hash]:
    """Bind A, put the ledger back to before, mine A's payment; A waits again and the chain is ahead."""
    order = await world.receive("A")
    copy = dict(world.rows._rows)
    await world.distribution.drain()
    tx_hash = await world.last_hash(order)
    put_back(world, copy)
    world.chain.mine(RELEASE + 1)
    await world.ledger.admin.pause("ana", "the ledger went back")
    return order, tx_hash


async def test_stepping_over_a_nonce_writes_what_its_transaction_paid() -> None:
    """The smallest input of A28: resolve, resume, and A is not paid again."""
    world = await a_world()
    order, tx_hash = await a_forgotten_payment(world)

    assert await resolve(world, tx_hash, apply=False) is Resolved.STEPPED_OVER
    assert await world.status(order) is OrderStatus.RECEIVED
    assert await resolve(world, tx_hash) is Resolved.STEPPED_OVER
    await world.ledger.admin.resume("ana", "resolved")
    other = await world.receive("B")
    await world.distribution.drain()
    await world.settle(8)

    paid = await world.order(order)
    assert (paid.status, paid.paid_hash) == (OrderStatus.PAID, tx_hash)
    assert await world.status(other) is OrderStatus.PAID
    assert len(world.transfers()) == 2


async def test_a_stray_transaction_that_paid_nobody_is_stepped_over() -> None:
    """Found-faults A20: one stray transaction of the key, and no command led out."""
    world = await a_world()
    order = await world.receive()
    tx_hash = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    await world.distribution.drain()
    await world.ledger.admin.pause("ana", "looks")

    assert await resolve(world, tx_hash) is Resolved.STEPPED_OVER
    await world.ledger.admin.resume("ana", "done")
    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(order) is OrderStatus.PAID


async def test_what_the_ledger_cannot_place_is_not_stepped_over() -> None:
    """The payment of an order nobody here knows, or of one with other content."""
    world = await a_world()
    order = await world.receive("A")
    await world.ledger.admin.pause("ana", "looks")
    unknown = replace(order, ref_id=Hash("0x" + b"NOBODY".hex().ljust(64, "0")))
    fork = world.chain.spend_nonce(OPERATOR, world.chain.pay(unknown))
    world.chain.mine(RELEASE)
    assert await resolve(world, fork) is Resolved.REBUILD

    world = await a_world()
    order = await world.receive("A")
    await world.ledger.admin.pause("ana", "looks")
    other = world.chain.spend_nonce(OPERATOR, world.chain.pay(replace(order, wallet=CUSTOMERS[1])))
    world.chain.mine(RELEASE)
    assert await resolve(world, other) is Resolved.CONFLICT


async def test_tokens_that_moved_by_no_call_of_ours_are_never_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here can say whose they were."""
    world = await a_world()
    order = await world.receive("A")
    await world.ledger.admin.pause("ana", "looks")
    call = world.chain.pay(order)
    tx_hash = world.chain.spend_nonce(OPERATOR, call)
    world.chain.mine(RELEASE)
    monkeypatch.setattr(world, "identity", replace(world.identity, authority=CUSTOMERS[2]))

    assert await resolve(world, tx_hash) is Resolved.REBUILD


async def test_a_payment_that_is_known_already_only_moves_the_nonce() -> None:
    """Run again after a crash between the reference and the nonce."""
    world = await a_world()
    order, tx_hash = await a_forgotten_payment(world)
    nonce = dict(world.rows.dump()[f"nonce:{OPERATOR}"])
    await resolve(world, tx_hash)
    world.rows.put(f"nonce:{OPERATOR}", nonce)

    assert await resolve(world, tx_hash) is Resolved.STEPPED_OVER
    assert await world.status(order) is OrderStatus.PAID


async def test_stepping_over_asks_for_order_and_finality() -> None:
    """Paused, the lowest first, by that nonce's transaction, final, and known to two nodes."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    first = world.chain.spend_nonce(OPERATOR)
    assert await resolve(world, first) is Resolved.NOT_PAUSED
    await world.ledger.admin.pause("ana", "looks")
    assert await resolve(world, first) is Resolved.NOT_FINAL
    assert await resolve(world, first, nonce=1) is Resolved.NOT_NEXT
    assert await resolve(world, first, operator=CUSTOMERS[0]) is Resolved.NOT_BOUND
    second = world.chain.spend_nonce(OPERATOR)
    assert await resolve(world, second) is Resolved.ANOTHER_NONCE
    world.chain.mine(RELEASE)
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, succeeded=False)
    assert await resolve(world, first) is Resolved.NODES_DISAGREE
    world.chain.calm()
    assert await resolve(world, first) is Resolved.STEPPED_OVER
    assert await resolve(world, first) is Resolved.NOT_BOUND


async def test_a_bound_nonce_that_another_payment_used_writes_that_reference_too() -> None:
    """B was bound to the nonce that A's forgotten payment won: B is held, and A is paid and not bound again."""
    world = await a_world()
    order, tx_hash = await a_forgotten_payment(world)
    behind = await world.receive("B")
    await world.ledger.exits.step_over(OPERATOR, 0)
    world.rows.put(f"nonce:{OPERATOR}", {"next": 0})
    await bind_past_the_sign(world, behind)

    assert await resolve(world, tx_hash, apply=False) is Resolved.HELD
    assert await resolve(world, tx_hash) is Resolved.HELD

    assert await world.status(order) is OrderStatus.PAID
    assert await world.status(behind) is OrderStatus.HELD


async def test_a_bound_nonce_whose_winner_nobody_knows_is_ended_and_the_winner_kept() -> None:
    """A rebuild would not begin while the nonce is open; the reference is spent from now on."""
    world = await a_world()
    order = await world.receive("A")
    await world.distribution.drain()
    world.chain.drop(await world.last_hash(order))
    unknown = replace(order, ref_id=Hash("0x" + b"NOBODY".hex().ljust(64, "0")))
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(unknown))
    world.chain.mine(RELEASE)

    assert await resolve(world, tx_hash) is Resolved.HELD
    assert await world.status(order) is OrderStatus.HELD
    assert (await world.ledger.order(OrderKey("default", "NOBODY"))).status is OrderStatus.PAID  # type: ignore[union-attr]


async def test_a_bound_nonce_whose_winner_is_known_otherwise_waits_for_a_person() -> None:
    """It paid an order that this ledger has with another wallet."""
    world = await a_world()
    order, other = await world.receive("A"), await world.receive("B")
    await world.distribution.drain()
    for name in (order, other):
        world.chain.drop(await world.last_hash(name))
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(replace(other, wallet=CUSTOMERS[1])))
    world.chain.mine(RELEASE)

    assert await resolve(world, tx_hash) is Resolved.CONFLICT
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_winner_that_is_known_already_is_not_written_again() -> None:
    """Found before, by a rebuild say."""
    world = await a_world()
    order, tx_hash = await a_forgotten_payment(world)
    await resolve(world, tx_hash)
    behind = await world.receive("B")
    world.rows.put(f"nonce:{OPERATOR}", {"next": 0})
    await bind_past_the_sign(world, behind)

    assert await resolve(world, tx_hash) is Resolved.HELD
    assert await world.status(order) is OrderStatus.PAID


async def bind_past_the_sign(world: World, order: Order) -> None:
    """Bind *order* to the next nonce as a host would that read before the chain was ahead."""
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert await world.distribution.lane._bind_and_submit(binding_state, [(order,)], a_price()) == 1


def a_price() -> Fees:
    """Return what any rival pays."""
    return a_rival(0).unsigned.fees


# cancel-nonce above next ---------------------------------------------------------------------------


async def a_pool_that_remembers(world: World) -> tuple[Order, Hash]:
    """Bind A, put the ledger back; A's payment waits in the pool, paused."""
    order = await world.receive("A")
    copy = dict(world.rows._rows)
    await world.distribution.drain()
    tx_hash = await world.last_hash(order)
    put_back(world, copy)
    await world.ledger.admin.pause("ana", "the ledger went back")
    return order, tx_hash


async def test_a_forgotten_nonce_is_spent_on_nothing_and_resume_waits_for_it() -> None:
    """Then the order is paid once, by the next nonce."""
    world = await a_world()
    order, _ = await a_pool_that_remembers(world)

    assert await cancel(world, apply=False) is Cancelled.SUBMITTED
    assert not await world.ledger.any_open()
    assert await cancel(world) is Cancelled.SUBMITTED
    with pytest.raises(NotYet, match="nonce 0"):
        await world.ledger.admin.resume("ana", "in a hurry")
    await world.settle(30)
    await world.ledger.admin.resume("ana", "closed")
    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_where_the_old_payment_wins_resolve_writes_it_before_anybody_resumes() -> None:
    """A28, second half: the cancellation comes too late."""
    world = await a_world()
    order, tx_hash = await a_pool_that_remembers(world)
    world.chain.lag(1)
    world.chain.mine(RELEASE + 1)
    world.chain.lag(0)
    await cancel(world)
    world.clock.advance(60_000)
    await world.settle(2)
    with pytest.raises(NotYet):
        await world.ledger.admin.resume("ana", "in a hurry")

    assert await resolve(world, tx_hash) is Resolved.PAID
    await world.ledger.admin.resume("ana", "resolved")
    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_several_forgotten_nonces_are_cancelled_together() -> None:
    """From the ledger's next one on; what no pool can hold is left to a rebuild."""
    world = await a_world(limits=ROOM)
    await world.ledger.admin.pause("ana", "looks")
    world.chain.arrive(a_rival(nonce=2))

    assert await cancel(world, nonce=16) is Cancelled.TOO_FAR
    assert await cancel(world, nonce=2) is Cancelled.SUBMITTED
    await world.settle(30)

    assert not await world.ledger.any_open()
    assert (await world.ledger.signs.next_nonces())[OPERATOR] == 3


async def test_a_forgotten_nonce_is_not_cancelled_in_passing() -> None:
    """Paused, with the key at hand, and above what was bound."""
    world = await a_world()
    assert await cancel(world) is Cancelled.NOT_PAUSED
    await world.ledger.admin.pause("ana", "looks")
    assert await cancel(world, signers={}) is Cancelled.NO_KEY
    await world.ledger.exits.step_over(OPERATOR, 0)
    assert await cancel(world) is Cancelled.NOT_OPEN
