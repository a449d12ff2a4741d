"""Whether the rows of a ledger agree: each kind of disorder is made, and found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from distributor.ledger import Ledger, keys
from distributor.ledger.columns import encode
from distributor.ledger.records import NextNonce, PaidRef
from distributor.model import Hash, HoldReason, OrderKey, OrderStatus
from distributor.recovery.consistency import Consistency, Disagreement, Disorder
from distributor.units import TokenUnits
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import DeleteRow, InsertRow, Value
from tests.factories import ALICE, IDENTITY, NOW_MS, OPERATOR, a_hash
from tests.fakes.bench import Bench, a_closing
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

WAITING, BOUND, HELD, PAID = (OrderKey("default", name) for name in ("waits", "bound", "held", "paid"))
OPEN, FINAL = keys.open_transaction(OPERATOR, 8), keys.transaction(OPERATOR, 7)
CARRIER = keys.transaction(OPERATOR, 8)


@pytest.fixture
async def bench() -> Bench:
    """A ledger with an order in every state: paid by nonce 7, bound to nonce 8, held, waiting."""
    rows, clock, audit = MemoryRows(), FrozenClock(NOW_MS), ListAudit()
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    found = Bench(ledger=ledger, rows=rows, audit=audit, clock=clock)
    await ledger.close(await found.bound("paid"), a_closing("paid"))
    await found.bound("bound")
    (held, _) = await found.received("held", "waits")
    await ledger.hold(held, HoldReason.SIMULATION, "refused")
    return found


async def disorders(bench: Bench) -> list[tuple[str, Disorder]]:
    """Return what is found, without its detail."""
    return [(each.key, each.disorder) for each in await Consistency(bench.rows).disagreements()]


async def remove(bench: Bench, key: str) -> None:
    """Lose a row, as a restore of half a table does."""
    await bench.rows.commit([DeleteRow(key=key)])


async def put(bench: Bench, key: str, values: dict[str, Value]) -> None:
    """Put a row as somebody with an editor does."""
    if await bench.rows.get(key):
        await remove(bench, key)
    await bench.rows.commit([InsertRow(key=key, values=values)])


async def test_a_ledger_that_only_the_service_wrote_agrees(bench: Bench) -> None:
    """In every state an order has."""
    assert await disorders(bench) == []


async def test_a_reference_that_a_rebuild_found_needs_no_order(bench: Bench) -> None:
    """The chain shows no name where the name is too long for it."""
    paid = PaidRef(wallet=ALICE, amount_units=TokenUnits(1), paid_hash=a_hash("x"), paid_block=3)
    await put(bench, keys.ref(Hash("0xab")), encode(paid))

    assert await disorders(bench) == []


async def place_of(bench: Bench, order_id: str) -> str:
    """Return the key of an order's place in the line."""
    return keys.open_order(await bench.order(order_id))


async def test_an_order_that_nothing_lists_would_wait_forever(bench: Bench) -> None:
    """Waiting or held, and a transaction too."""
    await remove(bench, await place_of(bench, "waits"))
    await remove(bench, keys.held_row(HELD))
    await remove(bench, OPEN)

    assert await disorders(bench) == [
        (keys.COMMITMENTS, Disorder.TOTAL_WRONG),
        (keys.order_row(HELD), Disorder.NOT_LISTED),
        (keys.order_row(WAITING), Disorder.NOT_LISTED),
        (keys.transaction(OPERATOR, 8), Disorder.NOT_LISTED),
    ]


async def test_a_day_that_cannot_be_read_is_named(bench: Bench) -> None:
    """No payment waits for it, so nothing else says so but the page of charts."""
    day = keys.day_row("2026-01-01")
    await put(bench, day, {"orders": "many"})

    assert await disorders(bench) == [(day, Disorder.UNREADABLE)]


