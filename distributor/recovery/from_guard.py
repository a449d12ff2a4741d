"""
Use case: give a ledger back what only the guard remembers.

1. A ledger went back. Its nonces were moved by hand, and the payouts are paused: the guard has recorded a payment
   whose reference this ledger does not have.
2. The guard pays no reference twice, so no fence is needed; but the shop would be told that its order waits.
3. Each unknown reference becomes a paid order, from the guard's linked records: nothing can be missing from them
   without a node being caught.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from distributor.chain_types import GuardLink, GuardPayment
from distributor.ledger import Ledger
from distributor.ledger.rebuild_store import RebuildStore, RestoreResult
from distributor.model import Address
from distributor.payout.guard_outcomes import is_same_payment
from distributor.payout.history import agreed_final
from distributor.ports import Chain, Guard
from distributor.recovery.payouts import payout_by
from distributor.recovery.rebuild import NotSettled
from distributor.settings.chain import SettlementSettings
from foundation.errors import InvariantBroken


@dataclass(kw_only=True, slots=True)
class FromGuardReport:
    """What the guard's final records are to this ledger; in a dry run nothing is written."""

    last_block: int
    restored: Counter[RestoreResult] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True, slots=True)
class FromGuard:
    """Writes what the guard at *address* has paid and the ledger does not have."""

    rebuild_store: RebuildStore
    ledger: Ledger
    chain: Chain
    guard: Guard
    address: Address
    policy: SettlementSettings

    async def look(self) -> FromGuardReport:
        """Return what ``run`` would write. Raises as ``run`` does."""
        report, links = await self._read()
        for payment in _payments(links):
            report.restored[await self._fate(payment)] += 1
        return report

    async def run(self, *, by: str, why: str) -> FromGuardReport:
        """
        Pause, then write every unknown reference up to the newest final block. The pause stays on.

        An order that this ledger has is left as it is: the next round adopts it. Whose secrets are whose comes from
        the audit trail: a word that was corrected since the ledger's moment would pay again what it pays for. Each
        write is one group, so an interrupted run is begun again.

        Raises:
            NotSettled: Transactions are open; settlement ends them while paused.
            ChainUnavailable: Too few nodes answer, or they disagree.
        """
        await self.ledger.admin.pause(by, why)
        if await self.ledger.any_open():
            raise NotSettled
        report, links = await self._read()
        for payment in _payments(links):
            fate = await self._fate(payment)
            if fate is RestoreResult.NEW:
                fate = await self.rebuild_store.restore(payout_by(payment))
            report.restored[fate] += 1
        await self.ledger.shops.restore()
        return report

    async def _read(self) -> tuple[FromGuardReport, list[GuardLink]]:
        last = await agreed_final(self.chain, self.policy)
        mark = await self.ledger.guard_rows.mark(self.address)
        links = await self.guard.agreed_past(self.address, int(mark.head), block=last)
        return FromGuardReport(last_block=last), list(links)

    async def _fate(self, payment: GuardPayment) -> RestoreResult:
        """Say what the ledger has of *payment*; an order with another wallet or amount was not paid by it."""
        if not await self.ledger.guard_rows.knows(payment.ref_id):
            return RestoreResult.NEW
        try:
            order = await self.ledger.guard_rows.order_of(payment.ref_id)
        except InvariantBroken:  # a torn row, or a newer version's: it is left as it is
            return RestoreResult.FROZEN
        alike = order is None or order.purged_ms is not None or is_same_payment(order, payment)
        return RestoreResult.KNOWN if alike else RestoreResult.DIFFERS


def _payments(links: list[GuardLink]) -> list[GuardPayment]:
    return [payment for link in links for payment in link.payments]
