"""Several nodes, real servers all of them: which one answers, and what becomes of the others."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from devstack import paths, servers
from devstack.contracts import OPERATOR_KEY, Devchain
from distributor.chain.polygon import Polygon
from distributor.chain_types import Call, Claim, Mark
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Address, Fees, Hash, SubmitOutcome
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.signing.signer import LocalSigner
from distributor.units import Wei
from tests.contract.chains import an_order
from tests.fakes.clock import FrozenClock
from tests.integration.gateway import (
    Gateway,
    Reply,
    cut_short,
    failing,
    gateway,
    missing,
    on,
    passed_on,
    redirected,
    said,
    saying,
    silent,
)

GWEI = 10**9
FEES = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(30 * GWEI))
LEGACY = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(60 * GWEI), dynamic=False)
TIMEOUT_S = 0.5
KEY = "v2/s3cr3tk3y"

# Places of the calls in a batch: the chain id is always first.
SURVEY_NONCE, SURVEY_FINALIZED, SURVEY_HISTORY, SURVEY_TIP = 1, 3, 10, 11
OBSERVE_NONCE, OBSERVE_HEAD, OBSERVE_RECEIPT = 1, 2, 4

OTHER_CHAIN = passed_on(on(0, saying("0x1")))


class Setup:
    """Two gateways to one real node, and the adapter that knows both."""

    def __init__(self, devchain: Devchain, gateways: Sequence[Gateway], clock: FrozenClock) -> None:
        known = devchain.deployment
        self.devchain, self.clock, self.operator, self.customer = devchain, clock, known.operator, known.customers[0]
        self.first, self.second = gateways
        devchain.set_automine(enabled=False)
        self.chain = self.open([each.url for each in gateways])

    def open(self, urls: Sequence[str], *, token: Address | None = None) -> Polygon:
        """Open the adapter on other URLs, or with another token."""
        known = self.devchain.deployment
        return Polygon(
            [f"{url}/{KEY}" for url in urls],
            chain_id=known.chain_id,
            token=token or known.token,
            authority=known.authority,
            reserve=known.reserve,
            timeout_s=TIMEOUT_S,
            clock=self.clock,
        )

    async def paying(self, order_id: str = "1001") -> SignedTransaction:
        call = self.chain.pay(an_order(self.customer, order_id=order_id))
        nonce = self.devchain.nonce_of(self.operator)
        unsigned = UnsignedTransaction(
            chain_id=self.devchain.deployment.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=FEES
        )
        return await LocalSigner(OPERATOR_KEY).sign(unsigned)

    async def answered_by(self) -> str:
        return (await self.chain.pre_bind_snapshot(self.operator)).node


@pytest.fixture
async def setup(devchain: Devchain, clock: FrozenClock) -> AsyncIterator[Setup]:
    """Both gateways are well until a test says otherwise; all connections are closed at the end."""
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(gateway(devchain.deployment.url)) for _ in range(2)]
        made = Setup(devchain, gateways, clock)
        stack.push_async_callback(made.chain.aclose)
        yield made


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the structured lines of the log."""
    return [json.loads(record.message) for record in caplog.records if record.name.startswith("distributor")]


TROUBLES: dict[str, tuple[Reply, str]] = {
    "429": (said(429, b"slow down"), "rate_limited"),
    "500": (said(500, b"oops"), "http_500"),
    "403 with JSON": (said(403, b'{"error": {"code": -32051}}', "application/json"), "http_403"),
    "HTML": (said(200, b"<html>welcome</html>"), "garbled"),
    "redirect": (redirected(), "garbled"),
    "empty": (said(200, b""), "garbled"),
    "truncated": (cut_short(), "garbled"),
    "no UTF-8": (said(200, b"\xff[]"), "garbled"),
    "a number": (said(200, b"7", "application/json"), "garbled"),
    "list of junk": (said(200, b'[1, "x", null]', "application/json"), "garbled"),
    "mixed ids": (said(200, b'[{"id": 1}, {"id": "x"}]', "application/json"), "garbled"),
    "one error for all": (
        passed_on(lambda _: {"error": {"code": -32005, "message": "limit"}}),
        "rate_limited",
    ),
    "one word for all": (said(200, b'{"error": "backend gone"}', "application/json"), "failed"),
    "no answer": (passed_on(lambda _: []), "incomplete"),
    "silence": (silent(), "timeout"),
    "wrong chain": (OTHER_CHAIN, "wrong_chain"),
    "no nonce": (passed_on(on(SURVEY_NONCE, missing)), "incomplete"),
    "null nonce": (passed_on(on(SURVEY_NONCE, saying(None))), "incomplete"),
    "odd nonce": (passed_on(on(SURVEY_NONCE, saying(7))), "garbled"),
    "nonce rate-limited": (passed_on(on(SURVEY_NONCE, failing(-32000, "Too Many Requests"))), "rate_limited"),
    "nonce failed": (passed_on(on(SURVEY_NONCE, failing(-32000, "header not found"))), "failed"),
}


