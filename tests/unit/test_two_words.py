"""Closings on two nodes, in memory: false words, silence, and what a person hears of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import Mark, Receipt
from distributor.ledger.doubts import Doubts
from distributor.model import HoldReason, Order, OrderStatus, Transaction, TransactionStatus
from distributor.payout.confirmation import WITNESS_PATIENCE_MS
from tests.factories import POLICY, a_block
from tests.fakes.chain import OPERATOR, RESERVE, FakeChain
from tests.fakes.chain_state import a_transfer
from tests.world import World, a_world

ONE, TWO, THREE = "one", "two", "three"
MINUTES_TURNS = 30
Lie = Callable[[Receipt], Receipt | None]


async def two_nodes(*nodes: str) -> World:
    """Return a world behind two nodes, or those named."""
    return await a_world(chain=FakeChain(nodes=nodes or (ONE, TWO)))


async def a_bound_order(world: World) -> Order:
    """Return an order whose transaction is in the pool."""
    order = await world.receive()
    await world.distribution.drain()
    return order


async def transaction(world: World, nonce: int = 0) -> Transaction:
    """Return the transaction of *nonce*."""
    found = await world.ledger.transaction(OPERATOR, nonce)
    assert found is not None
    return found


def without_logs(receipt: Receipt) -> Receipt:
    """Show the receipt without its events."""
    return replace(receipt, transfers=())


def reverted(receipt: Receipt) -> Receipt:
    """Call it reverted."""
    return replace(receipt, succeeded=False, transfers=())


def elsewhere(receipt: Receipt) -> Receipt:
    """Show it in another block."""
    return replace(receipt, block=a_block(receipt.block.number, "rival"))


def nowhere(_receipt: Receipt) -> None:
    """Say that it is in no block."""


def paying(order: Order) -> Lie:
    """Show a transfer that there is not."""
    return lambda receipt: replace(receipt, succeeded=True, transfers=(a_transfer(RESERVE, order),))


# A5: paid on one node's word ------------------------------------------------------------------------


async def test_a_payment_that_only_the_first_node_shows_is_not_paid() -> None:
    """It shows a reverted receipt as a success with a transfer: the order stays open, and a person hears both words."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.said_by(ONE).receipt = paying(order)

    await world.settle(MINUTES_TURNS)

    assert await world.status(order) is OrderStatus.BOUND
    assert (await transaction(world)).status is TransactionStatus.MINED
    assert set(world.alarms.codes) == {"nodes_disagree"}
    summary = world.alarms.raised[0].summary
    assert f"Node {ONE}: succeeded" in summary
    assert f"Node {TWO}: reverted" in summary


async def test_both_nodes_show_it_and_it_is_paid_by_two() -> None:
    """The usual way; one more request to each node."""
    world = await two_nodes()
    order = await a_bound_order(world)

    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert (await transaction(world)).witnesses == 2
    assert not world.alarms.raised
    assert world.chain.calls["words"] == 2


# A6: a witness's own proof ---------------------------------------------------------------------------


@pytest.mark.parametrize("liar", [ONE, TWO])
@pytest.mark.parametrize("lie", [without_logs, reverted, elsewhere, nowhere])
async def test_a_transfer_that_any_node_shows_forbids_held_and_release(liar: str, lie: Lie) -> None:
    """However long the other says otherwise, the nonce stays the order's; with one truth again it is paid."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.said_by(liar).receipt = lie

    await world.settle(MINUTES_TURNS)

    assert await world.status(order) is OrderStatus.BOUND
    assert "held_no_transfer" not in world.alarms.codes
    world.chain.calm()
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


@pytest.mark.parametrize("lie", [elsewhere, nowhere, lambda receipt: replace(receipt, succeeded=True)])
async def test_a_release_needs_two_equal_words(lie: Lie) -> None:
    """One node that lies cannot free an order for another payment."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.said_by(TWO).receipt = lie

    await world.settle(MINUTES_TURNS)
    assert await world.status(order) is OrderStatus.BOUND
    world.chain.calm()
    await world.settle(2)

    held = await world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REVERTED)


