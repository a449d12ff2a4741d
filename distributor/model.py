"""
Orders, transactions, attempts, and the status each can have.

Everything is frozen and keyword-only; a change is ``dataclasses.replace``. ``version`` is the
ledger's ETag of the row a value was read from: a later write of the same row is conditional on it.
It is no part of what the value *is*, so two values that differ only in it are equal. How the whole
service is, ``state`` says; what a node shows, ``chain_types``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, NewType

from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version
from foundation.tablestore.words import StoredWord

Address = NewType("Address", str)
"""``0x`` and 40 hex digits with the EIP-55 checksum."""

Hash = NewType("Hash", str)
"""``0x`` and 64 lower-case hex digits: of a transaction, a block, or an order's on-chain refId."""

DEFAULT_SOURCE = "default"
"""The shop that signs with ``WEBHOOK_SECRET``; its orders go on chain under their id alone."""


class OrderKey(NamedTuple):
    """Who an order is: the shop that signed it, and the id that shop gave it."""

    source: str
    order_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.order_id}"


class OrderStatus(StoredWord):
    """The status of an order in the ledger: ``received → assigned → paid``, or ``held``, ``cancelled``."""

    RECEIVED = "received"
    BOUND = "assigned"
    PAID = "paid"
    HELD = "held"
    CANCELLED = "cancelled"


class HoldReason(StoredWord):
    """Why an order stopped and waits for a person."""

    REVERTED = "reverted"
    NO_TRANSFER = "no_transfer"
    SIMULATION = "simulation"
    NONCE_LOST = "nonce_lost"
    NONCE_CANCELLED = "nonce_cancelled"
    ITEM_FAILED = "item_failed"
    REFERENCE_USED = "reference_used"
    PAST_UNKNOWN = "past_unknown"
    NEEDS_APPROVAL = "needs_approval"


class TransactionStatus(StoredWord):
    """The status of a transaction: ``signed → submitted → mined → final``; ``cancelling`` after a cancel attempt."""

    SIGNED = "signed"
    SUBMITTED = "submitted"
    MINED = "mined"
    CANCELLING = "cancelling"
    FINAL = "final"


class AttemptKind(StoredWord):
    """What an attempt does with its nonce."""

    PAY = "pay"
    CANCEL = "cancel"


