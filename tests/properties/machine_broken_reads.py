"""The order of reading taken away: what is read first must not be newer than what is read after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from distributor.ledger import Ledger, keys, opened
from distributor.ledger.opened import Unreadable
from distributor.ledger.records import Slot
from distributor.model import Address, OpenTransaction
from distributor.payout import settlement
from distributor.payout.lane import OperatorLane
from distributor.payout.preflight import Obstacle, Prepared
from distributor.state import PauseState
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import rows_between

Patch = pytest.MonkeyPatch


def switch_read_before_the_books(patch: Patch) -> None:
    """Look at the switch, then read the nonce: a pause between the two is not seen, and its touch of the nonce is."""
    prepare = OperatorLane._prepare

    async def hasty(self: OperatorLane) -> Prepared | Obstacle:
        early: Any = _Early(self.ledger, await self.ledger.admin.pause_state())
        return await prepare(replace(self, ledger=early))

    patch.setattr(OperatorLane, "_prepare", hasty)


@dataclass(frozen=True)
class _Early:
    """A ledger whose switch was looked at before."""

    ledger: Ledger
    seen: PauseState

    def __getattr__(self, name: str) -> Any:
        return self if name == "admin" else getattr(self.ledger, name)

    async def pause_state(self) -> PauseState:
        return self.seen


def attempts_read_before_transactions(patch: Patch) -> None:
    """Read what was signed, then how many attempts a transaction counts: one stored in between is missing."""

    async def backwards(rows: Rows, slots: Sequence[Slot]) -> Sequence[OpenTransaction | Unreadable]:
        operator, lowest, highest = slots[0].operator, slots[0].nonce, slots[-1].nonce + 1
        signed = await _between(rows, keys.attempts_of(operator, lowest), keys.attempts_of(operator, highest))
        stored = await _between(rows, keys.transaction(operator, lowest), keys.transaction(operator, highest))
        by_key: Mapping[str, Row] = {row.key: row for row in stored}
        read = (opened._read(slot, by_key, signed) for slot in slots)
        return [each for each in read if each is not None]

    patch.setattr(opened, "_run", backwards)


async def _between(rows: Rows, first: str, last: str) -> list[Row]:
    return [row async for row in rows_between(rows, first, last)]


def mined_ones_hold_up_their_fees(patch: Patch) -> None:
    """Outbid the lowest open nonce alone, also while it is mined and waits for nothing but finality."""

    def lowest(found: Sequence[OpenTransaction]) -> Mapping[Address, int]:
        nonces = dict[Address, int]()
        for each in sorted(found, key=lambda each: each.transaction.nonce):
            nonces.setdefault(each.transaction.operator, each.transaction.nonce)
        return nonces

    patch.setattr(settlement, "_lowest_in_flight", lowest)
