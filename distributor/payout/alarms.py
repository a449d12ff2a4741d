"""The alarms of settlement, in words; the runbook has a heading for each code."""

from __future__ import annotations

from distributor.chain_types import ChainSnapshot, GuardPayment, Receipt
from distributor.errors import SignerUnavailable
from distributor.ledger import keys
from distributor.ledger.closing import PaidBy
from distributor.ledger.opened import Unreadable
from distributor.model import Address, Attempt, HoldReason, OpenTransaction, Order, Transaction
from distributor.payout.order_names import order_names
from distributor.ports import Alarm
from distributor.reasons import HELD, waiting_alarm
from distributor.state import Stats, WaitingReason


def order_held(order: Order, reason: HoldReason, detail: str) -> Alarm:
    """An order stopped and waits for a person."""
    guidance = HELD[reason]
    return Alarm(
        code=f"held_{reason}", summary=f"{guidance.summary} {detail}", action=guidance.action, subject=str(order.key)
    )


def passed_over(order: Order, why: str) -> Alarm:
    """An order waits for itself alone: it cannot be judged, or is refused with a word that is not about it."""
    return Alarm(
        code="order_passed_over",
        summary=f"Order {order.key} is passed over in each round while others are paid: {why}",
        action="Add another node to RPC_URL, or lift the rule that refuses this wallet; it is then paid by itself. "
        "Or cancel the order.",
        subject=str(order.key),
    )


def lane_out(setting: str, why: str) -> Alarm:
    """The key of one of several operators cannot be had; which operator it is comes with its key."""
    return Alarm(
        code="lane_stopped",
        summary=f"The lane of {setting} takes no orders: {why}",
        action=f"Correct {setting}, or let the vault give the key; until then orders go through the other lanes.",
        subject=setting,
    )


def lane_stopped(setting: str, operator: Address, reason: WaitingReason, detail: str) -> Alarm:
    """One of several operators takes no orders; the others do not wait for it."""
    return Alarm(
        code="lane_stopped",
        summary=f"The lane of operator {operator} ({setting}) takes no orders, {reason}: {detail}",
        action="Send POL to that address, give it its role back, or add it with `add-operator`; until then orders go "
        "through the other lanes.",
        subject=operator,
    )


def fee_ceiling(transaction: Transaction, attempt: Attempt) -> Alarm:
    """A replacement would help, and none fits."""
    return Alarm(
        code="replacement_ceiling",
        summary=f"Transaction {attempt.tx_hash} is stuck and no replacement fits under the fee ceilings "
        f"or the number of attempts. Its orders: {order_names(transaction)}.",
        action="Wait for the price to fall, or raise MAX_FEE_GWEI and MAX_PRIORITY_FEE_GWEI.",
        subject=f"nonce {attempt.nonce}",
    )


def refused(transaction: Transaction, attempt: Attempt) -> Alarm:
    """No node takes the bytes, and nothing about them can be corrected."""
    return Alarm(
        code="submission_refused",
        summary=f"No node takes transaction {attempt.tx_hash}, and there is nothing to correct under today's limits. "
        f"Its orders: {order_names(transaction)}.",
        action="Read the node's words in the log (attempt_submitted); check GAS_LIMIT, MAX_FEE_GWEI, CHAIN_ID and "
        "MAX_ATTEMPTS.",
        subject=f"nonce {attempt.nonce}",
    )


def nonce_lost(opened: OpenTransaction) -> Alarm:
    """A nonce is used up, and not by us as far as anyone can see."""
    transaction = opened.transaction
    hashes = ", ".join(attempt.tx_hash for attempt in opened.attempts)
    return Alarm(
        code="nonce_lost",
        summary=f"Nonce {transaction.nonce} of {transaction.operator} is used on chain, and none of our attempts has "
        f"a receipt: {hashes}. Orders {', '.join(map(str, transaction.orders))} stay bound.",
        action="Find the transaction that used the nonce on an explorer. Pay nothing by hand before that.",
        subject=f"nonce {transaction.nonce}",
    )


def ledger_behind(detail: str) -> Alarm:
    """The chain knows more of an operator than the ledger: it went back, or the key is used elsewhere."""
    return Alarm(
        code="ledger_behind",
        summary=f"The chain is ahead of the ledger. {detail} Payouts are paused.",
        action="Was the ledger put back, or the key used elsewhere? Read the runbook before anything is resumed: "
        "`resolve` what used the nonce, `cancel-nonce` what waits, or `rebuild`.",
    )


def ledger_foreign(difference: str) -> Alarm:
    """The settings mean another ledger than this one; nothing is judged by them."""
    return waiting_alarm(WaitingReason.LEDGER_FOREIGN, f"{difference} Open transactions are not judged meanwhile.")


