"""
A company's lane: token, look, receipts; then it says when it must run next.

Everything for one company happens here, under a lease that only spares work: what keeps two lanes apart is the
version of each row. A lane that loses its lease, or whose time is up, stops between two steps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from uuid import uuid4

from foundation import logs
from foundation.clock import Clock, Sleep, UnixMs
from foundation.errors import Contention, Transient
from foundation.tablestore.leases import Lease, Leases
from payflow import lane_alarms
from payflow.delivery import counting
from payflow.errors import ApiRefused, ApiUnavailable, PlanBlocked, SendLogUnavailable, ServedElsewhere, Unauthorized
from payflow.ledger import listing
from payflow.ledger.lane import LaneLedger
from payflow.looking import planning
from payflow.looking.look import Look
from payflow.ports import Alarms, ContaAzul, ReceiptWork
from payflow.progress import LookKind
from payflow.state import Company, CompanyStatus, Receipt

LANE_MS: Final = 240_000
LOOK_MS: Final = 120_000
"""A look leaves half of the lane's time to the receipts: an import of years must not hold up today's mail."""
SENDING_MS: Final = 60_000
"""What is left to a step that has begun when time is up."""
LEASE_MS: Final = 90_000
HEARTBEAT_S: Final = 30.0
WAIT_MS: Final = 60_000
"""Waits shorter than this happen inside the lane."""
PLAN_MS: Final = 3_600_000
FAILURES_MAX: Final = 3
BATCH: Final = 20
RETRY_MS: Final = counting.RETRY_MS

Probe = Callable[[Company], Awaitable[Company]]


async def _never() -> bool:
    return False


_log = logging.getLogger(__name__)


class Ended(StrEnum):
    """How a lane ended."""

    DONE = "done"
    """Nothing more is due now."""
    TIME = "time"
    """There is more; it is woken again."""
    BUSY = "busy"
    """Another instance runs it."""
    RESTING = "resting"
    """The company's status lets nothing happen."""
    LATER = "later"
    """Conta Azul or the ledger is away."""


