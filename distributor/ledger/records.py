"""
Rows that only the ledger knows: next nonces, totals, pointers, and what a rebuild leaves behind.

A reference of an order that came by the webhook names that order. One that a rebuild found holds the
payout that spent it instead, or besides: the chain keeps no more of an order than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from distributor.model import Address, Hash
from distributor.state import Identity, WaitingReason
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Row, Version

WAITS_FOR, APPROVAL = "waits_for", "approval"
"""The column, beside an order's name among the held ones, that says that it waits for approval."""
UNREMEMBERED = ""
"""Fingerprint of an order that a rebuild found: the chain does not show its ``tipo``."""


class Slot(NamedTuple):
    """One nonce of one operator; what an ``opentx:`` row points to."""

    operator: Address
    nonce: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NextNonce:
    """The nonce that an operator's next transaction is bound to."""

    next: int
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """Token units bound and not final."""

    units: TokenUnits
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a rebuild has come, counted from where it began."""

    first_block: int
    next_block: int
    seen: str | None = None
    """How many transfers were read so far, and of how many units together; None where nobody counted."""
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """
    The ledger was put back from a backup, and is nobody's until ``rebuild`` has asked the chain.

    While this row is there, it holds the identity that is written then.
    """

    backup: str
    sha256: str
    begun_ms: UnixMs
    """When the backup was begun: what was stored later is not in it."""
    at_ms: UnixMs
    by: str
    whole: bool
    """Whether every row is back; False: the restore was cut, or still runs."""
    identity: Identity
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How far words whose time is over were emptied."""

    done_ms: UnixMs = UnixMs(0)
    """Orders that came before have none any more."""
    ended_ms: UnixMs = UnixMs(0)
    """When the last pass ended."""
    until_ms: UnixMs | None = None
    """What came before then is old, for the pass that runs; None: none runs."""
    place: str = ""
    """The row that it goes on behind."""
    left_ms: UnixMs | None = None
    """When the oldest order came that this pass left, because it is not finished."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardMark:
    """How far a guard's records are known and settled: its head then, as it stores it, in decimal digits."""

    head: str = "0"
    passed: tuple[Hash, ...] | None = None
    """References before it whose orders this version could not read or may not touch: reported until it can."""
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class DoubtedPast:
    """The ledger was rebuilt from a past that did not add up; what was paid in it may come again as a new order."""

    why: str
    """What did not add up, and what the person said of it."""
    at_ms: UnixMs
    guard: Address | None = None
    """The guard that this ledger paid through before: it has recorded the past too. One of later has not."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class FormerParty:
    """An address that was part of the ledger's identity before a person changed it."""

    kind: str
    """``guard``, ``authority``, ``reserve`` or ``token``."""
    address: Address
    at_ms: UnixMs
    """When it was changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The rules of binding that a ledger asks for; code that knows fewer binds nothing."""

    level: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopRegister:
    """What every fingerprint of a secret is made with, and since when the ledger knows whose each secret is."""

    salt: str
    """Hex; no secret: what makes a guess slow is the function, see ``secret_fingerprints``."""
    registered_ms: UnixMs | None = None
    """None: no secret was registered yet, and an order belongs to the source it came under."""
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopSecret:
    """Whose secret has this fingerprint; said once, no matter which setting holds the secret later."""

    fingerprint: str = field(repr=False)
    source: str
    by: str
    how: str
    """``first``, ``rotation``, or the command of a person: ``accept``, ``same-as``."""
    at_ms: UnixMs
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """The sign that the chain is ahead of the ledger, as it was first seen."""

    reason: WaitingReason
    detail: str
    since_ms: UnixMs
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Distrust:
    """A node that contradicted itself, and where its head was then."""

    node: str
    head_number: int
    why: str
    since_ms: UnixMs
    seen_ms: UnixMs
    """When it was seen last."""
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidRef:
    """What a rebuild keeps beside a spent reference: the payout that spent it."""

    wallet: Address
    amount_units: TokenUnits
    paid_hash: Hash
    paid_block: int
    purged_ms: UnixMs | None = None
    """When its wallet was erased; None: it was not."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @staticmethod
    def is_in(row: Row) -> bool:
        """Say whether a rebuild wrote the row of a reference; any other names an order and no payout."""
        return "paid_hash" in row.values
