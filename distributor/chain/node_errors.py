"""
What nodes say, and what it means: the one table of node texts.

Texts are matched as case-insensitive substrings, because every client decorates them, and the
first match in the table wins. A text in no line means nothing: the outcome is unknown and the
same bytes are handed over again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from distributor.chain_types import Submitted
from distributor.model import SubmitOutcome

_GETH_POOL = "https://github.com/ethereum/go-ethereum/blob/master/core/txpool/errors.go"
_GETH_LEGACY_POOL = "https://github.com/ethereum/go-ethereum/blob/master/core/txpool/legacypool/legacypool.go"
_GETH_CORE = "https://github.com/ethereum/go-ethereum/blob/master/core/error.go"
_GETH_TYPES = "https://github.com/ethereum/go-ethereum/blob/master/core/types/transaction.go"
_GETH_SIGNING = "https://github.com/ethereum/go-ethereum/blob/master/core/types/transaction_signing.go"
_GETH_OLD_POOL = "https://github.com/ethereum/go-ethereum/blob/v1.9.10/core/tx_pool.go"
_GETH_API = "https://github.com/ethereum/go-ethereum/blob/master/internal/ethapi/api.go"
_GETH_VM = "https://github.com/ethereum/go-ethereum/blob/master/core/vm/errors.go"
_GETH_ESTIMATE = "https://github.com/ethereum/go-ethereum/blob/master/eth/gasestimator/gasestimator.go"
_BOR_POOL = "https://github.com/0xPolygon/bor/blob/master/core/txpool/errors.go"
_ANVIL = "https://github.com/foundry-rs/foundry/blob/master/crates/anvil/src/eth/error.rs"
_EIP_1474 = "https://eips.ethereum.org/EIPS/eip-1474"

SUBMIT_TEXTS: Final[tuple[tuple[str, SubmitOutcome, str], ...]] = (
    ("already known", SubmitOutcome.ALREADY_KNOWN, _GETH_POOL),
    ("known transaction", SubmitOutcome.ALREADY_KNOWN, _GETH_OLD_POOL),
    ("already imported", SubmitOutcome.ALREADY_KNOWN, _ANVIL),
    ("nonce too low", SubmitOutcome.NONCE_TOO_LOW, _GETH_CORE),
    ("replacement transaction underpriced", SubmitOutcome.UNDERPRICED, _GETH_POOL),
    ("insufficient gas price to replace", SubmitOutcome.UNDERPRICED, _ANVIL),
    ("transaction underpriced", SubmitOutcome.UNDERPRICED, _GETH_POOL),
    ("gas price below minimum", SubmitOutcome.UNDERPRICED, _BOR_POOL),
    ("max fee per gas less than block base fee", SubmitOutcome.UNDERPRICED, _GETH_CORE),
    ("insufficient funds", SubmitOutcome.GAS_SHORT, _GETH_CORE),
    ("txpool is full", SubmitOutcome.POOL_FULL, _GETH_LEGACY_POOL),
    ("account limit exceeded", SubmitOutcome.POOL_FULL, _GETH_POOL),
    ("in-flight transaction limit reached", SubmitOutcome.POOL_FULL, _GETH_POOL),
    ("future transaction tries to replace pending", SubmitOutcome.POOL_FULL, _GETH_POOL),
    ("already reserved", SubmitOutcome.POOL_FULL, _GETH_POOL),
    ("exceeds the configured cap", SubmitOutcome.REFUSED, _GETH_API),
    ("intrinsic gas too low", SubmitOutcome.REFUSED, _GETH_CORE),
    ("intrinsic gas too high", SubmitOutcome.REFUSED, _ANVIL),
    ("floor data gas", SubmitOutcome.REFUSED, _GETH_CORE),
    ("exceeds block gas limit", SubmitOutcome.REFUSED, _GETH_POOL),
    ("gas limit too high", SubmitOutcome.REFUSED, _GETH_CORE),
    ("gas limit is greater than the block gas limit", SubmitOutcome.REFUSED, _ANVIL),
    ("max priority fee per gas higher than max fee per gas", SubmitOutcome.REFUSED, _GETH_CORE),
    ("oversized data", SubmitOutcome.REFUSED, _GETH_POOL),
    ("transaction type not supported", SubmitOutcome.REFUSED, _GETH_TYPES),
    ("not supported by the current hardfork", SubmitOutcome.REFUSED, _ANVIL),
    ("invalid sender", SubmitOutcome.REFUSED, _GETH_POOL),
    ("invalid chain id", SubmitOutcome.REFUSED, _GETH_SIGNING),
    ("signed for another chain", SubmitOutcome.REFUSED, _ANVIL),
)
"""Text, outcome, and where the text is defined."""

INVALID_PARAMS: Final = -32602
"""Code of a call with parameters the node does not take. Source: JSON-RPC 2.0, section 5.1."""

REVERT_CODE: Final = 3
"""Code of an error that carries the contract's revert data. Source: EIP-1474."""

