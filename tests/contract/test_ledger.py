"""What the ledger promises of orders and transactions, in memory and in real tables."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.errors import ConflictingOrder, ForeignLedger
from distributor.ledger.binding import Binding
from distributor.model import AttemptKind, HoldReason, OpenTransaction, OrderStatus, Transaction, TransactionStatus
from distributor.state import PAID_WITHIN_S, PauseState, Stats
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs, utc_day
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.ports import UNSTORED, InsertRow
from tests.factories import BOB, IDENTITY, NOW_MS, OPERATOR, TOKEN, a_hash, an_attempt, an_order
from tests.fakes.bench import Bench, a_closing, bind, binding

DAY = "2027-01-15"
OTHER_OPERATOR = BOB


# Whose ledger ------------------------------------------------------------------------------------


async def test_an_empty_ledger_is_nobodys_and_binds_nothing(empty: Bench) -> None:
    """Without identity and nonce there are no books; without a control row the ledger is paused."""
    assert await empty.ledger.identity() is None
    assert await empty.ledger.binding_state(OPERATOR) is None
    assert await empty.ledger.admin.pause_state() == PauseState(
        paused=True, paused_by="ledger", paused_why="there is no control row"
    )


async def test_initialising_writes_identity_nonce_commitments_and_control(bench: Bench) -> None:
    """One group; the audit trail says from which nonce on."""
    assert await bench.ledger.identity() == IDENTITY
    assert await bench.keys() == ["commitments", "control", "identity", f"nonce:{OPERATOR}"]
    binding_state = await bench.binding_state()
    assert (binding_state.operator, binding_state.next_nonce, binding_state.committed_units) == (OPERATOR, 7, 0)
    assert bench.audit.entries["identity"]["nonce"] == 7


async def test_initialising_again_changes_nothing(bench: Bench) -> None:
    """Not the nonce either: it belongs to the bindings from now on."""
    assert not await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 0)
    assert (await bench.binding_state()).next_nonce == 7


async def test_a_ledger_of_others_is_never_taken_over(bench: Bench) -> None:
    """Another identity is refused by name."""
    with pytest.raises(ForeignLedger, match="ledger-1"):
        await bench.ledger.admin.initialise(replace(IDENTITY, ledger_id="ledger-2"), OPERATOR, 0)
    assert await bench.ledger.identity() == IDENTITY


async def test_an_operator_is_added_once(bench: Bench) -> None:
    """The second time its nonce is its own already."""
    assert await bench.ledger.admin.add_operator(OTHER_OPERATOR, 3)
    assert not await bench.ledger.admin.add_operator(OTHER_OPERATOR, 0)
    binding_state = await bench.ledger.binding_state(OTHER_OPERATOR)
    assert binding_state is not None
    assert binding_state.next_nonce == 3


async def test_control_is_set_by_the_one_who_read_it_last(bench: Bench) -> None:
    """A pause cannot be undone by someone who has not seen it."""
    before = await bench.ledger.admin.pause_state()
    await bench.ledger.admin.set_pause_state(replace(before, paused=True, paused_by="ana", paused_why="audit"))

    with pytest.raises(Contention):
        await bench.ledger.admin.set_pause_state(replace(before, paused=False))
    after = await bench.ledger.admin.pause_state()
    assert after == PauseState(paused=True, paused_by="ana", paused_why="audit")
    assert [entry["paused_by"] for key, entry in bench.audit.entries.items() if key.startswith("control")] == ["ana"]


# Orders ------------------------------------------------------------------------------------------


async def test_a_new_order_is_kept_with_its_reference_and_its_place_in_line(bench: Bench) -> None:
    """Three rows in one group; the order comes back as it will be read."""
    order = an_order("A-1", source="loja")
    inserted = await bench.ledger.insert(order)

    assert inserted.new
    assert inserted.order == order == await bench.ledger.order(order.key)
    assert inserted.order.version != UNSTORED
    assert {"order:loja:A-1", f"ref:{order.ref_id}", f"open:{NOW_MS:015d}:loja:A-1"} <= set(await bench.keys())


async def test_the_same_order_again_is_answered_with_the_first(bench: Bench) -> None:
    """Whatever its content: the caller compares fingerprints."""
    (first,) = await bench.received("ORD1")
    again = await bench.ledger.insert(an_order("ORD1", amount_units=TokenUnits(1), fingerprint="other"))

    assert not again.new
    assert again.order == first


async def test_of_fifty_racing_insertions_of_one_order_one_is_new(bench: Bench) -> None:
    """The others get the stored order."""
    racing = (bench.ledger.insert(an_order("ORD1", updated_ms=UnixMs(index))) for index in range(50))
    outcomes = await asyncio.gather(*racing)

    assert sum(outcome.new for outcome in outcomes) == 1
    (winner,) = [outcome.order for outcome in outcomes if outcome.new]
    assert all(outcome.order == winner for outcome in outcomes)
    assert await bench.order("ORD1") == winner


async def test_a_reference_spent_before_a_rebuild_is_never_paid_again(bench: Bench) -> None:
    """The reference is there, the order is not: refused, not inserted."""
    order = an_order("ORD1")
    await bench.rows.commit([InsertRow(key=f"ref:{order.ref_id}", values={"source": "default", "order_id": "ORD1"})])

    with pytest.raises(ConflictingOrder, match="rebuilt"):
        await bench.ledger.insert(order)
    assert await bench.ledger.order(order.key) is None


async def test_waiting_orders_come_in_pages_oldest_first(bench: Bench) -> None:
    """By the time of receipt; a page goes on behind the place it is given."""
    for number in [3, 1, 4, 2, 5]:
        await bench.received(f"ORD{number}", received_ms=UnixMs(NOW_MS + number))

    first = await bench.ledger.waiting(limit=2)
    second = await bench.ledger.waiting(limit=2, after=first.after)
    third = await bench.ledger.waiting(limit=2, after=second.after)

    pages = [[order.order_id for order in page.orders] for page in (first, second, third)]
    assert pages == [["ORD1", "ORD2"], ["ORD3", "ORD4"], ["ORD5"]]
    assert third.after == ""
    behind = await bench.ledger.waiting(limit=9, after=first.orders[0].queue_key)
    assert [order.order_id for order in behind.orders] == ["ORD2", "ORD3", "ORD4", "ORD5"]


async def test_an_order_bound_meanwhile_is_left_out_of_the_line(bench: Bench) -> None:
    """Its place was read before the binding, its row after."""
    await bench.bound("ORD1")
    await bench.received("ORD2")
    queue_key = an_order("ORD1").queue_key
    await bench.rows.commit([InsertRow(key=f"open:{queue_key}", values={"source": "default", "order_id": "ORD1"})])

    page = await bench.ledger.waiting(limit=9)

    assert [order.order_id for order in page.orders] == ["ORD2"]


async def test_a_held_order_leaves_the_line(bench: Bench) -> None:
    """It is found under its held row, and stays for a person."""
    (order,) = await bench.received("ORD1")
    bench.clock.advance(5)
    await bench.ledger.hold(order, HoldReason.SIMULATION, "refused on two nodes")

    held = await bench.order("ORD1")
    assert (held.status, held.hold_reason, held.hold_detail) == (
        OrderStatus.HELD,
        HoldReason.SIMULATION,
        "refused on two nodes",
    )
    assert held.updated_ms == NOW_MS + 5
    assert (await bench.ledger.waiting(limit=9)).orders == ()
    assert await bench.keys("held:", "held;") == ["held:default:ORD1"]
    assert bench.audit.entries["held:default:ORD1:unbound"]["reason"] == "simulation"


async def test_an_order_bound_meanwhile_is_not_held(bench: Bench) -> None:
    """The holder's view is stale: contention, and the binding is kept."""
    (order,) = await bench.received("ORD1")
    binding_state = await bench.binding_state()
    await bind(bench.ledger, binding_state, [order], *binding(7, [order]))

    with pytest.raises(Contention):
        await bench.ledger.hold(order, HoldReason.SIMULATION, "late")
    assert (await bench.order("ORD1")).status is OrderStatus.BOUND


