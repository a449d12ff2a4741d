"""The stand-in on a port of its own, its time in the test's hand, and a client of it that never really waits."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from devstack.conta_azul import shapes
from devstack.conta_azul.books import Books
from devstack.conta_azul.search import receivables
from devstack.conta_azul.serve import CLIENT_ID, CLIENT_SECRET, conta_azul
from devstack.conta_azul.server import ContaAzul
from payflow.adapters.conta_azul import ContaAzulApi
from payflow.conta_azul import answers
from payflow.conta_azul.limiter import Limiter
from payflow.conta_azul.routes import FAMILIES, Search
from payflow.errors import ApiUnavailable, Unauthorized
from payflow.model import Account, Baixa, BaixaId, CustomerId, InstalmentDetail, InstalmentId, Person

REDIRECT_URI = "https://payflow.example/oauth/callback"
COMPANY, DOCUMENT = "5f0a-clinic", "12345678000195"
START_S = 1_767_260_400.0  # 2026-01-01 06:40:00 in São Paulo


@dataclass
class Time:
    """Seconds that only the test, or somebody who sleeps, lets pass."""

    now_s: float = START_S
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@dataclass
class Tokens:
    """Access tokens that are signed in for on demand, without a browser."""

    server: ContaAzul
    company: str = COMPANY
    token: str = ""
    renewals: int = 0

    async def current(self) -> str:
        return self.token or await self.renewed("")

    async def renewed(self, refused: str) -> str:
        if self.renewals > 3:
            raise Unauthorized
        self.renewals += bool(refused)
        code = self.server.sign_in.code(self.company, REDIRECT_URI)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        self.token = str(self.server.sign_in.token(basic(), form)["access_token"])
        return self.token


@dataclass
class Tenant:
    """One clinic at the stand-in, and our client of it."""

    server: ContaAzul
    books: Books
    time: Time
    tokens: Tokens
    http: httpx.AsyncClient

    def api(self, family: str = "eventos-financeiros") -> ContaAzulApi:
        return ContaAzulApi(
            self.http,
            self.server.base_url,
            FAMILIES[family],
            tokens=self.tokens,
            limiter=Limiter(self.time),
            sleep=self.time.sleep,
        )


@asynccontextmanager
async def tenant() -> AsyncIterator[Tenant]:
    """Run the stand-in with one clinic."""
    time = Time()
    async with conta_azul([REDIRECT_URI], now=time) as server, httpx.AsyncClient(trust_env=False) as http:
        books = server.company(COMPANY, document=DOCUMENT, name="Clínica Boa", user="financeiro@clinica.example")
        yield Tenant(server=server, books=books, time=time, tokens=Tokens(server), http=http)


class BooksApi:
    """The ``ContaAzul`` port on a clinic's books, without a wire: the stand-in's answers, read as ours are."""

    def __init__(self, books: Books, *, order: str = "changed_asc") -> None:
        self.books, self.order = books, order
        self.asked: Counter[str] = Counter()
        self.broken: set[str] = set()
        """Instalments that answer 500."""
        self.before_page: Callable[[int], object] = lambda _: None
        """Called before each page: the office may act while pages are read."""

    async def account(self) -> Account:
        return answers.account(_wired(shapes.account(self.books)))

    async def search(self, search: Search) -> answers.InstalmentPage:
        await asyncio.sleep(0)
        self.before_page(search.page)
        self.asked["search"] += 1
        return answers.read_page(_wired(receivables(self.books, search.query(), order=self.order, old_key=False)))

    async def instalment(self, instalment: InstalmentId) -> InstalmentDetail:
        await asyncio.sleep(0)
        self.asked["detail"] += 1
        parcela = self.books.parcelas.get(instalment)
        state = self.books.detailed(parcela) if parcela and instalment not in self.broken else None
        if not state:
            raise ApiUnavailable
        return answers.read_instalment(_wired(shapes.detail(state, "RECEBIDO", str)))

    async def baixa(self, baixa: BaixaId) -> Baixa | None:
        await asyncio.sleep(0)
        self.asked["baixa"] += 1
        found = self.books.payment(baixa)
        return answers.baixa(_wired(shapes.payment({**vars(found), "net": found.net}, str))) if found else None

    async def person(self, customer: CustomerId) -> Person | None:
        found = self.books.people.get(customer)
        return answers.read_customer(_wired(shapes.person(found, whole=True))) if found else None

    async def people(self, page: int) -> Sequence[Person]:
        shown = [shapes.person(found, whole=False) for found in self.books.people.values()] if page == 1 else None
        return answers.people(_wired({"items": shown}))


def _wired(answer: object) -> Any:
    return answers.exact_json(json.dumps(answer).encode())


def basic() -> str:
    """Return the Authorization header of our application."""
    return httpx.BasicAuth(CLIENT_ID, CLIENT_SECRET)._auth_header


def query_of(location: str) -> dict[str, str]:
    """Return the query of a redirect."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
