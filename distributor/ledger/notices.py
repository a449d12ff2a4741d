"""What the service says of itself: why orders wait, and what the sweep last saw."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.ledger.readings import find
from distributor.standing import Waiting, WaitingReason, Watch
from foundation.clock import Clock
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows


@dataclass(frozen=True, slots=True)
class Notices:
    """Two rows that hosts share: each says what it sees, and the last to have read may write."""

    rows: Rows
    clock: Clock

    async def why_waiting(self) -> Waiting:
        return await find(self.rows, Waiting, keys.WAITING) or Waiting()

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

    async def watch(self) -> Watch:
        return await find(self.rows, Watch, keys.WATCH) or Watch()

    async def save_watch(self, watch: Watch) -> None:
        """Keep what the sweep saw. Contention: another sweep wrote since *watch* was read."""
        group = AtomicWrite()
        group.put(keys.WATCH, encode(watch), watch.version)
        await commit(self.rows, group, marker_row=keys.WATCH)
