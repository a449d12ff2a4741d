"""
The crash table of PayFlow: one clinic and one payment for each call, each side of it.

Storage is Azurite, Conta Azul the strict stand-in, the mail server a real one with TLS. A process is killed at a call;
a fresh one goes on, some times ten minutes later. Where the outcome is unknown the office looks into the mailbox and
decides by what is there. Then the mailbox is counted: one mail, whatever happened.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from devstack import servers
from devstack.conta_azul.books import Books
from devstack.conta_azul.serve import CLIENT_ID, CLIENT_SECRET, conta_azul
from devstack.conta_azul.server import ContaAzul
from devstack.payflow.document import receipt
from payflow.model import CompanyId
from payflow.sealing import new_key
from tests.fakes.mail_server import PASSWORD, USER, FaultyServer, mail_server
from tests.faults.crash.forks import run_process
from tests.faults.crash.process import Died, Ended
from tests.faults.crash.receipt_process import Connected, IsItThere, ReceiptJob, ReceiptLeft, come_after, work
from tests.faults.crash.wire import Call, Side, Trip

SIDE_BY_SIDE = 2
DOCUMENT, REDIRECT, SENDER = "12345678000195", "http://127.0.0.1:7072/oauth/callback", "recibos@payflow.example"
DOT = "mail server: the final dot"
MARK = "ledger: write delivery"

Habit = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptOutcome:
    """What became of one payment."""

    trip: Trip
    call: Call
    killed_at: Call | None
    mails: int
    """Accepted by the mail server for the payer's address."""
    left: ReceiptLeft


def faults(outcome: ReceiptOutcome, calls: Sequence[Call]) -> Iterator[str]:
    """Yield what is not as it must be after any crash."""
    if outcome.killed_at != outcome.call:
        yield f"killed at {outcome.killed_at}"
    if outcome.mails != 1:
        yield f"{outcome.mails} mails"
    if outcome.left.state != "sent":
        yield f"receipt {outcome.left.state}"
    if outcome.left.asked and not is_open(outcome.trip, calls):
        yield "a person was asked although the outcome was known"


def is_open(trip: Trip, calls: Sequence[Call]) -> bool:
    """Say whether the process died between the mark and the stored reply: then nobody knows."""
    dot = next(at for at, call in enumerate(calls) if call.what == DOT)
    mark = max(at for at in range(dot) if calls[at].what == MARK)
    stored = next(at for at in range(dot, len(calls)) if calls[at].what == MARK)
    return Trip(mark, Side.AFTER) == trip or mark < trip.at < stored or Trip(stored, Side.BEFORE) == trip


