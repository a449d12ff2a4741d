"""
The stand-in as an HTTP server: sign-in pages, API, documents.

Unknown routes are 404 with the real one's sentence; both official families of routes answer, and one can be
switched off: the older portal has ``…/eventos-financeiros/…``, a newer section ``/v1/financeiro/…`` [D], of which
nobody has shown answers yet [?], so both give the same.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from devstack.conta_azul import search, shapes
from devstack.conta_azul.books import Books, Now
from devstack.conta_azul.faults import Fault, Script
from devstack.conta_azul.limits import Limits
from devstack.conta_azul.sign_in import Client, OAuthError, SignIn

NO_ROUTE = "A URL informada não corresponde a nenhum endpoint da API"
_ID = r"(?P<id>[^/]+)"
_OLD = "/v1/financeiro/eventos-financeiros"
_NEW = "/v1/financeiro"

Answer = Callable[["ContaAzul", Books, re.Match[str], search.Query], web.Response]


class ContaAzul:
    """The whole of it: one application, any number of companies."""

    def __init__(self, now: Now, client: Client) -> None:
        self.now = now
        self.sign_in, self.limits, self.script = SignIn(now, client), Limits(now), Script()
        self.companies: dict[str, Books] = {}
        self.users: dict[str, str] = {}
        """Who signs in (any password) -> the company."""
        self.order = "changed_asc"
        """``changed_asc``, ``changed_desc`` or ``id``: which one the real list has is not known [?]."""
        self.old_centre_key = False
        self.families = {"eventos-financeiros", "financeiro"}
        self.signed_links = True
        """The address of a document changes with each answer, and an old one stops working [?]."""
        self.requests: Counter[str] = Counter()
        self.log: list[str] = []
        self.base_url = ""
        self._links: dict[str, tuple[str, float]] = {}

    def company(self, company: str, *, document: str, name: str, user: str, email: str = "") -> Books:
        """Open a company's books, and let *user* sign in for it."""
        books = Books(self.now, company=company, document=document, name=name, email=email)
        self.companies[company], self.users[user] = books, company
        return books

    def app(self) -> web.Application:
        """Return the application; it answers at ``base_url``, which its caller sets."""
        app = web.Application()
        app.router.add_get("/oauth2/authorize", self._authorize)
        app.router.add_get("/login", self._authorize)
        app.router.add_post("/login", self._login)
        app.router.add_post("/oauth2/token", self._token)
        app.router.add_get("/documentos/{link}", self._document)
        app.router.add_route("*", "/{path:.*}", self._api)
        return app

    # Pages -------------------------------------------------------------------------------------------

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        if error := self.sign_in.check_authorize(query):
            if error in ("redirect_mismatch", "invalid_client"):  # a page: an unknown address gets no redirect
                return _page(400, f"<h1>{error}</h1>")
            return _redirect(query["redirect_uri"], error=error, state=query.get("state", ""))
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(query.get(name, ""))}">'
            for name in ("redirect_uri", "state")
        )
        users = "".join(f"<option>{html.escape(user)}</option>" for user in self.users)
        return _page(
            200,
            f'<h1>Conta Azul (stand-in)</h1><form method="post" action="/login">{hidden}'
            f'<label>E-mail <select name="user">{users}</select></label>'
            '<label>Senha <input name="password" type="password" value="x"></label>'
            '<button name="do" value="allow">Entrar e permitir</button>'
            '<button name="do" value="deny">Recusar</button></form>',
        )

    async def _login(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        uri, state = str(form.get("redirect_uri", "")), str(form.get("state", ""))
        if uri not in self.sign_in.client.redirect_uris:
            return _page(400, "<h1>redirect_mismatch</h1>")
        if form.get("do") == "deny":
            return _redirect(uri, error="access_denied", error_description="O usuário recusou", state=state)
        company = self.users.get(str(form.get("user", "")))
        if not company:
            return _page(401, "<h1>Usuário ou senha inválidos</h1>")
        return _redirect(uri, code=self.sign_in.code(company, uri), state=state)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        fault = self.script.next("POST /oauth2/token")
        if fault and fault.kind != "lost":
            return await _faulty(request, fault)
        form = dict(parse_qsl(await request.text(), keep_blank_values=True))
        if request.content_type != "application/x-www-form-urlencoded":
            return _json(400, {"error": "invalid_request"})
        try:
            answer = self.sign_in.token(request.headers.get("Authorization", ""), form)
        except OAuthError as error:
            return _json(error.status, {"error": error.error})
        return await _faulty(request, fault) if fault else _json(200, answer)

    # API ---------------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        line = f"{request.method} {request.path_qs}"
        self.log.append(line)
        fault = self.script.next(line)
        if fault and fault.kind not in ("lost", "null_items"):
            return await _faulty(request, fault)
        answer = self._answer(request)
        if fault and fault.kind == "null_items":
            return _json(200, {**json.loads(answer.text or "{}"), "itens": None, "items": None})
        return await _faulty(request, fault) if fault else answer

    def _answer(self, request: web.Request) -> web.Response:
        found = self._route(request)
        if not found:
            return _json(404, {"error": NO_ROUTE})
        name, match, answer = found
        company = self.sign_in.company(request.headers.get("Authorization", "")) or ""
        if refusal := self._refusal(company):
            return refusal
        self.requests[name] += 1
        try:
            return answer(self, self.companies[company], match, parse_qsl(request.query_string, keep_blank_values=True))
        except search.BadQuery as bad:
            return _json(400, {"error": str(bad)})

    def _refusal(self, company: str) -> web.Response | None:
        if not company:
            return _json(401, {"error": "Token de acesso inválido ou expirado"})
        if self.sign_in.developer_account:
            return _json(401, {"error": "Não autorizado: utilize o usuário e senha do ERP"})
        if not self.limits.take(company):
            return _json(429, {"error": "Limite de requisições excedido"})
        if self.companies[company].trial_ended:
            return _json(403, {"message": "Plano não elegível", "status_conta": "END_TRIAL"})
        return None

    def _route(self, request: web.Request) -> tuple[str, re.Match[str], Answer] | None:
        if request.method != "GET":
            return None
        for family, name, pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and (not family or family in self.families):
                return name, match, answer
        return None

    def address(self, file_id: str) -> str:
        """Return where a document is now: signed for five minutes, another address with each answer."""
        if not self.signed_links:
            return f"{self.base_url}/documentos/{file_id}"
        link = f"{file_id}.{len(self._links)}"
        self._links[link] = (file_id, self.now() + 300)
        return f"{self.base_url}/documentos/{link}?assinatura={len(self._links)}"

    async def _document(self, request: web.Request) -> web.StreamResponse:
        fault = self.script.next(f"GET {request.path_qs}")
        if fault:
            return await _faulty(request, fault)
        link = request.match_info["link"]
        file_id, until = self._links.get(link, (link, float("inf")))
        file = next((found for books in self.companies.values() if (found := books.file(file_id))), None)
        if not file or until < self.now():
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="text/xml")
        if file.redirect_to:
            return web.Response(status=302, headers={"Location": file.redirect_to})
        self.requests["document"] += 1
        return web.Response(body=file.content, content_type=file.media_type)


