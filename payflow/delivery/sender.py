"""
The mail account, shared by all companies: its limits, its turn, its stop and its probe.

Rows of the partition ``sender``; none of them is what makes a mail go out at most once.

- One permit is one message. Permits are leases (``SMTP_CONNECTIONS`` of them); a company that finds none leaves a
  waiting row, and a free one goes to the company that has waited longest (R5-4). While others wait, one company takes
  at most half of what is left of the day (see ``turns``).
- A refusal that may be the account's fault stops the sender for all. Every 15 minutes one probe: the due delivery
  that was tried longest ago, so that one bad message cannot be the probe each time (R5-1).
- The right to probe is taken here, after the payment was read again, so that a lane that cannot send cannot use it
  up (R5-3). Whatever is accepted ends the stop and raises the epoch: the refusals before it then count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from foundation.clock import Clock, UnixMs, utc_day
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.codec import Codec, Record, lines, number, text
from foundation.tablestore.leases import Lease, Leases
from foundation.tablestore.ports import UNSTORED, Rows, Version
from foundation.tablestore.queries import find
from payflow.delivery import turns
from payflow.delivery.turns import QueuedCompany
from payflow.mail.codes import Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import CompanyId

PROBE_MS: Final = 15 * 60_000
PERMIT_MS: Final = 120_000
WAITING_MS: Final = 90_000
"""A waiting row runs out: a lane that ended while it waited keeps nobody else waiting."""
RETRY_MS: Final = 20_000
STOP_MS_MIN: Final = 60_000
REFUSED_IN_A_ROW_MAX: Final = 3
TRIES_MAX: Final = 8
_ENDS = {Verdict.SENDER, Verdict.ACCOUNT}
_OF_THE_MAIL = {Verdict.ADDRESS, Verdict.DROPPED}
"""Of one mail alone; three in a row are the account's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SenderAccount:
    """The sender's state and counts: one row."""

    epoch: int = 1
    stopped_ms: int = 0
    """0: not stopped."""
    why: str = ""
    """The server's words."""
    probe_ms: int = 0
    """When the next probe may be made."""
    refused: tuple[str, ...] = ()
    """Blind indexes of the addresses refused in a row."""
    minute: int = 0
    in_minute: int = 0
    day: str = ""
    in_day: int = 0
    version: Version = field(default=UNSTORED, compare=False, repr=False)


_CODEC = Codec(
    [
        Record(
            SenderAccount,
            (
                number("epoch"),
                number("stopped_ms"),
                text("why"),
                number("probe_ms"),
                lines("refused"),
                number("minute"),
                number("in_minute"),
                text("day"),
                number("in_day"),
            ),
        ),
    ]
)
_ACCOUNT, _WAITING = "account", "waiting:"


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingLimits:
    """What the account may send."""

    connections: int = 2
    per_minute: int = 30
    per_day: int = 2_000


