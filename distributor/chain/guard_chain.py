"""The guard as the nodes of RPC_URL show it: what it would do, what it has recorded, who could go around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eth_abi.abi import encode

from distributor.addresses import keccak256
from distributor.chain import guard as wire
from distributor.chain.batches import RpcCall
from distributor.chain.node import Node
from distributor.chain.nodes import Nodes
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import (
    GARBLED,
    NodeError,
    NodeUnavailable,
    RpcResponses,
    read_data,
    read_hash,
    read_log_block,
)
from distributor.chain_types import Call, GuardPayment, Revert, RevertKind, Simulation
from distributor.errors import ChainUnavailable
from distributor.model import Address, Hash, Order
from distributor.payout.guard_calls import ITEM_GAS, gas_of
from distributor.units import TokenUnits

_OPINIONS: Final = 2
"""Nodes that must say the same of a record, where as many are configured."""
PROBE_REF_ID: Final = (1).to_bytes(32, "big")
"""No order has it: the reference of an order begins with a character, or is a hash."""
_PROBE_UNITS: Final = TokenUnits(1)
_PROBE_REASON: Final = "probe"
_PAYMENT: Final = keccak256(b"payment(bytes32)")[:4]
_DISTRIBUTE: Final = keccak256(b"distribute(address,uint256,bytes32,string)")[:4]


class GuardContract:
    """
    The ``Guard`` port.

    Args:
        nodes: Which node is asked; closed with this.
        guard: The contract that payouts go through today; None when none is set.
        authority: The contract behind it.
    """

    def __init__(self, nodes: Nodes, *, guard: Address | None, authority: Address) -> None:
        self._nodes, self._guard, self._authority = nodes, guard, authority

    def pay(self, order: Order) -> Call:
        return self._call(wire.item_of(order))

    def probe(self, operator: Address) -> Call:
        return self._call((operator, _PROBE_UNITS, PROBE_REF_ID, _PROBE_REASON))

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        batch: Batch = {f"call:{index}": _eth_call(operator, call) for index, call in enumerate(calls)}

        async def read(chosen: Node) -> Sequence[Simulation]:
            answers = await chosen.ask(batch)
            return [_simulation(answers, name) for name in batch]

        return await self._nodes.read(read, label=node)

    async def direct_payers(self, operators: Sequence[Address], *, node: str = "") -> Sequence[Address]:
        batch: Batch = {operator: _direct(operator, self._authority) for operator in operators}

        async def read(chosen: Node) -> Sequence[Address]:
            answers = await chosen.ask(batch)
            return [operator for operator in operators if _passes(answers, operator)]

        return await self._nodes.read(read, label=node)

    async def payment(self, guard: Address, ref_id: Hash) -> GuardPayment | None:
        """Ask every healthy node; a record that only one shows is none yet where two are configured."""

        async def read(chosen: Node) -> GuardPayment | None:
            return await _payment(chosen, guard, ref_id)

        replies = await self._nodes.read_all(read)
        said = [reply for _, reply in replies if not isinstance(reply, NodeUnavailable)]
        if len(said) < min(_OPINIONS, len(self._nodes.labels)):
            raise ChainUnavailable(f"too few nodes say what guard {guard} recorded for {ref_id}")
        if any(reply != said[0] for reply in said):
            raise ChainUnavailable(f"the nodes disagree about what guard {guard} recorded for {ref_id}")
        return said[0]

    async def aclose(self) -> None:
        await self._nodes.aclose()

    def _call(self, item: wire.Item) -> Call:
        if self._guard is None:
            raise ValueError("no guard is set, and nothing can be paid through one")
        return Call(to=self._guard, data=wire.distribute_many(ITEM_GAS, [item]))


def _eth_call(operator: Address, call: Call) -> RpcCall:
    """Without fee fields, so that the operator's own balance is not judged; with the gas that would be signed."""
    request = {"from": operator, "to": call.to, "gas": hex(gas_of(call.data)), "data": f"0x{call.data.hex()}"}
    return "eth_call", [request, "latest"]


def _direct(operator: Address, authority: Address) -> RpcCall:
    arguments = encode(["address", "uint256", "bytes32", "string"], [operator, _PROBE_UNITS, PROBE_REF_ID, "probe"])
    data = f"0x{(_DISTRIBUTE + arguments).hex()}"
    return "eth_call", [{"from": operator, "to": authority, "data": data}, "latest"]


def _passes(answers: RpcResponses, name: str) -> bool:
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return False
    answers.required(name)
    return True


def _simulation(answers: RpcResponses, name: str) -> Simulation:
    """Return what each item would meet, or why all are refused; an error that is no revert says nothing."""
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return Simulation(revert=wire.read_whole_refusal(said.data, said.text))
    outcomes = wire.read_outcomes(read_data(answers.required(name)))
    return outcomes or Simulation(revert=Revert(kind=RevertKind.OTHER, text="what answers is no guard"))


async def _payment(node: Node, guard: Address, ref_id: Hash) -> GuardPayment | None:
    """Return the payment that *guard* recorded: the record names the block, and the block's log the rest."""
    data = f"0x{_PAYMENT.hex()}{ref_id[2:]}"
    answers = await node.ask({"record": ("eth_call", [{"to": guard, "data": data}, "latest"])})
    record = int.from_bytes(read_data(answers.required("record")), "big")
    if record == 0:
        return None
    number = hex(wire.block_of(record))
    query = {"address": guard, "fromBlock": number, "toBlock": number, "topics": [wire.PAID_TOPIC, ref_id]}
    logs = (await node.ask({"logs": ("eth_getLogs", [query])})).required("logs")
    found = [_read_payment(log, guard) for log in logs if isinstance(log, dict)] if isinstance(logs, list) else []
    matching = [each for each in found if each is not None and each.ref_id == ref_id]
    if len(matching) != 1 or matching[0].wallet != wire.recipient_of(record):
        raise NodeUnavailable(GARBLED, "the record of a guard and its log")
    return matching[0]


def _read_payment(log: dict[str, Any], guard: Address) -> GuardPayment | None:
    (event,) = wire.read_events([log]) or (None,)
    if event is None or event.wallet is None or event.emitter != guard:
        return None
    return GuardPayment(
        ref_id=event.ref_id,
        tx_hash=read_hash(log.get("transactionHash")),
        block=read_log_block(log),
        log_index=event.log_index,
        wallet=event.wallet,
        amount_units=event.amount_units,
    )
