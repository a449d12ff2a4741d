"""
A guard's records, read back from its head: one request for a range of blocks, or one for each block.

The head names the block of the last payment. In that block the call's ``Linked`` names the head before it,
and so on. Each link is counted again from its ``Paid`` events: a node that leaves one out does not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_abi.abi import decode, encode

from distributor.addresses import keccak256
from distributor.chain import guard as wire
from distributor.chain.batches import RpcCall
from distributor.chain.node import Node
from distributor.chain.rpc_requests import MARK, Batch
from distributor.chain.rpc_responses import (
    GARBLED,
    NodeError,
    NodeUnavailable,
    read_block,
    read_finalized,
    read_hash,
    read_log_block,
    read_units,
    reading,
)
from distributor.chain_types import GuardLink, GuardPast, GuardPayment, Mark
from distributor.model import Address, Hash

SPAN_BLOCKS: Final = 500
"""Blocks asked for at once; a node that refuses so many is asked for each block that paid."""
_LINKED_TOPIC: Final = f"0x{keccak256(b'Linked(uint256,uint256)').hex()}"
_AHEAD: Final = "logs ahead"
_HEAD: Final = f"0x{keccak256(b'head()')[:4].hex()}"
_DIGEST_SHIFT, _COUNT_SHIFT, _DIGEST_BITS = 96, 48, 160


async def walk(node: Node, guard: Address, since: int, *, near: int = 0) -> GuardPast:
    """
    Return what *node* shows at its latest block. Raises NodeUnavailable when it does not add up.

    *near* is a block that some node was at lately. Where *since* is no further behind it than one request for events
    reaches, they are asked for beside the head: what they do not show is then asked for as ever.
    """
    batch: Batch = {**MARK, "words": _head(guard, "latest"), **_logs_ahead(guard, since, near=near)}
    answers = await node.ask(batch)
    mark = Mark(read_block(answers.required("head")).number, read_finalized(answers))
    head = read_units(answers.required("words")) or 0
    links = await _links(node, guard, since, head, _read_ahead(answers.outcome(_AHEAD), guard))
    return GuardPast(mark=mark, links=tuple(links))


async def walk_at(node: Node, guard: Address, since: int, block: int) -> Sequence[GuardLink]:
    """Return what *node* shows at *block*. Raises NodeUnavailable when it does not add up."""
    answers = await node.ask({"words": _head(guard, hex(block))})
    return await _links(node, guard, since, read_units(answers.required("words")) or 0)


def append(head: int, payment: GuardPayment) -> int:
    """Return a guard's head after *payment*, as the contract counts it."""
    values = [head >> _DIGEST_SHIFT, bytes.fromhex(payment.ref_id[2:]), payment.wallet, payment.amount_units]
    digest = int.from_bytes(keccak256(encode(["uint256", "bytes32", "address", "uint256"], values)), "big")
    count = (wire.count_of(head) + 1) << _COUNT_SHIFT
    return ((digest % (1 << _DIGEST_BITS)) << _DIGEST_SHIFT) | count | payment.block.number


def _logs_ahead(guard: Address, since: int, *, near: int) -> Batch:
    first = wire.last_block_of(since)
    return {_AHEAD: _logs(guard, first, "latest")} if 0 < near < first + SPAN_BLOCKS // 2 else {}


def _read_ahead(said: object, guard: Address) -> dict[int, GuardLink]:
    """Return the links that were asked for beside the head; none where the node gave none, or refused."""
    if not isinstance(said, list):
        return {}
    try:
        return _by_head(said, guard)
    except NodeUnavailable:
        return {}


async def _links(
    node: Node, guard: Address, since: int, head: int, known: dict[int, GuardLink] | None = None
) -> Sequence[GuardLink]:
    found = list[GuardLink]()
    known = known or {}
    while head != since:
        if wire.count_of(head) <= wire.count_of(since):
            raise NodeUnavailable(GARBLED, "a guard's chain that does not meet what was read before")
        if head not in known:
            known = await _read(node, guard, since, wire.last_block_of(head))
        link = known.get(head)
        if link is None:
            raise NodeUnavailable(GARBLED, "a guard's head that its events do not add up to")
        found.append(link)
        head = link.before
    return found[::-1]


async def _read(node: Node, guard: Address, since: int, last: int) -> dict[int, GuardLink]:
    """Return the links of the blocks up to *last* by the head after each, as many as the node gives at once."""
    first = max(wire.last_block_of(since), last - SPAN_BLOCKS + 1)
    said = (await node.ask({"logs": _logs(guard, first, last)})).outcome("logs")
    if isinstance(said, NodeError) and first < last:
        said = (await node.ask({"logs": _logs(guard, last, last)})).outcome("logs")
    if isinstance(said, NodeError) or not isinstance(said, list):
        raise NodeUnavailable(GARBLED, "the events of a guard")
    return _by_head(said, guard)


def _by_head(logs: list[dict[str, Any]], guard: Address) -> dict[int, GuardLink]:
    with reading("events of a guard"):
        links = _linked([log for log in logs if not log.get("removed")], guard)
        return {each.after: each for each in links}


def _linked(logs: Sequence[dict[str, Any]], guard: Address) -> Sequence[GuardLink]:
    """
    Return what adds up, each ``Linked`` with the payments before it in its transaction.

    A payment may call in again: then the inner call's ``Linked`` is between the outer one's payments, and
    the count says how many of them there are.
    """
    links = list[GuardLink]()
    payments = list[GuardPayment]()
    for log in sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16))):
        payment = read_payment(log, guard)
        if payment is not None:
            payments.append(payment)
        elif log["topics"][0].lower() == _LINKED_TOPIC:
            before, after = decode(["uint256", "uint256"], bytes.fromhex(log["data"][2:]))
            count = wire.count_of(after) - wire.count_of(before)
            link = GuardLink(before=before, after=after, payments=tuple(payments[-count:]))
            links += [link] if _adds_up(link) else []
    return links


def _adds_up(link: GuardLink) -> bool:
    head = link.before
    for payment in link.payments:
        head = append(head, payment)
    return head == link.after


def read_payment(log: dict[str, Any], guard: Address) -> GuardPayment | None:
    """Return the payment that a ``Paid`` of *guard* tells; None where the log is something else."""
    (event,) = wire.read_events([log]) or (None,)
    if event is None or event.wallet is None or event.emitter != guard:
        return None
    return GuardPayment(
        ref_id=Hash(event.ref_id),
        tx_hash=read_hash(log.get("transactionHash")),
        block=read_log_block(log),
        log_index=event.log_index,
        wallet=event.wallet,
        amount_units=event.amount_units,
    )


def _head(guard: Address, block: str) -> RpcCall:
    return "eth_call", [{"to": guard, "data": _HEAD}, block]


def _logs(guard: Address, first: int, last: int | str) -> RpcCall:
    topics = [[wire.PAID_TOPIC, _LINKED_TOPIC]]
    to = hex(last) if isinstance(last, int) else last
    return "eth_getLogs", [{"address": guard, "fromBlock": hex(first), "toBlock": to, "topics": topics}]
