"""The guard as the nodes of RPC_URL show it: what it would do, what it has recorded, who could go around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from eth_abi.abi import decode, encode

from distributor.addresses import keccak256
from distributor.chain import guard as wire
from distributor.chain import guard_walk
from distributor.chain.batches import RpcCall
from distributor.chain.node import Node
from distributor.chain.nodes import Nodes
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import (
    FAILED,
    GARBLED,
    NodeError,
    NodeUnavailable,
    RpcResponses,
    read_data,
    read_units,
    reading,
)
from distributor.chain.simulations import said_of_some
from distributor.chain_types import Call, GuardFacts, GuardLink, GuardPast, GuardPayment, Revert, RevertKind, Simulation
from distributor.errors import ChainUnavailable
from distributor.model import Address, Hash, Order
from distributor.payout.guard_calls import ITEM_GAS, gas_of
from distributor.payout.witnesses import are_enough
from distributor.units import TokenUnits

T = TypeVar("T")

PROBE_REF_ID: Final = (1).to_bytes(32, "big")
"""No order has it: the reference of an order begins with a character, or is a hash."""
_PROBE_UNITS: Final = TokenUnits(1)
_PROBE_REASON: Final = "probe"
_PAYMENT: Final = keccak256(b"payment(bytes32)")[:4]
_PAYMENTS_OF: Final = keccak256(b"paymentsOf(bytes32[])")[:4]
_REFERENCES_PER_CALL: Final = 200
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

    def pay(self, *orders: Order) -> Call:
        return self._call(*map(wire.item_of, orders))

    def probe(self, operator: Address) -> Call:
        return self._call((operator, _PROBE_UNITS, PROBE_REF_ID, _PROBE_REASON))

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        batch: Batch = {f"call:{index}": _eth_call(operator, call) for index, call in enumerate(calls)}

        async def read(chosen: Node) -> Sequence[Simulation]:
            answers = await chosen.ask(batch)
            return said_of_some([_simulation(answers, name) for name in batch], answers, next(iter(batch)))

        return await self._nodes.read(read, label=node)

    async def direct_payers(self, operators: Sequence[Address], *, node: str = "") -> Sequence[Address]:
        batch: Batch = {operator: _direct(operator, self._authority) for operator in operators}

        async def read(chosen: Node) -> Sequence[Address]:
            answers = await chosen.ask(batch)
            return [operator for operator in operators if _passes(answers, operator)]

        return await self._nodes.read(read, label=node)

    async def payment(self, guard: Address, ref_id: Hash) -> GuardPayment | None:
        """Ask every healthy node; where two are configured, a record that only one shows does not count yet."""

        async def read(chosen: Node) -> GuardPayment | None:
            return await _payment(chosen, guard, ref_id)

        return await self._agreed(read, f"what guard {guard} recorded for {ref_id}")

    async def facts(
        self, guard: Address, operators: Sequence[Address], others: Sequence[Address], *, block: int
    ) -> GuardFacts | None:
        asked = sorted({*operators, *others})
        batch: Batch = {
            **{name: _view(guard, f"{name}()", block) for name in ("token", "authority", "owner", "paused", "head")},
            **{f"hot:{key}": _view(guard, "isHotKey(address)", block, key) for key in operators},
            **{f"direct:{each}": _direct(each, self._authority, hex(block)) for each in (guard, *asked)},
        }

        async def read(chosen: Node) -> GuardFacts | None:
            return _facts(await chosen.ask(batch), guard, operators, asked)

        return await self._agreed(read, f"guard {guard}")

    async def unrecorded(self, guard: Address, ref_ids: Sequence[Hash], *, block: int) -> Sequence[Hash]:
        missing: list[Hash] = []
        for first in range(0, len(ref_ids), _REFERENCES_PER_CALL):
            part = ref_ids[first : first + _REFERENCES_PER_CALL]
            data = _PAYMENTS_OF + encode(["bytes32[]"], [[bytes.fromhex(each[2:]) for each in part]])
            batch: Batch = {"records": ("eth_call", [{"to": guard, "data": f"0x{data.hex()}"}, hex(block)])}

            async def read(chosen: Node, batch: Batch = batch) -> Sequence[int]:
                return _numbers(read_data((await chosen.ask(batch)).required("records")))

            records = await self._agreed(read, f"what guard {guard} recorded")
            missing += [each for each, record in zip(part, records, strict=True) if record == 0]
        return missing

    async def pasts(self, guard: Address, since: int) -> Sequence[GuardPast]:
        near = self._nodes.best_head
        replies = await self._nodes.read_all(lambda node: guard_walk.walk(node, guard, since, near=near))
        found = [replace(reply, node=label) for label, reply in replies if not isinstance(reply, NodeUnavailable)]
        if not found:
            raise self._nodes.silence()
        return found

    async def agreed_past(self, guard: Address, since: int, *, block: int) -> Sequence[GuardLink]:
        async def read(node: Node) -> Sequence[GuardLink]:
            return await guard_walk.walk_at(node, guard, since, block)

        return await self._agreed(read, f"what guard {guard} has recorded")

    async def _agreed(self, read: Callable[[Node], Awaitable[T]], what: str) -> T:
        """Return what two providers say, where two are configured. Raises ChainUnavailable when nodes disagree."""
        replies = await self._nodes.read_all(read)
        heard = {label: reply for label, reply in replies if not isinstance(reply, NodeUnavailable)}
        said = list(heard.values())
        if not said:
            raise self._nodes.silence()
        if not are_enough(heard, self._nodes.labels):
            raise ChainUnavailable(f"too few nodes say anything about {what}")
        if any(reply != said[0] for reply in said):
            raise ChainUnavailable(f"the nodes disagree about {what}")
        return said[0]

    async def aclose(self) -> None:
        await self._nodes.aclose()

    def _call(self, *items: wire.Item) -> Call:
        if self._guard is None:
            raise ValueError("no guard is set, and nothing can be paid through one")
        return Call(to=self._guard, data=wire.distribute_many(ITEM_GAS, items))


def _eth_call(operator: Address, call: Call) -> RpcCall:
    """Without fee fields, so that the operator's own balance is not judged; with the gas that would be signed."""
    request = {"from": operator, "to": call.to, "gas": hex(gas_of(call.data)), "data": f"0x{call.data.hex()}"}
    return "eth_call", [request, "latest"]


