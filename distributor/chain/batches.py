"""
How a batch is cut for a node that takes fewer calls in one request, or fewer in one second, than we have.

A provider refuses a batch that is too large in one of four shapes: one error object, HTTP 413 or 400, an
error for each item, or answers to the first items alone. Each shape has words of its own, so a refusal of
the whole batch is answered by halving it, down to single calls; the largest size that worked is kept for
this node. A refusal for the rate is never halved: it is waited out, and the same calls are asked again.

The calls keep their order over all requests: what must be read first (a nonce before a receipt) is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from distributor.chain.rpc_responses import RATE_LIMITED, NodeError, NodeUnavailable, items_of
from foundation.clock import Sleep

MAX_BATCH_ITEMS: Final = 100
"""Calls in one HTTP request. Source: Bor, rpc.batchlimit."""
RATE_WAITS_MAX: Final = 3
"""How often in a row the same calls are asked again after a refusal for the rate."""
RATE_WAIT_S: Final = 1.0
"""How long one such wait is where the node names no time."""
RATE_WAIT_S_MAX: Final = 5.0
"""A node that asks for a longer pause is left alone for that long; nobody waits for it in a reading."""

RpcCall = tuple[str, Sequence[object]]
Post = Callable[[Sequence[RpcCall]], Awaitable[object]]
"""Sends calls in one HTTP request, a single one outside of any batch. Raises NodeUnavailable."""


class BatchSender:
    """One node's batches, in requests of a size the node takes."""

    def __init__(self, post: Post, *, sleep: Sleep) -> None:
        self.items = MAX_BATCH_ITEMS
        """The most calls that go into one request; what is known to work, once a larger one was refused."""
        self._post, self._sleep = post, sleep

    async def send(self, calls: Mapping[str, RpcCall]) -> dict[str, object]:
        """
        Return each call's result or error by its name.

        Raises:
            NodeUnavailable: The node refuses even a single call, does not answer, or asks for a longer pause.
        """
        sending = _Sending(calls, self.items)
        while sending.left:
            try:
                sending.take(await self._post([calls[name] for name in sending.part]))
            except NodeUnavailable as trouble:
                await self._overcome(sending, trouble)
        self.items = sending.worked or self.items
        return sending.found

    async def _overcome(self, sending: _Sending, trouble: NodeUnavailable) -> None:
        """Halve, wait, or write the refusal down as the item's own; raise any other trouble."""
        if trouble.whole and sending.halve():
            return
        if trouble.whole and sending.found:
            sending.give_up_one(trouble)
            return
        wait_s = RATE_WAIT_S if trouble.retry_after_s is None else trouble.retry_after_s
        if trouble.reason != RATE_LIMITED or wait_s > RATE_WAIT_S_MAX or not sending.may_wait():
            raise trouble
        await self._sleep(wait_s)


class _Sending:
    """One batch on its way: what came back, what is left, and how large a request may be."""

    def __init__(self, calls: Mapping[str, RpcCall], size: int) -> None:
        self.left, self.found, self.size = list(calls), dict[str, object](), size
        self._refused, self._best, self._waits = False, 0, 0

    @property
    def part(self) -> Sequence[str]:
        return self.left[: self.size]

    @property
    def worked(self) -> int:
        """The largest size that worked after one was refused; 0 where none was."""
        return self._best if self._refused else 0

    def take(self, reply: object) -> None:
        """Keep the answers up to the first that refuses the batch itself. Raises NodeUnavailable when none does."""
        part = self.part
        items = items_of(reply, part)
        served = _served(items, part)
        first = items.get(part[0])
        if self._refused and not self.found and len(part) == 1 and isinstance(first, NodeError):
            raise first.as_unavailable()  # not even the first call alone: the node is sick, and no batch was too large
        self.found |= {name: items[name] for name in part[:served] if name in items}
        self.left = self.left[served:]
        if served:
            self._best, self._waits = max(self._best, served), 0
        if served == len(part):
            self.size = max(self.size, self._best)
            return
        refusal = items.get(part[served])
        if isinstance(refusal, NodeError) and refusal.is_overload:
            raise refusal.as_unavailable()
        self._refused, self.size = True, served or len(part) // 2

    def halve(self) -> bool:
        """Ask for half as much from now on; False when it is a single call already."""
        asked = len(self.part)
        if asked == 1:
            return False
        self._refused, self.size = True, asked // 2
        return True

    def give_up_one(self, trouble: NodeUnavailable) -> None:
        """Write the refusal down as the answer to the single call it was given to, and go on with the others."""
        self.found[self.left.pop(0)] = NodeError(0, str(trouble))
        self.size = max(self.size, self._best)

    def may_wait(self) -> bool:
        """
        Say whether a wait may help: something of this batch was answered, and not too many waits led nowhere.

        With nothing answered but the chain id another node is asked instead, and sooner.
        """
        self._waits += 1
        return len(self.found) > 1 and self._waits <= RATE_WAITS_MAX


def _served(items: Mapping[str, object], part: Sequence[str]) -> int:
    """
    Return how many of *part* were served before the first refusal of the batch, or before the answers end.

    An answer that is missing between others is a bad item, and no end. A single call is served by whatever
    comes but a refusal for the rate: there is nothing smaller to ask.
    """
    for at, name in enumerate(part):
        item = items.get(name)
        if isinstance(item, NodeError) and (item.is_overload or (item.is_size and len(part) > 1)):
            return at
    answered = max((at for at, name in enumerate(part, start=1) if name in items), default=0)
    return answered or len(part)
