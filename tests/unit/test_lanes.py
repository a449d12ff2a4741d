"""Several operators pay at once: which lane binds, what stops one of them, what stops all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from distributor.cli import operators
from distributor.ledger import Ledger
from distributor.model import Address, OrderStatus
from distributor.payout import alarms
from distributor.payout.facts import standing_facts
from distributor.payout.lane_choice import STUCK_MS
from distributor.payout.notices import Notices
from distributor.payout.preflight import Obstacle
from distributor.payout.settlement import Settlement
from distributor.payout.would_pay import SomeLanePays
from distributor.settings.lanes import lane_setting
from distributor.settings.use_cases import AgeSettings
from distributor.state import WaitingReason
from distributor.units import Wei
from foundation.settings.reading import read_group
from foundation.tablestore import leases
from tests.factories import GWEI, LIMITS, an_address
from tests.fakes.chain import OPERATOR
from tests.unit.test_sweep import a_watcher
from tests.world import World, a_world, tokens

SECOND = an_address("the operator of lane b")


async def two_lanes(**options: object) -> World:
    """Return a world with a second lane, ``b``."""
    world = await a_world(**options)
    await world.open_lane("b", SECOND)
    return world


async def bound(world: World) -> Counter[Address | None]:
    """Return how many orders each operator has bound."""
    return Counter([(await world.ledger.order(key)).operator for key in await world.statuses()])  # type: ignore[union-attr]


async def receive(world: World, orders: int) -> None:
    """Let orders wait."""
    for _ in range(orders):
        await world.receive()


async def bind(world: World, orders: int) -> None:
    """Let orders come and be bound one after the other: each goes to the lane with the most free slots then."""
    for _ in range(orders):
        await world.receive()
        await world.distribution.drain()


@pytest.mark.parametrize("guarded", [False, True])
async def test_orders_are_paid_in_both_lanes_each_with_slots_of_its_own(guarded: bool) -> None:
    """Forty orders wait: sixteen are in flight in each lane, and the rest follows as slots come free."""
    world = await two_lanes(guarded=guarded)
    await receive(world, 40)

    drained = await world.distribution.drain()
    first = await bound(world)
    await world.settle(10)

    assert (drained.bound, first) == (32, {OPERATOR: 16, SECOND: 16, None: 8})
    assert set((await world.statuses()).values()) == {OrderStatus.PAID}
    assert len(world.transfers()) == 40
    assert (await world.ledger.service.why_waiting()).reason is None


async def test_the_lane_with_the_most_free_slots_binds_first() -> None:
    """Equal lanes bind in the order of the settings."""
    world = await two_lanes()
    found = []
    for _ in range(4):
        order = await world.receive()
        await world.distribution.drain()
        found.append((await world.order(order)).operator)

    assert found == [OPERATOR, SECOND, OPERATOR, SECOND]


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("trouble", ["gas_short", "role_missing", "signer_down", "newer_rows"])
async def test_a_lane_in_trouble_takes_no_orders_and_the_other_goes_on(trouble: str, guarded: bool) -> None:
    """No order waits for it or is held for it, and an alarm names its operator."""
    world = await two_lanes(guarded=guarded)
    if trouble == "gas_short":
        world.chain.set_gas(OPERATOR, Wei(0))
    elif trouble == "role_missing":
        world.chain.revoke_role(OPERATOR)
        world.chain.rules.hot_keys.discard(OPERATOR)
    elif trouble == "signer_down":
        world.signer.signs_only = 0
    else:
        world.rows.put(f"opentx:{OPERATOR}:{7:020d}", {"operator": OPERATOR, "nonce": 7})
    await receive(world, 20)

    await world.distribution.drain()
    once = await bound(world)
    await world.settle(10)

    assert once == {SECOND: 16, None: 4}
    assert set((await world.statuses()).values()) == {OrderStatus.PAID}
    (alarm,) = {alarm for alarm in world.alarms.raised if alarm.code == "lane_stopped"}
    assert (alarm.subject, trouble in alarm.summary) == (OPERATOR, True)
    assert "OPERATOR_PK)" in alarm.summary
    assert not any(alarm.code.startswith("waiting_") for alarm in world.alarms.raised)


async def test_a_lane_that_the_ledger_does_not_know_takes_no_orders() -> None:
    """A key was configured and ``add-operator`` was not run yet."""
    world = await two_lanes()
    world.rows.restore({key: row for key, row in world.rows.dump().items() if key != f"nonce:{SECOND}"})
    await receive(world, 17)

    await world.distribution.drain()

    assert await bound(world) == {OPERATOR: 16, None: 1}
    (alarm,) = [alarm for alarm in world.alarms.raised if alarm.code == "lane_stopped"]
    assert (alarm.subject, "add-operator" in alarm.summary) == (SECOND, True)
    assert "OPERATOR_PK__B" in alarm.summary


async def test_a_lane_whose_lowest_nonce_stands_still_takes_no_orders_while_another_moves() -> None:
    """Also when the other one is full: its slots come free with the next block."""
    world = await two_lanes()
    world.chain.rules.silent = {OPERATOR}
    await world.receive()
    await world.distribution.drain()
    world.clock.advance(STUCK_MS)
    await receive(world, 20)

    await world.distribution.drain()
    once = await bound(world)
    await world.settle(10)

    assert once == {OPERATOR: 1, SECOND: 16, None: 4}
    assert await bound(world) == {OPERATOR: 1, SECOND: 20}
    assert (await world.ledger.service.why_waiting()).reason is None


async def test_where_no_lane_moves_all_take_orders_as_one_lane_does() -> None:
    """The chain stands still: what is bound is in the pools when it goes on."""
    world = await two_lanes()
    world.chain.rules.silent = {OPERATOR, SECOND}
    await bind(world, 2)
    world.clock.advance(STUCK_MS)

    await bind(world, 6)

    assert await bound(world) == {OPERATOR: 4, SECOND: 4}


async def test_a_lane_that_stands_still_is_used_where_the_other_one_is_in_trouble() -> None:
    """A dry lane pays nothing at all; an order behind a slow nonce is paid with it."""
    world = await two_lanes()
    world.chain.rules.silent = {OPERATOR}
    await world.receive()
    await world.distribution.drain()
    world.clock.advance(STUCK_MS)
    world.chain.set_gas(SECOND, Wei(0))
    await receive(world, 2)

    await world.distribution.drain()

    assert await bound(world) == {OPERATOR: 3}


async def test_a_sign_that_the_ledger_is_old_stops_every_lane() -> None:
    """The nonce that the ledger does not know is the second lane's; the first one binds nothing either."""
    world = await two_lanes()
    world.chain.spend_nonce(SECOND)
    await receive(world, 2)

    await world.distribution.drain()

    assert await bound(world) == {None: 2}
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.NONCE_AHEAD


