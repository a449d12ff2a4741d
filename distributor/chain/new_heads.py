"""
New heads: what ends a pause of settlement at the block instead of some time after it.

An announcement is only a wake-up (like a message, decision 10): settlement looks, and believes what it sees. A line
that is silent, lies, floods, hangs or breaks makes the pause what it is without one; see ``head_pace``.

One line at a time, to the first address that works. It lives while settlement follows something: the first pause
opens it, and it ends some seconds after the last. A line on which nothing was announced for several block times is
cut and made anew: a process that was frozen finds out by that too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from distributor.chain.head_pace import HeadPace
from distributor.chain.head_subscription import connected
from distributor.chain.node import WRONG_CHAIN
from distributor.chain.nodes import labels_of
from distributor.chain.rpc_responses import NodeUnavailable
from foundation import logs

LINGER_S: Final = 20.0
"""How long a line outlives the last pause: longer than a turn of settlement usually takes."""
SILENT_BLOCKS: Final = 5
SILENT_S_MIN: Final = 10.0
"""A line is silent after so many block times without a head, and not before so many seconds."""
DELAY_FIRST_S: Final = 1.0
DELAY_LONGEST_S: Final = 300.0
STEADY_S: Final = 60.0
"""A line that held so long was a good one: the next is tried soon."""
_SAME_HEAD: Final = 1 / 4
"""Part of the block time in which announcements are one: the same head again, or a flood."""
_REGULAR_BLOCKS: Final = 2
"""Announcements come regularly while the last is no older than so many block times."""

_log = logging.getLogger(__name__)


class NewHeads:
    """
    The addresses of ``RPC_URL`` that announce new blocks. Their URLs may hold keys and never appear in a log.

    Args:
        urls: ws and wss addresses; none: a pause is a sleep.
        block_time_s: Time between blocks.
        timeout_s: Longest wait for a node to take the connection, or to answer.
    """

    def __init__(self, urls: Sequence[str], *, block_time_s: float, timeout_s: float) -> None:
        self._nodes = list(zip(labels_of(urls, ("ws", "wss")), urls, strict=True)) if urls else []
        self._block_time_s, self._timeout_s = block_time_s, timeout_s
        self._pace = HeadPace(block_time_s)
        self._announced = asyncio.Event()
        self._announced_s = float("-inf")
        self._line: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._turn, self._due_s, self._delay_s = 0, float("-inf"), 0.0

    async def pause(self, seconds: float) -> None:
        """
        Wait *seconds*, what is left of the block time since the last look began; less when a head is announced.

        A head that was announced after that look began counts: the look may not have seen it.
        """
        if seconds <= 0 or not self._nodes:
            await asyncio.sleep(seconds)
            return
        self._stay()
        try:
            began_s = _now_s()
            await self._wait(seconds, looked_s=began_s - max(0.0, self._block_time_s - seconds))
            self._pace.note(seconds, _now_s() - began_s)
        finally:
            self._leaving = asyncio.get_running_loop().call_later(LINGER_S, self._leave)

    async def reaches(self, chain_id: int) -> Mapping[str, str]:
        """Return for each address, by host and port, why it announces no heads of *chain_id*; empty: it does."""
        found = await asyncio.gather(*(self._trouble(url, chain_id) for _, url in self._nodes))
        return {label: trouble for (label, _), trouble in zip(self._nodes, found, strict=True)}

    async def aclose(self) -> None:
        """End the line, if there is one."""
        self._leave()
        if self._line is not None:
            await asyncio.wait([self._line])

    async def _wait(self, seconds: float, *, looked_s: float) -> None:
        if self._announced_s < looked_s:
            self._announced.clear()
        regular = _now_s() - self._announced_s <= _REGULAR_BLOCKS * self._block_time_s
        bounds = self._pace.bounds(seconds, trusted=regular)
        await asyncio.sleep(bounds.soonest_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(bounds.latest_s - bounds.soonest_s):
                await self._announced.wait()
        self._announced.clear()

    def _stay(self) -> None:
        """Keep the line, or make one."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._line is None or self._line.done() or self._line.cancelling():
            self._pace.forget()
            self._line = asyncio.get_running_loop().create_task(self._keep())
            self._line.add_done_callback(self._report)

    def _leave(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._line is not None:
            self._line.cancel()

    async def _keep(self) -> None:
        """Hold a line to one address after the other, each until it fails, with growing delays between."""
        while True:
            await asyncio.sleep(max(0.0, self._due_s - _now_s()))
            label, url = self._nodes[self._turn % len(self._nodes)]
            began_s = _now_s()
            try:
                await self._hear(label, url)
            except NodeUnavailable as trouble:
                self._put_off(lasted_s=_now_s() - began_s)
                logs.warning(
                    _log, "new_heads_lost", node=label, detail=str(trouble), again_in_ms=round(1000 * self._delay_s)
                )

    async def _hear(self, label: str, url: str) -> None:
        """Note every head that *url* announces. Raises NodeUnavailable when it ends, or is silent."""
        silent_s = max(SILENT_S_MIN, SILENT_BLOCKS * self._block_time_s)
        async with connected(url, timeout_s=self._timeout_s) as line:
            async with asyncio.timeout(self._timeout_s):
                await line.subscribe()
            logs.info(_log, "new_heads_announced", node=label)
            while True:
                await line.heard(within_s=silent_s)
                self._note_head()

    def _note_head(self) -> None:
        now_s = _now_s()
        if now_s - self._announced_s >= _SAME_HEAD * self._block_time_s:
            self._announced_s = now_s
            self._announced.set()

    def _put_off(self, *, lasted_s: float) -> None:
        """Leave the next address alone for a while, longer each time until a line was a good one."""
        again_s = DELAY_FIRST_S if lasted_s >= STEADY_S else 2 * self._delay_s
        self._delay_s = min(max(again_s, DELAY_FIRST_S), DELAY_LONGEST_S)
        self._due_s = _now_s() + self._delay_s
        self._turn += 1

    def _report(self, line: asyncio.Task[None]) -> None:
        """Say that a line ended by what nobody expected; settlement pauses as without one, and another is made."""
        if line.cancelled():
            return
        self._put_off(lasted_s=0)
        logs.error(_log, "new_heads_broken", detail=type(line.exception()).__name__)

    async def _trouble(self, url: str, chain_id: int) -> str:
        try:
            async with connected(url, timeout_s=self._timeout_s) as line, asyncio.timeout(self._timeout_s):
                served = await line.chain_id()
                await line.subscribe()
        except NodeUnavailable as trouble:
            return str(trouble)
        return "" if served == chain_id else f"{WRONG_CHAIN}: {served}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
