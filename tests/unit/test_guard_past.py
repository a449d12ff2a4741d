"""A payment that the guard has recorded and the ledger does not have: the ledger is older than the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import ChainSnapshot
from distributor.errors import ChainUnavailable
from distributor.ledger import keys
from distributor.ledger.rebuild_store import RebuildStore, RestoreResult
from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.payout import guard_past
from distributor.payout.facts import standing_facts
from distributor.payout.ledger_age import PATIENCE_MS
from distributor.payout.resolution import Resolution, Resolved
from distributor.payout.resumption import Resumption
from distributor.recovery.from_guard import FromGuard
from distributor.recovery.rebuild import NotSettled
from distributor.settings.use_cases import AgeSettings
from distributor.state import WaitingReason
from foundation.alarms.model import Fact
from foundation.alarms.repetition import DAY_MS
from foundation.settings.reading import read_group
from foundation.tablestore.ports import Value
from tests.factories import POLICY
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.fakes.chain_state import GUARD
from tests.fakes.history import FakeHistory
from tests.unit.test_ledger_age import a_rival, put_back
from tests.world import World, a_world, tokens

FINAL_BLOCKS = 8


async def mark_of(world: World) -> int:
    """Return how many payments are known and settled."""
    return int((await world.ledger.guard_rows.mark(GUARD)).head) >> 48 & (1 << 48) - 1


async def pay(world: World, order_id: str = "") -> Order:
    """Pay an order through the guard, to its end."""
    order = await world.receive(order_id)
    await world.distribution.drain()
    await world.settle(FINAL_BLOCKS)
    return await world.order(order)


async def forgets_a_payment(*, nodes: tuple[str, ...] = ("one",)) -> World:
    """The table is put back to before A, and a person has moved the nonce: no count shows anything."""
    world = await a_world(guarded=True, chain=FakeChain(nodes=nodes))
    copy = dict(world.rows._rows)
    await pay(world, "A")
    put_back(world, copy)
    world.rows.put(f"nonce:{OPERATOR}", {**world.rows.dump()[f"nonce:{OPERATOR}"], "next": 1})
    await world.receive("B")
    return world


async def test_a_recorded_payment_that_the_ledger_lacks_stops_the_payouts() -> None:
    """The counts agree; only the guard knows that something was paid."""
    world = await forgets_a_payment()

    drained = await world.distribution.drain()

    assert drained.bound == 0
    noted = await world.ledger.signs.noted()
    assert noted is not None
    assert noted.reason is WaitingReason.NONCE_AHEAD
    assert "which this ledger does not have" in noted.detail
    assert await mark_of(world) == 0


async def test_two_nodes_that_show_it_pause_at_once() -> None:
    """And resume is refused while it is there."""
    world = await forgets_a_payment(nodes=("one", "two"))

    await world.distribution.drain()

    assert (await world.ledger.admin.pause_state()).paused
    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)
    (obstacle,) = await resumption.obstacles()
    assert "which this ledger does not have" in obstacle


async def test_a_sign_that_is_gone_within_a_minute_ends_by_itself_behind_a_guard() -> None:
    """What a pool forgot can be paid once only; one that lasts is for a person."""
    for wait_ms, bound in ((PATIENCE_MS - 1, 1), (PATIENCE_MS, 0)):
        world = await a_world(guarded=True)
        await world.receive()
        world.chain.arrive(a_rival(nonce=0))
        await world.distribution.drain()
        assert await world.ledger.signs.noted() is not None
        world.chain.drop(world.chain.pooled[0].tx_hash)
        world.clock.advance(wait_ms)

        assert (await world.distribution.drain()).bound == bound


async def test_the_mark_follows_what_is_paid_and_final() -> None:
    """It stops before a bound order, so that each round reads only what is new."""
    world = await a_world(guarded=True)
    await pay(world)
    await pay(world)
    bound = await world.receive()
    await world.distribution.drain()
    assert await mark_of(world) == 2
    world.chain.mine()
    await world.receive()
    await world.distribution.drain()

    assert await world.status(bound) is OrderStatus.BOUND
    assert await mark_of(world) == 2
    await world.settle(FINAL_BLOCKS)
    await pay(world)
    assert await mark_of(world) == 4


@pytest.mark.parametrize("status", [OrderStatus.HELD, OrderStatus.CANCELLED, OrderStatus.RECEIVED])
async def test_what_somebody_else_has_paid_is_adopted_on_the_way(status: OrderStatus) -> None:
    """A held, cancelled or waiting order becomes paid by that payment, once it is final."""
    world = await a_world(guarded=True)
    order = await world.receive()
    if status is not OrderStatus.RECEIVED:
        await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    if status is OrderStatus.CANCELLED:
        await world.ledger.admin.cancel(await world.order(order), "ana", "fraud")
    world.guard.record(order)
    await world.receive()
    await world.distribution.drain()
    assert await mark_of(world) == 0
    world.chain.mine(FINAL_BLOCKS)
    await world.receive()
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.PAID
    assert "paid_elsewhere" in world.alarms.codes
    assert await mark_of(world) == 1


async def test_a_held_order_whose_reference_paid_something_else_is_passed() -> None:
    """It stays held, and nothing is left to wait for."""
    world = await a_world(guarded=True)
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    world.guard.record(replace(order, wallet=CUSTOMERS[1], amount_units=tokens(1)))
    world.chain.mine(FINAL_BLOCKS)
    await world.receive()
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.HELD
    assert await mark_of(world) == 1


async def test_an_order_that_changes_meanwhile_stops_the_mark() -> None:
    """Another host was first: the next round looks again."""
    world = await a_world(guarded=True)
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    world.guard.record(order)
    world.chain.mine(FINAL_BLOCKS)
    reading = await guard_past.read_past(world.ledger, world.guard, GUARD)
    key = f"order:{order.source}:{order.order_id}"
    world.rows.after_next_read(lambda: None)
    world.rows.after_next_read(lambda: world.rows.put(key, {**world.rows.dump()[key], "owner": "rival"}))

    await world.a_guard_way().marks.move(reading, nodes=world.chain.nodes)

    assert await world.status(order) is OrderStatus.HELD
    assert await mark_of(world) == 0


async def test_a_mark_that_another_host_moved_stays() -> None:
    """Conditional, as every write."""
    world = await a_world(guarded=True)
    await pay(world)
    reading = await guard_past.read_past(world.ledger, world.guard, GUARD)
    marks = world.a_guard_way().marks

    await marks.move(reading, nodes=world.chain.nodes)
    await marks.move(reading, nodes=world.chain.nodes)

    assert await mark_of(world) == 1


async def test_one_node_of_two_moves_no_mark() -> None:
    """Its word may hide what the other would show."""
    world = await a_world(guarded=True)
    await pay(world)
    reading = await guard_past.read_past(world.ledger, world.guard, GUARD)

    await world.a_guard_way().marks.move(reading, nodes=["one", "another"])

    assert await mark_of(world) == 0


async def test_records_that_do_not_meet_the_mark_say_nothing() -> None:
    """A node on another fork, or a liar: nothing is bound, and no sign is noted."""
    world = await a_world(guarded=True)
    await pay(world)
    await pay(world)
    await world.receive()
    await world.distribution.drain()
    world.chain.state.payments.clear()

    with pytest.raises(ChainUnavailable):
        await guard_past.read_past(world.ledger, world.guard, GUARD)


# rebuild --from-guard --------------------------------------------------------------------------------


def from_guard(world: World) -> FromGuard:
    """Return the command's use case in that world."""
    return FromGuard(
        rebuild_store=RebuildStore(world.rows, world.clock),
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        address=GUARD,
        policy=world.policy,
    )


