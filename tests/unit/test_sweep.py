"""The sweep wakes what stalled; the watcher tells people what is running low."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from distributor.ledger.service_state import ServiceState
from distributor.payout.facts import standing_facts
from distributor.payout.preflight import Obstacle
from distributor.payout.sweep import (
    FINALITY_LAG_BLOCKS_MAX,
    WATCH_EVERY_MS,
    BalanceMonitor,
    Sweep,
    Wakes,
    payouts_left,
)
from distributor.payout.would_pay import SomeLanePays
from distributor.settings.chain import SettlementSettings
from distributor.settings.shops import ThresholdSettings
from distributor.settings.use_cases import AgeSettings
from distributor.state import MonitorState, Stats, WaitingReason
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.settings.reading import read_group
from tests.factories import LIMITS, POLICY
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.shop import FIRST, SECOND, Shop
from tests.world import World, a_world, tokens

THRESHOLDS = ThresholdSettings(low_reserve_tokens=Decimal(1_000), low_allowance_tokens=Decimal(1_000))
NO_FLOORS = ThresholdSettings(low_gas_payouts=0)
BY_DEPTH = POLICY.model_copy(update={"finality_depth": 20})


def a_watcher(
    world: World, thresholds: ThresholdSettings = THRESHOLDS, policy: SettlementSettings = POLICY
) -> BalanceMonitor:
    """Return the watcher of that world."""
    return BalanceMonitor(
        ledger=world.ledger,
        chain=world.chain,
        alarms=world.alarms,
        clock=world.clock,
        operator=OPERATOR,
        thresholds=thresholds,
        limits=LIMITS,
        obstacle=SomeLanePays(world.distribution).obstacle,
        heads=world.chain,
        recheck=replace(world.a_recheck(), policy=policy),
    )


def a_sweep(world: World) -> Sweep:
    """Return the sweep of that world."""
    return Sweep(ledger=world.ledger, clock=world.clock)


async def test_a_watch_from_the_future_is_looked_at_again() -> None:
    """A host whose clock ran a day ahead looked; nobody waits a day for the next look."""
    world = await a_world()
    await world.ledger.service.save_monitor_state(MonitorState(watched_ms=UnixMs(world.clock() + 86_400_000)))

    assert (await a_sweep(world).run()).monitor


async def test_a_quiet_ledger_wakes_nobody() -> None:
    """And no node is asked."""
    world = await a_world()
    await world.ledger.service.save_monitor_state(MonitorState(watched_ms=world.clock(), index_swept_ms=UnixMs(0)))

    assert await a_sweep(world).run() == Wakes(distribute=False, settle=False, monitor=False)
    assert not world.chain.calls


async def test_a_waiting_order_wakes_distribution() -> None:
    """Its message was lost: that costs a minute."""
    world = await a_world()
    await world.receive()

    wakes = await a_sweep(world).run()

    assert (wakes.distribute, wakes.settle) == (True, False)


async def test_an_open_transaction_nobody_follows_wakes_settlement() -> None:
    """The host that followed it was killed; its lease ends by itself."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    await world.ledger.leases.acquire("settlement", "killed host", ttl_ms=30_000)

    assert not (await a_sweep(world).run()).settle
    world.clock.advance(30_001)
    assert (await a_sweep(world).run()).settle


async def test_the_watch_is_due_every_fifth_minute() -> None:
    """By the stored time, whichever host swept last."""
    world = await a_world()
    assert (await a_sweep(world).run()).monitor
    await a_watcher(world).run()

    world.clock.advance(WATCH_EVERY_MS - 1)
    assert not (await a_sweep(world).run()).monitor
    world.clock.advance(1)
    assert (await a_sweep(world).run()).monitor


async def test_the_sweep_notes_that_it_ran() -> None:
    """Readiness looks at the age of that note."""
    world = await a_world()

    await a_sweep(world).run()

    assert (await world.ledger.service.monitor_state()).swept_ms == world.clock()


