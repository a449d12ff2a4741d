from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devstack.contracts import Deployment, Devchain
from distributor.cli.init import initialise
from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.resources import Resources
from distributor.wiring import Container
from foundation.clock import system_clock
from tests.integration.conftest import signed_order


@pytest.fixture
async def container(environ: dict[str, str]) -> AsyncIterator[Container]:
    """The service with real clients on a ledger that is ours."""
    parts = Resources(environ, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    await parts.aclose()
    own = Container(environ, clock=system_clock)
    yield own
    await own.aclose()


async def test_the_wired_service_pays_a_signed_order(
    container: Container, devchain: Devchain, deployment: Deployment
) -> None:
    """Real storage, real chain: from the shop's bytes to tokens in the wallet, and the status says paid."""
    wallet = deployment.customers[0]
    before_units = devchain.balance_of(wallet)

    _, accepted = await (await container.intake()).accept(signed_order("WIRED-1", wallet))
    drained = await (await container.payouts.distribution()).drain()
    devchain.mine(8)
    await (await container.payouts.settlement()).follow()
    document = await (await container.status()).of(OrderKey(DEFAULT_SOURCE, "WIRED-1"))

    assert accepted.new
    assert (drained.bound, drained.open) == (1, True)
    assert document is not None
    assert document["status"] == "paid"
    assert devchain.balance_of(wallet) - before_units == 12_500_000_000_000_000_000


async def test_the_wired_service_is_ready_after_its_first_sweep(container: Container) -> None:
    """Everything is there, and nothing is named."""
    await (await container.sweep()).run()
    await (await container.payouts.balance_monitor()).run()

    report = await (await container.readiness()).report()

    assert report.ready, report
    assert list(report.settings) == []
