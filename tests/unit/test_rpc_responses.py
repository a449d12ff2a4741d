"""What a node answers is read strictly: what is unlike the protocol is the node's trouble, never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.addresses import keccak256
from distributor.chain.fee_quotes import read_fees
from distributor.chain.rpc_responses import (
    NodeError,
    NodeUnavailable,
    RpcResponses,
    items_of,
    read_block,
    read_code,
    read_quantity,
    read_units,
)
from distributor.chain.transactions import read_receipt
from distributor.chain_types import Block, FeeQuote, Receipt
from distributor.model import Address, Hash
from distributor.units import Wei

TOKEN = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
OTHER = "0x" + "99" * 20
TOPIC = f"0x{keccak256(b'Transfer(address,address,uint256)').hex()}"
TX_HASH = Hash("0x" + "aa" * 32)
BLOCK_HASH = Hash("0x" + "bb" * 32)
FROM, TO = "0x" + "00" * 12 + "11" * 20, "0x" + "00" * 12 + "22" * 20
ONE = "0x" + "00" * 31 + "01"

LOG: dict[str, Any] = {"address": TOKEN.lower(), "topics": [TOPIC, FROM, TO], "data": ONE, "logIndex": "0x5"}
RECEIPT: dict[str, Any] = {
    "transactionHash": TX_HASH,
    "blockNumber": "0x10",
    "blockHash": BLOCK_HASH,
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x3b9aca00",
    "logs": [LOG],
}


def receipt_of(changes: dict[str, Any]) -> Receipt | None:
    """Read a receipt like RECEIPT but for *changes*."""
    return read_receipt({**RECEIPT, **changes}, tx_hash=TX_HASH, token=TOKEN, transfer_topic=TOPIC)


def transfers_of(changes: dict[str, Any]) -> int:
    """Count the transfers of a receipt whose one log is like LOG but for *changes*."""
    receipt = receipt_of({"logs": [{**LOG, **changes}]})
    assert receipt is not None
    return len(receipt.transfers)


def test_a_receipt_is_read_with_its_transfer() -> None:
    """Addresses with their checksum, amounts as integers."""
    receipt = receipt_of({})

    assert receipt is not None
    (transfer,) = receipt.transfers
    assert receipt.block == Block(number=16, block_hash=BLOCK_HASH)
    assert (receipt.succeeded, receipt.gas_used, receipt.gas_price_wei) == (True, 21_000, 10**9)
    assert (transfer.sender, transfer.recipient) == ("0x" + "11" * 20, "0x" + "22" * 20)
    assert (transfer.amount_units, transfer.log_index) == (1, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": OTHER},
        {"topics": ["0x" + "77" * 32, FROM, TO]},
        {"topics": [TOPIC, FROM, TO, ONE]},
        {"topics": [TOPIC]},
        {"topics": []},
        {"removed": True},
    ],
    ids=["another contract", "another event", "an NFT's", "without parties", "anonymous", "removed"],
)
def test_only_the_tokens_own_transfers_count(changes: dict[str, Any]) -> None:
    """Anyone can emit an event that looks like one."""
    assert transfers_of({}) == 1
    assert transfers_of(changes) == 0


@pytest.mark.parametrize("changes", [{"blockHash": None}, {"blockNumber": None}])
def test_a_receipt_of_no_block_is_none(changes: dict[str, Any]) -> None:
    """Some nodes give one for what is still in the pool."""
    assert receipt_of(changes) is None


def test_a_receipt_without_price_costs_nothing_known() -> None:
    """Old nodes leave it out; it is for the statistics only."""
    receipt = receipt_of({"effectiveGasPrice": None})

    assert receipt is not None
    assert receipt.gas_price_wei == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionHash": "0x" + "cc" * 32},
        {"transactionHash": "0xaa"},
        {"transactionHash": None},
        {"status": None},
        {"status": 1},
        {"status": "0x"},
        {"gasUsed": "21000"},
        {"blockHash": "bb" * 32},
        {"blockHash": "0xzz"},
        {"logs": None},
        {"logs": [{**LOG, "data": "0x01"}]},
        {"logs": [{**LOG, "topics": [TOPIC, "0x" + "ff" * 32, TO]}]},
        {"logs": [{}]},
    ],
)
def test_a_receipt_that_is_none_is_the_nodes_trouble(changes: dict[str, Any]) -> None:
    """Nothing that decides over money is guessed."""
    with pytest.raises(NodeUnavailable) as raised:
        receipt_of(changes)

    assert raised.value.reason == "garbled"


@pytest.mark.parametrize("value", [None, "", "0x", "7", 7, "0x1g", [], {}])
def test_a_quantity_is_hex_with_a_digit(value: object) -> None:
    """Nothing else is a number."""
    with pytest.raises(NodeUnavailable):
        read_quantity(value)

    assert read_quantity("0x0") == 0


def test_a_block_must_be_the_one_asked_for() -> None:
    """A node that gives another number's block must not move what is canonical."""
    block = {"number": "0x10", "hash": BLOCK_HASH}

    assert read_block(block, number=16) == read_block(block) == Block(number=16, block_hash=BLOCK_HASH)
    odd: list[object] = [None, [], {}, {**block, "hash": None}]
    for value in odd:
        with pytest.raises(NodeUnavailable):
            read_block(value)
    with pytest.raises(NodeUnavailable):
        read_block(block, number=17)


