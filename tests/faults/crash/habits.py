"""Bad habits of payout and mailing scripts, for one process at a time: the tables must see what they do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from distributor.payout import lifecycle
from distributor.payout.lane import OperatorLane
from payflow.delivery import rules
from payflow.documents import pdf
from payflow.documents.pdf import Checked
from payflow.state import DeliveryPhase


def submit_before_storing() -> None:
    """Hand the bytes to the node as soon as they are signed."""
    bind = OperatorLane._bind_and_submit

    async def submit_and_bind(self: OperatorLane, *arguments: Any) -> int:
        for binding in await self._batch_signer.sign_all(*arguments):  # signed twice, the bytes are the same
            await self.chain.submit([binding.attempt.raw])
        return await bind(self, *arguments)

    OperatorLane._bind_and_submit = submit_and_bind  # type: ignore[method-assign, assignment]  # that is the habit


def call_the_first_block_final() -> None:
    """Pay at one confirmation."""
    lifecycle.is_final = lambda *_arguments, **_options: True  # that is the habit


def try_again_what_nobody_answered() -> None:
    """Mail once more what a worker left behind, also when its dot was written."""
    judge = rules.judge_abandoned
    rules.judge_abandoned = lambda delivery, now: judge(replace(delivery, phase=DeliveryPhase.CLAIMED), now)


def be_too_busy_for_a_document() -> None:
    """Give the child that checks a document no time at its first three turns; a machine under load does that."""
    check, allowed_s, turns = pdf.check_document, pdf.WALL_S_MAX, iter(range(3))

    async def checked(document: bytes) -> Checked:
        pdf.WALL_S_MAX = allowed_s if next(turns, None) is None else 0.001  # type: ignore[misc]  # that is the habit
        return await check(document)

    pdf.check_document = checked  # that is the habit
