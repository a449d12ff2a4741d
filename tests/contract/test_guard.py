"""The guard port on a real node: what it says of calls, records and roles, and what a payment costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from devstack.contracts import Devchain
from distributor.chain.guard import distribute_many, import_data, item_of
from distributor.chain.guard_chain import GuardContract
from distributor.chain.polygon import nodes_of
from distributor.chain_types import RevertKind
from distributor.errors import ChainUnavailable
from distributor.model import Address, Hash, Order
from distributor.order_ids import ref_id
from distributor.payout.guard_calls import ITEM_GAS, gas_needed
from distributor.units import TokenUnits
from tests.factories import an_address, an_order
from tests.fakes.clock import FrozenClock

DEAD_NODE = "http://127.0.0.1:9"


@pytest.fixture
def guarded(devchain: Devchain) -> Devchain:
    """The shared chain with a guard as the Authority's only operator."""
    devchain.revoke(devchain.deployment.operator)
    return Devchain(devchain.install_guard())


def port(devchain: Devchain, *urls: str) -> GuardContract:
    """Return the port on these nodes."""
    known = devchain.deployment
    nodes = nodes_of(urls, chain_id=known.chain_id, timeout_s=2.0, clock=FrozenClock())
    return GuardContract(nodes, guard=known.guard, authority=known.authority)


@pytest.fixture
async def guard(guarded: Devchain) -> AsyncIterator[GuardContract]:
    """The port on one node."""
    opened = port(guarded, guarded.deployment.url)
    yield opened
    await opened.aclose()


def order_for(wallet: Address, name: str = "A-1") -> Order:
    """Return an order of ten tokens."""
    return replace(an_order(name), wallet=wallet, ref_id=ref_id("default", name))


def head(devchain: Devchain) -> int:
    """Return the newest block."""
    return int(devchain.rpc("eth_blockNumber"), 16)


def gas_used(devchain: Devchain, orders: Sequence[Order]) -> int:
    """Pay *orders* in one transaction with the gas that would be signed; return what it used."""
    known = devchain.deployment
    data = distribute_many(ITEM_GAS, [item_of(order) for order in orders])
    sent = {
        "from": known.operator,
        "to": known.guard,
        "data": f"0x{data.hex()}",
        "gas": hex(gas_needed(ITEM_GAS, len(orders))),
    }
    receipt = devchain.receipt(devchain.rpc("eth_sendTransaction", sent))
    assert receipt["status"] == 1
    return receipt["gasUsed"]


async def test_a_simulation_says_of_each_item_what_the_call_would(guard: GuardContract, guarded: Devchain) -> None:
    """Paid, refused by the Authority with its words, paid before; and refused as a whole."""
    known = guarded.deployment
    order = order_for(known.customers[0])
    operator, stranger = known.operator, known.customers[1]
    (probe, good) = await guard.simulate(operator, [guard.probe(operator), guard.pay(order)])
    (refused,) = await guard.simulate(stranger, [guard.pay(order)])
    guarded.pause()
    (paused,) = await guard.simulate(operator, [guard.pay(order)])
    guarded.unpause()
    gas_used(guarded, [order])
    (again,) = await guard.simulate(operator, [guard.pay(order)])
    guarded.at_guard("pause")
    (stopped,) = await guard.simulate(operator, [guard.pay(order)])

    assert (probe.items, good.items, good.revert) == ((None,), (None,), None)
    assert refused.revert is not None
    assert refused.revert.kind is RevertKind.ROLE_MISSING
    assert [item.kind for item in paused.items if item] == [RevertKind.AUTHORITY_PAUSED]
    assert [item.kind for item in again.items if item] == [RevertKind.ALREADY_PAID]
    assert stopped.revert is not None
    assert stopped.revert.kind is RevertKind.GUARD_PAUSED


async def test_a_batch_is_tried_in_one_call_that_answers_for_each_order(
    guard: GuardContract, guarded: Devchain
) -> None:
    """Paid, paid before, and more than the reserve allows: each in its place."""
    known = guarded.deployment
    orders = [order_for(known.customers[0], f"A-{number}") for number in range(30)]
    gas_used(guarded, [orders[3]])
    locked = replace(order_for(known.customers[0], "LOCKED"), amount_units=TokenUnits(10**40))
    (said,) = await guard.simulate(known.operator, [guard.pay(*orders[:29], locked)])

    kinds = [item and item.kind for item in said.items]
    assert kinds == [None] * 3 + [RevertKind.ALREADY_PAID] + [None] * 25 + [RevertKind.ALLOWANCE_SHORT]


async def test_what_is_no_guard_refuses_every_call(guarded: Devchain) -> None:
    """An address without code answers nothing; no order is to blame."""
    known = guarded.deployment
    nodes = nodes_of([known.url], chain_id=known.chain_id, timeout_s=2.0, clock=FrozenClock())
    nowhere = GuardContract(nodes, guard=an_address("nowhere"), authority=known.authority)
    (said,) = await nowhere.simulate(known.operator, [nowhere.pay(order_for(known.customers[0]))])
    facts = await nowhere.facts(an_address("nowhere"), [known.operator], [], block=head(guarded))
    await nowhere.aclose()

    assert said.revert is not None
    assert said.revert.text == "what answers is no guard"
    assert facts is None


