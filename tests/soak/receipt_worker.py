"""
A worker of the receipts' soak: a process that runs every lane that is due until it is killed.

Its clock runs faster than ours, from a moment that all share: hours of leases, waits and tokens pass in minutes. What
nobody knows a person decides by the payer's mailbox.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Rejected, Transient
from payflow.delivery import choices, decisions
from payflow.delivery.choices import Decider
from payflow.delivery.ports import delivery_key
from payflow.delivery.rules import IDLE_MS
from payflow.installation import Installation
from payflow.progress import due_entries
from payflow.state import CompanyStatus, Delivery, DeliveryState
from payflow.wiring import Container
from tests.faults.crash import receipt_process
from tests.faults.crash.forks import _FORKS
from tests.faults.crash.receipt_process import ReceiptJob

SPEED = 20
"""Seconds of the app in one real second."""
REST_S = 0.2
PASSES = (Transient, Rejected, ConfigurationError)
"""A table that is away, another worker who was first."""


@dataclass(frozen=True, slots=True)
class Fast:
    """A clock that all processes of one soak share; it can be set on, so that nobody waits for the ladder's day."""

    began_s: float
    skipped_s: Any
    """A number in shared memory: by how much it was set on."""

    @classmethod
    def begun(cls) -> Fast:
        return cls(time.time(), _FORKS.Value("d", 0.0))

    def skip(self, seconds: float) -> None:
        with self.skipped_s.get_lock():
            self.skipped_s.value += seconds

    def __call__(self) -> UnixMs:
        return UnixMs(int(self.seconds() * 1000))

    def seconds(self) -> float:
        return self.began_s + (time.time() - self.began_s) * SPEED + float(self.skipped_s.value)


@dataclass(frozen=True, slots=True)
class IsMailed:
    """A person looks into a payer's mailbox."""

    address: str


def connect(job: ReceiptJob, clock: Fast, said: Connection) -> None:
    """Make the ledger, connect the clinic, and take its baseline."""

    async def connected() -> None:
        container = _container(job, clock)
        await receipt_process._initialise(job, container)
        await receipt_process._connect(job, container)
        await (await container.lane(job.company)).run()
        await container.aclose()

    asyncio.run(connected())
    said.close()


def serve(job: ReceiptJob, clock: Fast, said: Connection) -> None:
    """Run what is due, for as long as this process lives."""
    asyncio.run(_serve(job, clock, said))


async def _serve(job: ReceiptJob, clock: Fast, said: Connection) -> None:
    container = _container(job, clock)
    while True:
        try:
            await _round(job, container, clock, said)
        except PASSES:
            await container.aclose()
            container = _container(job, clock)
        await asyncio.sleep(REST_S)


async def _round(job: ReceiptJob, container: Container, clock: Fast, said: Connection) -> None:
    base = await container.base()
    for entry in due_entries(await base.entries.all(), clock()):
        lane = await container.lane(entry.company)
        await replace(lane, sleep=_slept).run()
        if entry.status is CompanyStatus.NEEDS_RECONNECT:  # a killed worker took the new token along
            await receipt_process._connect(job, container)
    await _decide(base, job, clock(), lambda address: bool(_asked(said, IsMailed(address))))


async def _decide(base: Installation, job: ReceiptJob, now: UnixMs, is_mailed: Callable[[str], bool]) -> None:
    """End every unknown mail by what is in the mailbox, and begin anew what was given up."""
    lane = base.lane(job.company)
    for receipt in await lane.held(limit=100):
        mails = await lane.deliveries(receipt.baixa)
        open_ = [mail for mail in mails if mail.state is DeliveryState.UNKNOWN and not mail.decided_by]
        for mail in open_:
            if now > mail.attempt_deadline_ms + IDLE_MS:
                await _ended(base, job, mail, now, mailed=is_mailed(mail.address))
        if not open_:
            await choices.release(lane, receipt.baixa, Decider(name="office", now=now))


async def _ended(base: Installation, job: ReceiptJob, mail: Delivery, now: UnixMs, *, mailed: bool) -> None:
    lane, key = base.lane(job.company), delivery_key(mail)
    if mailed:
        await decisions.decide_arrived(lane, key, "office", now)
    else:
        await decisions.decide_again(lane, key, "office", now, domain="payflow.example")


async def _slept(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


def _asked(said: Connection, question: object) -> object:
    said.send(question)
    return said.recv()


def _container(job: ReceiptJob, clock: Fast) -> Container:
    receipt_process._container(job, 0)  # the tables' names and the authority of this process
    return Container(job.settings, clock=clock)
