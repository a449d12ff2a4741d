"""What is found by which filter, page by page, in memory and in real tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import MalformedQuery
from distributor.ledger import keys, order_search
from distributor.ledger.closing import PaidBy
from distributor.ledger.columns import encode
from distributor.ledger.order_index import index_again
from distributor.ledger.order_search import OrderFilter
from distributor.model import HoldReason, Order, TransactionStatus
from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import DeleteRow
from tests.factories import ALICE, BOB, NOW_MS, a_hash, an_attempt
from tests.fakes.bench import Bench, a_closing

HOUR_MS = 3_600_000


async def found(bench: Bench, limit: int = 50, after: str = "", **wanted: object) -> list[str]:
    """Return the ids of one page."""
    page = await bench.ledger.found(OrderFilter(**wanted), limit=limit, after=after)  # type: ignore[arg-type]
    assert not page.unreadable
    return [each.order.order_id for each in page.orders]


async def stored(bench: Bench, order_id: str, hours: int = 0, **changes: object) -> Order:
    """Insert an order that came some *hours* after the first."""
    (order,) = await bench.received(order_id, received_ms=UnixMs(NOW_MS + hours * HOUR_MS), **changes)
    return order


async def test_the_newest_order_comes_first_and_pages_follow_each_other(bench: Bench) -> None:
    """Each order once, the cursor empty at the end and not one page later."""
    for hour in range(4):
        await stored(bench, f"A{hour}", hour)

    first = await bench.ledger.found(OrderFilter(), limit=2, after="")
    second = await bench.ledger.found(OrderFilter(), limit=2, after=first.after)

    assert [each.order.order_id for each in (*first.orders, *second.orders)] == ["A3", "A2", "A1", "A0"]
    assert (bool(first.after), second.after) == (True, "")


async def test_orders_are_found_by_time_shop_and_wallet(bench: Bench) -> None:
    """From a moment on, before another; together with a shop, a wallet."""
    await stored(bench, "A0", 0)
    await stored(bench, "A1", 1, source="loja-sul", ref_id=a_hash("r1"))
    await stored(bench, "A2", 2, wallet=BOB)
    one, two = UnixMs(NOW_MS + HOUR_MS), UnixMs(NOW_MS + 2 * HOUR_MS)

    assert await found(bench, from_ms=one) == ["A2", "A1"]
    assert await found(bench, from_ms=one, before_ms=two) == ["A1"]
    assert await found(bench, source="loja-sul") == ["A1"]
    assert await found(bench, source="loja-sul", before_ms=one) == []
    assert await found(bench, wallet=BOB) == ["A2"]
    assert await found(bench, wallet=ALICE) == ["A1", "A0"]
    assert await found(bench, wallet=ALICE, source="default") == ["A0"]


async def test_orders_are_found_by_the_beginning_of_an_id_in_every_shop(bench: Bench) -> None:
    """By id, the shops one after the other; the cursor leads from one shop into the next."""
    await stored(bench, "WEB-1", 5)
    await stored(bench, "WEB-2", 1)
    await stored(bench, "APP-1", 2)
    await stored(bench, "WEB-1", 3, source="loja-sul", ref_id=a_hash("r1"))

    assert await found(bench, id_prefix="WEB") == ["WEB-1", "WEB-2", "WEB-1"]
    assert await found(bench, id_prefix="WEB", source="loja-sul") == ["WEB-1"]
    first = await bench.ledger.found(OrderFilter(id_prefix="WEB"), limit=2, after="")
    assert await found(bench, after=first.after, id_prefix="WEB") == ["WEB-1"]
    assert await found(bench, id_prefix="Q") == []


async def test_orders_are_found_by_the_hash_of_any_attempt(bench: Bench) -> None:
    """All that the transaction carries; a replaced attempt's hash finds them as well as the one that was mined."""
    transaction = await bench.bound("A1", "A2")
    second = an_attempt(1)
    await bench.ledger.add_attempt(transaction, second)
    await stored(bench, "OTHER")

    assert await found(bench, hash_prefix=an_attempt(0).tx_hash) == ["A1", "A2"]
    assert await found(bench, hash_prefix=second.tx_hash[:12]) == ["A1", "A2"]
    assert await found(bench, hash_prefix="0xffffffffff") == []


async def test_an_order_that_another_transaction_paid_is_found_by_its_hash(bench: Bench) -> None:
    """Adopted, held to be wrong, adopted again: the index row of the first time is no obstacle."""
    order = await stored(bench, "A1")
    elsewhere = PaidBy(tx_hash=a_hash("elsewhere"), block_number=9, log_index=1)

    adopted = await bench.ledger.guard_rows.adopt(order, elsewhere)
    stored_now = await bench.order(adopted.order_id)
    await bench.ledger.exits.reopen(stored_now, "not there")
    await bench.ledger.guard_rows.adopt(await bench.order("A1"), elsewhere)

    assert await found(bench, hash_prefix=elsewhere.tx_hash[:10]) == ["A1"]


