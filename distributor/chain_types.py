"""
What a node shows: balances, fees, blocks, receipts, and what it says to bytes handed over.

One node's word at one moment. Nothing here is stored as it is, and nothing missing proves anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from distributor.model import Address, Hash, SubmitOutcome
from distributor.units import TokenUnits, Wei


class RevertKind(StrEnum):
    """What a refused simulation means for the service."""

    ROLE_MISSING = "role_missing"
    AUTHORITY_PAUSED = "authority_paused"
    RESERVE_SHORT = "reserve_short"
    ALLOWANCE_SHORT = "allowance_short"
    GUARD_PAUSED = "guard_paused"
    ALREADY_PAID = "already_paid"
    """The guard has a payment of this reference."""
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What an operator asks of a contract; the value is always 0."""

    to: Address
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class FeeQuote:
    """Fees as one node sees them, wei per gas. ``base_fee_wei`` is None on a chain without base fee."""

    base_fee_wei: Wei | None
    tip_wei: Wei
    gas_price_wei: Wei


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One block's place in the chain."""

    number: int
    block_hash: Hash


@dataclass(frozen=True, kw_only=True, slots=True)
class PreBindSnapshot:
    """What a round must know before it binds, read from one node in one batch."""

    node: str
    """The node's host, for logs; never its whole URL, which may hold a key."""
    head: Block
    finalized_number: int | None
    """Block of the ``finalized`` tag; None where the node has none."""
    nonce: int
    """The operator's transaction count at ``latest``."""
    gas_balance_wei: Wei
    reserve_units: TokenUnits
    allowance_units: TokenUnits
    token_has_code: bool
    authority_has_code: bool
    market: FeeQuote
    decimals: int | None = None
    """What the token answers to ``decimals()``; None where it answers nothing, which ERC-20 allows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Revert:
    """Why a contract refused."""

    kind: RevertKind
    text: str
    """The decoded reason, or the error's selector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """One call tried against the latest state: the gas it would use, or why it is refused, or that nobody can say."""

    gas: int = 0
    revert: Revert | None = None
    unknown: str = ""
    """What the node said that is neither; nothing is concluded about the call."""
    items: tuple[Revert | None, ...] = ()
    """Through a guard: why each item would fail; None where it would be paid."""

    def refusal(self, gas_limit: int) -> Revert | None:
        """Return why the contract would not pay; more gas than the limit is a refusal too."""
        if self.items:
            return next((item for item in self.items if item is not None), None)
        if self.revert is None and self.gas > gas_limit:
            return Revert(kind=RevertKind.OTHER, text=f"needs {self.gas} gas, GAS_LIMIT is {gas_limit}")
        return self.revert


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """A ``Transfer`` event of the token, the only proof of a payment."""

    log_index: int
    sender: Address
    recipient: Address
    amount_units: TokenUnits


class GuardWord(StrEnum):
    """What a guard says of one item."""

    PAID = "paid"
    ITEM_FAILED = "item_failed"
    ALREADY_PAID = "already_paid"


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardEvent:
    """An event in the form of a guard's. Any contract can emit one, so *emitter* decides what it is worth."""

    emitter: Address
    log_index: int
    word: GuardWord
    ref_id: Hash
    wallet: Address | None = None
    amount_units: TokenUnits = TokenUnits(0)
    refusal: Revert | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardPayment:
    """The one payment of a reference, as a guard recorded it: of a transaction, or imported."""

    ref_id: Hash
    tx_hash: Hash
    block: Block
    log_index: int
    wallet: Address
    amount_units: TokenUnits


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardLink:
    """What one call added to a guard's records; its head before and after it, as the guard stores it."""

    before: int
    after: int
    payments: tuple[GuardPayment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardFacts:
    """A guard as one block shows it, and who could pay without it."""

    token: Address
    authority: Address
    owner: Address
    paused: bool
    hot_keys: tuple[Address, ...]
    """Those of the operators asked about that may pay through it."""
    has_role: bool
    """Whether the Authority would let it pay; False also while the Authority pays nobody."""
    bypassing: tuple[Address, ...]
    """Those of the addresses asked about that the Authority would let pay without it."""
    count: int
    """Payments recorded."""
    last_block: int
    """The block of the last payment; 0 before the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """
    A mined transaction, with the token's own ``Transfer`` events in it and no other contract's.

    Events in the form of a guard's are kept of every contract.
    """

    tx_hash: Hash
    block: Block
    succeeded: bool
    gas_used: int
    gas_price_wei: Wei
    transfers: tuple[Transfer, ...] = ()
    guard_events: tuple[GuardEvent, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainSnapshot:
    """Chain facts read at one moment from one node, the nonces before the receipts."""

    node: str
    head: Block
    finalized_number: int | None
    nonces: dict[Address, int]
    """Transaction count at ``latest`` of each operator asked for."""
    receipts: dict[Hash, Receipt]
    """Only what the node has; a missing hash says nothing."""
    canonical: dict[int, Hash]
    """Hash of the block the node has at each number asked for; a missing number says nothing."""
    market: FeeQuote
    unreadable: frozenset[Hash] = frozenset()
    """Receipts that are unlike any receipt. They say nothing, not even that there is none: another node is asked."""

    @property
    def mark(self) -> Mark:
        return Mark(self.head.number, self.finalized_number)


class Mark(NamedTuple):
    """How far one node says the chain has come."""

    head_number: int
    finalized_number: int | None
    """Block of the ``finalized`` tag; None where the node has none."""


class Claim(NamedTuple):
    """What a node is asked for its word about: a transaction, said to be in the block of that number."""

    tx_hash: Hash
    block_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """
    What one node says of one claim, read in a request begun after the node's own mark was known.

    A batch may be answered in any order. The mark read after the hash at its height, and a reorganisation
    between the two, would call a block final that has left the chain.
    """

    node: str
    mark: Mark
    receipt: Receipt | None
    """None: the node has come to that height, and says that the transaction is in no block."""
    canonical: Hash | None
    """Hash of the block the node has at the number of the claim."""


class Counts(NamedTuple):
    """How many transactions of an operator are in blocks, and in blocks and one node's pool together."""

    latest: int
    pending: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolView:
    """What one node counts of each operator asked for; only ever a reason to stop."""

    node: str
    counts: Mapping[Address, Counts]


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """What became of signed bytes: the best outcome over the nodes, and its text."""

    outcome: SubmitOutcome
    node: str = ""
    detail: str = ""
    rivalled: bool = False
    """Whether any node said that its pool holds other bytes with this nonce."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardPast:
    """What one node shows that a guard recorded since some head, the oldest first; the digest has been checked."""

    mark: Mark
    links: tuple[GuardLink, ...]
    node: str = field(default="", compare=False)
    """Its label; what it shows is the same without it."""