def _view(guard: Address, signature: str, block: int, *keys: Address) -> RpcCall:
    data = keccak256(signature.encode())[:4] + encode(["address"] * len(keys), keys)
    return "eth_call", [{"to": guard, "data": f"0x{data.hex()}"}, hex(block)]


def _facts(
    answers: RpcResponses, guard: Address, operators: Sequence[Address], asked: Sequence[Address]
) -> GuardFacts | None:
    """Return what a guard answers; None when what is there answers otherwise."""
    names = ("token", "authority", "owner", "paused", "head")
    words = {name: _word(answers, name) for name in names}
    known = {name: word for name, word in words.items() if word is not None}
    if len(known) < len(names):
        return None
    return GuardFacts(
        token=wire.recipient_of(known["token"]),
        authority=wire.recipient_of(known["authority"]),
        owner=wire.recipient_of(known["owner"]),
        paused=known["paused"] == 1,
        hot_keys=tuple(key for key in operators if _word(answers, f"hot:{key}") == 1),
        has_role=_passes(answers, f"direct:{guard}"),
        bypassing=tuple(each for each in asked if _passes(answers, f"direct:{each}")),
        count=wire.count_of(known["head"]),
        last_block=wire.last_block_of(known["head"]),
    )


def _word(answers: RpcResponses, name: str) -> int | None:
    """Return the one word a contract answers; None when it refuses, or answers something else."""
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return None
    return read_units(answers.required(name))


def _numbers(data: bytes) -> Sequence[int]:
    with reading("numbers"):
        (numbers,) = decode(["uint256[]"], data)
        return tuple(numbers)


def _direct(operator: Address, authority: Address, block: str = "latest") -> RpcCall:
    arguments = encode(["address", "uint256", "bytes32", "string"], [operator, _PROBE_UNITS, PROBE_REF_ID, "probe"])
    data = f"0x{(_DISTRIBUTE + arguments).hex()}"
    return "eth_call", [{"from": operator, "to": authority, "data": data}, block]


def _passes(answers: RpcResponses, name: str) -> bool:
    said = answers.outcome(name)
    if isinstance(said, NodeError) and said.is_revert:
        return False
    answers.required(name)
    return True


def _simulation(answers: RpcResponses, name: str) -> Simulation:
    """Return what each item would meet, or why all are refused; any other error says nothing of it."""
    said = answers.outcome(name)
    if isinstance(said, NodeError):
        revert = wire.read_whole_refusal(said.data, said.text) if said.is_revert else None
        return Simulation(revert=revert, unknown="" if revert else said.text or FAILED)
    try:
        outcomes = wire.read_outcomes(read_data(answers.required(name)))
    except NodeUnavailable as trouble:
        return Simulation(unknown=str(trouble))
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
    found = (
        [guard_walk.read_payment(log, guard) for log in logs if isinstance(log, dict)] if isinstance(logs, list) else []
    )
    matching = [each for each in found if each is not None and each.ref_id == ref_id]
    if len(matching) != 1 or matching[0].wallet != wire.recipient_of(record):
        raise NodeUnavailable(GARBLED, "the record of a guard and its log")
    return matching[0]