# Binding -----------------------------------------------------------------------------------------


async def test_a_binding_moves_every_row_it_concerns_at_once(bench: Bench) -> None:
    """Orders, line, nonce, totals, transaction and first bytes: one group."""
    orders = await bench.received("ORD1", "ORD2")
    transaction, attempt = binding(7, orders)

    binding_state, stored = await bind(bench.ledger, await bench.binding_state(), orders, transaction, attempt)

    for order in orders:
        after = await bench.order(order.order_id)
        assert after == replace(order, status=OrderStatus.BOUND, operator=OPERATOR, nonce=7)
    assert (await bench.ledger.waiting(limit=9)).orders == ()
    assert await bench.ledger.transaction(OPERATOR, 7) == stored == transaction
    assert await bench.ledger.attempts(OPERATOR, 7) == [attempt]
    assert await bench.ledger.open_transactions() == [OpenTransaction(transaction=stored, attempts=(attempt,))]
    assert (binding_state.next_nonce, binding_state.committed_units) == (8, 20 * TOKEN)
    assert (binding_state.spent.day, binding_state.spent.units) == (DAY, 20 * TOKEN)
    assert await bench.binding_state() == binding_state


async def test_bindings_go_on_with_the_books_of_the_one_before(bench: Bench) -> None:
    """No reading in between: the versions come back with the answer."""
    binding_state = await bench.binding_state()
    for nonce, order in enumerate(await bench.received("ORD1", "ORD2", "ORD3"), start=7):
        binding_state, _ = await bind(bench.ledger, binding_state, [order], *binding(nonce, [order]))

    assert (binding_state.next_nonce, binding_state.committed_units) == (10, 30 * TOKEN)
    assert await bench.binding_state() == binding_state
    assert [each.transaction.nonce for each in await bench.ledger.open_transactions()] == [7, 8, 9]


