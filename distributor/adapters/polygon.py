"""
The chain on web3: the only module that imports it.

web3's own batch context raises for the whole batch when one item fails, and cannot submit; so each
batch goes through ``provider.make_batch_request``, is matched by id, and each item is its own
outcome. web3 repeats nothing by itself: what is asked again, and of whom, is decided here and above.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import ClientTimeout
from eth_typing import HexStr
from web3 import AsyncHTTPProvider, AsyncWeb3, Web3

from distributor.adapters.answers import (
    GARBLED,
    Answers,
    NodeError,
    NodeTrouble,
    read_block,
    read_canonical,
    read_code,
    read_fees,
    read_finalized,
    read_quantity,
    read_receipt,
    read_units,
)
from distributor.adapters.batches import RpcCall
from distributor.adapters.node_errors import best_of, is_rivalled, outcome_of
from distributor.adapters.nodes import Batch, Node, Nodes, labels_of
from distributor.adapters.pool_views import read_pool_views
from distributor.adapters.reverts import decode_revert
from distributor.model import Address, Hash, Order, SubmitOutcome
from distributor.sightings import Call, Observation, PoolView, Receipt, Simulation, Submitted, Survey
from distributor.units import TokenUnits, Wei
from foundation.clock import Clock, Sleep

_VIEW: Final = {"type": "function", "stateMutability": "view", "outputs": [{"name": "", "type": "uint256"}]}

ABI: Final[list[dict[str, Any]]] = [
    {
        "type": "function",
        "name": "distribute",
        "stateMutability": "nonpayable",
        "outputs": [],
        "inputs": [
            {"name": "to", "type": "address"},
            {"name": "amount", "type": "uint256"},
            {"name": "refId", "type": "bytes32"},
            {"name": "reason", "type": "string"},
        ],
    },
    {**_VIEW, "name": "balanceOf", "inputs": [{"name": "account", "type": "address"}]},
    {
        **_VIEW,
        "name": "allowance",
        "inputs": [{"name": "owner", "type": "address"}, {"name": "spender", "type": "address"}],
    },
]
"""The functions of the Authority and the token we call; of their events, only ``Transfer`` counts."""

TRANSFER: Final = "Transfer(address,address,uint256)"

PROBE_REF_ID: Final = b"probe".ljust(32, b"\0")
_PROBE_UNITS: Final = TokenUnits(1)

_MARKET: Final[Batch] = {
    "history": ("eth_feeHistory", ["0x1", "latest", []]),
    "tip": ("eth_maxPriorityFeePerGas", []),
    "gas_price": ("eth_gasPrice", []),
}


class Polygon:
    """
    The chain as the nodes of RPC_URL show it; each reading is one batch in one HTTP request.

    Args:
        urls: The nodes, best first. They may hold keys, and never appear in a log or an error.
        chain_id: A node that serves another chain is set aside.
        token: The ERC-20 token whose ``Transfer`` events prove a payment.
        authority: The contract whose ``distribute`` pays.
        reserve: Whose tokens are paid.
        timeout_s: After this the node is taken to be silent.
        clock: For how long a node is set aside.
        sleep: How a pause that a node asks for is waited out.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int,
        token: Address,
        authority: Address,
        reserve: Address,
        timeout_s: float,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._token, self._authority, self._reserve = token, authority, reserve
        web3: AsyncWeb3[AsyncHTTPProvider] = AsyncWeb3()
        self._token_contract = web3.eth.contract(address=Web3.to_checksum_address(token), abi=ABI)
        self._authority_contract = web3.eth.contract(address=Web3.to_checksum_address(authority), abi=ABI)
        self._transfer_topic = Web3.to_hex(Web3.keccak(text=TRANSFER))
        self._nodes = nodes_of(urls, chain_id=chain_id, timeout_s=timeout_s, clock=clock, sleep=sleep)

    @property
    def nodes(self) -> Sequence[str]:
        return self._nodes.labels

    def pay(self, order: Order) -> Call:
        return self._distribute(order.wallet, order.amount_units, bytes.fromhex(order.ref_id[2:]), order.reason)

    def probe(self, operator: Address) -> Call:
        return self._distribute(operator, _PROBE_UNITS, PROBE_REF_ID, "probe")

    async def survey(self, operator: Address) -> Survey:
        """Ask for the nonce first: a head read after it can only be newer."""
        batch: Batch = {
            "nonce": _nonce(operator),
            "head": _block("latest"),
            "finalized": _block("finalized"),
            "gas": ("eth_getBalance", [operator, "latest"]),
            "token_code": ("eth_getCode", [self._token, "latest"]),
            "authority_code": ("eth_getCode", [self._authority, "latest"]),
            "reserve": self._token_view("balanceOf", self._reserve),
            "allowance": self._token_view("allowance", self._reserve, self._authority),
            **_MARKET,
        }

        async def read(node: Node) -> Survey:
            answers = await node.ask(batch)
            reserve_units, allowance_units = _view(answers, "reserve"), _view(answers, "allowance")
            # A contract that answers neither question is no token, whatever code it holds.
            is_token = reserve_units is not None and allowance_units is not None
            return Survey(
                node=node.label,
                head=read_block(answers.required("head")),
                finalized_number=read_finalized(answers),
                nonce=read_quantity(answers.required("nonce")),
                gas_balance_wei=Wei(read_quantity(answers.required("gas"))),
                reserve_units=reserve_units or TokenUnits(0),
                allowance_units=allowance_units or TokenUnits(0),
                token_has_code=is_token and read_code(answers.required("token_code")),
                authority_has_code=read_code(answers.required("authority_code")),
                market=read_fees(answers),
            )

        return await self._nodes.read_fresh(read)

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try without fee fields, so that the operator's own balance is not judged."""
        batch: Batch = {f"call:{at}": _estimate(operator, call) for at, call in enumerate(calls)}

        async def read(chosen: Node) -> Sequence[Simulation]:
            answers = await chosen.ask(batch)
            return [_simulation(answers, name) for name in batch]

        return await self._nodes.read(read, label=node)

    async def observe(self, operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int]) -> Observation:
        batch: Batch = {
            **{f"nonce:{operator}": _nonce(operator) for operator in operators},
            "head": _block("latest"),
            "finalized": _block("finalized"),
            **{f"receipt:{tx_hash}": _receipt(tx_hash) for tx_hash in hashes},
            **{f"block:{number}": _block(hex(number)) for number in blocks},
            **_MARKET,
        }

        async def read(node: Node) -> Observation:
            answers = await node.ask(batch)
            receipts = {tx_hash: self._read_receipt(answers, tx_hash) for tx_hash in hashes}
            return Observation(
                node=node.label,
                head=read_block(answers.required("head")),
                finalized_number=read_finalized(answers),
                nonces={operator: read_quantity(answers.required(f"nonce:{operator}")) for operator in operators},
                receipts={tx_hash: receipt for tx_hash, receipt in receipts.items() if receipt is not None},
                canonical=read_canonical(answers, blocks),
                market=read_fees(answers),
            )

        return await self._nodes.read_fresh(read)

    async def pool_views(self, operators: Sequence[Address]) -> Sequence[PoolView]:
        return await read_pool_views(self._nodes, operators)

    async def receipt(self, tx_hash: Hash, *, node: str) -> Receipt | None:
        async def read(named: Node) -> Receipt | None:
            answers = await named.ask({f"receipt:{tx_hash}": _receipt(tx_hash)})
            answers.answered(f"receipt:{tx_hash}")  # a second opinion must be one: silence is not "no receipt"
            return self._read_receipt(answers, tx_hash)

        return await self._nodes.read(read, label=node)

    async def submit(self, raws: Sequence[bytes]) -> Sequence[Submitted]:
        if not raws:
            return []
        batch: Batch = {f"raw:{at}": ("eth_sendRawTransaction", [Web3.to_hex(raw)]) for at, raw in enumerate(raws)}
        replies = await self._nodes.read_all(_asking(batch))
        return [best_of([_submitted(raw, f"raw:{at}", *reply) for reply in replies]) for at, raw in enumerate(raws)]

    async def aclose(self) -> None:
        await self._nodes.aclose()

    def _distribute(self, wallet: Address, amount_units: TokenUnits, ref_id: bytes, reason: str) -> Call:
        data = self._authority_contract.encode_abi("distribute", args=[wallet, amount_units, ref_id, reason])
        return Call(to=self._authority, data=Web3.to_bytes(hexstr=HexStr(data)))

    def _token_view(self, function: str, *args: Address) -> RpcCall:
        data = self._token_contract.encode_abi(function, args=args)
        return "eth_call", [{"to": self._token, "data": data}, "latest"]

    def _read_receipt(self, answers: Answers, tx_hash: Hash) -> Receipt | None:
        value = answers.optional(f"receipt:{tx_hash}")
        if value is None:
            return None
        return read_receipt(value, tx_hash=tx_hash, token=self._token, transfer_topic=self._transfer_topic)


