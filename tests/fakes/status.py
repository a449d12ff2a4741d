"""The status of orders over a ledger of a test, and what the sweep wrote of a function that is off."""

from __future__ import annotations

from distributor.ledger import Ledger
from distributor.payout.catalogue import CATALOGUE, WORK_NOT_RUNNING
from distributor.queue_names import DISTRIBUTIONS
from distributor.status import Status
from foundation.alarms.model import Notification
from foundation.alarms.register import Register
from foundation.clock import UnixMs


def a_status(ledger: Ledger) -> Status:
    """Return the use case over *ledger* and the register in it."""
    return Status(ledger=ledger, register=_register(ledger), decimals=18)


async def no_round_runs(ledger: Ledger, since_ms: UnixMs) -> None:
    """Let the sweep have seen that the function `distribute` is off."""
    off = Notification(code=WORK_NOT_RUNNING, since_ms=since_ms, subjects=(DISTRIBUTIONS,))
    await _register(ledger).store(off)


def _register(ledger: Ledger) -> Register:
    rows = ledger.guard_rows
    return Register(rows=rows.rows, clock=rows.clock, catalogue=CATALOGUE)
