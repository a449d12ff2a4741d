"""
Carry out one step for one transaction: store the intent, act, store the result.

Every write is conditional on the row as it was read; who loses the race stops quietly.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from distributor.chain_types import ChainSnapshot, Receipt
from distributor.errors import ChainUnavailable, SignerUnavailable, WrongChain
from distributor.ledger import Closing, Ledger
from distributor.ledger.closing import mined_by
from distributor.model import (
    Address,
    Attempt,
    AttemptKind,
    HoldReason,
    OpenTransaction,
    Order,
    Transaction,
    TransactionStatus,
)
from distributor.payout import alarms, guard_calls, lifecycle, node_alarms, payment_proof, submission
from distributor.payout.confirmation import Confirmation, Confirmed
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.payment_proof import PaymentProof
from distributor.payout.self_stop import SelfStop
from distributor.payout.step_kinds import (
    AttemptRefused,
    FeeCeiling,
    Finalise,
    Mined,
    NonceLost,
    ReceiptUnreadable,
    Reopen,
    ReplaceAttempt,
    Step,
    Submit,
    Wait,
)
from distributor.ports import Alarms, Chain, Signer, UnsignedTransaction
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity
from foundation import logs
from foundation.clock import Clock, UnixMs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What a step left to do: bytes to hand over; and whether it freed a slot or closed the transaction."""

    submit: tuple[Transaction, Attempt] | None = None
    freed: bool = False
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class StepExecutor:
    """The hands of settlement; the head is ``lifecycle``."""

    ledger: Ledger
    chain: Chain
    signers: Mapping[Address, Signer]
    """The operator that binds, and the retiring one whose transactions are still open."""
    alarms: Alarms
    clock: Clock
    identity: Identity
    policy: SettlementSettings
    guard_settling: GuardSettling
    """Of transactions through a guard, whichever it was and whatever is set today."""

    @property
    def confirmation(self) -> Confirmation:
        return Confirmation(
            ledger=self.ledger,
            chain=self.chain,
            alarms=self.alarms,
            clock=self.clock,
            identity=self.identity,
            policy=self.policy,
            self_stop=self._self_stop,
        )

    async def execute(  # noqa: C901, PLR0911 -- one arm per step, nothing else
        self, opened: OpenTransaction, step: Step, snapshot: ChainSnapshot
    ) -> StepResult:
        """
        Do *step*; the bytes it returns are stored and wait to be submitted.

        Raises:
            Contention: Another worker changed the transaction since it was read.
        """
        transaction = opened.transaction
        match step:
            case (
                Wait() | Finalise() | Mined()
            ):  # ``close`` does the final ones, once confirmed, and ``mined`` the mined
                return StepResult()
            case Submit(attempt=attempt):
                return StepResult(submit=(transaction, attempt))
            case FeeCeiling(attempt=attempt):
                await self.alarms.raise_(alarms.fee_ceiling(transaction, attempt))
                return StepResult(submit=(transaction, attempt))
            case AttemptRefused(attempt=attempt):
                await self.alarms.raise_(alarms.refused(transaction, attempt))
                return StepResult(submit=(transaction, attempt))
            case ReplaceAttempt():
                return await self._replace(transaction, step)
            case Reopen():
                return await self._reopen(transaction, step)
            case ReceiptUnreadable():
                await self.alarms.raise_(node_alarms.receipt_unreadable(opened, snapshot.node))
                return StepResult()
            case NonceLost():
                await self._self_stop.nonce_lost(opened)
                return StepResult()
            case _:
                assert_never(step)

    @property
    def _self_stop(self) -> SelfStop:
        return SelfStop(ledger=self.ledger, chain=self.chain, alarms=self.alarms)

    # pushing -----------------------------------------------------------------------------------

    async def _replace(self, transaction: Transaction, step: ReplaceAttempt) -> StepResult:
        """Sign the next attempt, store it, and only then let it be submitted. Only fees and gas differ."""
        previous = step.previous
        signer = self.signers.get(transaction.operator)
        if signer is None:
            await self.alarms.raise_(alarms.key_missing(transaction))
            return StepResult(submit=(transaction, previous))
        unsigned = UnsignedTransaction(
            chain_id=self.identity.chain_id,
            nonce=transaction.nonce,
            call=submission.call_of(transaction, previous.kind),
            gas_limit=step.gas_limit,
            fees=step.fees,
        )
        try:
            attempt = await submission.sign_attempt(
                signer, unsigned, self.clock(), kind=previous.kind, index=transaction.attempts
            )
        except SignerUnavailable as error:
            await self.alarms.raise_(alarms.signer_unavailable(transaction, error))
            return StepResult(submit=(transaction, previous))
        stored = await self.ledger.add_attempt(transaction, attempt)
        logs.info(
            _log,
            "attempt_replaced",
            nonce=attempt.nonce,
            attempt=attempt.index,
            tx_hash=attempt.tx_hash,
            max_fee_wei=attempt.fees.max_fee_wei,
            tip_wei=attempt.fees.tip_wei,
        )
        return StepResult(submit=(stored, attempt))

    async def _reopen(self, transaction: Transaction, step: Reopen) -> StepResult:
        logs.warning(_log, "transaction_reopened", nonce=transaction.nonce, lost_block=transaction.block_number)
        reopened = replace(transaction, status=step.status, mined_hash=None, block_number=None, block_hash=None)
        reopened = replace(reopened, alone_since_ms=None)
        return StepResult(submit=(await self.ledger.update(reopened), step.attempt))

    # mined and final ---------------------------------------------------------------------------

    async def mined(self, found: Sequence[tuple[Transaction, Receipt]]) -> Sequence[StepResult]:
        """Note the blocks of transactions together; what another worker wrote since is left as it is."""
        noted = await self.ledger.update_all([_noted(*each) for each in found])
        for (transaction, receipt), kept in zip(found, noted, strict=True):
            logs.info(
                _log,
                "transaction_mined" if kept else "transaction_changed_elsewhere",
                nonce=transaction.nonce,
                tx_hash=receipt.tx_hash,
                block=receipt.block.number,
                succeeded=receipt.succeeded,
            )
        return [StepResult(freed=kept) for kept in noted]

    async def judge(self, confirmed: Confirmed) -> Closing | None:
        """Return how a transaction is closed by what two words agree on; None while nodes do not say enough."""
        transaction, orders, receipt = confirmed.opened.transaction, confirmed.orders, confirmed.receipt
        attempt = lifecycle.mined_attempt(confirmed.opened.attempts, receipt)
        guarded = attempt.kind is AttemptKind.PAY and guard_calls.is_guarded(transaction.data)
        if guarded:
            judged = await self.guard_settling.closing(transaction, orders, receipt)
        else:
            judged = await self._plain(confirmed, attempt)
        return judged and replace(judged, witnesses=confirmed.witnesses, alone=confirmed.alone)

    async def close(self, judged: Sequence[tuple[Confirmed, Closing]]) -> Sequence[StepResult]:
        """
        Close transactions of one operator together.

        Raises:
            Contention: Another worker changed one of them since it was read; none is closed.
        """
        for each, closing in judged:
            await self.guard_settling.before(each.opened.transaction, each.orders, closing)
        await self.ledger.close_all([(each.opened.transaction, closing) for each, closing in judged])
        for each, closing in judged:
            self._log_final(each, closing)
            await self._tell(each.orders, closing)
        return [StepResult(freed=True, closed=True) for _ in judged]

    def _log_final(self, confirmed: Confirmed, closing: Closing) -> None:
        transaction = confirmed.opened.transaction
        logs.info(
            _log,
            "transaction_final",
            nonce=transaction.nonce,
            tx_hash=closing.tx_hash,
            block=closing.block_number,
            gas_used=closing.gas_used,
            gas_cost_wei=closing.gas_cost_wei,
            witnesses=closing.witnesses,
            duration_ms=self.clock() - transaction.bound_ms,
        )

    async def _plain(self, confirmed: Confirmed, attempt: Attempt) -> Closing:
        """Return how a transaction without guard is closed."""
        transaction, receipt = confirmed.opened.transaction, confirmed.receipt
        verdict = payment_proof.verify_payment(confirmed.orders, receipt, self.identity.reserve, kind=attempt.kind)
        reason = await self._todays_reason(transaction, attempt, confirmed.snapshot) if _reverted(verdict) else ""
        detail = f"transaction {receipt.tx_hash} in block {receipt.block.number}{reason}"
        return Closing.by(receipt, paid=verdict.paid, held=verdict.held, detail=detail)

    async def _todays_reason(self, transaction: Transaction, attempt: Attempt, snapshot: ChainSnapshot) -> str:
        """
        Try the refused call once more, and return what the contract would say to it today.

        The state it met in its block may be gone, so this is a hint and worded as one. Empty when the
        call would pay now, or when no node can say: a release does not wait for a hint.
        """
        call = submission.call_of(transaction, attempt.kind)
        try:
            (simulation,) = await self.chain.simulate(transaction.operator, [call], node=snapshot.node)
        except (ChainUnavailable, WrongChain):
            return ""
        refusal = simulation.refusal(attempt.gas_limit)
        return f"; today it would refuse with: {refusal.text}" if refusal else ""

    async def _tell(self, orders: Sequence[Order], closing: Closing) -> None:
        now_ms = self.clock()
        for order in orders:
            if order.key in closing.held:
                await self.alarms.raise_(
                    alarms.order_held(order, closing.held[order.key], f"Its transaction is {closing.tx_hash}.")
                )
            elif order.key in closing.released:
                detail = closing.released[order.key].detail
                logs.warning(_log, "order_released", source=order.source, order_id=order.order_id, detail=detail)
            else:
                _log_paid(order, closing, now_ms)


def _noted(transaction: Transaction, receipt: Receipt) -> Transaction:
    return replace(mined_by(transaction, receipt), status=TransactionStatus.MINED, alone_since_ms=None)


def _reverted(verdict: PaymentProof) -> bool:
    return HoldReason.REVERTED in verdict.held.values()


def _log_paid(order: Order, closing: Closing, now_ms: UnixMs) -> None:
    proof = closing.proofs.get(order.key)
    tx_hash, block = (proof.tx_hash, proof.block_number) if proof else (closing.tx_hash, closing.block_number)
    logs.info(
        _log,
        "order_paid",
        source=order.source,
        order_id=order.order_id,
        wallet=order.wallet,
        amount_units=order.amount_units,
        tx_hash=tx_hash,
        block=block,
        duration_ms=now_ms - order.received_ms,
    )
