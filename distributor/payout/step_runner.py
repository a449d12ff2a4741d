"""Run the steps of one turn, so that a broken row stops nothing that is paid beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from distributor.chain_types import ChainSnapshot, Receipt
from distributor.model import OpenTransaction, Transaction
from distributor.payout.confirmation import Confirmed
from distributor.payout.step_kinds import Finalise, Mined, Step
from distributor.payout.steps import StepExecutor, StepResult
from foundation import logs
from foundation.errors import Contention, InvariantBroken

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

    async def close(self, confirmed: Confirmed) -> StepResult:
        """Close one transaction; another worker may have been first."""
        try:
            return await self.steps.close(confirmed)
        except Contention:
            logs.info(_log, "transaction_changed_elsewhere", nonce=confirmed.opened.transaction.nonce)
        except InvariantBroken as error:
            self.broken.append(error)
        return StepResult()

    async def _one(self, opened: OpenTransaction, step: Step, snapshot: ChainSnapshot) -> StepResult:
        try:
            return await self.steps.execute(opened, step, snapshot)
        except Contention:
            logs.info(_log, "transaction_changed_elsewhere", nonce=opened.transaction.nonce)
        except InvariantBroken as error:
            self.broken.append(error)
        return StepResult()

    async def _note_mined(self, found: Sequence[tuple[Transaction, Receipt]]) -> Sequence[StepResult]:
        try:
            return await self.steps.mined(found)
        except InvariantBroken as error:
            if len(found) > 1:
                return [result for each in found for result in await self._note_mined([each])]
            self.broken.append(error)
        return [StepResult()]
