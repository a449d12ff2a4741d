"""
``Channel`` over Azure Communication Services: one post for one mail, and questions about its operation.

Not the official library: see ADR 0083. The post is written once, on a connection of its own; a connection kept alive
could be closed under it, and nobody would know whether it was read.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import httpx

from foundation.clock import Sleep
from payflow.mail import acs
from payflow.mail.channel import NoToken, TokenSource
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome

SCOPE: Final = "https://communication.azure.com/.default"
REQUEST_S_MAX: Final = 60.0
WATCH_S_MAX: Final = 45.0
"""How long an operation is asked at once; afterwards the lane asks, each minute for a quarter of an hour."""
PAUSE_S, PAUSE_S_MAX = 2.0, 15.0
ANSWER_BYTES_MAX: Final = 64 * 1024
_NOBODYS: Final = "00000000-0000-0000-0000-000000000000"
_NOT_WRITTEN: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_Answer = tuple[int, httpx.Headers, bytes]


def client(trust: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Return a client that verifies the certificate, follows no redirect, repeats nothing and keeps no connection."""
    return httpx.AsyncClient(
        verify=trust or ssl.create_default_context(),
        timeout=httpx.Timeout(30.0, connect=10.0),
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )


class AcsChannel:
    """The carrier of one mail. ``finish`` is the post: before it nothing is said to the service."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        endpoint: str,
        sender: str,
        token: TokenSource,
        *,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._endpoint, self._sender, self._token = http, endpoint.rstrip("/"), sender, token
        self._sleep, self._monotonic = sleep, monotonic
        self._operation, self._payload, self._bearer = "", b"", ""

    def named(self, message_id: str) -> str:
        self._operation = acs.operation_of(message_id)
        return self._operation

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        self._operation = self._operation or str(uuid4())  # a mail to an office is no delivery, and nobody asks for it
        if refused := await self._sign_in():
            return refused
        self._payload = await asyncio.to_thread(acs.payload, self._sender, recipient, data)
        if len(self._payload) <= acs.BYTES_MAX:
            return None
        words = f"the request has {len(self._payload)} bytes, the service takes {acs.BYTES_MAX}"
        return SmtpOutcome(verdict=Verdict.TOO_LARGE, phase=Phase.BODY, words=words)

    async def finish(self, not_after_s: float) -> SmtpOutcome | None:
        if self._monotonic() > not_after_s:
            return None
        try:
            status, headers, body = await self._request("POST", "/emails:send", self._payload)
        except _NOT_WRITTEN as error:
            return SmtpOutcome(
                verdict=Verdict.LATER, phase=Phase.CONNECT, words=f"no connection ({type(error).__name__})"
            )
        except (httpx.HTTPError, TimeoutError) as error:
            return acs.unknown(f"no answer ({type(error).__name__})", stops=True)
        retry_after = headers.get("retry-after", "")
        return acs.after_post(status, retry_after, body) or await self._watch(acs.requested_wait_s(retry_after))

    async def ask(self, operation_id: str) -> SmtpOutcome | None:
        if await self._sign_in():
            return None
        return (await self._asked(operation_id))[0]

    async def check(self) -> SmtpOutcome | None:
        """Sign in and ask for an unknown operation; None when the service takes the identity. Nothing is sent."""
        if refused := await self._sign_in():
            return refused
        try:
            status, _, body = await self._request("GET", f"/emails/operations/{_NOBODYS}")
        except (httpx.HTTPError, TimeoutError) as error:
            return SmtpOutcome(verdict=Verdict.LATER, phase=Phase.CONNECT, words=f"no answer ({type(error).__name__})")
        refuses = status in (401, 403)
        return acs.after_post(status, "", body) if refuses else None

    async def close(self) -> None:
        """Nothing is open between two requests."""

    # Inside ------------------------------------------------------------------------------------------

    async def _watch(self, pause_s: float) -> SmtpOutcome:
        """Ask until the operation has ended, or for as long as a step may take."""
        until_s = self._monotonic() + WATCH_S_MAX
        while True:
            await self._sleep(min(max(pause_s, PAUSE_S), PAUSE_S_MAX))
            ended, pause_s = await self._asked(self._operation)
            if ended:
                return ended
            if self._monotonic() > until_s:
                return acs.unknown("the operation has not ended yet", stops=False)

    async def _asked(self, operation_id: str) -> tuple[SmtpOutcome | None, float]:
        """Return how an operation ended, and how long the service wants nobody to ask again."""
        try:
            status, headers, body = await self._request("GET", f"/emails/operations/{operation_id}")
        except (httpx.HTTPError, TimeoutError):
            return None, 0.0
        return acs.after_asking(status, body), acs.requested_wait_s(headers.get("retry-after", ""))

    async def _sign_in(self) -> SmtpOutcome | None:
        try:
            self._bearer = await self._token()
        except NoToken as none:
            return SmtpOutcome(verdict=Verdict.ACCOUNT, phase=Phase.LOGIN, words=str(none))
        return None

    async def _request(self, method: str, path: str, content: bytes | None = None) -> _Answer:
        """Do one request, once. Raises httpx.HTTPError, TimeoutError."""
        headers = {"Authorization": f"Bearer {self._bearer}", "Accept": "application/json"}
        if content is not None:
            headers |= {"Content-Type": "application/json", "Operation-Id": self._operation}
        url, version = f"{self._endpoint}{path}", {"api-version": acs.API_VERSION}
        async with (
            asyncio.timeout(REQUEST_S_MAX),
            self._http.stream(method, url, params=version, headers=headers, content=content) as answer,
        ):
            return answer.status_code, answer.headers, await _body(answer)


async def _body(answer: httpx.Response) -> bytes:
    """Return the body as far as it is ever looked at."""
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            return b""
    return body
