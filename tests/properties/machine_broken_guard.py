"""Disciplines of the guard, of clocks and of a person's exits taken away: what is believed without being shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import GuardPayment, GuardWord, Receipt
from distributor.ledger.closing import Closing, mined_by
from distributor.model import Address, Hash, Order
from distributor.payout import guard_outcomes, guard_way
from distributor.payout.corrected import Corrected
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from distributor.payout.guard_outcomes import GuardProof
from distributor.payout.ledger_age import BooksAsked, LedgerAge
from distributor.payout.reopening import Reopening
from foundation.clock import UnixMs
from foundation.tablestore.leases import Lease
from tests.fakes.chain_state import State

Patch = pytest.MonkeyPatch


# the guard -----------------------------------------------------------------------------------------


def a_failed_item_is_paid(patch: Patch) -> None:
    """Take the guard's word that an item failed for a payment: the transaction succeeded."""
    judge = guard_outcomes.judge_items

    def kind(orders: Sequence[Order], receipt: Receipt, guard: Address, reserve: Address) -> GuardProof:
        failed = {each.ref_id: each for each in receipt.guard_events if each.word is GuardWord.ITEM_FAILED}
        taken = {order.key: failed[order.ref_id].log_index for order in orders if order.ref_id in failed}
        said = judge([order for order in orders if order.key not in taken], receipt, guard, reserve)
        return replace(said, paid={**said.paid, **taken})

    patch.setattr(guard_outcomes, "judge_items", kind)


def equal_items_are_told_apart_by_transfers(patch: Patch) -> None:
    """Judge by the token's Transfers alone: one of two equal items failed, and both are called paid."""

    def proves(order: Order, _event: Any, _events: Any, receipt: Receipt, reserve: Address) -> bool:
        wanted = (reserve, order.wallet, order.amount_units)
        return wanted in {(each.sender, each.recipient, each.amount_units) for each in receipt.transfers}

    def judge(orders: Sequence[Order], receipt: Receipt, guard: Address, reserve: Address) -> GuardProof:
        by_transfer = {order.key: 0 for order in orders if proves(order, None, None, receipt, reserve)}
        said = standing([order for order in orders if order.key not in by_transfer], receipt, guard, reserve)
        return replace(said, paid={**said.paid, **by_transfer})

    standing = guard_outcomes.judge_items
    patch.setattr(guard_outcomes, "judge_items", judge)


def adopted_before_it_is_final(patch: Patch) -> None:
    """Call an order paid by another ledger's payment as soon as the guard has recorded it."""

    async def anything(*_: Any) -> int:
        return 1 << 62

    patch.setattr(guard_way, "agreed_final", anything)


def neither_ledger_age_nor_guard_refuses(patch: Patch) -> None:
    """Bind whatever the chain is ahead by, through a guard that keeps no record: a table put back pays again."""

    async def young(_self: LedgerAge, _known: BooksAsked) -> None:
        return

    class Forgetful(dict[Hash, GuardPayment]):
        def __contains__(self, _: object) -> bool:
            return False

    standing = State.copy
    patch.setattr(LedgerAge, "check", young)
    patch.setattr(State, "copy", lambda self: replace(standing(self), payments=Forgetful(self.payments)))


# clocks --------------------------------------------------------------------------------------------


def a_lease_is_believed_whatever_it_says(patch: Patch) -> None:
    """Wait for the end of a lease, also for one that a wrong clock wrote."""

    def is_alive(self: Lease, now: UnixMs) -> bool:
        return now < self.until_ms

    patch.setattr(Lease, "is_alive", is_alive)


# people --------------------------------------------------------------------------------------------


def reopened_without_a_look(patch: Patch) -> None:
    """Hold an order that is called paid because a person says that it was not."""

    async def reopens(self: Reopening, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        if order.status == "paid" and order.nonce is not None and decision is not None:
            await self.ledger.exits.reopen(order, f"reopened for {tx_hash}")
        return Corrected.HELD

    patch.setattr(Reopening, "reopen", reopens)


def settled_without_a_look(patch: Patch) -> None:
    """Call a bound order paid by a receipt of its nonce, final or not, whatever it shows."""

    async def settles(self: Correction, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        if order.operator is None or order.nonce is None or order.status != "assigned":
            return Corrected.NOT_BOUND
        receipt = (await self.chain.snapshot([], [tx_hash], [])).receipts.get(tx_hash)
        transaction = await self.ledger.transaction(order.operator, order.nonce)
        attempts = await self.ledger.attempts(order.operator, order.nonce)
        ours = tx_hash in {attempt.tx_hash for attempt in attempts}
        if receipt is None or transaction is None or decision is None or not ours:
            return Corrected.NOT_FINAL
        closing = Closing.by(receipt, paid=transaction.orders, held={}, detail="")
        await self.ledger.close(mined_by(transaction, receipt), closing)
        return Corrected.PAID

    patch.setattr(Correction, "settle", settles)
