"""
The chain on web3: the only module that imports it.

web3's own batch context raises for the whole batch when one item fails, and cannot submit; so each
batch goes through ``provider.make_batch_request``, is matched by id, and each item is its own
outcome. web3 repeats nothing on its own: this module and those above decide what is asked again, and of which node.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import ClientTimeout
from eth_typing import HexStr
from web3 import AsyncHTTPProvider, AsyncWeb3, Web3

from distributor.chain.batches import RpcCall
from distributor.chain.fee_quotes import read_fees
from distributor.chain.node import Node
from distributor.chain.node_errors import best_of, is_rivalled, outcome_of
from distributor.chain.nodes import Nodes, labels_of
from distributor.chain.pool_views import read_pool_views
from distributor.chain.receipts import ReceiptReader
from distributor.chain.rpc_requests import MARK, MARKET, Batch, block_at, claims_asked, nonce_of, receipt_of
from distributor.chain.rpc_responses import (
    GARBLED,
    NodeError,
    NodeUnavailable,
    RpcResponses,
    read_block,
    read_canonical,
    read_code,
    read_finalized,
    read_quantity,
    read_units,
)
from distributor.chain.simulations import read_simulations
from distributor.chain_types import (
    Call,
    ChainSnapshot,
    Claim,
    Mark,
    PoolView,
    PreBindSnapshot,
    Simulation,
    Submitted,
    Word,
)
from distributor.model import Address, Hash, Order, SubmitOutcome
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
    {**_VIEW, "name": "decimals", "inputs": []},
    {**_VIEW, "name": "balanceOf", "inputs": [{"name": "account", "type": "address"}]},
    {
        **_VIEW,
        "name": "allowance",
        "inputs": [{"name": "owner", "type": "address"}, {"name": "spender", "type": "address"}],
    },
]
"""The functions of the Authority and the token we call; of their events, only ``Transfer`` counts."""

TRANSFER: Final = "Transfer(address,address,uint256)"

PROBE_REF_ID: Final = b"\0probe".ljust(32, b"\0")
"""A reference that no order can have: an order's begins with a letter or a digit, or is a hash."""
_PROBE_UNITS: Final = TokenUnits(1)


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
        self._receipts = ReceiptReader(token, Web3.to_hex(Web3.keccak(text=TRANSFER)))
        self._nodes = nodes_of(urls, chain_id=chain_id, timeout_s=timeout_s, clock=clock, sleep=sleep)

    @property
    def nodes(self) -> Sequence[str]:
        return self._nodes.labels

    @property
    def connections(self) -> Nodes:
        """The nodes themselves, for others that ask them too; closed with this."""
        return self._nodes

    def pay(self, *orders: Order) -> Call:
        (order,) = orders
        return self._distribute(order.wallet, order.amount_units, bytes.fromhex(order.ref_id[2:]), order.reason)

    def probe(self, operator: Address) -> Call:
        return self._distribute(operator, _PROBE_UNITS, PROBE_REF_ID, "probe")

    async def pre_bind_snapshot(self, operator: Address) -> PreBindSnapshot:
        """Ask for the nonce first: a head read after it can only be newer."""
        batch: Batch = {
            "nonce": nonce_of(operator),
            **MARK,
            "gas": ("eth_getBalance", [operator, "latest"]),
            "token_code": ("eth_getCode", [self._token, "latest"]),
            "authority_code": ("eth_getCode", [self._authority, "latest"]),
            "reserve": self._token_view("balanceOf", self._reserve),
            "allowance": self._token_view("allowance", self._reserve, self._authority),
            "decimals": self._token_view("decimals"),
            **MARKET,
        }

        async def read(node: Node) -> PreBindSnapshot:
            answers = await node.ask(batch)
            reserve_units, allowance_units = _view(answers, "reserve"), _view(answers, "allowance")
            # A contract that answers neither question is no token, whatever code it holds.
            is_token = reserve_units is not None and allowance_units is not None
            return PreBindSnapshot(
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
                decimals=_view(answers, "decimals"),
            )

        return await self._nodes.read_fresh(read)

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try without fee fields, so that the operator's own balance is not judged."""

        async def read(chosen: Node) -> Sequence[Simulation]:
            return await read_simulations(chosen, operator, calls)

        return await self._nodes.read(read, label=node)

    async def snapshot(
        self, operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        batch: Batch = {
            **{f"nonce:{operator}": nonce_of(operator) for operator in operators},
            **MARK,
            **{f"receipt:{tx_hash}": receipt_of(tx_hash) for tx_hash in hashes},
            **{f"block:{number}": block_at(hex(number)) for number in blocks},
            **MARKET,
        }

        async def read(chosen: Node) -> ChainSnapshot:
            answers = await chosen.ask(batch)
            receipts, unreadable = self._receipts.read_all(answers, hashes)
            return ChainSnapshot(
                node=chosen.label,
                head=read_block(answers.required("head")),
                finalized_number=read_finalized(answers),
                nonces={operator: read_quantity(answers.required(f"nonce:{operator}")) for operator in operators},
                receipts=receipts,
                canonical=read_canonical(answers, blocks),
                market=read_fees(answers),
                unreadable=unreadable,
            )

        return await self._nodes.read_fresh(read, label=node)

    async def words(self, claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        async def read(named: Node) -> Mapping[Hash, Word]:
            known = mark or await _read_mark(named)
            answers = await named.ask(claims_asked(claims))
            words = {
                claim.tx_hash: self._receipts.word(answers, claim, node=named.label, mark=known) for claim in claims
            }
            return {tx_hash: word for tx_hash, word in words.items() if word is not None}

        return await self._nodes.read(read, label=node)

    async def has_code(self, address: Address) -> bool:
        async def read(node: Node) -> bool:
            return read_code((await node.ask({"code": ("eth_getCode", [address, "latest"])})).required("code"))

        return await self._nodes.read(read)

    async def pool_views(self, operators: Sequence[Address]) -> Sequence[PoolView]:
        return await read_pool_views(self._nodes, operators)

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


async def _read_mark(node: Node) -> Mark:
    answers = await node.ask(MARK)
    return Mark(read_block(answers.required("head")).number, read_finalized(answers))


def _asking(batch: Batch) -> Callable[[Node], Awaitable[RpcResponses]]:
    async def read(node: Node) -> RpcResponses:
        return await node.ask(batch)

    return read


def _view(answers: RpcResponses, name: str) -> TokenUnits | None:
    """Return the token's answer; None when it reverts or is empty, as from an address without code."""
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return None
    return read_units(answers.required(name))


def _submitted(raw: bytes, name: str, node: str, reply: RpcResponses | NodeUnavailable) -> Submitted:
    """Return what *node* said to *raw*; a node that accepts bytes under another hash has not said anything."""
    if isinstance(reply, NodeUnavailable):
        return Submitted(outcome=SubmitOutcome.UNKNOWN, node=node, detail=str(reply))
    said = reply.outcome(name)
    if isinstance(said, NodeError):
        rivalled = is_rivalled(said.text)
        return Submitted(outcome=outcome_of(said.text), node=node, detail=said.text, rivalled=rivalled)
    accepted = said == Web3.to_hex(Web3.keccak(raw))
    outcome = SubmitOutcome.ACCEPTED if accepted else SubmitOutcome.UNKNOWN
    return Submitted(outcome=outcome, node=node, detail="" if accepted else GARBLED)
