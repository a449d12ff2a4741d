"""The one decision, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import ChainSnapshot, FeeQuote, Transfer
from distributor.model import (
    AttemptKind,
    Fees,
    Hash,
    HoldReason,
    OpenTransaction,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.payout.lifecycle import UNREADABLE_AFTER_MS, decide, is_final, mined_attempt
from distributor.payout.payment_proof import PaymentProof, verify_payment
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
from distributor.settings.chain import SettlementSettings
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from tests.factories import (
    ALICE,
    BOB,
    GWEI,
    LIMITS,
    MARKET,
    NOW_MS,
    OPERATOR,
    POLICY,
    RESERVE,
    TOKEN,
    a_block,
    a_chain_snapshot,
    a_receipt,
    a_transaction,
    an_attempt,
    an_order,
    opened,
)

DEAR = FeeQuote(base_fee_wei=Wei(10 * GWEI), tip_wei=Wei(30 * GWEI), gas_price_wei=Wei(40 * GWEI))


def a_step(
    each: OpenTransaction, snapshot: ChainSnapshot, *, after_s: int = 0, lowest: bool = True, **policy: Any
) -> Step:
    """Decide *after_s* seconds from now."""
    now_ms = UnixMs(NOW_MS + after_s * 1000)
    return decide(each, snapshot, POLICY.model_copy(update=policy), LIMITS, lowest=lowest, now_ms=now_ms)


def submitted(**changes: Any) -> Transaction:
    """Return a transaction whose bytes were handed over now."""
    return replace(a_transaction(status=TransactionStatus.SUBMITTED, submitted_ms=NOW_MS), **changes)


def mined(number: int) -> Transaction:
    """Return a transaction stored as mined in that block."""
    return submitted(
        status=TransactionStatus.MINED,
        mined_hash=an_attempt().tx_hash,
        block_number=number,
        block_hash=a_block(number).block_hash,
    )


def test_a_bound_transaction_is_submitted() -> None:
    """Killed between binding and submitting: the stored bytes go out now."""
    step = a_step(opened(a_transaction()), a_chain_snapshot())

    assert step == Submit(attempt=an_attempt())


def test_a_submitted_transaction_is_left_alone_at_first() -> None:
    """Ten seconds are five blocks."""
    assert a_step(opened(submitted()), a_chain_snapshot(), after_s=9) == Wait()


def test_a_forgotten_transaction_is_submitted_again_with_the_same_bytes() -> None:
    """Nodes drop transactions under pressure; the same bytes can never pay twice."""
    step = a_step(opened(submitted()), a_chain_snapshot(), after_s=10)

    assert step == Submit(attempt=an_attempt())


def test_a_submission_from_the_future_is_not_waited_for() -> None:
    """A host whose clock ran an hour ahead submitted it; nobody waits that hour to submit the same bytes again."""
    ahead = replace(submitted(), submitted_ms=UnixMs(NOW_MS + 3_600_000))

    assert a_step(opened(ahead), a_chain_snapshot(), after_s=1) == Submit(attempt=an_attempt())


def test_an_outbid_transaction_is_replaced() -> None:
    """Half a minute without inclusion, and the producer gets less than today's tip."""
    each = opened(replace(submitted(), submitted_ms=UnixMs(NOW_MS + 20_000)))
    step = a_step(each, a_chain_snapshot(market=DEAR), after_s=30)

    assert isinstance(step, ReplaceAttempt)
    assert step.previous == an_attempt()
    assert step.fees.max_fee_wei >= an_attempt().fees.max_fee_wei * 9 // 8


def test_a_transaction_behind_a_stuck_one_is_not_replaced() -> None:
    """Only the lowest nonce can be stuck for its own fees."""
    step = a_step(opened(submitted()), a_chain_snapshot(market=DEAR), after_s=60, lowest=False)

    assert step == Submit(attempt=an_attempt())


def test_a_transaction_that_pays_enough_is_not_replaced() -> None:
    """A slow network is no reason to pay more."""
    step = a_step(opened(submitted()), a_chain_snapshot(market=MARKET), after_s=60)

    assert step == Submit(attempt=an_attempt())


