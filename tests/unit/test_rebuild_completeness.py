"""Whether what was found is all there is: exports, pruned nodes, books that must add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable, NoSuchTransaction
from distributor.ledger.past import LEVEL
from distributor.ledger.rebuild_store import RebuildStore, RestoreResult
from distributor.model import Hash, HoldReason, OrderStatus
from distributor.payout.history import Arrival, ReserveTransfer
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.recovery.completeness import Books, Completeness, Held
from distributor.recovery.export import ExportedHistory, NotAnExport, read_export
from distributor.units import TokenUnits
from tests.factories import TOKEN, a_block, a_hash, an_order
from tests.fakes.chain import OPERATOR, RESERVE
from tests.fakes.chain_state import GUARD
from tests.fakes.history import FILLED, FakeHistory
from tests.rebuilding import (
    Desk,
    a_payout,
    lose_ledger,
    send_again,
)
from tests.world import IDENTITY, World, a_world


async def test_a_sum_by_another_machine_than_the_payments_were_read_from_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One address, two machines: the pruned one shows no payment, the whole one shows that the past adds up."""
    world = await a_world()
    await a_payout(world, "A")
    desk = await lose_ledger(world)
    whole, pruned = desk.history.reserve_transfers, [True]

    async def by_turns(first: int, last: int) -> Sequence[ReserveTransfer]:
        return [] if pruned and pruned.pop() else await whole(first, last)

    monkeypatch.setattr(desk.history, "reserve_transfers", by_turns)
    report = await desk.rebuild()

    assert report.restored.total() == 0
    assert "does not answer alike" in report.incomplete
    assert (await desk.rebuild()).restored[RestoreResult.NEW] == 1


def an_export(world: World, *left_out: Hash) -> str:
    """Return what an explorer lists of the reserve, without the transactions *left_out*."""
    listed = [FILLED, *(each.tx_hash for each in world.chain.receipts if each.transfers)]
    lines = [f'"{each}","1","2026-11-29","{RESERVE}","10.0"' for each in listed if each not in left_out]
    return "\n".join(['\ufeff"Transaction Hash","Blockno","DateTime (UTC)","From","TokenValue"', *lines, ""])


async def test_a_past_that_no_node_has_logs_of_is_read_from_an_explorers_export() -> None:
    """Of the file only the hashes are believed: each line is a receipt."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.history.forgets = True
    assert not (await desk.rebuild()).clear
    desk.export = ExportedHistory(desk.history, read_export(an_export(world)))
    report = await desk.rebuild()

    assert report.clear
    assert report.restored[RestoreResult.NEW] == 2
    assert desk.history.receipts_asked == 3
    assert set((await send_again(desk.world, "A", "B")).values()) == {OrderStatus.PAID}


async def test_an_export_that_leaves_out_a_payment_or_names_no_transaction_is_refused() -> None:
    """An explorer's file ends after some thousand lines: what is missing shows in the reserve's balance."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    last = await world.last_hash(an_order("B"))
    desk = await lose_ledger(world)
    desk.export = ExportedHistory(desk.history, read_export(an_export(world, last)))
    assert "are missing" in (await desk.rebuild()).incomplete

    desk.export = ExportedHistory(desk.history, [a_hash("nowhere")])
    with pytest.raises(NoSuchTransaction):
        await desk.rebuild()


async def test_an_export_is_one_word_about_what_there_was_however_many_nodes_show_its_receipts() -> None:
    """It begins where the reserve was empty, and adds up; the nodes are never asked what it leaves out."""
    world = await a_world()
    for order_id in "AB":
        await a_payout(world, order_id)
    desk = await lose_ledger(world)
    desk.world.chain._nodes = ("one.example", "two.test")
    desk.history.supply_before = 1
    desk.export = ExportedHistory(desk.history, read_export(an_export(world)))

    report = await desk.rebuild()

    assert "was not made in these blocks" in report.incomplete
    assert report.ledger_id == ""
    desk.export = None
    assert (await desk.rebuild()).clear


