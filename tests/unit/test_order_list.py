"""The list of orders: what a page shows, and that it reads the same however many orders there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from distributor.errors import MalformedQuery
from distributor.ledger import Ledger, keys, order_index
from distributor.ledger.columns import encode
from distributor.ledger.order_index import index_stored, place_keys
from distributor.model import HoldReason, Order, OrderStatus
from distributor.order_list import OrderList
from distributor.order_query import OrderQuery, sealed
from distributor.payout.order_indexing import AGAIN_AFTER_MS, OrderIndexing
from distributor.payout.sweep import Sweep
from distributor.state import MonitorState
from distributor.units import Wei
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, Version
from tests.factories import ALICE, BOB, IDENTITY, NOW_MS, OPERATOR, a_hash, an_attempt, an_order
from tests.fakes.bench import Bench, a_closing
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

QUESTIONS: Sequence[dict[str, str]] = (
    {},
    {"status": "paid"},
    {"status": "held"},
    {"shop": "default"},
    {"wallet": ALICE},
    {"id": "ORD000"},
    {"day": "2027-01-15"},
    {"hash": "0xabcd"},
)


@pytest.fixture
async def bench() -> Bench:
    """Our ledger in memory."""
    clock, audit, rows = FrozenClock(NOW_MS), ListAudit(), MemoryRows()
    bench = Bench(Ledger(rows, audit, clock=clock), rows, audit, clock)
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return bench


def paid_order(number: int) -> Order:
    """Return a finished order; the higher its number, the later it came."""
    return an_order(
        f"ORD{number:06d}",
        received_ms=UnixMs(NOW_MS + number),
        status=OrderStatus.PAID,
        paid_hash=a_hash("payment"),
        paid_block=90,
    )


def filled(orders: int) -> MemoryRows:
    """Return a table of so many finished orders, written past the ledger's rules and in the order of its keys."""

    def written() -> Iterator[tuple[str, Row]]:
        for number in range(orders):
            order = paid_order(number)
            for key in (keys.order_row(order.key), *place_keys(order)):
                values = encode(order) if key.startswith(keys.ORDERS) else encode(order.key)
                yield key, Row(key=key, values=values, version=Version("v0"))

    rows = MemoryRows()
    rows._rows = dict(written())  # 400,000 rows one by one would take minutes
    return rows


async def reads(rows: MemoryRows, asked: dict[str, str]) -> tuple[int, int]:
    """Return how many storage operations the first page takes, and the one behind it."""
    lists = OrderList(ledger=Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS)), decimals=18)
    before = rows.reads
    page = await lists.page(OrderQuery.read(asked))
    first, before = rows.reads - before, rows.reads
    if page.after:
        await lists.page(OrderQuery.read({**asked, "cursor": sealed(page.after)}))
    return first, rows.reads - before


async def test_a_page_reads_the_same_over_100_and_over_100_000_orders() -> None:
    """Counted for every filter: a scan, a range of its orders, what the sweep last saw, and a scan that counts."""
    few, many = filled(100), filled(100_000)

    counted = {str(asked): (await reads(few, asked), await reads(many, asked)) for asked in QUESTIONS}

    assert {asked: small for asked, (small, _) in counted.items()} == {
        asked: large for asked, (_, large) in counted.items()
    }
    assert counted["{}"] == ((4, 3), (4, 3))


@pytest.mark.parametrize("asked", [{"status": "cancelled"}, {"shop": "default", "status": "submitted"}])
async def test_what_nothing_fits_is_answered_in_few_reads(asked: dict[str, str]) -> None:
    """One order a page and 1,000 that do not fit: the 200 that are compared are not read one by one."""
    rows = filled(1_000)

    first, second = await reads(rows, {"limit": "1", **asked})

    assert max(first, second) <= 25