@pytest.mark.parametrize("still_pays", [True, False])
async def test_a_table_from_before_a_lane_was_added_pays_nothing_that_the_lane_has_paid(still_pays: bool) -> None:
    """
    The table knows neither the lane nor what it paid, and the first lane's own nonces show nothing.

    The lane's key is still here: as a lane's, or as that of an operator that retires.
    """
    world = await two_lanes()
    await receive(world, 2)
    before = {key: row for key, row in world.rows.dump().items() if key != f"nonce:{SECOND}"}
    world.chain.set_gas(OPERATOR, Wei(0))
    await world.distribution.drain()
    await world.settle(10)
    assert await bound(world) == {SECOND: 2}
    world.chain.set_gas(OPERATOR, Wei(10**20))

    world.rows.restore(before)
    still = world.distribution.lanes if still_pays else [world.distribution.lane]
    await replace(world.distribution, lanes=still).drain()

    assert await bound(world) == {None: 2}
    assert len(world.transfers()) == 2
    waiting = await world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.NONCE_AHEAD
    assert SECOND in waiting.detail


async def test_where_every_lane_is_in_trouble_orders_wait_for_the_first_ones_reason() -> None:
    """The detail names each lane."""
    world = await two_lanes()
    world.chain.set_gas(OPERATOR, Wei(0))
    world.chain.set_gas(SECOND, Wei(0))
    await world.receive()

    await world.distribution.drain()

    waiting = await world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.GAS_SHORT
    assert all(f"{operator}: gas_short" in waiting.detail for operator in (OPERATOR, SECOND))


