"""Several orders in one transaction, through a guard: tried, bound and paid together, or given back one by one."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain.guard import distribute_many
from distributor.chain_types import Call, GuardPayment, Revert, RevertKind, Simulation
from distributor.model import Address, HoldReason, Order, OrderStatus
from distributor.payout.corrected import Corrected
from distributor.payout.guard_calls import ITEM_GAS, gas_needed
from distributor.payout.guard_past import read_past
from distributor.payout.preflight import DistributionConfig
from distributor.payout.resolution import Resolved
from distributor.state import WaitingReason
from distributor.units import Wei
from foundation.tablestore.ports import Row
from tests import factories
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.chain_state import CUSTOMERS, GUARD
from tests.unit.test_exits import ANA, a_correction
from tests.unit.test_resolution import RELEASE, resolve
from tests.world import IDENTITY, World, a_world, tokens

FINALITY_BLOCKS = 5
A_WALLET = Address("0x1111111111111111111111111111111111111111")


async def a_batching_world(size: int = 30, **options: Any) -> World:
    """Return a world that pays up to *size* orders through its guard in one transaction."""
    world = await a_world(guarded=True, **options)
    world.orders_per_transaction = size
    world.start()
    return world


async def received(world: World, count: int, **changes: Any) -> list[Order]:
    """Put *count* orders in the backlog."""
    return [await world.receive(**changes) for _ in range(count)]


def sizes(world: World) -> list[int]:
    """Return how many orders each transaction paid that was handed over."""
    return [sum(distribute_size(sent.unsigned.call)) for sent in world.chain.handed]


def distribute_size(call: Call) -> Sequence[int]:
    """Return 1 for each item of a guarded call."""
    item = distribute_many(ITEM_GAS, [(A_WALLET, tokens(1), b"\1" * 32, "")])
    assert call.data[:4] == item[:4]
    return [1] * int.from_bytes(call.data[4 + 64 : 4 + 96], "big")


async def finished(world: World) -> list[OrderStatus]:
    """Bind what waits until nothing moves, and return how many orders are where."""
    for _ in range(3):
        await world.distribution.drain()
        await world.settle(FINALITY_BLOCKS)
    return sorted((await world.statuses()).values())


async def test_seventy_orders_go_in_three_transactions_and_each_is_paid_once() -> None:
    """As many together as there are, never waiting for company; each order has a proof of its own."""
    world = await a_batching_world()
    orders = await received(world, 70)
    await world.distribution.drain()

    assert sizes(world) == [30, 30, 10]
    assert [sent.unsigned.gas_limit for sent in world.chain.handed] == [gas_needed(ITEM_GAS, n) for n in (30, 30, 10)]
    await world.settle(FINALITY_BLOCKS)
    found = [await world.order(order) for order in orders]
    assert {order.status for order in found} == {OrderStatus.PAID}
    assert len({(order.paid_block, order.paid_log) for order in found}) == 70
    assert len(world.transfers()) == 70
    stats = await world.ledger.stats(OPERATOR)
    assert (stats.transactions, stats.orders_paid, stats.paid_units) == (3, 70, tokens(700))


async def test_without_a_guard_each_order_has_a_transaction_of_its_own() -> None:
    """Whatever the setting says: the Authority pays one order a call."""
    world = await a_world()
    world.orders_per_transaction = 30
    world.start()
    await received(world, 3)
    await world.distribution.drain()

    assert len(world.chain.handed) == 3
    assert [sent.unsigned.gas_limit for sent in world.chain.handed] == [factories.LIMITS.gas_limit] * 3


async def test_a_refused_order_is_left_out_and_the_rest_is_paid_together() -> None:
    """It is held on two refusals; what is left of its batch is tried once more, and bound as it was tried."""
    world = await a_batching_world()
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])
    bad = await world.receive(wallet=CUSTOMERS[1])
    await received(world, 5)
    await world.distribution.drain()

    assert sizes(world) == [5]
    assert await world.status(bad) is OrderStatus.HELD
    assert await finished(world) == [OrderStatus.HELD, *[OrderStatus.PAID] * 5]


async def test_an_item_that_fails_in_its_block_comes_back_alone() -> None:
    """Equal wallets and amounts: the guard names the reference, so none is taken for another."""
    world = await a_batching_world()
    orders = await received(world, 4)
    await world.distribution.drain()
    world.chain.rules.failing_refs.add(orders[2].ref_id)
    await world.a_block_passes()
    await world.ledger.admin.pause("a test", "look at it")
    await world.settle(FINALITY_BLOCKS)

    assert [await world.status(order) for order in orders] == [
        OrderStatus.PAID,
        OrderStatus.PAID,
        OrderStatus.RECEIVED,
        OrderStatus.PAID,
    ]
    world.chain.rules.failing_refs.clear()
    await world.ledger.admin.resume("a test", "looked")
    assert await finished(world) == [OrderStatus.PAID] * 4
    assert sizes(world) == [4, 1]


async def test_a_batch_refused_as_a_whole_gives_every_order_back_and_the_second_pauses() -> None:
    """It says nothing of any order; twice in a row the path is broken."""
    world = await a_batching_world()
    orders = await received(world, 3)
    for _ in range(2):
        await world.distribution.drain()
        world.chain.rules.guard_paused = True
        await world.a_block_passes()
        await world.settle(FINALITY_BLOCKS)
        world.chain.rules.guard_paused = False

    assert {await world.status(order) for order in orders} == {OrderStatus.RECEIVED}
    assert {(await world.order(order)).item_failures for order in orders} == {None}
    assert (await world.ledger.admin.pause_state()).paused
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert (binding_state.committed_units, binding_state.spent.units) == (0, 0)


async def test_a_batch_whose_price_is_too_low_is_replaced_as_a_whole() -> None:
    """The same items, the same nonce, the gas that its own arguments need."""
    world = await a_batching_world()
    await received(world, 7)
    await world.distribution.drain()
    world.chain.rules.least_tip_wei = Wei(32 * factories.GWEI)
    world.chain.rules.tip_wei = Wei(33 * factories.GWEI)
    for _ in range(40):
        await world.settle()

    first, last = world.chain.handed[0], world.chain.handed[-1]
    assert first.tx_hash != last.tx_hash
    assert (first.unsigned.call, first.unsigned.nonce) == (last.unsigned.call, last.unsigned.nonce)
    assert last.unsigned.gas_limit == gas_needed(ITEM_GAS, 7)
    assert await finished(world) == [OrderStatus.PAID] * 7
    assert len(world.transfers()) == 7


async def test_caps_and_reserve_are_counted_order_by_order_inside_a_batch() -> None:
    """Two of one wallet fit under its cap of a day, the third waits; the others go on."""
    world = await a_batching_world()
    world.cap(wallet_units=20)
    await received(world, 3)
    await received(world, 2, wallet=CUSTOMERS[1])
    await world.distribution.drain()

    assert sizes(world) == [4]
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.DAILY_CAP


class SayingGuard:
    """A node that answers each guarded call by how many items it has."""

    def __init__(self, world: World, said: dict[int, Simulation]) -> None:
        self._world, self._said = world, said
        self.asked: list[int] = []

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try *calls*; a call of a size that was named is answered as that."""
        honest = await self._world.guard.__class__.simulate(self._world.guard, operator, calls, node=node)
        counts = [len(distribute_size(call)) for call in calls]
        self.asked += counts[1:]
        return [self._said.get(count, each) for count, each in zip(counts, honest, strict=True)]


