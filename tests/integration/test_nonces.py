"""A nonce cancelled by a person, one used elsewhere, a payment refused: on real storage and a real node, as wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from devstack.contracts import Deployment, Devchain
from devstack.servers import Azurite
from distributor.chain.history import ChainHistory
from distributor.chain.polygon import nodes_of
from distributor.chain_types import Call
from distributor.cli.init import initialise
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Fees, Hash, HoldReason, Order, OrderStatus, SubmitOutcome
from distributor.order_ids import ref_id
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.payout.resolution import Resolution, Resolved
from distributor.payout.settlement import Settlement
from distributor.ports import UnsignedTransaction
from distributor.resources import Resources
from distributor.signing.signer import LocalSigner
from distributor.units import TokenUnits, Wei
from distributor.wiring import Container
from foundation.clock import system_clock
from tests.factories import GWEI, an_order

RELEASE = 5
SPEED_UP = Fees(max_fee_wei=Wei(200 * GWEI), tip_wei=Wei(60 * GWEI))
"""What a wallet offers that is in a hurry: more than any of our attempts."""


@pytest.fixture
async def container(
    azurite: Azurite, deployment: Deployment, devchain: Devchain, table_name: str
) -> AsyncIterator[Container]:
    """The service on a ledger that is ours, and a chain that mines on demand."""
    environ = {
        "CHAIN_ID": str(deployment.chain_id),
        "RPC_URL": deployment.url,
        "OPERATOR_PK": deployment.operator_key,
        "TOKEN_ADDRESS": deployment.token,
        "AUTHORITY_ADDRESS": deployment.authority,
        "RESERVE_ADDRESS": deployment.reserve,
        "WEBHOOK_SECRET": "the shop and we know this",
        "AzureWebJobsStorage": azurite.connection_string,
        "LEDGER_TABLE": table_name,
        "MAX_FEE_GWEI": "200",
        "BLOCK_TIME_S": "0.05",
        "FINALITY": "depth:3",
        "RELEASE_CONFIRMATIONS": str(RELEASE),
    }
    devchain.set_automine(enabled=False)
    parts = Resources(environ, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    await parts.aclose()
    own = Container(environ, clock=system_clock)
    yield own
    await own.aclose()
    devchain.set_automine(enabled=True)


async def a_bound_order(container: Container, deployment: Deployment) -> Order:
    """Return an order whose transaction is in the node's pool."""
    order = an_order("NONCE-1", wallet=deployment.customers[0], ref_id=ref_id("default", "NONCE-1"))
    distribution = await container.payouts.distribution()
    await distribution.ledger.insert(replace(order, amount_units=TokenUnits(77)))
    assert (await distribution.drain()).bound == 1
    return await found(container, order)


async def found(container: Container, order: Order) -> Order:
    """Return *order* as the ledger has it now."""
    now_there = await (await container.payouts.distribution()).ledger.order(order.key)
    assert now_there is not None
    return now_there


async def pause_before_it_is_mined(container: Container, order: Order, devchain: Devchain) -> None:
    """Pause the authority while the order's bytes are in the pool."""
    assert order.operator is not None
    assert order.nonce is not None
    devchain.rpc("anvil_dropAllTransactions")
    devchain.pause()
    distribution = await container.payouts.distribution()
    (attempt,) = await distribution.ledger.attempts(order.operator, order.nonce)
    (said,) = await distribution.lane.chain.submit([attempt.raw])
    assert said.outcome is SubmitOutcome.ACCEPTED


async def settle(settlement: Settlement, devchain: Devchain, turns: int) -> None:
    """Let blocks pass, one turn after each."""
    for _ in range(turns):
        devchain.mine()
        await settlement.turn()


async def spend_from_a_wallet(container: Container, order: Order, deployment: Deployment, call: Call) -> Hash:
    """Replace the order's transaction in the pool by *call*, signed with the operator's key; return its hash."""
    assert order.nonce is not None
    unsigned = UnsignedTransaction(
        chain_id=deployment.chain_id, nonce=order.nonce, call=call, gas_limit=300_000, fees=SPEED_UP
    )
    signed = await LocalSigner(deployment.operator_key).sign(unsigned)
    (said,) = await (await container.payouts.distribution()).lane.chain.submit([signed.raw])
    assert said.outcome is SubmitOutcome.ACCEPTED
    return signed.tx_hash