async def test_what_only_the_guard_remembers_is_written_and_the_payouts_go_on() -> None:
    """Dry it changes nothing; applied, A is paid by its transaction, the sign is gone, and B is paid."""
    world = await forgets_a_payment()
    await world.distribution.drain()
    world.clock.advance(1_000)  # both orders came before the rebuild

    assert (await from_guard(world).look()).restored == {RestoreResult.NEW: 1}
    assert not (await world.ledger.admin.pause_state()).paused
    assert (await from_guard(world).run(by="ana", why="it went back")).restored == {RestoreResult.NEW: 1}
    assert (await world.ledger.admin.pause_state()).paused
    again = await from_guard(world).run(by="ana", why="twice changes nothing")
    await world.ledger.admin.resume("ana", "rebuilt")
    await world.distribution.drain()
    await world.settle(FINAL_BLOCKS)

    assert again.restored == {RestoreResult.KNOWN: 1}
    forgotten, other = [await world.ledger.order(OrderKey("default", name)) for name in ("A", "B")]
    assert forgotten is not None
    assert other is not None
    assert forgotten.status is other.status is OrderStatus.PAID
    assert forgotten.paid_hash == world.chain.state.payments[forgotten.ref_id].tx_hash
    assert len(world.transfers()) == 2


async def test_an_order_that_the_guard_paid_otherwise_is_counted_apart() -> None:
    """It is left as it is: `reopen` or the next round says what its reference was spent on."""
    world = await a_world(guarded=True)
    order = await pay(world, "A")
    world.guard.record(replace(order, wallet=CUSTOMERS[3]))
    world.chain.mine(FINAL_BLOCKS)

    report = await from_guard(world).run(by="ana", why="compared")

    assert report.restored == {RestoreResult.DIFFERS: 1}
    assert await world.order(order) == order
    world.rows.put(keys.order_row(order.key), {"owner": "x", "strange": "columns"})
    assert (await from_guard(world).look()).restored == {RestoreResult.FROZEN: 1}


