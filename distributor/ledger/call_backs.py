"""
Call-backs: one row for each event of an order that its shop is to be told, and one for each shop's address.

An announcement (``announcing``) is fanned out in one group: the call-backs are inserted and the announcement deleted,
so a crash leaves either the one or the others. A call-back keeps what was sent, how often, and what was answered.
Beside it is a row by which it is found while it is due, and one by which it is found by time; they change in its group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from distributor.ledger import keys
from distributor.ledger.announcing import Announcement, announce, numbered, read_announcement
from distributor.ledger.call_records import CODEC, CallAddress, CallBack, CallName, CallState
from distributor.ledger.columns import encode
from distributor.ledger.opened import Unreadable
from distributor.model import Order, OrderKey
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit, version_of
from foundation.tablestore.ports import UNSTORED, Row, Rows
from foundation.tablestore.queries import READS_AT_ONCE, behind, find, past, rows_between


class Announced(NamedTuple):
    """An announcement and its row's key."""

    key: str
    said: Announcement


@dataclass(frozen=True, slots=True)
class CallBacks:
    """The rows of what shops are told. Contention: another worker wrote the row since it was read."""

    rows: Rows
    clock: Clock

    # fanning out -------------------------------------------------------------------------------

    async def announced(self, *, limit: int, after: str = "") -> tuple[Sequence[Announced | Unreadable], str]:
        """Return announcements behind the row *after*, the oldest first, and the last row's key; empty at the end."""
        first = behind(after) if after else keys.ANNOUNCEMENTS
        found = await self.rows.scan(first, past(keys.ANNOUNCEMENTS), limit=limit)
        return [_announced(row) for row in found], found[-1].key if len(found) == limit else ""

    async def fan_out(self, announced: Announced, sources: Collection[str]) -> None:
        """
        Make a call-back of each event whose shop is among *sources*, and delete the announcement, in one group.

        Thirty orders take three rows each and one for the announcement: 91 of 100.
        """
        group = AtomicWrite()
        for event in announced.said.events:
            known = await self.rows.get(keys.call_back(event.key, event.sequence))
            if event.key.source in sources and known is None:
                source, order_id = event.key
                at_ms, now = announced.said.at_ms, self.clock()
                call_back = CallBack(
                    source=source,
                    order_id=order_id,
                    sequence=event.sequence,
                    status=event.status,
                    at_ms=at_ms,
                    next_ms=now,
                )
                name = CODEC.encode(CallName(source, order_id, event.sequence))
                group.insert(keys.call_back(event.key, event.sequence), CODEC.encode(call_back))
                group.insert(keys.call_due(event.key, event.sequence, now), name)
                group.insert(keys.call_time(event.key, event.sequence, at_ms), name)
        group.delete(announced.key)
        await self._commit(group, announced)

    async def drop(self, announced: Sequence[Announced]) -> None:
        """Delete announcements of which no shop is to be told; a hundred in a group."""
        for start in range(0, len(announced), ROWS_MAX):
            group, some = AtomicWrite(), announced[start : start + ROWS_MAX]
            for each in some:
                group.delete(each.key)
            await self._commit(group, some[0])

    async def _commit(self, group: AtomicWrite, announced: Announced) -> None:
        """Do a group that deletes *announced*: where it is gone, and this group's answer was lost, it was done."""
        try:
            await commit(self.rows, group, marker_row=announced.key)
        except Contention:
            if await self.rows.get(announced.key) is not None:
                raise

    # sending -----------------------------------------------------------------------------------

    async def due(self, source: str, *, limit: int) -> Sequence[CallBack | Unreadable]:
        """Return the call-backs of a shop that are still to be sent, the first one first, whenever that is."""
        prefix = keys.calls_due(source)
        return await self._named(await self.rows.scan(prefix, past(prefix), limit=limit))

    async def count_due(self, source: str, *, limit: int) -> int:
        """Return how many call-backs of a shop are still to be sent, counted up to *limit*."""
        prefix = keys.calls_due(source)
        return len(await self.rows.scan(prefix, past(prefix), limit=limit))

    async def lengths(self, *, limit: int) -> tuple[int, int, int]:
        """Return how much is announced and due, counted up to *limit*, and how many addresses are stopped."""
        announced, due = await asyncio.gather(
            *(self.rows.scan(prefix, past(prefix), limit=limit) for prefix in (keys.ANNOUNCEMENTS, keys.CALLS_DUE))
        )
        stopped = sum(address.stopped is not None for address in await self.addresses())
        return len(announced), len(due), stopped

    async def save(self, before: CallBack, after: CallBack) -> CallBack:
        """Write a call-back and the row by which it is found as due, on the condition that nobody wrote it since."""
        key = keys.call_back(before.key, before.sequence)
        group = AtomicWrite()
        group.replace(key, CODEC.encode(after), before.version)
        if before.due_row != after.due_row:
            if before.due_row is not None:
                group.delete(before.due_row)
            if after.due_row is not None:
                group.insert(after.due_row, CODEC.encode(CallName(*after.key, after.sequence)))
        versions = await commit(self.rows, group, marker_row=key)
        return replace(after, version=version_of(versions, key))

    async def send_again(self, call_back: CallBack) -> CallBack:
        """Make a call-back due at once, with all its attempts; its id stays."""
        again = replace(call_back, state=CallState.DUE, next_ms=self.clock(), attempts=0, first_ms=None)
        return await self.save(call_back, again)

    async def announce_again(self, order: Order) -> int:
        """
        Announce an order as it is now, as a new event, and return its number.

        Its newest one has no call-back, or says what the order was before an older version changed it.
        """
        now, group = self.clock(), AtomicWrite()
        order = numbered(order, now)
        announce(group, [order], now)
        group.replace(keys.order_row(order.key), encode(order), order.version)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return order.sequence or now

    # addresses ---------------------------------------------------------------------------------

    async def address(self, source: str, url_id: str) -> CallAddress:
        """Return how a shop's address has answered; one that was never asked is as good as any."""
        found = await find(self.rows, CODEC, CallAddress, keys.call_address(source))
        if found is not None and found.url_id == url_id:
            return found
        return CallAddress(source=source, url_id=url_id, version=found.version if found else UNSTORED)

    async def addresses(self) -> Sequence[CallAddress]:
        """Return how each address that was ever asked has answered last."""
        found = rows_between(self.rows, keys.CALL_ADDRESSES, past(keys.CALL_ADDRESSES))
        return [CODEC.decode(CallAddress, row) async for row in found]

    async def save_address(self, address: CallAddress) -> None:
        """Keep how an address answers."""
        group, key = AtomicWrite(), keys.call_address(address.source)
        group.put(key, CODEC.encode(address), address.version)
        await commit(self.rows, group, marker_row=key)

    async def forget_address(self, address: CallAddress) -> None:
        """Forget how an address answered; the same again changes nothing."""
        group, key = AtomicWrite(), keys.call_address(address.source)
        group.delete(key)
        try:
            await commit(self.rows, group, marker_row=key)
        except Contention:
            return

    # looking -----------------------------------------------------------------------------------

    async def of_order(self, key: OrderKey, *, limit: int) -> Sequence[CallBack]:
        """Return the first *limit* call-backs of an order, by their number."""
        prefix = keys.call_backs_of(key)
        found = await self.rows.scan(prefix, past(prefix), limit=limit)
        return [CODEC.decode(CallBack, row) for row in found]

    async def find(self, key: OrderKey, sequence: int) -> CallBack | None:
        """Return the call-back of that event; None where it is not fanned out, or its shop had no address then."""
        return await find(self.rows, CODEC, CallBack, keys.call_back(key, sequence))

    async def newest(self, source: str, *, limit: int) -> Sequence[CallBack | Unreadable]:
        """Return the call-backs of a shop whose events are the newest."""
        prefix = keys.call_times(source)
        return await self._named(await self.rows.scan(prefix, past(prefix), limit=limit))

    async def since(self, source: str, since_ms: UnixMs) -> AsyncIterator[CallBack | Unreadable]:
        """Yield the call-backs of a shop whose events were not before *since_ms*, the newest first."""
        prefix = keys.call_times(source)
        last = f"{prefix}{keys.newest_first(max(since_ms, 1) - 1)}:"  # no event is from before 1970
        async for row in rows_between(self.rows, prefix, last):
            for found in await self._named([row]):
                yield found

    async def _named(self, index: Sequence[Row]) -> Sequence[CallBack | Unreadable]:
        """Return the call-back that each row of an *index* names, or that it cannot be read; a few reads at a time."""
        reading = asyncio.Semaphore(READS_AT_ONCE)

        async def one(row: Row) -> CallBack | Unreadable:
            async with reading:
                try:
                    name = CODEC.decode(CallName, row)
                    found = await self.find(OrderKey(name.source, name.order_id), name.sequence)
                except InvariantBroken as error:
                    return Unreadable(key=row.key, why=str(error))
            return found or Unreadable(key=row.key, why="it names no call-back")

        return await asyncio.gather(*map(one, index))


def _announced(row: Row) -> Announced | Unreadable:
    try:
        return Announced(row.key, read_announcement(row))
    except InvariantBroken as error:
        return Unreadable(key=row.key, why=str(error))
