"""
Sends what is due to each target, from the register.

Each target has rows of its own, so that one that answers 429 neither holds up the others nor makes them
repeat what they have. For each code and target:

1. *sending* is stored, then the message is delivered, then *sent* is stored.
2. If the process ends in between, the row still says *sending*: the message is sent again, under the same id.
3. A delivery that fails (429, time-out) leaves the row as it is: still due at the next look.
4. A notifier that delivered and then lost the write makes the row due again: another notifier may have sent
   something older in between.

A target that fails is an alarm of its own, sent through the others.
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
from foundation.alarms.model import LOG, SUBJECTS_MAX, AlarmState, Fact, Message, Notification
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
class Notifier:
    """Sends what is due: one look, one post to each target."""

    register: Register
    targets: Mapping[str, Target]
    """By name, the log among them: its rows say what holds."""
    holder: str

    async def run(self, facts: Sequence[Fact]) -> Sequence[Message]:
        """
        Send what is due of *facts* and of what was noted; return what was delivered.

        Nothing happens while another notifier is at work.

        Raises:
            StoreUnavailable: Nothing is known; the next look sends.
        """
        leases = Leases(self.register.rows, self.register.clock)
        lease = await leases.acquire(LEASE, self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return []
        try:
            return await self._send_all(by_code([*facts, *await self.register.facts()]))
        finally:
            await leases.release(lease)

    async def _send_all(self, facts: Mapping[str, Sequence[Fact]]) -> Sequence[Message]:
        """Send to the log, then to all others at once; raise what failed unexpectedly when all are through."""
        seen = {code: notification.seen_by for code, notification in (await self.register.notifications()).items()}
        delivered = list(await self._send(LOG, facts, seen))
        others = [name for name in self.targets if name != LOG]
        outcomes = await asyncio.gather(*(self._send(name, facts, seen) for name in others), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            delivered += outcome
        return delivered

    async def _send(self, name: str, facts: Mapping[str, Sequence[Fact]], seen: Mapping[str, str]) -> Sequence[Message]:
        outbox: list[tuple[Notification, Message]] = []
        before = await self.register.notifications(name)
        for code in sorted(before.keys() | facts.keys()):
            notification = before.get(code)
            known = replace(notification, seen_by=seen.get(code, "")) if notification else None
            due = await self._prepared(name, code, known, facts.get(code, []))
            outbox += [due] if due else []
        outbox.sort(key=lambda pair: (pair[1].kind.severity, pair[1].since_ms))
        messages = [message for _, message in outbox]
        if not messages or not await self._delivered(name, messages):
            return []
        for notification, _ in outbox:
            await self._conclude(name, notification, facts.get(notification.code, []))
        return messages

    async def _prepared(
        self, name: str, code: str, before: Notification | None, facts: Sequence[Fact]
    ) -> tuple[Notification, Message] | None:
        """Store what this look learnt of *code*; return what must be delivered."""
        now = self.register.clock()
        notification = repetition.after_look(before, code, facts, now)
        kind = self.register.catalogue.find(code)
        word = repetition.due_message(notification, now, facts, event=kind.event) if notification else None
        if notification is None or (word is None and notification == before):
            return None
        stored = repetition.before_delivery(notification, word, now) if word else notification
        try:
            stored = await self.register.store(stored, name)
        except Contention:
            logs.info(_log, "alarm_sent_elsewhere", code=code)
            return None
        if word is AlarmState.STANDS and not facts:  # refused until the event was over: it is sent with its subject
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

    async def _conclude(self, name: str, notification: Notification, facts: Sequence[Fact]) -> None:
        try:
            await self.register.store(repetition.after_delivery(notification, facts), name)
        except Contention:
            await self._make_due(name, notification.code)

    async def _make_due(self, name: str, code: str) -> None:
        """Have *code* sent again: another notifier wrote between our delivery and our row."""
        for _ in range(_DUE_TRIES_MAX):
            found = (await self.register.notifications(name)).get(code)
            if found is None or found.sending is not None:
                return
            try:
                await self.register.store(replace(found, sending=found.state), name)
            except Contention:
                continue
            return
        logs.error(_log, "alarm_due_again_not_stored", target=name, code=code)

    def _message(self, notification: Notification, word: AlarmState, facts: Sequence[Fact]) -> Message:
        return Message(
            id=f"{notification.code}:{notification.since_ms}:{notification.number}:{word}",
            kind=self.register.catalogue.find(notification.code),
            word=word,
            since_ms=notification.since_ms,
            count=len(facts),
            facts=facts[:SUBJECTS_MAX],
            new=sum(repetition.is_new(notification, fact) for fact in facts),
            seen_by=notification.seen_by,
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