def nodes_of(
    urls: Sequence[str], *, chain_id: int, timeout_s: float, clock: Clock, sleep: Sleep = asyncio.sleep
) -> Nodes:
    """Return the nodes of RPC_URL, each behind web3's provider, without asking them anything yet."""
    # web3 logs the node's whole URL, key and all: at INFO when it disconnects, at DEBUG with each request.
    logging.getLogger("web3").setLevel(logging.WARNING)
    named = zip(labels_of(urls), urls, strict=True)
    nodes = [Node(label, _provider(url, timeout_s), chain_id=chain_id, sleep=sleep) for label, url in named]
    return Nodes(nodes, clock=clock, sleep=sleep)


def _provider(url: str, timeout_s: float) -> AsyncHTTPProvider:
    return AsyncHTTPProvider(
        url,
        request_kwargs={"timeout": ClientTimeout(total=timeout_s), "allow_redirects": False},
        exception_retry_configuration=None,
    )


def _nonce(operator: Address) -> RpcCall:
    return "eth_getTransactionCount", [operator, "latest"]


def _block(which: str) -> RpcCall:
    return "eth_getBlockByNumber", [which, False]


def _receipt(tx_hash: Hash) -> RpcCall:
    return "eth_getTransactionReceipt", [tx_hash]


def _estimate(operator: Address, call: Call) -> RpcCall:
    data = Web3.to_hex(call.data)
    return "eth_estimateGas", [{"from": operator, "to": call.to, "value": "0x0", "data": data}, "latest"]