@pytest.mark.parametrize(
    "said",
    [
        Simulation(revert=Revert(kind=RevertKind.OTHER, text="out of gas")),
        Simulation(unknown="gas limit of this node exceeded"),
        Simulation(items=(None, None)),
    ],
)
async def test_a_batch_that_is_answered_as_a_whole_blames_nobody_and_each_is_tried_alone(
    said: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node may give a call less gas than a batch needs, or answer for another number of items."""
    world = await a_batching_world()
    node = SayingGuard(world, {4: said})
    monkeypatch.setattr(world.guard, "simulate", node.simulate)
    await received(world, 4)
    await world.distribution.drain()

    assert node.asked == [4, 4, 1, 1, 1, 1]
    assert sizes(world) == [1, 1, 1, 1]
    assert await finished(world) == [OrderStatus.PAID] * 4


async def test_a_refusal_inside_a_batch_holds_nobody_whom_the_only_node_would_pay_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A contract may refuse a second payment in one transaction, by a word nobody knows; both orders are paid."""
    world = await a_batching_world()
    assert len(world.chain.nodes) == 1
    refused = Revert(kind=RevertKind.OTHER, text="one payment of a wallet in a transaction")
    monkeypatch.setattr(world.guard, "simulate", SayingGuard(world, {2: Simulation(items=(None, refused))}).simulate)
    await received(world, 2)

    assert await finished(world) == [OrderStatus.PAID] * 2
    assert sizes(world) == [1, 1]


async def test_orders_tried_alone_take_only_the_slots_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next round binds the rest, when slots are free."""
    world = await a_batching_world()
    whole = Simulation(revert=Revert(kind=RevertKind.OTHER, text="out of gas"))
    monkeypatch.setattr(world.guard, "simulate", SayingGuard(world, {20: whole}).simulate)
    await received(world, 20)
    await world.distribution.drain()

    assert sizes(world) == [1] * 16


class TwoPasses:
    """A node where the probe is refused while the first batch is tried, and would be paid a moment later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.passes = 0

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        """Try *calls*; in the first pass the probe is refused beside orders that would be paid."""
        honest = await self._world.guard.__class__.simulate(self._world.guard, operator, calls, node=node)
        self.passes += node == "one"
        stopped = Simulation(items=(Revert(kind=RevertKind.OTHER, text="not now"),))
        return [stopped, *honest[1:]] if (node, self.passes) == ("one", 1) else honest


async def test_a_refusal_is_blamed_by_the_probe_of_its_own_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that passes in a later request says nothing of what was refused in the first: nobody is held for it."""
    world = await a_batching_world(size=2, chain=FakeChain(nodes=("one", "two")))
    node = TwoPasses(world)
    monkeypatch.setattr(world.guard, "simulate", node.simulate)
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])
    await received(world, 1)
    bad = await world.receive(wallet=CUSTOMERS[1])
    await received(world, 1)
    await world.distribution.drain()

    assert node.passes >= 2
    assert await world.status(bad) is OrderStatus.RECEIVED
    await world.distribution.drain()
    assert await world.status(bad) is OrderStatus.HELD


async def test_a_batch_with_a_failed_item_is_settled_by_one_node_where_the_nodes_never_agree() -> None:
    """Who was paid is paid, what failed waits again, and the guard pays no reference twice."""
    world = await a_batching_world(chain=FakeChain(nodes=("one", "two")))
    orders = await received(world, 3)
    await world.distribution.drain()
    bound, tx_hash = await world.order(orders[0]), await world.last_hash(orders[0])
    world.chain.rules.failing_refs.add(orders[1].ref_id)
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, guard_events=receipt.guard_events[1:])
    await world.ledger.admin.pause("a test", "look at it")
    await world.settle(600)
    assert {await world.status(order) for order in orders} == {OrderStatus.BOUND}
    assert "nodes_disagree" in world.alarms.codes

    correction, ana = a_correction(world), ANA
    failed = await world.order(orders[1])
    assert await correction.settle(failed, tx_hash, ana, node="one") is Corrected.NO_TRANSFER
    assert await correction.settle(bound, tx_hash, None, node="one") is Corrected.PAID
    assert await correction.settle(bound, tx_hash, ana, node="one") is Corrected.PAID
    assert [await world.status(order) for order in orders] == [
        OrderStatus.PAID,
        OrderStatus.RECEIVED,
        OrderStatus.PAID,
    ]
    assert (await world.order(orders[1])).item_failures == 1


async def test_a_batch_is_not_settled_while_the_nodes_do_not_say_who_paid_a_reference() -> None:
    """Nor where the guard said nothing of an item: the path is broken, and one node's word releases nobody."""
    world = await a_batching_world()
    elsewhere, good = await received(world, 2)
    await world.distribution.drain()
    bound, tx_hash = await world.order(good), await world.last_hash(good)
    paid_elsewhere(world, elsewhere)
    world.chain.mine(600)
    world.guard.silent = True
    correction, ana = a_correction(world), ANA
    assert await correction.settle(bound, tx_hash, ana) is Corrected.NODES_DISAGREE

    world.guard.silent = False
    world.chain.said_by("fake").receipt = lambda receipt: replace(receipt, guard_events=receipt.guard_events[1:])
    assert await correction.settle(bound, tx_hash, ana) is Corrected.NO_TRANSFER


def config(size: int = 30, **limits: Any) -> DistributionConfig:
    """Return what a binding through a guard must agree with."""
    guarded = replace(IDENTITY, guard=A_WALLET, guard_since=0)
    return DistributionConfig(
        identity=guarded,
        limits=factories.LIMITS.model_copy(update=limits),
        max_in_flight=16,
        orders_per_transaction=size,
    )


@pytest.mark.parametrize(("size", "gwei", "expected"), [(30, 60, 30), (1, 60, 1), (30, 1_000, 22), (30, 20_000, 1)])
def test_a_batch_is_no_larger_than_a_node_takes_at_the_highest_price(size: int, gwei: int, expected: int) -> None:
    """A node refuses what may cost 5 POL, and a batch must be replaceable up to the ceiling."""
    assert config(size, max_fee_wei=Wei(gwei * factories.GWEI)).batch_size == expected


async def test_the_last_coin_pays_a_small_batch() -> None:
    """Coin for nine orders and a half binds nine."""
    world = await a_batching_world()
    await received(world, 40)
    world.chain.set_gas(OPERATOR, Wei(1))
    await world.distribution.drain()
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.GAS_SHORT

    price = 32 * factories.GWEI
    world.chain.set_gas(OPERATOR, Wei(gas_needed(ITEM_GAS, 9) * price + 100_000 * price))
    await world.distribution.drain()
    assert sizes(world)[0] == 9


def paid_elsewhere(world: World, order: Order, **changes: Any) -> GuardPayment:
    """Record a payment of *order*'s reference by another ledger, in today's block."""
    payment = GuardPayment(
        ref_id=order.ref_id,
        tx_hash=factories.a_hash(f"another ledger pays {order.order_id}"),
        block=world.chain.head,
        log_index=3,
        wallet=order.wallet,
        amount_units=order.amount_units,
    )
    world.chain.state.payments[order.ref_id] = replace(payment, **changes)
    return world.chain.state.payments[order.ref_id]


async def test_a_held_order_is_told_nothing_of_the_orders_beside_it() -> None:
    """Two references were used for something else: each row, and the trail, names the transaction of its own."""
    world = await a_batching_world()
    first, good, second = await received(world, 3)
    await world.distribution.drain()
    used = [paid_elsewhere(world, order, amount_units=tokens(amount)) for order, amount in ((first, 3), (second, 4))]
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert await world.status(good) is OrderStatus.PAID
    rows = [await world.order(order) for order in (first, second)]
    assert {row.hold_reason for row in rows} == {HoldReason.REFERENCE_USED}
    for row, mine, other in zip(rows, used, reversed(used), strict=True):
        for said in (
            row.hold_detail,
            *(str(entry) for key, entry in world.audit.entries.items() if str(row.key) in key),
        ):
            assert mine.tx_hash in said
            assert other.tx_hash not in said


async def test_the_log_names_the_block_of_the_payment_that_another_ledger_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not that of our own transaction, which paid the order beside it."""
    caplog.set_level(logging.INFO)
    world = await a_batching_world()
    elsewhere, _ = await received(world, 2)
    await world.distribution.drain()
    payment = paid_elsewhere(world, elsewhere)
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    lines = [json.loads(record.getMessage()) for record in caplog.records]
    paid = {line["tx_hash"]: line["block"] for line in lines if line["event"] == "order_paid"}
    assert len(paid) == 2
    assert paid[payment.tx_hash] == payment.block.number


async def test_an_order_whose_equal_was_paid_beside_it_is_reopened() -> None:
    """A block left the chain after both were closed; mined again, one item failed. The other's transfer is no proof."""
    world = await a_batching_world()
    kept, lost = await received(world, 2)
    await world.distribution.drain()
    await world.settle(FINALITY_BLOCKS)
    world.chain.reorg(world.chain.head.number)
    world.chain.rules.failing_refs.add(lost.ref_id)
    world.chain.mine(RELEASE + 1)

    kept, lost = await world.order(kept), await world.order(lost)
    assert (kept.status, lost.status) == (OrderStatus.PAID, OrderStatus.PAID)
    assert lost.paid_hash is not None
    assert len(world.transfers()) == 1
    correction = a_correction(world)
    assert await correction.reopening.reopen(kept, lost.paid_hash, ANA) is Corrected.IS_PAID
    assert await correction.reopening.reopen(lost, lost.paid_hash, ANA) is Corrected.HELD
    assert await world.status(lost) is OrderStatus.HELD


async def test_an_order_that_another_ledger_paid_is_not_reopened() -> None:
    """Our transaction used its nonce and paid it nothing; it is paid all the same, by the hash in its row."""
    world = await a_batching_world()
    elsewhere = await world.receive()
    await world.receive(wallet=CUSTOMERS[1])
    await world.distribution.drain()
    key = factories.an_address("another hot key")
    world.chain.rules.hot_keys.add(key)
    world.chain.spend_nonce(key, world.guard.pay(elsewhere))
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)
    ours = world.chain.handed[0].tx_hash
    world.chain.mine(RELEASE)

    order = await world.order(elsewhere)
    assert order.paid_hash not in {None, ours}
    assert await a_correction(world).reopening.reopen(order, ours, ANA) is Corrected.IS_PAID
    assert await world.status(order) is OrderStatus.PAID


