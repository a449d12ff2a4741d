"""
Every alarm of the payouts: how bad it is, what it means, what to do; in English and Portuguese.

The runbook has a heading for each code. Waiting and hold reasons have their words in ``distributor.reasons``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distributor import reasons_pt
from distributor.model import HoldReason
from distributor.payout import catalogue_call_backs, catalogue_pt
from distributor.reasons import HELD, WAITING
from distributor.state import WaitingReason
from distributor.translation import translated
from foundation.alarms.catalogue import SHARED, AlarmKind, Catalogue, Language, Severity, Text

_CRITICAL_REASONS = {
    f"waiting_{WaitingReason.LEDGER_FOREIGN}",
    f"waiting_{WaitingReason.NONCE_AHEAD}",
    f"waiting_{WaitingReason.POOL_AHEAD}",
    f"held_{HoldReason.NO_TRANSFER}",
    f"held_{HoldReason.NONCE_LOST}",
    f"waiting_{WaitingReason.GUARD_BYPASSED}",
}
ORDER_WAITING_LONG, TRANSACTION_OPEN_LONG = "order_waiting_long", "transaction_open_long"
SLOTS_STUCK, SETTLEMENT_SILENT, SWEEP_MISSING = "slots_stuck", "settlement_silent", "sweep_missing"
WORK_NOT_RUNNING, POISON_WAITING, QUEUES_UNAVAILABLE = "work_not_running", "poison_waiting", "queues_unavailable"
ROW_UNREADABLE, WATCH_MISSING, CLOCK_WRONG = "row_unreadable", "watch_missing", "clock_wrong"
LEDGER_BEHIND, BACKUP_OLD = "ledger_behind", "backup_old"
_BESIDE = {
    *("order_passed_over", ROW_UNREADABLE, "retiring_gas_short", "lane_stopped", BACKUP_OLD),
    *catalogue_call_backs.ENGLISH,
}
"""What concerns one order, row or older operator: an order that comes now is paid all the same."""
PORTUGUESE = {**reasons_pt.PORTUGUESE, **catalogue_pt.PORTUGUESE, **catalogue_call_backs.PORTUGUESE}
_C, _E, _W = Severity.CRITICAL, Severity.ERROR, Severity.WARNING

OTHERS: Mapping[str, tuple[Severity, bool, str, str]] = {
    # code: severity, whether it is an event (sent once, no end), summary, action
    "nonce_lost": (
        _C,
        False,
        "A nonce is used on chain, and none of our attempts has a receipt. Its orders stay bound.",
        "Find the transaction that used the nonce on an explorer. Pay nothing by hand before that.",
    ),
    "payment_path_broken": (
        _C,
        True,
        "A payout succeeded on chain and moved no tokens. Payouts are paused.",
        "Check AUTHORITY_ADDRESS and TOKEN_ADDRESS and look the transaction up before anything is resumed.",
    ),
    LEDGER_BEHIND: (
        _C,
        False,
        "The chain is ahead of the ledger. Payouts are paused.",
        "Find out whether the ledger was put back, or the key used elsewhere: `resolve`, `cancel-nonce` or `rebuild`.",
    ),
    "finality_violated": (
        _C,
        True,
        "A block that was final is no longer on the chain. Payouts are paused.",
        "Compare the ledger with the chain on two nodes before anything is resumed.",
    ),
    "paid_contradicted": (
        _C,
        True,
        "A payment that was closed on one node's word is not what the nodes show now. Payouts are paused.",
        "Look the transaction up on an explorer. If it did not pay, reopen its orders before payouts resume.",
    ),
    "nodes_disagree": (
        _E,
        False,
        "Two nodes say of one transaction or block what cannot both be true. It stays open.",
        "Look it up on an explorer, and take the node that is wrong out of RPC_URL.",
    ),
    "witness_missing": (
        _E,
        False,
        "For ten minutes no second node has confirmed what the first one shows as final.",
        "Repair the node that does not answer or lags behind, or take it out of RPC_URL.",
    ),
    "receipt_unreadable": (
        _E,
        False,
        "A node answers with a receipt that cannot be read; the orders of that nonce stay bound.",
        "Add another provider's node to RPC_URL, or take this one out of it.",
    ),
    "paid_elsewhere": (
        _C,
        True,
        "An order was paid by a transaction that this ledger does not know.",
        "Find out what else pays through this guard: a second ledger, or this one from before a restore.",
    ),
    "payouts_paused": (
        _C,
        True,
        "Payouts were paused by the service itself.",
        "Find the cause before anything is resumed: the guard, the Authority, or the settings' addresses.",
    ),
    "batch_reverted": (
        _E,
        True,
        "The guard refused a whole transaction; its orders wait again.",
        "Check whether the guard was paused, or the key removed. A second one in a row pauses the payouts.",
    ),
    "invariant_broken": (
        _C,
        True,
        "A rule that cannot be broken was broken. Payouts are paused.",
        "Find the cause, a bug or a key used by someone else; then resume.",
    ),
    ROW_UNREADABLE: (
        _E,
        False,
        "A row of the ledger cannot be read; everything else goes on.",
        "Bring the newer version of the service back if it wrote the row; otherwise look at the row itself.",
    ),
    "order_passed_over": (
        _E,
        False,
        "An order is passed over in each round while others are paid.",
        "Add another node to RPC_URL, or lift the rule that refuses this wallet; or cancel the order.",
    ),
    "shop_order_differs": (
        _E,
        True,
        "A shop sent one order id under two names, with different content. The first content is kept.",
        "Compare both orders. If more is owed, let the shop send it under a new id.",
    ),
    "replacement_ceiling": (
        _E,
        False,
        "A transaction is stuck and no replacement fits under the fee ceilings or the number of attempts.",
        "Wait for the price to fall, or raise MAX_FEE_GWEI and MAX_PRIORITY_FEE_GWEI.",
    ),
    "submission_refused": (
        _E,
        False,
        "No node takes a transaction, and nothing about it can be corrected under today's limits.",
        "Read the node's words in the log (attempt_submitted); check GAS_LIMIT, MAX_FEE_GWEI, CHAIN_ID, MAX_ATTEMPTS.",
    ),
    "operator_key_missing": (
        _E,
        False,
        "A transaction needs a replacement, and the key of its operator is not configured.",
        "Set OPERATOR_PK_RETIRING, or OPERATOR_KEY_ID_RETIRING, until nothing of that operator is open.",
    ),
    "signer_unavailable": (
        _E,
        False,
        "A transaction needs a replacement, and the vault does not sign it.",
        "Do what the detail says: the key, its permissions or the vault. The first bytes stay in the pool.",
    ),
    "finality_stalled": (
        _E,
        False,
        "The finalized block of the chain does not move; no order is called paid until it does.",
        "Check the network's status.",
    ),
    "not_configured": (
        _E,
        False,
        "A setting is missing or wrong.",
        "Correct the setting; /ready names it. Orders wait and nothing is lost.",
    ),
    "poison_message": (
        _E,
        True,
        "A function failed five times in a row on one wake-up; no order was touched by that.",
        "Look up the exceptions of that function in the logs: it is a bug. The sweep goes on waking it.",
    ),
    WORK_NOT_RUNNING: (
        _E,
        False,
        "Nobody takes the wake-ups of a queue: its function does not run.",
        "The host's log names the function that is in error; correct it and restart the app.",
    ),
    POISON_WAITING: (
        _W,
        False,
        "Messages lie in a poison queue; no order was touched by that.",
        "Look at them (`az storage message peek`): the app writes `wake` alone. Then clear that queue.",
    ),
    QUEUES_UNAVAILABLE: (
        _W,
        False,
        "The queues cannot be asked.",
        "Look at the storage account: outage, firewall, the app's role on queues. Orders are taken and wait.",
    ),
    ORDER_WAITING_LONG: (
        _E,
        False,
        "The oldest order has waited for longer than ALARM_WAITING_S.",
        "Look at its reason (`show`, or GET /orders/{order_id}) and repair the cause; it is then paid by itself.",
    ),
    TRANSACTION_OPEN_LONG: (
        _E,
        False,
        "A transaction has been open for longer than ALARM_OPEN_S.",
        "Look its hash up on an explorer and compare its fees with the market; `show` lists what is open.",
    ),
    SLOTS_STUCK: (
        _E,
        False,
        "Every slot for a transaction is taken, no nonce moves, and orders wait.",
        "Look at the lowest nonce: its hash on an explorer, its fees beside the market; the others wait behind it.",
    ),
    SETTLEMENT_SILENT: (
        _E,
        False,
        "Nobody has looked at all open transactions for minutes.",
        "Look for errors of settlement in the log, and whether its function runs. Nothing is paid twice meanwhile.",
    ),
    SWEEP_MISSING: (
        _E,
        False,
        "The sweep has not run for minutes.",
        "Look whether the timer function `sweep` is disabled or fails. A drain or settlement sent this alarm for it.",
    ),
    WATCH_MISSING: (
        _E,
        False,
        "Nobody looks at reserve, allowance, gas and nodes: the watch has not finished for 15 minutes.",
        "Read the log of `sweep` (`deferred`, `watch_failed`). What it had found is sent as over; it may persist.",
    ),
    BACKUP_OLD: (
        _W,
        False,
        "The ledger has no good backup of the last 26 hours.",
        "Run `backup`, which says what is in the way: the account of BACKUP_CONNECTION, a role, the time it takes.",
    ),
    CLOCK_WRONG: (
        _E,
        False,
        "The clock of a machine that runs the service is minutes away from the storage service's.",
        "Set that machine's clock. Nothing is paid twice by it, but signed requests are refused and days miscounted.",
    ),
    "node_silent": (
        _W,
        False,
        "A node of RPC_URL does not answer; payouts go on by the others.",
        "Repair that node, or take it out of RPC_URL.",
    ),
    "retiring_gas_short": (
        _E,
        False,
        "The retiring operator's coin does not cover its open transactions.",
        "Send POL to the retiring operator's address; `show` lists what is open.",
    ),
    "lane_stopped": (
        _E,
        False,
        "A lane takes no orders; the other lanes go on.",
        "Send POL to its operator, give it its role back, or run `add-operator`, as the detail says.",
    ),
    "low_reserve": (_W, False, "The reserve is low.", "Move tokens to the reserve."),
    "low_allowance": (_W, False, "The reserve's allowance is low.", "Approve more from the reserve."),
    "low_gas": (_W, False, "The operator's gas is low.", "Send POL to the operator address."),
    "woocommerce_unpayable": (
        _W,
        True,
        "A paid order of WooCommerce cannot be paid out.",
        "Correct the order in the shop, as the detail says, and save it again.",
    ),
    "woocommerce_conflict": (
        _W,
        True,
        "An order of WooCommerce changed after it was taken.",
        "Compare the order in the shop with the ledger; what was taken first counts.",
    ),
    **catalogue_call_backs.ENGLISH,
}


def _of_reasons() -> Mapping[str, Text]:
    waiting = {f"waiting_{reason}": Text(summary=said.summary, action=said.action) for reason, said in WAITING.items()}
    held = {f"held_{reason}": Text(summary=said.summary, action=said.action) for reason, said in HELD.items()}
    return waiting | held


def _kind_of_reason(code: str, english: Text) -> AlarmKind:
    severity = Severity.CRITICAL if code in _CRITICAL_REASONS else Severity.ERROR
    texts: Mapping[Language, Text] = {"en": english, "pt": PORTUGUESE.get(code, english)}
    return AlarmKind(
        code=code, severity=severity, stops=not code.startswith("held_"), texts=texts, detail_in=translated
    )


def _other(code: str, severity: Severity, event: bool, english: Text) -> AlarmKind:
    texts: Mapping[Language, Text] = {"en": english, "pt": PORTUGUESE.get(code, english)}
    return AlarmKind(
        code=code, severity=severity, event=event, stops=code not in _BESIDE, texts=texts, detail_in=translated
    )


CATALOGUE = Catalogue(
    [
        *(replace(kind, detail_in=translated) for kind in SHARED),
        *(_kind_of_reason(code, english) for code, english in _of_reasons().items()),
        *(
            _other(code, severity, event, Text(summary=summary, action=action))
            for code, (severity, event, summary, action) in OTHERS.items()
        ),
    ]
)