async def resolve(container: Container, order: Order, deployment: Deployment, tx_hash: Hash) -> Resolved:
    """End the order's nonce as *tx_hash* shows it on the real node."""
    settlement = await container.payouts.settlement()
    nodes = nodes_of([deployment.url], chain_id=deployment.chain_id, timeout_s=10.0, clock=system_clock)
    history = ChainHistory(nodes, token=deployment.token, reserve=deployment.reserve)
    resolution = Resolution(
        ledger=settlement.ledger,
        chain=settlement.chain,
        history=history,
        store=RebuildStore(settlement.ledger._rows, system_clock),
        identity=settlement.steps.identity,
        policy=settlement.steps.policy,
    )
    try:
        assert order.operator is not None
        assert order.nonce is not None
        return await resolution.resolve(order.operator, order.nonce, tx_hash, by="ana", why="a wallet did it")
    finally:
        await history.aclose()


async def test_a_cancelled_nonce_pays_nobody_and_frees_its_order(
    container: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """The node takes the cancellation in place of the payment; the retried order is paid under the next nonce."""
    order = await a_bound_order(container, deployment)
    settlement = await container.payouts.settlement()
    cancellation = Cancellation(
        ledger=settlement.ledger,
        chain=settlement.chain,
        guard=settlement.steps.guard_settling.guard,
        signers=settlement.steps.signers,
        clock=system_clock,
        limits=settlement.limits,
        chain_id=deployment.chain_id,
    )
    assert order.operator is not None
    assert order.nonce is not None
    said = [await cancellation.cancel(order.operator, order.nonce, by="ana", why="paused")]
    await pause_before_it_is_mined(container, order, devchain)
    said.append(await cancellation.cancel(order.operator, order.nonce, by="ana", why="paused"))
    devchain.unpause()

    await settle(settlement, devchain, 3 + RELEASE + 2)

    held = await found(container, order)
    assert said == [Cancelled.PAYABLE, Cancelled.SUBMITTED]
    assert (held.status, held.hold_reason, held.nonce) == (OrderStatus.HELD, HoldReason.NONCE_CANCELLED, None)
    await settlement.ledger.admin.retry(held, "ana", "the authority is unpaused")
    assert (await (await container.payouts.distribution()).drain()).bound == 1
    await settle(settlement, devchain, 5)
    paid = await found(container, order)
    assert (paid.status, paid.nonce) == (OrderStatus.PAID, order.nonce + 1)
    assert [event.tx_hash for event in devchain.payouts() if event.amount_units == 77] == [paid.paid_hash]


async def test_a_payment_sped_up_in_a_wallet_is_found_and_counts(
    container: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """Settlement cannot know the hash; a person names it, and the chain proves the rest."""
    order = await a_bound_order(container, deployment)
    call = (await container.payouts.distribution()).lane.chain.pay(order)
    tx_hash = await spend_from_a_wallet(container, order, deployment, call)
    devchain.mine()
    assert await resolve(container, order, deployment, tx_hash) is Resolved.NOT_FINAL
    devchain.mine(3)

    assert await resolve(container, order, deployment, tx_hash) is Resolved.PAID

    paid = await found(container, order)
    assert (paid.status, paid.paid_hash) == (OrderStatus.PAID, tx_hash)
    assert len([event for event in devchain.payouts() if event.amount_units == 77]) == 1


async def test_a_nonce_spent_elsewhere_frees_its_order(
    container: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """Somebody used the operator's key for something else: held, and free of the nonce."""
    order = await a_bound_order(container, deployment)
    call = Call(to=deployment.customers[1], data=b"")
    tx_hash = await spend_from_a_wallet(container, order, deployment, call)
    devchain.mine(4)
    early = await resolve(container, order, deployment, tx_hash)
    devchain.mine(RELEASE)

    assert [early, await resolve(container, order, deployment, tx_hash)] == [Resolved.NOT_FINAL, Resolved.HELD]

    held = await found(container, order)
    assert (held.hold_reason, held.nonce) == (HoldReason.NONCE_LOST, None)


async def test_a_refused_payment_is_held_with_what_the_contract_says_today(
    container: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """The real contract's words, decoded."""
    order = await a_bound_order(container, deployment)
    await pause_before_it_is_mined(container, order, devchain)

    await settle(await container.payouts.settlement(), devchain, 3 + RELEASE + 2)

    held = await found(container, order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REVERTED)
    assert "today it would refuse with: EnforcedPause" in held.hold_detail