def test_a_transaction_nobody_mines_at_a_fair_price_is_replaced_once_by_age() -> None:
    """A pool may hold it where no producer sees it; a second replacement is left to the market's price."""
    old = opened(replace(submitted(), submitted_ms=UnixMs(NOW_MS + 290_000)))
    assert isinstance(a_step(old, a_chain_snapshot(market=MARKET), after_s=299), Wait)

    assert isinstance(a_step(old, a_chain_snapshot(market=MARKET), after_s=300), ReplaceAttempt)
    assert a_step(old, a_chain_snapshot(market=MARKET), after_s=300, lowest=False) == Submit(attempt=an_attempt())
    replaced = replace(old, attempts=(an_attempt(), replace(an_attempt(), index=1)))
    assert a_step(replaced, a_chain_snapshot(market=MARKET), after_s=400) == Submit(attempt=replaced.attempts[-1])


def test_a_market_above_the_ceiling_is_said_and_not_cut() -> None:
    """Cut to the highest tip allowed, a transaction the market left behind would look well paid."""
    best = replace(an_attempt(), fees=Fees(max_fee_wei=Wei(60 * 10**9), tip_wei=Wei(40 * 10**9)))
    each = replace(opened(submitted()), attempts=(best,))
    market = FeeQuote(base_fee_wei=Wei(10**9), tip_wei=Wei(45 * 10**9), gas_price_wei=Wei(46 * 10**9))

    assert a_step(each, a_chain_snapshot(market=market), after_s=60) == FeeCeiling(attempt=best)


def test_a_transaction_the_pool_finds_too_cheap_is_replaced() -> None:
    """A rival of the same nonce lies in the pool, and fees that satisfy the market do not beat it."""
    each = opened(replace(submitted(), last_outcome=SubmitOutcome.UNDERPRICED))
    step = a_step(each, a_chain_snapshot(market=MARKET), after_s=60)

    assert isinstance(step, ReplaceAttempt)
    assert step.fees.tip_wei >= an_attempt().fees.tip_wei * 9 // 8


def test_at_the_ceiling_the_same_bytes_wait_and_an_alarm_says_so() -> None:
    """No replacement fits: nothing is skipped silently."""
    market = FeeQuote(base_fee_wei=Wei(50 * GWEI), tip_wei=Wei(30 * GWEI), gas_price_wei=Wei(80 * GWEI))
    step = a_step(opened(submitted()), a_chain_snapshot(market=market), after_s=60)

    assert step == FeeCeiling(attempt=an_attempt())


def test_the_number_of_attempts_is_bounded() -> None:
    """After the last one the transaction waits like any other at the ceiling."""
    step = a_step(opened(submitted()), a_chain_snapshot(market=DEAR), after_s=60, max_attempts=1)

    assert step == FeeCeiling(attempt=an_attempt())


def refused(**changes: Any) -> Transaction:
    """Return a transaction whose bytes no node will ever take."""
    return submitted(last_outcome=SubmitOutcome.REFUSED, **changes)


TOO_DEAR = an_attempt(fees=Fees(max_fee_wei=Wei(20_000 * GWEI), tip_wei=Wei(30 * GWEI)))


def test_refused_bytes_are_signed_anew_within_todays_limits() -> None:
    """The node will not change its mind: the same nonce, with the fees and gas of a first attempt."""
    step = a_step(opened(refused(), TOO_DEAR), a_chain_snapshot())

    assert step == ReplaceAttempt(
        previous=TOO_DEAR, fees=Fees(max_fee_wei=Wei(32 * GWEI), tip_wei=Wei(30 * GWEI)), gas_limit=300_000
    )


def test_a_gas_limit_is_corrected_for_every_order_of_the_transaction() -> None:
    """GAS_LIMIT is what each of them gets."""
    two = refused(orders=(an_order("ORD1").key, an_order("ORD2").key))
    step = a_step(opened(two, an_attempt(gas_limit=40_000_000)), a_chain_snapshot())

    assert isinstance(step, ReplaceAttempt)
    assert step.gas_limit == 600_000


