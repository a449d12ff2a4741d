"""A past that a person took although it did not add up, by the commands: each order waits until he says more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstack.contracts import Devchain
from distributor.ledger.keys import DOUBTED_PAST
from distributor.order_ids import ref_id
from distributor.resources import Resources
from distributor.units import TokenUnits
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.integration.test_commands import ONE_TOKEN, Desk


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person whose ledger was rebuilt with ``--accept-incomplete``."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply")

    async def doubt(parts: Resources) -> None:
        ledger, group = await parts.ledger(), AtomicWrite()
        await ledger.past.write(group, "transfers of 10 units are missing. no node keeps older logs")
        await commit((await parts.tables()).rows, group, marker_row=DOUBTED_PAST)

    own.parts(doubt)
    return own


def test_an_order_is_looked_up_or_the_past_is_known(desk: Desk) -> None:
    """`retry` pays the one that was looked up; `resume --past-known` lets new ones pass, and is in the trail."""
    desk.send("A-1", "A-2")
    desk.drain()
    assert {each["reason"] for each in desk.ask("held")["held"]} == {"past_unknown"}
    assert desk.payouts() == []

    desk.do("retry", "A-1")
    desk.drain()
    desk.settle()
    assert desk.ask("order", "A-1")["status"] == "paid"

    desk.do("pause")
    desk.written("held_past_unknown", "resume --past-known")
    desk.pay("B-1")
    assert desk.ask("order", "B-1")["status"] == "paid"
    assert desk.ask("order", "A-2")["status"] == "held"
    assert len(desk.payouts()) == 2


def test_new_orders_are_paid_once_the_ways_out_made_the_past_known(desk: Desk) -> None:
    """Nothing is paused; before, each was held."""
    desk.pay("A-1")
    assert desk.ask("order", "A-1")["status"] == "held"

    desk.written("Ways out", "resume --past-known")
    desk.pay("B-1")

    assert [desk.ask("order", name)["status"] for name in ("A-1", "B-1")] == ["held", "paid"]
    assert len(desk.payouts()) == 1


def test_an_order_that_was_paid_in_the_lost_past_is_settled_by_its_page(desk: Desk) -> None:
    """By the transaction that paid it, of an operator that this ledger does not know; it is not paid again."""
    desk.pay("A-1")
    known = desk.devchain.deployment
    desk.devchain.grant(known.second_operator)
    before = Devchain(replace(known, operator=known.second_operator))
    before.distribute(known.customers[0], TokenUnits(ONE_TOKEN), ref_id("default", "A-1"), "before the loss")
    desk.devchain.mine(8)
    paid_by = desk.devchain.distributed_events()[-1].tx_hash

    settled = desk.written("held_past_unknown", "settle ORDER --tx HASH", {"ORDER": "A-1", "HASH": paid_by})

    assert settled["outcome"] == "paid"
    desk.written("held_past_unknown", "resume --past-known")
    desk.pay("B-1")
    assert [desk.ask("order", name)["status"] for name in ("A-1", "B-1")] == ["paid", "paid"]
    assert desk.payouts() == [ONE_TOKEN] * 2
