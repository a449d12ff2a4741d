"""
Which transfers out of the reserve are payouts of this service, and which are not.

Pure. A payout is what an operator asked of the authority in ``distribute``; whatever else
left the reserve is a stranger, and a person says what it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from distributor.chain_types import GuardPayment, GuardWord
from distributor.ledger.rebuild_store import Payout
from distributor.model import Address, Hash, OrderKey
from distributor.order_ids import ref_id
from distributor.payout.history import DistributeCall, ReserveTransfer, TransactionDetails, order_of, payout_of


class UnmatchedReason(StrEnum):
    """Why a reserve transfer is not a plain payout of this service."""

    UNKNOWN_SENDER = "unknown_sender"
    """A ``distribute`` call on our authority, by nobody we know as an operator."""
    NO_DISTRIBUTION = "no_distribution"
    """No ``distribute`` call on our authority."""
    NOT_AS_ASKED = "not_as_asked"
    """Our operator's call, but another wallet or amount than it asked for."""
    MORE_THAN_ASKED = "more_than_asked"
    """Beside the transfer that our operator's call asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmatchedTransfer:
    """An outflow that a person must explain."""

    transfer: ReserveTransfer
    sender: Address
    why: UnmatchedReason


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifiedTransfers:
    """Outflows of some blocks, sorted apart."""

    payouts: Sequence[Payout]
    unmatched_transfers: Sequence[UnmatchedTransfer]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownParties:
    """What tells our own doing from others'."""

    authority: Address
    """The Authority of today."""
    operators: Collection[Address]
    guards: Collection[Address] = ()
    """The guard of today, and those before it."""
    former_authorities: Collection[Address] = ()
    accepted: Mapping[Hash, OrderKey | None] = field(default_factory=dict)
    """Transactions that a person has explained, and which order each of them paid; None: no order of this ledger."""


def classify_transfers(
    reserve_transfers: Sequence[ReserveTransfer],
    transaction_details: Mapping[Hash, TransactionDetails],
    known: KnownParties,
) -> ClassifiedTransfers:
    """Return the payouts among *reserve_transfers*, and the strangers that nobody has accepted yet."""
    payouts: list[Payout] = []
    unmatched_transfers: list[UnmatchedTransfer] = []
    for tx_hash, moved in groupby(reserve_transfers, lambda transfer: transfer.tx_hash):
        found = _classify_transaction(list(moved), transaction_details[tx_hash], known)
        payouts += found.payouts
        if tx_hash in known.accepted:
            payouts += _explained(found.unmatched_transfers, transaction_details[tx_hash], known)
        else:
            unmatched_transfers += found.unmatched_transfers
    return ClassifiedTransfers(payouts=payouts, unmatched_transfers=unmatched_transfers)


def _explained(
    unmatched: Sequence[UnmatchedTransfer], details: TransactionDetails, known: KnownParties
) -> Sequence[Payout]:
    """
    Return the payments that a person's word makes of the unmatched transfers of one transaction.

    The order the person names; else the one whose reference a ``distribute`` call on our authority spent,
    whichever address called it. Explained is not forgotten: an order paid by hand would be paid again. So is each
    reference that a guard says it paid there, whichever guard that is.
    """
    if unmatched and details.guarded and unmatched[0].why is not UnmatchedReason.MORE_THAN_ASKED:
        batch = _classify_guarded([each.transfer for each in unmatched], details)
        return [*batch.payouts, *_explained_one(batch.unmatched_transfers, batch.payouts, details, known)]
    return _explained_one(unmatched, [], details, known)


def _explained_one(
    unmatched: Sequence[UnmatchedTransfer], beside: Sequence[Payout], details: TransactionDetails, known: KnownParties
) -> Sequence[Payout]:
    key = known.accepted[details.tx_hash]
    if not unmatched or (key is not None and key in {each.key for each in beside}):
        return []
    moved = unmatched[0].transfer
    if key is not None:
        reference = ref_id(*key)
        return [replace(_payout(moved, _by_hand(moved, reference), details), key=key)]
    if unmatched[0].why is UnmatchedReason.UNKNOWN_SENDER and details.distribution is not None:
        return [_payout(moved, details.distribution, details)]
    return []


