"""Run the steps of one turn, so that a broken row stops nothing that is paid beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from distributor.chain_types import ChainSnapshot, Receipt
from distributor.ledger import Closing
from distributor.ledger.binding import MAX_ORDERS_PER_TRANSACTION
from distributor.ledger.closing import closing_rows
from distributor.model import OpenTransaction, Transaction
from distributor.payout.confirmation import Confirmed
from distributor.payout.step_kinds import Finalise, Mined, Step
from distributor.payout.steps import StepExecutor, StepResult
from foundation import logs
from foundation.errors import Contention, InvariantBroken, ServiceError
from foundation.tablestore.atomic import ROWS_MAX, in_groups, together_or_each

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StepRunner:
    """The steps of one turn; what is wrong with a transaction is added to ``broken``, and the others go on."""

    steps: StepExecutor
    broken: list[InvariantBroken]

    async def run(self, decided: Sequence[tuple[OpenTransaction, Step, ChainSnapshot]]) -> Sequence[StepResult]:
        """Do every step but the closings, side by side; those that only note a block, together."""
        mined = [(each.transaction, step.receipt) for each, step, _ in decided if isinstance(step, Mined)]
        urgent = [self._one(*each) for each in decided if not isinstance(each[1], Finalise | Mined)]
        noted, done = await asyncio.gather(self._note_mined(mined), asyncio.gather(*urgent))
        return [*noted, *done]

    async def close(self, confirmed: Sequence[Confirmed]) -> Sequence[StepResult]:
        """Close transactions in their order; those that only pay, in as few groups as fit."""
        judged = [(each, closing) for each in confirmed if (closing := await self._judge(each)) is not None]
        results = list[StepResult]()
        for group in in_groups(judged, _fit_together):
            results += await together_or_each(self.steps.close, group, (Contention, InvariantBroken), self._not_closed)
        return results

    async def _judge(self, confirmed: Confirmed) -> Closing | None:
        try:
            return await self.steps.judge(confirmed)
        except InvariantBroken as error:
            self.broken.append(error)
        return None

    def _not_closed(self, judged: tuple[Confirmed, Closing], error: ServiceError) -> Sequence[StepResult]:
        if isinstance(error, InvariantBroken):
            self.broken.append(error)
        else:
            logs.info(_log, "transaction_changed_elsewhere", nonce=judged[0].opened.transaction.nonce)
        return [StepResult()]

    async def _one(self, opened: OpenTransaction, step: Step, snapshot: ChainSnapshot) -> StepResult:
        try:
            return await self.steps.execute(opened, step, snapshot)
        except Contention:
            logs.info(_log, "transaction_changed_elsewhere", nonce=opened.transaction.nonce)
        except InvariantBroken as error:
            self.broken.append(error)
        return StepResult()

    async def _note_mined(self, found: Sequence[tuple[Transaction, Receipt]]) -> Sequence[StepResult]:
        return await together_or_each(self.steps.mined, found, (InvariantBroken,), self._not_noted)

    def _not_noted(self, _: tuple[Transaction, Receipt], error: InvariantBroken) -> Sequence[StepResult]:
        self.broken.append(error)
        return [StepResult()]


def _fit_together(judged: Sequence[tuple[Confirmed, Closing]]) -> bool:
    """
    Say whether one group closes them.

    It carries as many orders as one transaction may, so its one row of events fits too. What does more than pay its
    orders is closed by itself, in its turn: whole refusals are counted in a row.
    """
    orders = sum(len(each.orders) for each, _ in judged)
    small = orders <= MAX_ORDERS_PER_TRANSACTION and closing_rows(len(judged), orders) <= ROWS_MAX
    of_one = len({each.opened.transaction.operator for each, _ in judged}) == 1
    return of_one and small and all(closing.all_paid for _, closing in judged)