def test_code_and_units_are_read_from_data() -> None:
    """An address without code answers a call with nothing at all."""
    assert (read_code("0x"), read_code("0x60")) == (False, True)
    assert (read_units("0x"), read_units(ONE), read_units(ONE + "00")) == (None, 1, None)


@pytest.mark.parametrize(
    ("head", "history", "base_fee_wei"),
    [
        ({"baseFeePerGas": "0x7"}, {"baseFeePerGas": ["0x7", "0x9"]}, 9),
        ({"baseFeePerGas": "0x7"}, None, 7),
        ({"baseFeePerGas": "0x7"}, {}, 7),
        ({"baseFeePerGas": "0x7"}, {"baseFeePerGas": None}, 7),
        ({"baseFeePerGas": "0x7"}, {"baseFeePerGas": []}, 7),
        ({}, {"baseFeePerGas": ["0x0", "0x0"]}, None),
        ({}, None, None),
    ],
)
def test_the_base_fee_is_the_next_blocks(head: object, history: object, base_fee_wei: int | None) -> None:
    """None on a chain without one, whatever its fee history says."""
    answers = RpcResponses({"head": head, "history": history, "tip": "0x1", "gas_price": "0x2"})

    assert read_fees(answers) == FeeQuote(base_fee_wei=base_fee_wei, tip_wei=1, gas_price_wei=2)  # type: ignore[arg-type]


def test_a_gas_price_is_needed_only_without_base_fee() -> None:
    """A node may not serve it: with a base fee it is that and the tip."""
    answers = RpcResponses({"head": {"baseFeePerGas": "0x7"}, "tip": "0x2"})

    assert read_fees(answers) == FeeQuote(base_fee_wei=Wei(7), tip_wei=Wei(2), gas_price_wei=Wei(9))
    with pytest.raises(NodeUnavailable, match="gas_price"):
        read_fees(RpcResponses({"head": {}, "tip": "0x2"}))


@pytest.mark.parametrize(
    ("name", "value", "call"),
    [("tip", 7, "eth_maxPriorityFeePerGas"), ("gas_price", "x", "eth_gasPrice"), ("head", [], "base fee of the head")],
)
def test_an_odd_fee_is_trouble_that_names_its_call(name: str, value: object, call: str) -> None:
    """The operator of the node must know what it answered wrongly."""
    answers = RpcResponses(
        {"head": {"baseFeePerGas": "0x7"}, "history": None, "tip": None, "gas_price": "0x2", name: value}
    )
    with pytest.raises(NodeUnavailable, match=call):
        read_fees(answers)


@pytest.mark.parametrize("history", [{"baseFeePerGas": [7]}, []])
def test_an_odd_fee_history_is_the_nodes_trouble(history: object) -> None:
    """A wrong base fee binds orders to fees nobody takes."""
    answers = RpcResponses({"head": {"baseFeePerGas": "0x7"}, "history": history, "tip": None, "gas_price": "0x2"})
    with pytest.raises(NodeUnavailable, match="eth_feeHistory"):
        read_fees(answers)


def test_items_are_matched_by_id_and_the_rest_is_missing() -> None:
    """Errors stay errors, null stays null, and what is not there is not made up."""
    reply = [
        {"id": 2, "result": None},
        {"id": 0, "result": "0x1", "error": None},
        {"id": 1, "error": {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}},
        {"id": 9, "result": "0x9"},
        "junk",
    ]

    items = items_of(reply, ["a", "b", "c", "d"])

    assert items == {"a": "0x1", "b": NodeError(3, "execution reverted", bytes.fromhex("08c379a0")), "c": None}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("gone", NodeError(0, "gone")),
        ({}, NodeError(0, "")),
        ({"code": "x", "message": None, "data": {"stack": []}}, NodeError(0, "None")),
        ({"code": -32015, "message": "VM error", "data": "Reverted 0x0102"}, NodeError(-32015, "VM error", b"\1\2")),
        ({"code": 3, "message": "m", "data": "0xzz"}, NodeError(3, "m")),
    ],
)
def test_an_error_is_read_in_whatever_shape(error: object, expected: NodeError) -> None:
    """It is the node's word, and words do not break us."""
    assert items_of([{"id": 0, "error": error}], ["a"]) == {"a": expected}


def test_missing_null_and_error_are_told_apart() -> None:
    """Required: a result. Answered: null as well. Optional: anything."""
    answers = RpcResponses(
        {"null": None, "error": NodeError(-32000, "no"), "busy": NodeError(-32005, ""), "result": "0x1"}
    )

    assert answers.required("result") == answers.answered("result") == answers.optional("result") == "0x1"
    assert answers.answered("null") is None
    assert [answers.optional(name) for name in ("null", "error", "missing")] == [None, None, None]
    assert answers.outcome("error") == NodeError(-32000, "no")
    for name, reason in (
        ("null", "incomplete"),
        ("missing", "incomplete"),
        ("error", "failed"),
        ("busy", "rate_limited"),
    ):
        with pytest.raises(NodeUnavailable) as raised:
            answers.required(name)
        assert raised.value.reason == reason
    for name in ("missing", "error"):
        with pytest.raises(NodeUnavailable):
            answers.answered(name)
