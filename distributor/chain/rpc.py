"""Two plain JSON-RPC calls, for readiness and ``init``: enough to know a node without the chain libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp

from distributor.model import Address
from distributor.ports import NodeHead


class Nonces(NamedTuple):
    """How many transactions of an address are in blocks, and in blocks and this node's pool together."""

    latest: int
    pending: int


class Rpc:
    """The nodes of RPC_URL, asked directly. Their URLs may hold keys and never appear in an error."""

    def __init__(self, urls: Sequence[str], *, timeout_s: float) -> None:
        self._urls = urls
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s))

    async def heads(self) -> Sequence[NodeHead]:
        """Return chain and newest block of every node that answers; they are asked side by side."""
        answers = await asyncio.gather(*(self._head(place, url) for place, url in enumerate(self._urls)))
        return [head for head in answers if head is not None]

    async def nonces(self, address: Address) -> Sequence[Nonces]:
        """Return the transaction counts of *address* on every node that answers."""
        answers = await asyncio.gather(*(self._nonces(url, address) for url in self._urls))
        return [nonces for nonces in answers if nonces is not None]

    async def aclose(self) -> None:
        await self._session.close()

    async def _head(self, place: int, url: str) -> NodeHead | None:
        chain_id = await self._call(url, "eth_chainId")
        number = await self._call(url, "eth_blockNumber") if chain_id is not None else None
        return None if chain_id is None or number is None else NodeHead(chain_id=chain_id, number=number, place=place)

    async def _nonces(self, url: str, address: Address) -> Nonces | None:
        latest = await self._call(url, "eth_getTransactionCount", address, "latest")
        pending = await self._call(url, "eth_getTransactionCount", address, "pending") if latest is not None else None
        return None if latest is None or pending is None else Nonces(latest, pending)

    async def _call(self, url: str, method: str, *params: str) -> int | None:
        """Return the number a node answers with; None for anything else, which says nothing."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            async with self._session.post(url, json=request, allow_redirects=False) as answer:
                return _quantity(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None


def _quantity(answer: Any) -> int | None:
    result = answer.get("result") if isinstance(answer, dict) else None
    return int(result, 16) if isinstance(result, str) else None
