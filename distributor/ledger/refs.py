"""
References that were spent before the ledger was lost, as a rebuild finds them on the chain.

A reference of an order that came by the webhook names that order. One that a rebuild found bears the
payout that spent it instead, or besides: the chain keeps no more of an order than that.
"""

from __future__ import annotations

from dataclasses import dataclass

from distributor.model import Address, Hash
from distributor.ports import Row
from distributor.units import TokenUnits

UNREMEMBERED = ""
"""Fingerprint of an order that a rebuild found: the chain does not show its ``tipo``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidRef:
    """What a rebuild keeps beside a spent reference: the payout that spent it."""

    wallet: Address
    amount_units: TokenUnits
    paid_hash: Hash
    paid_block: int

    @staticmethod
    def is_in(row: Row) -> bool:
        """Say whether a rebuild wrote the row of a reference; any other names an order and no payout."""
        return "paid_hash" in row.values
