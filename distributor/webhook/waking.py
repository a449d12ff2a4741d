"""
Wake the payouts for an order that was stored.

Put by ourselves and not by the host's output binding: while the queue service alone is away, the
host would answer a stored order with 500, half a minute later, at each repetition. A message is
only a wake-up: without it the sweep finds the order within a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from distributor.ports import Queues
from distributor.queue_names import DISTRIBUTIONS, WAKE
from foundation import logs
from foundation.errors import ConfigurationError, StoreUnavailable

_log = logging.getLogger(__name__)


async def wake_distribution(queues: Callable[[], Awaitable[Queues]]) -> None:
    """Put one wake-up; that it could not be put is no failure of the order, and is written to the log."""
    try:
        await (await queues()).put(DISTRIBUTIONS, WAKE)
    except (StoreUnavailable, ConfigurationError) as error:
        logs.warning(_log, "wake_not_put", why=str(error))
