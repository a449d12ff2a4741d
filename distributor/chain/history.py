"""
The past of the chain, read from the same nodes in the same way as the present.

Nodes limit how many blocks or logs one ``eth_getLogs`` may span, each by a rule of its own and in
words of its own; so a range that is refused, or too slow, is halved, and the width that worked is kept.
A node that is asked too much gets the same question again, later.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from distributor.addresses import ZERO_ADDRESS, keccak256
from distributor.chain.batches import MAX_BATCH_ITEMS
from distributor.chain.call_details import guarded_details, read_distribution
from distributor.chain.node import TIMEOUT, Node
from distributor.chain.nodes import Nodes
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import GARBLED, NodeError, NodeUnavailable, read_units, reading
from distributor.chain.transactions import (
    read_arrival,
    read_reserve_transfer,
    read_transaction_details,
)
from distributor.errors import ChainUnavailable, NoSuchTransaction
from distributor.model import Address, Hash
from distributor.payout.history import Arrival, ReserveTransfer, TransactionDetails
from distributor.payout.witnesses import are_enough
from distributor.units import TokenUnits

_TRANSFER_TOPIC: Final = f"0x{keccak256(b'Transfer(address,address,uint256)').hex()}"
_SELECTOR_BYTES: Final = 4
_BALANCE_OF: Final = keccak256(b"balanceOf(address)")[:_SELECTOR_BYTES]
_TOTAL_SUPPLY: Final = keccak256(b"totalSupply()")[:_SELECTOR_BYTES]
_ZERO_TOPIC: Final = f"0x{0:064x}"
_TRANSFER_TOPICS: Final = 3
"""The event's own, and two indexed addresses: an event of an ERC-721 token has four."""

_S = TypeVar("_S")
_M = TypeVar("_M", ReserveTransfer, Arrival)
_Moves = tuple[Sequence[ReserveTransfer], Sequence[Arrival]]
_Topics = Sequence[str | None]
_Read = Callable[[object, range], Sequence[_M]]