@dataclass(frozen=True, kw_only=True)
class Clinics:
    """The servers, and a fresh clinic on them for each process."""

    storage: servers.Azurite
    mail: FaultyServer
    server: ContaAzul
    authority: Path
    on_loop: Callable[[Callable[[], Any]], Any]
    """Calls a function in the stand-in's loop."""
    shift_ms: int
    booked: dict[str, str] = field(default_factory=dict)

    def calls(self) -> Sequence[Call]:
        """Return the calls of a payment that nothing disturbs."""
        job = self._clinic()
        said = run_process(work, job, None, killed=False, reply=self._reply(job))
        return next(each.calls for each in said if isinstance(each, Ended))

    def outcome(self, trip: Trip, call: Call, habit: Habit | None = None) -> ReceiptOutcome:
        """Kill a process at *trip*, let another, which may have a bad *habit*, come after it, and look."""
        job = self._clinic()
        said = run_process(work, job, trip, killed=True, reply=self._reply(job))
        after = run_process(come_after, job, habit, killed=False, reply=self._reply(job))
        return ReceiptOutcome(
            trip=trip,
            call=call,
            killed_at=next((each.call for each in said if isinstance(each, Died)), None),
            mails=self._mails(job),
            left=next(each for each in after if isinstance(each, ReceiptLeft)),
        )

    def spread(self, trips: Sequence[Trip], calls: Sequence[Call]) -> Sequence[ReceiptOutcome]:
        """Return the outcomes of *trips*, some at a time."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(lambda trip: self.outcome(trip, calls[trip.at]), trips))

    def _mails(self, job: ReceiptJob) -> int:
        return sum(_payer(job) in mail.recipients for mail in self.mail.accepted)

    def _reply(self, job: ReceiptJob) -> Callable[[object], object]:
        def reply(message: object) -> object:
            if isinstance(message, Connected):
                return self.on_loop(lambda: self._book(job))
            return self._mails(job) > 0 if isinstance(message, IsItThere) else None

        return reply

    def _book(self, job: ReceiptJob) -> str:
        """Book the payment of this clinic, once, with its document."""
        if job.company not in self.booked:
            books: Books = self.server.companies[job.company]
            payer = books.person("Dra. Ana", email=_payer(job))
            payment = books.pay(books.bill(payer, 150_000, due=date(2026, 1, 15)))
            books.attach(payment, receipt(f"Recibo {job.tables}", 150_000))
            self.booked[job.company] = payment.id
        return self.booked[job.company]

    def _clinic(self) -> ReceiptJob:
        tables = f"t{secrets.token_hex(8)}"
        company, user = CompanyId(f"clinic-{tables}"), f"office@{tables}.example"
        self.on_loop(lambda: self.server.company(company, document=DOCUMENT, name="Clínica Boa", user=user))
        return ReceiptJob(
            settings=self._settings(),
            company=company,
            document=DOCUMENT,
            user=user,
            tables=tables,
            shift_ms=self.shift_ms,
        )

    def _settings(self) -> dict[str, str]:
        return {
            "AzureWebJobsStorage": self.storage.connection_string,
            "SEND_LOG_STORAGE": self.storage.connection_string,
            "SSL_CERT_FILE": str(self.authority),
            "MASTER_KEY": new_key(),
            "ENVIRONMENT": "production",
            "CONTA_AZUL_CLIENT_ID": CLIENT_ID,
            "CONTA_AZUL_CLIENT_SECRET": CLIENT_SECRET,
            "CONTA_AZUL_REDIRECT_URI": REDIRECT,
            "CONTA_AZUL_API_BASE_URL": self.server.base_url,
            "CONTA_AZUL_AUTH_URL": f"{self.server.base_url}/oauth2/authorize",
            "CONTA_AZUL_TOKEN_URL": f"{self.server.base_url}/oauth2/token",
            "INSIDE_NETWORKS": "127.0.0.0/8",
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(self.mail.port),
            "SMTP_SECURITY": "starttls",
            "SMTP_USER": USER,
            "SMTP_PASSWORD": PASSWORD,
            "SMTP_FROM": SENDER,
            "POLLING_INTERVAL_SECONDS": "60",
            "BALLX_USE_KV": "0",
        }


def _payer(job: ReceiptJob) -> str:
    return f"ana@{job.tables}.example"


def until_noon_ms(now_s: float) -> int:
    """
    Return how far the next noon in UTC is from *now_s*, in ms.

    A table that begins then meets nothing that comes at a time of day: past 02:00 in São Paulo a look makes ten calls
    more, and every number of a call that was counted before would be another call's.
    """
    return round((43_200 - now_s) % 86_400 * 1000)


@contextmanager
def clinics(storage: servers.Azurite, folder: Path, now: Callable[[], float] | None = None) -> Iterator[Clinics]:
    """
    Run stand-in and mail server until the block ends.

    *now* is the stand-in's clock. Without one, it and the processes begin at noon.
    """
    shift_ms = 0 if now else until_noon_ms(time.time())
    shown = now or (lambda: time.time() + shift_ms / 1000)
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[ContaAzul] = []

    async def serve() -> None:
        async with conta_azul([REDIRECT], now=shown) as server:
            server.sign_in.grace_s = 60
            found.append(server)
            ready.set()
            await over.wait()

    def on_loop(act: Callable[[], Any]) -> Any:
        async def acted() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(acted(), loop).result(30)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30), "the stand-in did not start"
    try:
        with mail_server() as mail:
            authority = folder / "authority.pem"
            mail.authority.cert_pem.write_to_path(str(authority))
            yield Clinics(
                storage=storage, mail=mail, server=found[0], authority=authority, on_loop=on_loop, shift_ms=shift_ms
            )
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()