async def test_a_page_of_what_is_in_flight_compares_a_bounded_number_of_orders(bench: Bench) -> None:
    """Thirty orders a transaction, none of that shop: transactions are counted by the orders that they carry."""
    for nonce in range(20):
        await bench.bound(*(f"A{nonce:02d}-{number:02d}" for number in range(30)))
    assert isinstance(bench.rows, MemoryRows)
    lists, pages = OrderList(ledger=bench.ledger, decimals=18), []
    asked, before = {"status": "submitted", "shop": "loja-sul", "limit": "200"}, bench.rows.reads

    page = await lists.page(OrderQuery.read(asked))
    pages.append(bench.rows.reads - before)
    while page.after:
        before = bench.rows.reads
        page = await lists.page(OrderQuery.read({**asked, "cursor": sealed(page.after)}))
        pages.append(bench.rows.reads - before)

    assert not page.orders
    assert (len(pages), max(pages) <= 25) == (3, True)


async def test_a_page_says_how_many_there_are_as_far_as_one_answer_goes() -> None:
    """Exactly up to a thousand, then that there are more; not behind the first page."""
    lists = [
        OrderList(ledger=Ledger(filled(orders), ListAudit(), clock=FrozenClock(NOW_MS)), decimals=18)
        for orders in (3, 1_000, 1_001)
    ]

    counts = [(await each.page(OrderQuery.read({}))).count for each in lists]

    assert [(count.orders, count.more) for count in counts if count] == [(3, False), (1_000, False), (1_000, True)]
    later = await lists[2].page(await lists_cursor(lists[2]))
    assert later.count is None


async def lists_cursor(lists: OrderList) -> OrderQuery:
    """Return the question for the second page."""
    page = await lists.page(OrderQuery.read({}))
    return OrderQuery.read({"cursor": sealed(page.after)})


async def test_an_export_yields_every_order_once() -> None:
    """Page by page, the newest first."""
    lists = OrderList(ledger=Ledger(filled(450), ListAudit(), clock=FrozenClock(NOW_MS)), decimals=18)

    ids = [each.order.order_id async for each in lists.all(OrderQuery.read({}), [])]

    assert ids == [f"ORD{number:06d}" for number in reversed(range(450))]


async def test_a_month_is_read_from_its_first_order_to_its_last() -> None:
    """A day after the other, each order once; without a time there is no beginning to read from."""
    clock, rows = FrozenClock(NOW_MS), MemoryRows()
    ledger = Ledger(rows, ListAudit(), clock=clock)
    for day in (0, 1, 1, 14, 16, 17):
        at = UnixMs(NOW_MS + day * 86_400_000 + 1_000 * len(rows.dump()))
        await ledger.insert(an_order(f"D{day}-{len(rows.dump())}", received_ms=at))
    lists = OrderList(ledger=ledger, decimals=18)

    found = [each.order.order_id async for each in lists.oldest_first(OrderQuery.read({"month": "2027-01"}), [])]

    assert found == ["D0-0", "D1-6", "D1-12", "D14-18", "D16-24"]
    with pytest.raises(MalformedQuery, match="day or for a month"):
        [each async for each in lists.oldest_first(OrderQuery.read({}), [])]


async def test_what_is_held_is_read_once_for_a_month_and_not_each_day(bench: Bench) -> None:
    """Its rows are the same whatever the day: ten thousand held orders would be read thirty-one times."""
    (order,) = await bench.received("A1")
    await bench.ledger.hold(order, HoldReason.SIMULATION, "refused")
    assert isinstance(bench.rows, MemoryRows)
    lists, before = OrderList(ledger=bench.ledger, decimals=18), bench.rows.reads

    asked = OrderQuery.read({"month": "2027-01", "status": "held"})
    found = [each.order.order_id async for each in lists.oldest_first(asked, [])]

    assert (found, bench.rows.reads - before) == (["A1"], 2)


