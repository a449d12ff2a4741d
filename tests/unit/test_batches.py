"""A batch is cut to what one node takes: halved when it is too large, asked again later when it comes too soon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from distributor.chain.batches import MAX_BATCH_ITEMS, RATE_WAITS_MAX, BatchSender, RpcCall
from distributor.chain.rpc_responses import RATE_LIMITED, NodeError, NodeUnavailable

CALLS: dict[str, RpcCall] = {f"call {at}": (f"method_{at}", []) for at in range(24)}
RATE = {"code": -32005, "message": "rate limit exceeded"}


def items(calls: Sequence[RpcCall]) -> list[dict[str, Any]]:
    """Answer each call with its own method."""
    return [{"id": number, "result": method} for number, (method, _) in enumerate(calls)]


def answered(calls: Sequence[RpcCall]) -> Any:
    """Answer a request: a list for a batch, one object for a single call."""
    return items(calls) if len(calls) > 1 else items(calls)[0]


def failed(error: object) -> Any:
    """Answer a whole request with one error."""
    return {"id": None, "error": error}


class Provider:
    """What a provider answers, request by request; ``sizes`` are the calls each request held."""

    def __init__(self, reply: Callable[[Sequence[RpcCall], int], Any]) -> None:
        self.sizes: list[int] = []
        self.methods: list[str] = []
        self.slept: list[float] = []
        self._reply = reply
        self.sender = BatchSender(self._post, sleep=self._sleep)

    async def _post(self, calls: Sequence[RpcCall]) -> Any:
        self.sizes.append(len(calls))
        self.methods += [method for method, _ in calls]
        reply = self._reply(calls, len(self.sizes))
        if isinstance(reply, NodeUnavailable):
            raise reply
        return reply

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def whole(result: dict[str, Any]) -> None:
    """Every call has its own answer."""
    assert result == {name: method for name, (method, _) in CALLS.items()}


REFUSALS: dict[str, Callable[[Sequence[RpcCall], int], Any]] = {
    "one object": lambda *_: failed({"code": -32600, "message": "batch too large"}),
    "one object in words nobody knows": lambda *_: failed({"code": -32000, "message": "no more than ten, please"}),
    "one object that speaks of a limit": lambda *_: failed({"code": -32005, "message": "batch limit exceeded"}),
    "one text": lambda *_: failed("no"),
    "a list of one error": lambda *_: [failed({"code": -32600, "message": "batch too large"})],
    "HTTP 413": lambda *_: NodeUnavailable("http_413", whole=True),
    "HTTP 400": lambda *_: NodeUnavailable("http_400", whole=True),
    "each item": lambda calls, _most: [
        {"id": at, "error": {"code": -32600, "message": "Batch size exceeded"}} for at in range(len(calls))
    ],
    "items over the limit": lambda calls, most: [
        *items(calls[:most]),
        *({"id": at, "error": {"code": -1, "message": "batch limit"}} for at in range(most, len(calls))),
    ],
    "the first items alone": lambda calls, most: items(calls[:most]),
}


@pytest.mark.parametrize("most", [10, 2, 1])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_batch_that_is_too_large_is_halved_down_to_what_the_node_takes(name: str, most: int) -> None:
    """Whatever the refusal looks like. What is asked first is answered first, and the next batch fits at once."""
    provider = Provider(lambda calls, _: answered(calls) if len(calls) <= most else REFUSALS[name](calls, most))
    whole(await provider.sender.send(CALLS))
    first = len(provider.sizes)
    whole(await provider.sender.send(CALLS))

    assert max(provider.sizes[first:]) <= most
    assert provider.methods[-len(CALLS) :] == [method for method, _ in CALLS.values()]
    assert provider.slept == []


async def test_a_long_batch_is_cut_at_a_hundred() -> None:
    """What every node refuses is not even tried."""
    provider = Provider(lambda calls, _: answered(calls))
    await provider.sender.send({f"call {at}": ("method", []) for at in range(150)})

    assert provider.sizes == [MAX_BATCH_ITEMS, 50]


async def test_a_node_that_refuses_single_calls_is_in_trouble_and_nothing_is_learnt() -> None:
    """It is sick and not small: a few requests, and the usual size the next time."""
    provider = Provider(lambda _calls, _: NodeUnavailable("http_400", whole=True))
    with pytest.raises(NodeUnavailable, match="http_400"):
        await provider.sender.send(CALLS)

    assert provider.sizes == [24, 12, 6, 3, 1]
    assert provider.sender.items == MAX_BATCH_ITEMS


async def test_a_node_that_answers_every_batch_with_one_error_is_asked_a_few_times() -> None:
    """The error of the first call alone says that it is no matter of size."""
    provider = Provider(lambda *_: failed({"code": -32000, "message": "backend gone"}))
    with pytest.raises(NodeUnavailable, match="backend gone"):
        await provider.sender.send(CALLS)

    assert provider.sizes == [24, 12, 6, 3, 1]


async def test_one_call_that_spoils_its_batch_fails_alone() -> None:
    """A provider refuses the whole request for one item: the others are answered, and large batches go on."""
    provider = Provider(
        lambda calls, _: NodeUnavailable("http_400", whole=True) if ("method_13", []) in calls else answered(calls)
    )
    found = await provider.sender.send(CALLS)

    assert found.pop("call 13") == NodeError(0, "http_400")
    assert found == {name: method for name, (method, _) in CALLS.items() if name != "call 13"}
    assert provider.sender.items > 1


async def test_an_item_without_an_answer_is_missing_and_no_end() -> None:
    """The others are kept; a last one that is missing is asked once more, by itself."""
    provider = Provider(lambda calls, _: [item for item in answered(calls) if item["id"] != 5])
    found = await provider.sender.send(dict(list(CALLS.items())[:8]))

    assert len(found) == 7
    assert provider.sizes == [8]


async def test_no_answer_at_all_is_nothing_to_halve() -> None:
    """An empty list says nothing; who needs an answer asks another node."""
    provider = Provider(lambda _calls, _: [])

    assert await provider.sender.send(CALLS) == {}


@pytest.mark.parametrize(
    "refusal",
    [
        lambda calls: [
            *items(calls[:3]),
            *({"id": at, "error": RATE} for at in range(3, len(calls))),
        ],
        lambda _: NodeUnavailable(RATE_LIMITED, retry_after_s=2.0),
    ],
    ids=["per item", "HTTP 429"],
)
async def test_a_refusal_for_the_rate_is_waited_out_and_never_halved(
    refusal: Callable[[Sequence[RpcCall]], Any],
) -> None:
    """What was answered stays; the rest is asked again as it was."""
    provider = Provider(lambda calls, at: refusal(calls) if at == 2 else answered(calls))
    provider.sender.items = 8
    whole(await provider.sender.send(CALLS))

    assert len(provider.slept) == 1
    assert max(provider.sizes) == 8
    assert provider.sender.items == 8


async def test_waiting_has_an_end() -> None:
    """A node that serves nothing more is left alone, and another one asked."""
    provider = Provider(lambda calls, at: failed(RATE) if at > 1 else answered(calls))
    provider.sender.items = 8
    with pytest.raises(NodeUnavailable, match="rate"):
        await provider.sender.send(CALLS)

    assert len(provider.slept) == RATE_WAITS_MAX


@pytest.mark.parametrize(("retry_after_s", "at"), [(60.0, 2), (1.0, 1)], ids=["too long", "nothing answered yet"])
async def test_a_reading_does_not_wait_where_another_node_is_sooner(retry_after_s: float, at: int) -> None:
    """A long pause is kept by leaving the node alone; and a batch that has not begun begins elsewhere."""
    trouble = NodeUnavailable(RATE_LIMITED, retry_after_s=retry_after_s)
    provider = Provider(lambda calls, number: trouble if number == at else answered(calls))
    provider.sender.items = 8
    with pytest.raises(NodeUnavailable):
        await provider.sender.send(CALLS)

    assert provider.slept == []


async def test_a_single_call_may_fail_for_itself() -> None:
    """Its error is its answer: a contract that refuses is no node in trouble."""
    provider = Provider(lambda _calls, _: failed({"code": 3, "message": "execution reverted"}))
    found = await provider.sender.send({"call": ("eth_call", [])})

    assert found == {"call": NodeError(3, "execution reverted")}