class SubmitOutcome(StoredWord):
    """What a node said to signed bytes. None of these is an error, and none proves a payment."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    UNDERPRICED = "underpriced"
    """A rival with this nonce is in the pool and these fees do not beat it, or the tip is under the node's floor."""
    GAS_SHORT = "gas_short"
    POOL_FULL = "pool_full"
    REFUSED = "refused"
    """The node will never take these bytes (fee cap, intrinsic gas, block gas limit)."""
    UNKNOWN = "unknown"
    """No answer, or one nobody can read: the bytes may or may not be in a pool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A person's word that an order may be paid although it is above the limit."""

    by: str
    at_ms: UnixMs
    fingerprint: str
    """Digest of the content that was approved (``approvals.content_of``)."""
    until_ms: UnixMs
    """When it ends; what is bound later is judged again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the shop owes a wallet, and our duty to pay it once."""

    source: str
    order_id: str
    wallet: Address
    amount_units: TokenUnits
    tipo: str
    reason: str
    """As it goes on chain: at most 64 bytes of UTF-8."""
    ref_id: Hash
    """The bytes32 the Authority contract gets, as ``0x`` hex."""
    fingerprint: str
    """SHA-256 hex over the canonical content: same id and another fingerprint is a conflict."""
    received_ms: UnixMs
    updated_ms: UnixMs
    status: OrderStatus = OrderStatus.RECEIVED
    hold_reason: HoldReason | None = None
    hold_detail: str = ""
    operator: Address | None = None
    nonce: int | None = None
    """Bound once, together with *operator*; empty again only when that nonce is finally consumed without paying."""
    paid_hash: Hash | None = None
    """The transaction that paid (``paid``), or the last one that finally failed to (``held``)."""
    paid_block: int | None = None
    paid_log: int | None = None
    """Index in its block of the log that proves the payment; None where a plain Transfer proved it."""
    gas_cost_wei: Wei | None = None
    """Its share of what the transaction that paid it cost; None: not known, or another's transaction paid it."""
    item_failures: int | None = None
    """How often a guard reported it as failed for a reason of its own; None: never."""
    vetted_ms: UnixMs | None = None
    """When a person said that it was not paid before a past that was not found whole; None: nobody did."""
    signed_with: str | None = field(default=None, repr=False)
    """Fingerprint of the secret that signed it; None in rows of before, whose shop is their source."""
    moved_to: str | None = None
    """Of a cancelled one that lay under a wrong name: the source it belongs to, where the same id is the order."""
    sequence: int | None = None
    """The number of its newest event, of those a shop is told; raised in the group of the fact. None: no event yet."""
    paid_ms: UnixMs | None = None
    """When it became paid: the time under which its day counts it. None: no day does."""
    purged_ms: UnixMs | None = None
    """When its personal data was erased: wallet and words are empty, its id stays taken. None: it was not."""
    asked_by: str | None = None
    """Who uploaded the file it came in; None: a shop sent it."""
    batch: str | None = None
    """The name of that file's payout, in lower case; None: it came in no file."""
    file_units: TokenUnits | None = None
    """What all orders of that file come to together; None: it came in no file."""
    approval: Approval | None = None
    """The last one it was given, which may have ended; None: nobody approved it."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def key(self) -> OrderKey:
        return OrderKey(self.source, self.order_id)

    @property
    def is_frozen(self) -> bool:
        """Whether a newer version wrote its status or its reason: this one leaves it as it is."""
        return not (self.status.is_known and (self.hold_reason is None or self.hold_reason.is_known))

    @property
    def queue_key(self) -> str:
        """Its place in the backlog, as a text that sorts: oldest first."""
        return f"{self.received_ms:015d}:{self.source}:{self.order_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fees:
    """Prices of one attempt, wei per gas. Without base fee (``dynamic`` false) both are the gas price."""

    max_fee_wei: Wei
    tip_wei: Wei
    dynamic: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One signed version of a transaction; append-only, in the ledger before any node sees it."""

    operator: Address
    nonce: int
    index: int
    """0 for the first; attempts of one nonce are numbered without gaps."""
    kind: AttemptKind
    raw: bytes
    tx_hash: Hash
    fees: Fees
    gas_limit: int
    signed_ms: UnixMs


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """One nonce of one operator; carries 1..N orders."""

    operator: Address
    nonce: int
    to: Address
    data: bytes
    """Call data of attempt 0; every later paying attempt copies it."""
    orders: tuple[OrderKey, ...]
    committed_units: TokenUnits
    """The sum of its orders, part of ``commitments`` until the transaction is final."""
    bound_day: str
    """UTC day of the binding, ``yyyy-mm-dd``."""
    bound_ms: UnixMs
    status: TransactionStatus = TransactionStatus.SIGNED
    attempts: int = 1
    submitted_ms: UnixMs | None = None
    """When bytes of this nonce were last handed to a node."""
    last_outcome: SubmitOutcome | None = None
    """What the nodes then said of its last attempt; None while that one was never handed over."""
    mined_hash: Hash | None = None
    block_number: int | None = None
    block_hash: Hash | None = None
    alone_since_ms: UnixMs | None = None
    """Since when it could be closed, and no second provider confirms what the first shows; None while one does."""
    witnesses: int | None = None
    """Of a closed one, how many providers showed its receipt; 1 rests on one node. None in rows of before."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransaction:
    """A transaction that is not final, with every attempt ever signed for its nonce, oldest first."""

    transaction: Transaction
    attempts: tuple[Attempt, ...]
