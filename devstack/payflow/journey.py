"""
One payment, followed from the books into the inbox: each line is read from the part it is about.

The clinic's person presses the buttons with a plain HTTP client; the cookie is carried by hand, because such a client
does not send a Secure cookie to this machine as browsers do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

import httpx

from devstack.console import Console, StepFailed
from devstack.conta_azul.books import Books, Payment
from devstack.conta_azul.server import ContaAzul
from devstack.payflow.document import receipt
from devstack.stack import MASTER_KEY, FunctionsHost

COMPANY, DOCUMENT, USER = "5f0a-clinica-boa", "12345678000195", "financeiro@clinica-boa.example"
WITHIN_S = 150.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Journey:
    """What a clinic and its payers see."""

    console: Console
    host: FunctionsHost
    server: ContaAzul
    command: Callable[..., str]
    messages: Callable[[], Sequence[EmailMessage]]

    async def run(self) -> None:
        """Connect, take the baseline, book a payment, let its document come late, and read the mail."""
        books = self._books()
        await self._connect()
        await self._until("the baseline is taken: what was paid before is not mailed", self._has_baseline)
        payment = self._book(books)
        await self._until("the payment is found; its document is not there yet", lambda: self._is(payment, "waiting"))
        books.attach(payment, receipt("Recibo 2246", 150_000), name="recibo-2246.pdf")
        self.console.say("  conta azul   the receipt appears at the payment")
        await self._until("one mail is in the inbox", lambda: len(self.messages()) == 1)
        self._read()
        await self._until("the receipt is sent", lambda: self._is(payment, " sent"))

    # Inside ------------------------------------------------------------------------------------------

    def _books(self) -> Books:
        books = self.server.company(COMPANY, document=DOCUMENT, name="Clínica Boa", user=USER, email=USER)
        ana = books.person("Dra. Ana Lima", email="ana.lima@example.org", document="12345678909")
        old = books.bill(ana, 90_000, due=books.local().date(), description="Aluguel de sala")
        # With its document, so that the probe proposes to wait for Conta Azul's: seen at any hour of the day.
        books.attach(books.pay(old), receipt("Recibo 2245", 90_000))
        return books

    async def _connect(self) -> None:
        link = self.command("invite", "--document", DOCUMENT)
        self.console.say(f"  operator     invites the clinic: {link}")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            page = await browser.get(link)
            self.console.say(f"  payflow      {page.status_code}: a page with a button")
            begun = await browser.post(link)
            cookie = begun.headers["Set-Cookie"].partition(";")[0]
            form = await browser.get(begun.headers["Location"])
            fields = dict(re.findall(r'name="(redirect_uri|state)" value="([^"]*)"', form.text))
            self.console.say("  conta azul   the clinic signs in and allows it")
            url = f"{self.server.base_url}/login"
            signed = await browser.post(url, data={**fields, "user": USER, "password": "x", "do": "allow"})
            back = await browser.get(signed.headers["Location"], headers={"Cookie": cookie})
        if "Conta conectada" not in back.text:
            raise StepFailed(f"The connection ended with {back.status_code}: {back.text[:200]}")
        self.console.say("  payflow      Conta conectada")

    def _book(self, books: Books) -> Payment:
        ana = next(iter(books.people.values()))
        payment = books.pay(books.bill(ana, 150_000, due=books.local().date(), description="Consulta"))
        self.console.say(f"  conta azul   the office books a payment of R$ 1.500,00: {payment.id}")
        return payment

    def _has_baseline(self) -> bool:
        return "looked until never" not in self.command("cursor", COMPANY)

    def _is(self, payment: Payment, word: str) -> bool:
        try:
            return word in self.command("show", COMPANY, payment.id)
        except StepFailed:
            return False

    def _read(self) -> None:
        (mail,) = self.messages()
        self.console.say(f"  inbox        from {mail['From']}: {mail['Subject']}")
        for part in mail.iter_attachments():
            self.console.say(f"  inbox        with {part.get_filename()}, {len(part.get_content())} bytes")

    async def _until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wake the lane and wait until *holds*. Raises StepFailed after a while."""
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        while not await asyncio.to_thread(holds):
            if asyncio.get_running_loop().time() > deadline:
                raise StepFailed(f"Not within {WITHIN_S:g} s: {what}.")
            await self._wake()
            await asyncio.sleep(2)
        self.console.say(f"  payflow      {what}")

    async def _wake(self) -> None:
        """Run the timer now instead of at the minute."""
        headers: Mapping[str, str] = {"x-functions-key": MASTER_KEY, "Content-Type": "application/json"}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            await client.post(f"{self.host.url}/admin/functions/wake_lanes", content=b'{"input": ""}', headers=headers)
