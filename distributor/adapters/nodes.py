"""
The nodes of RPC_URL: one batch to one node, and which node is asked next.

A node that cannot be used is set aside, 1 s at first and twice as long each time up to 60 s. Every
reading comes wholly from one node. Nothing is ever asked twice of the same node in one reading.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from aiohttp import ClientError, ClientResponseError, ClientSession, TCPConnector

from distributor.adapters.answers import GARBLED, RATE_LIMITED, Answers, NodeTrouble, read_quantity
from distributor.adapters.batches import RATE_WAIT_S_MAX, BatchSender, RpcCall
from distributor.errors import ChainUnavailable, WrongChain
from distributor.sightings import Block
from foundation import logs
from foundation.clock import Clock, Sleep
from foundation.errors import ConfigurationError, InvariantBroken, ServiceError
from foundation.settings import urls

PAUSE_FIRST_MS: Final = 1_000
PAUSE_LONGEST_MS: Final = 60_000
PAUSE_ASKED_LONGEST_MS: Final = 600_000
"""A pause that a node itself asks for is kept, up to this."""
MAX_LAG_BLOCKS: Final = 5
"""A node this far behind the best head seen is passed over while another is not: 10 s on Polygon."""
KEEPALIVE_S: Final = 4
"""Shorter than the 5 s after which a Node.js gateway closes an idle connection under our feet."""

TIMEOUT: Final = "timeout"
UNREACHABLE: Final = "unreachable"
WRONG_CHAIN: Final = "wrong_chain"
LAGGING: Final = "lagging"

_PATIENT_WAITS_S: Final = (1.0, 2.0, 4.0, 8.0)
_PATIENT_WAIT_S_MAX: Final = 15.0
_HTTP_TOO_MANY: Final = 429
_HTTP_TOO_LARGE: Final = frozenset({400, 413})
"""How a gateway refuses a batch for its size, or for a word in it: asked again in halves."""
_CHAIN_ID: Final = "chain_id"

Batch = Mapping[str, RpcCall]
"""The calls of one batch by name, in the order in which the node gets them."""

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class Provider(Protocol):
    """What we use of web3's ``AsyncHTTPProvider``."""

    request_counter: Any

    async def make_batch_request(self, batch_requests: list[tuple[Any, Any]]) -> Any: ...

    async def make_request(self, method: Any, params: Any) -> Any: ...

    async def cache_async_session(self, session: ClientSession) -> ClientSession: ...

    async def disconnect(self) -> None: ...


class Dated(Protocol):
    """A reading that tells which head it was made at."""

    @property
    def head(self) -> Block: ...


D = TypeVar("D", bound=Dated)


class Node:
    """One node: what it answers, and for how long it is set aside."""

    def __init__(self, label: str, provider: Provider, *, chain_id: int, sleep: Sleep) -> None:
        self.label = label
        self.reason = ""
        """Why the node is set aside; empty when it is not."""
        self.until_ms = 0
        self.pause_ms = 0
        self._provider, self._chain_id = provider, chain_id
        self._sleep = sleep
        self._sender = BatchSender(self._post, sleep=sleep)
        self._connected = False
        self._connecting = asyncio.Lock()

    async def ask(self, batch: Batch) -> Answers:
        """
        Send *batch* in one request, or in as many as this node needs, and return what came back.

        Raises:
            NodeTrouble: No answer, one that cannot be read, or one of another chain.
        """
        calls: dict[str, RpcCall] = {_CHAIN_ID: ("eth_chainId", []), **batch}
        answers = Answers(await self._sender.send(calls))
        if (served := read_quantity(answers.required(_CHAIN_ID))) != self._chain_id:
            raise NodeTrouble(WRONG_CHAIN, f"serves {served}, CHAIN_ID is {self._chain_id}")
        return answers

    async def ask_patiently(self, batch: Batch) -> Answers:
        """
        Do as ``ask``, but wait and ask the same again when the node is asked too much, a minute in all at most.

        For what a person started and may take its time. Raises NodeTrouble.
        """
        for wait_s in _PATIENT_WAITS_S:
            try:
                return await self.ask(batch)
            except NodeTrouble as trouble:
                if trouble.reason != RATE_LIMITED:
                    raise
                await self._sleep(min(max(wait_s, trouble.retry_after_s or 0), _PATIENT_WAIT_S_MAX))
        return await self.ask(batch)

    def set_aside(self, trouble: NodeTrouble, now_ms: int) -> None:
        """Leave the node alone, twice as long each time; at least for as long as it asks."""
        asked_ms = min(int(1000 * (trouble.retry_after_s or 0)), PAUSE_ASKED_LONGEST_MS)
        self.reason = trouble.reason
        self.pause_ms = min(max(2 * self.pause_ms, PAUSE_FIRST_MS), PAUSE_LONGEST_MS)
        self.until_ms = now_ms + max(self.pause_ms, asked_ms)

    def take_back(self) -> None:
        self.reason, self.until_ms, self.pause_ms = "", 0, 0

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
            raise NodeTrouble(TIMEOUT) from None
        except (ClientError, OSError) as error:
            raise NodeTrouble(UNREACHABLE, type(error).__name__) from None
        except (ValueError, TypeError, AttributeError):
            # What is no JSON; or JSON that is no batch, which web3 sorts by id before anyone looks at it.
            raise NodeTrouble(GARBLED, "batch") from None

    async def _connect(self) -> None:
        """Give web3 a session that keeps its connection: its own makes a new one, with TLS, for each request."""
        async with self._connecting:
            if not self._connected:
                connector = TCPConnector(keepalive_timeout=KEEPALIVE_S)
                await self._provider.cache_async_session(ClientSession(raise_for_status=True, connector=connector))
                self._connected = True


