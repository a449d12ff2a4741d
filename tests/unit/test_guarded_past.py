"""Payouts through a guard, as the chain remembers them: distinguished by the guard's own events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from distributor.chain_types import GuardEvent, GuardWord
from distributor.model import Address, Hash
from distributor.payout.history import ReserveTransfer, TransactionDetails
from distributor.recovery.payouts import ClassifiedTransfers, KnownParties, UnmatchedReason, classify_transfers
from distributor.units import TokenUnits
from tests.factories import ALICE, AUTHORITY, BOB, OPERATOR, a_block, a_hash, an_address

GUARD = an_address("guard")
TX = a_hash("batch")
BLOCK = a_block(90)
KNOWN = KnownParties(authority=AUTHORITY, operators=[OPERATOR], guards=[GUARD])


def moved(log_index: int, wallet: Address = ALICE) -> ReserveTransfer:
    """Return a transfer of ten units."""
    return ReserveTransfer(tx_hash=TX, block=BLOCK, log_index=log_index, wallet=wallet, amount_units=TokenUnits(10))


def said(log_index: int, name: str, word: GuardWord = GuardWord.PAID, emitter: Address = GUARD) -> GuardEvent:
    """Return what a guard says of the item *name*."""
    return GuardEvent(emitter=emitter, log_index=log_index, word=word, ref_id=ref(name))


def ref(name: str) -> Hash:
    """Return the reference of an order of the default shop."""
    return Hash("0x" + name.encode().hex().ljust(64, "0"))


def batch(*events: GuardEvent, **changes: Any) -> TransactionDetails:
    """Return a transaction through the guard that emitted *events*."""
    details = TransactionDetails(
        tx_hash=TX, sender=OPERATOR, nonce=7, to=GUARD, distribution=None, guarded=True, guard_events=events
    )
    return replace(details, **changes)


def told_apart(
    transfers: list[ReserveTransfer], details: TransactionDetails, known: KnownParties = KNOWN
) -> tuple[list[tuple[Hash, Address]], list[UnmatchedReason]]:
    """Return the references that were paid, the recipients, and why other transfers are unmatched."""
    found: ClassifiedTransfers = classify_transfers(transfers, {TX: details}, known)
    return [(each.ref_id, each.wallet) for each in found.payouts], [each.why for each in found.unmatched_transfers]


def test_equal_items_of_which_one_failed_are_told_apart() -> None:
    """The call data of the three are alike; only the events say which was paid."""
    events = [said(2, "A"), said(3, "B", GuardWord.ITEM_FAILED), said(5, "C")]

    assert told_apart([moved(1), moved(4)], batch(*events)) == ([(ref("A"), ALICE), (ref("C"), ALICE)], [])


def test_a_transfer_beside_what_the_guard_says_is_unmatched() -> None:
    """An event of somebody else's contract explains nothing."""
    events = [said(2, "A"), said(4, "B", emitter=an_address("forger"))]

    assert told_apart([moved(1), moved(3, BOB)], batch(*events)) == (
        [(ref("A"), ALICE)],
        [UnmatchedReason.MORE_THAN_ASKED],
    )


def test_a_payment_without_its_transfer_is_none() -> None:
    """An import emits Paid as well, and moves nothing here."""
    assert told_apart([moved(3)], batch(said(2, "A"), said(4, "B"))) == ([(ref("B"), ALICE)], [])


def test_a_key_nobody_knows_is_a_stranger() -> None:
    """A second ledger on the same guard."""
    details = batch(said(2, "A"), sender=an_address("another key"))

    assert told_apart([moved(1)], details) == ([], [UnmatchedReason.UNKNOWN_SENDER])


def test_a_guard_that_is_none_of_ours_proves_nothing() -> None:
    """Any contract can have that function."""
    known = replace(KNOWN, guards=[])

    assert told_apart([moved(1)], batch(said(2, "A")), known) == ([], [UnmatchedReason.NO_DISTRIBUTION])