@dataclass(slots=True)
class _Run:
    """What one run of a lane knows."""

    until_ms: UnixMs
    lost: bool = False
    """Another instance has taken the lease."""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """Receipts that were advanced, with the version they had: the same once more is a fault."""
    failures: int = 0
    """Receipts in a row for which Conta Azul gave no answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """The lane of one company on this instance."""

    ledger: LaneLedger
    leases: Leases
    holder: str
    api_of: Callable[[Company], ContaAzul]
    probe: Probe
    """Asks which routes and spans the API takes, once."""
    work: ReceiptWork
    alarms: Alarms
    clock: Clock
    sleep: Sleep
    interval_ms: int
    held: Callable[[], Awaitable[bool]] = _never
    """Whether every company is held; asked under the lease, so that a worker waiting for the lease misses no lane."""

    async def run(self) -> Ended:
        """Run the lane once. Raises StoreUnavailable while the ledger is away; the entry then stays due."""
        name = f"lane:{self.ledger.company}"
        # A holder of its own for each run: two messages for one company may run in one process at the same time.
        lease = await self.leases.acquire(name, f"{self.holder}:{uuid4().hex[:8]}", ttl_ms=LEASE_MS)
        if lease is None:
            return Ended.BUSY
        run = _Run(until_ms=UnixMs(self.clock() + LANE_MS))
        heart = asyncio.ensure_future(self._beat(lease, run))
        try:
            ended = await self._work(run)
        except Transient as trouble:
            logs.warning(_log, "lane_later", company=self.ledger.company, error=type(trouble).__name__)
            ended = Ended.LATER
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
        await self._rest(ended)
        await self.leases.release(lease)
        return ended

    # Inside ------------------------------------------------------------------------------------------

    async def _work(self, run: _Run) -> Ended:
        company = await self.ledger.read_company()
        if company is None or not self._may_run(company) or await self.held():
            return Ended.RESTING
        try:
            company = await self._awake(company)
            api = self.api_of(company)
            await self._look(company, api, run)
            return await self._receipts(company, api, run)
        except PlanBlocked:
            await self._block(company)
        except Unauthorized:
            await self.alarms.note("needs_reconnect", company.id, "")
        except ServedElsewhere as other:
            await self._stand_aside(company, other)
        except SendLogUnavailable as away:
            await self.alarms.note("send_log_unreachable", company.id, str(away))
            raise
        except ApiRefused as refused:
            await self.alarms.note("api_refused", company.id, str(refused))
        return Ended.RESTING

    def _may_run(self, company: Company) -> bool:
        if company.status is CompanyStatus.BLOCKED_PLAN:
            return self.clock() - company.status_ms >= PLAN_MS
        return company.status in (CompanyStatus.ACTIVE, CompanyStatus.NEEDS_RECONNECT)

    async def _awake(self, company: Company) -> Company:
        """Return the company as it can be worked: probed once, and asked again each hour when its plan was blocked."""
        if company.status is CompanyStatus.BLOCKED_PLAN:
            await self.api_of(company).account()
            active = replace(company, status=CompanyStatus.ACTIVE, status_ms=self.clock())
            company = await self.ledger.write_company(active)
        if not company.route_family:
            company = await self.ledger.write_company(await self.probe(company))
        return company

    async def _stand_aside(self, company: Company, other: ServedElsewhere) -> None:
        """Let the other deployment mail: nothing more is looked for here, so nothing is passed over either."""
        logs.error(_log, "served_elsewhere", company=company.id, where=other.where)
        fresh = await self.ledger.read_company() or company
        await self.ledger.write_company(replace(fresh, status=CompanyStatus.ELSEWHERE, status_ms=self.clock()))

    async def _block(self, company: Company) -> None:
        blocked = replace(company, status=CompanyStatus.BLOCKED_PLAN, status_ms=self.clock())
        await self.ledger.write_company(blocked)
        await self.alarms.note("blocked_plan", company.id, "END_TRIAL")

    async def _look(self, company: Company, api: ContaAzul, run: _Run) -> None:
        """Do the looks that are due, within the look's share of the lane's time."""
        until_ms = min(run.until_ms, self.clock() + LOOK_MS)

        def enough() -> bool:
            return run.lost or self.clock() >= until_ms

        cursor = await self.ledger.read_cursor()
        while (kind := planning.due_look(cursor, self.clock(), interval_ms=self.interval_ms)) and not enough():
            cursor = planning.begin(cursor, kind, self.clock(), interval_ms=self.interval_ms)
            cursor = await self.ledger.write_cursor(cursor)
            look = Look(self.ledger, api, company, self.clock, enough)
            cursor = await look.run(cursor)
            await lane_alarms.report_look(self.ledger, self.alarms, company, look.result)
            if not look.result.complete:
                return
            if kind is LookKind.CHECK:
                await listing.complete(self.ledger, self.clock())

    async def _receipts(self, company: Company, api: ContaAzul, run: _Run) -> Ended:
        """Advance what is due, the longest due first, until nothing is or time is up."""
        while not self._is_over(run):
            due = await self.ledger.due(self.clock(), limit=BATCH)
            if not due and not await self._waited(run):
                return Ended.DONE
            for receipt in due:
                if self._is_over(run):
                    break
                await self._advance(receipt, company, api, run)
        return Ended.TIME

    async def _waited(self, run: _Run) -> bool:
        """Wait for the next receipt if it is due soon; say whether it was waited for."""
        next_ms = await self.ledger.next_due()
        if next_ms is None:
            return False
        wait_ms = next_ms - self.clock()
        if wait_ms >= WAIT_MS or next_ms >= run.until_ms - SENDING_MS:
            return False
        await self.sleep(max(0, wait_ms) / 1000)
        return True

    async def _advance(self, receipt: Receipt, company: Company, api: ContaAzul, run: _Run) -> None:
        mark = (receipt.baixa, receipt.version.etag)
        if mark in run.seen:
            await self._count(receipt)
            return
        run.seen.add(mark)
        await lane_alarms.note_long_wait(self.alarms, receipt, self.clock())
        try:
            await self.work.advance(receipt, company, self.ledger, api)
            run.failures = 0
        except Contention:
            logs.info(_log, "receipt_moved_on", company=company.id, baixa=receipt.baixa)
        except ApiUnavailable:
            await self._postpone(receipt, run)
        except (Transient, PlanBlocked, Unauthorized, ApiRefused):
            raise
        except Exception as fault:  # noqa: BLE001 -- one receipt's unexpected error must not stop the others
            logs.error(_log, "receipt_fault", company=company.id, baixa=receipt.baixa, error=type(fault).__name__)
            await self._count(receipt)

    async def _postpone(self, receipt: Receipt, run: _Run) -> None:
        """Ask for this one a minute later; three in a row that Conta Azul cannot answer for are no receipt's fault."""
        run.failures += 1
        if run.failures >= FAILURES_MAX:
            raise ApiUnavailable from None
        await self._save(receipt, replace(receipt, due_ms=UnixMs(self.clock() + RETRY_MS)))

    async def _count(self, receipt: Receipt) -> None:
        """Count an unexpected error in the receipt's row; after five it waits for a person."""
        try:
            await counting.count_error(self.ledger, self.alarms, receipt.baixa, self.clock())
        except Contention:
            logs.info(_log, "receipt_moved_on", company=receipt.company, baixa=receipt.baixa)

    async def _save(self, before: Receipt, after: Receipt) -> None:
        """Store a receipt unless another worker has moved it on meanwhile: then that is what is true."""
        try:
            await self.ledger.save(before, after)
        except Contention:
            logs.info(_log, "receipt_moved_on", company=before.company, baixa=before.baixa)

    async def _rest(self, ended: Ended) -> None:
        """Raise the entry to what is due next, on a version read before what is due was read (R6)."""
        entry, company = await self.ledger.entries.get(self.ledger.company), await self.ledger.read_company()
        if entry is None or company is None or ended is Ended.TIME:
            return
        now, next_ms = self.clock(), await self.ledger.next_due()
        at_most = UnixMs(now + (RETRY_MS if ended is Ended.LATER else self.interval_ms))
        soonest = min(at_most, max(next_ms, self._earliest(ended, now))) if next_ms is not None else at_most
        looked = (await self.ledger.read_cursor()).upper_ms
        await self.ledger.entries.raise_(entry, UnixMs(soonest), looked_ms=looked, status=company.status)

    def _earliest(self, ended: Ended, now: UnixMs) -> UnixMs:
        """A lane that may not work what is due does not run for it each minute."""
        return UnixMs(now + (self.interval_ms if ended is Ended.RESTING else 0))

    def _is_over(self, run: _Run) -> bool:
        return run.lost or self.clock() >= run.until_ms - SENDING_MS

    async def _beat(self, lease: Lease, run: _Run) -> None:
        """Renew the lease while the lane works; without it, stop between two steps."""
        held: Lease | None = lease
        while held:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                held = await self.leases.renew(held, ttl_ms=LEASE_MS)
            except Transient as trouble:
                logs.warning(_log, "lease_not_renewed", error=type(trouble).__name__)
        run.lost = True