@pytest.mark.parametrize("count", [2, 3])
async def test_resolve_believes_the_guard_about_each_order_that_a_strangers_batch_paid(count: int) -> None:
    """Replaced from a wallet, with the same items or with fewer: what it paid is paid, counted, and held for nobody."""
    world = await a_batching_world()
    orders = await received(world, count)
    await world.distribution.drain()
    stranger = world.chain.spend_nonce(OPERATOR, world.guard.pay(*orders[:2]))
    world.chain.mine(RELEASE + 1)

    assert await resolve(world, stranger) is (Resolved.PAID if count == 2 else Resolved.HELD)
    found = [await world.order(order) for order in orders]
    assert [order.status for order in found] == [OrderStatus.PAID, OrderStatus.PAID, OrderStatus.HELD][:count]
    assert {order.paid_hash for order in found} == {stranger}
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert (binding_state.committed_units, binding_state.spent.units) == (0, tokens(20))


async def test_resolve_believes_no_other_guard() -> None:
    """A caller that used the nonce at another contract says nothing by its events."""
    world = await a_batching_world()
    order, _ = await received(world, 2)
    await world.distribution.drain()
    elsewhere = replace(world.guard.pay(order), to=A_WALLET)
    stranger = world.chain.spend_nonce(OPERATOR, elsewhere)
    world.chain.mine(RELEASE + 1)

    assert await resolve(world, stranger) is Resolved.HELD
    assert await world.status(order) is OrderStatus.HELD


