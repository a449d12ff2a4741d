"""Every verb of the ledger on a bad day: an answer is lost, or a success called a conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from distributor.caps import Caps
from distributor.ledger import Ledger
from distributor.model import HoldReason, OrderStatus, TransactionStatus
from distributor.state import MonitorState, PauseState, WaitingReason
from distributor.units import TokenUnits
from foundation.errors import StoreUnavailable
from foundation.tablestore.atomic import TRIES_MAX
from foundation.tablestore.memory import MemoryRows
from tests.factories import BOB, IDENTITY, OPERATOR, TOKEN, a_hash, an_attempt, an_order
from tests.fakes.bench import Bench, a_closing, bind, binding
from tests.fakes.rows import ListAudit, UnsteadyRows

OTHER_OPERATOR = BOB
ABOVE = Caps(approval_units=TokenUnits(1))


Verb = Callable[[Bench], Awaitable[object]]


async def _initialise(_: Bench) -> Verb:
    return lambda bench: bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)


async def _add_operator(_: Bench) -> Verb:
    return lambda bench: bench.ledger.admin.add_operator(OTHER_OPERATOR, 3)


async def _set_control(bench: Bench) -> Verb:
    before = await bench.ledger.admin.pause_state()
    return lambda bench: bench.ledger.admin.set_pause_state(replace(before, paused=True))


async def _pause(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return lambda bench: bench.ledger.admin.pause("ana", "audit")


async def _resume(bench: Bench) -> Verb:
    await bench.ledger.admin.set_pause_state(PauseState(paused=True))
    return lambda bench: bench.ledger.admin.resume("ana", "over")


async def _insert(_: Bench) -> Verb:
    return lambda bench: bench.ledger.insert(an_order("ORD1"))


async def _insert_held(_: Bench) -> Verb:
    return lambda bench: bench.ledger.insert(an_order("ORD1"), ABOVE)


async def _approve(bench: Bench) -> Verb:
    held = (await bench.ledger.insert(an_order("ORD1"), ABOVE)).order
    return lambda bench: bench.ledger.approving.approve(held, "rui", "asked the shop")


async def _ask_of_all(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return lambda bench: bench.ledger.approving.ask_of_all()


async def _hold(bench: Bench) -> Verb:
    (order,) = await bench.received("ORD1")
    return lambda bench: bench.ledger.hold(order, HoldReason.SIMULATION, "refused")


async def _retry(bench: Bench) -> Verb:
    (order,) = await bench.received("ORD1")
    await bench.ledger.hold(order, HoldReason.SIMULATION, "refused")
    held = await bench.order("ORD1")
    return lambda bench: bench.ledger.admin.retry(held, "ana", "the wallet takes tokens now")


async def _cancel(bench: Bench) -> Verb:
    (order,) = await bench.received("ORD1")
    return lambda bench: bench.ledger.admin.cancel(order, "ana", "the shop asked")


async def _bind(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    orders, binding_state = await bench.received("ORD1"), await bench.binding_state()
    return lambda bench: bind(bench.ledger, binding_state, orders, *binding(7, orders))


async def _update(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    bound = await bench.bound("ORD1")
    return lambda bench: bench.ledger.update(replace(bound, status=TransactionStatus.SUBMITTED))


async def _add_attempt(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    bound = await bench.bound("ORD1")
    return lambda bench: bench.ledger.add_attempt(bound, an_attempt(1))


async def _close(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    bound = await bench.bound("ORD1", "ORD2")
    return lambda bench: bench.ledger.close(bound, a_closing("ORD1", held=["ORD2"]))


async def _forget_final(bench: Bench) -> Verb:
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    bound = await bench.bound("ORD1")
    await bench.ledger.close(replace(bound, block_number=90, block_hash=a_hash("b")), a_closing("ORD1"))
    stats = await bench.ledger.stats(OPERATOR)
    return lambda bench: bench.ledger.forget_final(OPERATOR, stats)


async def _set_waiting(_: Bench) -> Verb:
    return lambda bench: bench.ledger.service.set_waiting(WaitingReason.PAUSED, "by ana")


async def _save_watch(_: Bench) -> Verb:
    return lambda bench: bench.ledger.service.save_monitor_state(MonitorState(head_number=9))


async def _acquire(_: Bench) -> Verb:
    return lambda bench: bench.ledger.leases.acquire("settlement", "me", ttl_ms=10)


async def _renew(bench: Bench) -> Verb:
    lease = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=10)
    assert lease is not None
    return lambda bench: bench.ledger.leases.renew(lease, ttl_ms=20)


async def _release(bench: Bench) -> Verb:
    lease = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=10)
    assert lease is not None
    return lambda bench: bench.ledger.leases.release(lease)


PREPARED: dict[str, Callable[[Bench], Awaitable[Verb]]] = {
    "initialise": _initialise,
    "add_operator": _add_operator,
    "set_control": _set_control,
    "pause": _pause,
    "resume": _resume,
    "insert": _insert,
    "insert, held for approval": _insert_held,
    "approve": _approve,
    "ask of all": _ask_of_all,
    "hold": _hold,
    "retry": _retry,
    "cancel": _cancel,
    "bind": _bind,
    "update": _update,
    "add_attempt": _add_attempt,
    "close": _close,
    "forget_final": _forget_final,
    "set_waiting": _set_waiting,
    "save_watch": _save_watch,
    "acquire": _acquire,
    "renew": _renew,
    "release": _release,
}
TROUBLES: dict[str, Callable[[MemoryRows | UnsteadyRows], None]] = {
    "done, answer lost": lambda rows: rows.lose_next_answer(done=True),
    "not done, answer lost": lambda rows: rows.lose_next_answer(done=False),
    "done, called a conflict": lambda rows: rows.echo_conflict_once(),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("verb", PREPARED)
async def test_a_lost_answer_makes_no_difference(empty: Bench, verb: str, trouble: str) -> None:
    """Every verb answers and writes what it would have on a good day, once."""
    good = MemoryRows()
    calm = Bench(ledger=Ledger(good, ListAudit(), clock=empty.clock), rows=good, audit=ListAudit(), clock=empty.clock)
    expected = await (await PREPARED[verb](calm))(calm)
    act = await PREPARED[verb](empty)
    TROUBLES[trouble](empty.rows)

    answer = await act(empty)

    assert answer == expected
    assert await empty.values() == await calm.values()


@pytest.mark.parametrize("verb", PREPARED)
async def test_silence_ends_after_a_few_tries_and_nothing_is_half_done(empty: Bench, verb: str) -> None:
    """The ledger says that it is unavailable; what was there is there."""
    act = await PREPARED[verb](empty)
    before = await empty.values()
    for _ in range(TRIES_MAX):
        empty.rows.lose_next_answer(done=False)

    with pytest.raises(StoreUnavailable):
        await act(empty)
    assert await empty.values() == before


async def test_what_a_lost_answer_wrote_can_be_written_again(bench: Bench) -> None:
    """The versions found by reading back are good for the next conditional write."""
    orders, binding_state = await bench.received("ORD1", "ORD2"), await bench.binding_state()
    bench.rows.lose_next_answer(done=True)
    binding_state, transaction = await bind(bench.ledger, binding_state, orders[:1], *binding(7, orders[:1]))
    bench.rows.echo_conflict_once()
    transaction = await bench.ledger.update(replace(transaction, status=TransactionStatus.SUBMITTED))
    bench.rows.lose_next_answer(done=True)
    transaction = await bench.ledger.add_attempt(transaction, an_attempt(1))
    await bind(bench.ledger, binding_state, orders[1:], *binding(8, orders[1:]))
    await bench.ledger.close(transaction, a_closing("ORD1"))

    assert (await bench.order("ORD1")).status is OrderStatus.PAID
    assert (await bench.binding_state()).committed_units == 10 * TOKEN
