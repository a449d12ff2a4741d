"""The proxy in front of a real anvil: a Polygon node's rules and texts, and each fault of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, ServerDisconnectedError
from eth_account import Account

from devstack import servers
from devstack.bor.faults import Fault, Kind, fault
from devstack.bor.offer import Refused, read
from devstack.bor.proxy import BorProxy, bor_proxy
from devstack.bor.view import Finality
from devstack.contracts import OPERATOR_KEY, Devchain
from distributor.units import Wei

GWEI = 10**9
GAS = 50_000
OPERATOR = Account.from_key(OPERATOR_KEY)


@dataclass(frozen=True)
class Wire:
    """A client, the proxy it talks to, and the chain behind."""

    proxy: BorProxy
    devchain: Devchain
    session: ClientSession

    async def post(self, *calls: tuple[str, Sequence[Any]]) -> list[dict[str, Any]]:
        """Post a batch and return its answers as they came."""
        batch = [
            {"jsonrpc": "2.0", "id": at, "method": method, "params": params}
            for at, (method, params) in enumerate(calls)
        ]
        async with self.session.post(self.proxy.url, json=batch) as response:
            answers: list[dict[str, Any]] = await response.json()
            return answers

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call, or the text of its error."""
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        async with self.session.post(self.proxy.url, json=body) as response:
            answer = await response.json()
        assert answer["id"] == 7
        return answer["result"] if "result" in answer else answer["error"]["message"]

    async def send(self, nonce: int = 0, **fields: Any) -> str:
        """Submit a transaction of the operator; return its hash, or the refusal."""
        return str(await self.call("eth_sendRawTransaction", self.signed(nonce, **fields)))

    def signed(self, nonce: int = 0, *, max_fee: float = 60, tip: float = 30, **fields: Any) -> str:
        """Sign a transfer of nothing, *nonce* after the operator's next one."""
        transaction = {
            "chainId": self.devchain.deployment.chain_id,
            "nonce": self.devchain.nonce_of(self.devchain.deployment.operator) + nonce,
            "to": self.devchain.deployment.customers[0],
            "value": 0,
            "gas": GAS,
            "maxFeePerGas": int(max_fee * GWEI),
            "maxPriorityFeePerGas": int(tip * GWEI),
            **fields,
        }
        return str(OPERATOR.sign_transaction(transaction).raw_transaction.to_0x_hex())

    def pooled(self) -> list[str]:
        return [offer.tx_hash for offer in self.proxy.node.pool]

    async def mine(self, base_fee: float, blocks: int = 1) -> None:
        """Make blocks with this base fee, in gwei."""
        for _ in range(blocks):
            self.devchain.set_next_base_fee(Wei(int(base_fee * GWEI)))
            await self.proxy.mine()

    @property
    def nonce(self) -> int:
        return self.devchain.nonce_of(self.devchain.deployment.operator)


@pytest.fixture
async def wire(devchain: Devchain) -> AsyncIterator[Wire]:
    """A proxy without faults in front of a chain that mines when asked to."""
    devchain.set_automine(enabled=False)
    async with (
        bor_proxy(devchain.deployment.url, seed=1) as proxy,
        ClientSession(timeout=ClientTimeout(total=5)) as session,
    ):
        yield Wire(proxy, devchain, session)


def is_hash(said: str) -> bool:
    """Say whether the node took it."""
    return said.startswith("0x") and len(said) == 66


# what a pool takes ---------------------------------------------------------------------------------


