"""The webhook in the real host while a service it only tells something is away."""

from __future__ import annotations

import time
from pathlib import Path

from devstack.servers import Azurite
from tests.integration.real_host.storage_front import Door, StorageFront
from tests.integration.shop_front import front, sell

OFF = {f"AzureWebJobs.{name}.Disabled": "1" for name in ("settlement", "distribute_poisoned", "settlement_poisoned")}
"""The listeners of queues, whose own looks would end the host: here one host only answers shops, as in Azure."""


def test_an_order_is_no_failure_because_the_queue_is_away(azurite: Azurite, table_name: str, tmp_path: Path) -> None:
    """Refused or answered 503: the order is stored, and the shop hears so within its eight seconds, each time."""
    with (
        StorageFront.before(azurite) as doors,
        front(azurite, table_name, tmp_path, {**OFF, "AzureWebJobsStorage": doors.connection}) as host,
    ):
        assert sell(host, "before").status == 202
        for door in (Door.SHUT, Door.BUSY):
            doors.queue.set(door)
            began = time.monotonic()
            assert [sell(host, f"while-{door.value}").status for _ in range(2)] == [202, 200]
            assert time.monotonic() - began < 8

        assert host.log.count("wake_not_put") == 4
