"""What makes each alarm: a way to provoke every code of the catalogue, and to end what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from distributor.caps import NO_CAPS, Caps
from distributor.ledger.keys import DOUBTED_PAST
from distributor.model import Hash, Order
from distributor.payout import preflight
from distributor.state import WaitingReason
from distributor.units import Wei
from foundation.errors import ConfigurationError
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.factories import GWEI, LIMITS, an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.fakes.chain_state import GUARD, Behaviour
from tests.service import Service
from tests.unit.test_cancellation import cancel
from tests.unit.test_resolution import resolve
from tests.world import IDENTITY, tokens

End = Callable[[], Any]
"""Ends the trouble; awaited where it returns something to await."""
Begin = Callable[[Service], Awaitable[End]]
ROOM = LIMITS.model_copy(update={"max_fee_wei": Wei(200 * GWEI)})


@dataclass(frozen=True, kw_only=True)
class Provocation:
    """How a code comes about: *begin* leaves the last step to the service, and returns what ends it."""

    begin: Begin
    options: dict[str, Any]
    then: str = ""
    """The code that goes on where the service itself turns this one into it."""
    repeats: bool = False
    """Whether an event goes on happening."""


PROVOKED: dict[str, Provocation] = {}


def provokes(code: str, *, then: str = "", repeats: bool = False, **options: Any) -> Callable[[Begin], Begin]:
    """Register a function as what provokes *code*, in a world with *options*."""

    def register(begin: Begin) -> Begin:
        assert code not in PROVOKED, code
        PROVOKED[code] = Provocation(begin=begin, options=options, then=then, repeats=repeats)
        return begin

    return register


async def bound(service: Service, **changes: Any) -> Order:
    """Return an order whose transaction is in the pool."""
    order = await service.world.receive(**changes)
    await service.world.distribution.drain()
    return order


async def paid(service: Service) -> Order:
    """Return an order that is final."""
    order = await bound(service)
    await service.world.settle(8)
    return order


def cancels(service: Service, order: Order) -> Callable[[], Awaitable[None]]:
    """Return what a person does about a held order: cancel it, and let the payouts go on."""

    async def end() -> None:
        admin = service.world.ledger.admin
        await admin.cancel(await service.world.order(order), "ana", "looked")
        await admin.resume("ana", "looked")

    return end


def resumes(service: Service) -> Callable[[], Awaitable[Any]]:
    """Return what a person does about a pause."""
    return lambda: service.world.ledger.admin.resume("ana", "looked")


# why orders wait -------------------------------------------------------------------------------------


@provokes("waiting_node_down")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.go_down()
    return service.world.chain.come_back


@provokes("waiting_wrong_chain")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.serve_other_chain()
    return lambda: service.world.chain.serve_other_chain(elsewhere=False)


@provokes("waiting_ledger_foreign")
async def _(service: Service) -> End:
    """Somebody sets another reserve."""
    await service.world.receive()
    return _identity(service, replace(IDENTITY, reserve=an_address("another reserve")))


@provokes("waiting_guard_changed")
async def _(service: Service) -> End:
    """Somebody sets a guard without `guard adopt`."""
    await service.world.receive()
    return _identity(service, replace(IDENTITY, guard=GUARD, guard_since=0))


def _identity(service: Service, other: Any) -> End:
    def use(identity: Any) -> None:
        service.world.identity = identity
        service.restart_payouts()

    use(other)
    return lambda: use(IDENTITY)


@provokes("waiting_not_configured")
async def _(service: Service) -> End:
    await service.world.receive()
    service.broken["distribution"] = ConfigurationError("RPC_URL is not set")
    return service.broken.clear


@provokes("waiting_paused")
async def _(service: Service) -> End:
    await service.world.receive()
    await service.world.ledger.admin.pause("ana", "a look")
    return resumes(service)


@provokes("waiting_halted")
async def _(service: Service) -> End:
    await service.world.receive()
    await service.world.ledger.admin.halt("ana", "a look")
    return resumes(service)


@provokes("waiting_daily_cap")
async def _(service: Service) -> End:
    """Two orders of ten, fifteen a day."""
    return await _capped(service, Caps(day_units=tokens(15)))


@provokes("waiting_over_cap")
async def _(service: Service) -> End:
    return await _capped(service, Caps(order_units=tokens(5)))


async def _capped(service: Service, caps: Caps) -> End:
    def use(these: Caps) -> None:
        service.world.caps = these
        service.restart_payouts()

    use(caps)
    for _ in range(2):
        await service.world.receive()
    return lambda: use(NO_CAPS)


@provokes("waiting_shop_unknown")
async def _(service: Service) -> End:
    order = await service.world.receive(signed_with="the mark of a secret that nobody knows")
    return cancels(service, order)


@provokes("waiting_fee_ceiling")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.set_base_fee(Wei(100 * GWEI))
    return lambda: service.world.chain.set_base_fee(Wei(GWEI))


@provokes("waiting_slots_full")
async def _(service: Service) -> End:
    """The row of an earlier version; this one writes it no more, and says `slots_stuck` when no nonce moves."""
    await _stuck_behind_each_other(service)
    await service.world.ledger.service.set_waiting(WaitingReason.SLOTS_FULL, "")
    return lambda: setattr(service.world.chain.rules, "least_tip_wei", Wei(0))


@provokes("slots_stuck")
async def _(service: Service) -> End:
    await _stuck_behind_each_other(service)
    return lambda: setattr(service.world.chain.rules, "least_tip_wei", Wei(0))


async def _stuck_behind_each_other(service: Service) -> None:
    service.world.chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    for _ in range(service.world.max_in_flight + 1):
        await service.world.receive()
    await service.world.distribution.drain()


@provokes("waiting_gas_short")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.set_gas(OPERATOR, Wei(0))
    return lambda: service.world.chain.set_gas(OPERATOR, Wei(10**20))


@provokes("waiting_reserve_short")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.set_reserve(tokens(6))
    return lambda: service.world.chain.set_reserve(tokens(1_000))


@provokes("waiting_allowance_short")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.set_allowance(tokens(6))
    return lambda: service.world.chain.set_allowance(tokens(1_000))


@provokes("waiting_token_missing")
async def _(service: Service) -> End:
    return await _rule(service, token_has_code=False)


@provokes("waiting_authority_missing")
async def _(service: Service) -> End:
    return await _rule(service, authority_has_code=False)


@provokes("waiting_authority_paused")
async def _(service: Service) -> End:
    return await _rule(service, paused=True)


@provokes("waiting_authority_refuses")
async def _(service: Service) -> End:
    return await _rule(service, behaviour=Behaviour.REFUSING)


@provokes("waiting_guard_paused", guarded=True)
async def _(service: Service) -> End:
    return await _rule(service, guard_paused=True)


async def _rule(service: Service, **rules: Any) -> End:
    """Let the chain be so, with an order that waits."""
    await service.world.receive()
    before = {name: getattr(service.world.chain.rules, name) for name in rules}

    def use(values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(service.world.chain.rules, name, value)

    use(rules)
    return lambda: use(before)


@provokes("waiting_role_missing")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.revoke_role(OPERATOR)
    return lambda: service.world.chain.grant_role(OPERATOR)


@provokes("waiting_guard_bypassed", guarded=True)
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.chain.grant_role(OPERATOR)
    return lambda: service.world.chain.revoke_role(OPERATOR)


@provokes("waiting_node_behind")
async def _(service: Service) -> End:
    """The node shows the chain as it was before a payment that is final."""
    await paid(service)
    await service.world.receive()
    service.world.chain.lag(1_000_000)
    return lambda: service.world.chain.lag(0)


@provokes("waiting_finality_behind")
async def _(service: Service) -> End:
    """Three are mined and not final, and no more than that may be."""
    service.patch.setattr(preflight, "UNSETTLED_MAX", 3)
    service.world.chain.stall_finality()
    for _ in range(3):
        await bound(service)
    await service.world.settle(2)
    await service.world.receive()
    return service.world.chain.resume_finality


@provokes("waiting_newer_rows")
async def _(service: Service) -> End:
    """A newer version asks for rules that this one does not know."""
    await service.world.receive()
    service.world.rows.put("schema", {"level": 99})
    return lambda: service.world.rows.put("schema", {"level": 2})


@provokes("waiting_decimals_wrong")
async def _(service: Service) -> End:
    await service.world.receive()

    def use(decimals: int | None) -> None:
        service.decimals = decimals
        service.restart_payouts()

    use(6)
    return lambda: use(18)


@provokes("waiting_signer_down")
async def _(service: Service) -> End:
    await service.world.receive()
    service.world.signer.signs_only = 0
    return lambda: setattr(service.world.signer, "signs_only", None)


# why orders are held ---------------------------------------------------------------------------------


@provokes("held_reverted")
async def _(service: Service) -> End:
    order = await bound(service)
    service.world.chain.pause_authority()
    return cancels(service, order)


@provokes("held_no_transfer")
async def _(service: Service) -> End:
    order = await bound(service)
    service.world.chain.rules.behaviour = Behaviour.SILENT
    return cancels(service, order)


@provokes("held_simulation")
async def _(service: Service) -> End:
    order = await service.world.receive()
    service.world.chain.rules.refused_wallets.add(order.wallet)
    return cancels(service, order)


@provokes("held_nonce_cancelled", limits=ROOM)
async def _(service: Service) -> End:
    order = await bound(service)
    service.world.chain.pause_authority()
    await cancel(service.world)
    return cancels(service, order)


@provokes("held_nonce_lost")
async def _(service: Service) -> End:
    """A person resolves a nonce that another transaction of the key used."""
    order = await bound(service)
    await resolve(service.world, await loses_its_nonce(service, order))
    return cancels(service, order)


async def loses_its_nonce(service: Service, order: Order) -> Hash:
    """Let another transaction of the key use the nonce of *order*, far in the past."""
    chain = service.world.chain
    chain.drop(await service.world.last_hash(order))
    rival = chain.spend_nonce(OPERATOR)
    chain.mine(20)
    return rival


@provokes("held_item_failed", guarded=True)
async def _(service: Service) -> End:
    """Its item fails in the block, a second time, and no simulation says why."""
    world = service.world
    order = await world.receive(wallet=CUSTOMERS[1])
    for _ in range(2):
        await world.settle(5)
        await world.ledger.admin.resume("ana", "looked")
        await world.distribution.drain()
        world.chain.rules.refused_wallets.add(order.wallet)
        await world.a_block_passes()
        world.chain.rules.refused_wallets.clear()
        await world.ledger.admin.pause("ana", "a look")
    return cancels(service, order)


@provokes("held_reference_used", guarded=True)
async def _(service: Service) -> End:
    """Somebody pays another amount under its reference."""
    order = await service.world.receive()
    pays_elsewhere(service, order, amount_units=tokens(3))
    return cancels(service, order)


@provokes("held_past_unknown")
async def _(service: Service) -> End:
    """The ledger was rebuilt from a past that a person took although it did not add up."""
    group = AtomicWrite()
    await service.world.ledger.past.write(group, "transfers of 10 units are missing. no node keeps older logs")
    await commit(service.world.rows, group, marker_row=DOUBTED_PAST)
    return cancels(service, await service.world.receive())


@provokes("held_needs_approval")
async def _(service: Service) -> End:
    """An order of ten comes in, and five is what is paid without a second person."""
    service.world.cap(approval_units=5)
    service.restart_payouts()
    return cancels(service, await service.world.receive())


def pays_elsewhere(service: Service, order: Order, **changes: Any) -> None:
    """Let another key pay *order*, or something else under its reference, through the same guard."""
    key = an_address("another hot key")
    service.world.chain.rules.hot_keys.add(key)
    service.world.chain.spend_nonce(key, service.world.guard.pay(replace(order, **changes)))
    service.world.chain.mine(5)
