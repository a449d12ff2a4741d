"""What left the reserve, and who made it leave: the same on the fake chain and on a real node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from devstack.contracts import OPERATOR_KEY, Deployment, Devchain
from distributor.chain.call_details import read_distribution
from distributor.chain.history import ChainHistory
from distributor.chain.polygon import nodes_of
from distributor.errors import ChainUnavailable, NoSuchTransaction
from distributor.model import Fees, Hash
from distributor.payout.history import DistributeCall, History
from distributor.ports import UnsignedTransaction
from distributor.signing.signer import LocalSigner
from distributor.units import Wei
from foundation.clock import Sleep
from tests.contract.chains import ONE_TOKEN, FakeWorld, World, an_order, anvil_world
from tests.factories import a_hash
from tests.fakes.clock import FrozenClock
from tests.fakes.history import FakeHistory
from tests.integration.gateway import Gateway, Reply, failing, gateway, on, passed_on, said, saying, silent

SIGNER = LocalSigner(OPERATOR_KEY)
FEES = Fees(max_fee_wei=Wei(60 * 10**9), tip_wei=Wei(30 * 10**9))
TOO_MANY = passed_on(on(1, failing(-32005, "query returned more than 10000 results")))


@dataclass(frozen=True)
class Setup:
    """A chain that mines when asked to, and its past."""

    world: World
    history: History

    async def pay(self, *order_ids: str) -> list[Hash]:
        """Mine the payments of orders in one block; return their hashes."""
        chain, places = self.world.chain, self.world.places
        snapshot = await chain.pre_bind_snapshot(places.operator)
        signed = []
        for at, order_id in enumerate(order_ids):
            call = chain.pay(an_order(places.customer, order_id=order_id))
            fees = FEES
            nonce = snapshot.nonce + at
            unsigned = UnsignedTransaction(
                chain_id=places.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=fees
            )
            signed.append(await SIGNER.sign(unsigned))
        await chain.submit([each.raw for each in signed])
        self.world.mine()
        return [each.tx_hash for each in signed]

    async def head(self) -> int:
        return (await self.world.chain.pre_bind_snapshot(self.world.places.operator)).head.number


def open_history(
    deployment: Deployment, *urls: str, timeout_s: float = 10.0, sleep: Sleep = asyncio.sleep
) -> ChainHistory:
    """Return the real adapter; on the real node where none is named."""
    nodes = nodes_of(
        urls or [deployment.url],
        chain_id=deployment.chain_id,
        timeout_s=timeout_s,
        clock=FrozenClock(),
        sleep=sleep,
    )
    return ChainHistory(nodes, token=deployment.token, reserve=deployment.reserve)


@pytest.fixture(params=["fake", "anvil"])
async def setup(request: pytest.FixtureRequest) -> AsyncIterator[Setup]:
    """The past of the fake chain, and of a real node."""
    if request.param == "fake":
        world = FakeWorld()
        yield Setup(world, FakeHistory(world._fake))
        return
    devchain: Devchain = request.getfixturevalue("devchain")
    history = open_history(devchain.deployment)
    async with anvil_world(devchain) as real:
        yield Setup(real, history)
    await history.aclose()


async def test_what_came_less_what_left_is_what_is_held(setup: Setup) -> None:
    """From the token's creation on; from a later block on it is less."""
    await setup.pay("2001", "2002")
    head = await setup.head()

    arrived = sum(each.amount_units for each in await setup.history.reserve_arrivals(0, head))
    left = sum(each.amount_units for each in await setup.history.reserve_transfers(0, head))

    assert left >= 2 * ONE_TOKEN
    assert arrived - left == await setup.history.reserve_balance(head)
    assert not await setup.history.reserve_arrivals(head, head)
    assert await setup.history.minted(0, head) == await setup.history.supply(head)
    assert await setup.history.minted(head, head) == 0


async def test_what_left_the_reserve_is_found_in_the_order_of_the_chain(setup: Setup) -> None:
    """With its block, recipient and amount."""
    first = await setup.head() + 1
    hashes = [*await setup.pay("A-1", "A-2"), *await setup.pay("A-3")]

    found = await setup.history.reserve_transfers(first, first + 1)

    assert [each.tx_hash for each in found] == hashes
    assert [each.block.number for each in found] == [first, first, first + 1]
    assert {(each.wallet, each.amount_units) for each in found} == {(setup.world.places.customer, ONE_TOKEN)}


