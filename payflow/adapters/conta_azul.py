"""
Conta Azul over HTTP: one pooled client for the process, one of these for each company's lane.

Only GET is ever sent to the API, so a lost answer is asked for again: three tries, with a pause between them. A 401
renews the access token once. Requests keep the limiter's pace, also those that are repeated.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx

from foundation.clock import Sleep
from payflow.connect.tokens import Tokens
from payflow.conta_azul import answers, responses, routes
from payflow.conta_azul.limiter import Limiter
from payflow.conta_azul.routes import FAMILIES, Family, Search
from payflow.errors import ApiUnavailable, TooManyRequests, Unauthorized, UnreadableAnswer
from payflow.model import Account, Baixa, BaixaId, CustomerId, InstalmentDetail, InstalmentId, Person
from payflow.ports import AccessTokens, ContaAzul
from payflow.state import Company

TRIES: Final = 3
PAUSES_S: Final = (1.0, 4.0)
BODY_BYTES_MAX: Final = 16 * 1024 * 1024
PEOPLE_PAGE: Final = 500
TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0)

Query = Sequence[tuple[str, str]]


def pooled(**options: Any) -> httpx.AsyncClient:
    """Return the client that all lanes of a process share; it follows no redirect and trusts no environment."""
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=10)
    return httpx.AsyncClient(timeout=TIMEOUT, limits=limits, follow_redirects=False, trust_env=False, **options)


class ContaAzulApi:
    """The ``ContaAzul`` port."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        family: Family,
        *,
        tokens: AccessTokens,
        limiter: Limiter,
        sleep: Sleep,
    ) -> None:
        self._client, self._base_url, self._family = client, base_url.rstrip("/"), family
        self._tokens, self._limiter, self._sleep = tokens, limiter, sleep

    async def account(self) -> Account:
        return answers.account(_there(await self._get(routes.ACCOUNT)))

    async def search(self, search: Search) -> answers.InstalmentPage:
        return answers.read_page(_there(await self._get(self._family.search, search.query())))

    async def instalment(self, instalment: InstalmentId) -> InstalmentDetail:
        return answers.read_instalment(_there(await self._get(self._family.instalment(instalment))))

    async def baixa(self, baixa: BaixaId) -> Baixa | None:
        answer = await self._get(self._family.baixa(baixa))
        return None if answer is None else answers.baixa(answer)

    async def person(self, customer: CustomerId) -> Person | None:
        answer = await self._get(routes.customer_path(customer))
        return None if answer is None else answers.read_customer(answer)

    async def people(self, page: int) -> Sequence[Person]:
        query = [("pagina", str(page)), ("tamanho_pagina", str(PEOPLE_PAGE))]
        return answers.people(_there(await self._get(routes.PEOPLE, query)))

    async def _get(self, path: str, query: Query = ()) -> Any:
        token = await self._tokens.current()
        try:
            return await self._tried(path, query, token)
        except Unauthorized:
            return await self._tried(path, query, await self._tokens.renewed(token))

    async def _tried(self, path: str, query: Query, token: str) -> Any:
        for pause_s in PAUSES_S:
            try:
                return await self._once(path, query, token)
            except TooManyRequests as trouble:
                self._limiter.refused(trouble.retry_after_s)
            except ApiUnavailable:
                await self._sleep(pause_s + secrets.randbelow(1000) / 1000)
        try:
            return await self._once(path, query, token)
        except TooManyRequests as trouble:
            self._limiter.refused(trouble.retry_after_s)
            raise

    async def _once(self, path: str, query: Query, token: str) -> Any:
        if wait_s := self._limiter.reserve():
            await self._sleep(wait_s)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            async with self._client.stream(
                "GET", f"{self._base_url}{path}", params=list(query), headers=headers
            ) as response:
                return responses.read_response(response.status_code, response.headers, await _body(response))
        except httpx.HTTPError as error:  # its text may hold the address with its query: the kind is enough
            raise ApiUnavailable(f"no answer from Conta Azul ({type(error).__name__})") from None


async def company_of_token(client: httpx.AsyncClient, base_url: str, access: str) -> Account:
    """Return the company of a token that was just given out; asked before there is a lane."""
    tokens = _Given(access)
    api = ContaAzulApi(
        client,
        base_url,
        next(iter(routes.FAMILIES.values())),
        tokens=tokens,
        limiter=Limiter(time.monotonic),
        sleep=asyncio.sleep,
    )
    return await api.account()


class _Given:
    """One token, which nobody can renew here."""

    def __init__(self, access: str) -> None:
        self._access = access

    async def current(self) -> str:
        return self._access

    async def renewed(self, refused: str) -> str:
        raise Unauthorized(f"a token of {len(refused)} characters was refused at once")


async def _body(response: httpx.Response) -> bytes:
    parts, size = list[bytes](), 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise UnreadableAnswer("the answer is too long")
        parts.append(part)
    return b"".join(parts)


def _there(answer: Any) -> Any:
    if answer is None:
        raise UnreadableAnswer("the answer is empty")
    return answer


def api_of(http: httpx.AsyncClient, api_url: str, tokens: Tokens, company: Company) -> ContaAzul:
    """Return the API for one company; each call begins with an empty limiter, which spaces from its first request."""
    family = FAMILIES.get(company.route_family) or next(iter(FAMILIES.values()))
    return ContaAzulApi(http, api_url, family, tokens=tokens, limiter=Limiter(time.monotonic), sleep=asyncio.sleep)
