"""
Use case: make a lost ledger again from what is on the chain.

Fence first, then read: see ``fence``. Until the last group is done the ledger is nobody's or paused,
so nothing is bound from half a ledger; and the pause stays on after it, for a person to end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distributor.errors import ForeignLedger
from distributor.ledger import Ledger
from distributor.ledger.rebuild_store import Payout, RebuildStore, RestoreResult
from distributor.ledger.records import Progress
from distributor.model import Address, HoldReason, OrderStatus
from distributor.payout.history import History, agreed_final, newest_final
from distributor.payout.preflight import identity_mismatch, not_ours
from distributor.ports import Chain
from distributor.recovery.cancelled import cancelled_orders
from distributor.recovery.completeness import Completeness, Held
from distributor.recovery.fence import Fence
from distributor.recovery.lost_guard import LostGuard
from distributor.recovery.payouts import KnownParties, classify_transfers, payout_by
from distributor.recovery.rebuild_report import RebuildConflict, RebuildReport
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity
from foundation.errors import ConfigurationError, ServiceError
from foundation.tablestore.ports import AuditTrail

PAGE_BLOCKS = 10_000
"""Blocks indexed between two checkpoints."""
_BLOCKING = (RestoreResult.PAID_TWICE, RestoreResult.DIFFERS, RestoreResult.FROZEN, RestoreResult.BOUND)

Say = Callable[[str], None]


class RestoreCut(ServiceError):
    """A restore was cut before every row was back: run it again with the same backup, then `rebuild`."""


class NotSettled(ServiceError):
    """The ledger still has open transactions: leave the pause on and let settlement end them, then run it again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuild:
    """
    Puts every payout of the chain into the ledger.

    Args:
        identity: Whose ledger it is; its id is made up where it is empty.
        known: The operators there ever were, and what people have explained.
    """

    rebuild_store: RebuildStore
    ledger: Ledger
    chain: Chain
    history: History
    fence: Fence
    policy: SettlementSettings
    identity: Identity
    known: KnownParties
    audit: AuditTrail
    say: Say
    accept_incomplete: str = ""
    """Why a person takes a past that does not add up for the whole one."""
    accept_guard: str = ""
    """Why a person takes the guard of the settings for the ledger's, though it has not recorded what was paid."""

    async def look(self, first_block: int) -> RebuildReport:
        """Show what ``run`` would find and do, and change nothing; needs no ledger. Raises as ``run`` does."""
        for lane in await self.fence.lanes(self._operators):
            doing = (
                "has no role" if lane.revoked else f"would spend the nonces {lane.first} to {lane.end - 1} on nothing"
            )
            self.say(f"Fence: {lane.operator} {doing}.")
        report = RebuildReport(first_block=first_block, last_block=await newest_final(self.chain, self.policy))
        held = await self._completeness.held(report.last_block)
        for first in range(first_block, report.last_block + 1, PAGE_BLOCKS):
            payouts = await self._page(first, min(first + PAGE_BLOCKS - 1, report.last_block), report)
            report.restored[RestoreResult.NEW] += len(payouts)
        await self._add_up(report, held)
        if await self._is_lost():
            report.guard_trouble = await self._lost_guard.check(sorted(report.paid), await self._newest())
        return report

    async def run(self, first_block: int, *, by: str, why: str) -> RebuildReport:
        """
        Rebuild, and leave the pause on.

        1. Pause, and only then look: a round could bind between a look and the pause. What is open must
           have been settled.
        2. Close the fence.
        3. Page by page, put every payout into the ledger. The checkpoint moves only past pages that
           leave no question open, so they are met again by the next run. An order that came again with other
           content than an accepted payout is held.
        4. The past adds up, or a person says in words why it need not.
        5. Where the identity is lost too: the guard is of this token and Authority, and has recorded what was found.
           What it has recorded besides is written as well.
        6. What a person cancelled before the loss stays cancelled, by the audit trail.
        7. Whose secret is whose, by the audit trail; what it does not say waits for a person.
        8. Nothing left to explain: write identity and nonces.

        Raises:
            ForeignLedger: The ledger is another one's, or pays through another guard.
            NotSettled: It has open transactions.
            RestoreCut: It was put back from a backup, in part.
            FenceOpen: Something signed may still be mined.
            ChainUnavailable: No node answers; what was written is kept, and the next run continues there.
        """
        await self._refuse_foreign()
        await self.ledger.admin.pause(by, why)
        await self._refuse_open()
        nonces = await self.fence.close(self._operators)
        report = RebuildReport(first_block=first_block, last_block=await newest_final(self.chain, self.policy))
        held = await self._completeness.held(report.last_block)
        progress = await self._index(report)
        await self._add_up(report, held)
        if await self._is_lost():
            await self._take_guard(report)
        if report.clear:
            await self._keep_cancelled(report, by, why)
            await self.ledger.shops.restore()
            found = await self._identity()
            ledger_id = self.identity.ledger_id or (found.ledger_id if found else "") or secrets.token_hex(16)
            since = found.guard_since if found else None
            identity = replace(self.identity, ledger_id=ledger_id, guard_since=since)
            await self.rebuild_store.finish(identity, nonces, progress, doubt=report.doubt)
            report.ledger_id = ledger_id
        return report

    async def check(self) -> None:
        """Refuse a ledger that no rebuild may touch: another one's, or with another guard, or open transactions."""
        await self._refuse_foreign()
        await self._refuse_open()

    async def _identity(self) -> Identity | None:
        """Return whose ledger it is; of one that was put back, whose it was. None where that is lost."""
        restored = await self.rebuild_store.restored()
        return restored.identity if restored else await self.ledger.identity()

    async def _refuse_foreign(self) -> None:
        restored = await self.rebuild_store.restored()
        if restored is not None and not restored.whole:
            raise RestoreCut
        found = await self._identity()
        if found is not None and identity_mismatch(found, self.identity) is not None:
            raise ForeignLedger(f"the ledger belongs to {found}, not to {self.identity}; nothing was changed")
        changed = not_ours(found, self.identity) if found is not None else None
        if changed is not None:  # a reference can be paid once through each of two guards, and once more without one
            raise ForeignLedger(f"{changed.detail} Set it to the ledger's; only `guard adopt` changes it")

    async def _refuse_open(self) -> None:
        if await self.ledger.any_open():
            raise NotSettled

    @property
    def _operators(self) -> Sequence[Address]:
        return sorted(self.known.operators)

    @property
    def _completeness(self) -> Completeness:
        return Completeness(history=self.history)

    async def _add_up(self, report: RebuildReport, held: Held) -> None:
        first, last, providers = report.first_block, report.last_block, self._completeness.providers(self.chain.nodes)
        books = await self._completeness.books(first, last, held, providers=providers)
        trouble = books.trouble(providers=providers, read_units=report.units)
        if trouble and self.accept_incomplete:
            self.say(f"{trouble} Accepted: {self.accept_incomplete}.")
            report.doubt = f"{trouble} {self.accept_incomplete}"
        elif trouble:
            report.incomplete = trouble

    async def _is_lost(self) -> bool:
        """Say whether the identity is lost, with its table or without; then the settings alone name a guard."""
        try:
            return await self._identity() is None
        except ConfigurationError:  # the table is gone: only a dry run meets that
            return True

    async def _newest(self) -> int:
        """Return the newest final block of now: of the one that the past was read to, no usual node has the state."""
        return await agreed_final(self.chain, self.policy)

    @property
    def _lost_guard(self) -> LostGuard:
        return LostGuard(
            guard=self.fence.guard,
            identity=self.identity,
            former=self.known.guards,
            accepted=self.accept_guard,
            say=self.say,
        )

    async def _take_guard(self, report: RebuildReport) -> None:
        """Prove that the guard is the ledger's, and write what it has recorded and no log has shown."""
        paid = {ref_id: tx_hash async for ref_id, tx_hash in self.rebuild_store.paid()}
        by_its_calls = sorted(ref_id for ref_id, tx_hash in paid.items() if tx_hash not in self.known.accepted)
        block = await self._newest()
        report.guard_trouble = await self._lost_guard.check(by_its_calls, block)
        if report.guard_trouble:
            return
        for payment in await self._lost_guard.unknown(paid.keys(), block):
            await self._restore(payout_by(payment), report)

    async def _keep_cancelled(self, report: RebuildReport, by: str, why: str) -> None:
        """Bar again what a person cancelled: the chain does not know of it, and the shop may send it again."""
        for key in await cancelled_orders(self.audit):
            order = await self.ledger.order(key)
            if order is None:
                await self.ledger.exits.bar(key)
            elif order.status in {OrderStatus.RECEIVED, OrderStatus.HELD}:
                await self.ledger.admin.cancel(order, by, why)
            else:
                continue
            report.barred.append(key)

    async def _index(self, report: RebuildReport) -> Progress:
        progress = await self._progress(report)
        for first in range(progress.next_block, report.last_block + 1, PAGE_BLOCKS):
            last = min(first + PAGE_BLOCKS - 1, report.last_block)
            for payout in await self._page(first, last, report):
                await self._restore(payout, report)
            if report.clear:
                progress = await self.rebuild_store.advance(progress, last + 1, seen=report.seen)
        return progress

    async def _progress(self, report: RebuildReport) -> Progress:
        """
        Return how far an interrupted run came, if the nodes show those blocks today as they did then; else begin anew.

        1. A node that has pruned its logs shows nothing; page by page the checkpoint moves, and nothing is written.
        2. The past does not add up, so the run is refused, and the person names a node that keeps all logs.
        3. From the checkpoint on that node shows what there is, and the past adds up: every order that was paid before
           the checkpoint is unknown, and paid again.
        """
        progress = await self.rebuild_store.progress(report.first_block)
        if progress.next_block == report.first_block:
            return progress
        for first in range(report.first_block, progress.next_block, PAGE_BLOCKS):
            report.count(await self.history.reserve_transfers(first, min(first + PAGE_BLOCKS, progress.next_block) - 1))
        if report.seen == progress.seen:
            self.say(f"Going on at block {progress.next_block}.")
            return progress
        self.say(f"The blocks before {progress.next_block} are shown otherwise than before; beginning anew.")
        report.transfers, report.units = 0, 0
        return replace(progress, next_block=report.first_block)

    async def _page(self, first: int, last: int, report: RebuildReport) -> Sequence[Payout]:
        reserve_transfers = await self.history.reserve_transfers(first, last)
        report.count(reserve_transfers)
        transaction_details = await self.history.transaction_details(
            [transfer.tx_hash for transfer in reserve_transfers]
        )
        found = classify_transfers(reserve_transfers, transaction_details, self.known)
        report.unmatched_transfers += found.unmatched_transfers
        report.paid |= {each.ref_id for each in found.payouts if each.tx_hash not in self.known.accepted}
        self.say(
            f"Blocks {first} to {last}: {len(found.payouts)} payouts, {len(found.unmatched_transfers)} to explain."
        )
        return found.payouts

    async def _restore(self, payout: Payout, report: RebuildReport) -> None:
        verdict = await self.rebuild_store.restore(payout)
        report.restored[verdict] += 1
        if verdict not in _BLOCKING:
            return
        if payout.tx_hash not in self.known.accepted:
            report.conflicts.append(RebuildConflict(payout=payout, verdict=verdict))
        elif verdict is RestoreResult.DIFFERS:
            await self._hold(payout)

    async def _hold(self, payout: Payout) -> None:
        """
        Hold the order that has the reference of an accepted *payout* with other content, if it waits or is held.

        Accepted is not forgotten: at the end of the pause, or by a `retry`, the order would be paid under a reference
        that is spent.
        """
        order = await self.rebuild_store.order_of(payout)
        detail = (
            f"Transaction {payout.tx_hash} in block {payout.block_number} paid {payout.amount_units} units to "
            f"{payout.wallet} under this reference."
        )
        if order is not None and order.status is OrderStatus.RECEIVED:
            await self.ledger.hold(order, HoldReason.REFERENCE_USED, detail)
        elif order is not None and order.status is OrderStatus.HELD and not order.is_frozen:
            await self.ledger.exits.hold_otherwise(order, HoldReason.REFERENCE_USED, detail)
