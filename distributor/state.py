"""
The state of the whole service: whose ledger it is, whether it is paused, the totals, why orders wait.

Rows of the ledger beside its orders and transactions, frozen and versioned as those are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from distributor.model import Address, Hash, Order
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version
from foundation.tablestore.words import StoredWord

PAID_WITHIN_S = (15, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400)
"""Upper bounds of the classes of times to paid, seconds; one more class is for what took longer. Never changed."""
SETTLEMENT_LEASE = "settlement"
"""Name of the lease that settlement holds and the sweep looks at."""


class WaitingReason(StoredWord):
    """Why orders stay ``received``: one reason for the whole service; it passes without a person touching an order."""

    NODE_DOWN = "node_down"
    WRONG_CHAIN = "wrong_chain"
    LEDGER_FOREIGN = "ledger_foreign"
    NOT_CONFIGURED = "not_configured"
    PAUSED = "paused"
    HALTED = "halted"
    DAILY_CAP = "daily_cap"
    OVER_CAP = "over_cap"
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
    POOL_AHEAD = "pool_ahead"
    NODE_BEHIND = "node_behind"
    FINALITY_BEHIND = "finality_behind"
    NEWER_ROWS = "newer_rows"
    DECIMALS_WRONG = "decimals_wrong"
    SIGNER_DOWN = "signer_down"
    GUARD_CHANGED = "guard_changed"
    GUARD_BYPASSED = "guard_bypassed"
    GUARD_PAUSED = "guard_paused"
    SHOP_UNKNOWN = "shop_unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whose ledger this is. Missing, or unlike the settings: nothing binds."""

    ledger_id: str
    chain_id: int
    token: Address
    authority: Address
    reserve: Address
    guard: Address | None = None
    """The contract that the payouts go through; None: straight to the Authority."""
    guard_since: int | None = None
    """The block from which on the guard is the only way; None without a guard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseState:
    """
    The operator's switch. While ``paused``, nothing is bound; while ``halted``, nothing is submitted either.

    A halt is a pause as well, so a check for a pause finds both.
    """

    paused: bool = False
    paused_by: str = ""
    paused_why: str = ""
    halted: bool = False
    halted_by: str = ""
    halted_why: str = ""
    console_epoch: int | None = None
    """How often everybody was signed out of the console; None: never. It stops nothing."""
    console_link_ms: UnixMs | None = None
    """Links that sign in, made until then, are used up; None: none was used. It stops nothing."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What was bound in one UTC day, less what came back from nonces that paid nothing: in all, or to one wallet."""

    day: str = ""
    wallet: Address | None = None
    units: TokenUnits = TokenUnits(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class BindingState:
    """What a binding is conditional on: the next nonce, the token units bound but not final, the day's totals."""

    operator: Address
    next_nonce: int
    nonce_version: Version = field(compare=False, repr=False)
    committed_units: TokenUnits
    commitments_version: Version = field(compare=False, repr=False)
    spent: Spent = Spent()
    """The day's total as last seen; a binding on another day reads its own."""
    wallets: Mapping[Address, Spent] = field(default_factory=dict)
    """The day's totals of the wallets that were looked up."""

    def plus(self, orders: Iterable[Order]) -> BindingState:
        """Return the books with *orders* bound as well, of wallets that were looked up; nonce and versions stay."""
        wallets, added = dict(self.wallets), 0
        for order in orders:
            total = wallets[order.wallet]
            wallets[order.wallet] = replace(total, units=TokenUnits(total.units + order.amount_units))
            added += order.amount_units
        spent = replace(self.spent, units=TokenUnits(self.spent.units + added))
        return replace(self, committed_units=TokenUnits(self.committed_units + added), spent=spent, wallets=wallets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Why orders wait, for the whole service; ``reason`` empty when none does."""

    reason: WaitingReason | None = None
    detail: str = ""
    since_ms: UnixMs = UnixMs(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorState:
    """What the sweep last saw; for ``/ready`` and for alarms that are raised once."""

    swept_ms: UnixMs = UnixMs(0)
    watched_ms: UnixMs = UnixMs(0)
    head_number: int = 0
    finalized_number: int = 0
    reserve_units: TokenUnits = TokenUnits(0)
    allowance_units: TokenUnits = TokenUnits(0)
    gas_wei: Wei = Wei(0)
    market_base_wei: int | None = None
    market_tip_wei: int | None = None
    """What the network asked per gas; None: not looked yet, or a chain without base fee."""
    alarms: tuple[str, ...] = ()
    """Codes of the alarms that stand; one is raised when it enters this set, and cleared when it leaves."""
    index_swept_ms: UnixMs | None = None
    """``swept_ms`` as the last sweep wrote it that knows the index of orders; unlike: one of before swept since."""
    index_place: str | None = None
    """Up to which row of an order the running pass has indexed those of before; None: no pass runs."""
    index_due_ms: UnixMs | None = None
    """When one more pass begins; None: none is due."""
    found: tuple[str, ...] | None = None
    """Code, subject and words of each, with tabs between them, as they were at the last watch; None: not kept yet."""
    backup_ms: UnixMs | None = None
    """When the last good backup was begun; without one, when the first sweep ran. None: no sweep knew of backups."""
    backup_name: str | None = None
    """The last good backup; None: there was none."""
    lane_gas: tuple[str, ...] | None = None
    """Each operator that pays, the first lane's first, with its coin in wei behind a space; None: not looked yet."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def gas_of_lanes(self) -> Mapping[Address, Wei]:
        """Return the coin of each operator that pays, in wei, as last watched; the first lane's first."""
        found = (line.partition(" ") for line in self.lane_gas or ())
        return {Address(operator): Wei(int(wei)) for operator, _, wei in found}

    @property
    def orders_indexed(self) -> bool:
        """Say whether every order is found by the index, as far as the sweep knows."""
        return self.index_swept_ms is not None and self.index_place is None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettlementLook:
    """When settlement last looked at everything that is open without an error, within a minute."""

    looked_ms: UnixMs = UnixMs(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)


def counted_by_time(before: Stats, times_ms: Iterable[int]) -> tuple[tuple[int, ...], int]:
    """Return the classes and the sum of *before* with *times_ms* counted as well; a time below zero counts as zero."""
    classes, total = list(before.paid_within or [0] * (len(PAID_WITHIN_S) + 1)), before.paid_ms_sum or 0
    for each in times_ms:
        classes[time_class(each)] += 1
        total += max(0, each)
    return tuple(classes), total


def time_class(took_ms: int) -> int:
    """Return the number of the class of times to paid that *took_ms* falls into; below zero counts as zero."""
    return bisect_left(PAID_WITHIN_S, max(0, took_ms) / 1_000)


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
    paid_within: tuple[int, ...] | None = None
    """Orders paid by the time from receipt to finality, in the classes of ``PAID_WITHIN_S``; None: none counted yet."""
    paid_ms_sum: int | None = None
    """The sum of those times."""
    batches_reverted: int | None = None
    """How many transactions through a guard in a row were refused as a whole, up to the last one closed; None: 0."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)