async def test_only_the_blocks_asked_for_are_looked_at(setup: Setup) -> None:
    """Both ends of the range belong to it."""
    first = await setup.head() + 1
    hashes = [(await setup.pay(order_id))[0] for order_id in ("A-1", "A-2", "A-3")]

    found = await setup.history.reserve_transfers(first + 1, first + 1)

    assert [each.tx_hash for each in found] == hashes[1:2]


async def test_an_origin_says_who_asked_for_what(setup: Setup) -> None:
    """The reference in the call names the order."""
    first = await setup.head() + 1
    (tx_hash,) = await setup.pay("A-1")
    places, order = setup.world.places, an_order(setup.world.places.customer, order_id="A-1")

    (transfer,) = await setup.history.reserve_transfers(first, first)
    details = (await setup.history.transaction_details([tx_hash]))[tx_hash]

    assert (details.sender, details.to) == (places.operator, places.authority)
    assert details.nonce == (await setup.world.chain.pre_bind_snapshot(places.operator)).nonce - 1
    assert details.distribution == DistributeCall(
        wallet=transfer.wallet, amount_units=transfer.amount_units, ref_id=order.ref_id, reason=order.reason
    )


async def test_more_origins_than_fit_in_one_request_are_found(setup: Setup) -> None:
    """A repeated hash is asked for once."""
    hashes = await setup.pay(*(f"A-{number}" for number in range(12)))

    assert list(await setup.history.transaction_details([*hashes, *hashes])) == hashes


# a real node's bad day ---------------------------------------------------------------------------


@pytest.fixture
async def front(devchain: Devchain) -> AsyncIterator[Gateway]:
    """A node whose answers can be changed, with three payouts in its last three blocks."""
    known = devchain.deployment
    for name in ("A-1", "A-2", "A-3"):
        devchain.distribute(known.customers[0], ONE_TOKEN, an_order(known.customers[0], order_id=name).ref_id, "x")
    async with gateway(known.url) as front:
        yield front


def refusing_wide_ranges(blocks_max: int, refusal: Reply | None = None) -> Reply:
    """Answer a range of more blocks as a node does that limits them."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        said = json.loads(body)
        queries = [call["params"][0] for call in (said if isinstance(said, list) else [said]) if call["params"]]
        wide = any(int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= blocks_max for query in queries)
        return await ((refusal or TOO_MANY) if wide else passed_on())(front, body)

    return reply


async def test_a_refused_range_is_asked_for_in_halves(front: Gateway, devchain: Devchain) -> None:
    """Whatever the node's limit is, it is found by halving, and kept: five blocks, two, one."""
    front.reply = refusing_wide_ranges(1)
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(devchain.deployment, front.url)

    found = await history.reserve_transfers(head - 4, head)
    await history.aclose()

    assert [each.block.number for each in found] == [head - 2, head - 1, head]
    assert len(front.batches) == 7


@pytest.mark.parametrize(
    "refusal",
    [
        said(status=413),
        said(status=400),
        said(200, b'{"id": null, "error": {"code": -32602, "message": "no more than one block"}}', "application/json"),
        said(200, b'{"id": 0, "error": {"code": -32005, "message": "block range limit exceeded"}}', "application/json"),
    ],
    ids=["413", "400", "one object", "a limit"],
)
async def test_a_range_may_be_refused_in_every_shape(front: Gateway, devchain: Devchain, refusal: Reply) -> None:
    """One object or an HTTP status applies to the whole request; the range is halved, and the node stays in use."""
    front.reply = refusing_wide_ranges(1, refusal)
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(devchain.deployment, front.url)

    found = await history.reserve_transfers(head - 2, head)
    await history.aclose()

    assert [each.block.number for each in found] == [head - 2, head - 1, head]


