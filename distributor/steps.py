"""
Carry out one step for one transaction: store the intent, act, store the result.

Every write is conditional on the row as it was read; who loses the race stops quietly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from distributor import lifecycle, logs, submission
from distributor.advice import HELD
from distributor.errors import InvariantBroken
from distributor.ledger import Closing, Ledger
from distributor.lifecycle import (
    FeeCeiling,
    Finalise,
    Mined,
    NonceLost,
    Policy,
    Reopen,
    Replace,
    Step,
    Submit,
    Verdict,
    Wait,
)
from distributor.model import (
    Address,
    Attempt,
    Call,
    HoldReason,
    Identity,
    Observation,
    OpenTransaction,
    Order,
    OrderKey,
    Receipt,
    Transaction,
    TransactionStatus,
)
from distributor.ports import Alarm, Alarms, Chain, Clock, Signer
from distributor.submission import Draft
from distributor.units import UnixMs, Wei

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a step left to do: bytes to hand over; and whether it freed a slot or closed the transaction."""

    submit: tuple[Transaction, Attempt] | None = None
    freed: bool = False
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The hands of settlement; the head is ``lifecycle``."""

    ledger: Ledger
    chain: Chain
    signers: Mapping[Address, Signer]
    """The operator that binds, and the retiring one whose transactions are still open."""
    alarms: Alarms
    clock: Clock
    identity: Identity
    policy: Policy

    async def carry_out(  # noqa: C901, PLR0911 -- one arm per step, nothing else
        self, opened: OpenTransaction, step: Step, seen: Observation
    ) -> Done:
        """
        Do *step*; the bytes it returns are stored and wait to be submitted.

        Raises:
            Contention: Another worker changed the transaction since it was read.
        """
        transaction = opened.transaction
        match step:
            case Wait():
                return Done()
            case Submit(attempt=attempt):
                return Done(submit=(transaction, attempt))
            case FeeCeiling(attempt=attempt):
                await self._alarm_fee_ceiling(attempt)
                return Done(submit=(transaction, attempt))
            case Replace():
                return await self._replace(transaction, step)
            case Reopen(attempt=attempt):
                return await self._reopen(transaction, attempt)
            case Mined(receipt=receipt):
                return await self._mined(transaction, receipt)
            case Finalise(receipt=receipt):
                return await self._finalise(transaction, receipt, seen)
            case NonceLost():
                await self._alarm_nonce_lost(opened)
                return Done()
            case _:
                assert_never(step)

    # pushing -----------------------------------------------------------------------------------

    async def _replace(self, transaction: Transaction, step: Replace) -> Done:
        """Sign the next attempt, store it, and only then let it be submitted. Only fees differ from attempt 0."""
        previous = step.previous
        signer = self.signers.get(transaction.operator)
        if signer is None:
            await self._alarm_no_key(transaction)
            return Done(submit=(transaction, previous))
        draft = Draft(
            chain_id=self.identity.chain_id,
            nonce=transaction.nonce,
            index=transaction.attempts,
            kind=previous.kind,
            call=Call(to=transaction.to, data=transaction.data),
            gas_limit=previous.gas_limit,
            fees=step.fees,
        )
        attempt = await submission.sign(signer, draft, self.clock())
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
        return Done(submit=(stored, attempt))

    async def _reopen(self, transaction: Transaction, attempt: Attempt) -> Done:
        logs.warning(_log, "transaction_reopened", nonce=transaction.nonce, lost_block=transaction.block_number)
        reopened = replace(
            transaction, status=TransactionStatus.SUBMITTED, mined_hash=None, block_number=None, block_hash=None
        )
        return Done(submit=(await self.ledger.update(reopened), attempt))

    # mined and final ---------------------------------------------------------------------------

    async def _mined(self, transaction: Transaction, receipt: Receipt) -> Done:
        block = receipt.block
        mined = replace(
            transaction,
            status=TransactionStatus.MINED,
            mined_hash=receipt.tx_hash,
            block_number=block.number,
            block_hash=block.block_hash,
        )
        await self.ledger.update(mined)
        logs.info(
            _log,
            "transaction_mined",
            nonce=transaction.nonce,
            tx_hash=receipt.tx_hash,
            block=block.number,
            succeeded=receipt.succeeded,
        )
        return Done(freed=True)

    async def _finalise(self, transaction: Transaction, receipt: Receipt, seen: Observation) -> Done:
        orders = await self._orders(transaction.orders)
        verdict = lifecycle.judge(orders, receipt, self.identity.reserve)
        if verdict.held and not await self._may_release(transaction, receipt, seen):
            return Done()
        cost_wei = Wei(receipt.gas_used * receipt.gas_price_wei)
        closing = Closing(
            tx_hash=receipt.tx_hash,
            block_number=receipt.block.number,
            paid=verdict.paid,
            held=verdict.held,
            detail=f"transaction {receipt.tx_hash} in block {receipt.block.number}",
            gas_used=receipt.gas_used,
            gas_cost_wei=cost_wei,
        )
        await self.ledger.close(transaction, closing)
        logs.info(
            _log,
            "transaction_final",
            nonce=transaction.nonce,
            tx_hash=receipt.tx_hash,
            block=receipt.block.number,
            gas_used=receipt.gas_used,
            gas_cost_wei=cost_wei,
            duration_ms=self.clock() - transaction.bound_ms,
        )
        await self._tell(orders, verdict, receipt)
        return Done(freed=True, closed=True)

    async def _orders(self, keys: Sequence[OrderKey]) -> Sequence[Order]:
        found = await asyncio.gather(*(self.ledger.order(key) for key in keys))
        missing = [str(key) for key, order in zip(keys, found, strict=True) if order is None]
        if missing:
            raise InvariantBroken(f"orders {missing} are bound and not in the ledger")
        return [order for order in found if order is not None]

    async def _may_release(self, transaction: Transaction, receipt: Receipt, seen: Observation) -> bool:
        """Orders get another nonce only far beyond finality, and when a second node agrees, where there is one."""
        if not lifecycle.is_final(transaction, seen, self.policy, beyond=self.policy.release_confirmations):
            return False
        other = next((node for node in self.chain.nodes if node != seen.node), None)
        if other is None:
            return True
        word = await self.chain.receipt(receipt.tx_hash, node=other)
        return word is not None and (word.block, word.succeeded) == (receipt.block, receipt.succeeded)

    async def _tell(self, orders: Sequence[Order], verdict: Verdict, receipt: Receipt) -> None:
        now_ms = self.clock()
        for order in orders:
            reason = verdict.held.get(order.key)
            if reason is None:
                _log_paid(order, receipt, now_ms)
            else:
                await self._alarm_held(order, reason, receipt)

    # alarms ------------------------------------------------------------------------------------

    async def _alarm_held(self, order: Order, reason: HoldReason, receipt: Receipt) -> None:
        advice = HELD[reason]
        summary = f"{advice.summary} Transaction {receipt.tx_hash}."
        await self.alarms.raise_(
            Alarm(code=f"held_{reason}", summary=summary, action=advice.action, subject=str(order.key))
        )

    async def _alarm_fee_ceiling(self, attempt: Attempt) -> None:
        await self.alarms.raise_(
            Alarm(
                code="replacement_ceiling",
                summary=f"Transaction {attempt.tx_hash} is stuck and no replacement fits under the fee ceilings "
                "or the number of attempts.",
                action="Wait for the price to fall, or raise MAX_FEE_GWEI and MAX_PRIORITY_FEE_GWEI.",
                subject=f"nonce {attempt.nonce}",
            )
        )

    async def _alarm_nonce_lost(self, opened: OpenTransaction) -> None:
        transaction = opened.transaction
        hashes = ", ".join(attempt.tx_hash for attempt in opened.attempts)
        await self.alarms.raise_(
            Alarm(
                code="nonce_lost",
                summary=f"Nonce {transaction.nonce} of {transaction.operator} is used on chain, and none of our "
                f"attempts has a receipt: {hashes}. Orders {', '.join(map(str, transaction.orders))} stay bound.",
                action="Find the transaction that used the nonce on an explorer. Pay nothing by hand before that.",
                subject=f"nonce {transaction.nonce}",
            )
        )

    async def _alarm_no_key(self, transaction: Transaction) -> None:
        await self.alarms.raise_(
            Alarm(
                code="operator_key_missing",
                summary=f"A transaction of operator {transaction.operator} needs a replacement, and its key is "
                "not configured.",
                action="Set OPERATOR_PK_RETIRING to that operator's key until nothing of it is open.",
                subject=f"nonce {transaction.nonce}",
            )
        )


def _log_paid(order: Order, receipt: Receipt, now_ms: UnixMs) -> None:
    logs.info(
        _log,
        "order_paid",
        source=order.source,
        order_id=order.order_id,
        amount_units=order.amount_units,
        tx_hash=receipt.tx_hash,
        block=receipt.block.number,
        duration_ms=now_ms - order.received_ms,
    )
