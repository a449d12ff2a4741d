"""A past that a person took although it did not add up, by the commands: each order waits until he says more."""

from __future__ import annotations

import pytest

from devstack.contracts import Devchain
from distributor.ledger.keys import DOUBTED_PAST
from distributor.resources import Resources
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.integration.test_commands import Desk


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
