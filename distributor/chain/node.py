"""One node: one batch to it, what it answers, and for how long it is set aside."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any, Final, Protocol

from aiohttp import ClientError, ClientResponseError, ClientSession, TCPConnector

from distributor.chain.batches import BatchSender, RpcCall
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import GARBLED, RATE_LIMITED, NodeUnavailable, RpcResponses, read_quantity
from distributor.chain.shared_requests import SharedRequests
from foundation.clock import Sleep

PAUSE_FIRST_MS: Final = 1_000
PAUSE_LONGEST_MS: Final = 60_000
PAUSE_ASKED_LONGEST_MS: Final = 600_000
"""A pause that a node itself asks for is kept, up to this."""
KEEPALIVE_S: Final = 4
"""Shorter than the 5 s after which a Node.js gateway closes an idle connection under our feet."""

TIMEOUT: Final = "timeout"
UNREACHABLE: Final = "unreachable"
WRONG_CHAIN: Final = "wrong_chain"

_PATIENT_WAITS_S: Final = (1.0, 2.0, 4.0, 8.0)
_PATIENT_WAIT_S_MAX: Final = 15.0
_HTTP_TOO_MANY: Final = 429
_HTTP_TOO_LARGE: Final = frozenset({400, 413})
"""How a gateway refuses a batch for its size, or for a word in it: asked again in halves."""
_CHAIN_ID: Final = "chain_id"


class Provider(Protocol):
    """What we use of web3's ``AsyncHTTPProvider``."""

    request_counter: Any

    async def make_batch_request(self, batch_requests: list[tuple[Any, Any]]) -> Any: ...

    async def make_request(self, method: Any, params: Any) -> Any: ...

    async def cache_async_session(self, session: ClientSession) -> ClientSession: ...

    async def disconnect(self) -> None: ...


class Node:
    """One node: what it answers, and for how long it is set aside."""

    def __init__(self, label: str, provider: Provider, *, chain_id: int, sleep: Sleep) -> None:
        self.label = label
        self.reason = ""
        """Why the node is set aside; empty when it is not."""
        self.detail = ""
        """The same with the call or the node's own text, where there is one."""
        self.until_ms = 0
        self.pause_ms = 0
        self._provider, self._chain_id = provider, chain_id
        self._sleep = sleep
        self._requests = SharedRequests(BatchSender(self._post, sleep=sleep).send)
        self._connected = False
        self._connecting = asyncio.Lock()

    async def ask(self, batch: Batch) -> RpcResponses:
        """
        Send *batch* in one request, or in as many as this node needs, and return what came back.

        What others ask of this node at the same moment goes out in that request too.

        Raises:
            NodeUnavailable: No answer, one that cannot be read, or one of another chain.
        """
        calls: dict[str, RpcCall] = {_CHAIN_ID: ("eth_chainId", []), **batch}
        answers = RpcResponses(await self._requests.send(calls))
        if (served := read_quantity(answers.required(_CHAIN_ID))) != self._chain_id:
            raise NodeUnavailable(WRONG_CHAIN, f"serves {served}, CHAIN_ID is {self._chain_id}")
        return answers

    async def ask_patiently(self, batch: Batch) -> RpcResponses:
        """
        Do as ``ask``, but wait and ask the same again when the node is asked too much, a minute in all at most.

        For what a person started and may take its time. Raises NodeUnavailable.
        """
        for wait_s in _PATIENT_WAITS_S:
            try:
                return await self.ask(batch)
            except NodeUnavailable as trouble:
                if trouble.reason != RATE_LIMITED:
                    raise
                await self._sleep(min(max(wait_s, trouble.retry_after_s or 0), _PATIENT_WAIT_S_MAX))
        return await self.ask(batch)

    def mark_unhealthy(self, trouble: NodeUnavailable, now_ms: int) -> None:
        """Leave the node alone, twice as long each time; at least for as long as it asks."""
        asked_ms = min(int(1000 * (trouble.retry_after_s or 0)), PAUSE_ASKED_LONGEST_MS)
        self.reason, self.detail = trouble.reason, str(trouble)
        self.pause_ms = min(max(2 * self.pause_ms, PAUSE_FIRST_MS), PAUSE_LONGEST_MS)
        self.until_ms = now_ms + max(self.pause_ms, asked_ms)

    def mark_healthy(self) -> None:
        self.reason, self.detail, self.until_ms, self.pause_ms = "", "", 0, 0

    async def aclose(self) -> None:
        await self._provider.disconnect()

    async def _post(self, calls: Sequence[RpcCall]) -> object:
        """Post one request. The causes are cut off: aiohttp's errors repeat the URL, which may hold a key."""
        await self._connect()
        self._provider.request_counter = itertools.count()  # ids 0, 1, … of this request, given before it is sent
        try:
            if len(calls) == 1:
                return await self._provider.make_request(*calls[0])
            return await self._provider.make_batch_request(list(calls))
        except ClientResponseError as error:
            raise _refused_by_http(error) from None
        except TimeoutError:
            raise NodeUnavailable(TIMEOUT) from None
        except (ClientError, OSError) as error:
            raise NodeUnavailable(UNREACHABLE, type(error).__name__) from None
        except (ValueError, TypeError, AttributeError):
            # What is no JSON; or JSON that is no batch, which web3 sorts by id before anyone looks at it.
            raise NodeUnavailable(GARBLED, "batch") from None

    async def _connect(self) -> None:
        """Give web3 a session that keeps its connection: its own makes a new one, with TLS, for each request."""
        async with self._connecting:
            if not self._connected:
                connector = TCPConnector(keepalive_timeout=KEEPALIVE_S)
                await self._provider.cache_async_session(ClientSession(raise_for_status=True, connector=connector))
                self._connected = True


def _refused_by_http(error: ClientResponseError) -> NodeUnavailable:
    if error.status == _HTTP_TOO_MANY:
        asked = error.headers.get("Retry-After", "") if error.headers else ""
        return NodeUnavailable(
            RATE_LIMITED, retry_after_s=float(asked) if asked.isascii() and asked.isdecimal() else None
        )
    return NodeUnavailable(f"http_{error.status}", whole=error.status in _HTTP_TOO_LARGE)