LOST: list[tuple[str, Callable[[Bench], str], set[Disorder]]] = [
    ("order that waits", lambda _: keys.order_row(WAITING), {Disorder.ORDER_MISSING}),
    ("order that is held", lambda _: keys.order_row(HELD), {Disorder.ORDER_MISSING}),
    ("order that was paid", lambda _: keys.order_row(PAID), {Disorder.ORDER_MISSING}),
    (
        "open transaction",
        lambda _: keys.transaction(OPERATOR, 8),
        {Disorder.BOUND_TO_NOTHING, Disorder.TRANSACTION_MISSING, Disorder.TOTAL_WRONG},
    ),
    ("attempt", lambda _: keys.attempt(OPERATOR, 8, 0), {Disorder.ATTEMPT_MISSING}),
    ("next nonce", lambda _: keys.nonce(OPERATOR), {Disorder.NONCE_BEHIND}),
]


@pytest.mark.parametrize(("lost", "key", "found"), LOST, ids=[name for name, _, _ in LOST])
async def test_a_lost_row_is_missed_by_those_that_name_it(
    bench: Bench, lost: str, key: Callable[[Bench], str], found: set[Disorder]
) -> None:
    """Each by the kind of disorder it makes."""
    await remove(bench, key(bench))

    assert {disorder for _, disorder in await disorders(bench)} == found, lost


async def test_a_lost_reference_could_be_paid_again(bench: Bench) -> None:
    """It is named with its order."""
    order = await bench.order("paid")
    await remove(bench, keys.ref(order.ref_id))

    assert await Consistency(bench.rows).disagreements() == [
        Disagreement(keys.order_row(PAID), Disorder.REFERENCE_MISSING, order.ref_id)
    ]


async def test_a_pointer_to_an_order_in_another_state(bench: Bench) -> None:
    """A held row of a paid order, an open row of a final transaction."""
    await put(bench, keys.held_row(PAID), encode(PAID))
    await put(bench, keys.open_transaction(OPERATOR, 7), {"operator": OPERATOR, "nonce": 7})

    assert await disorders(bench) == [
        (keys.COMMITMENTS, Disorder.TOTAL_WRONG),
        (keys.held_row(PAID), Disorder.ORDER_ELSEWHERE),
        (keys.open_transaction(OPERATOR, 7), Disorder.TRANSACTION_MISSING),
    ]


async def test_an_order_that_is_bound_to_nothing(bench: Bench) -> None:
    """To no nonce, or to a transaction that carries others."""
    order = await bench.order("bound")
    values = encode(order)
    del values["nonce"]
    await put(bench, keys.order_row(BOUND), values)

    assert (keys.order_row(BOUND), Disorder.BOUND_TO_NOTHING) in await disorders(bench)


async def test_a_nonce_that_went_back_is_found(bench: Bench) -> None:
    """The next binding would take a nonce that is used."""
    await put(bench, keys.nonce(OPERATOR), encode(NextNonce(next=8)))

    assert await disorders(bench) == [(keys.transaction(OPERATOR, 8), Disorder.NONCE_BEHIND)]


@pytest.mark.parametrize(
    "key",
    [keys.order_row(WAITING), keys.held_row(HELD), OPEN, FINAL, CARRIER, keys.ref(Hash("0xab")), "open:9:default:x"],
)
async def test_a_row_that_cannot_be_read_is_named(bench: Bench, key: str) -> None:
    """And everything else is looked at."""
    await put(bench, key, {"order_id": 7, "status": 1})

    assert (key, Disorder.UNREADABLE) in await disorders(bench)


async def test_what_is_gone_at_the_second_look_was_on_its_way(bench: Bench) -> None:
    """The service binds an order between two reads of the first look."""
    order = await bench.order("waits")
    key = keys.open_order(order)
    await remove(bench, key)
    looks = Consistency(bench.rows)
    first = await looks._look()
    await put(bench, key, encode(order.key))

    assert (key in {each.key for each in first}, order.status) == (False, OrderStatus.RECEIVED)
    assert {each.key for each in first} == {keys.order_row(WAITING)}
    assert await looks.disagreements() == []
