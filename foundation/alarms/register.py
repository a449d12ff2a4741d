"""
The register of standing alarms, and the one who tells from it.

Facts with a row of their own are read where they are; a fact without one is noted here, in a row that
says when it was last seen. What was told is a row for each code, written by the teller alone:

1. *telling* is stored, then the message is delivered, then *told* is stored.
2. Killed between 1 and 2, the row still says *telling*: it is told again, under the same id.
3. A delivery that fails (429, time-out) leaves the row as it is: still due at the next look.
4. A teller that delivered and then lost the write makes the row due again: another teller may have said
   something older in between.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import quote

from foundation import logs
from foundation.alarms import decision
from foundation.alarms.catalogue import Catalogue
from foundation.alarms.model import CODEC, FACTS, SUBJECTS_MAX, TOLD, Fact, Message, Sighting, Told, Word
from foundation.clock import Clock
from foundation.errors import Contention, Transient
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.leases import Leases
from foundation.tablestore.ports import UNSTORED, Rows
from foundation.tablestore.queries import find, rows_under

LEASE, LEASE_MS = "alarms", 60_000
NOTED_MS = 60_000
"""A fact that is seen again within this time is not written again."""
_FORGOTTEN_MS = decision.DAY_MS
_DUE_TRIES_MAX = 3

_log = logging.getLogger(__name__)


class Target(Protocol):
    """Where messages go."""

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Deliver all of *messages*, the most severe first. Raises Transient if they may not have arrived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """Facts without a row of their own, and what was told of each code."""

    rows: Rows
    clock: Clock
    catalogue: Catalogue

    async def note(self, code: str, subject: str, detail: str) -> None:
        """
        Note that something stands, as often as it is seen.

        Raises:
            StoreUnavailable: It is noted nowhere.
        """
        key = f"{FACTS}{code}:{quote(subject, safe=':._-@')[:256]}"
        now = self.clock()
        found = await find(self.rows, CODEC, Sighting, key)
        if found and found.detail == detail and 0 <= now - found.seen_ms < NOTED_MS:
            return
        since_ms = found.since_ms if found and self._stands(found) else now
        sighting = Sighting(code=code, subject=subject, detail=detail, since_ms=since_ms, seen_ms=now)
        write = AtomicWrite()
        write.put(key, CODEC.encode(sighting), found.version if found else UNSTORED)
        try:
            await commit(self.rows, write, marker_row=key)
        except Contention:
            logs.info(_log, "alarm_noted_elsewhere", code=code, subject=subject)

    async def facts(self) -> Sequence[Fact]:
        """Return what was noted and still stands; forget what was not seen for a day."""
        stands = []
        async for row in rows_under(self.rows, FACTS):
            sighting = CODEC.decode(Sighting, row)
            if self._stands(sighting):
                stands.append(
                    Fact(
                        code=sighting.code,
                        subject=sighting.subject,
                        detail=sighting.detail,
                        since_ms=sighting.since_ms,
                    )
                )
            elif self.clock() - sighting.seen_ms >= _FORGOTTEN_MS:
                await self._forget(row.key)
        return stands

    async def told(self) -> Mapping[str, Told]:
        """Return what was told, by code."""
        found = [CODEC.decode(Told, row) async for row in rows_under(self.rows, TOLD)]
        return {told.code: told for told in found}

    async def acknowledge(self, code: str, by: str) -> bool:
        """Note that a person knows of *code*: it is told daily from then on. False if it does not stand."""
        told = await find(self.rows, CODEC, Told, f"{TOLD}{code}")
        if told is None or told.state is not Word.STANDS:
            return False
        await self.store(replace(told, seen_by=by))
        return True

    async def store(self, told: Told) -> Told:
        """Store what is known of a code. Raises Contention if another teller wrote it since."""
        key = f"{TOLD}{told.code}"
        write = AtomicWrite()
        write.put(key, CODEC.encode(told), told.version)
        return replace(told, version=version_of(await commit(self.rows, write, marker_row=key), key))

    def _stands(self, sighting: Sighting) -> bool:
        return self.clock() - sighting.seen_ms < self.catalogue.find(sighting.code).sighting_ms

    async def _forget(self, key: str) -> None:
        write = AtomicWrite()
        write.delete(key)
        try:
            await commit(self.rows, write, marker_row=key)
        except Contention:
            logs.info(_log, "alarm_forgotten_elsewhere", key=key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Teller:
    """Tells what is due: one look, one post."""

    register: Register
    target: Target
    holder: str

    async def run(self, facts: Sequence[Fact]) -> Sequence[Message]:
        """
        Tell what is due of *facts* and of what was noted; return what was delivered.

        Nothing happens while another teller is at work.

        Raises:
            StoreUnavailable: Nothing is known; the next look tells.
        """
        leases = Leases(self.register.rows, self.register.clock)
        lease = await leases.acquire(LEASE, self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return []
        try:
            return await self._tell(by_code([*facts, *await self.register.facts()]))
        finally:
            await leases.release(lease)

    async def _tell(self, facts: Mapping[str, Sequence[Fact]]) -> Sequence[Message]:
        telling: list[tuple[Told, Message]] = []
        before = await self.register.told()
        for code in sorted(before.keys() | facts.keys()):
            due = await self._prepared(code, before.get(code), facts.get(code, []))
            telling += [due] if due else []
        telling.sort(key=lambda pair: (pair[1].kind.severity, pair[1].since_ms))
        messages = [message for _, message in telling]
        if not messages or not await self._delivered(messages):
            return []
        for told, _ in telling:
            await self._conclude(told, facts.get(told.code, []))
        return messages

    async def _prepared(self, code: str, before: Told | None, facts: Sequence[Fact]) -> tuple[Told, Message] | None:
        """Store what this look learnt of *code*; return what must be delivered."""
        now = self.register.clock()
        told = decision.after_look(before, code, facts, now)
        kind = self.register.catalogue.find(code)
        word = decision.due(told, now, event=kind.event) if told else None
        if told is None or (word is None and told == before):
            return None
        stored = decision.before_delivery(told, word, now) if word else told
        try:
            stored = await self.register.store(stored)
        except Contention:
            logs.info(_log, "told_elsewhere", code=code)
            return None
        return (stored, self._message(stored, word, facts)) if word else None

    async def _delivered(self, messages: Sequence[Message]) -> bool:
        try:
            await self.target.deliver(messages)
        except Transient as error:
            codes = ",".join(message.kind.code for message in messages)
            logs.error(_log, "alarm_not_delivered", code=codes, cause=type(error).__name__, detail=str(error))
            return False
        return True

    async def _conclude(self, told: Told, facts: Sequence[Fact]) -> None:
        try:
            await self.register.store(decision.after_delivery(told, facts))
        except Contention:
            await self._make_due(told.code)

    async def _make_due(self, code: str) -> None:
        """Have *code* told again: another teller wrote between our delivery and our row."""
        for _ in range(_DUE_TRIES_MAX):
            found = (await self.register.told()).get(code)
            if found is None or found.telling is not None:
                return
            try:
                await self.register.store(replace(found, telling=found.state))
            except Contention:
                continue
            return
        logs.error(_log, "alarm_due_again_not_stored", code=code)

    def _message(self, told: Told, word: Word, facts: Sequence[Fact]) -> Message:
        before = set(told.subjects)
        return Message(
            id=f"{told.code}:{told.since_ms}:{told.number}:{word}",
            kind=self.register.catalogue.find(told.code),
            word=word,
            since_ms=told.since_ms,
            count=len(facts),
            facts=facts[:SUBJECTS_MAX],
            new=sum(fact.subject not in before for fact in facts),
            seen_by=told.seen_by,
        )


def by_code(facts: Sequence[Fact]) -> Mapping[str, Sequence[Fact]]:
    """Return *facts* by their code, the oldest first."""
    found: dict[str, list[Fact]] = {}
    for fact in sorted(_once(facts), key=lambda fact: (fact.since_ms, fact.subject)):
        found.setdefault(fact.code, []).append(fact)
    return found


def _once(facts: Sequence[Fact]) -> Sequence[Fact]:
    """Return each code and subject once: the oldest since, and a detail where one of them has it."""
    found: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        before = found.get((fact.code, fact.subject), fact)
        since_ms, detail = min(before.since_ms, fact.since_ms), before.detail or fact.detail
        found[fact.code, fact.subject] = replace(fact, since_ms=since_ms, detail=detail)
    return list(found.values())