async def test_a_sweep_that_ran_elsewhere_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts, one timer tick: the loser of the race still wakes."""
    world = await a_world()
    await world.receive()
    save = ServiceState.save_monitor_state

    async def raced(self: ServiceState, monitor_state: MonitorState) -> None:
        monkeypatch.setattr(ServiceState, "save_monitor_state", save)
        await save(self, replace(monitor_state, head_number=1))
        await save(self, monitor_state)

    monkeypatch.setattr(ServiceState, "save_monitor_state", raced)

    assert (await a_sweep(world).run()).distribute


async def test_a_healthy_service_raises_nothing_and_is_remembered() -> None:
    """What was seen is kept for the next look."""
    world = await a_world()
    world.chain.mine(10)

    await a_watcher(world).run()

    monitor_state = await world.ledger.service.monitor_state()
    assert not world.alarms.raised
    assert (monitor_state.head_number, monitor_state.finalized_number) == (10, 8)
    assert monitor_state.watched_ms == world.clock()


async def test_an_alarm_is_raised_once_until_it_is_over() -> None:
    """Low, still low, fine again, low again: two alarms."""
    world = await a_world()
    balance_monitor = a_watcher(world)
    enough = TokenUnits(tokens(10_000))

    for units in (tokens(999), tokens(998), enough, tokens(999)):
        world.chain.set_reserve(units)
        world.chain.mine()
        await balance_monitor.run()

    assert world.alarms.codes == ["low_reserve", "low_reserve"]
    assert "999 tokens left" in world.alarms.raised[0].summary
    assert "threshold is 1000" in world.alarms.raised[0].summary


async def test_what_would_stop_an_order_is_told_with_its_detail_while_none_waits() -> None:
    """What to do is in the detail; the row that says why orders wait is empty."""
    world = await a_world()
    watcher = replace(a_watcher(world, NO_FLOORS), obstacle=_vault_down)

    await watcher.run()

    (fact,) = await standing_facts(world.ledger, world.clock(), read_group(AgeSettings, {}))
    assert fact.code == "waiting_signer_down"
    assert fact.detail == "The key is disabled."


async def _vault_down() -> Obstacle | None:
    return Obstacle(reason=WaitingReason.SIGNER_DOWN, detail="The key\tis\ndisabled.")


async def test_what_is_committed_does_not_count_as_left() -> None:
    """A reserve of 1,005 with an order of 10 in flight is under 1,000."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    world.chain.set_reserve(tokens(1_005))
    world.chain.set_allowance(tokens(1_005))

    await a_watcher(world).run()

    assert world.alarms.codes == ["low_reserve", "low_allowance"]


async def test_thresholds_of_zero_are_switched_off() -> None:
    """A person who does not want to hear about an empty reserve does not."""
    world = await a_world()
    world.chain.set_reserve(TokenUnits(0))
    off = ThresholdSettings()

    await a_watcher(world, off).run()

    assert world.alarms.codes == ["waiting_reserve_short"]  # an order that came now would wait


async def test_gas_is_told_in_payouts_left() -> None:
    """A balance in POL means little at 3 a.m."""
    world = await a_world()
    world.chain.set_gas(OPERATOR, Wei(10 * Wei(LIMITS.gas_limit * LIMITS.max_fee_wei)))

    await a_watcher(world).run()

    assert world.alarms.codes == ["low_gas"]
    assert "gas for 10 more payouts" in world.alarms.raised[0].summary


def test_payouts_left_follow_what_payouts_have_cost() -> None:
    """The limit is the fallback while nothing has been closed."""
    known = Stats(orders_paid=10, gas_cost_wei=Wei(1_000))

    assert payouts_left(Wei(5_000), known, Wei(1)) == 50
    assert payouts_left(Wei(5_000), Stats(), Wei(500)) == 10


async def test_a_missing_finality_tag_alarms() -> None:
    """Nothing becomes final without it."""
    world = await a_world()
    world.chain.miss_finality()

    await a_watcher(world).run()

    assert world.alarms.codes == ["finality_stalled"]


async def test_a_finality_tag_far_behind_the_head_alarms() -> None:
    """The network makes blocks and finalizes none of them."""
    world = await a_world()
    world.chain.mine(10)
    world.chain.stall_finality()
    world.chain.mine(FINALITY_LAG_BLOCKS_MAX - 2)
    await a_watcher(world).run()
    assert not world.alarms.raised

    world.chain.mine()
    await a_watcher(world).run()

    assert world.alarms.codes == ["finality_stalled"]


async def test_a_finality_tag_that_moves_back_alarms() -> None:
    """What was final before cannot become less so."""
    world = await a_world()
    world.chain.mine(10)
    await a_watcher(world).run()
    world.chain.lag(3)

    await a_watcher(world).run()

    assert world.alarms.codes == ["finality_stalled"]
    assert "it was 8" in world.alarms.raised[0].summary


