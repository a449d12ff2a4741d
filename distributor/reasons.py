"""
For each reason to wait or to hold: what it means, and what to do next.

The same words go into alarms, logs and the status of an order; the runbook has a heading for each. They are below
the webhook and the payout, because both raise alarms of these reasons.
"""

from __future__ import annotations

from typing import NamedTuple

from distributor.model import Address, HoldReason
from distributor.ports import Alarm
from distributor.state import WaitingReason


class Guidance(NamedTuple):
    """One sentence on what happened, one on what to do."""

    summary: str
    action: str


NEWER_WORD = Guidance(
    "A newer version of the service wrote this reason, and this one does not know it.",
    "Bring the newer version back; until then no command touches the order.",
)
"""What is said of a reason in no line below."""

WAITING: dict[WaitingReason, Guidance] = {
    WaitingReason.NODE_DOWN: Guidance(
        "No node of RPC_URL answers; orders wait and nothing is lost.",
        "Check the nodes' status pages and RPC_URL; add a second provider, separated by a comma.",
    ),
    WaitingReason.WRONG_CHAIN: Guidance(
        "Every node of RPC_URL serves another chain than CHAIN_ID.",
        "Correct RPC_URL or CHAIN_ID; nothing was signed for the wrong chain.",
    ),
    WaitingReason.LEDGER_FOREIGN: Guidance(
        "The ledger has no identity row, or it differs from the settings; nothing is paid from it.",
        "Check LEDGER_CONNECTION, LEDGER_TABLE, CHAIN_ID and the addresses. For a lost ledger, use `rebuild`. Only for "
        "a system that has never paid anything, use `init`.",
    ),
    WaitingReason.NOT_CONFIGURED: Guidance(
        "A setting the payouts need is missing or wrong.",
        "Open /ready: it names the setting.",
    ),
    WaitingReason.PAUSED: Guidance(
        "Payouts are paused by an operator.",
        "Resume when the cause is resolved; orders then continue automatically.",
    ),
    WaitingReason.HALTED: Guidance(
        "Payouts are halted by an operator: nothing is bound, and no signed transaction is broadcast.",
        "Resume when the cause is resolved; orders and signed transactions then continue automatically.",
    ),
    WaitingReason.DAILY_CAP: Guidance(
        "Today's cap is reached, in all or for one wallet; orders beyond it wait for the next UTC day.",
        "Nothing, if today's total is plausible; otherwise pause and investigate. Raise MAX_DAILY_TOKENS or "
        "MAX_DAILY_WALLET_TOKENS to pay more today.",
    ),
    WaitingReason.OVER_CAP: Guidance(
        "A waiting order exceeds a cap on its own: it was accepted before the cap was lowered.",
        "Cancel the order, or raise the cap that the detail names; others are paid meanwhile.",
    ),
    WaitingReason.FEE_CEILING: Guidance(
        "The network asks more per gas than MAX_FEE_GWEI allows.",
        "Wait for the price to fall, or raise MAX_FEE_GWEI.",
    ),
    WaitingReason.SLOTS_FULL: Guidance(
        "As many transactions are in flight as a node's pool accepts from one operator.",
        "Nothing: orders continue as transactions are mined.",
    ),
    WaitingReason.GAS_SHORT: Guidance(
        "The operator's native coin does not cover another transaction.",
        "Send POL to the operator address.",
    ),
    WaitingReason.RESERVE_SHORT: Guidance(
        "The reserve does not hold enough tokens for the waiting orders, in addition to what is already committed.",
        "Move tokens to the reserve; smaller orders are paid meanwhile.",
    ),
    WaitingReason.ALLOWANCE_SHORT: Guidance(
        "The reserve's allowance for the Authority does not cover the waiting orders.",
        "Approve a higher allowance from the reserve; smaller orders are paid meanwhile.",
    ),
    WaitingReason.TOKEN_MISSING: Guidance(
        "There is no contract at TOKEN_ADDRESS.",
        "Correct TOKEN_ADDRESS or CHAIN_ID.",
    ),
    WaitingReason.AUTHORITY_MISSING: Guidance(
        "There is no contract at AUTHORITY_ADDRESS.",
        "Correct AUTHORITY_ADDRESS or CHAIN_ID.",
    ),
    WaitingReason.ROLE_MISSING: Guidance(
        "The address that pays may not call distribute: the guard, or the operator where there is none.",
        "Grant the role to the operator; with a guard to the guard alone, and `allow` the operator there.",
    ),
    WaitingReason.AUTHORITY_PAUSED: Guidance(
        "The Authority contract is paused.",
        "Unpause it when its administrators agree.",
    ),
    WaitingReason.AUTHORITY_REFUSES: Guidance(
        "The Authority refuses even a payment of one unit to the operator, so no order is to blame.",
        "Look up the reason in the detail; ask the Authority's administrators.",
    ),
    WaitingReason.NONCE_AHEAD: Guidance(
        "The chain has used more nonces of the operator than the ledger bound: the key is used elsewhere.",
        "Stop the other user of the key. If there is no known user, treat the key as stolen and rotate it.",
    ),
    WaitingReason.POOL_AHEAD: Guidance(
        "A node's pool holds a transaction of an operator that the ledger never bound: the ledger is older than the "
        "chain, or the key is used elsewhere.",
        "Nothing is bound until an operator acts: `resolve` or `cancel-nonce` what holds the nonce, or `rebuild`.",
    ),
    WaitingReason.NODE_BEHIND: Guidance(
        "The node's nonce is behind what was already final: the node lags or lost its state.",
        "Wait for the node, or put another first in RPC_URL.",
    ),
    WaitingReason.FINALITY_BEHIND: Guidance(
        "More transactions are mined and not final than may go back to the pool at once; nothing more is bound.",
        "Nothing, if finality moves again: check the network's status and FINALITY.",
    ),
    WaitingReason.NEWER_ROWS: Guidance(
        "An open transaction cannot be read, or was written by a newer version; its operator binds nothing.",
        "Bring the newer version of the service back; the alarm row_unreadable names the row.",
    ),
    WaitingReason.DECIMALS_WRONG: Guidance(
        "TOKEN_DECIMALS is not what the token says; every amount would be wrong by powers of ten.",
        "Correct TOKEN_DECIMALS, and check each order that was accepted meanwhile before anything is paid.",
    ),
    WaitingReason.SIGNER_DOWN: Guidance(
        "The vault that holds the operator's key does not sign; orders wait and nothing is lost.",
        "Do what the detail says: the key, its permissions or the vault. Never put the key elsewhere in a hurry.",
    ),
    WaitingReason.GUARD_CHANGED: Guidance(
        "GUARD_ADDRESS is not the guard that this ledger pays through; nothing is bound, and what is open is settled.",
        "Put the old GUARD_ADDRESS back. To set, change or end a guard, follow the runbook and `guard adopt`.",
    ),
    WaitingReason.GUARD_BYPASSED: Guidance(
        "A configured key may call distribute on the Authority without the guard, so nothing refuses a second payment.",
        "Revoke that key's role at the Authority; only the guard may have it. Orders then continue automatically.",
    ),
    WaitingReason.GUARD_PAUSED: Guidance(
        "The guard contract is paused by its owner.",
        "Unpause it when its owner agrees; orders then continue automatically.",
    ),
    WaitingReason.SHOP_UNKNOWN: Guidance(
        "Orders were signed with a secret that the ledger does not know as any shop's; they wait, and others are paid.",
        "Run `shops list`. If a known shop signs with this secret now, `shops same-as`. If it is another shop, "
        "`shops accept`.",
    ),
}