async def test_several_nonces_are_bound_in_one_group(bench: Bench) -> None:
    """As if one after the other; each order is bound to the nonce of its own transaction."""
    orders = await bench.received("ORD1", "ORD2", "ORD3")
    bindings = [Binding([order], *binding(nonce, [order])) for nonce, order in enumerate(orders, start=7)]

    binding_state, stored = await bench.ledger.bind(await bench.binding_state(), bindings)

    assert [(await bench.order(order.order_id)).nonce for order in orders] == [7, 8, 9]
    assert [each.transaction for each in await bench.ledger.open_transactions()] == list(stored)
    assert (binding_state.next_nonce, binding_state.committed_units) == (10, 30 * TOKEN)
    assert await bench.binding_state() == binding_state


async def test_of_several_bindings_all_or_none_is_done(bench: Bench) -> None:
    """One of the orders was bound meanwhile: the nonces of the others stay free too."""
    orders, books = await bench.received("ORD1", "ORD2"), await bench.binding_state()
    books, _ = await bind(bench.ledger, books, orders[1:], *binding(7, orders[1:]))
    before = await bench.values()

    with pytest.raises(Contention):
        await bench.ledger.bind(books, [Binding([each], *binding(n, [each])) for n, each in enumerate(orders, start=8)])
    assert await bench.values() == before


async def test_a_binding_carries_up_to_thirty_orders(bench: Bench) -> None:
    """Its group, and its closing where every order is held, fit the table's hundred rows."""
    ids = [f"ORD{number}" for number in range(30)]
    transaction = await bench.bound(*ids)
    await bench.ledger.close(transaction, a_closing(held=ids))

    assert len(await bench.keys("held:", "held;")) == 30


async def test_of_two_binders_of_one_nonce_one_wins(bench: Bench) -> None:
    """The loser's order still waits, with no trace of the binding."""
    orders, binding_state = await bench.received("ORD1", "ORD2"), await bench.binding_state()

    racing = (bind(bench.ledger, binding_state, [order], *binding(7, [order])) for order in orders)
    outcomes = await asyncio.gather(*racing, return_exceptions=True)

    assert sum(isinstance(outcome, Contention) for outcome in outcomes) == 1
    loser = orders[[isinstance(outcome, Contention) for outcome in outcomes].index(True)]
    assert await bench.order(loser.order_id) == loser
    assert (await bench.binding_state()).committed_units == 10 * TOKEN
    assert len(await bench.ledger.open_transactions()) == 1


async def test_one_order_is_never_bound_twice(bench: Bench) -> None:
    """A binder with fresh books and a stale order loses, whole: its nonce stays free."""
    (order,) = await bench.received("ORD1")
    binding_state, _ = await bind(bench.ledger, await bench.binding_state(), [order], *binding(7, [order]))

    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, [order], *binding(8, [order]))
    assert await bench.binding_state() == binding_state
    assert await bench.ledger.transaction(OPERATOR, 8) is None


