"""What a person may do to the ledger, in memory and in real tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.model import HoldReason, Order, OrderStatus
from distributor.state import PauseState
from foundation.errors import Contention, InvariantBroken
from tests.factories import BOB, NOW_MS, OPERATOR, a_hash
from tests.fakes.bench import Bench, a_closing, bind, binding


async def a_held_order(bench: Bench) -> Order:
    """Return an order whose transaction was finally refused."""
    await bench.ledger.close(await bench.bound("ORD1"), a_closing(held=["ORD1"]))
    return await bench.order("ORD1")


# the switch --------------------------------------------------------------------------------------


async def test_a_pause_says_by_whom_and_why(bench: Bench) -> None:
    """And the audit trail keeps it."""
    pause_state = await bench.ledger.admin.pause("ana", "audit")
    await bench.ledger.admin.record("look", "payouts", "ana", "audit")

    assert (
        pause_state
        == await bench.ledger.admin.pause_state()
        == PauseState(paused=True, paused_by="ana", paused_why="audit")
    )
    assert bench.audit.entries[f"control:{NOW_MS:015d}"]["paused_by"] == "ana"
    assert bench.audit.entries[f"look:payouts:{NOW_MS:015d}"]["why"] == "audit"


async def test_a_pause_stops_a_round_in_progress(bench: Bench) -> None:
    """It has read the books and the switch before the pause: its binding loses, and the order still waits."""
    (order,) = await bench.received("ORD1")
    binding_state = await bench.binding_state()
    await bench.ledger.admin.pause("ana", "audit")

    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, [order], *binding(7, [order]))
    assert await bench.order("ORD1") == order
    assert (await bench.binding_state()).next_nonce == 7


async def test_a_pause_stops_every_operator(bench: Bench) -> None:
    """Also the one that was added by a rotation."""
    await bench.ledger.admin.add_operator(BOB, 3)
    orders, binding_state = await bench.received("ORD1"), await bench.ledger.binding_state(BOB)
    assert binding_state is not None
    await bench.ledger.admin.pause("ana", "audit")

    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, orders, *binding(3, orders, BOB))


async def test_a_second_pause_leaves_the_first_ones_words(bench: Bench) -> None:
    """It still stops what began to bind in between."""
    await bench.ledger.admin.pause("ana", "audit")
    (order,), binding_state = await bench.received("ORD1"), await bench.binding_state()

    again = await bench.ledger.admin.pause("settlement", "something else")

    assert again.paused_by == "ana"
    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, [order], *binding(7, [order]))


async def test_payouts_are_resumed_by_name(bench: Bench) -> None:
    """The switch is as it was in the beginning; what was bound before goes on from the same nonce."""
    await bench.ledger.admin.pause("ana", "audit")
    await bench.ledger.admin.resume("ben", "audit passed")

    assert await bench.ledger.admin.pause_state() == PauseState()
    assert bench.audit.entries[f"resume:payouts:{NOW_MS:015d}"]["by"] == "ben"
    await bench.bound("ORD1")
    assert (await bench.order("ORD1")).nonce == 7


async def test_resuming_what_is_not_paused_changes_nothing(bench: Bench) -> None:
    """Not even the audit trail."""
    before = await bench.values(), dict(bench.audit.entries)

    assert await bench.ledger.admin.resume("ben", "to be sure") == PauseState()
    assert (await bench.values(), bench.audit.entries) == before


async def test_a_halt_is_a_pause_that_says_by_whom_and_why(bench: Bench) -> None:
    """A reader who looks for a pause finds one; the audit trail keeps both words."""
    pause_state = await bench.ledger.admin.halt("ana", "the key leaked")

    assert pause_state == await bench.ledger.admin.pause_state()
    assert pause_state == PauseState(
        paused=True,
        paused_by="ana",
        paused_why="the key leaked",
        halted=True,
        halted_by="ana",
        halted_why="the key leaked",
    )
    assert bench.audit.entries[f"control:{NOW_MS:015d}"]["halted_why"] == "the key leaked"


async def test_a_halt_stops_a_round_in_progress(bench: Bench) -> None:
    """As a pause does: what read the books before it binds nothing behind it."""
    (order,), binding_state = await bench.received("ORD1"), await bench.binding_state()
    await bench.ledger.admin.halt("ana", "the key leaked")

    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, [order], *binding(7, [order]))


async def test_a_halt_after_a_pause_leaves_the_pauses_words(bench: Bench) -> None:
    """And a pause or a second halt after it changes nothing."""
    await bench.ledger.admin.pause("ana", "audit")
    halted = await bench.ledger.admin.halt("ben", "the key leaked")

    assert (halted.paused_by, halted.halted_by) == ("ana", "ben")
    assert (
        await bench.ledger.admin.pause("settlement", "something")
        == halted
        == await bench.ledger.admin.halt("eva", "again")
    )


async def test_resuming_ends_a_halt_and_its_pause(bench: Bench) -> None:
    """One word opens the whole switch; it is in the audit trail."""
    await bench.ledger.admin.halt("ana", "the key leaked")

    assert await bench.ledger.admin.resume("ben", "rotated") == await bench.ledger.admin.pause_state() == PauseState()
    assert bench.audit.entries[f"resume:payouts:{NOW_MS:015d}"]["why"] == "rotated"


# orders ------------------------------------------------------------------------------------------


async def test_a_held_order_is_put_back_into_its_old_place(bench: Bench) -> None:
    """It waits as if nothing had happened; what happened is in the audit trail."""
    held = await a_held_order(bench)
    bench.clock.advance(5)

    waits = await bench.ledger.admin.retry(held, "ana", "the authority was paused")

    assert (waits.status, waits.hold_reason, waits.hold_detail, waits.paid_hash) == (
        OrderStatus.RECEIVED,
        None,
        "",
        None,
    )
    assert (waits.queue_key, waits.updated_ms) == (held.queue_key, NOW_MS + 5)
    assert (await bench.ledger.waiting(limit=9)).orders == (waits,)
    assert await bench.keys("held:", "held;") == []
    entry = bench.audit.entries[f"retry:default:ORD1:{NOW_MS + 5:015d}"]
    assert (entry["by"], entry["why"]) == ("ana", "the authority was paused")
    assert entry["was"] == f"held reverted {a_hash('final')}"


async def test_a_retried_order_gets_the_next_nonce(bench: Bench) -> None:
    """Its first one is finally consumed; the version from the retry is good for the binding."""
    waits = await bench.ledger.admin.retry(await a_held_order(bench), "ana", "")
    binding_state = await bench.binding_state()

    await bind(bench.ledger, binding_state, [waits], *binding(8, [waits]))

    bound = await bench.order("ORD1")
    assert (bound.status, bound.operator, bound.nonce) == (OrderStatus.BOUND, OPERATOR, 8)


async def test_an_order_is_retried_once(bench: Bench) -> None:
    """Two people press the button: the second has not seen what the first did."""
    held = await a_held_order(bench)
    await bench.ledger.admin.retry(held, "ana", "")

    with pytest.raises(Contention):
        await bench.ledger.admin.retry(held, "ben", "")
    assert len((await bench.ledger.waiting(limit=9)).orders) == 1


@pytest.mark.parametrize(
    "changes",
    [{"status": OrderStatus.BOUND}, {"nonce": 7}, {"operator": OPERATOR}, {"status": OrderStatus.CANCELLED}],
)
async def test_an_order_with_a_living_nonce_is_never_retried(bench: Bench, changes: dict[str, object]) -> None:
    """It could be paid under two."""
    held = await a_held_order(bench)

    with pytest.raises(InvariantBroken, match="cannot be retried"):
        await bench.ledger.admin.retry(replace(held, **changes), "ana", "")  # type: ignore[arg-type]  # one field each


async def test_a_waiting_order_can_be_taken_back(bench: Bench) -> None:
    """It leaves the line, and its id stays used."""
    (order,) = await bench.received("ORD1")

    cancelled = await bench.ledger.admin.cancel(order, "ana", "the shop asked")

    assert cancelled == await bench.order("ORD1") == replace(order, status=OrderStatus.CANCELLED, sequence=NOW_MS)
    assert (await bench.ledger.waiting(limit=9)).orders == ()
    assert (await bench.received("ORD1"))[0].status is OrderStatus.CANCELLED
    assert bench.audit.entries[f"cancel:default:ORD1:{NOW_MS:015d}"]["was"] == "received"


async def test_a_held_order_can_be_taken_back(bench: Bench) -> None:
    """Why it was held stays with it; nobody has to look at it any more."""
    cancelled = await bench.ledger.admin.cancel(await a_held_order(bench), "ana", "paid by hand")

    assert (cancelled.status, cancelled.hold_reason) == (OrderStatus.CANCELLED, HoldReason.REVERTED)
    assert await bench.keys("held:", "held;") == []


async def test_an_order_bound_meanwhile_is_not_taken_back(bench: Bench) -> None:
    """The binding is kept: it may be paid at any moment."""
    (order,) = await bench.received("ORD1")
    await bind(bench.ledger, await bench.binding_state(), [order], *binding(7, [order]))

    with pytest.raises(Contention):
        await bench.ledger.admin.cancel(order, "ana", "")
    with pytest.raises(InvariantBroken, match="assigned with nonce 7"):
        await bench.ledger.admin.cancel(await bench.order("ORD1"), "ana", "")