HELD: dict[HoldReason, Guidance] = {
    HoldReason.REVERTED: Guidance(
        "The transaction was mined and refused by the contract; no tokens moved.",
        "Resolve the cause in the detail, then `retry` the order; or `cancel` it.",
    ),
    HoldReason.NO_TRANSFER: Guidance(
        "The transaction succeeded, but the token shows no transfer of this amount to this wallet.",
        "Look at the Transfer events of its transaction on an explorer before anything else. If the wallet received "
        "nothing: correct AUTHORITY_ADDRESS or TOKEN_ADDRESS, then `retry --no-tokens-moved`. If another transaction "
        "paid it: `settle`.",
    ),
    HoldReason.SIMULATION: Guidance(
        "The contract refuses this order, while it would pay others.",
        "Read the detail; the wallet may be a contract that refuses tokens. If the cause is gone, `retry` the order. "
        "If not, `cancel` it, and let the shop send it with another wallet under a new id.",
    ),
    HoldReason.NONCE_LOST: Guidance(
        "The order's nonce was used by a transaction this service does not know.",
        "Pause payouts. Find out who used the operator's key, and whether that transaction paid the order. If it did, "
        "`settle` the order. If not, and once nobody else has the key, `retry` it.",
    ),
    HoldReason.NONCE_CANCELLED: Guidance(
        "The order's nonce was cancelled by an operator, and nothing was paid.",
        "`retry` the order to pay it after all, or `cancel` it.",
    ),
    HoldReason.ITEM_FAILED: Guidance(
        "The guard reported this order as failed twice; nothing moved.",
        "Read the reason in the detail; the wallet may refuse tokens. If the cause is gone, `retry` the order; if not, "
        "`cancel` it.",
    ),
    HoldReason.REFERENCE_USED: Guidance(
        "This order's reference was paid before, to another wallet or with another amount.",
        "Read in the detail what was paid; the order can never be paid under this id. `cancel` it, and let the shop "
        "send what is still owed under a new id.",
    ),
    HoldReason.PAST_UNKNOWN: Guidance(
        "The ledger was rebuilt from a past that did not add up; this order may have been paid in the missing part.",
        "Look on an explorer whether the reserve paid this wallet this amount. If not, `retry` it. If so, `settle` it.",
    ),
    HoldReason.NEEDS_APPROVAL: Guidance(
        "The order is above APPROVAL_TOKENS, by itself or with the others of its file, and another person must approve "
        "it.",
        "Check who asked, the wallet and the amount. Then let a person who did not ask for it `approve` it. If it is "
        "not to be paid, `cancel` it.",
    ),
}


def waiting_alarm(reason: WaitingReason, detail: str = "", subject: str = "") -> Alarm:
    """Return the alarm of a reason to wait; the *detail* follows its guidance, *subject* is what alone waits for it."""
    summary = f"{WAITING[reason].summary} {detail}".rstrip()
    return Alarm(code=f"waiting_{reason}", summary=summary, action=WAITING[reason].action, subject=subject)


def shop_unknown(source: str, what: str) -> Alarm:
    """Return the alarm of orders under the name *source* for which an operator must say which shop signed them."""
    return waiting_alarm(WaitingReason.SHOP_UNKNOWN, f"{source}: {what}", source)


def unknown_operator(operator: Address) -> str:
    """Say what is wrong where the key of the settings never paid from this ledger."""
    return f"Operator {operator} is not in this ledger. A new key: `add-operator`. Otherwise OPERATOR_PK is wrong."
