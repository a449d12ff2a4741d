"""Disciplines of totals and of the halt taken away: totals not written, a halt that is not looked at in time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from distributor.ledger import closing, ending, queries
from distributor.ledger.binding import Binding
from distributor.ledger.closing import ClosingTotals, Ending
from distributor.model import OpenTransaction
from distributor.payout import settlement, submission
from distributor.payout.batch_signer import BatchSigner
from distributor.payout.settlement import Settlement
from distributor.payout.step_kinds import Step
from distributor.state import BindingState
from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.ports import Rows, Value, Version

Patch = pytest.MonkeyPatch

_DAY = re.compile(r"spent:[^:]+")
_WALLET = re.compile(r"spent:[^:]+:.+")


# caps ----------------------------------------------------------------------------------------------


def days_total_read_but_not_written(patch: Patch) -> None:
    """Judge by the day's total, and leave it out of the binding group."""
    _leave_out(patch, _DAY)


def wallets_total_read_but_not_written(patch: Patch) -> None:
    """Judge by what a wallet got today, and leave it out of the binding group."""
    _leave_out(patch, _WALLET)


def _leave_out(patch: Patch, key_of_total: re.Pattern[str]) -> None:
    put = AtomicWrite.put

    def puts(self: AtomicWrite, key: str, values: Mapping[str, Value], version: Version) -> None:
        if not key_of_total.fullmatch(key):
            put(self, key, values, version)

    patch.setattr(AtomicWrite, "put", puts)


def released_on_the_day_of_the_closing(patch: Patch) -> None:
    """Give an order's tokens back to today, whenever it was bound."""
    standing, days = queries.closing_totals, list[str]()

    async def today(rows: Rows, endings: Sequence[Ending], now: UnixMs) -> ClosingTotals:
        lately = [row.key for row in await rows.scan("spent:", "spent;", limit=1_000) if _DAY.fullmatch(row.key)]
        days[:] = [lately[-1].removeprefix("spent:")]
        return await standing(rows, endings, now)

    patch.setattr(queries, "closing_totals", today)
    for module in (closing, ending):
        patch.setattr(module, "released_on", lambda _transaction: days[-1])


def bound_by_yesterdays_totals(patch: Patch) -> None:
    """Count a binding on the day of the round, though it is signed past midnight."""
    sign = BatchSigner.sign

    async def as_chosen(self: BatchSigner, binding_state: BindingState, *more: Any) -> Binding:
        binding = await sign(self, binding_state, *more)
        return replace(binding, transaction=replace(binding.transaction, bound_day=binding_state.spent.day))

    patch.setattr(BatchSigner, "sign", as_chosen)


# days -------------------------------------------------------------------------------------------------


def closings_not_counted_by_their_day(patch: Patch) -> None:
    """Mark the orders as counted, and leave the day's row out of the closing group."""
    patch.setattr(ending, "put_day", lambda _group, _day: None)


# halt ----------------------------------------------------------------------------------------------


def halt_ignored_by_settlement(patch: Patch) -> None:
    """Submit again and replace what is open, as if only distribution had to stop."""
    patch.setattr(Settlement, "_unless_halted", _all_steps)
    patch.setattr(settlement, "submission", SimpleNamespace(submit=submission.broadcast))


async def _all_steps(
    _: Settlement, steps: Sequence[tuple[OpenTransaction, Step]]
) -> Sequence[tuple[OpenTransaction, Step]]:
    return steps


def halt_looked_at_before_signing_alone(patch: Patch) -> None:
    """Look at the switch when the turn or the round begins, and hand over whatever came of it."""
    patch.setattr(submission, "submit", submission.broadcast)