async def test_the_words_about_shops_are_put_back_too() -> None:
    """The ledger's moment is from before a word was corrected, and the audit trail is not."""
    world = await forgets_a_payment()
    await world.ledger.shops.add("00" * 16, "shop-a", by="ana", how="accept")
    (key,) = [key for key in world.rows.dump() if key.startswith(keys.SECRETS)]
    before = world.rows.dump()[key]
    (secret,) = (await world.ledger.shops.registered()).secrets
    pause_state = await world.ledger.admin.pause("ana", "a correction")
    await world.ledger.shops.correct(secret, "default", by="ana", why="wrong", paused=pause_state.version)
    world.rows.put(key, before)

    await from_guard(world).run(by="ana", why="it went back")

    assert (await world.ledger.shops.owners()).sources == {"00" * 16: "default"}


async def test_one_nodes_word_makes_no_record_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first node calls its newest block final; a reorganisation could still undo the payment."""
    world = await forgets_a_payment(nodes=("one", "two"))
    world.chain.stall_finality()
    honest = world.chain.snapshot

    async def snapshot(*asked: Sequence[Any], node: str = "") -> ChainSnapshot:
        shown = await honest(*asked, node=node)
        return replace(shown, finalized_number=shown.head.number if node in {"", "one"} else 0)

    monkeypatch.setattr(world.chain, "snapshot", snapshot)

    assert (await from_guard(world).look()).restored == {}


async def test_too_few_nodes_know_of_a_final_block() -> None:
    """One of two is down: nothing is written on the other's word."""
    world = await forgets_a_payment(nodes=("one", "two"))
    world.chain.go_down("two")

    with pytest.raises(ChainUnavailable):
        await from_guard(world).look()


async def test_a_torn_order_that_the_guard_has_paid_stops_nothing_else() -> None:
    """It is named; it is never bound, and the guard pays it no second time."""
    world = await a_world(guarded=True)
    torn = await pay(world, "A")
    world.rows.put(keys.order_row(torn.key), {"owner": "x", "strange": "columns"})

    after = await pay(world, "B")

    assert (after.status, "row_unreadable" in world.alarms.codes) == (OrderStatus.PAID, True)


@pytest.mark.parametrize("columns", [{"status": "needs_approval"}, {"status": "held", "hold_reason": "of later"}])
async def test_a_frozen_order_that_the_guard_has_paid_stops_no_mark(columns: dict[str, str]) -> None:
    """Only the version that knows its word may touch it; what was paid behind it goes on being known and settled."""
    world = await a_world(guarded=True)
    frozen = await world.receive("A")
    key = keys.order_row(frozen.key)
    world.rows.put(key, {**world.rows.dump()[key], **columns})
    before = world.rows.dump()[key]
    world.guard.record(frozen)
    world.chain.mine(FINAL_BLOCKS)

    after = await pay(world, "B")
    await pay(world, "C")

    assert (after.status, await mark_of(world)) == (OrderStatus.PAID, 2)
    assert world.rows.dump()[key] == before
    assert "row_unreadable" in world.alarms.codes