def _by_hand(moved: ReserveTransfer, reference: Hash) -> DistributeCall:
    return DistributeCall(wallet=moved.wallet, amount_units=moved.amount_units, ref_id=reference, reason="")


def _classify_transaction(
    moved: Sequence[ReserveTransfer], details: TransactionDetails, known: KnownParties
) -> ClassifiedTransfers:
    """
    Sort what one transaction moved.

    A call of this service that moved something else than it asked for still spends its reference: the order
    must not be paid once more because its first payout was wrong.
    """
    if details.guarded and details.to in known.guards and details.sender in known.operators:
        return _classify_guarded(moved, details)
    asked = details.distribution
    if details.guarded and details.to in known.guards:
        why = UnmatchedReason.UNKNOWN_SENDER
        return ClassifiedTransfers(payouts=(), unmatched_transfers=list(_unmatched_transfers(moved, details, why)))
    if asked is None or details.to not in {known.authority, *known.former_authorities}:
        return ClassifiedTransfers(
            payouts=(), unmatched_transfers=list(_unmatched_transfers(moved, details, UnmatchedReason.NO_DISTRIBUTION))
        )
    if details.sender not in known.operators:
        return ClassifiedTransfers(
            payouts=(), unmatched_transfers=list(_unmatched_transfers(moved, details, UnmatchedReason.UNKNOWN_SENDER))
        )
    exact = next((one for one in moved if _is_as_asked(one, asked)), None)
    proof = exact or moved[0]
    others = [one for one in moved if one is not exact]
    why = UnmatchedReason.MORE_THAN_ASKED if exact else UnmatchedReason.NOT_AS_ASKED
    return ClassifiedTransfers(
        payouts=[_payout(proof, asked, details)], unmatched_transfers=list(_unmatched_transfers(others, details, why))
    )


def _classify_guarded(moved: Sequence[ReserveTransfer], details: TransactionDetails) -> ClassifiedTransfers:
    """Sort by the guard's own events: each ``Paid`` names the reference of the transfer right before it."""
    payouts, unused, before = list[Payout](), list(moved), -1
    for event in (each for each in details.guard_events if each.emitter == details.to):
        proof = next((one for one in unused if before < one.log_index < event.log_index), None)
        before = event.log_index
        if event.word is GuardWord.PAID and proof is not None:
            unused.remove(proof)
            asked = DistributeCall(wallet=proof.wallet, amount_units=proof.amount_units, ref_id=event.ref_id, reason="")
            payouts.append(_payout(proof, asked, details))
    why = UnmatchedReason.MORE_THAN_ASKED
    return ClassifiedTransfers(payouts=payouts, unmatched_transfers=list(_unmatched_transfers(unused, details, why)))


def _unmatched_transfers(
    moved: Sequence[ReserveTransfer], details: TransactionDetails, why: UnmatchedReason
) -> Iterator[UnmatchedTransfer]:
    for transfer in moved:
        yield UnmatchedTransfer(transfer=transfer, sender=details.sender, why=why)


def _is_as_asked(transfer: ReserveTransfer, asked: DistributeCall) -> bool:
    return (transfer.wallet, transfer.amount_units) == (asked.wallet, asked.amount_units)


def _payout(proof: ReserveTransfer, asked: DistributeCall, details: TransactionDetails) -> Payout:
    moved = (proof.wallet, proof.amount_units)
    return payout_of(details, asked, moved, tx_hash=proof.tx_hash, block=proof.block.number)


def payout_by(payment: GuardPayment) -> Payout:
    """Return the payout that a guard's record proves; who made it, and by which nonce, it does not say."""
    return Payout(
        ref_id=payment.ref_id,
        key=order_of(payment.ref_id),
        wallet=payment.wallet,
        amount_units=payment.amount_units,
        reason="",
        operator=None,
        nonce=None,
        tx_hash=payment.tx_hash,
        block_number=payment.block.number,
    )
