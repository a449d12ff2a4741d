"""
Sign an attempt, hand attempts over, and note what the nodes said: the tail of binding and of settlement.

Whatever is handed over here is in the ledger already. While the payouts are halted nothing is, but
for what a person does by hand; settlement hands it over after the halt.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from distributor.chain_types import Call, Submitted
from distributor.ledger import Ledger
from distributor.model import Attempt, AttemptKind, SubmitOutcome, Transaction, TransactionStatus
from distributor.ports import Chain, Signer, UnsignedTransaction
from distributor.state import WaitingReason
from foundation import logs
from foundation.clock import Clock, UnixMs

IN_POOL = 16
"""As many transactions as an operator ever has in a pool; a node's pool takes as many of one account."""

_log = logging.getLogger(__name__)

_BROADCAST_OUTCOMES = {
    SubmitOutcome.ACCEPTED,
    SubmitOutcome.ALREADY_KNOWN,
    SubmitOutcome.NONCE_TOO_LOW,
    SubmitOutcome.UNKNOWN,
}


def call_of(transaction: Transaction, kind: AttemptKind) -> Call:
    """Return what an attempt of *kind* asks: the payment as attempt 0 did, or nothing, of the operator itself."""
    if kind is AttemptKind.CANCEL:
        return Call(to=transaction.operator, data=b"")
    return Call(to=transaction.to, data=transaction.data)


async def sign_attempt(
    signer: Signer, unsigned: UnsignedTransaction, now_ms: UnixMs, *, kind: AttemptKind, index: int
) -> Attempt:
    """Sign *unsigned* as the attempt *index* of its nonce. It must be in the ledger before it is handed to anyone."""
    signed = await signer.sign(unsigned)
    return Attempt(
        operator=signer.address,
        nonce=unsigned.nonce,
        index=index,
        kind=kind,
        raw=signed.raw,
        tx_hash=signed.tx_hash,
        fees=unsigned.fees,
        gas_limit=unsigned.gas_limit,
        signed_ms=now_ms,
    )


async def submit(
    ledger: Ledger, chain: Chain, clock: Clock, stored: Sequence[tuple[Transaction, Attempt]]
) -> Sequence[Submitted]:
    """
    Hand stored attempts to every healthy node in one batch, then note it in the ledger; nothing while halted.

    The switch is looked at last of all. Who halts between that look and the nodes' receipt of the
    batch is too late for this one batch, and nothing a ledger can say would reach it.
    """
    if not stored:
        return []
    if (await ledger.admin.pause_state()).halted:
        logs.warning(_log, "submission_halted", tx_hashes=" ".join(attempt.tx_hash for _, attempt in stored))
        return []
    return await broadcast(ledger, chain, clock, stored)


async def broadcast(
    ledger: Ledger, chain: Chain, clock: Clock, stored: Sequence[tuple[Transaction, Attempt]]
) -> Sequence[Submitted]:
    """Hand stored attempts to every healthy node, halted or not: a person asked for it."""
    answers = await chain.submit([attempt.raw for _, attempt in stored])
    told = [(*each, answer) for each, answer in zip(stored, answers, strict=True)]
    for transaction, attempt, answer in told:
        _log_answer(attempt, answer)
        if answer.rivalled and attempt.index == 0 and transaction.submitted_ms is None:
            await _note_rival(ledger, transaction)
    now_ms = clock()
    # What another worker wrote after it was bound stays: that worker knows as much.
    await ledger.update_all([_after_broadcast(transaction, answer, now_ms) for transaction, _, answer in told])
    return answers


async def _note_rival(ledger: Ledger, transaction: Transaction) -> None:
    """
    Note the sign that the ledger is older than the chain: bytes that nobody here signed hold this nonce.

    Not where another worker has stored a later attempt meanwhile: then the rival is our own.
    """
    stored = await ledger.transaction(transaction.operator, transaction.nonce)
    if stored is not None and stored.attempts == 1:
        detail = f"A pool holds other bytes for nonce {transaction.nonce} of {transaction.operator}."
        await ledger.signs.note(WaitingReason.POOL_AHEAD, detail)


def _after_broadcast(transaction: Transaction, answer: Submitted, now_ms: UnixMs) -> Transaction:
    signed = transaction.status is TransactionStatus.SIGNED
    status = TransactionStatus.SUBMITTED if signed and answer.outcome in _BROADCAST_OUTCOMES else transaction.status
    return replace(transaction, status=status, submitted_ms=now_ms, last_outcome=answer.outcome)


def _log_answer(attempt: Attempt, answer: Submitted) -> None:
    write = logs.info if answer.outcome in _BROADCAST_OUTCOMES else logs.warning
    write(
        _log,
        "attempt_submitted",
        nonce=attempt.nonce,
        attempt=attempt.index,
        tx_hash=attempt.tx_hash,
        outcome=answer.outcome,
        node=answer.node,
        detail=answer.detail,
    )
