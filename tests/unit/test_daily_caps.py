"""Rounds under caps: what is beyond a day waits for the next, and stops nobody else."""

from __future__ import annotations

import pytest

from distributor.model import OrderStatus
from distributor.payout.distribution import Drained
from distributor.state import WaitingReason
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.world import World, a_world, tokens

DAY_MS = 86_400_000


async def a_capped_world(**caps: int) -> World:
    """Return a world with caps in whole tokens."""
    world = await a_world()
    world.cap(**caps)
    return world


async def test_what_is_beyond_the_days_cap_waits_with_one_alarm() -> None:
    """25 tokens a day: two orders of 10 are bound, the third waits."""
    world = await a_capped_world(day_units=25)
    orders = [await world.receive() for _ in range(3)]

    await world.distribution.drain()
    await world.distribution.drain()

    assert [await world.status(order) for order in orders] == [
        OrderStatus.BOUND,
        OrderStatus.BOUND,
        OrderStatus.RECEIVED,
    ]
    waiting = await world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.DAILY_CAP
    assert waiting.detail == "Order default:ORD3 of 10 tokens would exceed MAX_DAILY_TOKENS on 2026-01-01."
    assert world.alarms.codes == ["waiting_daily_cap"]


async def test_orders_beyond_a_cap_go_on_by_themselves_the_next_utc_day() -> None:
    """The sweep wakes them; nobody has to do anything."""
    world = await a_capped_world(day_units=10)
    orders = [await world.receive() for _ in range(3)]

    bound = []
    for _ in orders:
        bound.append((await world.distribution.drain()).bound)
        world.clock.advance(DAY_MS)

    assert bound == [1, 1, 1]
    assert (await world.ledger.service.why_waiting()).reason is None


async def test_a_smaller_order_behind_fills_the_day() -> None:
    """What does not fit today stops nobody, and comes first tomorrow."""
    world = await a_capped_world(day_units=25)
    await world.receive(amount_units=tokens(20))
    big = await world.receive("BIG", amount_units=tokens(20))
    small = await world.receive("SMALL", amount_units=tokens(5))

    await world.distribution.drain()
    assert (await world.status(big), await world.status(small)) == (OrderStatus.RECEIVED, OrderStatus.BOUND)

    world.clock.advance(DAY_MS)
    await world.receive(amount_units=tokens(10))
    await world.distribution.drain()
    assert await world.status(big) is OrderStatus.BOUND


async def test_one_wallets_cap_stops_no_other_wallet() -> None:
    """In one round, and in the next one."""
    world = await a_capped_world(wallet_units=10)
    first, second = await world.receive(), await world.receive()
    other = await world.receive(wallet=CUSTOMERS[1])

    await world.distribution.drain()
    late = await world.receive(wallet=CUSTOMERS[1], amount_units=tokens(1))
    await world.distribution.drain()

    assert await world.status(first) is await world.status(other) is OrderStatus.BOUND
    assert await world.status(second) is await world.status(late) is OrderStatus.RECEIVED
    assert "MAX_DAILY_WALLET_TOKENS" in (await world.ledger.service.why_waiting()).detail


async def test_a_day_that_is_used_up_asks_no_node() -> None:
    """A message an order, a thousand orders waiting: each costs a few reads of the ledger."""
    world = await a_capped_world(day_units=10)
    await world.receive()
    await world.distribution.drain()
    await world.receive()
    world.chain.calls.clear()

    drained = await world.distribution.drain()

    assert drained == Drained(bound=0, open=True)
    assert not world.chain.calls
    detail = f"MAX_DAILY_TOKENS is used up: {tokens(10)} units were bound on 2026-01-01."
    assert (await world.ledger.service.why_waiting()).detail == detail


@pytest.mark.parametrize(
    ("caps", "name"),
    [
        ({"order_units": 9}, "MAX_ORDER_TOKENS"),
        ({"day_units": 9}, "MAX_DAILY_TOKENS"),
        ({"wallet_units": 9}, "MAX_DAILY_WALLET_TOKENS"),
    ],
)
async def test_an_order_taken_before_a_cap_was_lowered_waits_for_a_person(caps: dict[str, int], name: str) -> None:
    """It would wait without end, so it says so; those behind it are paid."""
    world = await a_capped_world(**caps)
    order, small = await world.receive(), await world.receive(amount_units=tokens(1))

    await world.distribution.drain()

    assert (await world.status(order), await world.status(small)) == (OrderStatus.RECEIVED, OrderStatus.BOUND)
    waiting = await world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.OVER_CAP
    assert waiting.detail == f"Order default:ORD1 of 10 tokens is above {name} by itself."
    assert world.alarms.codes == ["waiting_over_cap"]


async def test_a_release_makes_room_on_the_day_of_its_binding() -> None:
    """A refused transaction gives its tokens back, to the day and to the wallet."""
    world = await a_capped_world(day_units=10, wallet_units=10)
    first, second = await world.receive(), await world.receive()
    await world.distribution.drain()
    world.chain.pause_authority()

    await world.settle(20)
    world.chain.pause_authority(paused=False)
    await world.distribution.drain()

    assert (await world.status(first), await world.status(second)) == (OrderStatus.HELD, OrderStatus.BOUND)


async def test_a_round_that_runs_past_midnight_is_judged_anew_by_the_new_day() -> None:
    """Ten tokens a day: what was chosen by yesterday's totals is not bound on top of today's."""
    world = await a_capped_world(day_units=10)
    world.clock.advance(DAY_MS - 1)
    order = await world.receive()
    sign = world.chain.pay

    def past_midnight(paid: object) -> object:
        world.clock.advance(1)
        return sign(paid)  # type: ignore[arg-type]  # the chain's own order

    rounds = world.chain.calls
    world.chain.pay = past_midnight  # type: ignore[method-assign, assignment]  # the clock goes on while it signs
    drained = await world.distribution.drain()

    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert (drained.bound, rounds["survey"]) == (1, 2)
    assert transaction.bound_day == "2026-01-02"
    assert await world.status(order) is OrderStatus.BOUND
    assert world.rows.dump()["spent:2026-01-02"]["units"] == str(tokens(10))
    assert "spent:2026-01-01" not in world.rows.dump()
