"""A pause among bindings that do not stop for it."""

from __future__ import annotations

import pytest

from distributor.ledger import Ledger
from distributor.ledger.admin import TOUCH_TRIES_MAX, TURN_TRIES_MAX
from distributor.state import PauseState
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, NOW_MS, OPERATOR
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

NONCE, CONTROL = f"nonce:{OPERATOR}", "control"


async def a_ledger(rows: MemoryRows) -> Ledger:
    """Return our ledger on *rows*."""
    ledger = Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS))
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
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

    await ledger.admin.pause("ana", "audit")

    binding_state = await ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert binding_state.next_nonce == 8
    assert rows.dump()[NONCE]["owner"] != "rival"


async def test_a_pause_that_is_always_too_late_says_so() -> None:
    """The switch is closed all the same: every worker that looks at it stops."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _bind_behind(rows, 2 * TOUCH_TRIES_MAX + 2)

    with pytest.raises(Contention, match="behind the pause"):
        await ledger.admin.pause("ana", "audit")
    assert (await ledger.admin.pause_state()).paused


def _turn_behind(rows: MemoryRows, times: int) -> None:
    """Let somebody else turn the switch behind each of the next *times* reads of it."""
    for _ in range(times):
        rows.after_next_read(lambda: rows.put(CONTROL, {**rows.dump()[CONTROL], "owner": "rival"}))


async def test_a_halt_prevails_over_whoever_turns_the_switch_at_that_moment() -> None:
    """It must not fail because somebody pauses, resumes or halts just then."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _turn_behind(rows, 1)

    halted = await ledger.admin.halt("ana", "the key leaked")

    assert halted.halted
    assert halted == await ledger.admin.pause_state()


async def test_a_switch_that_never_stands_still_is_said_to() -> None:
    """Two reads a try: the switch, and whose write it was that was first."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _turn_behind(rows, 2 * TURN_TRIES_MAX)

    with pytest.raises(Contention, match="kept being turned"):
        await ledger.admin.halt("ana", "the key leaked")


async def test_a_pause_is_written_again_where_it_stands_already() -> None:
    """A resume that was given up for lost, and arrives late, must not open the switch behind it."""
    ledger = await a_ledger(MemoryRows())
    seen = await ledger.admin.pause("ana", "audit")
    await ledger.admin.pause("ben", "the same audit")

    with pytest.raises(Contention):
        await ledger.admin.set_pause_state(PauseState(version=seen.version))
    assert (await ledger.admin.pause_state()).paused_by == "ana"


async def test_everybody_is_signed_out_whoever_turns_the_switch_at_that_moment() -> None:
    """The epoch moves on by one, and the switch stays as somebody left it."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    _turn_behind(rows, 1)

    assert await ledger.console_sessions.end_all("ana", "a laptop was stolen") == 1
    assert await ledger.console_sessions.end_all("ana", "another one") == 2
    _turn_behind(rows, 2 * TURN_TRIES_MAX)
    with pytest.raises(Contention, match="kept being turned"):
        await ledger.console_sessions.end_all("ana", "a third one")


async def test_nobody_is_signed_out_by_a_switch_that_cannot_be_read() -> None:
    """It would be written anew, and what it said would be lost."""
    rows = MemoryRows()
    ledger = await a_ledger(rows)
    rows.put(CONTROL, {"paused": "perhaps"})

    with pytest.raises(InvariantBroken, match="nobody can be signed out"):
        await ledger.console_sessions.end_all("ana", "a laptop was stolen")
