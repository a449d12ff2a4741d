"""
The columns of each stored record, by field: written out, so that renaming a field renames no column.

What is stored is a promise to every row of every ledger there is. A column is never renamed, and a
new one is optional.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distributor.ledger.records import Ahead, NextNonce, PaidRef, Progress, Slot, Total
from distributor.model import Attempt, Fees, Order, OrderKey, Transaction
from distributor.standing import Control, Identity, Lease, Spent, Stats, Waiting, Watch


def _named(columns: str) -> Mapping[str, str]:
    """Return columns that are named as their fields; a field with another name is added to them."""
    return {name: name for name in columns.split()}


COLUMNS: Mapping[Callable[..., object], Mapping[str, str]] = {
    Order: {
        "source": "source",
        "order_id": "order_id",
        "wallet": "wallet",
        "amount_units": "amount_units",
        "tipo": "tipo",
        "reason": "reason",
        "ref_id": "ref_id",
        "fingerprint": "fingerprint",
        "received_ms": "received_ms",
        "updated_ms": "updated_ms",
        "status": "status",
        "hold_reason": "hold_reason",
        "hold_detail": "hold_detail",
        "operator": "operator",
        "nonce": "nonce",
        "paid_hash": "paid_hash",
        "paid_block": "paid_block",
    },
    OrderKey: _named("source order_id"),
    PaidRef: _named("wallet amount_units paid_hash paid_block"),
    Transaction: {
        "operator": "operator",
        "nonce": "nonce",
        "to": "to",
        "data": "data",
        "orders": "orders",
        "committed_units": "committed_units",
        "bound_day": "bound_day",
        "bound_ms": "bound_ms",
        "status": "status",
        "attempts": "attempts",
        "submitted_ms": "submitted_ms",
        "last_outcome": "last_outcome",
        "mined_hash": "mined_hash",
        "block_number": "block_number",
        "block_hash": "block_hash",
    },
    Attempt: {
        "operator": "operator",
        "nonce": "nonce",
        "index": "index",
        "kind": "kind",
        "raw": "raw",
        "tx_hash": "tx_hash",
        "gas_limit": "gas_limit",
        "signed_ms": "signed_ms",
    },
    Fees: _named("max_fee_wei tip_wei dynamic"),
    Slot: _named("operator nonce"),
    NextNonce: _named("next"),
    Total: _named("units"),
    Spent: _named("day wallet units"),
    Stats: {
        "transactions": "transactions",
        "orders_paid": "orders_paid",
        "paid_units": "paid_units",
        "gas_used": "gas_used",
        "gas_cost_wei": "gas_cost_wei",
        "final_number": "final_number",
        "final_hash": "final_hash",
    },
    Identity: {
        "ledger_id": "ledger_id",
        "chain_id": "chain_id",
        "token": "token",
        "authority": "authority",
        "reserve": "reserve",
    },
    Control: {
        "paused": "paused",
        "paused_by": "paused_by",
        "paused_why": "paused_why",
        "halted": "halted",
        "halted_by": "halted_by",
        "halted_why": "halted_why",
    },
    Waiting: _named("reason detail since_ms"),
    Watch: {
        "swept_ms": "swept_ms",
        "watched_ms": "watched_ms",
        "head_number": "head_number",
        "finalized_number": "finalized_number",
        "reserve_units": "reserve_units",
        "allowance_units": "allowance_units",
        "gas_wei": "gas_wei",
        "alarms": "alarms",
    },
    Lease: _named("name holder until_ms"),
    Progress: _named("first_block next_block"),
    Ahead: _named("reason detail since_ms"),
}