async def test_a_release_needs_its_depth_at_both_nodes() -> None:
    """The witness follows a younger chain: a reorganisation would take there what the first calls deep."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine(POLICY.min_confirmations + POLICY.release_confirmations + 5)
    block = world.chain.receipts[0].block.number
    world.chain.said_by(TWO).mark = Mark(block + POLICY.min_confirmations, block)

    await world.settle(3)

    assert await world.status(order) is OrderStatus.BOUND
    world.chain.said_by(TWO).mark = None
    await world.settle(1)
    assert await world.status(order) is OrderStatus.HELD


async def test_a_first_node_that_calls_everything_final_pays_nothing() -> None:
    """The honest witness has the same block one confirmation deep; then it leaves the chain."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.mine()
    await world.settlement.turn()
    world.chain.mine(1)
    world.chain.said_by(TWO).mark = Mark(world.chain.head.number, 0)
    world.chain.mine(20)
    await world.settle(1)
    assert await world.status(order) is OrderStatus.BOUND

    world.chain.reorg(world.chain.head.number)
    await world.settlement.turn()

    assert (await transaction(world)).status is TransactionStatus.SUBMITTED


# a third node ---------------------------------------------------------------------------------------


async def test_a_third_node_decides_towards_paid() -> None:
    """The first shows no logs, two others show the transfer."""
    world = await two_nodes(ONE, TWO, THREE)
    order = await a_bound_order(world)
    world.chain.said_by(ONE).receipt = without_logs

    await world.settle(MINUTES_TURNS)

    assert await world.status(order) is OrderStatus.PAID


async def test_a_third_node_never_decides_towards_a_release() -> None:
    """Two show no transfer and one does: nothing is held."""
    world = await two_nodes(ONE, TWO, THREE)
    order = await a_bound_order(world)
    for node in (ONE, TWO):
        world.chain.said_by(node).receipt = without_logs

    await world.settle(MINUTES_TURNS)

    assert await world.status(order) is OrderStatus.BOUND


# silence ---------------------------------------------------------------------------------------------


