"""What the service says of itself: why orders wait, and what the sweep last saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.ledger.queries import find_record
from distributor.state import MonitorState, SettlementLook, Waiting, WaitingReason
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import past

NOTE_TRIES_MAX = 8
"""A sweep writes its row twice a minute."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Two rows that hosts share: each says what it sees, and the last to have read may write."""

    rows: Rows
    clock: Clock

    async def why_waiting(self) -> Waiting:
        return await find_record(self.rows, Waiting, keys.WAITING) or Waiting()

    async def set_waiting(self, reason: WaitingReason | None, detail: str) -> bool:
        """Keep why orders wait; True for the one caller that changed the reason. Contention: another was first."""
        before = await self.why_waiting()
        changed = before.reason is not reason
        if not changed and before.detail == detail:
            return False
        since_ms = self.clock() if changed else before.since_ms
        after = replace(before, reason=reason, detail=detail, since_ms=since_ms)
        group = AtomicWrite()
        group.put(keys.WAITING, encode(after), before.version)
        await commit(self.rows, group, marker_row=keys.WAITING)
        return changed

    async def monitor_state(self) -> MonitorState:
        return await find_record(self.rows, MonitorState, keys.WATCH) or MonitorState()

    async def line_lengths(self, *, limit: int) -> tuple[Counter[str], Counter[str]]:
        """Return how many orders of each shop wait and are held, each counted up to *limit* in all, at most 1000."""
        waiting, held = await asyncio.gather(
            *(self.rows.scan(prefix, past(prefix), limit=limit) for prefix in (keys.OPEN_ORDERS, keys.HELD))
        )
        by_shop = (row.key.removeprefix(keys.OPEN_ORDERS).split(":")[1] for row in waiting)
        return Counter(by_shop), Counter(row.key.removeprefix(keys.HELD).partition(":")[0] for row in held)

    async def settlement_look(self) -> SettlementLook:
        """Return when settlement last looked at everything that is open."""
        return await find_record(self.rows, SettlementLook, keys.SETTLEMENT_LOOK) or SettlementLook()

    async def note_settlement_look(self) -> None:
        """Note a whole look of settlement. Contention: another host noted its own, which says the same."""
        before = await self.settlement_look()
        group = AtomicWrite()
        group.put(keys.SETTLEMENT_LOOK, encode(replace(before, looked_ms=self.clock())), before.version)
        await commit(self.rows, group, marker_row=keys.SETTLEMENT_LOOK)

    async def note_backup(self, begun_ms: UnixMs, name: str) -> None:
        """Note the last good backup. Contention: sweeps kept writing the row."""
        for _ in range(NOTE_TRIES_MAX):
            before = await self.monitor_state()
            with suppress(Contention):
                return await self.save_monitor_state(replace(before, backup_ms=begun_ms, backup_name=name))
        raise Contention("the sweep kept writing its row")

    async def save_monitor_state(self, monitor_state: MonitorState) -> None:
        """Keep what the sweep saw. Contention: another sweep wrote since *monitor_state* was read."""
        group = AtomicWrite()
        group.put(keys.WATCH, encode(monitor_state), monitor_state.version)
        await commit(self.rows, group, marker_row=keys.WATCH)
