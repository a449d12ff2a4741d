"""Approving on the console: who signed in approves, and nobody what they asked for."""

from __future__ import annotations

import pytest

from distributor.caps import Caps
from distributor.model import OrderKey
from distributor.units import TokenUnits
from tests.factories import an_order
from tests.fakes.bench import Bench, founded
from tests.unit.test_console import ANA, JOAO, Browser, a_console

HELD = "default:BIG"


@pytest.fixture
async def bench() -> Bench:
    """A ledger with an order above the limit that Ana uploaded, and one that a shop sent."""
    bench = await founded()
    limit = Caps(approval_units=TokenUnits(1))
    await bench.ledger.insert(an_order("MINE", asked_by="ANA", batch="june"), limit)
    await bench.ledger.insert(an_order("BIG"), limit)
    return bench


async def signed_in(bench: Bench, token: str = ANA) -> Browser:
    """Return somebody's browser."""
    browser = Browser(a_console(bench))
    await browser.sign_in(token)
    return browser


async def test_an_operator_approves_by_the_name_of_their_session(bench: Bench) -> None:
    """The dry run shows the amount and the wallet; the why is in the audit trail, and the form acts once."""
    ana = await signed_in(bench)
    page = (await ana.get("order", id=HELD)).body
    assert "/acts/approve?" in page
    assert "/acts/retry?" not in page
    assert "--no-tokens-moved" not in page

    dry = (await ana.get("acts/approve", about=HELD)).body
    assert "would approve order default:BIG: 10 tokens to" in dry
    assert (await ana.act("approve", HELD, why="asked the shop")).status == 200

    order = await bench.order("BIG")
    assert str(order.status) == "received"
    assert order.approval is not None
    assert order.approval.by == "ana"
    (entry,) = await bench.audit.recorded("approve:")
    assert (entry["by"], entry["why"]) == ("ana", "asked the shop")
    assert "/acts/approve?" not in (await ana.get("order", id=HELD)).body


async def test_nobody_approves_what_they_uploaded_and_a_viewer_nothing(bench: Bench) -> None:
    """The page says why, and the order stays held."""
    ana, joao = await signed_in(bench), await signed_in(bench, JOAO)
    assert "ANA uploaded it in the file june." in (await ana.get("order", id="default:MINE")).body

    assert "another person approves them" in (await ana.get("acts/approve", about="default:MINE")).body
    assert (await ana.post("acts/approve", about="default:MINE", form="made up", why="because")).status == 409
    assert (await joao.get("acts/approve", about=HELD)).status == 403
    assert (await joao.post("acts/approve", about=HELD, form="", why="because")).status == 403

    assert {str((await bench.order(each)).status) for each in ("MINE", "BIG")} == {"held"}


async def test_a_held_order_of_another_reason_is_not_approved(bench: Bench) -> None:
    """Somebody cancelled it meanwhile."""
    ana = await signed_in(bench)
    found = await bench.ledger.order(OrderKey("default", "BIG"))
    assert found is not None
    await bench.ledger.admin.cancel(found, "rui", "not this one")

    assert "does not wait for approval" in (await ana.get("acts/approve", about=HELD)).body