async def test_orders_are_found_by_the_status_that_is_shown(bench: Bench) -> None:
    """Waiting ones the oldest first; bound ones by how far their transaction is."""
    paid = await bench.bound("PAID")
    await bench.ledger.close(paid, a_closing("PAID"))
    mined = await bench.bound("MINED")
    await bench.ledger.update(replace(mined, status=TransactionStatus.MINED))
    await bench.bound("SENT")
    held = await stored(bench, "HELD", 1)
    await bench.ledger.hold(held, HoldReason.SIMULATION, "refused")
    gone = await stored(bench, "GONE", 2)
    await bench.ledger.admin.cancel(gone, "ana", "refunded")
    await stored(bench, "W1", 3)
    await stored(bench, "W2", 4)

    statuses = ("paid", "mined", "submitted", "held", "cancelled", "received")
    assert [await found(bench, status=status) for status in statuses] == [
        ["PAID"],
        ["MINED"],
        ["SENT"],
        ["HELD"],
        ["GONE"],
        ["W1", "W2"],
    ]
    assert await found(bench, status="received", from_ms=UnixMs(NOW_MS + 4 * HOUR_MS)) == ["W2"]
    assert await found(bench, status="received", before_ms=UnixMs(NOW_MS + 4 * HOUR_MS)) == ["W1"]
    assert await found(bench, status="received", wallet=ALICE) == ["W2", "W1"]
    assert await found(bench, status="held", source="loja-sul") == []


async def test_a_rare_order_is_looked_for_a_bounded_way_a_page(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is short and its cursor goes on: many orders are never read for one answer."""
    monkeypatch.setattr(order_search, "EXAMINED_MAX", 3)
    rare = await stored(bench, "RARE", 0)
    await bench.ledger.admin.cancel(rare, "ana", "refunded")
    for hour in range(1, 6):
        await stored(bench, f"A{hour}", hour)

    first = await bench.ledger.found(OrderFilter(status="cancelled"), limit=2, after="")
    second = await bench.ledger.found(OrderFilter(status="cancelled"), limit=2, after=first.after)

    assert ([each.order.order_id for each in first.orders], bool(first.after)) == ([], True)
    assert [each.order.order_id for each in second.orders] == ["RARE"]


async def test_a_cursor_of_another_question_is_refused(bench: Bench) -> None:
    """It would show other rows as orders."""
    with pytest.raises(MalformedQuery, match="another question"):
        await bench.ledger.found(OrderFilter(), limit=2, after="identity")
    with pytest.raises(MalformedQuery):
        await bench.ledger.found(OrderFilter(wallet=BOB), limit=2, after=f"{keys.WALLET_TIMES}{ALICE}:1")


async def test_orders_are_counted_where_one_request_counts_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a bound; not where each would have to be read."""
    monkeypatch.setattr(order_search, "COUNTED_MAX", 3)
    for hour in range(5):
        await stored(bench, f"A{hour}", hour)
    first = await bench.ledger.found(OrderFilter(), limit=1, after="")

    assert await bench.ledger.count(OrderFilter(), after=first.after) == 3
    assert await bench.ledger.count(OrderFilter(from_ms=UnixMs(NOW_MS + 3 * HOUR_MS)), after="") == 2
    assert await bench.ledger.count(OrderFilter(status="received"), after="") == 3
    assert await bench.ledger.count(OrderFilter(status="paid"), after="") is None
    assert await bench.ledger.count(OrderFilter(wallet=BOB, source="default"), after="") is None


async def test_orders_of_an_older_version_are_indexed_and_nothing_twice(bench: Bench) -> None:
    """Interrupted after some of them, the next look goes on, and once more changes nothing."""
    paid = await bench.bound("PAID")
    await bench.ledger.close(paid, a_closing("PAID", tx_hash=an_attempt().tx_hash))
    for hour in range(3):
        await stored(bench, f"A{hour}", hour)
    await forget_the_index(bench, but=keys.wallet_time_row(await bench.order("A1")))
    assert await found(bench) == []

    place, first = await bench.ledger.index_orders("", limit=3)
    end, second = await bench.ledger.index_orders(place, limit=3)

    assert (first, second, end) == (3, 1, "")
    assert await found(bench) == ["A2", "A1", "A0", "PAID"]
    assert await found(bench, wallet=ALICE) == ["A2", "A1", "A0", "PAID"]
    assert await found(bench, hash_prefix=an_attempt().tx_hash) == ["PAID"]
    assert await bench.ledger.index_orders("", limit=10) == ("", 0)


async def forget_the_index(bench: Bench, but: str) -> None:
    """Take the index away, as if an older version had written all of it except one row of a pass that died."""
    index = (keys.TIMES, keys.SHOP_TIMES, keys.WALLET_TIMES, keys.HASHES)
    gone = [key for key in await bench.keys() if key.startswith(index) and key != but]
    await bench.rows.commit([DeleteRow(key=key) for key in gone])


async def test_an_order_that_another_one_left_behind_is_passed_over(bench: Bench) -> None:
    """Two orders changed places: the row of a wallet that is no longer the order's names it no more."""
    order = await stored(bench, "A1")
    moved = replace(order, wallet=BOB)

    group = AtomicWrite()
    group.replace(keys.order_row(order.key), encode(moved), order.version)
    await index_again(bench.rows, group, moved)
    await commit(bench.rows, group, marker_row=keys.order_row(order.key))

    assert await found(bench, wallet=ALICE) == []
    assert await found(bench, wallet=BOB) == ["A1"]
    assert await found(bench) == ["A1"]
