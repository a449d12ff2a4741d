"""The totals of a day, in all and to each wallet, in memory and in real tables: what the caps stand on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.caps import Caps
from distributor.model import Address, OrderKey
from distributor.state import BindingState
from distributor.units import TokenUnits
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.ports import Version
from tests.factories import ALICE, BOB, NOW_MS, OPERATOR, TOKEN, a_hash
from tests.fakes.bench import Bench, a_closing, bind, binding

DAY, NEXT_DAY = "2027-01-15", "2027-01-16"
DAY_MS = 86_400_000
STALE = Version("W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"")


async def spent(bench: Bench) -> dict[str, str]:
    """Return every total of every day, by what follows ``spent:``."""
    rows = await bench.values()
    return {key.removeprefix("spent:"): row["units"] for key, row in rows.items() if key.startswith("spent:")}


async def books_of(bench: Bench, operator: Address) -> BindingState:
    """Return an operator's books, with what alice got today."""
    binding_state = await bench.ledger.binding_state(operator)
    assert binding_state is not None
    return await bench.ledger.with_wallets(binding_state, [ALICE])


async def test_a_binding_counts_in_the_totals_of_its_day_and_of_each_wallet(bench: Bench) -> None:
    """Two orders of alice and one of bob in one transaction: three rows, each written once."""
    orders = [*await bench.received("ORD1", "ORD2"), *await bench.received("ORD3", wallet=BOB)]

    binding_state, _ = await bind(bench.ledger, await bench.binding_state(), orders, *binding(7, orders))

    assert await spent(bench) == {
        DAY: str(30 * TOKEN),
        f"{DAY}:{ALICE}": str(20 * TOKEN),
        f"{DAY}:{BOB}": f"{10 * TOKEN}",
    }
    assert {wallet: total.units for wallet, total in binding_state.wallets.items()} == {
        ALICE: 20 * TOKEN,
        BOB: 10 * TOKEN,
    }


async def test_a_release_gives_back_to_the_day_of_the_binding(bench: Bench) -> None:
    """In all and to the wallet whose order is held; the closing's own day is another one."""
    orders = [*await bench.received("ORD1"), *await bench.received("ORD2", wallet=BOB)]
    _, bound = await bind(bench.ledger, await bench.binding_state(), orders, *binding(7, orders))
    bench.clock.advance(DAY_MS)

    await bench.ledger.close(bound, a_closing("ORD1", held=["ORD2"]))

    assert await spent(bench) == {DAY: str(10 * TOKEN), f"{DAY}:{ALICE}": str(10 * TOKEN), f"{DAY}:{BOB}": "0"}


async def test_a_retried_order_counts_on_the_day_it_is_bound_again(bench: Bench) -> None:
    """Yesterday got its units back, and today carries them."""
    await bench.ledger.close(await bench.bound("ORD1"), a_closing(held=["ORD1"]))
    bench.clock.advance(DAY_MS)
    waits = await bench.ledger.admin.retry(await bench.order("ORD1"), "ana", "the authority was paused")
    transaction, attempt = binding(8, [waits])

    await bind(bench.ledger, await bench.binding_state(), [waits], replace(transaction, bound_day=NEXT_DAY), attempt)

    today = str(10 * TOKEN)
    assert await spent(bench) == {DAY: "0", f"{DAY}:{ALICE}": "0", NEXT_DAY: today, f"{NEXT_DAY}:{ALICE}": today}


@pytest.mark.parametrize("caps", [Caps(day_units=TokenUnits(10 * TOKEN)), Caps(wallet_units=TokenUnits(10 * TOKEN))])
async def test_two_operators_never_exceed_a_cap_together(bench: Bench, caps: Caps) -> None:
    """Both have read that nothing is bound today; the totals stand in both groups, and one of them loses."""
    await bench.ledger.admin.add_operator(BOB, 3)
    orders = await bench.received("ORD1", "ORD2")
    binding_state = [await books_of(bench, operator) for operator in (OPERATOR, BOB)]

    outcomes = await asyncio.gather(
        bind(bench.ledger, binding_state[0], [orders[0]], *binding(7, [orders[0]]), caps=caps),
        bind(bench.ledger, binding_state[1], [orders[1]], *binding(3, [orders[1]], BOB), caps=caps),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Contention) for outcome in outcomes) == 1
    assert await spent(bench) == {DAY: str(10 * TOKEN), f"{DAY}:{ALICE}": str(10 * TOKEN)}


@pytest.mark.parametrize("row", [f"spent:{DAY}", f"spent:{DAY}:{ALICE}"])
async def test_a_total_that_changed_since_it_was_read_stops_the_binding(bench: Bench, row: str) -> None:
    """Each of them alone, with everything else as it was."""
    await bench.bound("ORD1")
    (order,), binding_state = await bench.received("ORD2"), await bench.binding_state()
    stale = replace(binding_state.spent, version=STALE)
    wallet = replace(binding_state.wallets[ALICE], version=STALE)
    binding_state = (
        replace(binding_state, spent=stale) if row.endswith(DAY) else replace(binding_state, wallets={ALICE: wallet})
    )

    with pytest.raises(Contention):
        await bind(bench.ledger, binding_state, [order], *binding(8, [order]))
    assert await bench.order("ORD2") == order


async def test_the_ledger_itself_refuses_to_bind_above_a_cap(bench: Bench) -> None:
    """The choice of the orders was wrong: a bug, and nothing is written."""
    orders = await bench.received("ORD1", "ORD2")
    before, caps = await bench.values(), Caps(wallet_units=TokenUnits(20 * TOKEN - 1))

    with pytest.raises(InvariantBroken, match="default:ORD2 would be bound above MAX_DAILY_WALLET_TOKENS"):
        await bind(bench.ledger, await bench.binding_state(), orders, *binding(7, orders), caps=caps)
    assert await bench.values() == before


async def test_what_is_known_is_not_read_again(bench: Bench) -> None:
    """The totals come back with the answer to a binding, as the versions do."""
    (order,), binding_state = await bench.received("ORD1"), await bench.binding_state()
    after, _ = await bind(bench.ledger, binding_state, [order], *binding(7, [order]))

    assert await bench.ledger.with_wallets(after, [ALICE]) == after == await bench.binding_state()


async def test_an_order_is_recalled_without_being_kept(bench: Bench) -> None:
    """None when it is new here; the stored one when its id is known."""
    (order,) = await bench.received("ORD1")

    assert await bench.ledger.recall(replace(order, amount_units=TokenUnits(1))) == order
    assert await bench.ledger.recall(replace(order, order_id="ORD2", ref_id=a_hash("ORD2"))) is None
    assert await bench.ledger.order(OrderKey("default", "ORD2")) is None
    assert order.received_ms == NOW_MS