async def test_a_binding_counts_for_the_day_it_is_signed_on(bench: Bench) -> None:
    """Books read before midnight bind after it: the new day's total is read, and goes on."""
    orders, binding_state = await bench.received("ORD1", "ORD2"), await bench.binding_state()
    transactions = [
        replace(binding(nonce, [order])[0], bound_day="2027-01-16") for nonce, order in zip([7, 8], orders, strict=True)
    ]

    after, _ = await bind(bench.ledger, binding_state, [orders[0]], transactions[0], an_attempt(nonce=7))
    stale = replace(after, spent=binding_state.spent)
    after, _ = await bind(bench.ledger, stale, [orders[1]], transactions[1], an_attempt(nonce=8))

    assert (after.spent.day, after.spent.units) == ("2027-01-16", 20 * TOKEN)
    assert (await bench.binding_state()).spent.units == 0


# Following ---------------------------------------------------------------------------------------


async def test_open_transactions_come_by_operator_and_nonce_without_the_final_ones(bench: Bench) -> None:
    """Also those that lie between open ones, and each with all its attempts."""
    await bench.ledger.admin.add_operator(OTHER_OPERATOR, 3)
    first, second, third = [await bench.bound(order_id) for order_id in ("ORD1", "ORD2", "ORD3")]
    await bench.ledger.close(second, a_closing("ORD2"))
    first = await bench.ledger.add_attempt(first, an_attempt(1))
    other_books = await bench.ledger.binding_state(OTHER_OPERATOR)
    assert other_books is not None
    other_orders = await bench.received("ORD4")
    transaction, attempt = binding(3, other_orders, OTHER_OPERATOR)
    await bind(bench.ledger, other_books, other_orders, transaction, attempt)

    found = await bench.ledger.open_transactions()

    expected = [
        OpenTransaction(transaction=transaction, attempts=(attempt,)),
        OpenTransaction(transaction=first, attempts=(an_attempt(0), an_attempt(1))),
        OpenTransaction(transaction=third, attempts=(an_attempt(nonce=9),)),
    ]
    assert found == sorted(expected, key=lambda each: (each.transaction.operator, each.transaction.nonce))


async def test_what_became_of_several_transactions_is_kept_together(bench: Bench) -> None:
    """What another worker wrote since stays as that worker wrote it, and the others are kept."""
    bound = [await bench.bound(order_id) for order_id in ("ORD1", "ORD2", "ORD3")]
    submitted = [replace(each, status=TransactionStatus.SUBMITTED) for each in bound]

    assert await bench.ledger.update_all(submitted[:1]) == [True]
    assert await bench.ledger.update_all(submitted) == [False, True, True]
    found = [each.transaction.status for each in await bench.ledger.open_transactions()]
    assert found == [TransactionStatus.SUBMITTED] * 3
    assert await bench.ledger.update_all([]) == []


async def test_several_transactions_are_closed_in_one_group(bench: Bench) -> None:
    """What they paid is counted once each; one that was closed before is left as it is."""
    bound = [await bench.bound(order_id) for order_id in ("ORD1", "ORD2", "ORD3")]
    ends = [(each, a_closing(each.orders[0].order_id)) for each in bound]
    await bench.ledger.close(*ends[0])

    await bench.ledger.close_all(ends)
    await bench.ledger.close_all(ends)

    assert [(await bench.order(f"ORD{n}")).status for n in (1, 2, 3)] == [OrderStatus.PAID] * 3
    assert (await bench.ledger.stats(OPERATOR)).orders_paid == 3
    assert (await bench.binding_state()).committed_units == 0
    assert not await bench.ledger.any_open()


async def test_of_several_closings_all_or_none_is_done(bench: Bench) -> None:
    """One of the transactions was written by another worker since: the others are not closed either."""
    first, second = [await bench.bound(order_id) for order_id in ("ORD1", "ORD2")]
    await bench.ledger.update(replace(second, status=TransactionStatus.SUBMITTED))
    before = await bench.values()

    with pytest.raises(Contention, match="another worker has written"):
        await bench.ledger.close_all([(first, a_closing("ORD1")), (second, a_closing("ORD2"))])
    assert await bench.values() == before


async def test_any_open_tells_whether_settlement_has_work(bench: Bench) -> None:
    """From the binding to the closing."""
    assert not await bench.ledger.any_open()
    transaction = await bench.bound("ORD1")
    assert await bench.ledger.any_open()
    await bench.ledger.close(transaction, a_closing("ORD1"))
    assert not await bench.ledger.any_open()


