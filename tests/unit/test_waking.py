"""A wake-up that cannot be put is no failure of the order."""

from __future__ import annotations

import logging

import pytest

from distributor.ports import Queues
from distributor.webhook.waking import wake_distribution
from foundation.errors import ConfigurationError
from tests.fakes.queues import MemoryQueues


async def test_an_order_that_was_stored_wakes_the_payouts() -> None:
    """One message, which says nothing but that."""
    queues = MemoryQueues()

    async def found() -> Queues:
        return queues

    await wake_distribution(found)

    assert queues.put_there == [("distributions", "wake")]


@pytest.mark.parametrize("why", ["away", "not configured"])
async def test_queues_that_do_not_work_fail_no_order(why: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is written to the log, and the sweep finds the order."""

    async def found() -> Queues:
        if why == "not configured":
            raise ConfigurationError("AzureWebJobsStorage is not set")
        return MemoryQueues(away=True)

    with caplog.at_level(logging.WARNING, logger="distributor"):
        await wake_distribution(found)

    assert "wake_not_put" in caplog.text