# failover ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_node_in_trouble_is_set_aside_and_the_next_one_answers(
    setup: Setup, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Whatever it says: the answer comes whole from the other node, and the log says why without the URL."""
    setup.first.reply, reason = TROUBLES[name]
    first, second = setup.chain.nodes

    assert await setup.answered_by() == second
    assert await setup.answered_by() == second
    assert [len(batch) for batch in setup.first.batches] == ([13, 6, 3, 1] if name == "one word for all" else [13])
    (line,) = events(caplog)
    assert (line["event"], line["node"], line["trouble"]) == ("node_set_aside", first, reason)
    assert KEY not in caplog.text


async def test_a_closed_port_is_a_node_in_trouble(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing listens on the discard port."""
    chain = setup.open(["http://127.0.0.1:9", setup.second.url])
    snapshot = await chain.pre_bind_snapshot(setup.operator)
    await chain.aclose()

    assert snapshot.node == setup.chain.nodes[1]
    assert [line["trouble"] for line in events(caplog)] == ["unreachable"]


async def test_the_pause_doubles_up_to_a_minute_and_ends_with_an_answer(setup: Setup) -> None:
    """1, 2, 4 … 60 s by the clock that was passed in; a good answer starts it afresh."""
    setup.first.reply = said(500)
    pauses_ms = []
    for _ in range(8):
        await setup.answered_by()
        node = setup.chain._nodes._nodes[0]
        pauses_ms.append(node.pause_ms)
        setup.clock.advance(node.pause_ms - 1)
        assert await setup.answered_by() == setup.chain.nodes[1]
        setup.clock.advance(1)
    asked = len(setup.first.batches)
    setup.first.reply = passed_on()
    healed = await setup.answered_by()
    setup.first.reply = said(500)
    await setup.answered_by()

    assert pauses_ms == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert asked == 8
    assert healed == setup.chain.nodes[0]
    assert setup.chain._nodes._nodes[0].pause_ms == 1_000


async def test_when_all_are_set_aside_the_next_one_due_is_asked_anyway(setup: Setup) -> None:
    """One request, not one for each node: waiting is cheaper than hammering."""
    setup.first.reply = setup.second.reply = said(503)
    with pytest.raises(ChainUnavailable):
        await setup.answered_by()
    setup.first.reply = passed_on()

    assert await setup.answered_by() == setup.chain.nodes[0]
    assert (len(setup.first.batches), len(setup.second.batches)) == (2, 1)


async def test_an_error_names_the_hosts_and_their_trouble_and_nothing_else(setup: Setup) -> None:
    """The message goes into logs and alarms."""
    setup.first.reply, setup.second.reply = said(429), silent()
    with pytest.raises(ChainUnavailable) as raised:
        await setup.answered_by()

    first, second = setup.chain.nodes
    assert str(raised.value) == f"No node answered ({first}: rate_limited; {second}: timeout)."
    with pytest.raises(ChainUnavailable, match=rf"{first}: rate_limited; {second}: timeout"):
        await setup.chain.pool_views([setup.operator])


async def test_only_nodes_of_another_chain_are_a_wrong_setting(setup: Setup) -> None:
    """Not weather: a person must look. Whichever question a round asks first; also once both are set aside."""
    setup.first.reply = setup.second.reply = OTHER_CHAIN
    for _ in range(2):
        with pytest.raises(WrongChain):
            await setup.chain.pool_views([setup.operator])
        with pytest.raises(WrongChain):
            await setup.answered_by()
    setup.clock.advance(60_000)
    setup.second.reply = said(500)

    with pytest.raises(ChainUnavailable):
        await setup.answered_by()


