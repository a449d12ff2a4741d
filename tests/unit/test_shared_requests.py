"""What several readers ask of one node at the same moment goes out in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from distributor.chain.batches import RpcCall
from distributor.chain.rpc_responses import NodeUnavailable
from distributor.chain.shared_requests import SharedRequests

HEAD: RpcCall = ("eth_getBlockByNumber", ["latest", False])
NONCE: RpcCall = ("eth_getTransactionCount", ["0x1", "latest"])
CODE: RpcCall = ("eth_getCode", ["0x2", "latest"])


class Node:
    """Answers each call with its method, and keeps what each request held."""

    def __init__(self) -> None:
        self.requests: list[list[RpcCall]] = []
        self.missing: str = ""
        self.trouble: BaseException | None = None

    async def send(self, calls: Mapping[str, RpcCall]) -> Mapping[str, object]:
        self.requests.append(list(calls.values()))
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        return {name: call[0] for name, call in calls.items() if call[0] != self.missing}


async def test_readers_of_one_moment_share_a_request_and_a_call() -> None:
    """Each finds its own answers by its own names; the order of each reader's calls stays."""
    node = Node()
    requests = SharedRequests(node.send)

    first, second = await asyncio.gather(
        requests.send({"nonce": NONCE, "head": HEAD}), requests.send({"newest": HEAD, "code": CODE})
    )

    assert node.requests == [[NONCE, HEAD, CODE]]
    assert first == {"nonce": NONCE[0], "head": HEAD[0]}
    assert second == {"newest": HEAD[0], "code": CODE[0]}


async def test_one_after_the_other_is_a_request_each() -> None:
    """What comes while one is under way is not held back by it."""
    node = Node()
    requests = SharedRequests(node.send)
    await requests.send({"head": HEAD})
    await requests.send({"head": HEAD})
    assert node.requests == [[HEAD], [HEAD]]


async def test_a_call_without_an_answer_is_missing_for_its_reader_alone() -> None:
    """As in a request of its own."""
    node = Node()
    node.missing = CODE[0]
    requests = SharedRequests(node.send)
    first, second = await asyncio.gather(requests.send({"head": HEAD}), requests.send({"code": CODE}))
    assert (first, second) == ({"head": HEAD[0]}, {})


async def test_trouble_is_the_trouble_of_each_reader() -> None:
    """And of no later request."""
    node = Node()
    requests = SharedRequests(node.send)
    node.trouble = NodeUnavailable("timeout")
    found = await asyncio.gather(requests.send({"head": HEAD}), requests.send({"code": CODE}), return_exceptions=True)
    assert list(found) == [node.trouble, node.trouble]
    node.trouble = None
    assert await requests.send({"head": HEAD}) == {"head": HEAD[0]}


async def test_a_reader_that_gave_up_takes_nothing_from_the_others() -> None:
    """Its deadline is its own; whether the request then fails or not."""
    for trouble in (None, NodeUnavailable("timeout")):
        node = Node()
        requests = SharedRequests(node.send)
        impatient = asyncio.ensure_future(requests.send({"code": CODE}))
        patient = asyncio.ensure_future(requests.send({"head": HEAD}))
        await asyncio.sleep(0)
        impatient.cancel()
        node.trouble = trouble
        (found,) = await asyncio.gather(patient, return_exceptions=True)
        assert found == (trouble or {"head": HEAD[0]})
        assert impatient.cancelled()


async def test_a_cancelled_sending_cancels_its_readers() -> None:
    """The loop ends: nobody waits for an answer that cannot come."""
    node = Node()
    node.trouble = asyncio.CancelledError()
    requests = SharedRequests(node.send)
    with pytest.raises(asyncio.CancelledError):
        await requests.send({"head": HEAD})
