"""Two hosts on one ledger, and two operators on one chain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.model import Address, OrderStatus
from distributor.payout.settlement import Settlement
from distributor.units import Wei
from foundation.clock import UnixMs
from foundation.tablestore.leases import Lease, Leases
from tests.distributions import with_lanes
from tests.factories import GWEI, LIMITS
from tests.fakes.chain import OPERATOR, FakeChain, FakeSigner
from tests.unit.test_sweep import NO_FLOORS, a_watcher
from tests.world import World, a_world, tokens

ROTATED = Address("0x90F79bf6EB2c4f870365E785982E1f101E93b906")
ROOM = LIMITS.model_copy(update={"max_fee_wei": Wei(200 * GWEI)})


@pytest.fixture
def no_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every host believes that it holds every lease: only the conditional writes are left."""

    async def acquire(_: Leases, name: str, holder: str, *, ttl_ms: int) -> Lease:
        return Lease(name=name, holder=holder, until_ms=UnixMs(ttl_ms))

    async def renew(_: Leases, lease: Lease, *, ttl_ms: int) -> Lease:  # noqa: ARG001 -- the port's shape
        return lease

    async def release(_: Leases, lease: Lease) -> None:
        """Nobody waits for it."""

    for verb in (acquire, renew, release):
        monkeypatch.setattr(Leases, verb.__name__, verb)


def assert_paid_once(world: World, count: int) -> None:
    """Each order has its one transfer, and each nonce was mined once and without a gap."""
    assert len(world.transfers()) == count
    assert sum(transfer.amount_units for transfer in world.transfers()) == count * 10**19
    assert len({receipt.tx_hash for receipt in world.chain.receipts}) == count


@pytest.mark.usefixtures("no_leases")
async def test_two_hosts_that_both_believe_to_be_alone_pay_each_order_once() -> None:
    """They bind the same orders to the same nonces, and push and close the same transactions, side by side."""
    world = await a_world()
    orders = [await world.receive() for _ in range(40)]
    hosts = [world.a_settlement(world.a_distribution(f"host-{number}")) for number in range(2)]

    for _ in range(30):
        await asyncio.gather(*(host.distribution.drain() for host in hosts))
        await asyncio.gather(*(host.turn() for host in hosts))
        await world.a_block_passes()

    assert {await world.status(order) for order in orders} == {OrderStatus.PAID}
    assert_paid_once(world, 40)
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert (binding_state.next_nonce, binding_state.committed_units) == (40, 0)
    assert (await world.ledger.stats(OPERATOR)).orders_paid == 40


