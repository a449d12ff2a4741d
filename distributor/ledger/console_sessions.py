"""The sessions of the console: ended all at once, and begun by a link that works once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.ledger.admin import NO_SWITCH, TURN_TRIES_MAX, UNREADABLE_SWITCH, Admin
from foundation.clock import UnixMs
from foundation.errors import Contention, require
from foundation.sentences import sentence


@dataclass(frozen=True, slots=True)
class ConsoleSessions:
    """What is stored of the sessions; it lies in the row of the pause switch, which every page reads anyway."""

    admin: Admin

    async def end_all(self, by: str, why: str) -> int:
        """
        End every session of the console, also one whose cookie was stolen; return the epoch that begins.

        The switch stays as it is: the epoch lies in its row, because every page that is shown reads that row anyway.

        Raises:
            InvariantBroken: The row is missing, or a newer version's.
        """
        for _ in range(TURN_TRIES_MAX):
            pause_state = await self.admin.pause_state()
            readable = pause_state.paused_by not in {NO_SWITCH.paused_by, UNREADABLE_SWITCH.paused_by}
            require(readable, f"nobody can be signed out: {pause_state.paused_why}")
            epoch = (pause_state.console_epoch or 0) + 1
            try:
                await self.admin.write_switch(replace(pause_state, console_epoch=epoch))
            except Contention:
                continue  # somebody turned the switch meanwhile: read it again
            await self.admin.record("sign-out", "everybody", by, why)
            return epoch
        raise Contention(sentence("the switch kept being turned"))

    async def use_link(self, made_ms: UnixMs) -> bool:
        """
        Store that links to the console made until *made_ms* are used up; False if this one already is.

        Of two that follow one link on two instances, one writes first, and the other reads that.
        """
        for _ in range(TURN_TRIES_MAX):
            pause_state = await self.admin.pause_state()
            if pause_state.console_link_ms is not None and made_ms <= pause_state.console_link_ms:
                return False
            try:
                await self.admin.write_switch(replace(pause_state, console_link_ms=made_ms))
            except Contention:
                continue  # read again: perhaps by the same link
            return True
        raise Contention(sentence("the switch kept being turned"))
