"""The alarms about what nodes say, in words; the runbook has a heading for each code."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain_types import Word
from distributor.model import OpenTransaction, Transaction
from distributor.payout.order_names import order_names
from distributor.ports import Alarm
from distributor.state import Stats


def receipt_unreadable(opened: OpenTransaction, node: str) -> Alarm:
    """For minutes no node shows a receipt of this nonce that can be read."""
    transaction = opened.transaction
    hashes = ", ".join(attempt.tx_hash for attempt in opened.attempts)
    return Alarm(
        code="receipt_unreadable",
        summary=f"Node {node} answers for nonce {transaction.nonce} of {transaction.operator} with a receipt that "
        f"cannot be read, or with two that exclude each other: {hashes}. Its orders stay bound: "
        f"{order_names(transaction)}.",
        action="Add another provider's node to RPC_URL, or take this one out of it.",
        subject=f"nonce {transaction.nonce}",
    )


def nodes_disagree(transaction: Transaction, words: Sequence[Word]) -> Alarm:
    """Two nodes say of one transaction what cannot both be true."""
    return Alarm(
        code="nodes_disagree",
        summary=f"The nodes disagree about transaction {transaction.mined_hash} (nonce {transaction.nonce} of "
        f"{transaction.operator}). {_said(words)} It stays open, and its orders bound: {order_names(transaction)}.",
        action="Look the transaction up on an explorer, and take the node that is wrong out of RPC_URL.",
        subject=f"nonce {transaction.nonce}",
    )


def final_block_disputed(stats: Stats, first: str, second: str) -> Alarm:
    """One node has another block where something was closed; a second one still has ours."""
    return Alarm(
        code="nodes_disagree",
        summary=f"Node {first} shows another block {stats.final_number} than {stats.final_hash}, in which a "
        f"transaction was closed; node {second} still has it. Node {first} closes nothing by itself for the next "
        "100 blocks.",
        action="Compare the block on an explorer, and take the node that is wrong out of RPC_URL.",
        subject=f"block {stats.final_number}",
    )


def witness_missing(transaction: Transaction, words: Sequence[Word]) -> Alarm:
    """For long no second provider has confirmed what the first one shows."""
    return Alarm(
        code="witness_missing",
        summary=f"For ten minutes no second node confirms transaction {transaction.mined_hash} (nonce "
        f"{transaction.nonce} of {transaction.operator}) as final. {_said(words)} A payment is closed on one word once "
        "its block is deep enough; nothing is held or released meanwhile, and the payments of one batch wait with the "
        f"one that failed. Its orders: {order_names(transaction)}.",
        action="Repair the node that does not answer or lags behind, or take it out of RPC_URL.",
        subject="witness",
    )


def paid_contradicted(transaction: Transaction, words: Sequence[Word]) -> Alarm:
    """What was closed on one node's word is not what two nodes show now."""
    orders = ", ".join(map(str, transaction.orders))
    return Alarm(
        code="paid_contradicted",
        summary=f"Transaction {transaction.mined_hash} (nonce {transaction.nonce} of {transaction.operator}) was "
        f"closed on one node's word, and the nodes do not agree on it now. {_said(words)} "
        f"Orders {orders} may not be paid. Payouts are paused.",
        action="Look the transaction up on an explorer. If it did not pay, reopen its orders before payouts resume.",
        subject=f"nonce {transaction.nonce}",
    )


def _said(words: Sequence[Word]) -> str:
    """Say what each node says, in one sentence each."""
    return " ".join(_said_by(word) for word in words) or "No node says anything of it."


def _said_by(word: Word) -> str:
    if word.receipt is None:
        return f"Node {word.node}: in no block, at head {word.mark.head_number}."
    receipt = word.receipt
    what = "succeeded" if receipt.succeeded else "reverted"
    return (
        f"Node {word.node}: {what} in block {receipt.block.number} {receipt.block.block_hash} with "
        f"{len(receipt.transfers)} transfers of the token, its block there is {word.canonical}, its head "
        f"{word.mark.head_number}."
    )