# What the routes answer ------------------------------------------------------------------------------


def _search(server: ContaAzul, books: Books, _: re.Match[str], query: search.Query) -> web.Response:
    return _json(200, search.receivables(books, query, order=server.order, old_key=server.old_centre_key))


def _detail(server: ContaAzul, books: Books, match: re.Match[str], _: search.Query) -> web.Response:
    parcela = books.parcelas.get(match["id"])
    state = books.detailed(parcela) if parcela else None
    if not state:  # an id nobody knows is 500 on this group, no 404 [F]
        return _json(500, {"error": "Erro interno"})
    word = shapes.status(state, books.local().date())
    return _json(200, shapes.detail(state, word, server.address))


def _payments(server: ContaAzul, books: Books, match: re.Match[str], _: search.Query) -> web.Response:
    parcela = books.parcelas.get(match["id"])
    state = books.detailed(parcela) if parcela else None
    return _json(200, [shapes.payment(found, server.address) for found in state["payments"]] if state else [])


def _payment(server: ContaAzul, books: Books, match: re.Match[str], _: search.Query) -> web.Response:
    found = books.payment(match["id"])
    if not found:  # deleted: 404 with an empty body [F]
        return web.Response(status=404 if books.was_deleted(match["id"]) else 500)
    return _json(200, shapes.payment({**vars(found), "net": found.net}, server.address))