async def test_all_lanes_share_the_reserve_and_the_day() -> None:
    """What one lane has promised the other one cannot promise again."""
    world = await two_lanes()
    world.max_in_flight = 2
    world.cap(day_units=50)
    await receive(world, 8)

    await world.distribution.drain()

    assert await bound(world) == {OPERATOR: 2, SECOND: 2, None: 4}
    assert (await world.ledger.binding_state(SECOND)).committed_units == tokens(40)  # type: ignore[union-attr]
    await world.settle(8)
    assert sorted((await world.statuses()).values()) == ["paid"] * 5 + ["received"] * 3


async def test_a_lane_that_is_taken_out_of_the_settings_is_settled_by_its_key() -> None:
    """Its transactions are replaced and closed as those of an operator that retires; it binds nothing more."""
    room = LIMITS.model_copy(update={"max_fee_wei": Wei(200 * GWEI)})
    world = await two_lanes(limits=room)
    await bind(world, 2)
    world.chain.set_base_fee(Wei(50 * GWEI))
    world.chain.mine()
    alone = replace(world.distribution, lanes=[world.distribution.lane])
    world.settlement = Settlement(
        **{
            name: getattr(world.settlement, name)
            for name in ("ledger", "chain", "steps", "clock", "sleep", "limits", "block_time_s", "holder")
        },
        distribution=alone,
    )
    world.clock.advance(31_000)
    await world.settle(1)
    await receive(world, 2)
    await world.settle(12)

    assert set((await world.statuses()).values()) == {OrderStatus.PAID}
    assert await bound(world) == {OPERATOR: 3, SECOND: 1}
    assert len(await world.ledger.attempts(SECOND, 0)) == 2


async def test_the_lease_is_renewed_after_each_lane_and_is_the_first_lanes() -> None:
    """One distribution lease for all lanes: several binders would fight over the same rows."""
    world = await two_lanes()
    await receive(world, 32)

    await world.distribution.drain()

    rows = world.rows.dump()
    assert [key for key in rows if key.startswith("lease:distribution")] == [
        leases.lease_key(f"distribution:{OPERATOR}")
    ]


async def test_one_lane_asks_the_table_for_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one operator nothing is chosen, and what is open is read once a round."""
    world, reads = await a_world(), 0
    opened = Ledger.opened

    async def counted(self: Ledger) -> object:
        nonlocal reads
        reads += 1
        return await opened(self)

    monkeypatch.setattr(Ledger, "opened", counted)
    await world.receive()

    await world.distribution.drain()

    assert reads == 1


async def test_the_watch_says_of_each_lane_what_it_lacks() -> None:
    """Low gas and a lane that takes no orders are named by their operator; an order that came now would be paid."""
    world = await two_lanes()
    world.chain.set_gas(SECOND, Wei(0))
    watch = replace(a_watcher(world), others=[SECOND])

    await watch.run()
    obstacle = await SomeLanePays(world.distribution).obstacle()

    found = {(alarm.code, alarm.subject) for alarm in world.alarms.raised}
    assert found == {("low_gas", SECOND), ("lane_stopped", SECOND)}
    assert obstacle is None


async def test_the_watch_keeps_the_coin_of_each_lane() -> None:
    """For the console and the metrics; the columns of before say the first lane's."""
    world = await two_lanes()
    world.chain.set_gas(OPERATOR, Wei(7))
    world.chain.set_gas(SECOND, Wei(9))

    await replace(a_watcher(world), others=[SECOND]).run()
    seen = await world.ledger.service.monitor_state()

    assert list(seen.gas_of_lanes.items()) == [(OPERATOR, Wei(7)), (SECOND, Wei(9))]
    assert seen.gas_wei == Wei(7)


