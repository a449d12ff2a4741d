"""What the settings say, in the words of the use cases: whose ledger, what may be spent, when something is final."""

from __future__ import annotations

from distributor.payout.fees import FeeLimits
from distributor.payout.lifecycle import Policy
from distributor.settings import Settings
from distributor.state import Identity


def identity_of(settings: Settings) -> Identity:
    """Return whose ledger the settings mean; without LEDGER_ID any with these addresses."""
    return Identity(
        ledger_id=settings.ledger_id or "",
        chain_id=settings.chain_id,
        token=settings.token,
        authority=settings.authority,
        reserve=settings.reserve,
        guard=settings.guard,
    )


def limits_of(settings: Settings) -> FeeLimits:
    """Return what the settings allow a transaction to cost."""
    return FeeLimits(
        max_fee_wei=settings.max_fee_wei,
        max_tip_wei=settings.max_tip_wei,
        min_tip_wei=settings.min_tip_wei,
        gas_limit=settings.gas_limit,
    )


def policy_of(settings: Settings) -> Policy:
    """Return when something is final, and when to push, by the settings."""
    return Policy(
        finality_depth=settings.finality_depth,
        min_confirmations=settings.min_confirmations,
        release_confirmations=settings.release_confirmations,
        resubmit_after_ms=settings.resubmit_after_ms,
        replace_after_ms=settings.replace_after_ms,
        max_attempts=settings.max_attempts,
    )