@pytest.mark.usefixtures("no_leases")
async def test_two_hosts_replace_a_stuck_transaction_once() -> None:
    """Both decide that it needs better fees: one stores its attempt, the other's bytes are nowhere."""
    world = await a_world(limits=ROOM)
    order = await world.receive()
    hosts = [world.a_settlement(world.a_distribution(f"host-{number}")) for number in range(2)]
    await hosts[0].distribution.drain()
    world.chain.set_base_fee(Wei(33 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)
    world.clock.advance(30_000)

    await asyncio.gather(*(host.turn() for host in hosts))

    attempts = await world.ledger.attempts(OPERATOR, 0)
    stored = {attempt.tx_hash for attempt in attempts}
    assert len(attempts) == 2
    assert {sent.tx_hash for sent in world.chain.handed} == stored
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert_paid_once(world, 1)


@pytest.mark.usefixtures("no_leases")
async def test_a_pause_among_racing_hosts_stops_both() -> None:
    """Rounds are in progress; whatever each has read before, no nonce moves once the pause is answered."""
    world = await a_world()
    for _ in range(30):
        await world.receive()
    hosts = [world.a_distribution(f"host-{number}") for number in range(2)]
    racing = [asyncio.create_task(host.drain()) for host in hosts]
    while world.rows.dump()[f"nonce:{OPERATOR}"]["next"] == 0:  # noqa: ASYNC110 -- what is awaited is a row
        await asyncio.sleep(0)

    await world.ledger.admin.pause("ana", "audit")
    at_pause = await world.ledger.binding_state(OPERATOR)
    await asyncio.gather(*racing)

    assert at_pause == await world.ledger.binding_state(OPERATOR)
    assert at_pause is not None
    assert at_pause.next_nonce > 0


def rotated(world: World, *keys: Address) -> Settlement:
    """Return the service after a rotation: the new operator binds, *keys* are there to sign."""
    distribution = with_lanes(world.a_distribution("rotated"), signer=FakeSigner(ROTATED))
    settlement = world.a_settlement(distribution)
    signers = {key: FakeSigner(key) for key in keys}
    return replace(settlement, steps=replace(settlement.steps, signers=signers))


async def a_rotation() -> World:
    """Return a world where three transactions of the old operator are stuck in the pool, and orders wait."""
    world = await a_world(chain=FakeChain(operators=(OPERATOR, ROTATED)), limits=ROOM)
    for _ in range(3):
        await world.receive()
    await world.distribution.drain()
    world.chain.set_base_fee(Wei(33 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)
    for _ in range(3):
        await world.receive()
    assert await world.ledger.admin.add_operator(ROTATED, 0)
    return world


async def test_the_retiring_operators_transactions_settle_on_while_the_new_one_binds() -> None:
    """Each replaces with its own key; every order is paid once, by the operator that bound it."""
    world = await a_rotation()
    service = rotated(world, ROTATED, OPERATOR)

    await service.distribution.drain()
    await service.follow()

    assert set((await world.statuses()).values()) == {OrderStatus.PAID}
    assert_paid_once(world, 6)
    old, new = [await world.ledger.stats(operator) for operator in (OPERATOR, ROTATED)]
    assert (old.orders_paid, new.orders_paid) == (3, 3)
    first, last = world.chain.handed[0], world.chain.receipts[-1]
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 2
    assert first.tx_hash != last.tx_hash
    assert {sent.sender for sent in world.chain.handed} == {OPERATOR, ROTATED}
    binding_state = await world.ledger.binding_state(ROTATED)
    assert binding_state is not None
    assert (binding_state.next_nonce, binding_state.committed_units) == (3, 0)


async def test_a_retiring_operator_without_coin_is_an_alarm() -> None:
    """The nodes drop what it can no longer pay for; the new operator's coin says nothing of that."""
    world = await a_rotation()
    watcher = replace(a_watcher(world, NO_FLOORS), operator=ROTATED)
    await watcher.run()
    assert "retiring_gas_short" not in world.alarms.codes

    world.chain.set_gas(OPERATOR, Wei(1))
    await watcher.run()
    (alarm,) = [alarm for alarm in world.alarms.raised if alarm.code == "retiring_gas_short"]
    assert alarm.subject == OPERATOR
    assert alarm.summary.startswith(f"The retiring operator {OPERATOR} holds 0.000000000000000001 POL")


async def test_what_the_retiring_operator_has_committed_is_not_promised_again() -> None:
    """One reserve for both: what is bound and not final counts, no matter which host bound it."""
    world = await a_rotation()
    world.chain.set_reserve(tokens(40))

    await rotated(world, ROTATED, OPERATOR).distribution.drain()

    assert sorted((await world.statuses()).values()) == ["assigned"] * 4 + ["received"] * 2


async def test_the_retiring_operator_is_not_asked_to_bind() -> None:
    """Its nonce is where the rotation found it; a late round of an old host may still bind there, once."""
    world = await a_rotation()
    old, service = world.distribution, rotated(world, ROTATED, OPERATOR)

    await asyncio.gather(old.drain(), service.distribution.drain())
    await service.follow()

    assert set((await world.statuses()).values()) == {OrderStatus.PAID}
    assert_paid_once(world, 6)


async def test_an_operator_is_never_added_twice() -> None:
    """A second rotation to the same key keeps the nonce its bindings have reached."""
    world = await a_rotation()
    await rotated(world, ROTATED, OPERATOR).distribution.drain()

    assert not await world.ledger.admin.add_operator(ROTATED, 0)
    binding_state = await world.ledger.binding_state(ROTATED)
    assert binding_state is not None
    assert binding_state.next_nonce == 3