TOUCHED_BY_OTHERS: dict[str, tuple[dict[str, Value], str]] = {
    "a status": ({"status": "needs_approval"}, "has a newer version's word, needs_approval"),
    "a reason": ({"status": "held", "hold_reason": "of later"}, "has a newer version's word, of later"),
    "torn": ({"amount_units": "a lot"}, "column amount_units cannot be read"),
}


@pytest.mark.parametrize("what", sorted(TOUCHED_BY_OTHERS))
async def test_a_paid_order_that_the_mark_passes_untouched_is_told_until_it_can_be_touched(what: str) -> None:
    """No round meets its record behind the mark, so the mark remembers it."""
    columns, why = TOUCHED_BY_OTHERS[what]
    world = await a_world(guarded=True)
    order = await world.receive("A")
    key = keys.order_row(order.key)
    before = dict(world.rows.dump()[key])
    world.rows.remove(keys.open_order(order))  # no round meets it in the line either
    world.rows.put(key, {**before, **columns})
    world.guard.record(order)
    world.chain.mine(FINAL_BLOCKS)

    await pay(world, "B")
    await pay(world, "C")
    raised = len(world.alarms.codes)
    world.clock.advance(DAY_MS)
    await pay(world, "D")

    (told,) = await unreadable_facts(world)
    assert why in told.detail
    assert len(world.alarms.codes) == raised
    world.rows.put(key, {**before, "status": "cancelled"})
    assert await unreadable_facts(world) == []
    await pay(world, "E")
    assert (await world.ledger.guard_rows.mark(GUARD)).passed is None


async def unreadable_facts(world: World) -> list[Fact]:
    """Return what the sweep sends of rows that cannot be used."""
    found = await standing_facts(world.ledger, world.clock(), read_group(AgeSettings, {}))
    return [fact for fact in found if fact.code == "row_unreadable"]


async def test_the_mark_stays_before_more_orders_than_it_can_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round reads them again then, and tells them."""
    monkeypatch.setattr(guard_past, "PASSED_MAX", 0)
    world = await a_world(guarded=True)
    frozen = await world.receive("A")
    key = keys.order_row(frozen.key)
    world.rows.put(key, {**world.rows.dump()[key], "status": "needs_approval"})
    world.guard.record(frozen)
    world.chain.mine(FINAL_BLOCKS)

    await pay(world, "B")
    raised = world.alarms.codes.count("row_unreadable")
    await pay(world, "C")

    assert await mark_of(world) == 0
    assert world.alarms.codes.count("row_unreadable") > raised > 0


async def test_open_transactions_are_settled_first() -> None:
    """It pauses, so that nothing more is bound, and says what to wait for."""
    world = await a_world(guarded=True)
    await world.receive()
    await world.distribution.drain()

    with pytest.raises(NotSettled):
        await from_guard(world).run(by="ana", why="too early")
    assert (await world.ledger.admin.pause_state()).paused


async def test_a_nonce_whose_guarded_payments_are_known_is_stepped_over() -> None:
    """The chain's count is ahead too: `--from-guard` moves no nonce, and `resolve` always named `rebuild`."""
    world = await a_world(guarded=True)
    copy = dict(world.rows._rows)
    paid = await world.receive("A")
    await world.distribution.drain()
    tx_hash = await world.last_hash(paid)
    await world.settle(FINAL_BLOCKS)
    put_back(world, copy)
    await world.ledger.admin.pause("ana", "the ledger was put back")
    world.chain.mine(POLICY.release_confirmations)
    store = RebuildStore(world.rows, world.clock)
    resolution = Resolution(
        ledger=world.ledger,
        chain=world.chain,
        history=FakeHistory(world.chain),
        store=store,
        identity=world.identity,
        policy=world.policy,
    )

    async def resolve() -> Resolved:
        return await resolution.resolve(OPERATOR, 0, tx_hash, by="ana", why="one payment of before")

    assert await resolve() is Resolved.REBUILD
    await from_guard(world).run(by="ana", why="put back")
    assert await resolve() is Resolved.STEPPED_OVER
    assert await Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard).obstacles() == []
    assert await world.status(paid) is OrderStatus.PAID
