"""
Use case: index the orders that a version without the index stored.

A new order is indexed in the group that stores it. Those of before are indexed by the sweep, some a minute, in passes
over all orders. Two hosts of different versions may run beside each other, and a roll-back brings the older one back:

1. The sweep writes the time twice, once in a column that older versions keep and do not move. Where the two differ,
   an older version swept in between, and may have stored orders behind the last pass: a pass begins.
2. The older version's last hosts may still take orders while that pass goes by. So one more follows an hour later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from distributor.ledger import Ledger
from distributor.state import MonitorState
from foundation import logs
from foundation.clock import UnixMs
from foundation.errors import Contention

AGAIN_AFTER_MS = 3_600_000
ORDERS_AT_ONCE = 1_000
"""Of one sweep: a table's answer holds as many rows, and the sweep has a minute."""

_log = logging.getLogger(__name__)


def swept(monitor_state: MonitorState, now_ms: UnixMs) -> MonitorState:
    """Return *monitor_state* as a sweep at *now_ms* leaves it: with a pass begun where one is due, and a first time."""
    if monitor_state.index_swept_ms != monitor_state.swept_ms:
        monitor_state = replace(monitor_state, index_place="", index_due_ms=UnixMs(now_ms + AGAIN_AFTER_MS))
    due_ms = monitor_state.index_due_ms
    if monitor_state.index_place is None and due_ms is not None and now_ms >= due_ms:
        monitor_state = replace(monitor_state, index_place="", index_due_ms=None)
    backup_ms = monitor_state.backup_ms if monitor_state.backup_ms is not None else now_ms
    return replace(monitor_state, swept_ms=now_ms, index_swept_ms=now_ms, backup_ms=backup_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderIndexing:
    """Index what the running pass comes to next; killed in between, the next sweep goes over the same again."""

    ledger: Ledger

    async def run(self) -> None:
        """Raises StoreUnavailable: the next sweep goes on from the same place."""
        before = await self.ledger.service.monitor_state()
        if before.index_place is None:
            return
        place, indexed = await self.ledger.index_orders(before.index_place, limit=ORDERS_AT_ONCE)
        logs.info(_log, "orders_indexed", indexed=indexed, up_to=place or "the end")
        try:
            await self.ledger.service.save_monitor_state(replace(before, index_place=place or None))
        except Contention:
            logs.info(_log, "indexed_elsewhere")
