"""Settlement stops the payouts by itself at the first sign that money goes wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.model import HoldReason, OrderStatus
from distributor.ports import Alarm
from foundation.clock import utc_day
from tests.fakes.chain import OPERATOR, Behaviour, FakeChain
from tests.world import World, a_world, tokens


async def a_broken_path(**options: object) -> World:
    """An Authority that pays one unit short, and a cap for the day."""
    world = await a_world(**options)
    world.chain.rules.behaviour = Behaviour.SHORT
    world.cap(day_units=200)
    return world


async def test_a_broken_payment_path_is_not_fed_order_after_order() -> None:
    """The smallest input of A21, forty orders: one transaction's worth is bound, and its units stay counted."""
    world = await a_broken_path()
    orders = [await world.receive() for _ in range(40)]
    world.max_in_flight = 1
    world.start()

    for _ in range(30):
        await world.distribution.drain()
        await world.settle()

    stopped = await world.ledger.admin.pause_state()
    statuses = [await world.status(order) for order in orders]
    assert stopped.paused_by == "no_transfer"
    assert statuses.count(OrderStatus.RECEIVED) >= 34
    assert "payment_path_broken" in world.alarms.codes
    held = [order for order in orders if await world.status(order) is OrderStatus.HELD]
    assert {(await world.order(order)).hold_reason for order in held} == {HoldReason.NO_TRANSFER}
    spent = world.rows.dump()[f"spent:{utc_day(world.clock())}"]["units"]
    assert spent == str(len([each for each in statuses if each is not OrderStatus.RECEIVED]) * tokens(10))


async def test_a_person_who_has_looked_may_resume() -> None:
    """The same transaction does not pause a second time, though its orders are held much later."""
    world = await a_broken_path()
    await world.receive()
    await world.distribution.drain()
    await world.settle(6)
    assert (await world.ledger.admin.pause_state()).paused

    await world.ledger.admin.resume("ana", "looked")
    await world.settle(12)

    assert not (await world.ledger.admin.pause_state()).paused
    assert world.alarms.codes == ["payment_path_broken", "held_no_transfer"]


async def test_a_stop_whose_process_dies_before_its_alarm_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The payouts are paused already; the alarm is not forgotten, and is raised once."""
    world = await a_broken_path()
    await world.receive()
    await world.distribution.drain()
    raise_ = world.alarms.raise_

    async def dies(_: Alarm) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(world.alarms, "raise_", dies)
    with pytest.raises(ProcessLookupError):
        await world.settle(12)
    assert (await world.ledger.admin.pause_state()).paused
    monkeypatch.setattr(world.alarms, "raise_", raise_)

    await world.settle(2)

    assert world.alarms.codes == ["payment_path_broken"]


async def test_one_node_that_leaves_out_logs_stops_nobody() -> None:
    """The other shows the transfer, or does not answer."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    order = await world.receive()
    await world.distribution.drain()
    world.chain.mine(8)
    world.chain.said_by("one").receipt = lambda receipt: replace(receipt, transfers=())
    world.chain.go_down("two")
    await world.settle(2)
    world.chain.come_back()
    await world.settle(2)

    assert not (await world.ledger.admin.pause_state()).paused
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_lost_nonce_pauses_once() -> None:
    """It is the sign of a stolen key; a person who looked and resumed is not overruled."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    world.chain.drop(world.chain.pooled[0].tx_hash)
    world.chain.spend_nonce(OPERATOR)
    world.clock.advance(60_000)

    await world.settle(2)
    assert (await world.ledger.admin.pause_state()).paused_by == "nonce_lost"
    await world.ledger.admin.resume("ana", "looked")
    await world.settle(2)

    assert not (await world.ledger.admin.pause_state()).paused


async def test_two_hosts_that_stop_for_one_cause_note_it_once() -> None:
    """The second finds the row."""
    world = await a_world()

    await world.ledger.signs.note_stop("cause")
    await world.ledger.signs.note_stop("cause")

    assert await world.ledger.signs.stopped("cause")