async def pass_time(world: World, ms: int) -> None:
    """Let the service work for so long, a block every two seconds, a look every twenty."""
    for _ in range(ms // 20_000):
        world.chain.mine(9)
        world.clock.advance(18_000)
        await world.settle(1)


async def test_a_dead_witness_delays_a_payment_and_ends_it_marked() -> None:
    """Ten minutes later a person hears of it, and what is deep enough is paid on one word, to be looked at again."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.go_down(TWO)
    await pass_time(world, WITNESS_PATIENCE_MS - 40_000)
    assert await world.status(order) is OrderStatus.BOUND
    assert not world.alarms.raised

    await pass_time(world, 100_000)

    assert await world.status(order) is OrderStatus.PAID
    assert set(world.alarms.codes) == {"witness_missing"}
    assert (await transaction(world)).witnesses == 1
    assert [slot.nonce for slot in await world.ledger.doubts.unwitnessed()] == [0]


async def test_a_batch_with_a_failed_item_waits_whole_and_ends_when_the_node_is_taken_out() -> None:
    """A batch closes as a whole, and nothing is released on one word: the alarm names its orders and the way out."""
    world = await a_world(guarded=True, chain=FakeChain(nodes=(ONE, TWO)))
    world.orders_per_transaction = 2
    world.start()
    paid, failed = await world.receive(), await world.receive()
    await world.distribution.drain()
    world.chain.rules.failing_refs.add(failed.ref_id)
    world.chain.go_down(TWO)

    await pass_time(world, 4 * WITNESS_PATIENCE_MS)

    assert await world.status(paid) is OrderStatus.BOUND
    told = [alarm for alarm in world.alarms.raised if alarm.code == "witness_missing"]
    assert str(paid.key) in told[-1].summary
    assert "wait with the one that failed" in told[-1].summary
    assert "take it out of RPC_URL" in told[-1].action
    world.chain._nodes = (ONE,)
    await world.settle(3)
    assert await world.status(paid) is OrderStatus.PAID
    assert await world.status(failed) is not OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_nothing_is_released_while_the_witness_is_away() -> None:
    """For as long as that is; what is to be paid goes its way beside it."""
    world = await two_nodes()
    failed = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine()
    world.chain.pause_authority(paused=False)
    paid = await a_bound_order(world)
    world.chain.go_down(TWO)

    await pass_time(world, 4 * WITNESS_PATIENCE_MS)

    assert await world.status(failed) is OrderStatus.BOUND
    assert await world.status(paid) is OrderStatus.PAID
    world.chain.come_back()
    await world.settle(2)
    assert await world.status(failed) is OrderStatus.HELD


async def test_a_payment_waits_for_its_depth_before_it_is_closed_on_one_word() -> None:
    """The patience is over and the block is young."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.go_down(TWO)
    world.chain.mine(POLICY.min_confirmations + 2)
    await world.settlement.turn()
    await world.settlement.turn()
    world.clock.advance(2 * WITNESS_PATIENCE_MS)
    await world.settlement.turn()
    assert await world.status(order) is OrderStatus.BOUND

    world.chain.mine(POLICY.release_confirmations)
    await world.settlement.turn()

    assert await world.status(order) is OrderStatus.PAID


async def test_a_word_that_comes_in_between_begins_the_patience_anew() -> None:
    """An unequal word is no silence: nothing is paid on one word because another was unlike it ten minutes ago."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.go_down(TWO)
    await pass_time(world, WITNESS_PATIENCE_MS - 60_000)
    world.chain.come_back()
    world.chain.said_by(TWO).receipt = nowhere
    await world.settle(1)
    assert (await transaction(world)).alone_since_ms is None
    world.chain.go_down(TWO)

    await pass_time(world, WITNESS_PATIENCE_MS - 60_000)

    assert await world.status(order) is OrderStatus.BOUND


async def test_a_dead_second_node_stops_no_closing_behind_it() -> None:
    """A8: one reverted order whose release is due, and others behind it that are paid."""
    world = await two_nodes()
    failed = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine()
    world.chain.pause_authority(paused=False)
    await world.settle(MINUTES_TURNS)
    assert await world.status(failed) is OrderStatus.HELD
    world.chain.go_down(TWO)
    behind = [await a_bound_order(world) for _ in range(3)]

    await pass_time(world, 2 * WITNESS_PATIENCE_MS)

    assert {await world.status(order) for order in behind} == {OrderStatus.PAID}


# a node that contradicts itself ------------------------------------------------------------------------


async def a_paid_order(world: World) -> Order:
    """Return an order that is final."""
    order = await a_bound_order(world)
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    return order


async def test_a_node_caught_in_a_contradiction_closes_nothing_in_that_turn() -> None:
    """A7: it shows another block where something was closed, and in the same breath a payment as final."""
    world = await two_nodes()
    await a_paid_order(world)
    closed = (await world.ledger.stats(OPERATOR)).final_number
    assert closed is not None
    order = await a_bound_order(world)
    world.chain.mine(6)
    await world.settlement.turn()
    world.chain.said_by(ONE).forks = frozenset({closed})

    await world.settlement.turn()

    assert await world.status(order) is OrderStatus.BOUND
    assert not (await world.ledger.admin.pause_state()).paused
    assert world.alarms.codes == ["nodes_disagree"]
    assert list(await world.ledger.doubts.distrusted()) == [ONE]


async def test_a_node_that_goes_on_being_wrong_about_a_block_is_not_looked_at_first() -> None:
    """From the next turn on the second node is; two words still close, and a person hears of the first."""
    world = await two_nodes()
    await a_paid_order(world)
    closed = (await world.ledger.stats(OPERATOR)).final_number
    assert closed is not None
    order = await a_bound_order(world)
    world.chain.said_by(ONE).forks = frozenset({closed})

    await world.settle(10)

    assert await world.status(order) is OrderStatus.PAID
    assert set(world.alarms.codes) == {"nodes_disagree"}


async def test_two_nodes_that_show_another_block_pause_at_once() -> None:
    """What was final has left the chain."""
    world = await two_nodes()
    await a_paid_order(world)
    await a_bound_order(world)
    world.chain.reorg(world.chain.head.number)

    await world.settlement.turn()

    assert (await world.ledger.admin.pause_state()).paused_by == "finality"
    assert world.alarms.codes == ["finality_violated"]


@pytest.mark.parametrize("nodes", [("only",), (ONE, TWO)], ids=["one node", "a silent second"])
async def test_one_nodes_word_about_a_final_block_must_last_for_a_minute(nodes: tuple[str, ...]) -> None:
    """A machine on a fork behind the address may have answered once; nothing is closed meanwhile."""
    world = await two_nodes(*nodes)
    await a_paid_order(world)
    order = await a_bound_order(world)
    world.chain.go_down(TWO) if len(nodes) > 1 else None
    world.chain.reorg(world.chain.head.number)
    world.chain.mine(10)

    await world.settle(29)
    before = (await world.ledger.admin.pause_state()).paused
    await world.settle(2)

    assert not before
    assert (await world.ledger.admin.pause_state()).paused_by == "finality"
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_node_that_contradicted_itself_closes_nothing_alone_however_long_the_other_is_away() -> None:
    """Found-faults A7: its word counts only with a second one, until a person or a hundred blocks have passed."""
    world = await two_nodes()
    order = await a_bound_order(world)
    world.chain.go_down(TWO)
    await pass_time(world, WITNESS_PATIENCE_MS)
    await world.ledger.doubts.distrust(ONE, world.chain.head.number, "it contradicted itself")
    await pass_time(world, 160_000)
    assert "witness_missing" in world.alarms.codes
    assert await world.status(order) is OrderStatus.BOUND

    await pass_time(world, 100_000)
    assert await world.status(order) is OrderStatus.PAID


async def test_a_distrusted_only_node_closes_nothing_for_a_hundred_blocks() -> None:
    """Or until a person resumes: then its word counts again."""
    world = await a_world()
    order = await a_bound_order(world)
    await world.settle(2)
    await world.ledger.doubts.distrust("fake", world.chain.head.number, "it contradicted itself")
    await world.settle(60)
    assert await world.status(order) is OrderStatus.BOUND
    await world.settle(50)
    assert await world.status(order) is OrderStatus.PAID

    second = await a_bound_order(world)
    await world.ledger.doubts.distrust("fake", world.chain.head.number, "again")
    await world.settle(10)
    assert await world.status(second) is OrderStatus.BOUND
    await world.ledger.admin.resume("ana", "looked")
    await world.settle(1)
    assert await world.status(second) is OrderStatus.PAID


# paid on one word, looked at again ------------------------------------------------------------------------


async def paid_on_one_word(world: World) -> Order:
    """Return an order that was paid while the second node was away."""
    order = await a_bound_order(world)
    world.chain.go_down(TWO)
    await pass_time(world, 2 * WITNESS_PATIENCE_MS)
    assert await world.status(order) is OrderStatus.PAID
    return order


async def test_a_second_word_that_comes_later_ends_the_doubt() -> None:
    """The transaction then rests on two nodes, and is looked at no more."""
    world = await two_nodes()
    await paid_on_one_word(world)
    await world.a_recheck().run()
    assert (await transaction(world)).witnesses == 1

    world.chain.come_back()
    await world.a_recheck().run()

    assert (await transaction(world)).witnesses == 2
    assert await world.ledger.doubts.unwitnessed() == []
    assert set(world.alarms.codes) == {"witness_missing"}


@pytest.mark.parametrize("lie", [without_logs, reverted, elsewhere, nowhere])
async def test_a_difference_found_later_pauses_until_a_person_has_looked(lie: Lie) -> None:
    """Told once; after a resume it is not paused for the same again."""
    world = await two_nodes()
    order = await paid_on_one_word(world)
    world.chain.come_back()
    world.chain.said_by(TWO).receipt = lie

    await world.a_recheck().run()

    pause_state = await world.ledger.admin.pause_state()
    assert (pause_state.paused, pause_state.paused_by) == (True, "witness")
    assert world.alarms.codes[-1] == "paid_contradicted"
    assert str(order.key) in world.alarms.raised[-1].summary
    await world.ledger.admin.resume("ana", "looked on an explorer")
    await world.a_recheck().run()
    assert not (await world.ledger.admin.pause_state()).paused


async def test_a_second_look_in_the_same_moment_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts sweep at once: the second finds the doubt ended."""
    world = await two_nodes()
    await paid_on_one_word(world)
    world.chain.come_back()
    witnessed = Doubts.witnessed

    async def raced(self: Doubts, mine: Transaction, count: int) -> None:
        await witnessed(self, mine, count)
        await witnessed(self, mine, count)

    monkeypatch.setattr(Doubts, "witnessed", raced)

    await world.a_recheck().run()

    assert (await transaction(world)).witnesses == 2


# one bad item ------------------------------------------------------------------------------------------


async def test_an_unreadable_receipt_keeps_no_other_open() -> None:
    """A9: three orders, one receipt that cannot be read. The other node is asked for it; one word for ten minutes."""
    world = await two_nodes()
    orders = [await a_bound_order(world) for _ in range(3)]
    world.chain.said_by(ONE).unreadable.add(await world.last_hash(orders[1]))

    await world.settle(MINUTES_TURNS)
    assert [await world.status(order) for order in orders] == [OrderStatus.PAID, OrderStatus.BOUND, OrderStatus.PAID]

    await pass_time(world, WITNESS_PATIENCE_MS + 60_000)
    assert await world.status(orders[1]) is OrderStatus.PAID
    assert (await transaction(world, 1)).witnesses == 1


async def test_an_unreadable_receipt_of_the_only_node_is_told_after_minutes() -> None:
    """It is neither there nor absent: nothing is pushed, nothing called lost, and the others are paid."""
    world = await a_world()
    orders = [await a_bound_order(world) for _ in range(3)]
    world.chain.said_by("fake").unreadable.add(await world.last_hash(orders[1]))

    await world.settle(60)
    soon = list(world.alarms.codes)
    await world.settle(60)

    assert soon == []
    assert set(world.alarms.codes) == {"receipt_unreadable"}
    assert [await world.status(order) for order in orders] == [OrderStatus.PAID, OrderStatus.BOUND, OrderStatus.PAID]
    world.chain.calm()
    await world.settlement.follow()
    assert await world.status(orders[1]) is OrderStatus.PAID


async def test_a_doubt_that_another_settler_wrote_first_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both heard one word only; the time since when is kept once, and the loser looks again next turn."""
    world = await two_nodes()
    await a_bound_order(world)
    world.chain.go_down(TWO)
    await world.settle(2)
    world.chain.mine(POLICY.min_confirmations + 2)
    words, rival = FakeChain.words, world.a_settlement(world.distribution)

    async def raced(self: FakeChain, *args: Any, **named: Any) -> Any:
        monkeypatch.setattr(FakeChain, "words", words)
        await rival.turn()
        return await words(self, *args, **named)

    monkeypatch.setattr(FakeChain, "words", raced)
    await world.settlement.turn()

    assert (await transaction(world)).alone_since_ms == world.clock()
    assert (await transaction(world)).status is TransactionStatus.MINED


async def test_the_second_address_of_a_provider_is_asked_only_for_what_the_first_left_open() -> None:
    """They are one witness."""
    world = await two_nodes("a.provider.test", "b.provider.test")
    order = await a_bound_order(world)

    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert world.chain.calls["words"] == 1


async def test_a_doubt_about_a_transaction_that_is_gone_is_passed_over() -> None:
    """The one behind it is looked at."""
    world = await two_nodes()
    gone, order = await a_bound_order(world), await a_bound_order(world)
    world.chain.go_down(TWO)
    await pass_time(world, WITNESS_PATIENCE_MS + 100_000)
    assert await world.status(gone) is await world.status(order) is OrderStatus.PAID
    world.rows.remove(f"tx:{OPERATOR}:{0:020}")
    world.chain.come_back()

    await world.a_recheck().run()

    assert (await transaction(world, 1)).witnesses == 2
    assert [slot.nonce for slot in await world.ledger.doubts.unwitnessed()] == [0]
