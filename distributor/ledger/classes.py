"""
What kind of data each column of each row is (LGPD), and so what a purge and the retention empty.

The classes are the foundation's; a column or a kind of row that is not here fails a test. What is on the public
chain stays there, even if its column is emptied: wallet, amount, reference and reason of each payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from foundation.personal_data import EMPTIED, Classes, DataClass, classed, of_classes

CLASSES: Final[Mapping[str, Classes]] = {
    "Order": classed(
        id="source order_id ref_id batch",
        personal="wallet",
        free_text="reason tipo hold_detail",
        proof="fingerprint",
        payment="amount_units paid_hash paid_block paid_log gas_cost_wei received_ms updated_ms paid_ms file_units",
        technical="status hold_reason operator nonce item_failures vetted_ms moved_to sequence purged_ms",
        credential="signed_with",
        operator="asked_by approval",
    ),
    "OrderKey": classed(id="source order_id"),
    "PaidRef": classed(personal="wallet", payment="amount_units paid_hash paid_block", technical="purged_ms"),
    "Reference": classed(proof="fingerprint"),
    "Held": classed(technical="waits_for"),
    "Transaction": classed(
        free_text="data",
        id="orders",
        payment="committed_units bound_day bound_ms mined_hash block_number block_hash",
        technical="operator nonce to status attempts submitted_ms last_outcome alone_since_ms witnesses",
    ),
    "Attempt": classed(
        free_text="raw",
        payment="tx_hash",
        technical="operator nonce index kind gas_limit signed_ms max_fee_wei tip_wei dynamic",
    ),
    "Distrust": classed(technical="node head_number why since_ms seen_ms"),
    "Stop": classed(technical="at_ms"),
    "Slot": classed(technical="operator nonce"),
    "NextNonce": classed(technical="next"),
    "Total": classed(payment="units"),
    "Spent": classed(technical="day", personal="wallet", payment="units"),
    "DayTotals": classed(payment="day orders units payouts gas_used gas_cost_wei", technical="paid_within"),
    "Identity": classed(technical="ledger_id chain_id token authority reserve guard guard_since"),
    "Restored": classed(
        technical="backup sha256 begun_ms at_ms whole ledger_id chain_id token authority reserve guard guard_since",
        operator="by",
    ),
    "PauseState": classed(
        technical="paused halted console_epoch console_link_ms paused_why halted_why", operator="paused_by halted_by"
    ),
    "DoubtedPast": classed(technical="why at_ms guard"),
    "FormerParty": classed(technical="kind address at_ms"),
    "Schema": classed(technical="level"),
    "Retention": classed(technical="done_ms ended_ms until_ms place left_ms"),
    "GuardMark": classed(technical="head", id="passed"),
    "ShopRegister": classed(credential="salt", technical="registered_ms"),
    "ShopSecret": classed(credential="fingerprint", technical="source how at_ms", operator="by"),
    "Ahead": classed(technical="reason detail since_ms"),
    "Waiting": classed(technical="reason detail since_ms"),
    "MonitorState": classed(
        technical="swept_ms watched_ms head_number finalized_number reserve_units allowance_units gas_wei alarms "
        "market_base_wei market_tip_wei index_swept_ms index_place index_due_ms found backup_ms backup_name "
        "lane_gas"
    ),
    "SettlementLook": classed(technical="looked_ms"),
    "Stats": classed(
        payment="transactions orders_paid paid_units gas_used gas_cost_wei",
        technical="final_number final_hash paid_within paid_ms_sum batches_reverted",
    ),
    "Lease": classed(technical="name holder until_ms"),
    "Progress": classed(technical="first_block next_block seen"),
    "Announcement": classed(technical="at_ms", id="events"),
    "CallBack": classed(
        id="source order_id",
        technical="sequence status at_ms state next_ms attempts first_ms tried_ms answer",
    ),
    "CallAddress": classed(
        id="source",
        credential="url_id",
        technical="failures failing_ms next_ms recovered_ms stopped stopped_ms answer",
    ),
    "CallName": classed(id="source order_id", technical="sequence"),
    "Sighting": classed(technical="code since_ms seen_ms", id="subject", free_text="detail"),
    "Notification": classed(
        technical="code since_ms state telling told_ms told number missed_ms ended_ms end_told",
        id="subjects",
        operator="seen_by",
    ),
}
"""By the record's type, then by the column's name in the row. Words that pass by themselves are technical."""

AUDIT: Final = classed(
    technical="deed how at_ms was kind reason block day",
    id="subject source order_id",
    free_text="why detail paused_why halted_why",
    operator="by paused_by halted_by",
)
"""The columns of the audit trail that a purge and the retention look at; the others are the records' own."""

ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "order:": ("Order",),
    "ref:": ("OrderKey", "PaidRef", "Reference"),
    "open:": ("OrderKey",),
    "held:": ("OrderKey", "Held"),
    "time:": ("OrderKey",),
    "time-shop:": ("OrderKey",),
    "time-wallet:": ("OrderKey",),
    "hash:": ("OrderKey", "Slot"),
    "proof:": ("OrderKey",),
    "tx:": ("Transaction",),
    "opentx:": ("Slot",),
    "attempt:": ("Attempt",),
    "fence:": ("Attempt",),
    "unwitnessed:": ("Slot",),
    "nonce:": ("NextNonce",),
    "commitments": ("Total",),
    "spent:": ("Spent",),
    "stats:": ("Stats",),
    "day:": ("DayTotals",),
    "identity": ("Identity",),
    "restored": ("Restored",),
    "former:": ("FormerParty",),
    "doubted-past": ("DoubtedPast",),
    "guardmark:": ("GuardMark",),
    "distrust:": ("Distrust",),
    "control": ("PauseState",),
    "schema": ("Schema",),
    "shops": ("ShopRegister",),
    "secret:": ("ShopSecret",),
    "ahead": ("Ahead",),
    "waiting": ("Waiting",),
    "watch": ("MonitorState",),
    "settlement-look": ("SettlementLook",),
    "stop:": ("Stop",),
    "rebuild": ("Progress",),
    "retention": ("Retention",),
    "lease:": ("Lease",),
    "call:": ("Announcement",),
    "callback:": ("CallBack",),
    "callback-due:": ("CallName",),
    "callback-time:": ("CallName",),
    "callback-address:": ("CallAddress",),
    "alarm:": ("Sighting",),
    "told:": ("Notification",),
    "toldto:": ("Notification",),
}
"""What each kind of row holds, by how its key begins."""

KEYS: Final = frozenset({"time-wallet:", "spent:"})
"""Rows whose key itself holds a wallet: they are deleted, and nothing else is."""


def emptied(record: str) -> frozenset[str]:
    """Return the columns of a record that a purge empties."""
    return of_classes(CLASSES[record], EMPTIED)


def outdated(columns: Classes) -> frozenset[str]:
    """Return the columns that the retention empties: words, whose time is over."""
    return of_classes(columns, frozenset({DataClass.FREE_TEXT}))
