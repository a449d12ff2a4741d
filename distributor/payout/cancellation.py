"""
Use case: spend a nonce on nothing, because a person says so. Never done by the service itself.

Its payment can never be mined (the contract refuses it today), and the nonces behind it wait. The
cancellation is one more attempt of that nonce, so it excludes the payment and is excluded by it:
whichever is mined decides, and the orders are released only when that is final.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import Call, FeeQuote
from distributor.ledger import Ledger
from distributor.model import Address, AttemptKind, Fees, OpenTransaction, SubmitOutcome, Transaction, TransactionStatus
from distributor.payout import fees, guard_calls, submission
from distributor.payout.decision import Decision
from distributor.payout.lifecycle import CANCEL_GAS
from distributor.payout.submission import IN_POOL
from distributor.ports import Chain, Guard, Signer, UnsignedTransaction
from distributor.settings.chain import FeeSettings
from distributor.units import TokenUnits
from foundation import logs
from foundation.clock import Clock, utc_day

_log = logging.getLogger(__name__)


class Cancelled(StrEnum):
    """What was done, or why nothing was."""

    SUBMITTED = "submitted"
    """The cancellation is stored and handed over; settlement follows it, and replaces it where it must."""
    NOT_OPEN = "not_open"
    """The ledger has no open transaction with that nonce."""
    CANCELLING = "cancelling"
    """It is being cancelled already."""
    USED = "used"
    """The nonce is in a block."""
    PAYABLE = "payable"
    """The contract would pay it today: let it be paid, or stop the authority first."""
    NEWER = "newer"
    """A newer version of the service wrote its status: that version must do it."""
    NOT_PAUSED = "not_paused"
    """A nonce the ledger never bound is cancelled only while the payouts are paused."""
    TOO_FAR = "too_far"
    """More nonces than a pool takes lie between it and the ledger's next one: rebuild, which fences them all."""
    NO_KEY = "no_key"
    """The operator's key is not configured."""
    FEE_CEILING = "fee_ceiling"
    """No price that replaces what is in the pool fits under the ceilings."""


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """The operator's action on one nonce."""

    ledger: Ledger
    chain: Chain
    guard: Guard
    signers: Mapping[Address, Signer]
    clock: Clock
    limits: FeeSettings
    chain_id: int

    async def cancel(self, operator: Address, nonce: int, *, by: str, why: str, apply: bool = True) -> Cancelled:
        """
        Cancel *nonce* of *operator*; without *apply*, only say what would happen.

        Raises:
            ChainUnavailable: No node answers.
            Contention: Settlement has written the transaction meanwhile; look again.
        """
        found = (each for each in await self.ledger.open_transactions() if _is(each, operator, nonce))
        opened = next(found, None)
        if opened is None:
            return await self._unbound(operator, nonce, Decision(by=by, why=why) if apply else None)
        unchanged = _ended_or_newer(opened.transaction.status)
        if unchanged is not None:
            return unchanged
        seen = await self.chain.snapshot([operator], [], [])
        if opened.transaction.status is TransactionStatus.MINED or seen.nonces[operator] > nonce:
            return Cancelled.USED
        if await self._pays_today(opened):
            return Cancelled.PAYABLE
        price = self._price(opened, seen.market)
        if price is None:
            return Cancelled.FEE_CEILING
        return await self._do(opened, price, Decision(by=by, why=why) if apply else None)

    async def _unbound(self, operator: Address, nonce: int, decision: Decision | None) -> Cancelled:
        """
        Spend a nonce that the ledger never bound, and all from its next one on, on nothing.

        Each is bound to no order and followed like any other. What waits in a pool there may win all the
        same: then its nonce is lost, and ``resolve`` writes what it paid before anybody resumes.
        """
        first = (await self.ledger.signs.next_nonces()).get(operator)
        if first is None or nonce < first:
            return Cancelled.NOT_OPEN
        if not (await self.ledger.admin.pause_state()).paused:
            return Cancelled.NOT_PAUSED
        if nonce - first >= IN_POOL:
            return Cancelled.TOO_FAR
        signer = self.signers.get(operator)
        if signer is None:
            return Cancelled.NO_KEY
        if decision is not None:
            await self.ledger.admin.record("cancel-nonce", f"{operator}:{nonce}", decision.by, decision.why)
            for each in range(first, nonce + 1):
                await self._bind_nothing(signer, each)
        return Cancelled.SUBMITTED

    async def _bind_nothing(self, signer: Signer, nonce: int) -> None:
        """Sign at the highest price allowed, for nobody knows what is to be replaced; store, submit."""
        market, now_ms = (await self.chain.snapshot([], [], [])).market, self.clock()
        call = Call(to=signer.address, data=b"")
        unsigned = UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=nonce,
            call=call,
            gas_limit=CANCEL_GAS,
            fees=fees.highest(market, self.limits),
        )
        attempt = await submission.sign_attempt(signer, unsigned, now_ms, kind=AttemptKind.CANCEL, index=0)
        transaction = Transaction(
            operator=signer.address,
            nonce=nonce,
            to=call.to,
            data=call.data,
            orders=(),
            committed_units=TokenUnits(0),
            bound_day=utc_day(now_ms),
            bound_ms=now_ms,
            status=TransactionStatus.CANCELLING,
        )
        stored = await self.ledger.exits.bind_nothing(transaction, attempt)
        await submission.broadcast(self.ledger, self.chain, self.clock, [(stored, attempt)])

    async def _pays_today(self, opened: OpenTransaction) -> bool:
        """
        Say whether the call would pay anybody today; how a transaction is asked about, its own call decides.

        Behind a guard an estimate is blind: an item that fails reverts nothing, so the guard is asked item by item.
        """
        call = submission.call_of(opened.transaction, AttemptKind.PAY)
        payer = self.guard if guard_calls.is_guarded(call.data) else self.chain
        (simulation,) = await payer.simulate(opened.transaction.operator, [call])
        if simulation.items:
            return None in simulation.items
        return simulation.refusal(opened.attempts[-1].gas_limit) is None

    def _price(self, opened: OpenTransaction, market: FeeQuote) -> Fees | None:
        """Return fees that replace the last attempt; those of a first one where no pool took that."""
        if opened.transaction.last_outcome is SubmitOutcome.REFUSED:
            return fees.first(market, self.limits, gas_limit=CANCEL_GAS)
        return fees.bump(opened.attempts[-1].fees, market, self.limits, gas_limit=CANCEL_GAS)

    async def _do(self, opened: OpenTransaction, price: Fees, decision: Decision | None) -> Cancelled:
        """Sign, store, submit: in this order, as every attempt."""
        transaction = opened.transaction
        signer = self.signers.get(transaction.operator)
        if signer is None:
            return Cancelled.NO_KEY
        if decision is None:
            return Cancelled.SUBMITTED
        unsigned = UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=transaction.nonce,
            call=submission.call_of(transaction, AttemptKind.CANCEL),
            gas_limit=CANCEL_GAS,
            fees=price,
        )
        attempt = await submission.sign_attempt(
            signer, unsigned, self.clock(), kind=AttemptKind.CANCEL, index=transaction.attempts
        )
        await self.ledger.admin.record(
            "cancel-nonce", f"{transaction.operator}:{transaction.nonce}", decision.by, decision.why
        )
        stored = await self.ledger.add_attempt(transaction, attempt)
        logs.warning(_log, "nonce_cancelling", nonce=attempt.nonce, attempt=attempt.index, tx_hash=attempt.tx_hash)
        await submission.broadcast(self.ledger, self.chain, self.clock, [(stored, attempt)])
        return Cancelled.SUBMITTED


def _ended_or_newer(status: TransactionStatus) -> Cancelled | None:
    """Return why a status leaves nothing to cancel; None where it does."""
    if not status.is_known:
        return Cancelled.NEWER
    return Cancelled.CANCELLING if status is TransactionStatus.CANCELLING else None


def _is(opened: OpenTransaction, operator: Address, nonce: int) -> bool:
    return (opened.transaction.operator, opened.transaction.nonce) == (operator, nonce)