async def test_a_transaction_goes_through_to_a_block(wire: Wire) -> None:
    """Taken, minable, mined; its receipt comes from the real node."""
    before = wire.nonce
    tx_hash = await wire.send()
    await wire.mine(1)

    assert is_hash(tx_hash)
    assert wire.nonce == before + 1
    assert (await wire.call("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"
    assert wire.pooled() == []


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "tip under the floor": (
        {"tip": 24.999},
        "transaction gas price below minimum: gas tip cap 24999000000, minimum needed 25000000000",
    ),
    "over the fee cap": (
        {"gas": 1_000_000, "max_fee": 5_001},
        "tx fee (5.00 ether) exceeds the configured cap (5.00 ether)",
    ),
    "tip over the fee": ({"max_fee": 40, "tip": 41}, "max priority fee per gas higher than max fee per gas"),
    "too little gas": ({"gas": 20_999}, "intrinsic gas too low: gas 20999, minimum needed 21000"),
    "gas under the floor of its data": (
        {"gas": 62_000, "data": "0x" + "01" * 1_050},
        "insufficient gas for floor data gas cost: gas 62000, minimum needed 63000",
    ),
    "more gas than a block": ({"gas": 30_000_001}, "exceeds block gas limit"),
    "more gas than a transaction may": (
        {"gas": 2**25 + 1},
        "transaction gas limit too high (cap: 33554432, tx: 33554433)",
    ),
    "other chain": ({"chainId": 1}, "invalid sender: invalid chain id for signer: have 1 want 31337"),
    "more than it has": (
        {"value": 10**30},
        "insufficient funds for gas * price + value: balance ",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_has_the_nodes_code_and_text(wire: Wire, name: str) -> None:
    """Code -32000 and the text of the source, numbers included; nothing is held."""
    fields, text = REFUSALS[name]
    (answer,) = await wire.post(("eth_sendRawTransaction", [wire.signed(**fields)]))

    assert answer["error"]["code"] == -32000
    assert answer["error"]["message"].startswith(text)
    assert wire.pooled() == []


async def test_a_price_at_the_fee_cap_is_taken(wire: Wire) -> None:
    """More than 5 POL is refused, 5 POL is not."""
    assert is_hash(await wire.send(gas=1_000_000, max_fee=5_000))


async def test_a_tip_at_the_floor_is_taken(wire: Wire) -> None:
    """25 gwei are enough."""
    assert is_hash(await wire.send(tip=25))


async def test_bytes_the_pool_holds_are_already_known(wire: Wire) -> None:
    """The same bytes again: known, and held once."""
    await wire.send()

    assert await wire.send() == "already known"
    assert len(wire.pooled()) == 1


async def test_bytes_that_were_mined_have_a_nonce_too_low(wire: Wire) -> None:
    """With both numbers, as the node says it."""
    raw, nonce = wire.signed(), wire.nonce
    await wire.call("eth_sendRawTransaction", raw)
    await wire.mine(1)

    assert await wire.call("eth_sendRawTransaction", raw) == (
        f"nonce too low: next nonce {nonce + 1}, tx nonce {nonce}"
    )


@pytest.mark.parametrize(
    ("max_fee", "tip", "taken"),
    [(66, 33, True), (66, 32.9, False), (65.9, 33, False), (66, 30, False), (60, 33, False), (120, 60, True)],
)
async def test_a_replacement_must_offer_a_tenth_more_in_both_fields(
    wire: Wire, max_fee: float, tip: float, *, taken: bool
) -> None:
    """Over 60 and 30 gwei; anvil alone would be content with one wei."""
    first = await wire.send()
    said = await wire.send(max_fee=max_fee, tip=tip)

    assert is_hash(said) if taken else said == "replacement transaction underpriced"
    assert wire.pooled() == ([said] if taken else [first])


async def test_all_that_waits_must_be_affordable_together(wire: Wire) -> None:
    """The queued cost counts; a replacement counts with what it adds."""
    wire.devchain.set_balance(wire.devchain.deployment.operator, Wei(GAS * 130 * GWEI))
    first, second = await wire.send(0), await wire.send(1)
    third, bumped = await wire.send(2), await wire.send(1, max_fee=80, tip=40)

    assert is_hash(first)
    assert is_hash(second)
    assert third == (
        f"insufficient funds for gas * price + value: balance {GAS * 130 * GWEI}, queued cost {GAS * 120 * GWEI}, "
        f"tx cost {GAS * 60 * GWEI}, overshot {GAS * 50 * GWEI}"
    )
    assert bumped.endswith(f"tx bumped {GAS * 20 * GWEI}, overshot {GAS * 10 * GWEI}")


async def test_a_transaction_that_cannot_be_paid_for_any_more_is_dropped(wire: Wire) -> None:
    """At the next look at the chain, without a word."""
    tx_hash = await wire.send()
    wire.devchain.set_balance(wire.devchain.deployment.operator, Wei(GAS * 50 * GWEI))

    await wire.call("eth_blockNumber")

    assert (wire.pooled(), wire.proxy.node.pool.dropped) == ([], [tx_hash])


async def test_a_seventeenth_transaction_is_taken_and_lost(wire: Wire) -> None:
    """An account keeps its sixteen places in a crowded pool; the next is gone without a word and leaves a gap."""
    said = [await wire.send(at) for at in range(18)]

    assert all(map(is_hash, said))
    assert wire.pooled() == [*said[:16], said[17]]
    assert wire.proxy.node.pool.dropped == [said[16]]
    await wire.mine(1)
    assert await wire.call("eth_getTransactionByHash", said[16]) is None


async def test_a_roomy_pool_keeps_them_all(wire: Wire) -> None:
    """Sixteen places are what is sure, not what is possible."""
    await wire.call("proxy_setRules", {"crowded": False})
    said = [await wire.send(at) for at in range(18)]

    assert wire.pooled() == said


async def test_behind_a_gap_sixty_four_are_kept(wire: Wire) -> None:
    """They wait for the missing nonce; the sixty-fifth is lost."""
    before = wire.nonce
    raws = [wire.signed(at) for at in range(1, 66)]
    answers = await wire.post(*(("eth_sendRawTransaction", [raw]) for raw in raws))
    await wire.mine(1)
    stood = wire.nonce

    assert len(answers) == 65
    assert (stood, len(wire.pooled()), len(wire.proxy.node.pool.dropped)) == (before, 64, 1)
    await wire.call("proxy_setRules", {"crowded": False})
    await wire.send(0)
    await wire.mine(1)
    assert wire.nonce == before + 65


# what a producer takes -----------------------------------------------------------------------------


async def test_a_price_under_the_base_fee_waits_for_it_to_fall(wire: Wire) -> None:
    """Where anvil refuses it at the door and evicts it later, a Polygon pool keeps it."""
    wire.devchain.set_next_base_fee(Wei(70 * GWEI))
    before, tx_hash = wire.nonce, await wire.send()
    await wire.mine(70)
    await wire.mine(65)
    waiting = (wire.nonce, wire.pooled())
    await wire.mine(30)

    assert waiting == (before, [tx_hash])
    assert wire.nonce == before + 1


async def test_a_base_fee_that_rises_over_the_price_evicts_nothing(wire: Wire) -> None:
    """Handed to the producer already, it is taken back."""
    before, tx_hash = wire.nonce, await wire.send()
    await wire.mine(61, blocks=3)
    waiting = (wire.nonce, wire.pooled())
    await wire.mine(30)

    assert waiting == (before, [tx_hash])
    assert (await wire.call("eth_getTransactionReceipt", tx_hash))["status"] == "0x1"


async def test_a_producer_leaves_out_what_tips_too_little(wire: Wire) -> None:
    """Over the base fee, but with less than 25 gwei left for the producer."""
    before = wire.nonce
    await wire.send()
    await wire.mine(36)
    stood = wire.nonce
    await wire.mine(35)

    assert (stood, wire.nonce) == (before, before + 1)


async def test_those_behind_a_stuck_one_wait_for_it(wire: Wire) -> None:
    """A dear transaction does not overtake a cheap one of the same account."""
    before = wire.nonce
    await wire.send(0)
    await wire.send(1, max_fee=200)
    await wire.mine(50)
    stood = wire.nonce
    await wire.send(0, max_fee=100, tip=40)
    await wire.mine(50)

    assert (stood, wire.nonce) == (before, before + 2)


async def test_what_only_the_pool_has_is_pending(wire: Wire) -> None:
    """Its hash is known, it is in no block, and the pending count knows it."""
    wire.devchain.set_next_base_fee(Wei(70 * GWEI))
    before, tx_hash = wire.nonce, await wire.send()
    operator = wire.devchain.deployment.operator
    found = await wire.call("eth_getTransactionByHash", tx_hash)

    assert (found["hash"], found["blockNumber"]) == (tx_hash, None)
    assert int(await wire.call("eth_getTransactionCount", operator, "pending"), 16) == before + 1
    assert int(await wire.call("eth_getTransactionCount", operator, "latest"), 16) == before


@pytest.mark.parametrize("puts_back", [True, False])
async def test_a_reorganisation_puts_back_what_it_took(wire: Wire, *, puts_back: bool) -> None:
    """A node does so where it can; without that, it has forgotten."""
    await wire.call("proxy_setRules", {"puts_back": puts_back})
    before, tx_hash = wire.nonce, await wire.send()
    await wire.mine(1)
    await wire.call("eth_blockNumber")
    wire.devchain.reorg(1)
    await wire.call("eth_blockNumber")
    held = wire.pooled()
    await wire.mine(1)

    assert held == ([tx_hash] if puts_back else [])
    assert wire.nonce == before + puts_back


async def test_a_node_can_be_made_to_forget(wire: Wire) -> None:
    """One transaction, or all."""
    first, second = await wire.send(0), await wire.send(1)
    await wire.call("anvil_dropTransaction", first)
    one_left = wire.pooled()
    await wire.call("anvil_dropAllTransactions")

    assert (one_left, wire.pooled()) == ([second], [])


async def test_mining_through_the_proxy_obeys_its_rules(wire: Wire) -> None:
    """``anvil_mine`` and ``evm_mine`` make blocks as a producer would."""
    head = int(await wire.call("eth_blockNumber"), 16)
    await wire.call("anvil_mine", "0x3")
    await wire.call("evm_mine")

    assert int(await wire.call("eth_blockNumber"), 16) == head + 4


def test_bytes_no_node_can_read_are_refused() -> None:
    """Junk, and a type nobody knows."""
    for raw in (b"", b"\x02\xc0", b"\x7f\x01", b"\xc0", b"\xff\xff"):
        with pytest.raises(Refused):
            read(raw)


async def test_a_legacy_transaction_is_judged_by_its_one_price(wire: Wire) -> None:
    """The gas price is fee and tip in one; without EIP-155 it is not taken at all."""
    fields = {"nonce": wire.nonce, "to": wire.devchain.deployment.customers[0], "value": 0, "gas": GAS}
    protected = OPERATOR.sign_transaction({**fields, "gasPrice": 24 * GWEI, "chainId": 31337}).raw_transaction
    bare = OPERATOR.sign_transaction({**fields, "gasPrice": 40 * GWEI}).raw_transaction
    good = OPERATOR.sign_transaction({**fields, "gasPrice": 40 * GWEI, "chainId": 31337}).raw_transaction
    said = [await wire.call("eth_sendRawTransaction", raw.to_0x_hex()) for raw in (protected, bare, good)]

    assert said[0].startswith("transaction gas price below minimum")
    assert said[1] == "only replay-protected (EIP-155) transactions allowed over RPC"
    assert is_hash(said[2])


# finality ------------------------------------------------------------------------------------------


async def test_the_finalized_tag_is_the_nodes_own(wire: Wire) -> None:
    """Two blocks behind the head, as the chain behind has it."""
    await wire.mine(1, blocks=5)
    head = int(await wire.call("eth_blockNumber"), 16)

    assert int((await wire.call("eth_getBlockByNumber", "finalized", False))["number"], 16) == head - 2


async def test_the_finalized_tag_can_be_missing_stall_and_move_back(wire: Wire) -> None:
    """With the text of the source where there is none."""
    await wire.mine(1, blocks=5)
    head = int(await wire.call("eth_blockNumber"), 16)
    wire.proxy.node.finality = Finality(missing=True)
    missing = await wire.call("eth_getBlockByNumber", "finalized", False)
    await wire.call("proxy_setFinality", {"stalled_at": head - 2})
    await wire.mine(1, blocks=3)
    stalled = await wire.call("eth_getBlockByNumber", "finalized", False)
    await wire.call("proxy_setFinality", {"back": 4})
    back = await wire.call("eth_getBlockByNumber", "finalized", False)
    await wire.call("proxy_setFinality", {})
    well = await wire.call("eth_getBlockByNumber", "finalized", False)

    assert missing == "finalized block not found"
    assert [int(block["number"], 16) for block in (stalled, back, well)] == [head - 2, head - 3, head + 1]


# the wire ------------------------------------------------------------------------------------------


async def test_a_dropped_request_never_reaches_the_node(wire: Wire) -> None:
    """The client hears nothing, and nothing was done."""
    wire.proxy.script.set(fault("drop_request", "eth_sendRawTransaction", times=1))
    with pytest.raises(ServerDisconnectedError):
        await wire.send()
    lost = wire.pooled()

    assert lost == []
    assert is_hash(await wire.send())


async def test_a_dropped_answer_leaves_the_node_changed(wire: Wire) -> None:
    """The client hears nothing, and it was done."""
    wire.proxy.script.set(fault("drop_answer", "eth_sendRawTransaction", times=1))
    with pytest.raises(ServerDisconnectedError):
        await wire.send()

    assert len(wire.pooled()) == 1
    assert await wire.send() == "already known"


async def test_a_connection_can_be_reset(wire: Wire) -> None:
    """As a router does it; the node never sees the request."""
    wire.proxy.script.set(fault("reset", times=1))
    with pytest.raises(ClientConnectionError):
        await wire.send()

    assert wire.pooled() == []


async def test_a_delayed_request_acts_after_its_client_has_given_up(wire: Wire) -> None:
    """The late transaction is in the pool although nobody waited for it."""
    wire.proxy.script.set(fault("delay", "eth_sendRawTransaction", after_s=0.3, times=1))
    raw = wire.signed()
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
    with pytest.raises(TimeoutError):
        await wire.session.post(wire.proxy.url, json=body, timeout=ClientTimeout(total=0.05))
    early = wire.pooled()
    while not wire.pooled():
        await wire.call("eth_blockNumber")

    assert early == []
    assert await wire.call("eth_sendRawTransaction", raw) == "already known"


@pytest.mark.parametrize(
    ("rule", "status", "content"),
    [
        (fault("rate_limited"), 429, "Too Many Requests"),
        (fault("server_error"), 503, "upstream connect error"),
        (fault("server_error", status=500), 500, "upstream connect error"),
        (fault("html"), 200, "<!DOCTYPE html>"),
    ],
    ids=["429", "503", "500", "HTML"],
)
async def test_a_gateway_can_answer_in_the_nodes_place(wire: Wire, rule: Fault, status: int, content: str) -> None:
    """Whatever it says, the node has not seen the request."""
    wire.proxy.script.set(rule)
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [wire.signed()]}
    async with wire.session.post(wire.proxy.url, json=body) as response:
        text = await response.text()

    assert response.status == status
    assert text.startswith(content)
    assert wire.pooled() == []


async def test_an_answer_can_be_truncated_after_the_node_acted(wire: Wire) -> None:
    """Half of the JSON arrives."""
    wire.proxy.script.set(fault("truncated", times=1))
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [wire.signed()]}
    async with wire.session.post(wire.proxy.url, json=body) as response:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            await response.json()

    assert len(wire.pooled()) == 1


async def test_a_duplicated_request_is_done_twice(wire: Wire) -> None:
    """The second time the bytes are known; a batch has both answers."""
    wire.proxy.script.set(fault("duplicate"))
    answers = await wire.post(("eth_sendRawTransaction", [wire.signed()]), ("eth_blockNumber", []))

    assert [answer["id"] for answer in answers] == [0, 1, 0, 1]
    assert is_hash(answers[0]["result"])
    assert answers[2]["error"]["message"] == "already known"
    assert len(wire.pooled()) == 1


async def test_the_calls_of_a_batch_can_be_done_last_first(wire: Wire) -> None:
    """Done and answered in that order: a nonce is read after the receipts that follow it."""
    wire.proxy.script.set(fault("reorder"))
    answers = await wire.post(
        ("eth_sendRawTransaction", [wire.signed(1)]), ("eth_sendRawTransaction", [wire.signed(0)]), ("eth_chainId", [])
    )

    assert [answer["id"] for answer in answers] == [2, 1, 0]
    assert len(wire.pooled()) == 2


async def test_a_stale_node_shows_the_chain_as_it_was(wire: Wire) -> None:
    """Head, nonce, balance, receipt, block and finality of three blocks ago."""
    known = wire.devchain.deployment
    await wire.mine(1, blocks=4)
    tx_hash, before = await wire.send(), wire.nonce
    await wire.mine(1, blocks=3)
    head = int(await wire.call("eth_blockNumber"), 16)
    gas_wei = int(await wire.call("eth_getBalance", known.operator, "latest"), 16)
    wire.proxy.script.set(fault("stale", blocks=3))

    assert int(await wire.call("eth_blockNumber"), 16) == head - 3
    assert int((await wire.call("eth_getBlockByNumber", "latest", False))["number"], 16) == head - 3
    assert int((await wire.call("eth_getBlockByNumber", "finalized", False))["number"], 16) == head - 5
    assert int(await wire.call("eth_getTransactionCount", known.operator, "latest"), 16) == before
    assert int(await wire.call("eth_getBalance", known.operator, "latest"), 16) > gas_wei
    assert await wire.call("eth_getTransactionReceipt", tx_hash) is None
    assert await wire.call("eth_getBlockByNumber", hex(head - 2), False) is None
    assert (await wire.call("eth_feeHistory", "0x1", "latest", []))["oldestBlock"] == hex(head - 3)
    wire.proxy.script.set(fault("stale", blocks=2))
    assert (await wire.call("eth_getTransactionReceipt", tx_hash))["blockNumber"] == hex(head - 2)


async def test_a_rule_strikes_only_its_methods_and_its_times(wire: Wire) -> None:
    """In a batch, one call of its method is enough."""
    wire.proxy.script.set(fault("rate_limited", "eth_gasPrice", times=2))
    chain_id = await wire.call("eth_chainId")
    statuses = []
    for _ in range(3):
        batch = [
            {"jsonrpc": "2.0", "id": at, "method": name, "params": []}
            for at, name in enumerate(["eth_chainId", "eth_gasPrice"])
        ]
        async with wire.session.post(wire.proxy.url, json=batch) as response:
            statuses.append(response.status)

    assert chain_id == "0x7a69"
    assert statuses == [429, 429, 200]
    assert wire.proxy.script.struck == {Kind.RATE_LIMITED: 2}


async def test_chance_is_the_same_for_the_same_seed(devchain: Devchain) -> None:
    """A run that found something can be run again."""
    seen = []
    for seed in (5, 5, 6):
        async with bor_proxy(devchain.deployment.url, seed=seed) as proxy, ClientSession() as session:
            proxy.script.set(fault("server_error", chance=0.5))
            statuses = []
            for _ in range(20):
                async with session.post(proxy.url, json={"id": 1, "method": "eth_chainId"}) as response:
                    statuses.append(response.status)
            seen.append(statuses)

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert set(seen[0]) == {200, 503}


async def test_faults_are_set_and_seen_over_the_wire(wire: Wire) -> None:
    """By a driver in another process; no fault strikes the control, and a wrong rule is refused."""
    await wire.call("proxy_setFaults", [{"kind": "html"}, {"kind": "delay", "after_s": 0, "methods": ["eth_chainId"]}])
    async with wire.session.post(wire.proxy.url, json={"id": 1, "method": "eth_chainId"}) as response:
        page = await response.text()
    wrong = await wire.call("proxy_setFaults", [{"kind": "flood"}])
    status = await wire.call("proxy_status")
    await wire.call("proxy_setFaults", [])

    assert page.startswith("<!DOCTYPE html>")
    assert "flood" in wrong
    assert status["struck"] == {"html": 1, "delay": 1}
    assert await wire.call("eth_chainId") == "0x7a69"
    assert await wire.call("proxy_explode") == "proxy_explode: no such method"


# the protocol --------------------------------------------------------------------------------------


async def test_each_item_of_a_batch_has_its_own_answer(wire: Wire) -> None:
    """Errors beside results, ids kept, what is no call named as such."""
    body: list[Any] = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": "b", "method": "eth_sendRawTransaction", "params": ["0x00"]},
        {"jsonrpc": "2.0", "id": "c", "method": "eth_sendRawTransaction", "params": ["0xno"]},
        {"jsonrpc": "2.0", "id": "d", "method": "eth_nonsense"},
        17,
    ]
    async with wire.session.post(wire.proxy.url, json=body) as response:
        answers = await response.json()

    assert [answer["id"] for answer in answers] == ["a", "b", "c", "d", None]
    assert answers[0]["result"] == "0x7a69"
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32000, -32602, -32601, -32600]