async def test_an_estimate_does_not_see_that_every_item_would_fail(guard: GuardContract, guarded: Devchain) -> None:
    """So a person who cancels a nonce is answered by the guard; the fake chain of the unit tests is as blind."""
    known = guarded.deployment
    call = guard.pay(order_for(known.customers[0]))
    guarded.pause()

    sent = {"from": known.operator, "to": call.to, "data": f"0x{call.data.hex()}"}
    estimate = int(guarded.rpc("eth_estimateGas", sent), 16)
    (said,) = await guard.simulate(known.operator, [call])

    assert ITEM_GAS < estimate <= gas_needed(ITEM_GAS, 1)
    (refusal,) = said.items
    assert refusal is not None


async def test_only_who_has_a_role_of_its_own_can_pay_directly(guard: GuardContract, guarded: Devchain) -> None:
    """Asked of the Authority itself, whatever its roles are called."""
    known = guarded.deployment
    asked = [known.operator, known.second_operator]
    before = await guard.direct_payers(asked)
    guarded.grant(known.second_operator)

    assert before == []
    assert await guard.direct_payers(asked) == [known.second_operator]


async def test_a_record_leads_to_the_payment(guard: GuardContract, guarded: Devchain) -> None:
    """By the block it names, and the one log in it."""
    known = guarded.deployment
    order = order_for(known.customers[0])
    assert known.guard is not None
    assert await guard.payment(known.guard, order.ref_id) is None
    gas_used(guarded, [order_for(known.customers[0], "Z-1"), order])
    found = await guard.payment(known.guard, order.ref_id)

    assert found is not None
    assert (found.ref_id, found.wallet, found.amount_units) == (order.ref_id, order.wallet, order.amount_units)
    assert (found.block.number, found.tx_hash) == (head(guarded), guarded.payouts()[-1].tx_hash)


async def test_an_import_is_a_record_without_a_transfer(guard: GuardContract, guarded: Devchain) -> None:
    """It names the import's own transaction; the reference is never paid then."""
    known = guarded.deployment
    order = order_for(known.customers[0])
    assert known.guard is not None
    data = import_data([(order.ref_id, order.wallet, order.amount_units)])
    missing = await guard.unrecorded(known.guard, [order.ref_id], block=head(guarded))
    guarded.rpc("eth_sendTransaction", {"from": known.admin, "to": known.guard, "data": f"0x{data.hex()}"})
    found = await guard.payment(known.guard, order.ref_id)
    facts = await guard.facts(known.guard, [known.operator], [known.customers[0]], block=head(guarded))

    assert missing == [order.ref_id]
    assert await guard.unrecorded(known.guard, [order.ref_id], block=head(guarded)) == []
    assert found is not None
    assert (found.wallet, found.amount_units) == (order.wallet, order.amount_units)
    assert guarded.payouts() == []
    assert facts is not None
    assert (facts.owner, facts.hot_keys, facts.bypassing) == (known.admin, (known.operator,), ())
    assert (facts.count, facts.last_block, facts.has_role, facts.paused) == (1, head(guarded), True, False)


async def test_one_node_of_two_is_no_proof(guarded: Devchain) -> None:
    """What one node says of a record adopts nothing while the other is silent."""
    known = guarded.deployment
    assert known.guard is not None
    lonely = port(guarded, known.url, DEAD_NODE)
    with pytest.raises(ChainUnavailable, match="too few nodes"):
        await lonely.payment(known.guard, Hash("0x" + "7" * 64))
    await lonely.aclose()


@pytest.mark.parametrize(
    ("count", "new_each", "known_each"), [(1, 118_000, 101_000), (10, 69_500, 52_400), (30, 66_000, 48_900)]
)
def test_a_payment_costs_what_the_papers_say(guarded: Devchain, count: int, new_each: int, known_each: int) -> None:
    """Each in a batch of so many, to a wallet that never held a token and to one that does."""
    wallets = [an_address(f"holder {number}") for number in range(count)]
    gas_used(guarded, [order_for(guarded.deployment.customers[0], "FIRST")])
    to_new = gas_used(guarded, [order_for(wallet, f"N-{at}") for at, wallet in enumerate(wallets)])
    to_known = gas_used(guarded, [order_for(wallet, f"K-{at}") for at, wallet in enumerate(wallets)])

    assert to_new // count <= new_each
    assert to_known // count <= known_each
    assert TokenUnits(10**19) == guarded.balance_of(wallets[0]) // 2


def test_a_call_that_is_no_payment_of_ours_is_not_made_up() -> None:
    """Without a guard in the settings nothing can be paid through one."""
    nodes = nodes_of([DEAD_NODE], chain_id=1, timeout_s=1.0, clock=FrozenClock())
    without = GuardContract(nodes, guard=None, authority=an_address("authority"))
    with pytest.raises(ValueError, match="no guard is set"):
        without.pay(an_order())
