"""The end of a history: faults stop, and everything is driven until nothing moves."""

from __future__ import annotations

from distributor.state import WaitingReason
from distributor.units import TokenUnits, Wei
from tests.factories import GWEI, TOKEN
from tests.fakes.chain import RESERVE, Behaviour
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_tally import TALLY
from tests.properties.machine_world import World

ROUNDS_MAX = 40
"""Minutes until nothing moves any more, at most; a minute in which a cap lets orders wait is a day."""
DAY_MS = 86_400_000
CALM_BASE_FEE_WEI = Wei(20 * GWEI)
"""What the network asks at the end at most: under the ceiling, above what a first attempt offers in a quiet hour."""
AMPLE_UNITS = TokenUnits(1_000 * TOKEN)


def drive(world: World, watchman: Watchman) -> None:
    """Let what is under way arrive and end, then let the timer alone wake what is left; judge the end."""
    world.calm()
    _better_times(world)
    for host in world.hosts:
        host.turns.go_free()
    watchman.see_ended(world.ended())
    world.deploy()
    world.paused_for_good = world.halted_for_good = False
    world.loop.finish(world.ledger.admin.resume("a person", "the end"))
    for _ in range(ROUNDS_MAX):
        if _quiet_minute(world, watchman):
            break
    watchman.ended()


def count(world: World) -> None:
    """Add this history to the tally."""
    rows = world.rows.dump()
    statuses = [values["status"] for key, values in rows.items() if key.startswith("order:")]
    TALLY["replacements"] += sum(key.startswith("attempt:") and not key.endswith(":0000") for key in rows)
    TALLY["paid"] += statuses.count("paid")
    TALLY["held"] += statuses.count("held")
    TALLY["calls"] += world.rows.reads + world.rows.commits + world.chain.calls.total()


def _better_times(world: World) -> None:
    """The contracts work, the reserve is filled up, and the network is not too dear for the ceiling."""
    rules = world.chain.rules
    rules.behaviour, rules.paused, rules.refused_wallets = Behaviour.HONEST, False, set()
    world.chain.set_base_fee(Wei(min(rules.base_fee_wei or 0, CALM_BASE_FEE_WEI)))
    world.chain.mine()
    world.chain.set_reserve(TokenUnits(world.chain.balance_of(RESERVE) + AMPLE_UNITS))
    world.reserve_units = TokenUnits(world.reserve_units + AMPLE_UNITS)


def _quiet_minute(world: World, watchman: Watchman) -> bool:
    """Let the timer fire and do what it wakes; say whether there was nothing to do."""
    host = world.hosts[0]
    capped = world.loop.finish(world.ledger.service.why_waiting()).reason is WaitingReason.DAILY_CAP
    world.clock.advance(DAY_MS if capped else 60_000)
    world.block_passes()
    world.to_distribute = world.to_settle = False
    host.swept()
    quiet = not (world.to_distribute or world.to_settle)
    if world.to_distribute:
        host.drain()
    if world.to_settle:
        host.follow()
    watchman.see_ended(world.ended())
    return quiet