async def test_an_order_of_the_list_shows_times_hash_block_and_gas(bench: Bench) -> None:
    """UTC and Brasília beside it; the gas of one transaction is shared by the orders it paid, and adds up."""
    transaction = await bench.bound("A1", "A2", "A3")
    closing = a_closing("A1", "A2", held=["A3"], tx_hash=an_attempt().tx_hash, gas_cost_wei=Wei(10**15 + 1))
    await bench.ledger.close(transaction, closing)

    document = await OrderList(ledger=bench.ledger, decimals=18).document(
        OrderQuery.read({"hash": an_attempt().tx_hash})
    )

    assert isinstance(document["orders"], list)
    first, second, third = document["orders"]
    assert first == {
        "order_id": "A1",
        "source": "default",
        "status": "paid",
        "wallet": ALICE,
        "amount": "10",
        "amount_units": "10000000000000000000",
        "reason": None,
        "received_at": "2027-01-15T08:00:00.000Z",
        "received_at_brasilia": "2027-01-15T05:00:00-03:00",
        "updated_at": "2027-01-15T08:00:00.000Z",
        "transaction_hash": an_attempt().tx_hash,
        "block": 90,
        "gas_pol": "0.000500000000000001",
    }
    assert (second["gas_pol"], third["gas_pol"], third["reason"]) == ("0.0005", None, "reverted")
    assert (document["cursor"], document["count"]) == (None, {"orders": 3, "more": False})


async def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(bench: Bench) -> None:
    """In the list, by the beginning of an id, in a transaction that is gone, and where no transaction is named."""
    await bench.received("A1", "A2")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("order:default:A2", {"source": "default"})
    bench.rows.put(f"hash:0xdddd:{OPERATOR}:1", {"operator": OPERATOR, "nonce": 99})
    bench.rows.put(f"hash:0xeeee:{OPERATOR}:1", {"operator": OPERATOR})
    lists = OrderList(ledger=bench.ledger, decimals=18)

    pages = [
        await lists.page(OrderQuery.read(asked)) for asked in ({}, {"id": "A"}, {"hash": "0xdddd"}, {"hash": "0xeeee"})
    ]

    assert [[each.order.order_id for each in page.orders] for page in pages] == [["A1"], ["A1"], [], []]
    assert all(page.unreadable for page in pages)


# The index of orders that an older version stored ------------------------------------------------


def older(bench: Bench) -> MemoryRows:
    """Return the bench's rows without any index, as an older version leaves them."""
    assert isinstance(bench.rows, MemoryRows)
    for key in list(bench.rows.dump()):
        if key.startswith((keys.TIMES, keys.SHOP_TIMES, keys.WALLET_TIMES, keys.HASHES)):
            bench.rows.remove(key)
    return bench.rows


async def swept(bench: Bench) -> bool:
    """Let a sweep of this version come by, and index if that is due; say whether it was."""
    wakes = await Sweep(ledger=bench.ledger, clock=bench.clock).run()
    if wakes.index:
        await OrderIndexing(ledger=bench.ledger).run()
    return wakes.index


