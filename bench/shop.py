"""Orders of a shop, each to a wallet of its own, and how they are posted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiohttp import ClientSession, ClientTimeout, TCPConnector

SENDERS = 16
"""Requests of the shop at once."""
_ACCEPTED = 202


class NotAccepted(Exception):
    """The app answered something else than 202."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A signed request."""

    order_id: str
    wallet: str
    body: bytes
    signature: str


def posts(name: str, count: int, secret: str) -> list[Post]:
    """Return *count* signed orders of one token each, to wallets that hold nothing yet; the same *name*, the same."""
    return [_post(f"{name}-{number:06d}", secret) for number in range(count)]


def _post(order_id: str, secret: str) -> Post:
    wallet = "0x" + hashlib.sha256(order_id.encode()).hexdigest()[:40]
    body = json.dumps({"order_id": order_id, "wallet": wallet, "amount": "1"}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Post(order_id=order_id, wallet=wallet, body=body, signature=signature)


class Sender:
    """Posts to one app over connections that stay open."""

    def __init__(self, url: str, at_once: int = SENDERS) -> None:
        self._url, self._at_once = f"{url}/webhook", at_once
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        connections = TCPConnector(limit=self._at_once)
        self._session = ClientSession(connector=connections, timeout=ClientTimeout(total=None, sock_read=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.close()

    @property
    def _opened(self) -> ClientSession:
        if self._session is None:
            raise RuntimeError("this sender is not open")
        return self._session

    async def send(self, post: Post) -> float:
        """Return the seconds until the app had accepted *post*. Raises NotAccepted."""
        began = time.perf_counter()
        headers = {"Content-Type": "application/json", "X-WP-Signature": post.signature}
        async with self._opened.post(self._url, data=post.body, headers=headers) as reply:
            if reply.status != _ACCEPTED:
                raise NotAccepted(f"{post.order_id}: {reply.status} {await reply.text()}")
            await reply.read()
        return time.perf_counter() - began

    async def send_all(self, wanted: Sequence[Post]) -> list[float]:
        """Send as many at once as there are connections."""
        return await asyncio.gather(*(self.send(each) for each in wanted))