def _account(_: ContaAzul, books: Books, __: re.Match[str], ___: search.Query) -> web.Response:
    return _json(200, shapes.account(books))


def _people(_: ContaAzul, books: Books, __: re.Match[str], query: search.Query) -> web.Response:
    page, size = search.paging(query)
    ids = {value for name, value in query if name == "ids"}
    found = [person for person in books.people.values() if not ids or person.id in ids]
    items = [shapes.person(person, whole=False) for person in found[(page - 1) * size : page * size]]
    return _json(200, {"items": items or None, "totalItems": len(found)})  # null when nothing matches [F]


def _person(_: ContaAzul, books: Books, match: re.Match[str], __: search.Query) -> web.Response:
    person = books.people.get(match["id"])
    return _json(200, shapes.person(person, whole=True)) if person else web.Response(status=404)


_ROUTES: tuple[tuple[str, str, str, Answer], ...] = (
    ("", "account", "/v1/pessoas/conta-conectada", _account),
    ("", "people", "/v1/pessoas", _people),
    ("", "person", f"/v1/pessoas/{_ID}", _person),
    ("eventos-financeiros", "search", f"{_OLD}/contas-a-receber/buscar", _search),
    ("eventos-financeiros", "payment", f"{_OLD}/parcelas/baixa/{_ID}", _payment),
    ("eventos-financeiros", "payments", f"{_OLD}/parcelas/{_ID}/baixa", _payments),
    ("eventos-financeiros", "detail", f"{_OLD}/parcelas/{_ID}", _detail),
    ("financeiro", "search", f"{_NEW}/contas-a-receber", _search),
    ("financeiro", "payment", f"{_NEW}/baixas/{_ID}", _payment),
    ("financeiro", "detail", f"{_NEW}/parcelas/{_ID}", _detail),
)


# Small things ----------------------------------------------------------------------------------------


def _json(status: int, answer: Any) -> web.Response:
    return web.Response(status=status, text=json.dumps(answer, ensure_ascii=False), content_type="application/json")


def _page(status: int, body: str) -> web.Response:
    text = f'<!doctype html><html lang="pt-BR"><meta charset="utf-8"><title>Conta Azul</title>{body}</html>'
    return web.Response(status=status, text=text, content_type="text/html")


def _redirect(uri: str, **query: str) -> web.Response:
    joint = "&" if urlsplit(uri).query else "?"
    return web.Response(status=302, headers={"Location": f"{uri}{joint}{urlencode(query)}"})


_BODIES: dict[str, Callable[[Fault], web.Response]] = {
    "429": lambda fault: web.Response(
        status=429,
        text='{"error":"Limite de requisições excedido"}',
        content_type="application/json",
        headers={} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)},
    ),
    "500": lambda _: _json(500, {"error": "Erro interno"}),
    "503": lambda _: web.Response(status=503, text="upstream connect error"),
    "html": lambda _: _page(400, "<h1>Bad Request</h1>"),  # a validation error may wrap a page [F]
    "empty_404": lambda _: web.Response(status=404),
    "end_trial": lambda _: _json(403, {"message": "Plano não elegível", "status_conta": "END_TRIAL"}),
    "garbage": lambda _: web.Response(text='{"itens_totais": 1, "itens": [', content_type="application/json"),
}


async def _faulty(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault.kind in ("close", "lost", "slow"):
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)
    return _BODIES[fault.kind](fault)
