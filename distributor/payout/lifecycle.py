"""
The one decision: what to do next with a transaction, given what is stored and what the chain shows.

Pure. The same stored state and the same snapshot give the same step, so a crash, a duplicate message
or a restart is not a special case: the same path is entered again.

A missing receipt, a time-out, a lagging node prove nothing. Only finality does.

At first, a consumed nonce without a receipt proves nothing either. One batch to one node asks for the
nonce before the receipts, but a gateway may spread a batch over several machines and answer it in any
order, and the machine that has the receipt may not be the one it asked. So the condition must persist
for ``replace_after_ms`` before an alarm is raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain_types import ChainSnapshot, Mark, Receipt
from distributor.model import (
    Attempt,
    AttemptKind,
    OpenTransaction,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.payout import fees, guard_calls
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
from distributor.settings.chain import FeeSettings, SettlementSettings
from foundation.clock import UnixMs, elapsed_ms
from foundation.errors import InvariantBroken

UNREADABLE_AFTER_MS = 180_000
"""How long a receipt may be unreadable before an alarm is raised."""
AGED = 10
"""A first attempt this many times ``replace_after_ms`` old, five minutes by default, is replaced at any price."""
CANCEL_GAS = 21_000
"""What a transfer of nothing to oneself costs. Source: Ethereum Yellow Paper, G_transaction."""


def decide(
    opened: OpenTransaction,
    snapshot: ChainSnapshot,
    policy: SettlementSettings,
    limits: FeeSettings,
    *,
    lowest: bool,
    now_ms: UnixMs,
) -> Step:
    """
    Return the next step for one open transaction.

    Args:
        opened: The stored transaction with all attempts of its nonce.
        snapshot: One node's chain facts, the nonce read before the receipts.
        policy: Finality and patience.
        limits: Fee limits for a replacement.
        lowest: Whether this is its operator's lowest nonce that is not mined; only that one can be
            stuck for its own fees, the others wait behind it.
        now_ms: The time.
    """
    transaction = opened.transaction
    if not all(word.is_known for word in (transaction.status, *(attempt.kind for attempt in opened.attempts))):
        return Wait()  # a newer version's transaction is left alone
    if is_puzzling(opened.attempts, snapshot):
        return ReceiptUnreadable() if now_ms - _last_push_ms(transaction) >= UNREADABLE_AFTER_MS else Wait()
    receipts = receipts_of(opened.attempts, snapshot)
    if receipts:
        return _with_receipt(transaction, receipts[0], snapshot, policy)
    if transaction.status is TransactionStatus.MINED:
        return _without_its_receipt(opened, snapshot)
    if snapshot.nonces[transaction.operator] > transaction.nonce:
        return NonceLost() if now_ms - _last_push_ms(transaction) >= policy.replace_after_ms else Wait()
    return _push(opened, snapshot, policy, limits, lowest=lowest, now_ms=now_ms)


def is_final(transaction: Transaction, snapshot: ChainSnapshot, policy: SettlementSettings, *, beyond: int = 0) -> bool:
    """
    Say whether the block *transaction* was mined in is final, with *beyond* more blocks on top.

    By the tag or by depth, as configured, and never by the other when the first does not answer.
    """
    number = transaction.block_number
    if number is None or snapshot.canonical.get(number) != transaction.block_hash:
        return False
    return is_deep(number, snapshot.mark, policy, beyond=beyond)


def is_deep(number: int, mark: Mark, policy: SettlementSettings, *, beyond: int = 0) -> bool:
    """Say whether a node that shows *mark* shows the block at *number* as final, if it has the right one there."""
    depth = mark.head_number - number
    if policy.finality_depth is not None:
        return depth >= max(policy.finality_depth, policy.min_confirmations) + beyond
    tagged = mark.finalized_number is not None and number <= mark.finalized_number
    return tagged and depth >= policy.min_confirmations + beyond


def mined_attempt(attempts: Sequence[Attempt], receipt: Receipt) -> Attempt:
    """Return the attempt that *receipt* is about. Raises InvariantBroken if it is about none of them."""
    found = next((attempt for attempt in attempts if attempt.tx_hash == receipt.tx_hash), None)
    if found is None:
        raise InvariantBroken(f"{receipt.tx_hash} is no attempt of nonce {attempts[0].nonce}")
    return found


def receipts_of(attempts: Sequence[Attempt], snapshot: ChainSnapshot) -> Sequence[Receipt]:
    """
    Return the receipts the node shows of one nonce; there is one on one chain.

    Several machines behind one address may stand on several forks. Of two receipts the one counts whose block
    the node has at its number; where that leaves none or two, the node has contradicted itself.
    """
    found = [snapshot.receipts[attempt.tx_hash] for attempt in attempts if attempt.tx_hash in snapshot.receipts]
    if len(found) <= 1:
        return found
    return [each for each in found if snapshot.canonical.get(each.block.number) == each.block.block_hash]


def rivals(attempts: Sequence[Attempt], snapshot: ChainSnapshot) -> Sequence[Receipt]:
    """Return the receipts the node shows of one nonce where they are more than one, each excluding the others."""
    found = [snapshot.receipts[attempt.tx_hash] for attempt in attempts if attempt.tx_hash in snapshot.receipts]
    return found if len(found) > 1 else []


def is_puzzling(attempts: Sequence[Attempt], snapshot: ChainSnapshot) -> bool:
    """Say whether what the node shows of this nonce cannot be read, or contradicts itself: it proves nothing then."""
    hashes = {attempt.tx_hash for attempt in attempts}
    shown = hashes & snapshot.receipts.keys()
    contradicts = len(shown) > 1 and len(receipts_of(attempts, snapshot)) != 1
    return contradicts or (not shown and not hashes.isdisjoint(snapshot.unreadable))


def _with_receipt(
    transaction: Transaction, receipt: Receipt, snapshot: ChainSnapshot, policy: SettlementSettings
) -> Step:
    known = transaction.status is TransactionStatus.MINED and transaction.block_hash == receipt.block.block_hash
    if not known:
        return Mined(receipt=receipt)
    return Finalise(receipt=receipt) if is_final(transaction, snapshot, policy) else Wait()


def _without_its_receipt(opened: OpenTransaction, snapshot: ChainSnapshot) -> Step:
    """
    Reopen only on evidence: the block is gone, or the node that has it counts the nonce as unused.

    A node that lags shows no receipt either. One that has the block, and no receipt, and no use of the nonce, says
    that another node's receipt was false: without this the stored bytes would never be submitted again.
    """
    transaction = opened.transaction
    if transaction.block_number is None:
        raise InvariantBroken(f"transaction {transaction.nonce} is mined in no block")
    there = snapshot.canonical.get(transaction.block_number)
    gone = there is not None and there != transaction.block_hash
    never_mined = there is not None and snapshot.nonces[transaction.operator] <= transaction.nonce
    return _reopen(opened.attempts[-1]) if gone or never_mined else Wait()


def _reopen(last: Attempt) -> Reopen:
    cancels = last.kind is AttemptKind.CANCEL
    return Reopen(attempt=last, status=TransactionStatus.CANCELLING if cancels else TransactionStatus.SUBMITTED)


def _push(
    opened: OpenTransaction,
    snapshot: ChainSnapshot,
    policy: SettlementSettings,
    limits: FeeSettings,
    *,
    lowest: bool,
    now_ms: UnixMs,
) -> Step:
    """Decide about a transaction that is in no block. Each branch costs money or time, and says which."""
    transaction, last = opened.transaction, opened.attempts[-1]
    if transaction.submitted_ms is None:
        # The process died between storing and broadcasting: nobody has these bytes yet.
        return Submit(attempt=last)
    rested = elapsed_ms(transaction.submitted_ms, now_ms) >= policy.resubmit_after_ms
    if transaction.last_outcome is SubmitOutcome.REFUSED:
        # No node will ever take these bytes, so sign others with the same nonce, or raise an alarm.
        return _correct(opened, snapshot, policy, limits) or (AttemptRefused(attempt=last) if rested else Wait())
    if not rested:
        # A node has the bytes. Sending them in every block would cost requests and change nothing.
        return Wait()
    aged = lowest and len(opened.attempts) == 1 and elapsed_ms(last.signed_ms, now_ms) >= AGED * policy.replace_after_ms
    patient = lowest and elapsed_ms(last.signed_ms, now_ms) >= policy.replace_after_ms
    if not (aged or (patient and _outbid(opened, snapshot, limits))):
        # A node may have dropped the bytes. Sending the same ones again is free; only the lowest nonce, after
        # replace_after_ms, and only if its fees are too low, is worth a dearer attempt. A first attempt that nobody
        # mines at a fair price is replaced once by age: a pool may hold it where no producer sees it.
        return Submit(attempt=last)
    bumped = fees.bump(last.fees, snapshot.market, limits, gas_limit=last.gas_limit)
    if bumped is None or len(opened.attempts) >= policy.max_attempts:
        # The next valid price is above MAX_FEE_GWEI, or the attempts are used up: only the operator can allow more.
        return FeeCeiling(attempt=last)
    # Both fees rise by 12.5 %, where a pool asks for 10: one of the attempts is mined, and the nonce pays only once.
    return ReplaceAttempt(previous=last, fees=bumped, gas_limit=last.gas_limit)


def _outbid(opened: OpenTransaction, snapshot: ChainSnapshot, limits: FeeSettings) -> bool:
    """Say whether a dearer attempt would help, also when an older attempt in the pool outbids this one."""
    rivalled = opened.transaction.last_outcome is SubmitOutcome.UNDERPRICED
    return rivalled or fees.outbid(opened.attempts[-1].fees, snapshot.market, limits)


def _correct(
    opened: OpenTransaction, snapshot: ChainSnapshot, policy: SettlementSettings, limits: FeeSettings
) -> ReplaceAttempt | None:
    """
    Return an attempt priced like a first one, to replace refused bytes that exceed today's limits.

    It has the nonce of the refused attempt, so if a pool holds that one after all, only one is mined.
    None if today's limits allow the refused bytes: a cheaper attempt could lose to one that a pool holds.
    None if it would repeat an earlier attempt, if no price fits, or if the attempts are used up.
    """
    last = opened.attempts[-1]
    gas_limit = CANCEL_GAS if last.kind is AttemptKind.CANCEL else payment_gas(opened.transaction, limits)
    price = fees.first(snapshot.market, limits, gas_limit=gas_limit)
    sound = last.gas_limit == gas_limit and fees.allowed(last.fees, limits, gas_limit=gas_limit)
    tried = any((last.kind, price, gas_limit) == (one.kind, one.fees, one.gas_limit) for one in opened.attempts)
    if price is None or sound or tried or len(opened.attempts) >= policy.max_attempts:
        return None
    return ReplaceAttempt(previous=last, fees=price, gas_limit=gas_limit)


def payment_gas(transaction: Transaction, limits: FeeSettings) -> int:
    """Return the gas limit of an attempt that pays; a guarded call says itself what its items may use."""
    if guard_calls.is_guarded(transaction.data):
        return guard_calls.gas_of(transaction.data)
    return limits.gas_limit * len(transaction.orders)


def _last_push_ms(transaction: Transaction) -> UnixMs:
    return transaction.bound_ms if transaction.submitted_ms is None else transaction.submitted_ms