async def test_what_the_guard_recorded_is_looked_up_in_one_range_whatever_the_number_of_nodes() -> None:
    """Sixteen batches that are not final are 480 references, before each round."""
    world = await a_batching_world(chain=FakeChain(nodes=("one", "two", "three")))
    orders = await received(world, 70)
    await world.distribution.drain()
    world.chain.mine()
    before = world.rows.reads

    found = await read_past(world.ledger, world.guard, GUARD)

    assert (found.unknown, found.nodes, len(found.pasts)) == (None, 0, 3)
    assert sorted(found.refs) == sorted(order.ref_id for order in orders)
    assert world.rows.reads - before == 2  # the mark, and one range


async def test_orders_that_lie_together_are_read_in_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of sixty orders is looked at when it is chosen, when its payment is confirmed, and when it is closed."""
    world = await a_batching_world()
    await received(world, 60)
    asked = Counter[str]()
    get, scan = world.rows.get, world.rows.scan

    async def counted_get(key: str) -> Row | None:
        asked[key.partition(":")[0]] += 1
        return await get(key)

    async def counted_scan(first: str, last: str, *, limit: int) -> Sequence[Row]:
        asked[first.partition(":")[0]] += 1
        return await scan(first, last, limit=limit)

    monkeypatch.setattr(world.rows, "get", counted_get)
    monkeypatch.setattr(world.rows, "scan", counted_scan)

    assert await finished(world) == [OrderStatus.PAID] * 60
    assert asked["order"] <= 10
