"""A guard's records read back from a real node, as it is and as a wrong or a narrow one shows them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from devstack.contracts import Devchain
from distributor.chain.guard import PAID_TOPIC, count_of
from distributor.chain.guard_chain import GuardContract
from distributor.chain.guard_walk import walk as walk_of
from distributor.chain.polygon import nodes_of
from distributor.errors import ChainUnavailable
from distributor.model import Hash
from distributor.units import TokenUnits
from foundation.clock import system_clock
from tests.integration.gateway import Gateway, Reply, failing, gateway, passed_on

UNITS = TokenUnits(10**18)


def ref(number: int) -> Hash:
    """Return the n-th reference."""
    return Hash(f"0x{number:064x}")


class Walk:
    """A guard with two payments, an import of three and one payment more, behind two gateways."""

    def __init__(self, chain: Devchain, fronts: list[Gateway]) -> None:
        self.chain, self.fronts = chain, fronts
        known = chain.deployment
        assert known.guard is not None
        self.guard = known.guard
        wallet = known.customers[0]
        for number in (1, 2):
            chain.pay_through_guard(known.operator, wallet, UNITS, ref(number))
        chain.mine(600)
        chain.at_guard("record", [(ref(number), wallet, UNITS) for number in (3, 4, 5)])
        chain.pay_through_guard(known.operator, wallet, UNITS, ref(6))
        nodes = nodes_of([front.url for front in fronts], chain_id=known.chain_id, timeout_s=5.0, clock=system_clock)
        self.contract = GuardContract(nodes, guard=self.guard, authority=known.authority)


@pytest.fixture
async def walk(devchain: Devchain) -> AsyncIterator[Walk]:
    """The records, and who asks for them."""
    async with AsyncExitStack() as stack:
        fronts = [await stack.enter_async_context(gateway(devchain.deployment.url)) for _ in range(2)]
        opened = Walk(Devchain(devchain.install_guard()), fronts)
        stack.push_async_callback(opened.contract.aclose)
        yield opened


async def test_all_of_it_is_read_back_and_adds_up(walk: Walk) -> None:
    """From the beginning and from the middle, by both nodes; an import is one link of three."""
    first, second = await walk.contract.pasts(walk.guard, 0)
    head = walk.chain.rpc("eth_blockNumber")
    agreed = await walk.contract.agreed_past(walk.guard, 0, block=int(head, 16))

    assert first == second
    assert list(first.links) == list(agreed)
    assert [[int(each.ref_id, 16) for each in link.payments] for link in agreed] == [[1], [2], [3, 4, 5], [6]]
    assert [count_of(link.after) for link in agreed] == [1, 2, 5, 6]
    (since, _) = await walk.contract.pasts(walk.guard, agreed[1].after)
    assert since.links == first.links[2:]


async def test_a_node_that_gives_one_block_a_request_is_asked_for_each_that_paid(walk: Walk) -> None:
    """Refused for the range: the walk goes from block to block."""
    whole = await walk.contract.pasts(walk.guard, 0)
    for front in walk.fronts:
        front.reply = narrow()

    assert await walk.contract.pasts(walk.guard, 0) == whole


async def test_the_events_of_lately_come_with_the_head(walk: Walk) -> None:
    """In one request; what a node does not give that way is asked for as ever, and must add up all the same."""
    whole, _ = await walk.contract.pasts(walk.guard, 0)
    mark, near = whole.links[2].after, whole.mark.head_number
    (node, *_) = walk.contract._nodes._nodes
    front = walk.fronts[0]
    for reply, requests in ((passed_on(), 1), (narrow(), 3), (said_nothing(), 2)):
        front.reply, front.batches[:] = reply, []
        assert (await walk_of(node, walk.guard, mark, near=near)).links == whole.links[3:]
        assert len(front.batches) >= requests
        assert (len(front.batches) == 1) == (requests == 1)
    front.reply, front.batches[:] = passed_on(), []
    await walk_of(node, walk.guard, whole.links[1].after, near=near)
    assert len(front.batches) > 1, "600 blocks back: no node is asked for so many beside the head"


async def test_a_node_that_leaves_out_a_payment_does_not_add_up(walk: Walk) -> None:
    """The other one's word is kept; of both nothing is believed."""
    whole, _ = await walk.contract.pasts(walk.guard, 0)
    walk.fronts[0].reply = without(ref(4))

    assert await walk.contract.pasts(walk.guard, 0) == [whole]
    walk.fronts[1].reply = without(ref(4))
    with pytest.raises(ChainUnavailable):
        await walk.contract.pasts(walk.guard, 0)


async def test_a_mark_of_another_chain_is_never_met(walk: Walk) -> None:
    """It is as high or higher: nothing is believed."""
    whole, _ = await walk.contract.pasts(walk.guard, 0)
    strange = replace(whole.links[1], after=whole.links[1].after ^ (1 << 200)).after

    with pytest.raises(ChainUnavailable):
        await walk.contract.pasts(walk.guard, strange)


async def test_where_no_guard_is_nothing_was_recorded(walk: Walk) -> None:
    """No code at that address."""
    pasts = await walk.contract.pasts(walk.chain.deployment.customers[1], 0)

    assert [past.links for past in pasts] == [(), ()]


def narrow() -> Reply:
    """Refuse what spans more than one block."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        wide = {call["id"] for call in json.loads(body) if spans(call)}
        answers = await front.ask_node(body)
        refuse = failing(-32600, "eth_getLogs is limited to a 1 block range")
        return web.json_response([refuse(answer) if answer["id"] in wide else answer for answer in answers])

    def spans(call: dict[str, Any]) -> bool:
        query = call["params"][0] if call["method"] == "eth_getLogs" else {"fromBlock": 0, "toBlock": 0}
        return bool(query["fromBlock"] != query["toBlock"])

    return reply


def said_nothing() -> Reply:
    """Give no events up to the latest block, and something that is none; those up to a number are right."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        odd = {
            call["id"]
            for call in json.loads(body)
            if call["method"] == "eth_getLogs" and call["params"][0]["toBlock"] == "latest"
        }
        answers = await front.ask_node(body)
        return web.json_response(
            [{**each, "result": [{"topics": []}]} if each["id"] in odd else each for each in answers]
        )

    return reply


def without(ref_id: Hash) -> Reply:
    """Leave out the payment of a reference."""

    def edit(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for answer in answers:
            if isinstance(answer.get("result"), list):
                answer["result"] = [log for log in answer["result"] if log["topics"] != topics(log)]
        return answers

    def topics(log: dict[str, Any]) -> list[str]:
        return [PAID_TOPIC, ref_id, *log["topics"][2:]]

    return passed_on(edit)
