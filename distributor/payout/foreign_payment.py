"""
What a transaction that the ledger never bound paid, so that an exit never forgets what it saw.

1. A ledger went back; the chain is ahead by a forgotten payment of order A, and A waits again.
2. A person takes that nonce as spent, and resumes.
3. A is bound to the next nonce, and paid again.

So a command that steps over a nonce writes the reference that its transaction spent; and where nobody here
knows the order, only a rebuild can.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import GuardWord, Receipt, Transfer
from distributor.ledger.rebuild_store import Payout, RebuildStore, RestoreResult
from distributor.model import Address, Hash
from distributor.payout.history import DistributeCall, TransactionDetails, payout_of
from distributor.state import Identity


class Unsettled(StrEnum):
    """Why a nonce cannot be stepped over: its transaction moved tokens of the reserve that the ledger cannot place."""

    REBUILD = "rebuild"
    """It paid an order that this ledger does not know."""
    CONFLICT = "conflict"
    """It paid an order that this ledger has otherwise: bound, paid before, or with another content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignPayment:
    """Find, and write, the payment that a transaction made."""

    store: RebuildStore
    identity: Identity

    async def of_unbound(self, details: TransactionDetails, receipt: Receipt) -> Payout | Unsettled | None:
        """
        Return what is to be written before a nonce nobody here bound is stepped over; None where nothing is.

        Tokens of the reserve that moved by no plain ``distribute`` call of this service are never stepped over, but
        those the guard paid under references that are known here; nor the payment of an order nobody here knows:
        others will be missing too.
        """
        moved = self._moved(receipt)
        payout = await self._payout(details, receipt, moved)
        if payout is None:
            stays = moved and not await self._is_known(details, receipt, moved)
            return Unsettled.REBUILD if stays else None
        match await self.store.look(payout):
            case RestoreResult.MARKED:
                return payout
            case RestoreResult.KNOWN:
                return None
            case RestoreResult.NEW:
                return Unsettled.REBUILD
            case _:
                return Unsettled.CONFLICT

    async def beside(
        self, own: Collection[Hash], details: TransactionDetails, receipt: Receipt
    ) -> Payout | Unsettled | None:
        """
        Return what is to be written before a transaction that paid none of *own* ends the nonce they are bound to.

        Known here or not: its reference is spent, and the orders bound to it must not stay bound.
        """
        payout = await self._payout(details, receipt, self._moved(receipt))
        if payout is None or payout.ref_id in own:
            return None
        match await self.store.look(payout):
            case RestoreResult.MARKED | RestoreResult.NEW:
                return payout
            case RestoreResult.KNOWN:
                return None
            case _:
                return Unsettled.CONFLICT

    async def _is_known(self, details: TransactionDetails, receipt: Receipt, moved: Sequence[Transfer]) -> bool:
        """
        Say whether this ledger has the reference of each payment that the guard of today made there.

        Then nothing is to be written: the guard pays none of them again, and an order that waits is adopted.
        """
        if not details.guarded or details.to is None or details.to != self.identity.guard:
            return False
        events = [each for each in receipt.guard_events if each.emitter == details.to]
        paid = [each.ref_id for each in events if each.word is GuardWord.PAID]
        return len(paid) == len(moved) and all([await self.store.knows(each) for each in paid])

    def _moved(self, receipt: Receipt) -> Sequence[Transfer]:
        return [each for each in receipt.transfers if each.sender == self.identity.reserve]

    async def _payout(self, details: TransactionDetails, receipt: Receipt, moved: Sequence[Transfer]) -> Payout | None:
        """Return the one order that a ``distribute`` call of this service paid; None for any other transaction."""
        asked = details.distribution
        if not moved or asked is None or details.to not in await self._authorities():
            return None
        return _payout(details, receipt, asked, moved)

    async def _authorities(self) -> Collection[Address]:
        """Return the Authority of today and those before it, whose old calls may wait in pools."""
        return {self.identity.authority, *(each.address for each in await self.store.former("authority"))}


def _payout(details: TransactionDetails, receipt: Receipt, asked: DistributeCall, moved: Sequence[Transfer]) -> Payout:
    wanted = (asked.wallet, asked.amount_units)
    proof = next((each for each in moved if (each.recipient, each.amount_units) == wanted), moved[0])
    paid = (proof.recipient, proof.amount_units)
    return payout_of(details, asked, paid, tx_hash=receipt.tx_hash, block=receipt.block.number)