# lag ---------------------------------------------------------------------------------------------


async def test_a_lagging_node_is_passed_over_while_another_is_better(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    """Six blocks behind the best head seen is too far, five is not."""
    setup.devchain.mine(10)
    head = (await setup.chain.pre_bind_snapshot(setup.operator)).head
    block = {"number": hex(head.number - 5), "hash": head.block_hash, "baseFeePerGas": "0x1"}
    setup.first.reply = passed_on(on(OBSERVE_HEAD, saying(block)))
    near = await setup.chain.snapshot([setup.operator], [], [])
    setup.first.reply = passed_on(on(OBSERVE_HEAD, saying({**block, "number": hex(head.number - 6)})))
    far = await setup.chain.snapshot([setup.operator], [], [])

    assert [near.node, far.node] == list(setup.chain.nodes)
    assert [(line["node"], line["trouble"]) for line in events(caplog)] == [(near.node, "lagging")]


async def test_the_freshest_of_lagging_nodes_answers(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """When all are behind, the chain itself went back; nobody is to blame, and the best head is a new one."""
    setup.devchain.mine(20)
    head = (await setup.chain.pre_bind_snapshot(setup.operator)).head
    block = {"hash": head.block_hash, "baseFeePerGas": "0x1"}
    setup.first.reply = passed_on(on(OBSERVE_HEAD, saying({**block, "number": hex(head.number - 9)})))
    setup.second.reply = passed_on(on(OBSERVE_HEAD, saying({**block, "number": hex(head.number - 8)})))
    freshest = await setup.chain.snapshot([setup.operator], [], [])
    after = await setup.chain.snapshot([setup.operator], [], [])

    assert [freshest.node, after.node] == [setup.chain.nodes[1], setup.chain.nodes[0]]
    assert events(caplog) == []


async def test_a_lagging_node_is_used_while_the_other_is_down(setup: Setup) -> None:
    """Old facts are better than none; finality guards what is done with them."""
    setup.devchain.mine(10)
    head = (await setup.chain.pre_bind_snapshot(setup.operator)).head
    block = {"number": hex(head.number - 8), "hash": head.block_hash, "baseFeePerGas": "0x1"}
    setup.first.reply = passed_on(on(OBSERVE_HEAD, saying(block)))
    setup.second.reply = said(500)

    seen = await setup.chain.snapshot([setup.operator], [], [])

    assert (seen.node, seen.head.number) == (setup.chain.nodes[0], head.number - 8)


# one batch, each item its own --------------------------------------------------------------------


async def test_a_reading_is_one_request_on_one_connection(setup: Setup) -> None:
    """Survey, simulation, observation and submission: one HTTP request each, the nonces first."""
    pay = await setup.paying()
    await setup.chain.pre_bind_snapshot(setup.operator)
    await setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)] * 3)
    await setup.chain.submit([pay.raw])
    await setup.chain.snapshot([setup.operator], [pay.tx_hash], [1, 2])
    await setup.chain.words([Claim(pay.tx_hash, 0)], node=setup.chain.nodes[0], mark=Mark(0, None))

    snapshot, simulation, submission, observation, receipt = setup.first.batches
    assert snapshot[:3] == ["eth_chainId", "eth_getTransactionCount", "eth_getBlockByNumber"]
    assert simulation == ["eth_chainId", *["eth_estimateGas"] * 3]
    assert submission == ["eth_chainId", "eth_sendRawTransaction"]
    assert observation[:3] == ["eth_chainId", "eth_getTransactionCount", "eth_getBlockByNumber"]
    assert receipt == ["eth_chainId", "eth_getTransactionReceipt", "eth_getBlockByNumber"]
    assert len(setup.first.connections) == 1


async def test_a_long_observation_is_cut_to_what_a_node_takes(setup: Setup) -> None:
    """Nodes refuse batches of more than 100 calls; the nonces stay in the first part."""
    hashes = [Hash(f"0x{number:064x}") for number in range(150)]

    seen = await setup.chain.snapshot([setup.operator], hashes, [0])

    assert [len(batch) for batch in setup.first.batches] == [100, 58]
    assert setup.first.batches[0][1] == "eth_getTransactionCount"
    assert list(seen.canonical) == [0]