async def test_a_node_that_is_asked_too_much_is_asked_the_same_again(front: Gateway, devchain: Devchain) -> None:
    """The range is not halved for it: that would only ask more often."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        front.reply = passed_on() if len(slept) == 3 else front.reply

    front.reply = said(429)
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(devchain.deployment, front.url, sleep=sleep)

    found = await history.reserve_transfers(head - 2, head)
    await history.aclose()

    assert len(found) == 3
    assert slept == [1, 2, 4]
    assert len(front.batches) == 4


async def test_asking_the_same_again_has_an_end(front: Gateway, devchain: Devchain) -> None:
    """The command says why it stopped."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    front.reply = said(429)
    history = open_history(devchain.deployment, front.url, sleep=sleep)

    with pytest.raises(ChainUnavailable, match="rate_limited"):
        await history.reserve_transfers(0, 9)
    await history.aclose()

    assert len(slept) == 4


async def test_a_single_block_that_is_refused_is_the_nodes_trouble(front: Gateway, devchain: Devchain) -> None:
    """There is nothing left to halve."""
    front.reply = TOO_MANY
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(devchain.deployment, front.url)

    with pytest.raises(ChainUnavailable):
        await history.reserve_transfers(head, head)
    await history.aclose()


async def test_a_range_that_takes_too_long_is_halved_down_to_the_last_block(front: Gateway, devchain: Devchain) -> None:
    """A silent node is not halved without end."""
    front.reply = silent()
    history = open_history(devchain.deployment, front.url, timeout_s=0.05)

    with pytest.raises(ChainUnavailable, match="timeout"):
        await history.reserve_transfers(0, 1)
    await history.aclose()

    assert len(front.batches) == 2


@pytest.mark.parametrize(
    "reply",
    [
        passed_on(on(1, saying({}))),
        passed_on(on(1, saying([{}]))),
        passed_on(on(1, saying(None))),
        said(status=503),
    ],
)
async def test_what_is_no_answer_is_never_an_empty_past(front: Gateway, devchain: Devchain, reply: Reply) -> None:
    """An order would be paid again for it."""
    front.reply = reply
    history = open_history(devchain.deployment, front.url)

    with pytest.raises(ChainUnavailable):
        await history.reserve_transfers(0, 9)
    await history.aclose()


async def test_logs_nobody_asked_for_are_no_answer(front: Gateway, devchain: Devchain) -> None:
    """A node that ignores the range or the topics cannot be trusted with the rest."""
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(devchain.deployment, front.url)

    for address in (devchain.deployment.authority, devchain.deployment.token):
        query = {"address": address, "fromBlock": hex(head), "toBlock": hex(head)}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [query]}
        (answer,) = await front.ask_node(json.dumps([asked]).encode())
        assert answer["result"]
        front.reply = passed_on(on(1, saying(answer["result"])))
        with pytest.raises(ChainUnavailable, match="garbled"):
            await history.reserve_transfers(head - 1, head - 1)
    await history.aclose()


async def test_two_nodes_must_have_the_same_past(front: Gateway, devchain: Devchain) -> None:
    """One that has pruned it answers with nothing, and payouts would be paid again."""
    known = devchain.deployment
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(known, known.url, front.url)

    assert len(await history.reserve_transfers(head - 2, head)) == 3
    front.reply = passed_on(on(1, saying([])))
    with pytest.raises(ChainUnavailable, match="disagree about blocks"):
        await history.reserve_transfers(head - 2, head)
    front.reply = said(status=503)
    with pytest.raises(ChainUnavailable, match=r"too few nodes .* http_503"):
        await history.reserve_transfers(head - 2, head)
    await history.aclose()


async def test_the_smallest_range_any_node_takes_is_asked_for(front: Gateway, devchain: Devchain) -> None:
    """Of both."""
    known = devchain.deployment
    front.reply = refusing_wide_ranges(1)
    head = int(devchain.rpc("eth_blockNumber"), 16)
    history = open_history(known, known.url, front.url)

    assert len(await history.reserve_transfers(head - 2, head)) == 3
    await history.aclose()