def test_a_refused_cancellation_is_corrected_as_a_cancellation() -> None:
    """It still needs no more gas than a transfer of nothing."""
    cancel = replace(TOO_DEAR, index=1, kind=AttemptKind.CANCEL, gas_limit=50_000)
    step = a_step(opened(refused(status=TransactionStatus.CANCELLING), an_attempt(), cancel), a_chain_snapshot())

    assert isinstance(step, ReplaceAttempt)
    assert (step.previous, step.gas_limit) == (cancel, 21_000)


@pytest.mark.parametrize(
    ("attempts", "snapshot", "policy"),
    [
        ([an_attempt()], a_chain_snapshot(), {}),
        ([an_attempt()], a_chain_snapshot(market=DEAR), {}),
        ([TOO_DEAR], a_chain_snapshot(), {"max_attempts": 1}),
        ([TOO_DEAR], a_chain_snapshot(market=replace(MARKET, base_fee_wei=Wei(31 * GWEI))), {}),
        ([an_attempt(), replace(TOO_DEAR, index=1)], a_chain_snapshot(), {}),
    ],
    ids=["nothing differs", "within the limits", "attempts used up", "above the ceiling", "tried before"],
)
def test_refused_bytes_with_nothing_to_correct_wait_and_an_alarm_says_so(
    attempts: list[Any], snapshot: ChainSnapshot, policy: dict[str, Any]
) -> None:
    """They are handed over again now and then: a node's rules may change."""
    each = opened(refused(), *attempts)

    assert a_step(each, snapshot, after_s=9, **policy) == Wait()
    assert a_step(each, snapshot, after_s=10, **policy) == AttemptRefused(attempt=attempts[-1])


def test_a_receipt_of_any_attempt_counts() -> None:
    """The first attempt may win after it was replaced."""
    first, second = an_attempt(0), an_attempt(1)
    receipt = a_receipt(first, a_block(99))
    step = a_step(opened(submitted(), first, second), a_chain_snapshot(100, receipt, nonce=8))

    assert step == Mined(receipt=receipt)


def test_of_two_receipts_of_one_nonce_the_one_on_the_nodes_chain_counts() -> None:
    """Machines behind one address may stand on two forks; the block at the number says which of them it is."""
    first, second = an_attempt(0), an_attempt(1)
    receipts = a_receipt(first, a_block(98, "fork")), a_receipt(second, a_block(99))
    snapshot = a_chain_snapshot(100, *receipts)
    canonical = {98: a_block(98).block_hash, 99: a_block(99).block_hash}

    assert a_step(opened(submitted(), first, second), replace(snapshot, canonical=canonical)) == Mined(
        receipt=receipts[1]
    )


