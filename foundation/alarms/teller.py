"""
Sends what is due to each target, from the register.

Each target has rows of its own, so that one that answers 429 neither holds up the others nor makes them
repeat what they have. For each code and target:

1. *telling* is stored, then the message is delivered, then *told* is stored.
2. Killed between 1 and 2, the row still says *telling*: it is told again, under the same id.
3. A delivery that fails (429, time-out) leaves the row as it is: still due at the next look.
4. A teller that delivered and then lost the write makes the row due again: another teller may have said
   something older in between.

A target that fails is an alarm by itself, told through the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from foundation import logs
from foundation.alarms import repetition
from foundation.alarms.catalogue import TARGET_FAILING
from foundation.alarms.model import LOG, SUBJECTS_MAX, AlarmState, Fact, Message, Told
from foundation.alarms.register import Register
from foundation.errors import Contention, ServiceError
from foundation.tablestore.leases import Leases

LEASE, LEASE_MS = "alarms", 60_000
_DUE_TRIES_MAX = 3

_log = logging.getLogger(__name__)


class Target(Protocol):
    """Where messages go."""

    async def deliver(self, messages: Sequence[Message]) -> None:
        """
        Deliver all of *messages*, the most severe first.

        Raises:
            ServiceError: They may not have arrived.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Teller:
    """Sends what is due: one look, one post to each target."""

    register: Register
    targets: Mapping[str, Target]
    """By name, the log among them: its rows say what holds."""
    holder: str

    async def run(self, facts: Sequence[Fact]) -> Sequence[Message]:
        """
        Send what is due of *facts* and of what was noted; return what was delivered.

        Nothing happens while another teller is at work.

        Raises:
            StoreUnavailable: Nothing is known; the next look sends.
        """
        leases = Leases(self.register.rows, self.register.clock)
        lease = await leases.acquire(LEASE, self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return []
        try:
            return await self._tell_all(by_code([*facts, *await self.register.facts()]))
        finally:
            await leases.release(lease)

    async def _tell_all(self, facts: Mapping[str, Sequence[Fact]]) -> Sequence[Message]:
        """Send to the log, then to all others at once; raise what failed unexpectedly when all are through."""
        seen = {code: told.seen_by for code, told in (await self.register.told()).items()}
        delivered = list(await self._tell(LOG, facts, seen))
        others = [name for name in self.targets if name != LOG]
        outcomes = await asyncio.gather(*(self._tell(name, facts, seen) for name in others), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            delivered += outcome
        return delivered

    async def _tell(self, name: str, facts: Mapping[str, Sequence[Fact]], seen: Mapping[str, str]) -> Sequence[Message]:
        telling: list[tuple[Told, Message]] = []
        before = await self.register.told(name)
        for code in sorted(before.keys() | facts.keys()):
            told = before.get(code)
            known = replace(told, seen_by=seen.get(code, "")) if told else None
            due = await self._prepared(name, code, known, facts.get(code, []))
            telling += [due] if due else []
        telling.sort(key=lambda pair: (pair[1].kind.severity, pair[1].since_ms))
        messages = [message for _, message in telling]
        if not messages or not await self._delivered(name, messages):
            return []
        for told, _ in telling:
            await self._conclude(name, told, facts.get(told.code, []))
        return messages

    async def _prepared(
        self, name: str, code: str, before: Told | None, facts: Sequence[Fact]
    ) -> tuple[Told, Message] | None:
        """Store what this look learnt of *code*; return what must be delivered."""
        now = self.register.clock()
        told = repetition.after_look(before, code, facts, now)
        kind = self.register.catalogue.find(code)
        word = repetition.due(told, now, facts, event=kind.event) if told else None
        if told is None or (word is None and told == before):
            return None
        stored = repetition.before_delivery(told, word, now) if word else told
        try:
            stored = await self.register.store(stored, name)
        except Contention:
            logs.info(_log, "told_elsewhere", code=code)
            return None
        if word is AlarmState.STANDS and not facts:  # refused until the event was over: it is told with its subject
            facts = await self.register.noted(code)
        return (stored, self._message(stored, word, facts)) if word else None

    async def _delivered(self, name: str, messages: Sequence[Message]) -> bool:
        try:
            await self.targets[name].deliver(messages)
        except Exception as error:  # noqa: BLE001 -- a fault in one target is that target's alarm, not the sweep's end
            codes = ",".join(message.kind.code for message in messages)
            why = f"{type(error).__name__}: {error}" if isinstance(error, ServiceError) else type(error).__name__
            logs.error(_log, "alarm_not_delivered", target=name, code=codes, detail=why)
            await self.register.note(TARGET_FAILING.code, name, why)
            return False
        return True

    async def _conclude(self, name: str, told: Told, facts: Sequence[Fact]) -> None:
        try:
            await self.register.store(repetition.after_delivery(told, facts), name)
        except Contention:
            await self._make_due(name, told.code)

    async def _make_due(self, name: str, code: str) -> None:
        """Have *code* sent again: another teller wrote between our delivery and our row."""
        for _ in range(_DUE_TRIES_MAX):
            found = (await self.register.told(name)).get(code)
            if found is None or found.telling is not None:
                return
            try:
                await self.register.store(replace(found, telling=found.state), name)
            except Contention:
                continue
            return
        logs.error(_log, "alarm_due_again_not_stored", target=name, code=code)

    def _message(self, told: Told, word: AlarmState, facts: Sequence[Fact]) -> Message:
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