async def test_a_batch_of_more_than_a_hundred_is_refused_whole(wire: Wire) -> None:
    """One error for all of it."""
    (answer,) = await wire.post(*([("eth_chainId", [])] * 101))

    assert (answer["error"]["code"], answer["error"]["message"]) == (-32600, "batch too large")


async def test_what_is_no_json_and_an_empty_batch_are_answered(wire: Wire) -> None:
    """As the protocol says."""
    async with wire.session.post(wire.proxy.url, data=b"{") as response:
        garbled = await response.json()
    (empty,) = await wire.post()

    assert garbled["error"]["code"] == -32700
    assert empty["error"]["code"] == -32600


async def test_a_node_that_is_gone_is_a_bad_gateway() -> None:
    """The proxy stays, and serves again when the node is back."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    async with AsyncExitStack() as stack:
        with servers.anvil() as node:
            port = int(node.url.rpartition(":")[2])
            proxy = await stack.enter_async_context(bor_proxy(node.url))
            session = await stack.enter_async_context(ClientSession())
            well = (await session.post(proxy.url, json=body)).status
        gone = (await session.post(proxy.url, json=body)).status
        with servers.anvil(port):
            back = (await session.post(proxy.url, json=body)).status

    assert (well, gone, back) == (200, 502, 200)


def test_it_runs_as_a_process_of_its_own(devchain: Devchain, tmp_path: Any) -> None:
    """Says where it listens, and serves the chain behind it."""
    import sys
    from urllib.request import Request, urlopen

    from devstack import paths

    command = [sys.executable, "-m", "devstack.bor.proxy", "--upstream", devchain.deployment.url]
    log = tmp_path / "proxy.log"
    with servers.child("bor_proxy", command, log=log, environment={"PYTHONPATH": str(paths.ROOT)}) as proxy:
        url = servers.wait_until_said(proxy, r"Listening on (http://127\.0\.0\.1:\d+)")[1]
        body = b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}'
        with urlopen(Request(url, data=body)) as answer:  # noqa: S310 -- our own loopback URL
            said = answer.read()

    assert b'"0x7a69"' in said