async def test_receipts_show_the_same_past_as_the_logs(front: Gateway, devchain: Devchain) -> None:
    """Each transaction by itself, in the order of the chain; of two nodes where two are configured."""
    known = devchain.deployment
    history, head = open_history(known), int(devchain.rpc("eth_blockNumber"), 16)
    left, came = await history.reserve_transfers(0, head), await history.reserve_arrivals(0, head)
    filled = Hash(devchain.transfers()[0].tx_hash)
    hashes = [filled, *(each.tx_hash for each in reversed(left))]

    assert await history.moves_of(hashes) == (left, came)
    assert await history.moves_of([left[0].tx_hash]) == (left[:1], [])
    with pytest.raises(NoSuchTransaction, match="no receipt"):
        await history.moves_of([a_hash("nowhere"), filled])
    await history.aclose()
    both = open_history(known, known.url, front.url)
    assert await both.moves_of(hashes) == (left, came)
    front.reply = passed_on(on(1, saying({"transactionHash": left[0].tx_hash, "logs": []})))
    with pytest.raises(ChainUnavailable, match="disagree about the receipts"):
        await both.moves_of([left[0].tx_hash])
    front.reply = passed_on(on(1, saying({"transactionHash": filled, "logs": []})))
    with pytest.raises(ChainUnavailable, match="too few nodes"):
        await both.moves_of([left[0].tx_hash])
    await both.aclose()


async def test_a_transaction_the_node_does_not_know_is_no_origin(front: Gateway, devchain: Devchain) -> None:
    """Nor is another one than was asked for."""
    history = open_history(devchain.deployment, front.url)
    transfer = (await history.reserve_transfers(0, int(devchain.rpc("eth_blockNumber"), 16)))[-1]

    with pytest.raises(ChainUnavailable):
        await history.transaction_details([a_hash("nowhere")])
    front.reply = passed_on(on(1, saying({"hash": a_hash("another")})))
    with pytest.raises(ChainUnavailable):
        await history.transaction_details([transfer.tx_hash])
    await history.aclose()


async def test_two_nodes_must_say_alike_what_a_transaction_asked_for(front: Gateway, devchain: Devchain) -> None:
    """By one node's word another order was called paid, and the one that was paid was new and paid again."""
    known = devchain.deployment
    both = open_history(known, known.url, front.url)
    tx_hash = (await both.reserve_transfers(0, int(devchain.rpc("eth_blockNumber"), 16)))[-1].tx_hash
    said = (await both.transaction_details([tx_hash]))[tx_hash]
    liar = {"hash": tx_hash, "from": said.sender, "nonce": hex(said.nonce), "to": said.to, "input": "0x"}

    front.reply = passed_on(on(1, saying(liar)))
    with pytest.raises(ChainUnavailable, match="disagree about what transactions asked for"):
        await both.transaction_details([tx_hash])
    await both.aclose()
    front.reply = passed_on(on(1, saying(None)))
    both = open_history(known, known.url, front.url)
    with pytest.raises(NoSuchTransaction, match="knows no transaction"):
        await both.transaction_details([tx_hash])
    await both.aclose()


async def test_a_transfer_of_nothing_is_no_outflow(devchain: Devchain) -> None:
    """The token lets anybody make one in the reserve's name, and on busy chains somebody does."""
    known = devchain.deployment
    before = int(devchain.rpc("eth_blockNumber"), 16)
    token = devchain._token.functions.transferFrom(known.reserve, known.customers[1], 0)
    devchain._do(token, known.customers[1])
    history = open_history(known)

    found = await history.reserve_transfers(before, int(devchain.rpc("eth_blockNumber"), 16))
    await history.aclose()

    assert devchain.payouts()[-1].amount_units == 0
    assert [each for each in found if each.block.number > before] == []


async def test_a_creation_of_a_contract_has_no_addressee(devchain: Devchain) -> None:
    """Its call data are code, and no distribution."""
    tx_hash = devchain.rpc("eth_sendTransaction", {"from": devchain.deployment.admin, "data": "0x00"})
    name = Hash(f"0x{bytes(tx_hash).hex()}" if isinstance(tx_hash, bytes) else tx_hash)
    history = open_history(devchain.deployment)

    details = (await history.transaction_details([name]))[name]
    await history.aclose()

    assert (details.to, details.distribution) == (None, None)


def test_call_data_that_only_begin_like_a_distribution_are_none() -> None:
    """A person looks at what nobody can read."""
    whole = FakeWorld().chain.pay(an_order(FakeWorld().places.customer))

    assert read_distribution(whole.data) is not None
    assert read_distribution(whole.data[:-40]) is None
    assert read_distribution(b"") is None
