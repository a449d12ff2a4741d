"""What a rebuild found, and what a person has to explain before the ledger is whole again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from distributor.ledger.rebuild_store import Payout, RestoreResult
from distributor.model import Hash, OrderKey
from distributor.payout.history import ReserveTransfer
from distributor.recovery.payouts import UnmatchedTransfer


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuildConflict:
    """A payout on the chain that the ledger tells otherwise."""

    payout: Payout
    verdict: RestoreResult


@dataclass(kw_only=True, slots=True)
class RebuildReport:
    """What was found, and whether the ledger is whole again."""

    first_block: int
    last_block: int
    restored: Counter[RestoreResult] = field(default_factory=Counter)
    """How many payouts met which fate; in a dry run all of them count as new."""
    unmatched_transfers: list[UnmatchedTransfer] = field(default_factory=list)
    conflicts: list[RebuildConflict] = field(default_factory=list)
    incomplete: str = ""
    """Why the blocks that were read are not the whole past; empty when nothing speaks against it."""
    guard_trouble: str = ""
    """Why the guard of the settings may not be that of the lost ledger; empty where it is, or was never lost."""
    doubt: str = ""
    """The same where a person took the past all the same: each order waits for a person from then on."""
    barred: list[OrderKey] = field(default_factory=list)
    """Orders that a person cancelled before the loss, and that stay cancelled."""
    ledger_id: str = ""
    """Of the finished ledger; empty while it is not finished."""
    paid: set[Hash] = field(default_factory=set)
    """The references that the pages which were read spent; of a run that went on, not those before its checkpoint."""
    transfers: int = 0
    units: int = 0
    """What left the reserve in the blocks that were read."""

    @property
    def clear(self) -> bool:
        """Whether nothing is left for a person to explain."""
        return not (self.unmatched_transfers or self.conflicts or self.incomplete or self.guard_trouble)

    @property
    def seen(self) -> str:
        """What was read so far, in the words of the checkpoint."""
        return f"{self.transfers} transfers of {self.units} units"

    def count(self, reserve_transfers: Sequence[ReserveTransfer]) -> None:
        """Count what a page of the past shows."""
        self.transfers += len(reserve_transfers)
        self.units += sum(each.amount_units for each in reserve_transfers)
