"""Disciplines of the table taken away: conditions of writes, and what is stored before what is submitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from distributor.ledger import Ledger
from distributor.model import Attempt, Transaction
from distributor.payout.lane import OperatorLane
from distributor.payout.step_kinds import ReplaceAttempt
from distributor.payout.steps import StepExecutor, StepResult
from distributor.ports import Chain
from foundation.tablestore import atomic
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import DeleteRow, InsertRow, ReplaceRow, Row, RowWrite

Patch = pytest.MonkeyPatch


# conditions of writes ------------------------------------------------------------------------------


def unconditional(patch: Patch, *prefixes: str) -> None:
    """Write rows under *prefixes* whatever they have become since they were read: no If-Match."""

    def holds(self: MemoryRows, one: RowWrite) -> bool:
        found: Row | None = self._rows.get(one.key)
        match one:
            case InsertRow():
                return found is None
            case DeleteRow():
                return found is not None
            case ReplaceRow() if one.key.startswith(prefixes):
                return found is not None
            case _:
                return found is not None and found.version == one.version

    patch.setattr(MemoryRows, "_holds", holds)


def order_rows_without_any_condition(patch: Patch) -> None:
    """Bind, hold and cancel orders whatever has become of them, their places in the line included."""
    holds, do = MemoryRows._holds, MemoryRows._do
    loose = ("order:", "open:", "held:")

    def never_refuses(self: MemoryRows, one: RowWrite) -> bool:
        inserted = isinstance(one, InsertRow) and one.key.startswith("order:")
        return holds(self, one) if inserted or not one.key.startswith(loose) else True

    def does(self: MemoryRows, one: RowWrite) -> Any:
        gone = isinstance(one, DeleteRow) and one.key not in self._rows
        return None if gone else do(self, one)

    patch.setattr(MemoryRows, "_holds", never_refuses)
    patch.setattr(MemoryRows, "_do", does)


def attempts_without_any_condition(patch: Patch) -> None:
    """Let two settlers both own attempt k, as long as their transaction is open."""
    holds = MemoryRows._holds

    def overwrites(self: MemoryRows, one: RowWrite) -> bool:
        found = self._rows.get(one.key)
        ends = isinstance(one, ReplaceRow) and one.values.get("status") == "final"
        is_open = found is not None and found.values.get("status") != "final" and not ends
        return one.key.startswith("attempt:") or (one.key.startswith("tx:") and is_open) or holds(self, one)

    patch.setattr(MemoryRows, "_holds", overwrites)


def orders_inserted_without_condition(patch: Patch) -> None:
    """Let an order that is known be written anew by any shop that sends it again."""
    holds = MemoryRows._holds

    def overwrites(self: MemoryRows, one: RowWrite) -> bool:
        kept = isinstance(one, InsertRow) and one.key.startswith(("order:", "ref:", "open:"))
        return True if kept else holds(self, one)

    patch.setattr(MemoryRows, "_holds", overwrites)


def owner_token_ignored(patch: Patch) -> None:
    """Take a conflict at its word, though it may be the echo of one's own success."""
    patch.setattr(atomic, "_owns", lambda *_: False)


# storing and submitting ----------------------------------------------------------------------------


def submit_before_binding(patch: Patch) -> None:
    """Hand attempt 0 over as soon as it is signed."""
    bind = OperatorLane._bind_and_submit

    async def at_once(self: OperatorLane, *arguments: Any) -> int:
        for binding in await self._batch_signer.sign_all(*arguments):  # signed twice, the bytes are the same
            await self.chain.submit([binding.attempt.raw])
        return await bind(self, *arguments)

    patch.setattr(OperatorLane, "_bind_and_submit", at_once)


def submit_before_storing_a_replacement(patch: Patch) -> None:
    """Hand a replacement over, and then keep it."""
    execute = StepExecutor._replace

    async def early(self: StepExecutor, transaction: Transaction, step: ReplaceAttempt) -> StepResult:
        hasty: Any = _Hasty(self.ledger, self.chain)
        return await execute(replace(self, ledger=hasty), transaction, step)

    patch.setattr(StepExecutor, "_replace", early)


@dataclass(frozen=True)
class _Hasty:
    """A ledger that hands bytes over before it keeps them."""

    ledger: Ledger
    chain: Chain

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> Transaction:
        await self.chain.submit([attempt.raw])
        return await self.ledger.add_attempt(transaction, attempt)
