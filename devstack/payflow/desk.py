"""
What a person may try on the running stack, a button each: the desk of the clinic's office, the mail server's switch.

The office's acts change the books of the stand-in, as they would in Conta Azul; PayFlow finds them at its next look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from devstack.conta_azul.books import Books, Parcela, Payment, Person
from devstack.conta_azul.server import ContaAzul
from devstack.payflow import pages
from devstack.payflow.document import receipt
from devstack.payflow.journey import COMPANY
from devstack.payflow.mailbox import Mailbox

_HALF = 40_000


class Desk:
    """What can be done; each act returns a line that says what was done and where it shows."""

    def __init__(self, server: ContaAzul, box: Mailbox) -> None:
        self._server, self._box = server, box
        self._half_paid: Parcela | None = None
        self._nobody: Person | None = None

    @property
    def acts(self) -> Mapping[str, tuple[str, Callable[[], str]]]:
        """By the name in the address: what the button says, and what it does."""
        return {
            "part": ("half of a bill of R$ 800,00 is paid; pressed again, the other half", self.pay_half),
            "undo": ("the latest payment is undone", self.undo),
            "no-address": ("a payer without an e-mail address pays R$ 300,00", self.pay_without_address),
            "address": ("that payer's address is entered in Conta Azul", self.give_address),
            "mail-down": ("the mail server takes no mail", partial(self.switch_mail, down=True)),
            "mail-up": ("the mail server takes mail again", partial(self.switch_mail, down=False)),
            "revoke": ("the clinic takes PayFlow's access away", self.revoke),
        }

    @property
    def books(self) -> Books:
        return self._server.companies[COMPANY]

    @property
    def latest(self) -> Payment | None:
        """The payment that was booked or changed last."""
        payments = [payment for parcela in self.books.parcelas.values() for payment in parcela.payments]
        return max(payments, key=lambda payment: payment.updated, default=None)

    def pay_half(self) -> str:
        """Two halves of one bill are two payments, and get a receipt each."""
        ana = next(iter(self.books.people.values()))
        bill = self._half_paid or self._bill(ana, 2 * _HALF)
        self._half_paid = None if self._half_paid else bill
        return f"Half of the bill is paid: {self._pay(bill, _HALF)}. One mail more, for this half alone."

    def undo(self) -> str:
        """Nothing is mailed by itself to the people who got a receipt for it: a person is asked."""
        payment = self.latest
        if payment is None:
            return "There is no payment."
        self.books.undo(payment)
        asked = f"`receipts {COMPANY} --changed` and the office's page ask about it, if its receipt was mailed"
        return f"{payment.id} is undone. No mail goes out; {asked}."

    def pay_without_address(self) -> str:
        """The receipt waits for an address."""
        self._nobody = self._nobody or self.books.person("Bruno Costa", document="98765432100")
        payment = self._pay(self._bill(self._nobody, 30_000), 30_000)
        return f"{payment} is paid. No mail: `receipts {COMPANY}` and the office's page say that an address is missing."

    def give_address(self) -> str:
        """It is found when the address is asked for again, each hour."""
        if self._nobody is None:
            return "Nobody is without an address: `no-address` first."
        self._nobody.email = "bruno.costa@example.org"
        return "It is there. PayFlow asks for it each hour; the office's page takes an address at once."

    def switch_mail(self, *, down: bool) -> str:
        """While it is down every mail is refused for now, and tried again after five minutes."""
        self._box.down = down
        return "It is down: what is to be mailed waits." if down else "It is up: what waited goes out within minutes."

    def revoke(self) -> str:
        """Both tokens are dead."""
        self._server.sign_in.revoke(COMPANY)
        self._server.sign_in.end_access()
        told = "PayFlow asks twice, a minute apart; within four minutes `companies` and the console say so"
        return f"Revoked. {told}. `invite --company {COMPANY}` makes a new link."

    def _bill(self, person: Person, total: int) -> Parcela:
        return self.books.bill(person, total, due=self.books.local().date(), description="Tratamento")

    def _pay(self, bill: Parcela, gross: int) -> str:
        payment = self.books.pay(bill, gross)
        self.books.attach(payment, receipt(f"Recibo {payment.id[:4]}", gross), name=f"recibo-{payment.id[:4]}.pdf")
        return payment.id


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    """Serve the buttons until the block ends; yield their address. A button is a POST, so curl presses it too."""
    app = web.Application()
    app.router.add_get("/", partial(_page, desk))
    app.router.add_post("/{act}", partial(_press, desk))
    async with pages.served(app) as url:
        yield url


async def _page(desk: Desk, _: web.Request) -> web.Response:
    buttons = [
        f'<form method="post" action="/{name}"><button>{name}</button> {label}</form>'
        for name, (label, _) in desk.acts.items()
    ]
    style = "<style>body{font:1rem/2 system-ui;max-width:50rem;margin:3rem auto;padding:0 1rem}</style>"
    page = f"<!doctype html><title>Try it</title>{style}<h1>Try it</h1>{''.join(buttons)}"
    return web.Response(text=page, content_type="text/html")


async def _press(desk: Desk, request: web.Request) -> web.Response:
    act = desk.acts.get(request.match_info["act"])
    if act is None:
        raise web.HTTPNotFound(text=f"There are: {', '.join(desk.acts)}\n")
    return web.Response(text=f"{act[1]()}\n")