class ChainHistory:
    """
    The ``History`` port on the nodes of RPC_URL.

    Args:
        nodes: Which node is asked; closed with this.
        token: Whose ``Transfer`` events count.
        reserve: Whose tokens left.
    """

    def __init__(self, nodes: Nodes, *, token: Address, reserve: Address) -> None:
        self._nodes, self._token, self._reserve = nodes, token, reserve

    def listed_by(self, providers: int) -> int:
        return providers

    async def reserve_transfers(self, first_block: int, last_block: int) -> Sequence[ReserveTransfer]:
        """Leave out transfers of nothing: the token lets anybody make one in the reserve's name."""
        topics = [_TRANSFER_TOPIC, self._reserve_topic]
        return await self._all(topics, self._reserve_transfers, range(first_block, last_block + 1))

    async def reserve_arrivals(self, first_block: int, last_block: int) -> Sequence[Arrival]:
        topics = [_TRANSFER_TOPIC, None, self._reserve_topic]
        return await self._all(topics, self._arrivals, range(first_block, last_block + 1))

    async def reserve_balance(self, block: int) -> TokenUnits:
        """Ask every node: one that lost its state at *block* says so, and one that is wrong is contradicted."""
        data = f"0x{_BALANCE_OF.hex()}{self._reserve[2:].lower():0>64}"
        batch: Batch = {"balance": ("eth_call", [{"to": self._token, "data": data}, hex(block)])}

        async def read(node: Node) -> TokenUnits | None:
            return read_units((await node.ask(batch)).required("balance"))

        units = self._agreed(await self._nodes.read_all(read), f"the reserve's balance at block {block}")
        if units is None:
            raise ChainUnavailable("what is at TOKEN_ADDRESS tells no balance")
        return units

    async def minted(self, first_block: int, last_block: int) -> int:
        """Count transfers from and to the zero address: ERC-20's form of making and destroying."""
        blocks = range(first_block, last_block + 1)
        made = await self._all([_TRANSFER_TOPIC, _ZERO_TOPIC], self._made, blocks)
        destroyed = await self._all([_TRANSFER_TOPIC, None, _ZERO_TOPIC], self._destroyed, blocks)
        return sum(each.amount_units for each in made) - sum(each.amount_units for each in destroyed)

    async def supply(self, block: int) -> int | None:
        batch: Batch = {"supply": ("eth_call", [{"to": self._token, "data": f"0x{_TOTAL_SUPPLY.hex()}"}, hex(block)])}

        async def read(node: Node) -> tuple[TokenUnits | None]:
            answers = await node.ask(batch)
            said = answers.outcome("supply")
            refused = isinstance(said, NodeError) and said.is_revert
            return (None if refused else read_units(answers.required("supply")),)

        said = self._agreed(await self._nodes.read_all(read), f"the token's supply at block {block}")
        return said[0] if said else None

    async def transaction_details(self, hashes: Sequence[Hash]) -> Mapping[Hash, TransactionDetails]:
        found: dict[Hash, TransactionDetails] = {}
        for part in _parts(hashes):
            found |= await self._transaction_details(part)
        return found

    async def moves_of(self, hashes: Sequence[Hash]) -> tuple[Sequence[ReserveTransfer], Sequence[Arrival]]:
        """Read the receipts, as two nodes show them where two are configured."""
        transfers, arrivals = list[ReserveTransfer](), list[Arrival]()
        for part in _parts(hashes):
            left, came = await self._moves_of(part)
            transfers += left
            arrivals += came
        return sorted(transfers, key=_place), sorted(arrivals, key=_place)

    async def aclose(self) -> None:
        await self._nodes.aclose()

    @property
    def _reserve_topic(self) -> str:
        return f"0x{self._reserve[2:].lower():0>64}"

    async def _all(
        self, topics: Sequence[str | None], read: Callable[[object, range], Sequence[_M]], blocks: range
    ) -> Sequence[_M]:
        """Return what moved something in *blocks*; a range that a node refuses is halved, and its width kept."""
        found: list[_M] = []
        width, first = len(blocks), blocks.start
        while first < blocks.stop:
            asked = range(first, min(first + width, blocks.stop))
            logs = await self._logs(topics, read, asked)
            if logs is None:
                width = len(asked) // 2
            else:
                found += [each for each in logs if each.amount_units]
                first = asked.stop
        return found

    async def _logs(
        self, topics: Sequence[str | None], read: Callable[[object, range], Sequence[_M]], asked: range
    ) -> Sequence[_M] | None:
        """Return the logs of a range; None when a node wants a smaller one."""
        first, last = asked[0], asked[-1]
        query = {"address": self._token, "fromBlock": hex(first), "toBlock": hex(last), "topics": topics}

        async def reading(node: Node) -> Sequence[_M] | None:
            try:
                answers = await node.ask_patiently({"logs": ("eth_getLogs", [query])})
            except NodeUnavailable as trouble:
                if trouble.reason == TIMEOUT and first < last:
                    return None
                raise
            if isinstance(answers.outcome("logs"), NodeError) and first < last:
                return None
            return read(answers.required("logs"), asked)

        return self._agreed(await self._nodes.read_all(reading), f"blocks {first} to {last}")

    async def _moves_of(self, hashes: Sequence[Hash]) -> _Moves:
        batch: Batch = {tx_hash: ("eth_getTransactionReceipt", [tx_hash]) for tx_hash in hashes}
        unknown: set[Hash] = set()

        async def read(node: Node) -> _Moves:
            answers = await node.ask_patiently(batch)
            unknown.update(each for each in hashes if answers.answered(each) is None)
            logs = [log for each in hashes for log in _logs_of(answers.required(each), each)]
            return self._left(logs), self._came(logs)

        try:
            return self._agreed(await self._nodes.read_all(read), "the receipts of an export") or ([], [])
        except ChainUnavailable:
            if not unknown:
                raise
            raise NoSuchTransaction(f"no receipt of transaction {min(unknown)}") from None

    def _left(self, logs: Sequence[Mapping[str, Any]]) -> Sequence[ReserveTransfer]:
        moved = [self._transfer(log) for log in logs if self._is_transfer(log, of=1)]
        return [each for each in moved if each.amount_units]

    def _came(self, logs: Sequence[Mapping[str, Any]]) -> Sequence[Arrival]:
        moved = self._read_arrivals([log for log in logs if self._is_transfer(log, of=2)])
        return [each for each in moved if each.amount_units]

    def _is_transfer(self, log: Mapping[str, Any], *, of: int) -> bool:
        """Say whether the token's event names the reserve: as the sender in topic 1, as the recipient in topic 2."""
        wanted = (self._token.lower(), _TRANSFER_TOPIC, self._reserve_topic)
        with reading("log"):
            topics = [str(topic).lower() for topic in log["topics"]]
            said = (str(log["address"]).lower(), *topics)
        return len(topics) == _TRANSFER_TOPICS and (said[0], said[1], said[1 + of]) == wanted

    def _agreed(self, replies: Sequence[tuple[str, _S | NodeUnavailable | None]], what: str) -> _S | None:
        """
        Return what the nodes say of *what*, if they say the same.

        A node that has pruned its past may answer with nothing instead of an error; its word alone
        would leave payouts out, and they would be paid again. Where two providers are configured, two must agree.
        """
        said = [(label, reply) for label, reply in replies if not isinstance(reply, NodeUnavailable)]
        if any(reply is None for _, reply in said):
            return None
        if not are_enough((label for label, _ in said), self._nodes.labels):
            raise ChainUnavailable(f"too few nodes answer about {what}: {_troubles(replies)}")
        if any(reply != said[0][1] for _, reply in said):
            raise ChainUnavailable(f"the nodes disagree about {what}: {', '.join(label for label, _ in said)}")
        return said[0][1]

    def _reserve_transfers(self, logs: object, asked: range) -> Sequence[ReserveTransfer]:
        return _in_order([self._transfer(log) for log in _listed(logs)], asked)

    def _arrivals(self, logs: object, asked: range) -> Sequence[Arrival]:
        return _in_order(self._read_arrivals(_listed(logs)), asked)

    def _made(self, logs: object, asked: range) -> Sequence[ReserveTransfer]:
        return _in_order([self._transfer(log, out_of=ZERO_ADDRESS) for log in _listed(logs)], asked)

    def _destroyed(self, logs: object, asked: range) -> Sequence[Arrival]:
        return _in_order(self._read_arrivals(_listed(logs), to=ZERO_ADDRESS), asked)

    def _read_arrivals(self, logs: Sequence[object], *, to: Address | None = None) -> Sequence[Arrival]:
        recipient = to or self._reserve
        return [read_arrival(log, token=self._token, transfer_topic=_TRANSFER_TOPIC, reserve=recipient) for log in logs]

    def _transfer(self, log: object, *, out_of: Address | None = None) -> ReserveTransfer:
        sender = out_of or self._reserve
        return read_reserve_transfer(log, token=self._token, transfer_topic=_TRANSFER_TOPIC, reserve=sender)

    async def _transaction_details(self, hashes: Sequence[Hash]) -> Mapping[Hash, TransactionDetails]:
        """Read who made them, as two nodes show it where two are configured: the call names the order that is paid."""
        batch: Batch = {tx_hash: ("eth_getTransactionByHash", [tx_hash]) for tx_hash in hashes}
        unknown: dict[Hash, list[str]] = {}

        async def read(node: Node) -> Mapping[Hash, TransactionDetails]:
            answers = await node.ask_patiently(batch)
            for tx_hash in (each for each in hashes if answers.answered(each) is None):
                unknown.setdefault(tx_hash, []).append(node.label)
            found = {
                tx_hash: read_transaction_details(
                    answers.required(tx_hash), tx_hash=tx_hash, distribution=read_distribution
                )
                for tx_hash in hashes
            }
            return found | await guarded_details(node, [each for each in found.values() if each.guarded])

        try:
            return self._agreed(await self._nodes.read_all(read), "what transactions asked for") or {}
        except ChainUnavailable:
            if not unknown:
                raise
            tx_hash, labels = next(iter(unknown.items()))
            raise NoSuchTransaction(f"{', '.join(labels)} answers, and knows no transaction {tx_hash}") from None


