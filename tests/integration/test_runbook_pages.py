"""
The pages of the runbook on real servers, each typed as it is written by somebody who knows nothing else.

The page of a lost ledger has a test of its own.
"""

from __future__ import annotations

import re

import pytest

from devstack.contracts import Devchain
from distributor.model import HoldReason
from distributor.queue_names import DISTRIBUTIONS, POISON
from distributor.resources import Resources
from tests.integration.test_commands import ONE_TOKEN, Desk, hold
from tests.unit.test_runbook import RUNBOOK
from tests.unit.test_runbook_commands import FENCED, PROGRAM, filled


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, beginning with the token."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def page(heading: str) -> str:
    """Return what stands under a heading of the runbook."""
    found = re.search(rf"^(##+) {re.escape(heading)}$(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[2]


def type_page(desk: Desk, heading: str) -> list[str]:
    """Type the commands of a page, one after the other; return their names."""
    lines = [line for block in FENCED.findall(page(heading)) for line in block.splitlines() if line.startswith(PROGRAM)]
    for line in lines:
        desk.run(*filled(line.removeprefix(PROGRAM)))
    return [line.removeprefix(PROGRAM).partition(" ")[0] for line in lines]


@pytest.mark.parametrize("reason", HoldReason)
def test_an_order_that_is_held_is_brought_back_by_its_page(desk: Desk, reason: HoldReason) -> None:
    """It is paid, once; or cancelled, where it can never be paid. Payouts go on afterwards, and every row agrees."""
    hold(desk, "A-1", reason)

    typed = type_page(desk, f"held_{reason}")

    desk.drain()
    desk.settle()
    cancelled = "cancel" in typed
    assert desk.ask("order", "A-1")["status"] == ("cancelled" if cancelled else "paid")
    assert desk.payouts() == ([] if cancelled else [ONE_TOKEN])
    assert desk.ask("show")["paused"] is None
    assert desk.ask("held")["held"] == desk.ask("verify")["disagreements"] == []
    assert desk.ask("history", "A-1")["decisions"][-1]["why"] == "WHY"


def test_the_payouts_are_stopped_and_go_on_by_their_pages(desk: Desk) -> None:
    """Nothing is bound in between; a halt ends by the same page as a pause."""
    desk.send("A-1")
    assert type_page(desk, "Stop the payouts") == ["pause"]
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "paused"

    desk.do("halt")
    assert type_page(desk, "waiting_paused") == ["resume"]
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_a_poison_queue_is_emptied_by_its_page(desk: Desk) -> None:
    """And the work behind it is woken."""

    async def poison(parts: Resources) -> None:
        await (await parts.queues()).put(DISTRIBUTIONS + POISON, "what no function can decode")

    async def count(parts: Resources) -> int:
        return await (await parts.queues()).count(DISTRIBUTIONS + POISON)

    desk.parts(poison)
    assert type_page(desk, "poison_waiting") == ["replay-poison"]
    assert desk.parts(count) == 0
