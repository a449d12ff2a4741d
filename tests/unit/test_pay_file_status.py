"""Where the order of a line is, also in a ledger that was lost and rebuilt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.caps import Caps
from distributor.cli.pay_file import line_state
from distributor.cli.together import ask_for_each
from distributor.ledger.rebuild_store import Payout, RebuildStore
from distributor.model import Order, OrderKey
from distributor.units import TokenUnits
from foundation.errors import Contention, InvariantBroken, ServiceError, StoreUnavailable
from tests.factories import a_hash, an_order
from tests.fakes.bench import Bench, founded


async def found_on_the_chain(bench: Bench, order: Order, key: OrderKey | None) -> None:
    """Restore the payout of *order*; without a *key* its name was too long for the chain."""
    payout = Payout(
        ref_id=order.ref_id,
        key=key,
        wallet=order.wallet,
        amount_units=order.amount_units,
        reason="",
        operator=None,
        nonce=None,
        tx_hash=a_hash("01"),
        block_number=1,
    )
    await RebuildStore(bench.rows, bench.clock).restore(payout)


async def test_what_a_rebuild_found_paid_is_paid() -> None:
    """Called otherwise, a person would pay the line again under another batch."""
    for named in (True, False):
        bench, order = await founded(), an_order("ORD1")
        await found_on_the_chain(bench, order, order.key if named else None)

        assert await line_state(bench.ledger, order) == "paid"
        other = replace(order, amount_units=TokenUnits(order.amount_units + 1))
        assert await line_state(bench.ledger, other) == "stored with other content"


async def test_a_line_is_where_its_order_is() -> None:
    """Unknown, waiting, or with other content under its id."""
    bench, order = await founded(), an_order("ORD1")
    assert await line_state(bench.ledger, order) == "not stored"

    (stored,) = await bench.received("ORD1")

    assert await line_state(bench.ledger, stored) == "received"
    assert await line_state(bench.ledger, replace(stored, fingerprint="0" * 64)) == "stored with other content"


async def test_what_waits_for_approval_is_counted_apart_until_it_is_cancelled() -> None:
    """It keeps the word for which it was held, and is no longer one of those that wait."""
    bench = await founded()
    held = (await bench.ledger.insert(an_order("ORD1"), Caps(approval_units=TokenUnits(1)))).order
    assert await line_state(bench.ledger, held) == "held for approval"

    await bench.ledger.admin.cancel(held, "rui", "not this one")

    assert await line_state(bench.ledger, held) == "cancelled"


@pytest.mark.parametrize("trouble", [StoreUnavailable("no answer"), Contention("changed"), InvariantBroken("torn")])
async def test_what_ends_the_command_is_said_in_its_own_words(trouble: ServiceError) -> None:
    """And not as a group of errors, which no command puts into words."""

    async def ask(_: Order) -> None:
        raise trouble

    with pytest.raises(type(trouble), match=str(trouble)):
        await ask_for_each(ask, [an_order("ORD1"), an_order("ORD2")])
