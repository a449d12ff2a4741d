"""Two operators pay at once: real storage, real node, the service as it is wired."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from devstack.contracts import Deployment, Devchain
from distributor.cli.init import initialise
from distributor.model import Order, OrderStatus
from distributor.order_ids import ref_id
from distributor.resources import Resources
from distributor.units import TokenUnits, Wei
from distributor.wiring import Container
from foundation.clock import UnixMs, system_clock
from tests.factories import an_order

FIRST_UNITS = 2_000_000_011
"""Amounts that tell the orders of this test apart on the chain."""
ROOM = 16


@pytest.fixture
async def service(environ: dict[str, str], devchain: Devchain, deployment: Deployment) -> AsyncIterator[Container]:
    """The service with a lane ``b``, on a ledger that is ours and a chain that mines when told to."""
    devchain.set_automine(enabled=False)
    devchain.grant(deployment.second_operator)
    environ |= {"OPERATOR_PK__B": deployment.second_operator_key}
    parts = Resources(environ, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    second = deployment.second_operator
    assert await (await parts.ledger()).admin.add_operator(second, devchain.nonce_of(second))
    await parts.aclose()
    own = Container(environ, clock=system_clock)
    yield own
    await own.aclose()
    devchain.set_automine(enabled=True)


async def receive(service: Container, deployment: Deployment, *numbers: int) -> list[Order]:
    """Put orders of amounts of their own into the backlog."""
    intake = await service.intake()
    orders = [
        an_order(
            f"LANE-{number}",
            wallet=deployment.customers[0],
            amount_units=TokenUnits(FIRST_UNITS + number),
            ref_id=ref_id("default", f"LANE-{number}"),
            received_ms=UnixMs(system_clock() + number),
        )
        for number in numbers
    ]
    return [(await intake.ledger.insert(order)).order for order in orders]


async def paid_by(service: Container, devchain: Devchain, orders: list[Order]) -> Counter[str | None]:
    """Settle until nothing is open; return how many of *orders* each operator has paid."""
    settlement, ledger = await service.payouts.settlement(), (await service.intake()).ledger
    for _ in range(12):
        devchain.mine()
        await settlement.turn()
    found = [await ledger.order(order.key) for order in orders]
    assert {order.status for order in found if order} == {OrderStatus.PAID}
    assert not await ledger.any_open()
    return Counter(order.operator for order in found if order)


async def test_orders_are_paid_in_both_lanes_and_each_once(
    service: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """Twenty orders wait: sixteen go by the first operator at once, the others by the second one."""
    orders = await receive(service, deployment, *range(20))

    drained = await (await service.payouts.distribution()).drain()
    paid = await paid_by(service, devchain, orders)

    assert drained.bound == 20
    assert paid == {deployment.operator: ROOM, deployment.second_operator: 4}
    amounts = [each.amount_units for each in devchain.payouts() if 0 <= each.amount_units - FIRST_UNITS < 20]
    assert sorted(amounts) == [FIRST_UNITS + number for number in range(20)]


async def test_an_operator_without_coin_stops_its_own_lane_alone(
    service: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """The second one pays all; the alarm names the first one, and nothing waits or is held for it."""
    devchain.set_balance(deployment.operator, Wei(0))
    try:
        orders = await receive(service, deployment, *range(30, 36))
        drained = await (await service.payouts.distribution()).drain()
        paid = await paid_by(service, devchain, orders)
    finally:
        devchain.set_balance(deployment.operator, Wei(10**22))
    ledger = (await service.intake()).ledger
    noted = await (await service.parts.register()).noted("lane_stopped")

    assert (drained.bound, paid) == (6, {deployment.second_operator: 6})
    assert [(fact.subject, "gas_short" in fact.detail) for fact in noted] == [(deployment.operator, True)]
    assert (await ledger.service.why_waiting()).reason is None