@pytest.mark.parametrize("canonical", [{}, {98: a_block(98).block_hash, 99: a_block(99).block_hash}])
def test_two_receipts_that_exclude_each_other_say_nothing(canonical: dict[int, Hash]) -> None:
    """Neither is on the chain the node shows, or both are: look again, and tell a person after minutes."""
    first, second = an_attempt(0), an_attempt(1)
    snapshot = a_chain_snapshot(100, a_receipt(first, a_block(98)), a_receipt(second, a_block(99)))
    snapshot = replace(snapshot, canonical=canonical)
    both = opened(submitted(), first, second)

    assert a_step(both, snapshot) == Wait()
    assert a_step(both, snapshot, after_s=UNREADABLE_AFTER_MS // 1000) == ReceiptUnreadable()


def test_an_unreadable_receipt_is_neither_there_nor_absent() -> None:
    """The nonce is used and no receipt is to be read: it is not called lost, and nothing is pushed."""
    snapshot = replace(a_chain_snapshot(100, nonce=8), unreadable=frozenset({an_attempt().tx_hash}))
    after_s = UNREADABLE_AFTER_MS // 1000

    assert a_step(opened(submitted()), snapshot, after_s=after_s - 1) == Wait()
    assert a_step(opened(submitted()), snapshot, after_s=after_s) == ReceiptUnreadable()
    other = a_receipt(an_attempt(1), a_block(99))
    shown = replace(snapshot, receipts={other.tx_hash: other}, canonical={99: other.block.block_hash})
    assert a_step(opened(submitted(), an_attempt(0), an_attempt(1)), shown) == Mined(receipt=other)


def test_a_mined_transaction_waits_for_finality() -> None:
    """Block 99 is above the finalized block 98."""
    receipt = a_receipt(an_attempt(), a_block(99))

    assert a_step(opened(mined(99)), a_chain_snapshot(100, receipt)) == Wait()


def test_a_final_block_ends_the_transaction() -> None:
    """Below the tag and deep enough."""
    receipt = a_receipt(an_attempt(), a_block(95))

    assert a_step(opened(mined(95)), a_chain_snapshot(100, receipt)) == Finalise(receipt=receipt)


def test_a_receipt_in_another_block_is_stored_before_it_is_final() -> None:
    """A reorganisation moved it: the new block must pass finality itself."""
    receipt = a_receipt(an_attempt(), a_block(95, "rival"))

    assert a_step(opened(mined(95)), a_chain_snapshot(100, receipt)) == Mined(receipt=receipt)


def test_a_missing_receipt_of_a_mined_transaction_says_nothing() -> None:
    """The block is still there, or the node has not reached it: wait."""
    here = a_chain_snapshot(100, canonical={95: a_block(95).block_hash}, nonce=an_attempt().nonce + 1)
    behind = a_chain_snapshot(90)

    assert a_step(opened(mined(95)), here) == Wait()
    assert a_step(opened(mined(95)), behind) == Wait()


def test_a_mined_transaction_whose_nonce_is_unused_is_reopened() -> None:
    """The node that has the block has no such receipt and counts the nonce as unused: another one invented it."""
    unused = a_chain_snapshot(100, canonical={95: a_block(95).block_hash}, nonce=an_attempt().nonce)

    assert a_step(opened(mined(95)), unused) == Reopen(attempt=an_attempt(), status=TransactionStatus.SUBMITTED)


def test_a_transaction_whose_block_left_the_chain_is_reopened() -> None:
    """Another block is at that height: the bytes go to the nodes again."""
    gone = a_chain_snapshot(100, canonical={95: a_block(95, "rival").block_hash})

    assert a_step(opened(mined(95)), gone) == Reopen(attempt=an_attempt(), status=TransactionStatus.SUBMITTED)


def test_a_cancellation_whose_block_left_the_chain_is_still_a_cancellation() -> None:
    """After a cancel attempt only cancels follow, whatever the chain does."""
    gone = a_chain_snapshot(100, canonical={95: a_block(95, "rival").block_hash})
    cancel = an_attempt(1, kind=AttemptKind.CANCEL)

    step = a_step(opened(mined(95), an_attempt(), cancel), gone)

    assert step == Reopen(attempt=cancel, status=TransactionStatus.CANCELLING)


def test_a_mined_transaction_without_block_is_a_bug() -> None:
    """It is never written so."""
    broken = a_transaction(status=TransactionStatus.MINED)

    with pytest.raises(InvariantBroken, match="no block"):
        a_step(opened(broken), a_chain_snapshot())


def test_a_used_nonce_without_a_receipt_waits_before_it_alarms() -> None:
    """A node's receipts may lag behind its nonces for a moment."""
    snapshot = a_chain_snapshot(nonce=8)

    assert a_step(opened(submitted()), snapshot, after_s=29) == Wait()
    assert a_step(opened(submitted()), snapshot, after_s=30) == NonceLost()
    assert a_step(opened(a_transaction()), snapshot, after_s=30) == NonceLost()


def final(number: int, *, policy: SettlementSettings = POLICY, beyond: int = 0, **changes: Any) -> bool:
    """Say whether block *number* is final at head 100."""
    transaction = mined(number)
    snapshot = a_chain_snapshot(100, a_receipt(an_attempt(), a_block(number)), **changes)
    return is_final(transaction, snapshot, policy, beyond=beyond)


def test_finality_by_tag_needs_the_tag_and_the_depth() -> None:
    """Neither alone is enough."""
    assert final(97)
    assert not final(98)
    assert not final(97, finalized_number=96)


def test_a_missing_tag_means_not_final() -> None:
    """Never a fallback to depth."""
    assert not final(1, finalized_number=None)


def test_finality_by_depth_ignores_the_tag() -> None:
    """FINALITY=depth:20, with or without a tag."""
    by_depth = POLICY.model_copy(update={"finality_depth": 20})

    assert final(80, policy=by_depth, finalized_number=None)
    assert not final(81, policy=by_depth)


def test_a_depth_is_never_less_than_the_minimum() -> None:
    """MIN_CONFIRMATIONS holds for both kinds of finality."""
    assert not final(98, policy=POLICY.model_copy(update={"finality_depth": 1}))


def test_release_needs_more_blocks_on_top() -> None:
    """An order gets another nonce only far beyond finality."""
    by_depth = POLICY.model_copy(update={"finality_depth": 20})

    assert not final(88, beyond=10)
    assert final(87, beyond=10)
    assert not final(71, policy=by_depth, beyond=10)
    assert final(70, policy=by_depth, beyond=10)


def test_a_block_that_is_not_on_the_chain_is_never_final() -> None:
    """The hash is checked again."""
    assert not final(90, canonical={90: a_block(90, "rival").block_hash})
    assert not final(90, canonical={})
    assert not is_final(submitted(), a_chain_snapshot(), POLICY)


def a_transfer(**changes: Any) -> Transfer:
    """Return the transfer that pays ``an_order()``."""
    transfer = Transfer(log_index=0, sender=RESERVE, recipient=ALICE, amount_units=TokenUnits(10 * TOKEN))
    return replace(transfer, **changes)


def test_the_tokens_own_transfer_proves_a_payment() -> None:
    """From the reserve, to the wallet, of the amount."""
    receipt = a_receipt(an_attempt(), a_block(95))

    assert verify_payment([an_order()], receipt, RESERVE) == PaymentProof(paid=(an_order().key,), held={})


@pytest.mark.parametrize(
    "changes",
    [{"sender": OPERATOR}, {"recipient": BOB}, {"amount_units": TokenUnits(9 * TOKEN)}],
    ids=["another sender", "another wallet", "another amount"],
)
def test_any_other_transfer_proves_nothing(changes: dict[str, Any]) -> None:
    """Success alone is not enough: the order is held."""
    receipt = a_receipt(an_attempt(), a_block(95), transfers=(a_transfer(**changes),))

    verdict = verify_payment([an_order()], receipt, RESERVE)

    assert verdict == PaymentProof(paid=(), held={an_order().key: HoldReason.NO_TRANSFER})


def test_each_transfer_proves_one_order() -> None:
    """Two equal orders and one event: one is paid."""
    orders = [an_order("ORD1"), an_order("ORD2")]
    receipt = a_receipt(an_attempt(), a_block(95), transfers=(a_transfer(),))

    verdict = verify_payment(orders, receipt, RESERVE)

    assert verdict.paid == (orders[0].key,)
    assert verdict.held == {orders[1].key: HoldReason.NO_TRANSFER}


def test_a_reverted_transaction_pays_nobody() -> None:
    """Whatever its logs say."""
    receipt = a_receipt(an_attempt(), a_block(95), succeeded=False)

    verdict = verify_payment([an_order()], receipt, RESERVE)

    assert verdict == PaymentProof(paid=(), held={an_order().key: HoldReason.REVERTED})


def test_a_mined_cancellation_pays_nobody() -> None:
    """The nonce was spent on nothing, whatever else is in the receipt."""
    receipt = a_receipt(an_attempt(), a_block(95))

    verdict = verify_payment([an_order()], receipt, RESERVE, kind=AttemptKind.CANCEL)

    assert verdict == PaymentProof(paid=(), held={an_order().key: HoldReason.NONCE_CANCELLED})


def test_what_was_mined_decides_and_not_what_was_wanted_last() -> None:
    """A payment may win over its own cancellation."""
    attempts = (an_attempt(), an_attempt(1, kind=AttemptKind.CANCEL))

    assert [mined_attempt(attempts, a_receipt(each, a_block(95))) for each in attempts] == [*attempts]
    with pytest.raises(InvariantBroken, match="no attempt of nonce 7"):
        mined_attempt(attempts[:1], a_receipt(attempts[1], a_block(95)))