@pytest.mark.parametrize(
    "edit",
    [lambda answers: answers[::-1], lambda answers: answers + answers, lambda answers: [{"id": 999}, *answers]],
    ids=["reversed", "twice", "with a stranger"],
)
async def test_answers_are_matched_by_their_id(setup: Setup, edit: Callable[[list[Any]], list[Any]]) -> None:
    """The protocol promises no order."""
    setup.first.reply = passed_on(edit)

    snapshot = await setup.chain.pre_bind_snapshot(setup.operator)

    assert snapshot.node == setup.chain.nodes[0]
    assert snapshot.gas_balance_wei == setup.devchain.gas_balance_of(setup.operator)


@pytest.mark.parametrize("change", [missing, saying(None), failing(-32000, "backend behind")])
async def test_a_receipt_that_is_not_given_is_absent(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """It says nothing; the rest of the observation is kept."""
    pay = await setup.paying()
    await setup.chain.submit([pay.raw])
    setup.devchain.mine()
    setup.first.reply = passed_on(on(OBSERVE_RECEIPT, change))

    seen = await setup.chain.snapshot([setup.operator], [pay.tx_hash], [])

    assert (seen.node, seen.receipts) == (setup.chain.nodes[0], {})
    assert seen.nonces[setup.operator] == setup.devchain.nonce_of(setup.operator)


@pytest.mark.parametrize(
    ("place", "reason"), [(OBSERVE_NONCE, "incomplete"), (OBSERVE_HEAD, "incomplete")], ids=["nonce", "head"]
)
async def test_an_observation_without_nonce_or_head_is_none(
    setup: Setup, caplog: pytest.LogCaptureFixture, place: int, reason: str
) -> None:
    """The next node is asked for the whole of it."""
    setup.first.reply = passed_on(on(place, missing))

    seen = await setup.chain.snapshot([setup.operator], [], [])

    assert seen.node == setup.chain.nodes[1]
    assert [line["trouble"] for line in events(caplog)] == [reason]


ODD_RECEIPTS: dict[str, dict[str, Any]] = {
    "another transaction's": {"transactionHash": "0x" + "cd" * 32},
    "no status": {"status": None},
    "no logs": {"logs": None},
    "a text for logs": {"logs": "0x"},
    "no gas": {"gasUsed": None},
    "a block hash that is none": {"blockHash": "0x12"},
}


@pytest.mark.parametrize("name", ODD_RECEIPTS)
async def test_a_receipt_that_cannot_be_read_says_nothing_and_voids_nothing(setup: Setup, name: str) -> None:
    """The other receipt is read; this one is neither there nor absent, and is no word of a witness."""
    pay = await setup.paying()
    await setup.chain.submit([pay.raw])
    setup.devchain.mine()
    other = await setup.paying("1002")
    await setup.chain.submit([other.raw])
    setup.devchain.mine()
    edit = on(4, lambda answer: {**answer, "result": {**answer["result"], **ODD_RECEIPTS[name]}})
    setup.first.reply = passed_on(edit)
    seen = await setup.chain.snapshot([setup.operator], [pay.tx_hash, other.tx_hash], [])
    number = seen.receipts[other.tx_hash].block.number
    setup.first.reply = passed_on(
        on(1, lambda answer: {**answer, "result": {**answer["result"], **ODD_RECEIPTS[name]}})
    )
    words = await setup.chain.words([Claim(pay.tx_hash, number - 1), Claim(other.tx_hash, number)], node=seen.node)

    assert seen.node == setup.chain.nodes[0]
    assert seen.unreadable == {pay.tx_hash}
    assert list(seen.receipts) == list(words) == [other.tx_hash]


async def test_a_word_is_asked_for_after_the_nodes_own_mark(setup: Setup) -> None:
    """Two requests, one after the other: a batch may be answered in any order. One where the mark is known."""
    pay = await setup.paying()
    await setup.chain.submit([pay.raw])
    setup.devchain.mine(3)
    seen = await setup.chain.snapshot([setup.operator], [pay.tx_hash], [])
    receipt = seen.receipts[pay.tx_hash]
    claim, unknown = Claim(pay.tx_hash, receipt.block.number), Claim(Hash("0x" + "00" * 32), receipt.block.number)
    said = await setup.chain.words([claim, unknown], node=setup.chain.nodes[1])
    again = await setup.chain.words([claim], node=setup.chain.nodes[0], mark=seen.mark)

    _, mark, asked = setup.second.batches
    assert mark == ["eth_chainId", *["eth_getBlockByNumber"] * 2]
    assert asked == ["eth_chainId", *["eth_getTransactionReceipt"] * 2, "eth_getBlockByNumber"]
    assert len(setup.first.batches) == 3  # the submission and the observation are two of them
    assert said[claim.tx_hash].receipt == receipt
    assert said[claim.tx_hash].canonical == receipt.block.block_hash
    assert said[claim.tx_hash].mark == seen.mark
    assert said[unknown.tx_hash].receipt is None
    assert again[claim.tx_hash] == replace(said[claim.tx_hash], node=setup.chain.nodes[0])


@pytest.mark.parametrize("change", [missing, failing(-32000, "backend behind")])
async def test_a_word_that_is_not_given_is_silence(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Not "no receipt", and no trouble of what is said beside it. Nor is "no receipt" below the height a word."""
    head = (await setup.chain.pre_bind_snapshot(setup.operator)).head
    nowhere, later = Claim(Hash("0x" + "00" * 32), head.number), Claim(Hash("0x" + "11" * 32), head.number + 1)
    setup.first.reply = passed_on(on(1, change))
    silent = await setup.chain.words([nowhere, later], node=setup.chain.nodes[0], mark=Mark(head.number, None))
    setup.first.reply = passed_on()
    said = await setup.chain.words([nowhere, later], node=setup.chain.nodes[0], mark=Mark(head.number, None))

    assert silent == {}
    assert list(said) == [nowhere.tx_hash]
    assert said[nowhere.tx_hash].receipt is None


async def test_answers_without_ids_are_no_answers(setup: Setup) -> None:
    """web3 would take them in the order in which they came."""
    setup.first.reply = passed_on(lambda answers: [{**answer, "id": None} for answer in answers])
    with pytest.warns(RuntimeWarning, match="missing `id`"):
        snapshot = await setup.chain.pre_bind_snapshot(setup.operator)

    assert snapshot.node == setup.chain.nodes[1]


@pytest.mark.parametrize("change", [saying(None), failing(-32000, "finalized block not found"), missing])
async def test_a_node_without_finality_says_so(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Not final yet, and no failure."""
    setup.first.reply = passed_on(on(SURVEY_FINALIZED, change))

    snapshot = await setup.chain.pre_bind_snapshot(setup.operator)

    assert (snapshot.node, snapshot.finalized_number) == (setup.chain.nodes[0], None)


async def test_fees_are_read_without_fee_history_and_tip(setup: Setup) -> None:
    """The head's own base fee then; the floor of our limits holds the tip."""
    usual = (await setup.chain.pre_bind_snapshot(setup.operator)).market
    no_method = failing(-32601, "the method does not exist")
    setup.first.reply = passed_on(lambda answers: on(SURVEY_HISTORY, no_method)(on(SURVEY_TIP, no_method)(answers)))
    snapshot = await setup.chain.pre_bind_snapshot(setup.operator)

    assert snapshot.node == setup.chain.nodes[0]
    assert snapshot.market.base_fee_wei is not None
    assert usual.base_fee_wei is not None
    assert snapshot.market.base_fee_wei > usual.base_fee_wei, "the next block's is lower: blocks here are empty"
    assert snapshot.market.tip_wei == 0


@pytest.mark.usefixtures("anvil_server")  # which says what to do where there is no anvil
async def test_a_chain_without_base_fee_takes_legacy_transactions(clock: FrozenClock) -> None:
    """A real node of the time before EIP-1559."""
    command = [
        str(paths.installed(paths.foundry("anvil"))),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--hardfork",
        "berlin",
    ]
    signer = LocalSigner(OPERATOR_KEY)
    with servers.child("anvil", command) as node:
        url = servers.wait_until_said(node, r"Listening on (127\.0\.0\.1:\d+)")[1]
        nobody = signer.address
        chain = Polygon(
            [f"http://{url}"], chain_id=31337, token=nobody, authority=nobody, reserve=nobody, timeout_s=5, clock=clock
        )
        snapshot = await chain.pre_bind_snapshot(signer.address)
        unsigned = UnsignedTransaction(
            chain_id=31337, nonce=0, call=Call(to=nobody, data=b""), gas_limit=21_000, fees=LEGACY
        )
        (said_legacy,) = await chain.submit([(await signer.sign(unsigned)).raw])
        (said_dynamic,) = await chain.submit([(await signer.sign(replace(unsigned, nonce=1, fees=FEES))).raw])
        await chain.aclose()

    assert snapshot.market.base_fee_wei is None
    assert snapshot.market.gas_price_wei > 0
    assert said_legacy.outcome == SubmitOutcome.ACCEPTED
    assert said_dynamic.outcome == SubmitOutcome.REFUSED


async def test_a_contract_that_is_no_token_is_no_token(setup: Setup) -> None:
    """TOKEN_ADDRESS names the Authority by mistake: it has code, and knows no balances."""
    chain = setup.open([setup.first.url], token=setup.devchain.deployment.authority)
    snapshot = await chain.pre_bind_snapshot(setup.operator)
    await chain.aclose()

    assert not snapshot.token_has_code
    assert snapshot.reserve_units == 0


# simulate and receipt ----------------------------------------------------------------------------


CANNOT_SAY = [failing(-32603, "Internal error"), missing, saying(None), failing(-32005, "limit exceeded")]


@pytest.mark.parametrize("change", CANNOT_SAY)
async def test_a_node_that_cannot_simulate_is_never_a_revert(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """An order would be held for it: the next node is asked, and then nobody is."""
    setup.first.reply = passed_on(on(1, change))
    (simulation,) = await setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)])
    setup.second.reply = setup.first.reply

    assert simulation.revert is None
    with pytest.raises(ChainUnavailable):
        await setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)])