async def test_the_sweep_indexes_what_an_older_version_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some a minute; until it is through, the list says that it is not whole."""
    monkeypatch.setattr("distributor.payout.order_indexing.ORDERS_AT_ONCE", 2)
    await bench.received("A1", "A2", "A3")
    older(bench)
    lists = OrderList(ledger=bench.ledger, decimals=18)

    seen = []
    for _ in range(4):
        page = await lists.page(OrderQuery.read({}))
        seen.append((len(page.orders), page.complete, await swept(bench)))
        bench.clock.advance(60_000)

    assert seen == [(0, False, True), (2, False, True), (3, True, False), (3, True, False)]


async def test_what_the_last_host_of_an_older_version_stored_is_indexed_an_hour_later(bench: Bench) -> None:
    """It took an order behind the first pass, while it was being replaced."""
    await swept(bench)
    await bench.received("LATE")
    older(bench)

    indexed = []
    for _ in range(3):
        bench.clock.advance(AGAIN_AFTER_MS // 2)
        indexed.append(await swept(bench))

    assert indexed == [False, True, False]
    assert len((await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({}))).orders) == 1


async def test_an_order_that_an_older_version_paid_is_found_by_its_hash(bench: Bench) -> None:
    """This version took it, and indexed it by time; a host of before signed, and wrote no row for the hash."""
    transaction = await bench.bound("A1", "A2")
    await bench.ledger.close(transaction, a_closing("A1", "A2", tx_hash=an_attempt().tx_hash))
    assert isinstance(bench.rows, MemoryRows)
    for key in [key for key in bench.rows.dump() if key.startswith(keys.HASHES)]:
        bench.rows.remove(key)
    lists = OrderList(ledger=bench.ledger, decimals=18)
    asked = OrderQuery.read({"hash": an_attempt().tx_hash})
    assert not (await lists.page(asked)).orders

    orders = [await bench.order(name) for name in ("A1", "A2")]
    indexed = [await index_stored(bench.rows, [each]) for each in (*orders, *orders)]

    assert indexed == [1, 1, 0, 0]
    assert [each.order.order_id for each in (await lists.page(asked)).orders] == ["A1", "A2"]


async def test_a_pass_over_indexed_orders_reads_ranges_and_one_hash_for_each_batch(bench: Bench) -> None:
    """It once read two rows for each order: 2,000 requests a minute beside the payouts."""
    names = [f"A{number:02d}" for number in range(30)]
    transaction = await bench.bound(*names)
    await bench.ledger.close(transaction, a_closing(*names, tx_hash=an_attempt().tx_hash))
    orders = [await bench.order(name) for name in names]
    assert isinstance(bench.rows, MemoryRows)
    before = bench.rows.reads

    assert await index_stored(bench.rows, orders) == 0
    assert bench.rows.reads - before == 2


async def test_a_roll_back_is_noticed_and_its_orders_are_indexed(bench: Bench) -> None:
    """The older version sweeps, keeps the columns it does not know, and moves only its own time."""
    await swept(bench)
    bench.clock.advance(2 * AGAIN_AFTER_MS)
    await swept(bench)
    assert await bench.ledger.service.monitor_state() != MonitorState()
    await bench.received("ROLLED-BACK")
    older(bench)
    state = await bench.ledger.service.monitor_state()
    bench.clock.advance(60_000)
    await bench.ledger.service.save_monitor_state(replace(state, swept_ms=bench.clock()))
    bench.clock.advance(60_000)

    assert await swept(bench)
    assert len((await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({"wallet": ALICE}))).orders) == 1
    assert not (await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({"wallet": BOB}))).orders


async def test_two_hosts_that_index_at_once_do_no_harm(bench: Bench) -> None:
    """The one that loses the note of how far it came goes over the same orders again."""
    await bench.received("A1")
    older(bench)
    await Sweep(ledger=bench.ledger, clock=bench.clock).run()
    assert isinstance(bench.rows, MemoryRows)
    state = await bench.ledger.service.monitor_state()

    bench.rows.after_next_read(lambda: bench.rows.put("watch", encode(replace(state, head_number=5))))  # type: ignore[union-attr]
    await OrderIndexing(ledger=bench.ledger).run()
    assert (await bench.ledger.service.monitor_state()).index_place == ""
    await OrderIndexing(ledger=bench.ledger).run()
    assert (await bench.ledger.service.monitor_state()).index_place is None
    await OrderIndexing(ledger=bench.ledger).run()


async def test_an_order_that_another_host_indexed_meanwhile_is_left(bench: Bench) -> None:
    """Two passes over one group: what is there is no obstacle to the orders beside it."""
    orders = await bench.received("A1", "A2")
    rows = older(bench)
    await index_stored(rows, orders[:1])

    await order_index._index_some(rows, orders)

    assert len((await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({}))).orders) == 2


async def test_a_torn_order_of_a_transaction_hides_no_other(bench: Bench) -> None:
    """Found by the hash that carries both."""
    await bench.bound("A1", "A2")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("order:default:A2", {"source": "default"})

    page = await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({"hash": an_attempt().tx_hash}))

    assert [each.order.order_id for each in page.orders] == ["A1"]
    assert [each.key for each in page.unreadable] == ["order:default:A2"]


async def test_a_torn_transaction_hides_no_other_order(bench: Bench) -> None:
    """Nobody can say how far its orders are; they are named, and the list goes on."""
    await bench.bound("A1")
    await bench.received("A2")
    assert isinstance(bench.rows, MemoryRows)
    (torn,) = [key for key in bench.rows.dump() if key.startswith("tx:")]
    bench.rows.put(torn, {"status": "nonsense"})

    page = await OrderList(ledger=bench.ledger, decimals=18).page(OrderQuery.read({}))

    assert [each.order.order_id for each in page.orders] == ["A2"]
    assert [each.key for each in page.unreadable] == [torn]
