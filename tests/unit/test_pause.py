"""A pause among bindings that do not stop for it."""

from __future__ import annotations

import pytest

from distributor.errors import Contention
from distributor.interventions import TOUCH_TRIES_MAX
from distributor.ledger import Ledger
from tests.factories import IDENTITY, NOW_MS, OPERATOR
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit, MemoryRows

NONCE = f"nonce:{OPERATOR}"


async def a_ledger(rows: MemoryRows) -> Ledger:
    """Return our ledger on *rows*."""
    ledger = Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS))
    await ledger.initialise(IDENTITY, OPERATOR, 7)
    return ledger


def _bind_behind(rows: MemoryRows, times: int) -> None:
    """Let a rival move the nonce on behind each of the next *times* reads; the pause reads the switch first."""
    for _ in range(times):
        rows.after_next_read(lambda: rows.put(NONCE, {**rows.dump()[NONCE], "next": 8, "owner": "rival"}))


async def test_a_binding_that_slips_in_is_kept() -> None:
    """The pause writes the nonce as it found it after the binding, never an older one."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _bind_behind(rows, 3)

    await ledger.pause("ana", "audit")

    books = await ledger.books(OPERATOR)
    assert books is not None
    assert books.next_nonce == 8
    assert rows.dump()[NONCE]["owner"] != "rival"


async def test_a_pause_that_is_always_too_late_says_so() -> None:
    """The switch is closed all the same: whoever looks at it stops."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _bind_behind(rows, 2 * TOUCH_TRIES_MAX + 2)

    with pytest.raises(Contention, match="behind the pause"):
        await ledger.pause("ana", "audit")
    assert (await ledger.control()).paused
