"""
One subscription to a node's new heads: a WebSocket that is opened, asked once, and then only heard.

What is heard is no fact: that something was announced is all that is taken from it. Messages are bounded in size,
depth and number, and every wait has an end.

A session of aiohttp's for each connection, and no time for ``ws.close()``: it reads until the other side closes, with
a time-out for each message, so that a node which keeps sending would keep it without end.

Source: https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp

from distributor.chain.metered_socket import Meter
from distributor.chain.node import TIMEOUT, UNREACHABLE
from distributor.chain.rpc_responses import GARBLED, NodeUnavailable
from foundation.json_depth import read_shallow

FLOOD: Final = "flood"
REFUSED: Final = "refused"
CLOSED: Final = "closed"
SILENT: Final = "silent"
TLS: Final = "tls"
MESSAGE_BYTES_MAX: Final = 256 * 1024
"""A head is 2 KB; Polygon's may carry a list of validators and of the transactions that depend on each other."""
MESSAGES_PER_S_MAX: Final = 500
"""More than a chain of one account's tests mines in a second, and than a deep reorganisation announces at once."""
BYTES_PER_S_MAX: Final = 1024 * 1024
"""Counted where they come in: frames that never become a message too."""
_DEPTH_MAX: Final = 32


class HeadSubscription:
    """The open line to one node."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, meter: Meter) -> None:
        self._socket, self._meter = socket, meter
        self._asked = 0
        self._second_s, self._taken = 0.0, 0

    async def chain_id(self) -> int:
        """Return which chain this node says it serves. Raises NodeUnavailable."""
        return int(str(await self._ask("eth_chainId")), 16)

    async def subscribe(self) -> None:
        """Ask for every new head. Raises NodeUnavailable, ``refused`` where the node announces none."""
        await self._ask("eth_subscribe", "newHeads")

    async def heard(self, *, within_s: float) -> None:
        """
        Return when something is announced; other messages are dropped. Raises NodeUnavailable, also of silence.

        What is announced is not read: a message that names ``eth_subscription`` is enough.
        """
        try:
            async with asyncio.timeout(within_s):
                while '"eth_subscription"' not in await self._message():
                    pass
        except TimeoutError:
            raise NodeUnavailable(SILENT) from None

    async def _ask(self, method: str, *params: str) -> object:
        self._asked += 1
        await self._socket.send_json({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        while (answer := _object(await self._message())).get("id") != self._asked:
            pass
        if not answer.get("result"):  # the node's own words are not repeated: they may hold what the URL holds
            raise NodeUnavailable(REFUSED, method)
        return answer["result"]

    async def _message(self) -> str:
        """Return the next text. Pings count too: aiohttp itself would answer any number of them."""
        while True:
            message = await self._socket.receive()
            self._count()
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            if message.type is aiohttp.WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is not aiohttp.WSMsgType.PONG:
                raise _no_text(message.type)

    def _count(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._second_s >= 1:
            self._second_s, self._taken = now_s, 0
        self._taken += 1
        if self._taken > MESSAGES_PER_S_MAX or self._meter.broken:
            raise NodeUnavailable(FLOOD)


def _object(text: str) -> dict[str, Any]:
    read = read_shallow(text.encode(), _DEPTH_MAX)
    if not isinstance(read, dict):
        raise NodeUnavailable(GARBLED, "message")
    return read


def _no_text(kind: aiohttp.WSMsgType) -> NodeUnavailable:
    ended = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
    return NodeUnavailable(CLOSED) if kind in ended else NodeUnavailable(GARBLED, "frame")


@asynccontextmanager
async def connected(
    url: str, *, timeout_s: float, tls: ssl.SSLContext | bool = True
) -> AsyncIterator[HeadSubscription]:
    """
    Hold a line to the node at *url* inside the block, not subscribed yet, and cut it after.

    What goes wrong inside the block is NodeUnavailable too. Causes are cut off: aiohttp's errors repeat the URL,
    which may hold a key.

    Args:
        url: A ws or wss address.
        timeout_s: Longest wait for the connection.
        tls: Whose certificates are trusted; True: those of this machine.

    Raises:
        NodeUnavailable: It cannot be reached, refuses, points elsewhere, or says what cannot be read.
    """
    meter = Meter(BYTES_PER_S_MAX)
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=meter.socket),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[_no_redirects()],
        ) as session:
            async with asyncio.timeout(timeout_s):
                socket = await session.ws_connect(
                    url, autoclose=False, autoping=False, max_msg_size=MESSAGE_BYTES_MAX, ssl=tls
                )
            try:
                yield HeadSubscription(socket, meter)
            finally:
                await _cut(socket)
    except aiohttp.WSServerHandshakeError as error:
        raise NodeUnavailable(f"http_{error.status}") from None
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch):
        raise NodeUnavailable(TLS) from None
    except TimeoutError:
        raise NodeUnavailable(TIMEOUT) from None
    except (aiohttp.ClientError, OSError) as error:
        raise NodeUnavailable(UNREACHABLE, type(error).__name__) from None
    except ValueError:
        raise NodeUnavailable(GARBLED, "message") from None


async def _cut(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Send that the line is closed and wait for no answer; aiohttp cuts it when the time is up, which is at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await socket.close()


def _no_redirects() -> aiohttp.TraceConfig:
    """Refuse to be sent elsewhere: ``ws_connect`` would follow, into our own network too."""

    async def refuse(_session: object, _context: object, parameters: aiohttp.TraceRequestRedirectParams) -> None:
        parameters.response.close()
        raise NodeUnavailable(f"http_{parameters.response.status}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return trace
