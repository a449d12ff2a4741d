"""Two bad habits of payout scripts, for one process at a time: the table must see what they do."""

from __future__ import annotations

from typing import Any

from distributor.payout import lifecycle
from distributor.payout.distribution import Distribution


def submit_before_storing() -> None:
    """Hand the bytes to the node as soon as they are signed."""
    sign = Distribution._sign

    async def sign_and_submit(self: Distribution, *arguments: Any) -> Any:
        transaction, attempt = await sign(self, *arguments)
        await self.chain.submit([attempt.raw])
        return transaction, attempt

    Distribution._sign = sign_and_submit  # type: ignore[method-assign, assignment]  # that is the habit


def call_the_first_block_final() -> None:
    """Pay at one confirmation."""
    lifecycle.is_final = lambda *_arguments, **_options: True  # that is the habit