def test_a_file_is_an_export_only_if_each_line_names_a_transaction() -> None:
    """But for a header and empty lines; a transaction that moved twice is listed twice, and read once."""
    one, two = a_hash("one"), a_hash("two")
    assert read_export(f"Txhash,To\n{one},x\n\n{two},y\n{one.upper().replace('X', 'x')},x\n") == [one, two]
    assert read_export(f"{one}\n") == [one]
    with pytest.raises(NotAnExport, match="line 3"):
        read_export(f"Txhash\n{one}\nabout 5000 more\n")
    for empty in ("", "Txhash,To\n"):
        with pytest.raises(NotAnExport, match="the file"):
            read_export(empty)


# is that all there is? ------------------------------------------------------------------------------


async def test_a_node_that_has_pruned_its_past_is_not_believed() -> None:
    """Found-faults A3: it answers with nothing; 0 payouts, exit 0, and all was paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.history.forgets = True

    report = await context.rebuild()

    assert "0 units came to the reserve" in report.incomplete
    assert not report.clear
    assert await context.world.ledger.identity() is None
    assert (await context.use_case.look(0)).incomplete == report.incomplete


async def test_a_start_after_the_first_payout_is_not_believed() -> None:
    """What came before it is missing in the sum."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)

    report = await context.rebuild(first_block=5)

    assert "units are missing" in report.incomplete


async def test_a_person_may_take_a_past_that_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words; a token that makes tokens without an event, say."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.accept_incomplete = "the token was migrated without events"
    arrivals = context.history.reserve_arrivals

    async def fewer(first: int, last: int) -> Sequence[Arrival]:
        return [replace(each, amount_units=TokenUnits(each.amount_units - 1)) for each in await arrivals(first, last)]

    monkeypatch.setattr(context.history, "reserve_arrivals", fewer)
    report = await context.rebuild()

    assert report.clear
    assert any("Accepted: the token was migrated" in line for line in context.said)


async def a_past_in_part() -> Desk:
    """ORD0 and ORD1 are paid and the ledger lost; a person takes what came after ORD0 for the whole past."""
    world = await a_world()
    await a_payout(world, "ORD0")
    first_block = world.chain.head.number + 1
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    context.accept_incomplete = "no node keeps older logs"
    assert (await context.rebuild(first_block=first_block)).clear
    await context.resume()
    context.world.start()
    return context


async def test_after_an_incomplete_past_each_order_waits_for_a_person() -> None:
    """Found-faults A3: what was paid in the part nobody showed comes again as new, and would be paid twice."""
    world = (await a_past_in_part()).world
    again, new = await world.receive("ORD0"), await world.receive("NEW")

    await world.distribution.drain()

    assert len(world.transfers()) == 2
    held = [await world.order(each) for each in (again, new)]
    assert [each.hold_reason for each in held] == [HoldReason.PAST_UNKNOWN] * 2
    assert "units are missing" in held[0].hold_detail
    assert world.alarms.codes.count("held_past_unknown") == 2
    await world.ledger.admin.retry(held[1], "ana", "not on the explorer")
    await world.distribution.drain()
    await world.settle(8)
    assert await world.status(new) is OrderStatus.PAID
    assert await world.status(again) is OrderStatus.HELD


async def test_a_person_who_knows_the_past_ends_the_doubt_for_what_comes() -> None:
    """And what older code would pay without a look it binds not at all."""
    world = (await a_past_in_part()).world
    assert await world.ledger.schema_level() == LEVEL <= SCHEMA_LEVEL
    assert await world.ledger.past.trust()
    assert not await world.ledger.past.trust()
    new = await world.receive("NEW")

    await world.distribution.drain()
    await world.settle(8)

    assert await world.status(new) is OrderStatus.PAID


async def test_a_guard_of_later_has_not_recorded_the_past_that_nobody_found() -> None:
    """It was filled from this ledger: what is missing here is missing there, and it would pay it a second time."""
    world = (await a_past_in_part()).world
    world.guard.install(OPERATOR)
    async for order in RebuildStore(world.rows, world.clock).orders():
        world.guard.record(order)
    await world.ledger.guard_rows.change(GUARD, 1, "ana", "all imported")
    world.identity = replace(IDENTITY, guard=GUARD, guard_since=1)
    world.start()
    again = await world.receive("ORD0")

    await world.distribution.drain()

    assert (await world.order(again)).hold_reason is HoldReason.PAST_UNKNOWN
    assert len(world.transfers()) == 2


