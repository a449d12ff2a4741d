"""
The nouns: what the ledger holds and what the chain shows.

Everything is frozen and keyword-only; a change is ``dataclasses.replace``. ``version`` is the
ledger's ETag of the row a value was read from: a later write of the same row is conditional on it.
It is no part of what the value *is*, so two values that differ only in it are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

from distributor.units import TokenUnits, UnixMs, Wei

Address = NewType("Address", str)
"""``0x`` and 40 hex digits with the EIP-55 checksum."""

Hash = NewType("Hash", str)
"""``0x`` and 64 lower-case hex digits: of a transaction, a block, or an order's on-chain refId."""

Version = NewType("Version", str)
"""The ETag of a stored row; empty for what was never read from the ledger."""

UNSTORED = Version("")

SETTLEMENT_LEASE = "settlement"
"""Name of the lease that settlement holds and the sweep looks at."""

DEFAULT_SOURCE = "default"
"""The shop that signs with ``WEBHOOK_SECRET``; its orders go on chain under their id alone."""


class OrderKey(NamedTuple):
    """Who an order is: the shop that signed it, and the id that shop gave it."""

    source: str
    order_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.order_id}"


class OrderStatus(StrEnum):
    """Where an order stands in the ledger: ``received → assigned → paid``, or ``held``, ``cancelled``."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    PAID = "paid"
    HELD = "held"
    CANCELLED = "cancelled"


class HoldReason(StrEnum):
    """Why an order stopped and waits for a person."""

    REVERTED = "reverted"
    NO_TRANSFER = "no_transfer"
    SIMULATION = "simulation"
    NONCE_LOST = "nonce_lost"
    NONCE_CANCELLED = "nonce_cancelled"


class WaitingReason(StrEnum):
    """Why orders stay ``received``: one reason for the whole service; it passes without a person touching an order."""

    NODE_DOWN = "node_down"
    WRONG_CHAIN = "wrong_chain"
    LEDGER_FOREIGN = "ledger_foreign"
    NOT_CONFIGURED = "not_configured"
    PAUSED = "paused"
    FEE_CEILING = "fee_ceiling"
    SLOTS_FULL = "slots_full"
    GAS_SHORT = "gas_short"
    RESERVE_SHORT = "reserve_short"
    ALLOWANCE_SHORT = "allowance_short"
    TOKEN_MISSING = "token_missing"  # noqa: S105 -- the ERC-20 token, no password
    AUTHORITY_MISSING = "authority_missing"
    ROLE_MISSING = "role_missing"
    AUTHORITY_PAUSED = "authority_paused"
    AUTHORITY_REFUSES = "authority_refuses"
    NONCE_AHEAD = "nonce_ahead"
    NODE_BEHIND = "node_behind"


class TransactionStatus(StrEnum):
    """Where a transaction stands: ``signed → submitted → mined → final``; ``cancelling`` after a cancel attempt."""

    SIGNED = "signed"
    SUBMITTED = "submitted"
    MINED = "mined"
    CANCELLING = "cancelling"
    FINAL = "final"


class AttemptKind(StrEnum):
    """What an attempt does with its nonce."""

    PAY = "pay"
    CANCEL = "cancel"


class SubmitOutcome(StrEnum):
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


class RevertKind(StrEnum):
    """What a refused simulation means for the service."""

    ROLE_MISSING = "role_missing"
    AUTHORITY_PAUSED = "authority_paused"
    RESERVE_SHORT = "reserve_short"
    ALLOWANCE_SHORT = "allowance_short"
    OTHER = "other"


# What the ledger holds ---------------------------------------------------------------------------


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
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def key(self) -> OrderKey:
        return OrderKey(self.source, self.order_id)

    @property
    def place(self) -> str:
        """Its place in the waiting line, as a text that sorts: oldest first."""
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
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTransaction:
    """A transaction that is not final, with every attempt ever signed for its nonce, oldest first."""

    transaction: Transaction
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whose ledger this is. Missing, or unlike the settings: nothing binds."""

    ledger_id: str
    chain_id: int
    token: Address
    authority: Address
    reserve: Address


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The operators' switch: while ``paused``, nothing is bound."""

    paused: bool = False
    paused_by: str = ""
    paused_why: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What was bound in one UTC day, less what came back from nonces that paid nothing."""

    day: str = ""
    units: TokenUnits = TokenUnits(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """What a binding is conditional on: the next nonce, and the token units bound but not final."""

    operator: Address
    next_nonce: int
    nonce_version: Version = field(compare=False, repr=False)
    committed_units: TokenUnits
    commitments_version: Version = field(compare=False, repr=False)
    spent: Spent = Spent()
    """The day's total as last seen; a binding on another day reads its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Why orders wait, for the whole service; ``reason`` empty when none does."""

    reason: WaitingReason | None = None
    detail: str = ""
    since_ms: UnixMs = UnixMs(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What the sweep last saw; for ``/ready`` and for alarms that are raised once."""

    swept_ms: UnixMs = UnixMs(0)
    watched_ms: UnixMs = UnixMs(0)
    head_number: int = 0
    finalized_number: int = 0
    reserve_units: TokenUnits = TokenUnits(0)
    allowance_units: TokenUnits = TokenUnits(0)
    gas_wei: Wei = Wei(0)
    alarms: tuple[str, ...] = ()
    """Codes of the alarms that stand; one is raised when it enters this set, and cleared when it leaves."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """Totals of one operator, written in the closing groups."""

    transactions: int = 0
    orders_paid: int = 0
    paid_units: TokenUnits = TokenUnits(0)
    gas_used: int = 0
    gas_cost_wei: Wei = Wei(0)
    final_number: int | None = None
    """The newest block in which a transaction was closed, and its hash: what is final must stay there."""
    final_hash: Hash | None = None
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """An advisory lock: it spares hosts the contention; conditional writes stay the guard."""

    name: str
    holder: str
    until_ms: UnixMs
    version: Version = field(default=UNSTORED, compare=False, repr=False)


# What the chain shows ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What an operator asks of a contract; the value is always 0."""

    to: Address
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
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
class Survey:
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
    market: Market


@dataclass(frozen=True, kw_only=True, slots=True)
class Revert:
    """Why a contract refused."""

    kind: RevertKind
    text: str
    """The decoded reason, or the error's selector."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """One call tried against the latest state: the gas it would use, or why it is refused."""

    gas: int = 0
    revert: Revert | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """A ``Transfer`` event of the token, the only proof of a payment."""

    log_index: int
    sender: Address
    recipient: Address
    amount_units: TokenUnits


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A mined transaction, with the token's own ``Transfer`` events in it and no other contract's."""

    tx_hash: Hash
    block: Block
    succeeded: bool
    gas_used: int
    gas_price_wei: Wei
    transfers: tuple[Transfer, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
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
    market: Market


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """What became of signed bytes: the best outcome over the nodes, and its text."""

    outcome: SubmitOutcome
    node: str = ""
    detail: str = ""