@dataclass(frozen=True, slots=True)
class NotNow:
    """No permit; ask again at *again_ms*."""

    again_ms: UnixMs
    why: str


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one message."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class SenderDesk:
    """``Sender``, and the permits. Every method raises StoreUnavailable."""

    rows: Rows
    clock: Clock
    limits: SendingLimits

    async def account(self) -> SenderAccount:
        return await find(self.rows, _CODEC, SenderAccount, _ACCOUNT) or SenderAccount()

    async def epoch(self) -> int:
        return (await self.account()).epoch

    async def waiting(self) -> Sequence[QueuedCompany]:
        """Return the companies that wait for a permit, the longest first."""
        return sorted((await self._waiting(self.clock())).values(), key=lambda each: (each.since_ms, each.company))

    async def probe_now(self) -> None:
        """Let the next due mail probe a stopped account at once: a person has put right what stopped it."""
        await self._change(lambda account: replace(account, probe_ms=self.clock()) if account.stopped_ms else None)

    async def heard(self, outcome: SmtpOutcome, address_index: str) -> int:
        """Take note of an outcome: stop, go on, or nothing; return the epoch in which it happened."""
        before, _ = await self._change(lambda account: after(account, outcome, address_index, self.clock()))
        return before.epoch

    async def admit(self, company: CompanyId, holder: str, tried_ms: UnixMs) -> Permit | NotNow:
        """
        Return a permit to send one message of *company*, or when to ask again.

        Args:
            company: Whose mail it is.
            holder: The worker; a permit it still holds is renewed.
            tried_ms: When the delivery was last tried; 0 when never.
        """
        now, account = self.clock(), await self.account()
        rows = await self._rows()
        others = [other for name, other in rows.items() if name != company]
        line, owed = turns.in_line(others, now), turns.owed(others, now)
        mine = replace(turns.mine(rows, company, tried_ms, now), tried_ms=tried_ms)
        day, left = _left(account, self.limits, now)
        mine = turns.shared(mine, owed, day, left)
        refused = _stopped_for(account, company, tried_ms, line, now)
        if left > 0 and not account.stopped_ms and turns.has_had_its_part(mine, owed):
            await self._wait(turns.rests(mine, now))
            return NotNow(UnixMs(now + turns.PART_MS), "the rest of the day is for the companies that wait")
        # A probe is one message: it does not stand in line with those that the stop keeps waiting.
        lease = None if refused else await self._lease(mine, () if account.stopped_ms else line, holder)
        if lease is None:
            refused = refused or NotNow(UnixMs(now + RETRY_MS), "all connections are in use")
            await self._wait(replace(mine, until_ms=now + WAITING_MS, owed_ms=refused.again_ms + turns.OWED_MS))
            return refused
        taken = await self._take()
        if taken is not None:
            await self.leave(Permit(lease))
            await self._wait(replace(mine, owed_ms=taken.again_ms + turns.OWED_MS))
            return taken
        await self._serve(mine, rows.get(company))
        return Permit(lease)

    async def leave(self, permit: Permit) -> None:
        """Give a permit back."""
        await self._leases().release(permit.lease)

    # the turn ------------------------------------------------------------------------------------

    async def _lease(self, mine: QueuedCompany, others: Sequence[QueuedCompany], holder: str) -> Lease | None:
        if turns.is_behind(mine, others):
            return None
        leases = self._leases()
        for number_ in range(1, self.limits.connections + 1):
            if lease := await leases.acquire(f"sender:{number_}", holder, ttl_ms=PERMIT_MS):
                return lease
        return None

    async def _waiting(self, now: UnixMs) -> dict[str, QueuedCompany]:
        return {each.company: each for each in turns.in_line((await self._rows()).values(), now)}

    async def _rows(self) -> dict[str, QueuedCompany]:
        rows = await self.rows.scan(_WAITING, _WAITING + "~", limit=1_000)
        return {each.company: each for each in (turns.CODEC.decode(QueuedCompany, row) for row in rows)}

    async def _wait(self, waiting: QueuedCompany) -> None:
        write, key = AtomicWrite(), _WAITING + waiting.company
        stored = await find(self.rows, turns.CODEC, QueuedCompany, key)
        write.put(key, turns.CODEC.encode(waiting), stored.version if stored else UNSTORED)
        try:
            await commit(self.rows, write, marker_row=key)
        except Contention:
            return  # another lane of the same company waits as well

    async def _serve(self, mine: QueuedCompany, stored: QueuedCompany | None) -> None:
        """Store that a company waits no longer; one that never waited, while nobody else does, costs no write."""
        if mine.day or (stored and (stored.until_ms or stored.owed_ms or stored.day)):
            await self._wait(turns.served(mine))

    # the counts ----------------------------------------------------------------------------------

    async def _take(self) -> NotNow | None:
        """Count one message, and take the right to probe, in one write; NotNow when either is used up."""
        now = self.clock()
        account, took = await self._change(lambda found: _counted(found, self.limits, now))
        if took:
            return None
        if account.stopped_ms and now < account.probe_ms:
            return NotNow(UnixMs(account.probe_ms), account.why)
        spent_day = account.day == str(utc_day(now)) and account.in_day >= self.limits.per_day
        wait_ms = 3_600_000 if spent_day else 60_000 - now % 60_000
        return NotNow(UnixMs(now + wait_ms), "the day's messages are used up" if spent_day else "the minute's are")

    async def _change(self, change: Callable[[SenderAccount], SenderAccount | None]) -> tuple[SenderAccount, bool]:
        """Store what *change* makes of the account's row; return it as it was, and whether anything changed."""
        for _ in range(TRIES_MAX):
            found = await self.account()
            changed = change(found)
            if changed is None:
                return found, False
            write = AtomicWrite()
            write.put(_ACCOUNT, _CODEC.encode(changed), found.version)
            try:
                await commit(self.rows, write, marker_row=_ACCOUNT)
            except Contention:
                continue
            return found, True
        raise Contention("the sender's row is written without a pause")

    def _leases(self) -> Leases:
        return Leases(self.rows, self.clock)


