"""
The nodes of RPC_URL: which one is asked, and which one next.

A node that cannot be used is set aside, 1 s at first and twice as long each time up to 60 s, or for as long
as it asks. Every reading comes wholly from one node. Nothing is ever asked twice of the same node in one
reading, but what it refused for its size or its rate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from distributor.chain.batches import RATE_WAIT_S_MAX
from distributor.chain.node import WRONG_CHAIN, Node
from distributor.chain.rpc_responses import RATE_LIMITED, NodeUnavailable
from distributor.chain_types import Block
from distributor.errors import ChainUnavailable, WrongChain
from foundation import logs
from foundation.clock import Clock, Sleep
from foundation.errors import ConfigurationError, InvariantBroken, ServiceError
from foundation.settings import urls

MAX_LAG_BLOCKS: Final = 5
"""A node this far behind the best head seen is passed over while another is not: 10 s on Polygon."""

LAGGING: Final = "lagging"

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class Dated(Protocol):
    """A reading that tells which head it was made at."""

    @property
    def head(self) -> Block: ...


D = TypeVar("D", bound=Dated)


class Nodes:
    """The nodes in the order of RPC_URL; a healthy one answers, else the next."""

    def __init__(self, nodes: Sequence[Node], *, clock: Clock, sleep: Sleep) -> None:
        self._nodes, self._clock, self._sleep = nodes, clock, sleep
        self._best_head = 0

    @property
    def labels(self) -> Sequence[str]:
        return [node.label for node in self._nodes]

    @property
    def best_head(self) -> int:
        """The number of the newest block that was seen lately; 0 before the first reading."""
        return self._best_head

    async def read(self, reading: Callable[[Node], Awaitable[T]], *, label: str = "") -> T:
        """
        Return what the first node that can says; only the node with *label* is asked when one is given.

        A named node that is set aside is silence: a dead witness must not cost its time-out at each look.

        Raises:
            ChainUnavailable: No node answered.
            WrongChain: Every node serves another chain.
        """
        for node in self._named(label) if label else self._candidates():
            with suppress(NodeUnavailable):
                return await self._try(node, reading)
        if not label and (due := await self._waited_for()) is not None:
            with suppress(NodeUnavailable):
                return await self._try(due, reading)
        raise self.silence()

    async def read_fresh(self, reading: Callable[[Node], Awaitable[D]], *, label: str = "") -> D:
        """Do as ``read``, but pass over a node whose head is more than 5 blocks behind while another is better."""
        if label:
            return await self.read(reading, label=label)
        late: list[tuple[Node, D]] = []
        for node in self._candidates():
            with suppress(NodeUnavailable):
                seen = await self._try(node, reading)
                if seen.head.number >= self._best_head - MAX_LAG_BLOCKS:
                    self._best_head = max(self._best_head, seen.head.number)
                    self._pass_over([lagging for lagging, _ in late])
                    return seen
                late.append((node, seen))
        if not late:
            due = await self._waited_for()
            if due is None:
                raise self.silence()
            with suppress(NodeUnavailable):
                late.append((due, await self._try(due, reading)))
        if not late:
            raise self.silence()
        # None is better. Either all lag or the chain itself went back: from here on this is the best head.
        _, freshest = max(late, key=lambda pair: pair[1].head.number)
        self._best_head = freshest.head.number
        return freshest

    async def read_all(self, reading: Callable[[Node], Awaitable[T]]) -> Sequence[tuple[str, T | NodeUnavailable]]:
        """
        Ask every healthy node at once, or the next one due when there is none; never raises for their trouble.

        A node that asked for a pause is not asked before it ends; where no other is left, its trouble is the reply.
        """
        healthy = [node for node in self._nodes if not self._is_unhealthy(node)]
        asked = healthy or [self._next_due(nodes) for nodes in [self._impatient(self._nodes)] if nodes]
        if not asked:
            return [(node.label, NodeUnavailable(RATE_LIMITED)) for node in self._nodes[:1]]
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
            if not self._is_unhealthy(node):
                tried.append(node)
                yield node
        untried = self._impatient([node for node in self._nodes if node not in tried])
        if untried and all(self._is_unhealthy(node) for node in self._nodes):
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
        return [node for node in named if not self._is_unhealthy(node)]

    async def _try(self, node: Node, reading: Callable[[Node], Awaitable[T]]) -> T:
        try:
            answer = await reading(node)
        except NodeUnavailable as trouble:
            self._mark_unhealthy(node, trouble)
            raise
        if node.reason:
            logs.info(_logger, "node_back", node=node.label, trouble=node.reason)
            node.mark_healthy()
        return answer

    async def _try_quietly(
        self, node: Node, reading: Callable[[Node], Awaitable[T]]
    ) -> tuple[str, T | NodeUnavailable]:
        try:
            return node.label, await self._try(node, reading)
        except NodeUnavailable as trouble:
            return node.label, trouble

    def _pass_over(self, lagging: Sequence[Node]) -> None:
        for node in lagging:
            self._mark_unhealthy(node, NodeUnavailable(LAGGING))

    def _mark_unhealthy(self, node: Node, trouble: NodeUnavailable) -> None:
        node.mark_unhealthy(trouble, self._clock())
        logs.warning(
            _logger,
            "node_set_aside",
            node=node.label,
            trouble=trouble.reason,
            detail=str(trouble),
            pause_ms=node.pause_ms,
        )

    def _is_unhealthy(self, node: Node) -> bool:
        return self._clock() < node.until_ms

    @staticmethod
    def _next_due(nodes: Sequence[Node]) -> Node:
        return min(nodes, key=lambda node: node.until_ms)

    @staticmethod
    def _impatient(nodes: Sequence[Node]) -> Sequence[Node]:
        """Return those whose pause is our own idea, and may be cut short."""
        return [node for node in nodes if node.reason != RATE_LIMITED]

    def silence(self) -> ServiceError:
        """Return what to raise when no node answered: WrongChain where every one serves another chain."""
        if all(node.reason == WRONG_CHAIN for node in self._nodes):
            return WrongChain()
        reasons = "; ".join(f"{node.label}: {node.detail}" for node in self._nodes if node.reason)
        return ChainUnavailable(f"No node answered ({reasons}).")


def labels_of(node_urls: Sequence[str], schemes: Sequence[str] = ("http", "https")) -> Sequence[str]:
    """
    Return a unique name for each URL: its host and port, a count where two are alike, and nothing else of it.

    Raises:
        ConfigurationError: There is no URL, or it is invalid. Its text is not repeated, because it may hold a key.
    """
    if not node_urls:
        raise ConfigurationError("RPC_URL names no node")
    hosts = [_host(url, position, schemes) for position, url in enumerate(node_urls, start=1)]
    counts = [hosts[:at].count(host) for at, host in enumerate(hosts, start=1)]
    return [host if count == 1 else f"{host}#{count}" for host, count in zip(hosts, counts, strict=True)]


def _host(url: str, position: int, schemes: Sequence[str]) -> str:
    parts = urls.split_url(url)
    if parts is None or parts.scheme not in schemes:
        kinds = " or ".join(schemes)
        raise ConfigurationError(f"RPC_URL: address {position} is not an {kinds} URL")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port}" if parts.port else f"{host}"
