"""What the lifecycle can decide about one open transaction. ``StepExecutor`` does it."""

from __future__ import annotations

from dataclasses import dataclass

from distributor.chain_types import Receipt
from distributor.model import Attempt, Fees, TransactionStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Nothing to do now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submit:
    """Broadcast the stored bytes of *attempt*, for the first time or again."""

    attempt: Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceAttempt:
    """Sign the next attempt, of the kind of *previous*, at *fees*; store it, then broadcast it."""

    previous: Attempt
    fees: Fees
    gas_limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeeCeiling:
    """A replacement would help and none fits under the ceilings: broadcast *attempt* again and raise an alarm."""

    attempt: Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRefused:
    """No node will ever take *attempt*, and there is nothing to correct: broadcast it again and raise an alarm."""

    attempt: Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Mined:
    """Store where it was mined; not final."""

    receipt: Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class Reopen:
    """Its block left the chain: back to *status*, and the bytes go to the nodes again."""

    attempt: Attempt
    status: TransactionStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalise:
    """Its block is final: the receipt decides for each order."""

    receipt: Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class NonceLost:
    """Something else consumed the nonce: none of the attempts has a receipt. An operator must look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptUnreadable:
    """For minutes its receipt has been unlike any receipt, or one of two that exclude each other: raise an alarm."""


Step = (
    Wait
    | Submit
    | ReplaceAttempt
    | FeeCeiling
    | AttemptRefused
    | Mined
    | Reopen
    | Finalise
    | NonceLost
    | ReceiptUnreadable
)