def _listed(logs: object) -> Sequence[object]:
    if not isinstance(logs, list):
        raise NodeUnavailable(GARBLED, "logs")
    return logs


def _in_order(read: Sequence[_M], asked: range) -> Sequence[_M]:
    if any(each.block.number not in asked for each in read):
        raise NodeUnavailable(GARBLED, "logs of other blocks")
    return sorted(read, key=_place)


def _place(moved: ReserveTransfer | Arrival) -> tuple[int, int]:
    return moved.block.number, moved.log_index


def _logs_of(receipt: object, tx_hash: Hash) -> Sequence[Mapping[str, Any]]:
    """Return the logs of that very receipt. Raises NodeUnavailable if it is not one."""
    with reading("a receipt"):
        if not isinstance(receipt, dict) or receipt["transactionHash"].lower() != tx_hash:
            raise NodeUnavailable(GARBLED, "another receipt than was asked for")
        return list(receipt["logs"])


def _troubles(replies: Sequence[tuple[str, object]]) -> str:
    return "; ".join(f"{label}: {reply}" for label, reply in replies if isinstance(reply, NodeUnavailable))


def _parts(hashes: Sequence[Hash]) -> Iterator[Sequence[Hash]]:
    """Yield what fits in one request beside the chain id."""
    unique = iter(dict.fromkeys(hashes))
    while part := list(itertools.islice(unique, MAX_BATCH_ITEMS - 1)):
        yield part
