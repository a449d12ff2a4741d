"""The end of a history: faults stop, and everything is driven until nothing moves."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.payout.catalogue import CATALOGUE
from distributor.payout.catalogue_call_backs import CALL_BACKS_SILENT
from distributor.payout.facts import AlarmSweep
from distributor.payout.resumption import Resumption
from distributor.settings.use_cases import AgeSettings
from distributor.state import WaitingReason
from distributor.units import TokenUnits, Wei
from foundation.alarms.model import LOG, Message
from foundation.alarms.notifier import Notifier
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget, NotDelivered
from foundation.settings.reading import read_group
from tests.factories import GWEI, TOKEN
from tests.fakes.chain import OPERATOR, RESERVE, Behaviour
from tests.fakes.queues import MemoryQueues
from tests.properties.machine_books import of
from tests.properties.machine_harm import hold
from tests.properties.machine_invariants import Watchman
from tests.properties.machine_rules import AMPLE_WEI, OPERATORS, ORDERS
from tests.properties.machine_tally import TALLY
from tests.properties.machine_world import World

ROUNDS_MAX = 40
"""Minutes until nothing moves any more, at most; a minute in which a cap lets orders wait is a day."""
QUIET_MINUTES = 3
"""Longer than a lease is believed that a dead host with a wrong clock has left."""
RESOLVED_AFTER_BLOCKS = 20
"""As deep as a transaction must be before anything is released by it."""
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
    _a_person_resumes(world)
    if world.strays:
        _strays_are_deep(world)
    quiet = 0
    for _ in range(ROUNDS_MAX):
        quiet = quiet + 1 if _quiet_minute(world, watchman) else 0
        if quiet == QUIET_MINUTES:
            break
    hold(not world.lost, "a lost ledger is made again", world.lost)
    watchman.told(_told(world))
    watchman.ended()


_STOPS = {
    "no_transfer": "payment_path_broken",
    "nonce_lost": "nonce_lost",
    "finality": "finality_violated",
    "witness": "paid_contradicted",
    "ledger age": "ledger_behind",
    "guard": "payouts_paused",
}
"""The alarm of each cause for which the service pauses by itself."""


def _a_person_resumes(world: World) -> None:
    """Open the switch, also the one that the service closed by itself: a person got the alarm and saw the chain."""
    found = world.loop.finish(world.ledger.admin.pause_state())
    if not found.paused or world.lost == "emptied":  # without its identity a ledger stays closed
        return
    told = _STOPS.get(found.paused_by)
    hold(told is None or told in world.alarms.codes, "a stop by itself was told", (found, world.alarms.codes))
    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)
    if not world.loop.finish(resumption.obstacles()):
        world.loop.finish(world.ledger.admin.resume("a person", "the end"))


def _strays_are_deep(world: World) -> None:
    """Let what was sent with a key elsewhere be mined, however little it offers, and become as deep as a release."""
    world.chain.rules.least_tip_wei = Wei(0)
    for _ in range(RESOLVED_AFTER_BLOCKS):
        world.block_passes()


def _a_person_rebuilds(world: World) -> None:
    """Make a lost ledger again from the chain; then the shop sends again what was in it."""
    if not world.lost:
        return
    host = world.hosts[0]
    host.rebuild()
    if not world.lost:
        for order_id in sorted(key.order_id for key in world.sent):
            order = world.an_order(ORDERS.index(order_id), 10)
            world.note_asked(order)
            host.receive(order)


class _Inbox:
    """Takes what it is sent, after it refused once: a target that answers 429 first."""

    def __init__(self) -> None:
        self.refusing, self.codes = True, set[str]()

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Take the messages the second time."""
        if self.refusing:
            self.refusing = False
            raise NotDelivered("the target answered 429")
        self.codes |= {message.kind.code for message in messages}


def _told(world: World) -> set[str]:
    """Let a fresh process sweep the alarms twice, a minute apart; return the codes that reached a target."""
    register, inbox = Register(rows=world.rows, clock=world.clock, catalogue=CATALOGUE), _Inbox()
    notifier = Notifier(register=register, targets={LOG: LogTarget(), "chat": inbox}, holder="the end")
    ages = read_group(AgeSettings, {})
    sweep = AlarmSweep(ledger=world.ledger, notifier=notifier, queues=MemoryQueues(), clock=world.clock, ages=ages)
    for _ in range(2):
        world.loop.finish(sweep.run())
        world.clock.advance(60_000)
    return inbox.codes - {CALL_BACKS_SILENT}  # no history runs the function that tells the shops


def count(world: World) -> None:
    """Add this history to the tally."""
    rows = world.rows.dump()
    statuses = [values["status"] for key, values in rows.items() if key.startswith("order:")]
    TALLY["replacements"] += sum(key.startswith("attempt:") and not key.endswith(":0000") for key in rows)
    paid = {values.get("operator") for values in of(rows, "order:") if values["status"] == "paid"}
    TALLY["paid by both lanes"] += paid.issuperset(OPERATORS)
    TALLY["paid"] += statuses.count("paid")
    TALLY["held"] += statuses.count("held")
    TALLY["calls"] += world.rows.reads + world.rows.commits + world.chain.calls.total()


def _better_times(world: World) -> None:
    """The contracts work, the reserve is filled up, and the network is not too dear for the ceiling."""
    rules = world.chain.rules
    rules.behaviour, rules.paused, rules.refused_wallets = Behaviour.HONEST, False, set()
    rules.guard_paused, rules.guard_is_mute, rules.failing_refs = False, False, set()
    if world.guarded:
        world.guard.bypass(OPERATOR, bypassed=False)
    if world.lanes:
        for operator in OPERATORS:
            world.let_pay(operator, may=True)
            world.chain.set_gas(operator, AMPLE_WEI)
    world.chain.set_base_fee(Wei(min(rules.base_fee_wei or 0, CALM_BASE_FEE_WEI)))
    world.chain.mine()
    world.chain.set_reserve(TokenUnits(world.chain.balance_of(RESERVE) + AMPLE_UNITS))
    world.reserve_units = TokenUnits(world.reserve_units + AMPLE_UNITS)


def _quiet_minute(world: World, watchman: Watchman) -> bool:
    """Let a person look, and the timer fire; do what it wakes; say whether there was nothing to do."""
    host = world.hosts[0]
    capped = world.loop.finish(world.ledger.service.why_waiting()).reason is WaitingReason.DAILY_CAP
    world.clock.advance(DAY_MS if capped else 60_000)
    world.block_passes()
    _a_person_rebuilds(world)
    for operator, nonce in sorted(world.strays):
        host.resolve(operator, nonce)
    _a_person_resumes(world)
    if world.shops is not None:
        world.hosts[0].say_whose()
    world.to_distribute = world.to_settle = False
    host.swept()
    quiet = not (world.to_distribute or world.to_settle)
    if world.to_distribute:
        host.drain()
    if world.to_settle:
        host.follow()
    watchman.see_ended(world.ended())
    return quiet