def after(account: SenderAccount, outcome: SmtpOutcome, address_index: str, now: UnixMs) -> SenderAccount | None:
    """Return *account* after an outcome; None when it changes nothing."""
    if outcome.verdict is Verdict.ACCEPTED:
        if not account.stopped_ms and not account.refused:
            return None
        return replace(account, epoch=account.epoch + 1, stopped_ms=0, why="", probe_ms=0, refused=())
    if outcome.verdict in _ENDS or outcome.stops:
        return _stopped(account, outcome.words, now, wait_ms=round(outcome.retry_s * 1000))
    if outcome.verdict not in _OF_THE_MAIL:
        return None
    refused = tuple(dict.fromkeys((*account.refused, address_index)))[-REFUSED_IN_A_ROW_MAX:]
    counted = replace(account, refused=refused)
    return _stopped(counted, outcome.words, now) if len(refused) >= REFUSED_IN_A_ROW_MAX else counted


def _stopped(account: SenderAccount, words: str, now: UnixMs, *, wait_ms: int = 0) -> SenderAccount:
    """A stop keeps its beginning, and its newest words; a carrier that says when to come back is believed."""
    probe_ms = now + (max(wait_ms, STOP_MS_MIN) if wait_ms else PROBE_MS)
    return replace(account, stopped_ms=account.stopped_ms or now, why=words, probe_ms=probe_ms)


def _stopped_for(
    account: SenderAccount, company: str, tried_ms: UnixMs, others: Sequence[QueuedCompany], now: UnixMs
) -> NotNow | None:
    """Return when a stopped sender is asked again; None if it is not stopped, or this company makes the probe."""
    if not account.stopped_ms:
        return None
    if now < account.probe_ms:
        return NotNow(UnixMs(account.probe_ms), account.why)
    if any((other.tried_ms, other.company) < (tried_ms, company) for other in others):
        return NotNow(UnixMs(now + RETRY_MS), account.why)
    return None


def _left(account: SenderAccount, limits: SendingLimits, now: UnixMs) -> tuple[str, int]:
    """Return today, and how many messages are left of it."""
    day = str(utc_day(now))
    return day, limits.per_day - (account.in_day if account.day == day else 0)


def _counted(account: SenderAccount, limits: SendingLimits, now: UnixMs) -> SenderAccount | None:
    day, minute = str(utc_day(now)), now // 60_000
    in_day = account.in_day if account.day == day else 0
    in_minute = account.in_minute if account.minute == minute else 0
    if in_day >= limits.per_day or in_minute >= limits.per_minute:
        return None
    if account.stopped_ms and now < account.probe_ms:
        return None
    probe_ms = now + PROBE_MS if account.stopped_ms else 0
    return replace(account, probe_ms=probe_ms, day=day, in_day=in_day + 1, minute=minute, in_minute=in_minute + 1)
