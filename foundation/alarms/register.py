"""
The register of standing alarms.

Facts with a row of their own are read where they are; a fact without one is noted here, in a row that
says when it was last seen. What each target was sent is a row for each code, written by the notifier alone.
A row that cannot be read is written anew and its code is sent again: it costs a message, never an alarm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote, unquote

from foundation import logs
from foundation.alarms import repetition
from foundation.alarms.catalogue import ALARM_TEST, Catalogue
from foundation.alarms.model import (
    CODEC,
    FACTS,
    LOG,
    NOTIFICATIONS,
    NOTIFICATIONS_TO,
    AlarmState,
    Fact,
    Notification,
    Sighting,
)
from foundation.clock import Clock
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.ports import UNSTORED, Row, Rows
from foundation.tablestore.queries import rows_under

NOTED_MS = 60_000
"""A fact that is seen again within this time is not written again."""
_FORGOTTEN_MS = repetition.DAY_MS

T = TypeVar("T", Sighting, Notification)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """Facts without a row of their own, and what was sent of each code."""

    rows: Rows
    clock: Clock
    catalogue: Catalogue

    async def note(self, code: str, subject: str, detail: str) -> None:
        """
        Note that an alarm is active, each time its cause is seen.

        Raises:
            StoreUnavailable: It is noted nowhere.
        """
        key = f"{FACTS}{code}:{quote(subject, safe=':._-@')[:256]}"
        now = self.clock()
        row = await self.rows.get(key)
        found = _read(Sighting, row) if row else None
        if found and found.detail == detail and 0 <= now - found.seen_ms < NOTED_MS:
            return
        since_ms = found.since_ms if found and self._stands(found) else now
        version = found.version if found else row.version if row else UNSTORED
        sighting = Sighting(code=code, subject=subject, detail=detail, since_ms=since_ms, seen_ms=now, version=version)
        await self._keep(key, sighting)

    async def facts(self) -> Sequence[Fact]:
        """Return what was noted and is still active; forget what was not seen for a day."""
        active = []
        async for row in rows_under(self.rows, FACTS):
            sighting = _read(Sighting, row) or await self._renewed(row)
            if self._stands(sighting):
                active.append(_fact(sighting))
            elif self.clock() - sighting.seen_ms >= _FORGOTTEN_MS:
                await self._forget(row.key)
        return active

    async def noted(self, code: str) -> Sequence[Fact]:
        """Return what was noted of *code* within a day, whether or not it is still active, the oldest first."""
        found = [_read(Sighting, row) async for row in rows_under(self.rows, f"{FACTS}{code}:")]
        return sorted((_fact(each) for each in found if each), key=lambda fact: (fact.since_ms, fact.subject))

    async def notifications(self, target: str = LOG) -> Mapping[str, Notification]:
        """Return what *target* was sent, by code."""
        prefix, now, found = _notification_key(target), self.clock(), dict[str, Notification]()
        async for row in rows_under(self.rows, prefix):
            code = row.key.removeprefix(prefix)
            found[code] = _read(Notification, row) or Notification(code=code, since_ms=now, version=row.version)
        return found

    async def standing(self) -> Sequence[Notification]:
        """Return the codes that hold now, as the last sweep saw them, the worst and oldest first."""
        found = [each for each in (await self.notifications()).values() if each.state is AlarmState.STANDS]
        return sorted(found, key=lambda each: (self.catalogue.find(each.code).severity, each.since_ms))

    async def acknowledge(self, code: str, by: str) -> bool:
        """
        Note that *by* knows of *code*: every target is sent it daily from then on. False if it does not stand.

        Raises Contention if the sweep wrote a row at the same moment; nothing is lost by asking again.
        """
        notification = (await self.notifications()).get(code)
        if notification is None or notification.state is not AlarmState.STANDS:
            return False
        await self.store(replace(notification, seen_by=by))
        return True

    async def test(self, by: str, targets: Iterable[str]) -> None:
        """
        Note a test alarm; the next sweep sends it to *targets*, as it sends every other one.

        What they were sent of an earlier test is removed first, so that it is sent again at once. Afterwards
        ``notifications(target)`` shows under ``alarm_test`` whether it arrived.
        """
        for target in targets:
            await self._forget(_notification_key(target) + ALARM_TEST.code)
        await self.note(ALARM_TEST.code, by, "")

    async def store(self, notification: Notification, target: str = LOG) -> Notification:
        """Store what *target* was sent of a code. Raises Contention if another notifier wrote it since."""
        key = _notification_key(target) + notification.code
        write = AtomicWrite()
        write.put(key, CODEC.encode(notification), notification.version)
        return replace(notification, version=version_of(await commit(self.rows, write, marker_row=key), key))

    async def _renewed(self, row: Row) -> Sighting:
        """Note what an unreadable row was about as seen now: its key says that, and it ends like any other."""
        code, _, subject = row.key.removeprefix(FACTS).partition(":")
        now, detail = self.clock(), f"The row {row.key} could not be read; what it said is lost."
        sighting = Sighting(
            code=code, subject=unquote(subject), detail=detail, since_ms=now, seen_ms=now, version=row.version
        )
        await self._keep(row.key, sighting)
        return sighting

    async def _keep(self, key: str, sighting: Sighting) -> None:
        write = AtomicWrite()
        write.put(key, CODEC.encode(sighting), sighting.version)
        try:
            await commit(self.rows, write, marker_row=key)
        except Contention:
            logs.info(_log, "alarm_noted_elsewhere", code=sighting.code, subject=sighting.subject)

    def _stands(self, sighting: Sighting) -> bool:
        return self.clock() - sighting.seen_ms < self.catalogue.find(sighting.code).sighting_ms

    async def _forget(self, key: str) -> None:
        write = AtomicWrite()
        write.delete(key)
        try:
            await commit(self.rows, write, marker_row=key)
        except Contention:
            logs.info(_log, "alarm_forgotten_elsewhere", key=key)


def _read(kind: type[T], row: Row) -> T | None:
    """Return what *row* says; None, and a line in the log, where it cannot be read."""
    try:
        return CODEC.decode(kind, row)
    except InvariantBroken as error:
        logs.error(_log, "alarm_row_unreadable", key=row.key, detail=str(error))
        return None


def _fact(sighting: Sighting) -> Fact:
    return Fact(code=sighting.code, subject=sighting.subject, detail=sighting.detail, since_ms=sighting.since_ms)


def _notification_key(target: str = LOG) -> str:
    """Return what the keys of the rows begin with that say what *target* was sent."""
    return f"{NOTIFICATIONS_TO}{target}:" if target else NOTIFICATIONS