async def test_a_second_lane_short_of_coin_is_an_alarm_of_its_own() -> None:
    """Also while the first one's alarm is on; and each is raised once."""
    world = await two_lanes()
    watcher = replace(a_watcher(world), others=[SECOND])
    for short in (OPERATOR, SECOND, SECOND):
        world.chain.set_gas(short, Wei(7))
        await watcher.run()

    assert [alarm.subject for alarm in world.alarms.raised if alarm.code == "low_gas"] == ["", SECOND]


async def test_the_watch_sees_what_stops_every_lane() -> None:
    """A pause is everybody's; where each lane has a trouble of its own, an order that came now would wait."""
    world = await two_lanes()
    world.chain.set_gas(OPERATOR, Wei(0))
    world.chain.set_gas(SECOND, Wei(0))
    dry = await SomeLanePays(world.distribution).obstacle()
    await world.ledger.admin.pause("ana", "a look")
    paused = await SomeLanePays(world.distribution).obstacle()

    assert [each and each.reason for each in (dry, paused)] == ["gas_short", "paused"]


async def test_a_lane_with_open_transactions_is_no_retiring_operator() -> None:
    """Its coin is watched as a lane's."""
    world = await two_lanes()
    world.chain.rules.silent = {OPERATOR, SECOND}
    await bind(world, 2)
    world.chain.set_gas(SECOND, Wei(0))

    await replace(a_watcher(world), others=[SECOND]).run()

    assert "retiring_gas_short" not in world.alarms.codes


async def test_what_passes_in_seconds_is_no_alarm_of_a_lane() -> None:
    """Full slots come free with the next block, and a node that lags catches up."""
    world = await two_lanes()
    notices = Notices(ledger=world.ledger, alarms=world.alarms, clock=world.clock)

    for reason in (WaitingReason.SLOTS_FULL, WaitingReason.NODE_BEHIND):
        await notices.lane_stopped("OPERATOR_PK__B", SECOND, Obstacle(reason=reason))

    assert not world.alarms.raised


async def test_the_ages_of_two_lanes_are_told_apart() -> None:
    """Both have nonce 0 open, and one of them has all its slots taken."""
    world = await two_lanes()
    world.chain.rules.silent = {OPERATOR, SECOND}
    await receive(world, 17)
    await world.distribution.drain()
    world.clock.advance(600_000)
    await world.receive()

    facts = await standing_facts(world.ledger, world.clock(), read_group(AgeSettings, {}))

    open_long = [fact.subject for fact in facts if fact.code == "transaction_open_long"]
    assert {f"nonce 0 of {OPERATOR}", f"nonce 0 of {SECOND}", "nonce 1"} <= set(open_long)
    assert len(open_long) == len(set(open_long)) == 17
    assert ["In flight: 16" in fact.detail for fact in facts if fact.code == "slots_stuck"] == [True]


@pytest.mark.parametrize(("sent", "warned"), [(0, False), (2, True)])
async def test_add_operator_says_what_a_new_key_has_sent(
    sent: int, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that was put back may not know what that key paid."""
    world, said = await a_world(), list[str]()

    async def nonce(*_: object) -> int:
        return sent

    async def rpc() -> None:
        return None

    monkeypatch.setattr(operators, "next_nonce", nonce)
    options = SimpleNamespace(by="ana", why="a lane")
    context: Any = SimpleNamespace(
        parts=SimpleNamespace(rpc=rpc), say=said.append, applies=lambda _: True, options=options
    )
    settings: Any = SimpleNamespace(contracts=SimpleNamespace(chain_id=31337))

    added = await operators._add(context, settings, world.ledger, SECOND)

    assert added == {"operator": SECOND, "next_nonce": sent}
    assert any(f"has sent {sent} transactions" in line for line in said) is warned


def test_a_stopped_lane_is_named_by_the_setting_it_has() -> None:
    """A lane's name has a hyphen where its setting has an underline."""
    stopped = alarms.lane_stopped(lane_setting("OPERATOR_KEY_ID", "b-two"), SECOND, WaitingReason.GAS_SHORT, "no POL")

    assert "(OPERATOR_KEY_ID__B_TWO)" in stopped.summary
