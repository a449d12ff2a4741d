"""The operator's key is rotated while its transactions are in flight: real storage, real node, the service as wired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from devstack.contracts import Deployment, Devchain
from distributor.cli.init import initialise
from distributor.model import Order, OrderStatus
from distributor.order_ids import ref_id
from distributor.resources import Resources
from distributor.units import TokenUnits
from distributor.wiring import Container
from foundation.clock import UnixMs, system_clock
from tests.factories import an_order
from tests.integration.vault import URL, Peers

FIRST_UNITS = 1_000_000_007
"""Amounts that tell the orders of this test apart on the chain."""


@pytest.fixture
async def before(environ: dict[str, str], devchain: Devchain) -> AsyncIterator[Container]:
    """The service before the rotation, on a ledger that is ours and a chain that mines on demand."""
    devchain.set_automine(enabled=False)
    parts = Resources(environ, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    await parts.aclose()
    own = Container(environ, clock=system_clock)
    yield own
    await own.aclose()
    devchain.set_automine(enabled=True)


@pytest.fixture(params=["a key in memory", "a key in a vault"])
async def after(
    request: pytest.FixtureRequest, environ: dict[str, str], deployment: Deployment, azure: Peers
) -> AsyncIterator[Container]:
    """Another host, after the rotation: the old key is there until nothing of it is open."""
    rotated = {"OPERATOR_PK": deployment.second_operator_key, "OPERATOR_PK_RETIRING": deployment.operator_key}
    if request.param == "a key in a vault":
        azure.vault.keys.hold("operator", deployment.second_operator_key)
        rotated |= {"OPERATOR_PK": "", "OPERATOR_KEY_ID": f"{URL}/keys/operator"}
    own = Container(environ | rotated, clock=system_clock, transport=azure.transport)
    yield own
    await own.aclose()
    assert bool(azure.vault.keys.signed) == ("OPERATOR_KEY_ID" in rotated)


async def receive(container: Container, deployment: Deployment, number: int) -> Order:
    """Put an order of an amount of its own into the backlog."""
    order_id = f"ROT-{number}"
    order = an_order(
        order_id,
        wallet=deployment.customers[0],
        amount_units=TokenUnits(FIRST_UNITS + number),
        ref_id=ref_id("default", order_id),
        received_ms=UnixMs(system_clock() + number),
    )
    return (await (await container.intake()).ledger.insert(order)).order


async def test_both_operators_pay_through_a_rotation(
    before: Container, after: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """Four orders wait in the pool under the old key, four are bound by the new one, two hosts follow them all."""
    ledger = (await before.intake()).ledger
    orders = [await receive(before, deployment, number) for number in range(4)]
    assert (await (await before.payouts.distribution()).drain()).bound == 4
    second = (await after.payouts.distribution()).lane.signer.address
    devchain.grant(second)
    assert await ledger.admin.add_operator(second, devchain.nonce_of(second))
    orders += [await receive(after, deployment, number) for number in range(4, 8)]

    drained = await (await after.payouts.distribution()).drain()
    hosts = [await before.payouts.settlement(), await after.payouts.settlement()]
    for _ in range(8):
        devchain.mine()
        await asyncio.gather(*(host.turn() for host in hosts))

    found = [await ledger.order(order.key) for order in orders]
    assert drained.bound == 4
    assert {order.status for order in found if order} == {OrderStatus.PAID}
    assert [order.operator for order in found if order] == [deployment.operator] * 4 + [second] * 4
    mine = [event for event in devchain.payouts() if event.amount_units in range(FIRST_UNITS, FIRST_UNITS + 8)]
    assert sorted(event.amount_units for event in mine) == [FIRST_UNITS + number for number in range(8)]
    assert not await ledger.any_open()
    binding_state = await ledger.binding_state(second)
    assert binding_state is not None
    assert binding_state.committed_units == 0