REVERT_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("execution reverted", _GETH_VM),
    ("invalid opcode", _GETH_VM),
    ("invalid jump destination", _GETH_VM),
    ("out of gas", _GETH_VM),
    ("stack underflow", _GETH_VM),
    ("write protection", _GETH_VM),
    ("gas required exceeds allowance", _GETH_ESTIMATE),
    ("evm error", _ANVIL),
)
"""Texts by which a node says that the call itself fails, and where they are defined."""

OVERLOAD_CODES: Final = frozenset({-32005, 429})
"""Codes of "limit exceeded". Source: EIP-1474, and gateways that repeat their HTTP status."""

OVERLOAD_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("limit exceeded", _EIP_1474),
    ("too many requests", "https://www.rfc-editor.org/rfc/rfc6585#section-4"),
    ("rate limit", "https://docs.alchemy.com/reference/throughput"),
    ("capacity", "https://docs.alchemy.com/reference/throughput"),
)
"""Texts by which a gateway says that we ask too much, and where they come from."""

_RIVAL_TEXTS: Final = ("replacement transaction underpriced", "insufficient gas price to replace")
"""Those of the texts above that only a rival in the pool brings about."""

SIZE_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("batch", "https://github.com/ethereum/go-ethereum/blob/master/rpc/errors.go"),
)
"""Texts by which a gateway says that one request holds too many calls; each has words of its own around it."""

RANGE_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("range", "https://docs.alchemy.com/reference/eth-getlogs"),
    ("query returned more than", "https://docs.infura.io/api/networks/ethereum/json-rpc-methods/eth_getlogs"),
    ("response size", "https://docs.alchemy.com/reference/eth-getlogs"),
    ("too many blocks", "https://github.com/ava-labs/coreth/blob/master/eth/filters/api.go"),
)
"""Texts by which a node says that a query for logs spans too much; some call that a limit that is exceeded as well."""

_RANKS: Final = {
    SubmitOutcome.ACCEPTED: 0,
    SubmitOutcome.ALREADY_KNOWN: 1,
    SubmitOutcome.NONCE_TOO_LOW: 2,
    SubmitOutcome.GAS_SHORT: 3,
    SubmitOutcome.UNDERPRICED: 3,
    SubmitOutcome.POOL_FULL: 3,
    SubmitOutcome.REFUSED: 4,
    SubmitOutcome.UNKNOWN: 5,
}
"""Whose word counts when several nodes got the same bytes: one pool that has them is enough."""


def best_of(said: Sequence[Submitted]) -> Submitted:
    """Return the best outcome over the nodes; of equal ones, the first node's; and whether any pool holds a rival."""
    best = min(said, key=lambda one: _RANKS[one.outcome])
    return replace(best, rivalled=any(one.rivalled for one in said))


def is_rivalled(text: str) -> bool:
    """Say whether a node refuses bytes because its pool holds others with their nonce."""
    return any(part in text.lower() for part in _RIVAL_TEXTS)


def outcome_of(text: str) -> SubmitOutcome:
    """Return what a node's refusal of signed bytes means; UNKNOWN for a text in no line of the table."""
    lowered = text.lower()
    return next((outcome for part, outcome, _ in SUBMIT_TEXTS if part in lowered), SubmitOutcome.UNKNOWN)


def is_revert(code: int, text: str) -> bool:
    """Say whether the contract refused, as opposed to the node being unable to say."""
    if is_overload(code, text):
        return False
    return _is_contracts_word(code, text) or _is_in(REVERT_TEXTS, text)


def is_overload(code: int, text: str) -> bool:
    """Say whether the node asks to be left alone for a while; a contract may speak of limits as well."""
    if _is_contracts_word(code, text) or is_size(code, text) or _is_in(RANGE_TEXTS, text):
        return False
    return code in OVERLOAD_CODES or _is_in(OVERLOAD_TEXTS, text)


def is_size(code: int, text: str) -> bool:
    """Say whether a request was refused for its number of calls; some call that a limit that is exceeded as well."""
    return not _is_contracts_word(code, text) and _is_in(SIZE_TEXTS, text)


def _is_contracts_word(code: int, text: str) -> bool:
    return code == REVERT_CODE or text.lower().startswith("execution reverted")


def _is_in(table: Sequence[tuple[str, str]], text: str) -> bool:
    return any(part in text.lower() for part, _ in table)