@pytest.mark.parametrize("change", CANNOT_SAY[:3])
async def test_one_call_that_cannot_be_simulated_voids_no_other(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """It is unknown, neither a figure nor a refusal; the node stays in use."""
    setup.first.reply = passed_on(on(2, change))
    first, second, third = await setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)] * 3)

    assert (first.unknown, second.gas, second.revert, third.unknown) == ("", 0, None, "")
    assert second.unknown
    assert first.gas == third.gas > 0
    setup.first.reply = passed_on()
    assert await setup.answered_by() == setup.chain.nodes[0]


async def test_a_node_that_takes_the_call_alone_is_asked_so(setup: Setup) -> None:
    """Some nodes refuse a block beside the call of eth_estimateGas."""
    bodies: list[bytes] = []

    def strict(answers: list[dict[str, Any]]) -> Any:
        refusal = failing(-32602, "too many arguments, want at most 1")
        return [refusal(answer) if answer["id"] else answer for answer in answers] if len(bodies) == 1 else answers

    async def reply(front: Gateway, body: bytes) -> Any:
        bodies.append(body)
        return await passed_on(strict)(front, body)

    setup.first.reply = reply
    simulations = await setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)] * 2)

    assert all(simulation.gas for simulation in simulations)
    assert [len(call["params"]) for call in json.loads(bodies[1])[1:]] == [1, 1]
    assert setup.second.batches == []