def _asking(batch: Batch) -> Callable[[Node], Awaitable[Answers]]:
    async def read(node: Node) -> Answers:
        return await node.ask(batch)

    return read


def _view(answers: Answers, name: str) -> TokenUnits | None:
    """Return the token's answer; None when it reverts or is none, as of an address without code."""
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return None
    return read_units(answers.required(name))


def _simulation(answers: Answers, name: str) -> Simulation:
    """Return gas or revert; an error that is no revert says nothing about the call."""
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return Simulation(revert=decode_revert(said.data, said.text))
    return Simulation(gas=read_quantity(answers.required(name)))


def _submitted(raw: bytes, name: str, node: str, reply: Answers | NodeTrouble) -> Submitted:
    """Return what *node* said to *raw*; a node that accepts bytes under another hash has not said anything."""
    if isinstance(reply, NodeTrouble):
        return Submitted(outcome=SubmitOutcome.UNKNOWN, node=node, detail=str(reply))
    said = reply.outcome(name)
    if isinstance(said, NodeError):
        rivalled = is_rivalled(said.text)
        return Submitted(outcome=outcome_of(said.text), node=node, detail=said.text, rivalled=rivalled)
    accepted = said == Web3.to_hex(Web3.keccak(raw))
    outcome = SubmitOutcome.ACCEPTED if accepted else SubmitOutcome.UNKNOWN
    return Submitted(outcome=outcome, node=node, detail="" if accepted else GARBLED)