async def test_an_update_is_kept_unless_another_came_first(bench: Bench) -> None:
    """A settler with a stale view loses, and the first one's word is kept."""
    bound = await bench.bound("ORD1")
    mined = replace(
        bound, status=TransactionStatus.MINED, mined_hash=a_hash("m"), block_number=5, block_hash=a_hash("b")
    )
    stored = await bench.ledger.update(mined)

    with pytest.raises(Contention):
        await bench.ledger.update(replace(bound, status=TransactionStatus.SUBMITTED))
    assert await bench.ledger.transaction(OPERATOR, 7) == stored == mined
    again = await bench.ledger.update(replace(stored, status=TransactionStatus.SUBMITTED, mined_hash=None))
    assert await bench.ledger.transaction(OPERATOR, 7) == again


async def test_of_two_settlers_one_owns_the_next_attempt(bench: Bench) -> None:
    """The loser's bytes are in no row, so it hands them to no node."""
    bound = await bench.bound("ORD1")
    rivals = [an_attempt(1, raw=b"one"), an_attempt(1, raw=b"other", kind=AttemptKind.CANCEL)]

    racing = (bench.ledger.add_attempt(bound, rival) for rival in rivals)
    outcomes = await asyncio.gather(*racing, return_exceptions=True)

    (lost,) = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, Contention)]
    assert await bench.ledger.attempts(OPERATOR, 7) == [an_attempt(0), rivals[1 - lost]]
    assert await bench.ledger.transaction(OPERATOR, 7) == outcomes[1 - lost]


async def test_a_closing_pays_its_orders_and_frees_what_was_committed(bench: Bench) -> None:
    """The nonce stays with the paid order; the day's total stays spent."""
    bound = await bench.bound("ORD1")
    bench.clock.advance(9)
    await bench.ledger.close(bound, a_closing("ORD1"))

    paid = await bench.order("ORD1")
    assert (paid.status, paid.operator, paid.nonce) == (OrderStatus.PAID, OPERATOR, 7)
    assert (paid.paid_hash, paid.paid_block, paid.updated_ms) == (a_hash("final"), 90, NOW_MS + 9)
    final = await bench.ledger.transaction(OPERATOR, 7)
    assert final == replace(bound, status=TransactionStatus.FINAL, mined_hash=a_hash("final"), block_number=90)
    binding_state = await bench.binding_state()
    assert (binding_state.committed_units, binding_state.spent.units) == (0, 10 * TOKEN)
    assert await bench.ledger.open_transactions() == []
    assert await bench.ledger.stats(OPERATOR) == Stats(
        transactions=1,
        orders_paid=1,
        paid_units=TokenUnits(10 * TOKEN),
        gas_used=63_000,
        gas_cost_wei=Wei(63_000 * 10**9),
        paid_within=(1, *[0] * len(PAID_WITHIN_S)),
        paid_ms_sum=9,
    )


async def test_a_closing_and_a_reopening_are_counted_by_their_day(bench: Bench) -> None:
    """The days are one range, whose first and last belong to it; the order leaves the day that counted it."""
    await bench.ledger.close(await bench.bound("ORD1", "ORD2"), a_closing("ORD1", "ORD2"))
    today = utc_day(UnixMs(NOW_MS))
    bench.clock.advance(86_400_000)
    await bench.ledger.exits.reopen(await bench.order("ORD1"), "gone")
    await bench.ledger.close(await bench.bound("ORD3"), a_closing("ORD3"))
    tomorrow = utc_day(bench.clock())

    found = await bench.ledger.days(today, tomorrow)
    assert (found.began, sorted(found.totals), found.unreadable) == (today, [today, tomorrow], [])
    assert [(found.totals[day].orders, found.totals[day].payouts) for day in (today, tomorrow)] == [(1, 1), (1, 1)]
    assert found.totals[today].gas_used == found.totals[tomorrow].gas_used == 63_000
    assert list((await bench.ledger.days(tomorrow, tomorrow)).totals) == [tomorrow]


async def test_a_closing_holds_the_orders_its_receipt_did_not_pay(bench: Bench) -> None:
    """Their nonce is spent and leaves them; the day of the binding gets their amount back."""
    bound = await bench.bound("ORD1", "ORD2")
    bench.clock.advance(86_400_000)
    await bench.ledger.close(bound, a_closing("ORD1", held=["ORD2"]))

    held = await bench.order("ORD2")
    assert (held.status, held.operator, held.nonce) == (OrderStatus.HELD, None, None)
    assert (held.hold_reason, held.hold_detail) == (HoldReason.REVERTED, "execution reverted")
    assert (held.paid_hash, held.paid_block) == (a_hash("final"), None)
    assert await bench.keys("held:", "held;") == ["held:default:ORD2"]
    spent = (await bench.values())[f"spent:{DAY}"]
    assert spent["units"] == str(10 * TOKEN)
    assert (await bench.binding_state()).committed_units == 0
    assert (await bench.ledger.stats(OPERATOR)).paid_units == 10 * TOKEN
    assert bench.audit.entries[f"held:default:ORD2:{a_hash('final')}"]["detail"] == "execution reverted"