class Nodes:
    """The nodes in the order of RPC_URL; a healthy one answers, else the next."""

    def __init__(self, nodes: Sequence[Node], *, clock: Clock, sleep: Sleep) -> None:
        self._nodes, self._clock, self._sleep = nodes, clock, sleep
        self._best_head = 0

    @property
    def labels(self) -> Sequence[str]:
        return [node.label for node in self._nodes]

    async def read(self, reading: Callable[[Node], Awaitable[T]], *, label: str = "") -> T:
        """
        Return what the first node that can says; only the node with *label* is asked when one is given.

        A named node that is set aside is silence: a dead witness must not cost its time-out at each look.

        Raises:
            ChainUnavailable: No node answered.
            WrongChain: Every node serves another chain.
        """
        for node in self._named(label) if label else self._candidates():
            with suppress(NodeTrouble):
                return await self._try(node, reading)
        if not label and (due := await self._waited_for()) is not None:
            with suppress(NodeTrouble):
                return await self._try(due, reading)
        raise self._silence()

    async def read_fresh(self, reading: Callable[[Node], Awaitable[D]], *, label: str = "") -> D:
        """Do as ``read``, but pass over a node whose head is more than 5 blocks behind while another is better."""
        if label:
            return await self.read(reading, label=label)
        late: list[tuple[Node, D]] = []
        for node in self._candidates():
            with suppress(NodeTrouble):
                seen = await self._try(node, reading)
                if seen.head.number >= self._best_head - MAX_LAG_BLOCKS:
                    self._best_head = max(self._best_head, seen.head.number)
                    self._pass_over([lagging for lagging, _ in late])
                    return seen
                late.append((node, seen))
        if not late:
            due = await self._waited_for()
            if due is None:
                raise self._silence()
            with suppress(NodeTrouble):
                late.append((due, await self._try(due, reading)))
        if not late:
            raise self._silence()
        # None is better. Either all lag or the chain itself went back: from here on this is the best head.
        _, freshest = max(late, key=lambda pair: pair[1].head.number)
        self._best_head = freshest.head.number
        return freshest

    async def read_all(self, reading: Callable[[Node], Awaitable[T]]) -> Sequence[tuple[str, T | NodeTrouble]]:
        """
        Ask every healthy node at once, or the next one due when there is none; never raises for their trouble.

        A node that asked for a pause is not asked before it ends; where no other is left, its trouble is the reply.
        """
        healthy = [node for node in self._nodes if not self._is_aside(node)]
        asked = healthy or [self._next_due(nodes) for nodes in [self._impatient(self._nodes)] if nodes]
        if not asked:
            return [(node.label, NodeTrouble(RATE_LIMITED)) for node in self._nodes[:1]]
        return await asyncio.gather(*(self._try_quietly(node, reading) for node in asked))

    async def aclose(self) -> None:
        for node in self._nodes:
            await node.aclose()

    def _candidates(self) -> Iterator[Node]:
        """
        Yield the healthy nodes; when all have come to be set aside, the one whose pause ends first as well.

        A node that asked for its pause is left alone until that ends, also when it is the only one.
        """
        tried = []
        for node in self._nodes:
            if not self._is_aside(node):
                tried.append(node)
                yield node
        untried = self._impatient([node for node in self._nodes if node not in tried])
        if untried and all(self._is_aside(node) for node in self._nodes):
            yield self._next_due(untried)

    async def _waited_for(self) -> Node | None:
        """Wait for the node whose pause ends soon, where every node is set aside; None where none ends soon."""
        first = self._next_due(self._nodes)
        wait_ms = first.until_ms - self._clock()
        if first.reason != RATE_LIMITED or not 0 < wait_ms <= 1000 * RATE_WAIT_S_MAX:
            return None
        await self._sleep(wait_ms / 1000)
        return first

    def _named(self, label: str) -> Sequence[Node]:
        """Return the node of that name; nothing while it is set aside."""
        named = [node for node in self._nodes if node.label == label]
        if not named:
            raise InvariantBroken(f"no node is called {label}")
        return [node for node in named if not self._is_aside(node)]

    async def _try(self, node: Node, reading: Callable[[Node], Awaitable[T]]) -> T:
        try:
            answer = await reading(node)
        except NodeTrouble as trouble:
            self._set_aside(node, trouble)
            raise
        if node.reason:
            logs.info(_logger, "node_back", node=node.label, trouble=node.reason)
            node.take_back()
        return answer

    async def _try_quietly(self, node: Node, reading: Callable[[Node], Awaitable[T]]) -> tuple[str, T | NodeTrouble]:
        try:
            return node.label, await self._try(node, reading)
        except NodeTrouble as trouble:
            return node.label, trouble

    def _pass_over(self, lagging: Sequence[Node]) -> None:
        for node in lagging:
            self._set_aside(node, NodeTrouble(LAGGING))

    def _set_aside(self, node: Node, trouble: NodeTrouble) -> None:
        node.set_aside(trouble, self._clock())
        logs.warning(
            _logger,
            "node_set_aside",
            node=node.label,
            trouble=trouble.reason,
            detail=str(trouble),
            pause_ms=node.pause_ms,
        )

    def _is_aside(self, node: Node) -> bool:
        return self._clock() < node.until_ms

    @staticmethod
    def _next_due(nodes: Sequence[Node]) -> Node:
        return min(nodes, key=lambda node: node.until_ms)

    @staticmethod
    def _impatient(nodes: Sequence[Node]) -> Sequence[Node]:
        """Return those whose pause is our own idea, and may be cut short."""
        return [node for node in nodes if node.reason != RATE_LIMITED]

    def _silence(self) -> ServiceError:
        if all(node.reason == WRONG_CHAIN for node in self._nodes):
            return WrongChain()
        reasons = "; ".join(f"{node.label}: {node.reason}" for node in self._nodes if node.reason)
        return ChainUnavailable(f"No node answered ({reasons}).")


def _refused_by_http(error: ClientResponseError) -> NodeTrouble:
    if error.status == _HTTP_TOO_MANY:
        asked = error.headers.get("Retry-After", "") if error.headers else ""
        return NodeTrouble(RATE_LIMITED, retry_after_s=float(asked) if asked.isascii() and asked.isdecimal() else None)
    return NodeTrouble(f"http_{error.status}", whole=error.status in _HTTP_TOO_LARGE)


def labels_of(node_urls: Sequence[str]) -> Sequence[str]:
    """
    Return a unique name for each URL: its host and port, a count where two are alike, and nothing else of it.

    Raises:
        ConfigurationError: No URL, or one that is none; its text is not repeated, it may hold a key.
    """
    if not node_urls:
        raise ConfigurationError("RPC_URL names no node")
    hosts = [_host(url, position) for position, url in enumerate(node_urls, start=1)]
    counts = [hosts[:at].count(host) for at, host in enumerate(hosts, start=1)]
    return [host if count == 1 else f"{host}#{count}" for host, count in zip(hosts, counts, strict=True)]


def _host(url: str, position: int) -> str:
    parts = urls.split(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(f"RPC_URL: address {position} is not an http or https URL")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port}" if parts.port else f"{host}"
