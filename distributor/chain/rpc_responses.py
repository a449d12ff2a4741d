"""
What a node answers, read strictly: a value is what the protocol says it is, or the node is in trouble.

Every item of a batch is an outcome of its own. What is missing stays missing; nothing is guessed.

Source: https://ethereum.github.io/execution-apis/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.exceptions import DecodingError

from distributor.chain.node_errors import is_overload, is_revert, is_size
from distributor.chain_types import Block
from distributor.model import Hash
from distributor.units import TokenUnits

_WORD_BYTES: Final = 32
_MAX_TEXT: Final = 200

RATE_LIMITED: Final = "rate_limited"
GARBLED: Final = "garbled"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"


class NodeUnavailable(Exception):
    """This node cannot be used for now; another may."""

    def __init__(
        self, reason: str, detail: str = "", *, whole: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.whole = whole
        """The whole request was refused, perhaps for its size: a smaller one may be answered."""
        self.retry_after_s = retry_after_s
        """For how long the node asks to be left alone; None where it names no time."""


@dataclass(frozen=True, slots=True)
class NodeError:
    """The error a node gave to one item of a batch."""

    code: int
    text: str
    data: bytes = b""

    @property
    def is_revert(self) -> bool:
        return is_revert(self.code, self.text)

    @property
    def is_overload(self) -> bool:
        return is_overload(self.code, self.text)

    @property
    def is_size(self) -> bool:
        return is_size(self.code, self.text)

    def as_unavailable(self) -> NodeUnavailable:
        return NodeUnavailable(RATE_LIMITED if self.is_overload else FAILED, self.text)

    def as_refusal(self) -> NodeUnavailable:
        """Return what it means as the one answer to a whole batch."""
        return self.as_unavailable() if self.is_overload else NodeUnavailable(FAILED, self.text, whole=True)


class RpcResponses:
    """One node's answers to one batch, by the names of its items."""

    def __init__(self, items: Mapping[str, object]) -> None:
        self._items = items

    def required(self, name: str) -> object:
        """Return the result. Raises NodeUnavailable when it is missing, null or an error."""
        result = self.answered(name)
        if result is None:
            raise NodeUnavailable(INCOMPLETE, name)
        return result

    def answered(self, name: str) -> object | None:
        """Return the result, which may be null. Raises NodeUnavailable when it is missing or an error."""
        if name not in self._items:
            raise NodeUnavailable(INCOMPLETE, name)
        item = self._items[name]
        if isinstance(item, NodeError):
            raise item.as_unavailable()
        return item

    def optional(self, name: str) -> object | None:
        """Return the result; None when it is missing, null or an error: the node says nothing."""
        item = self._items.get(name)
        return None if isinstance(item, NodeError) else item

    def outcome(self, name: str) -> object | NodeError | None:
        """Return the result or the error; None when the node said nothing."""
        return self._items.get(name)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn every way in which data can be unlike the protocol into trouble of the node that sent them."""
    try:
        yield
    except (LookupError, TypeError, ValueError, DecodingError) as error:
        raise NodeUnavailable(GARBLED, what) from error


def items_of(reply: object, names: Sequence[str]) -> dict[str, object]:
    """
    Return the results and errors of one batch's *reply* by name, matched by request id ``0, 1, …``.

    A single call is sent outside of any batch, and its reply is one object.

    Raises:
        NodeUnavailable: The reply is no list, or it is one error for the whole batch.
    """
    if isinstance(reply, dict) and len(names) == 1:
        return {names[0]: _outcome_of(reply)}
    if isinstance(reply, dict):
        raise _error_of(reply.get("error")).as_refusal()
    if not isinstance(reply, list):
        raise NodeUnavailable(GARBLED, "batch")
    if len(reply) == 1 < len(names) and isinstance(reply[0], dict) and reply[0].get("error") is not None:
        raise _error_of(reply[0]["error"]).as_refusal()
    by_id = {str(item.get("id")): item for item in reply if isinstance(item, dict)}
    return {name: _outcome_of(by_id[str(number)]) for number, name in enumerate(names) if str(number) in by_id}


def _outcome_of(item: Mapping[str, Any]) -> object:
    return item.get("result") if item.get("error") is None else _error_of(item["error"])


def _error_of(error: object) -> NodeError:
    if not isinstance(error, dict):
        return NodeError(0, str(error)[:_MAX_TEXT])
    code = error.get("code")
    text = str(error.get("message", ""))[:_MAX_TEXT]
    return NodeError(code if isinstance(code, int) else 0, text, _revert_data(error.get("data")))


def _revert_data(data: object) -> bytes:
    """Return revert data; some clients put a word before the hex, some send none."""
    try:
        return bytes.fromhex(data.rpartition("0x")[2]) if isinstance(data, str) else b""
    except ValueError:
        return b""


def read_quantity(value: object) -> int:
    """Return a JSON-RPC quantity (``0x`` and hex digits, at least one)."""
    with reading("quantity"):
        return quantity(value)


def read_code(value: object) -> bool:
    """Say whether an account holds code."""
    return len(_bytes(value)) > 0


def read_units(value: object) -> TokenUnits | None:
    """Return the uint256 a contract returned; None when what answered is no such contract."""
    data = _bytes(value)
    return TokenUnits(int.from_bytes(data, "big")) if len(data) == _WORD_BYTES else None


def read_block(value: object, *, number: int | None = None) -> Block:
    """Return a block's place in the chain; with *number*, it must be that block."""
    with reading("block"):
        block = block_in(json_object(value), "number", "hash")
        if number is not None and block.number != number:
            raise ValueError(f"asked for block {number}, got {block.number}")
        return block


def read_finalized(answers: RpcResponses) -> int | None:
    """Return the block of the ``finalized`` tag; Bor answers null or an error while it knows of none."""
    value = answers.optional("finalized")
    return None if value is None else read_block(value).number


def read_canonical(answers: RpcResponses, numbers: Sequence[int]) -> dict[int, Hash]:
    """Return the hashes of the blocks asked for by number; a number the node does not have is absent."""
    values = {number: answers.optional(f"block:{number}") for number in numbers}
    return {
        number: read_block(value, number=number).block_hash for number, value in values.items() if value is not None
    }


def read_hash(value: object) -> Hash:
    """Return a transaction's or a block's hash."""
    with reading("hash"):
        return _hash(value)


def read_log_block(log: Mapping[str, Any]) -> Block:
    """Return the block a log is in."""
    with reading("log"):
        return block_in(log, "blockNumber", "blockHash")


def read_data(value: object) -> bytes:
    """Return what a contract answered."""
    return _bytes(value)


def block_in(source: Mapping[str, Any], number: str, block_hash: str) -> Block:
    """Return the block that two fields name, where unlike data is turned into trouble around it."""
    return Block(number=quantity(source[number]), block_hash=_hash(source[block_hash]))


def quantity(value: object) -> int:
    """Return a JSON-RPC quantity, where unlike data is turned into trouble around it. Raises ValueError."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("no quantity")
    return int(value, 16)


def _hash(value: object) -> Hash:
    data = _bytes(value)
    if len(data) != _WORD_BYTES:
        raise NodeUnavailable(GARBLED, "hash")
    return Hash(f"0x{data.hex()}")


def _bytes(value: object) -> bytes:
    with reading("data"):
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError("no data")
        return bytes.fromhex(value[2:])


def json_object(value: object) -> Mapping[str, Any]:
    """Return a JSON object, where unlike data is turned into trouble around it. Raises TypeError."""
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value