async def test_a_named_node_is_the_only_one_asked(setup: Setup) -> None:
    """A second opinion from the first node would not count; and while the second is set aside there is none."""
    setup.second.reply = said(500)
    ask: list[Awaitable[object]] = [
        setup.chain.simulate(setup.operator, [setup.chain.probe(setup.operator)], node=setup.chain.nodes[1]),
        setup.chain.words([Claim(Hash("0x" + "00" * 32), 0)], node=setup.chain.nodes[1]),
    ]
    for each in ask:
        with pytest.raises(ChainUnavailable):
            await each

    assert (setup.first.batches, len(setup.second.batches)) == ([], 1)


# submit ------------------------------------------------------------------------------------------


async def test_bytes_go_to_every_healthy_node(setup: Setup) -> None:
    """Both gateways lead to one pool: one says accepted, and that is what counts."""
    pay = await setup.paying()

    (submitted,) = await setup.chain.submit([pay.raw])

    assert submitted.outcome == SubmitOutcome.ACCEPTED
    assert submitted.node in setup.chain.nodes
    assert [len(setup.first.batches), len(setup.second.batches)] == [1, 1]
    setup.devchain.mine()
    assert len(setup.devchain.payouts()) == 1


@pytest.mark.parametrize("name", ["429", "truncated", "silence", "wrong chain", "list of junk"])
async def test_one_good_node_is_enough_to_submit(setup: Setup, name: str) -> None:
    """The trouble of the other is no outcome, whether its node acted or not."""
    setup.first.reply = TROUBLES[name][0]
    pay = await setup.paying()

    (submitted,) = await setup.chain.submit([pay.raw])

    assert submitted.outcome in {SubmitOutcome.ACCEPTED, SubmitOutcome.ALREADY_KNOWN, SubmitOutcome.NONCE_TOO_LOW}
    assert submitted.node == setup.chain.nodes[1]
    setup.devchain.mine()
    assert len(setup.devchain.payouts()) == 1


