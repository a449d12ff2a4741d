"""What the columns of a person's export are called where a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from distributor.cli.language import N_

HEADINGS: Final[Mapping[str, str]] = {
    "wallet": N_("Wallet"),
    "at": N_("Written at (UTC)"),
    "orders": N_("Orders"),
    "transactions": N_("Transactions"),
    "attempts": N_("Signed attempts"),
    "day_totals": N_("Totals by day"),
    "found_payments": N_("Payments found on the chain"),
    "call_backs": N_("Messages to the shop"),
    "decisions": N_("Decisions"),
    "alarms": N_("Alarms"),
    "source": N_("Shop"),
    "order_id": N_("Order number"),
    "order": N_("Order"),
    "amount_units": N_("Amount in the token's smallest units"),
    "units": N_("Sum in the token's smallest units"),
    "tipo": N_("Kind"),
    "reason": N_("Reason"),
    "ref_id": N_("Reference on the chain"),
    "fingerprint": N_("Hash of the content"),
    "received_ms": N_("Received (milliseconds since 1970, UTC)"),
    "updated_ms": N_("Changed (milliseconds since 1970, UTC)"),
    "at_ms": N_("When (milliseconds since 1970, UTC)"),
    "status": N_("Status"),
    "hold_reason": N_("Why it is held"),
    "hold_detail": N_("Detail"),
    "detail": N_("Details"),
    "paid_hash": N_("Transaction that paid"),
    "tx_hash": N_("Hash of the transaction"),
    "paid_block": N_("Block of the payment"),
    "day": N_("Day (UTC)"),
    "deed": N_("What was decided"),
    "subject": N_("About"),
    "by": N_("By whom"),
    "why": N_("Why"),
    "was": N_("Was before"),
    "nonce": N_("Number of the transaction"),
}
"""By the column's name, or the section's; a technical column keeps its name."""