@pytest.mark.parametrize("lost", [False, True])
async def test_the_guard_of_before_has_recorded_it(lost: bool) -> None:
    """Its ledger went back and said so itself; of a ledger that was lost nobody knows how long it had that guard."""
    world = await a_world(guarded=True)
    desk = await lose_ledger(world) if lost else Desk(world)
    desk.identity, desk.accept_incomplete = world.identity, "no node keeps older logs"
    desk.history.forgets = True
    assert (await desk.rebuild()).clear
    await desk.resume()
    desk.world.identity = world.identity
    desk.world.start()
    new = await desk.world.receive("NEW")

    await desk.world.distribution.drain()

    assert (await desk.world.status(new) is OrderStatus.HELD) == lost


async def test_a_later_rebuild_whose_past_adds_up_ends_the_doubt() -> None:
    """The missing part is found: nothing is doubted any more, and what was paid in it is known."""
    context = await a_past_in_part()
    assert await context.world.ledger.past.doubted() is not None
    context.accept_incomplete = ""

    assert (await context.rebuild()).clear
    assert await context.world.ledger.past.doubted() is None
    assert (await context.world.receive("ORD0")).status is OrderStatus.PAID


def test_an_emptied_reserve_adds_up_and_proves_nothing_by_one_node() -> None:
    """A window that begins where the reserve held nothing; two nodes that agree are believed."""
    books = Books(arrived_units=10, left_units=10, held_units=0, emptied=True, from_creation=True)

    assert "was empty before" in books.trouble(providers=1, read_units=10)
    assert books.trouble(providers=2, read_units=10) == ""
    begins = replace(books, emptied=False)
    assert begins.trouble(providers=1, read_units=10) == ""
    assert "was not made in these blocks" in replace(begins, from_creation=False).trouble(providers=1, read_units=10)
    assert replace(begins, from_creation=False).trouble(providers=2, read_units=10) == ""


async def test_a_window_that_begins_where_the_reserve_was_empty_is_not_believed_by_one_node() -> None:
    """Filled anew and paid from since, it adds up: what was paid out of the first filling would be paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    begins, held = world.chain.head.number + 1, world.chain.balance_of(RESERVE)
    world.chain.mine()
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)

    async def window(first: int, last: int) -> Sequence[Arrival]:
        refilled = Arrival(block=a_block(begins), log_index=0, amount_units=held)
        return [refilled] if first <= begins <= last else []

    context.history.reserve_arrivals = window  # type: ignore[method-assign, assignment]
    context.history.minted = nothing  # type: ignore[method-assign, assignment]
    report = await context.rebuild(first_block=begins)

    assert "was not made in these blocks" in report.incomplete
    assert await context.world.ledger.identity() is None
    context.world.chain._nodes = ("one.example", "two.test")
    assert (await context.rebuild(first_block=begins)).clear


async def nothing(first: int, last: int) -> int:
    """A node that shows no beginning."""
    return 0 * (first + last)


async def test_a_token_that_does_not_tell_its_supply_proves_no_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a node that gives none of those logs."""
    world = await a_world()
    history = FakeHistory(world.chain)

    async def silent(*_: int) -> int | None:
        raise ChainUnavailable

    for question, answer in (("supply", _tells_nothing), ("supply", silent), ("minted", silent)):
        monkeypatch.undo()
        monkeypatch.setattr(history, question, answer)
        asked = Completeness(history=history)
        books = await asked.books(0, 0, await asked.held(0), providers=1)
        assert not books.from_creation


async def _tells_nothing(_: int) -> int | None:
    return None


async def test_the_books_see_where_the_reserve_was_empty() -> None:
    """Before the end; at the end it may be."""
    world = await a_world()
    await a_payout(world, "ORD1")
    history = FakeHistory(world.chain)
    last = world.chain.head.number
    asked = Completeness(history=history)
    books = await asked.books(0, last, await asked.held(last), providers=1)
    assert (books.emptied, books.left_units) == (False, 10 * TOKEN)

    async def just_enough(first: int, _: int) -> Sequence[Arrival]:
        units = TokenUnits(10 * TOKEN)
        return [Arrival(block=a_block(first + place), log_index=0, amount_units=units) for place in (0, 3)]

    history.reserve_arrivals = just_enough  # type: ignore[method-assign, assignment]
    emptied = await asked.books(0, last, Held(TokenUnits(10 * TOKEN), None), providers=1)
    assert emptied.emptied
