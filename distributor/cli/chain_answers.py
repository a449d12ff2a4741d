"""What `audit-chain` and `rebuild` answer, as documents; amounts in tokens or in units, as their names say."""

from __future__ import annotations

from typing import Any

from distributor.cli.amounts import tokens
from distributor.recovery.audit import Findings
from distributor.recovery.rebuild_report import RebuildReport


def audit_answer(findings: Findings, decimals: int) -> dict[str, Any]:
    """Return what an audit found."""
    return {
        "first_block": findings.first_block,
        "last_block": findings.last_block,
        "orders_paid": findings.orders,
        "payouts_on_chain": findings.payouts,
        "paid": tokens(findings.paid_units, decimals),
        "incomplete": findings.incomplete or None,
        "differences": [
            {"kind": str(each.kind), "subject": each.subject, "transaction": each.tx_hash, "detail": each.detail}
            for each in findings.differences
        ],
    }


def rebuild_answer(report: RebuildReport) -> dict[str, Any]:
    """Return what a rebuild did, and what an operator has to explain before it can end."""
    return {
        "first_block": report.first_block,
        "last_block": report.last_block,
        "payouts": {str(fate): count for fate, count in sorted(report.restored.items())},
        "to_explain": [
            {
                "transaction": each.transfer.tx_hash,
                "block": each.transfer.block.number,
                "sender": each.sender,
                "wallet": each.transfer.wallet,
                "amount_units": str(each.transfer.amount_units),
                "why": str(each.why),
            }
            for each in report.unmatched_transfers
        ],
        "conflicts": [
            {
                "order": str(each.payout.key or each.payout.ref_id),
                "transaction": each.payout.tx_hash,
                "verdict": str(each.verdict),
            }
            for each in report.conflicts
        ],
        "incomplete": report.incomplete or None,
        "guard": report.guard_trouble or None,
        "barred": [str(key) for key in report.barred],
        "ledger_id": report.ledger_id or None,
    }


def verdict(report: RebuildReport) -> str:
    """Return in one word whether the rebuild is through."""
    return "finished" if report.ledger_id else "blocked"
