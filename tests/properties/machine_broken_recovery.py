"""Disciplines of a rebuild taken away: what is spent, read and stopped before a lost ledger is whole again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from distributor.chain_types import ChainSnapshot
from distributor.ledger.rebuild_store import Payout, RebuildStore, RestoreResult
from distributor.model import Address, Hash
from distributor.payout.witnesses import Witnesses
from distributor.recovery import fence
from distributor.recovery.fence import Fence
from distributor.settings.chain import SettlementSettings

Patch = pytest.MonkeyPatch


def rebuilt_without_a_fence(patch: Patch) -> None:
    """Go on with the nonces that the chain shows, whatever may wait in a pool."""

    async def closed(self: Fence, operators: Sequence[Address]) -> Mapping[Address, int]:
        return (await self.chain.snapshot(operators, [], [])).nonces

    patch.setattr(Fence, "close", closed)


def nothing_found_is_kept(patch: Patch) -> None:
    """Read what was paid, and write none of it."""

    async def restored(_self: RebuildStore, _payout: Payout) -> RestoreResult:
        return RestoreResult.NEW

    patch.setattr(RebuildStore, "restore", restored)


def fence_forgets_its_block(patch: Patch) -> None:
    """Take a quiet moment for lasting while no nonce is spent, though its block has left the chain."""
    patch.setattr(fence, "_still_stands", lambda mark, snapshot: snapshot.nonces == mark.nonces)


def fence_overlooks_a_spent_nonce(patch: Patch) -> None:
    """Take a quiet moment for lasting while its block is in the chain, though a nonce was spent after it."""

    def stands(mark: ChainSnapshot, snapshot: ChainSnapshot) -> bool:
        return snapshot.canonical.get(mark.head.number) == mark.head.block_hash

    patch.setattr(fence, "_still_stands", stands)


def stepped_over_before_it_is_final(patch: Patch) -> None:
    """Take a nonce for spent as soon as its transaction is in a block."""
    final_receipt = Witnesses.final_receipt

    async def at_once(self: Witnesses, tx_hash: Hash, policy: SettlementSettings, **named: Any) -> Any:
        shown = (await self.chain.snapshot([], [tx_hash], [])).receipts.get(tx_hash)
        return shown or await final_receipt(self, tx_hash, policy, **named)

    patch.setattr(Witnesses, "final_receipt", at_once)