async def test_closings_add_up(bench: Bench) -> None:
    """The operator's totals go on from closing to closing."""
    for order_id in ("ORD1", "ORD2"):
        await bench.ledger.close(await bench.bound(order_id), a_closing(order_id))

    stats = await bench.ledger.stats(OPERATOR)
    assert (stats.transactions, stats.orders_paid, stats.gas_used) == (2, 2, 126_000)


async def test_the_newest_closed_block_is_remembered(bench: Bench) -> None:
    """Whatever the order of the closings; until somebody has looked at it."""
    for order_id, number in (("ORD1", 90), ("ORD2", 92), ("ORD3", 91)):
        bound = await bench.bound(order_id)
        closing = a_closing(order_id, block_number=number)
        await bench.ledger.close(replace(bound, block_number=number, block_hash=a_hash(f"b{number}")), closing)

    stats = await bench.ledger.stats(OPERATOR)
    assert (stats.final_number, stats.final_hash) == (92, a_hash("b92"))
    await bench.ledger.forget_final(OPERATOR, stats)
    assert (await bench.ledger.stats(OPERATOR)).final_number is None
    with pytest.raises(Contention):
        await bench.ledger.forget_final(OPERATOR, stats)


async def test_closing_again_changes_nothing(bench: Bench) -> None:
    """A message that comes twice, or a settler that died after the group."""
    bound = await bench.bound("ORD1")
    await bench.ledger.close(bound, a_closing("ORD1"))
    before = await bench.values()

    await bench.ledger.close(bound, a_closing("ORD1"))

    assert await bench.values() == before


async def test_a_transaction_is_never_closed_by_a_second_receipt(bench: Bench) -> None:
    """Two final receipts for one nonce cannot be: a bug or a stolen key."""
    bound = await bench.bound("ORD1")
    await bench.ledger.close(bound, a_closing("ORD1"))

    with pytest.raises(InvariantBroken, match="not " + a_hash("rival")):
        await bench.ledger.close(bound, a_closing("ORD1", tx_hash=a_hash("rival")))


async def test_a_closing_from_a_stale_view_is_contention(bench: Bench) -> None:
    """Another settler has added an attempt: judge again."""
    bound = await bench.bound("ORD1")
    await bench.ledger.add_attempt(bound, an_attempt(1))

    with pytest.raises(Contention):
        await bench.ledger.close(bound, a_closing("ORD1"))
    assert (await bench.order("ORD1")).status is OrderStatus.BOUND


async def test_of_racing_closings_one_counts(bench: Bench) -> None:
    """All succeed, and the totals move once."""
    bound = await bench.bound("ORD1")

    await asyncio.gather(*(bench.ledger.close(bound, a_closing("ORD1")) for _ in range(5)))

    assert (await bench.ledger.stats(OPERATOR)).transactions == 1


async def test_bindings_and_closings_share_the_totals_without_losing_any(bench: Bench) -> None:
    """Each side may lose a race and look again; in the end all is accounted for."""
    bound = [await bench.bound(f"OLD{number}") for number in range(4)]
    orders = await bench.received(*(f"NEW{number}" for number in range(4)))

    async def bind_all() -> None:
        waiting = list(orders)
        while waiting:
            binding_state = await bench.binding_state()
            try:
                await bind(bench.ledger, binding_state, waiting[:1], *binding(binding_state.next_nonce, waiting[:1]))
            except Contention:
                continue
            del waiting[0]

    async def close(transaction: Transaction) -> None:
        while True:
            try:
                await bench.ledger.close(transaction, a_closing(transaction.orders[0].order_id))
            except Contention:
                continue
            return

    await asyncio.gather(bind_all(), *map(close, bound))

    binding_state = await bench.binding_state()
    assert (binding_state.next_nonce, binding_state.committed_units) == (15, 40 * TOKEN)
    assert (await bench.ledger.stats(OPERATOR)).transactions == 4
