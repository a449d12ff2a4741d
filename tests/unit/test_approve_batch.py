"""``approve --batch``: what is confirmed is what was looked at."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from distributor.caps import Caps
from distributor.cli.approve import approve
from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.model import Order, OrderStatus
from distributor.units import TokenUnits
from tests.factories import ALICE, BOB, TOKEN, an_order
from tests.fakes.bench import Bench, founded
from tests.fakes.parts import InMemory
from tests.unit.test_personal_commands import OURS

LIMIT = Caps(approval_units=TokenUnits(TOKEN))


async def uploaded(bench: Bench, order_id: str, tokens: int, **changes: Any) -> Order:
    """Return a stored order of ana's file that waits for approval."""
    units = TokenUnits(tokens * TOKEN)
    order = an_order(order_id, amount_units=units, asked_by="ana", batch="june", file_units=units, **changes)
    return (await bench.ledger.insert(order, LIMIT)).order


async def approved(bench: Bench, **asked: Any) -> Any:
    """Run the command as rui; return its answer, or raise what it refuses."""
    shown = list[str]()
    rest = {"order": None, "batch": "june", "shop": "default", "count": None, "apply": False, "json": True}
    options = Namespace(**{**rest, "by": "rui", "why": "looked", **asked})
    context = CommandContext(InMemory(OURS, bench), options, clock=bench.clock, say=lambda _: None, show=shown.append)
    assert await approve(context) == DONE
    return json.loads(shown[-1])


async def test_orders_that_were_exchanged_since_the_look_are_not_approved() -> None:
    """Who uploaded the file cancels one of two tokens and uploads one of two million: it is one order still."""
    bench = await founded()
    seen = await uploaded(bench, "J1", 2, wallet=ALICE)
    count = (await approved(bench))["count"]
    await bench.ledger.admin.cancel(seen, "ana", "a slip")
    await uploaded(bench, "J2", 2_000_000, wallet=BOB)

    for confirmed in (count, "1", None):
        with pytest.raises(CommandRefused, match="look at them"):
            await approved(bench, apply=True, count=confirmed)

    assert (await bench.order("J2")).status is OrderStatus.HELD
    again = await approved(bench)
    assert (again["waiting"], again["tokens"]) == (1, "2000000")
    assert (await approved(bench, apply=True, count=again["count"]))["approved"] == 1
    assert (await bench.order("J2")).status is OrderStatus.RECEIVED
