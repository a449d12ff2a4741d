"""What runs in a process of its own: a clinic connects, its payment is found and mailed; and who comes after it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from foundation.clock import UnixMs, system_clock
from payflow import resources
from payflow.connect.connecting import AuthorizationResponse, ConnectOutcome
from payflow.delivery import decisions
from payflow.delivery.ports import delivery_key
from payflow.delivery.rules import IDLE_MS
from payflow.installation import Installation
from payflow.ledger import identity
from payflow.mail.wire import Wire as SmtpWire
from payflow.model import BaixaId, CompanyId
from payflow.progress import due_entries
from payflow.state import DeliveryState, ReceiptState
from payflow.wiring import Container
from tests.fakes.identity import signed_in
from tests.faults.crash.process import Died, Ended
from tests.faults.crash.wire import Call, Side, Trip, Wire

LOOKS = {"baseline": 0, "payment": 45 * 60_000}
"""How much later each look of the process is, in ms: the second one renews the token, finds the payment, mails it."""
PHASES = ("connect", *LOOKS)
FIRST_MS, HOP_MS = 55 * 60_000, 10 * 60_000
"""When the next process looks, and how much later each time: leases, claims, the ladder's first wait have ended."""
HOPS_MAX = 8
_NAMED = re.compile(r"clinic-\w+")
_LONG = re.compile(r"/[0-9a-f-]{36}(?=/|$)|/doc[^/?]*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptJob:
    """One clinic on a ledger of its own."""

    settings: Mapping[str, str]
    company: CompanyId
    document: str
    user: str
    tables: str
    shift_ms: int = 0
    """How far the clock of its processes is from the machine's."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The clinic is connected: its office books a payment now, and says which."""


@dataclass(frozen=True, slots=True)
class IsItThere:
    """The outcome is unknown: the office looks into the payer's mailbox and says yes or no."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptLeft:
    """What the ledger holds when nothing is left to do."""

    state: str
    """With the reason, where there is one."""
    asked: bool
    """A person was asked whether the mail arrived."""
    accepted_by_row: int
    """Mails that the rows call sent by the server's word."""


class ReceiptWire(Wire):
    """Sees also what goes to Conta Azul and to the mail server."""

    def _counted(self, what: str) -> tuple[Call, Side | None]:
        return super()._counted(_NAMED.sub("entry", what))

    def watch(self) -> None:
        super().watch()
        ask, write = httpx.AsyncClient.send, SmtpWire.write

        async def asked(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
            whose = "mail service" if request.url.path.startswith("/emails") else "conta azul"
            what = f"{whose}: {request.method} {_LONG.sub('/ID', request.url.path)}"
            return await self.passed(what, lambda: ask(client, request, **options))

        def written(wire: SmtpWire, data: bytes) -> None:
            self.passed_in_a_thread(f"mail server: {_told(data)}", lambda: write(wire, data))

        httpx.AsyncClient.send = asked  # type: ignore[method-assign, assignment]  # the one place all pass
        SmtpWire.write = written  # type: ignore[method-assign, assignment]  # the same


def _told(data: bytes) -> str:
    word = data.split(None, 1)[0].decode() if data.strip() else ""
    if data == b".\r\n":
        return "the final dot"
    return word if word in ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA") else "the body without its dot"


def work(job: ReceiptJob, trip: Trip | None, said: Connection) -> None:
    """Connect a clinic and mail its receipt, or come as far as the *trip* lets this process live."""
    asyncio.run(_work(job, trip, said))


async def _work(job: ReceiptJob, trip: Trip | None, said: Connection) -> None:
    container = _container(job, 0)
    await _initialise(job, container)
    wire = ReceiptWire(trip, dying=lambda call: said.send(Died(call)))
    wire.watch()
    wire.phase = "connect"
    await _connect(job, container)
    _ask(said, Connected())
    for phase, later_ms in LOOKS.items():
        wire.phase, container = phase, await _at(job, container, later_ms)
        await (await container.lane(job.company)).run()
    said.send(Ended(tuple(wire.calls)))
    await container.aclose()


def come_after(job: ReceiptJob, habit: Callable[[], None] | None, said: Connection) -> None:
    """Do what is left: the clinic connects again if it must, the timer runs lanes that are due, a person decides."""
    if habit:
        habit()
    asyncio.run(_come_after(job, said))


async def _come_after(job: ReceiptJob, said: Connection) -> None:
    container, asked = _container(job, FIRST_MS), False
    base = await container.base()
    if await base.entries.get(job.company) is None or await base.lane(job.company).read_token() is None:
        container = await _at(job, container, 0)  # a payment counts from the connection on: not from an hour ahead
        await _connect(job, container)
    baixa = BaixaId(str(_ask(said, Connected())))
    for hop in range(HOPS_MAX):
        later_ms = FIRST_MS + hop * HOP_MS
        container = await _at(job, container, later_ms)
        base, now = await container.base(), UnixMs(system_clock() + job.shift_ms + later_ms)
        for entry in due_entries(await base.entries.all(), now):
            await (await container.lane(entry.company)).run()
        asked = await _decide(base, job, baixa, now, said) or asked
    said.send(await _left(base, job, baixa, asked))
    await container.aclose()


async def _at(job: ReceiptJob, before: Container, later_ms: int) -> Container:
    await before.aclose()
    return _container(job, later_ms)


async def _decide(base: Installation, job: ReceiptJob, baixa: BaixaId, now: UnixMs, said: Connection) -> bool:
    """Let a person end an unknown mail by what is in the mailbox; say whether one was asked."""
    lane = base.lane(job.company)
    receipt = await lane.receipt(baixa)
    if receipt is None or receipt.state is not ReceiptState.UNKNOWN:
        return False
    (delivery,) = await lane.deliveries(baixa)
    if now <= delivery.attempt_deadline_ms + IDLE_MS:
        return False
    if _ask(said, IsItThere()):
        await decisions.decide_arrived(lane, delivery_key(delivery), "office", now)
    else:
        await decisions.decide_again(lane, delivery_key(delivery), "office", now, domain="payflow.example")
    return True


async def _left(base: Installation, job: ReceiptJob, baixa: BaixaId, asked: bool) -> ReceiptLeft:
    lane = base.lane(job.company)
    receipt = await lane.receipt(baixa)
    mails = await lane.deliveries(baixa)
    by_server = [mail for mail in mails if mail.state is DeliveryState.SENT and not mail.decided_by]
    state = f"{receipt.state} {receipt.reason or ''}".strip() if receipt else "lost"
    return ReceiptLeft(state=state, asked=asked, accepted_by_row=len(by_server))


async def _initialise(job: ReceiptJob, container: Container) -> None:
    tables = await container.ledger_tables()
    await tables.ensure()
    await (await container.second_tables()).ensure()
    uri, environment = job.settings["CONTA_AZUL_REDIRECT_URI"], job.settings["ENVIRONMENT"]
    await identity.create(tables.rows, await container.sealer(), environment=environment, redirect_uri=uri)


async def _connect(job: ReceiptJob, container: Container) -> None:
    """Sign in as the clinic's office does; the pages themselves have tests of their own."""
    connecting = await container.connecting()
    begun = await connecting.begin(await connecting.invite(document=job.document, by="operator"))
    state = parse_qs(urlsplit(begun.location).query)["state"][0]
    signed = await asyncio.to_thread(_sign_in, job, state)
    back = parse_qs(urlsplit(signed.headers["Location"]).query)
    found = await connecting.finish(
        AuthorizationResponse(code=back["code"][0], state=state, error="", cookie=begun.cookie)
    )
    assert found is ConnectOutcome.CONNECTED, found


def _sign_in(job: ReceiptJob, state: str) -> httpx.Response:
    """Press the button at Conta Azul; a browser's request, so not through the wire that is watched."""
    fields = {"redirect_uri": job.settings["CONTA_AZUL_REDIRECT_URI"], "state": state, "user": job.user, "do": "allow"}
    login = job.settings["CONTA_AZUL_AUTH_URL"].replace("/oauth2/authorize", "/login")
    return httpx.post(login, data=fields, trust_env=False)


def _container(job: ReceiptJob, later_ms: int) -> Container:
    os.environ["SSL_CERT_FILE"] = job.settings["SSL_CERT_FILE"]
    resources.LEDGER_TABLE, resources.SECOND_TABLE = f"{job.tables}a", f"{job.tables}b"
    if job.settings.get("MAIL") == "acs":
        resources.azure_credential = signed_in  # type: ignore[attr-defined, assignment]  # there is no platform here
    return Container(job.settings, clock=lambda: UnixMs(system_clock() + job.shift_ms + later_ms))


def _ask(said: Connection, question: object) -> object:
    said.send(question)
    return said.recv()
