"""
Receipts for minutes while workers, storage and the mail server's connections are killed; then every mailbox is counted.

``RECEIPT_SOAK_MINUTES`` says how long payments are booked: a third of one in the build, ten in the long profile.
``RECEIPT_SOAK_SEED`` draws the same faults again.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from devstack import runs
from devstack.chaos.parts import Part, on_disk
from devstack.payflow.document import receipt as a_pdf
from devstack.servers import Azurite
from tests.faults.crash.forks import _FORKS, _STARTING_OR_ENDING, run_process
from tests.faults.crash.receipt_process import ReceiptJob
from tests.faults.crash.receipt_table import Clinics, clinics
from tests.soak.receipt_worker import Fast, IsMailed, connect, serve

MINUTES = float(os.environ.get("RECEIPT_SOAK_MINUTES", "0.3"))
SEED = int(os.environ.get("RECEIPT_SOAK_SEED", secrets.randbelow(10**6)))
WORKERS = 2
BOOK_S, FAULT_S = 0.7, 2.5
FLUSHED_S = 7.0
"""Azurite writes what it has answered to its disk within this; a real account has it there before it answers."""
OPEN_MAX = 30
"""Payments without a mail at a time: a slow machine gets fewer to book, and none that it cannot end."""
STILL_S, SKIP_S, SKIPS_MAX = 60.0, 6 * 3600.0, 8
"""
When no mail came for so long, what is open waits for its next try, and the clock is set on by six hours.

A mail that was cut in its first five tries waits 32 hours and 35 minutes in all, which the fast clock takes 98 minutes
for. So a drain that is only waited for is longer than anyone waits, the more so the slower the machine: each try is
longer, and more of them are killed. Two days without a single mail are a standstill.
"""
CUTS = ("ehlo", "mail", "rcpt", "data", "body", "before_dot", "after_dot")


@dataclass
class Worker:
    """A process that runs lanes, and a thread that answers for the office."""

    job: ReceiptJob
    clock: Fast
    world: Clinics
    process: Any = None

    def start(self) -> None:
        ours, theirs = _FORKS.Pipe()
        self.process = _FORKS.Process(target=serve, args=(self.job, self.clock, theirs))
        with _STARTING_OR_ENDING:
            self.process.start()
        theirs.close()
        threading.Thread(target=self._answer, args=(ours,), daemon=True).start()

    def kill(self) -> None:
        self.process.kill()
        with _STARTING_OR_ENDING:
            self.process.join()

    def _answer(self, pipe: Any) -> None:
        with suppress(EOFError, OSError):
            while True:
                question: IsMailed = pipe.recv()
                pipe.send(mailed(self.world)[question.address] > 0)


@dataclass
class Soak:
    """What runs, and what was done to it."""

    world: Clinics
    storage: Part[Azurite]
    job: ReceiptJob
    clock: Fast
    chance: random.Random
    workers: list[Worker] = field(default_factory=list)
    payers: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)

    def book(self) -> None:
        """Book a payment of a payer of its own, its document at hand."""
        number = len(self.payers)
        address = f"p{number}@{self.job.tables}.example"

        def act() -> None:
            books = self.world.server.companies[self.job.company]
            payment = books.pay(books.bill(books.person(f"Dra. {number}", email=address), 10_000, due=date.today()))  # noqa: DTZ011 -- a due date
            books.attach(payment, a_pdf(f"Recibo {number}", 10_000))

        self.world.on_loop(act)
        self.payers.append(address)

    def strike(self) -> None:
        """Do one of the faults: each once in turn, then as the seed draws them; storage once a minute at most."""
        faults = (self._kill_worker, self._cut, self._kill_everything)
        if self.struck.total() < len(faults):
            faults[self.struck.total()]()
            return
        may = faults if self.struck["storage killed"] <= MINUTES else faults[:2]
        self.chance.choice(may)()

    def _kill_worker(self) -> None:
        worker = self.chance.choice(self.workers)
        worker.kill()
        worker.start()
        self.struck["worker killed"] += 1

    def _cut(self) -> None:
        """Let the mail server hang up once or twice at one place; after the dot it has taken the mail."""
        at, faults = self.chance.choice(CUTS), self.world.mail.faults
        faults.cut_at, faults.times = at, self.chance.randint(1, 2)
        self.struck[f"cut at {at}"] += 1

    def _kill_everything(self) -> None:
        """Storage dies, and with it every worker: what it had answered is on its disk."""
        for worker in self.workers:
            worker.kill()
        time.sleep(FLUSHED_S)
        self.storage.kill()
        self.storage.start()
        for worker in self.workers:
            worker.start()
        self.struck["storage killed"] += 1

    def drain(self) -> None:
        """Let what is open be mailed, until nothing is or nothing moves any more."""
        skips, still_since, left = 0, time.monotonic(), len(self.open_())
        while left and skips <= SKIPS_MAX:
            time.sleep(1)
            before, left = left, len(self.open_())
            if left < before:
                skips, still_since = 0, time.monotonic()
            elif time.monotonic() - still_since > STILL_S:
                self.clock.skip(SKIP_S)
                skips, still_since = skips + 1, time.monotonic()
                self.struck["clock set on"] += 1

    def open_(self) -> list[str]:
        """Return the payers without a mail."""
        found = mailed(self.world)
        return [payer for payer in self.payers if not found[payer]]


def mailed(world: Clinics) -> Counter[str]:
    """Return how many mails were accepted for each address."""
    return Counter(address for mail in list(world.mail.accepted) for address in mail.recipients)


@contextmanager
def soak(folder: Path) -> Iterator[Soak]:
    """Run everything until the block ends."""
    with runs.begin(folder) as run:
        storage = Part("storage", on_disk(run), run)
        azurite, clock = storage.start(), Fast.begun()
        try:
            with clinics(azurite, folder, now=clock.seconds) as world:
                job = world._clinic()
                run_process(connect, job, clock, killed=False)
                made = Soak(world, storage, job, clock, random.Random(SEED))  # noqa: S311 -- draws faults
                made.workers = [Worker(job, clock, world) for _ in range(WORKERS)]
                for worker in made.workers:
                    worker.start()
                try:
                    yield made
                finally:
                    for worker in made.workers:
                        worker.kill()
        finally:
            storage.stop()


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL and fork are POSIX")
@pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does
def test_every_receipt_is_mailed_once_while_everything_fails(tmp_path: Path, soak_figures: list[str]) -> None:
    """Booked while workers and storage die and the mail server hangs up; then nobody has two mails, and nobody none."""
    with soak(tmp_path) as world:
        ends_s, next_fault_s = time.monotonic() + MINUTES * 60, time.monotonic() + FAULT_S
        while time.monotonic() < ends_s:
            if len(world.open_()) < OPEN_MAX:
                world.book()
            if time.monotonic() >= next_fault_s:
                world.strike()
                next_fault_s = time.monotonic() + FAULT_S
            time.sleep(BOOK_S)
        world.world.mail.faults.cut_at = ""
        world.drain()
        time.sleep(5)  # a second mail would come now
        found, lost = mailed(world.world), world.open_()

    twice = [payer for payer in world.payers if found[payer] > 1]
    soak_figures.append(f"RECEIPT_SOAK_SEED={SEED}: {len(world.payers)} payments, {sum(found.values())} mails,")
    soak_figures.append(f"{len(twice)} twice, {len(lost)} lost; {dict(sorted(world.struck.items()))}")
    assert (twice, lost) == ([], []), soak_figures
    assert min(world.struck["worker killed"], world.struck["storage killed"]) > 0
