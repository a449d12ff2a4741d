"""Which transfers out of the reserve are ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distributor.chain_types import GuardEvent, GuardWord
from distributor.model import Address, Hash, OrderKey
from distributor.order_ids import ref_id
from distributor.payout.history import DistributeCall, ReserveTransfer, TransactionDetails, order_of
from distributor.recovery.payouts import ClassifiedTransfers, KnownParties, UnmatchedReason, classify_transfers
from distributor.units import TokenUnits
from tests.factories import ALICE, AUTHORITY, BOB, OPERATOR, TOKEN, a_block, a_hash

ASKED = DistributeCall(
    wallet=ALICE, amount_units=TokenUnits(10 * TOKEN), ref_id=ref_id("default", "ORD1"), reason="Reward"
)
KNOWN = KnownParties(authority=AUTHORITY, operators=[OPERATOR])


def an_outflow(
    wallet: Address = ALICE, units: int = 10 * TOKEN, *, name: str = "paid", log_index: int = 0
) -> ReserveTransfer:
    """Return a transfer out of the reserve."""
    return ReserveTransfer(
        tx_hash=a_hash(name), block=a_block(90), log_index=log_index, wallet=wallet, amount_units=TokenUnits(units)
    )


def an_origin(
    sender: Address = OPERATOR, to: Address | None = AUTHORITY, asked: DistributeCall | None = ASKED, name: str = "paid"
) -> TransactionDetails:
    """Return the transaction behind it."""
    return TransactionDetails(tx_hash=a_hash(name), sender=sender, nonce=3, to=to, distribution=asked)


def whys(found: ClassifiedTransfers) -> Sequence[UnmatchedReason]:
    """Return why each stranger is one."""
    return [unmatched.why for unmatched in found.unmatched_transfers]


def test_what_our_operator_asked_for_is_a_payout() -> None:
    """With the order that its reference names."""
    found = classify_transfers([an_outflow()], {a_hash("paid"): an_origin()}, KNOWN)

    assert [(each.key, each.nonce, each.block_number) for each in found.payouts] == [
        (OrderKey("default", "ORD1"), 3, 90)
    ]
    assert found.unmatched_transfers == []


@pytest.mark.parametrize(
    ("details", "why"),
    [
        (an_origin(sender=BOB), UnmatchedReason.UNKNOWN_SENDER),
        (an_origin(asked=None), UnmatchedReason.NO_DISTRIBUTION),
        (an_origin(to=BOB), UnmatchedReason.NO_DISTRIBUTION),
        (an_origin(to=None, asked=None), UnmatchedReason.NO_DISTRIBUTION),
    ],
)
def test_whatever_else_left_the_reserve_is_a_stranger(details: TransactionDetails, why: UnmatchedReason) -> None:
    """A person says what it was."""
    found = classify_transfers([an_outflow()], {a_hash("paid"): details}, KNOWN)

    assert (found.payouts, whys(found)) == ([], [why])


def test_more_than_was_asked_is_told_beside_the_payout() -> None:
    """Whichever of the two transfers comes first."""
    moved = [an_outflow(BOB), an_outflow(log_index=1)]

    found = classify_transfers(moved, {a_hash("paid"): an_origin()}, KNOWN)

    assert [each.wallet for each in found.payouts] == [ALICE]
    assert [(each.transfer.wallet, each.why) for each in found.unmatched_transfers] == [
        (BOB, UnmatchedReason.MORE_THAN_ASKED)
    ]


@pytest.mark.parametrize("transfer", [an_outflow(BOB), an_outflow(units=1)])
def test_another_wallet_or_amount_than_asked_spends_the_reference_and_is_told(transfer: ReserveTransfer) -> None:
    """The payout is what really moved."""
    found = classify_transfers([transfer], {a_hash("paid"): an_origin()}, KNOWN)

    assert [(each.wallet, each.amount_units) for each in found.payouts] == [(transfer.wallet, transfer.amount_units)]
    assert whys(found) == [UnmatchedReason.NOT_AS_ASKED]


def test_what_a_person_has_explained_is_no_stranger() -> None:
    """By its transaction."""
    known = KnownParties(authority=AUTHORITY, operators=[OPERATOR], accepted={a_hash("paid"): None})
    moved = [an_outflow(), an_outflow(name="by hand")]
    transaction_details = {a_hash(name): an_origin(sender=BOB, name=name) for name in ("paid", "by hand")}

    found = classify_transfers(moved, transaction_details, known)

    assert [unmatched.transfer.tx_hash for unmatched in found.unmatched_transfers] == [a_hash("by hand")]
    assert [payout.tx_hash for payout in found.payouts] == [a_hash("paid")]


def test_a_transfer_by_hand_is_the_payment_of_the_order_a_person_names() -> None:
    """Explained is not forgotten: it would be paid again. If none of our orders was paid, none is made."""
    moved = an_outflow(name="by hand")
    details = {a_hash("by hand"): replace(an_origin(name="by hand"), distribution=None)}
    named = KnownParties(
        authority=AUTHORITY, operators=[OPERATOR], accepted={a_hash("by hand"): OrderKey("loja", "A-1")}
    )
    of_nobody = KnownParties(authority=AUTHORITY, operators=[OPERATOR], accepted={a_hash("by hand"): None})

    (payout,) = classify_transfers([moved], details, named).payouts

    assert (payout.key, payout.ref_id) == (OrderKey("loja", "A-1"), ref_id("loja", "A-1"))
    assert (payout.wallet, payout.amount_units, payout.tx_hash) == (moved.wallet, moved.amount_units, moved.tx_hash)
    assert not classify_transfers([moved], details, of_nobody).payouts


@pytest.mark.parametrize("guards", [[], [BOB]])
@pytest.mark.parametrize("key", [None, OrderKey("default", "A")])
def test_an_accepted_batch_spends_each_reference_that_its_guard_names(
    guards: Sequence[Address], key: OrderKey | None
) -> None:
    """By a key that was forgotten, or through a guard that was: accepted was forgotten, and each order new again."""
    moved = [an_outflow(log_index=0), an_outflow(log_index=2), an_outflow(BOB, log_index=4)]
    events = tuple(
        GuardEvent(
            word=GuardWord.PAID,
            emitter=BOB,
            ref_id=ref_id("default", name),
            log_index=log_index,
            wallet=ALICE,
            amount_units=TokenUnits(10 * TOKEN),
        )
        for name, log_index in (("A", 1), ("B", 3))
    )
    details = replace(an_origin(sender=ALICE, to=BOB, asked=None), guarded=True, guard_events=events)
    known = KnownParties(authority=AUTHORITY, operators=[OPERATOR], guards=guards, accepted={a_hash("paid"): key})

    found = classify_transfers(moved, {a_hash("paid"): details}, known)

    assert [each.key for each in found.payouts] == [OrderKey("default", "A"), OrderKey("default", "B")]
    assert found.unmatched_transfers == []


def test_a_plain_payout_that_is_accepted_is_a_payout_all_the_same() -> None:
    """There is nothing to explain of it."""
    known = KnownParties(authority=AUTHORITY, operators=[OPERATOR], accepted={a_hash("paid"): None})

    assert len(classify_transfers([an_outflow()], {a_hash("paid"): an_origin()}, known).payouts) == 1


@pytest.mark.parametrize("key", [OrderKey("default", "A-1"), OrderKey("loja", "A.b_1"), OrderKey("default", "x" * 32)])
def test_a_reference_names_its_order(key: OrderKey) -> None:
    """As anyone reads it in an explorer."""
    assert order_of(ref_id(*key)) == key


@pytest.mark.parametrize(
    "reference",
    [
        ref_id("default", "x" * 33),
        Hash("0x" + b"default:A-1".hex().ljust(64, "0")),
        Hash("0x" + b"LOJA:A-1".hex().ljust(64, "0")),
        Hash("0x" + b"A 1".hex().ljust(64, "0")),
        Hash("0x" + b"A\0B".hex().ljust(64, "0")),
        Hash("0x" + "0" * 64),
    ],
)
def test_a_reference_that_names_no_order_of_ours_is_kept_as_it_is(reference: Hash) -> None:
    """A hash, or bytes we would never have written."""
    assert order_of(reference) is None