async def test_finality_by_depth_needs_no_tag() -> None:
    """FINALITY=depth:N does not look at it."""
    world = await a_world()
    world.chain.miss_finality()

    await a_watcher(world, policy=BY_DEPTH).run()

    assert not world.alarms.raised


async def test_a_key_used_elsewhere_alarms() -> None:
    """Even while no order waits."""
    world = await a_world()
    world.chain.spend_nonce(OPERATOR)

    await a_watcher(world).run()

    assert world.alarms.codes == [f"waiting_{WaitingReason.NONCE_AHEAD}"]


async def test_a_row_that_cannot_be_read_is_told_while_nothing_is_bound() -> None:
    """The watch looks at the line and at what is open, whether or not a round does."""
    world = await a_world()
    await world.receive("BAD")
    world.rows.remove("order:default:BAD")

    await a_watcher(world, NO_FLOORS).run()

    assert world.alarms.codes == ["row_unreadable"]


async def test_silent_nodes_and_wrong_chains_alarm() -> None:
    """What was seen before stays as it was."""
    world = await a_world()
    world.chain.mine(3)
    await a_watcher(world).run()
    world.chain.go_down()

    await a_watcher(world).run()

    assert world.alarms.codes == ["waiting_node_down"]
    assert (await world.ledger.service.monitor_state()).head_number == 3


async def test_a_ledger_without_the_operator_alarms() -> None:
    """Nothing can be bound for it."""
    world = World()

    await a_watcher(world).run()

    assert world.alarms.codes == ["waiting_ledger_foreign"]


async def test_a_watch_that_ran_elsewhere_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its note is kept."""
    world = await a_world()
    snapshot = world.chain.pre_bind_snapshot

    async def raced(operator: object) -> object:
        await a_sweep(world).run()
        return await snapshot(operator)  # type: ignore[arg-type]

    monkeypatch.setattr(world.chain, "pre_bind_snapshot", raced)

    await a_watcher(world).run()

    assert (await world.ledger.service.monitor_state()).watched_ms == 0


async def test_the_watch_sees_what_left_the_chain_when_nothing_is_open() -> None:
    """Nobody follows any more; the last closing is looked at all the same."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    await world.settlement.follow()
    await a_watcher(world, NO_FLOORS).run()
    assert not world.alarms.raised

    world.chain.reorg(world.chain.head.number)
    await a_watcher(world, NO_FLOORS).run()
    world.clock.advance(300_000)
    await a_watcher(world, NO_FLOORS).run()

    assert "finality_violated" in world.alarms.codes
    assert (await world.ledger.admin.pause_state()).paused


async def test_a_node_that_is_silent_is_an_alarm_while_the_others_pay() -> None:
    """The witness fails long before the last node does; when it answers the alarm ends."""
    world = await a_world(chain=FakeChain(nodes=("first", "second")))
    world.chain.go_down("second")
    await a_watcher(world, NO_FLOORS).run()
    assert "node_silent" in (await world.ledger.service.monitor_state()).alarms
    assert next(a.summary for a in world.alarms.raised if a.code == "node_silent").startswith("second: silent, 1 of 2")

    world.chain.come_back()
    await a_watcher(world, NO_FLOORS).run()
    assert "node_silent" not in (await world.ledger.service.monitor_state()).alarms


async def test_what_the_network_asks_is_kept_for_the_alarms() -> None:
    """An open transaction's price is shown beside it."""
    world = await a_world()
    await a_watcher(world, NO_FLOORS).run()

    state = await world.ledger.service.monitor_state()
    assert state.market_base_wei is not None
    assert state.market_tip_wei is not None


async def test_the_watch_registers_a_rotated_secret_while_no_order_comes() -> None:
    """The round does it with the next order; a shop that sells nothing for a week may rotate twice meanwhile."""
    world = await a_world()
    shop = Shop(world, {"default": FIRST})
    watcher = replace(a_watcher(world), registration=shop.registration)
    await watcher.run()
    shop.settings = {"default": SECOND, "default/previous": FIRST}

    await watcher.run()

    assert set((await world.ledger.shops.owners()).sources.values()) == {"default"}
    assert await shop.fingerprints.of(SECOND) in (await world.ledger.shops.owners()).sources