async def test_a_lost_answer_is_unknown_and_mended_by_the_same_bytes(setup: Setup) -> None:
    """The node acted and the answer was cut: nothing raises, and nothing is paid twice."""
    pay = await setup.paying()
    setup.first.reply = setup.second.reply = cut_short()
    (lost,) = await setup.chain.submit([pay.raw])
    setup.first.reply = setup.second.reply = passed_on()
    (again,) = await setup.chain.submit([pay.raw])

    assert lost.outcome == SubmitOutcome.UNKNOWN
    assert again.outcome in {SubmitOutcome.ALREADY_KNOWN, SubmitOutcome.NONCE_TOO_LOW}
    setup.devchain.mine()
    assert len(setup.devchain.payouts()) == 1


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (missing, SubmitOutcome.UNKNOWN),
        (saying("0x" + "ab" * 32), SubmitOutcome.UNKNOWN),
        (failing(-32000, "tx fee (9.00 ether) exceeds the configured cap (5.00 ether)"), SubmitOutcome.REFUSED),
        (failing(-32000, "already known"), SubmitOutcome.ALREADY_KNOWN),
        (failing(-32000, "never heard of"), SubmitOutcome.UNKNOWN),
    ],
)
async def test_each_raw_has_the_outcome_of_its_own_item(
    setup: Setup, change: Callable[[dict[str, Any]], dict[str, Any] | None], outcome: SubmitOutcome
) -> None:
    """One item in trouble takes nothing from the next; a node that names another hash has said nothing."""
    first, second = await setup.paying(), await setup.paying("1002")
    setup.first.reply = setup.second.reply = passed_on(on(1, change))

    submitted = await setup.chain.submit([first.raw, second.raw])

    assert [one.outcome for one in submitted] == [outcome, SubmitOutcome.UNDERPRICED]


async def test_a_refusal_for_its_nonce_blames_no_node(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """The node is right: the bytes were mined before."""
    pay = await setup.paying()
    await setup.chain.submit([pay.raw])
    setup.devchain.mine()
    (again,) = await setup.chain.submit([pay.raw])

    assert again.outcome == SubmitOutcome.NONCE_TOO_LOW
    assert events(caplog) == []


# secrets and closing -----------------------------------------------------------------------------


async def test_no_url_is_ever_logged(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """web3 would log it when it disconnects; a key in a log is a key given away."""
    caplog.set_level(logging.DEBUG)
    setup.first.reply = said(429)
    await setup.answered_by()
    await setup.chain.aclose()

    assert KEY not in caplog.text
    assert [line["event"] for line in events(caplog)] == ["node_set_aside"]


async def test_a_closed_chain_holds_no_connection(setup: Setup) -> None:
    """Warnings of sessions left open are errors here."""
    await setup.answered_by()
    sessions = [
        session
        for node in setup.chain._nodes._nodes
        for _, session in node._provider._request_session_manager.session_cache.items()  # type: ignore[attr-defined]
    ]
    await setup.chain.aclose()

    assert len(sessions) == 1
    assert all(session.closed for session in sessions)