def payment_path_broken(receipt: Receipt) -> Alarm:
    """The contract takes the call, and the token moves nothing."""
    return Alarm(
        code="payment_path_broken",
        summary=f"Transaction {receipt.tx_hash} succeeded in block {receipt.block.number}, and the token shows no "
        "transfer of this amount to this wallet. Payouts are paused.",
        action="Check AUTHORITY_ADDRESS, TOKEN_ADDRESS and RESERVE_ADDRESS, and ask the Authority's administrators, "
        "before anything is resumed.",
        subject=str(receipt.tx_hash),
    )


def row_unreadable(row: Unreadable) -> Alarm:
    """One row of the ledger cannot be used; everything else goes on."""
    return Alarm(
        code="row_unreadable",
        summary=f"A row of the ledger cannot be used and is passed over: {row.why}.",
        action="Was the table edited by hand, or written by a newer version of the service? Bring that version back, "
        "or have the row looked at; its order or nonce is left alone meanwhile.",
        subject=row.key,
    )


def frozen_paid(order: Order, payment: GuardPayment) -> Alarm:
    """The guard has recorded the payment of an order that only a newer version may touch."""
    word = order.status if not order.status.is_known else order.hold_reason
    return Alarm(
        code="row_unreadable",
        summary=f"Order {order.key} has a newer version's word, {word}, and the guard has recorded its payment: "
        f"transaction {payment.tx_hash} in block {payment.block.number}.",
        action="Bring the newer version back: this one leaves the order as it is. The guard pays it no second time.",
        subject=keys.order_row(order.key),
    )


def key_missing(transaction: Transaction) -> Alarm:
    """Nobody can sign for that operator any more."""
    return Alarm(
        code="operator_key_missing",
        summary=f"A transaction of operator {transaction.operator} needs a replacement, and its key is not configured. "
        f"Its orders: {order_names(transaction)}.",
        action="Set OPERATOR_PK_RETIRING, or OPERATOR_KEY_ID_RETIRING, to that operator's key until nothing of it "
        "is open.",
        subject=f"nonce {transaction.nonce}",
    )


def signer_unavailable(transaction: Transaction, error: SignerUnavailable) -> Alarm:
    """A replacement is due, and the vault does not sign it."""
    return Alarm(
        code="signer_unavailable",
        summary=f"A transaction of operator {transaction.operator} needs a replacement: {error} Its orders: "
        f"{order_names(transaction)}.",
        action="Do what the summary says: the key, its permissions or the vault. The first bytes stay in the pool.",
        subject=f"nonce {transaction.nonce}",
    )


def finality_violated(operator: Address, stats: Stats, snapshot: ChainSnapshot) -> Alarm:
    """A block in which something was final is not on the chain any more."""
    return Alarm(
        code="finality_violated",
        summary=f"Block {stats.final_number}, final when a transaction of {operator} was closed in it, was "
        f"{stats.final_hash}; node {snapshot.node} now shows another. Payouts are paused.",
        action="Compare the ledger with the chain on two nodes before anything is resumed.",
        subject=f"block {stats.final_number}",
    )


def paid_elsewhere(order: Order, payment: GuardPayment) -> Alarm:
    """Somebody else paid an order through the same guard."""
    return _paid_elsewhere(order, payment.tx_hash, payment.block.number)


def paid_by_another(order: Order, paid: PaidBy) -> Alarm:
    """Another transaction was first; ours moved nothing."""
    return _paid_elsewhere(order, paid.tx_hash, paid.block_number)


def _paid_elsewhere(order: Order, tx_hash: str, block: int) -> Alarm:
    return Alarm(
        code="paid_elsewhere",
        summary=f"Order {order.key} was paid by transaction {tx_hash} in block {block}, which is none of this ledger.",
        action="Find out what else pays through this guard: a second ledger, or this one from before a restore.",
        subject=str(order.key),
    )


def batch_reverted(transaction: Transaction, detail: str) -> Alarm:
    """A transaction through a guard was refused as a whole; its orders wait again."""
    return Alarm(
        code="batch_reverted",
        summary=f"The guard refused a whole transaction; its orders wait again. {detail}.",
        action="Was the guard paused, or the key removed? A second one in a row pauses the payouts.",
        subject=f"nonce {transaction.nonce}",
    )


def payouts_paused(why: str, nonce: int) -> Alarm:
    """The service paused itself, because the way to the token is broken."""
    return Alarm(
        code="payouts_paused",
        summary=f"{why} Payouts are paused.",
        action="Find the cause before anything is resumed: the guard, the Authority, or the settings' addresses.",
        subject=f"nonce {nonce}",
    )


def shop_order_differs(order: Order, source: str) -> Alarm:
    """A shop sent one id twice with different content, under two names; the first content is kept."""
    return Alarm(
        code="shop_order_differs",
        summary=f"Order {order.key} belongs to {source}, which has that id with another wallet or amount. The first "
        "content is kept, and this one was cancelled.",
        action="Compare both orders. If more is owed, let the shop send it under a new id.",
        subject=str(order.key),
    )
