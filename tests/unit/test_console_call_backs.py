"""The console's call-backs: how each shop's address answers, sent again by order or since a moment, a test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.call_back_wiring import receivers_of
from distributor.call_backs.posting import Posting
from distributor.cli import call_backs as command
from distributor.console.site import Console
from distributor.ledger.call_records import CallAddress, CallState, StopReason
from distributor.model import HoldReason, OrderKey
from foundation.outgoing.guard import Answer
from tests.factories import IDENTITY
from tests.fakes.bench import Bench, founded
from tests.fakes.parts import InMemory
from tests.unit.test_console import ANA, JOAO, SAME, Browser, a_console
from tests.unit.test_wiring import GOOD

ADDRESS = {"CALLBACK_URL": "https://shop.example/told"}
SINCE = "default 2020-01-01T00:00:00.000Z"


@pytest.fixture
async def bench() -> Bench:
    """A held order, announced to its shop."""
    bench = await founded()
    await bench.received("A")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")
    (page, _) = await bench.ledger.call_backs.announced(limit=10)
    await bench.ledger.call_backs.fan_out(page[0], {"default"})  # type: ignore[arg-type]  # it can be read
    (call,) = await bench.ledger.call_backs.of_order(OrderKey("default", "A"), limit=9)
    await bench.ledger.call_backs.save(call, replace(call, state=CallState.TOLD, answer="HTTP 204"))
    return bench


def a_console_of(bench: Bench, **settings: str) -> Console:
    """Return a console whose shop has an address."""
    environ = GOOD | {"CHAIN_ID": str(IDENTITY.chain_id)} | SAME | settings
    return replace(a_console(bench), parts=InMemory(environ, bench))


@pytest.fixture
async def ana(bench: Bench) -> Browser:
    """An operator who is signed in."""
    browser = Browser(a_console_of(bench, **ADDRESS))
    await browser.sign_in(ANA)
    return browser


async def state(bench: Bench) -> list[str]:
    """Return the states of the order's call-backs."""
    return [str(each.state) for each in await bench.ledger.call_backs.of_order(OrderKey("default", "A"), limit=9)]


async def test_each_shop_is_shown_and_never_its_address(ana: Browser) -> None:
    """How it answers, how much is to be sent; of one shop the newest, each leading to its order."""
    shops = (await ana.get("callbacks")).body
    told = (await ana.get("callbacks", shop="default")).body

    assert "works" in shops
    assert "HTTP 204" in told
    assert "order.held" in told
    assert "/console/order?id=default%3AA" in told
    assert "shop.example" not in shops + told


async def test_a_stopped_address_is_shown_with_its_reason(bench: Bench, ana: Browser) -> None:
    """And one whose shop has nothing yet says so."""
    receivers = await receivers_of(ana.console.parts)
    (receiver,) = receivers().values()
    address = CallAddress(source="default", url_id=receiver.url_id, stopped=StopReason.GONE, answer="HTTP 410")
    await bench.ledger.call_backs.save_address(address)

    assert "stopped: <code>gone</code>" in (await ana.get("callbacks")).body
    empty = Browser(a_console_of(await founded(), **ADDRESS))
    await empty.sign_in(ANA)
    assert "It was told nothing so far." in (await empty.get("callbacks", shop="default")).body


async def test_a_shop_that_nobody_knows_has_no_page(ana: Browser) -> None:
    """Nor is its name repeated; without any address the page says what to set."""
    assert (await ana.get("callbacks", shop="<script>")).status == 404
    assert "<script>" not in ana.page.body
    ana.console = a_console_of(ana.console.parts.bench)  # type: ignore[attr-defined]  # the parts of a test
    assert "CALLBACK_URL" in (await ana.get("callbacks")).body


async def test_the_shop_is_told_again_of_an_order_once_a_form(bench: Bench, ana: Browser) -> None:
    """From its page, with a dry run and a reason; the same form does nothing a second time."""
    assert "Tell the shop again" in (await ana.get("order", id="A")).body
    assert (await ana.act("call-back", "default:A")).status == 200
    assert await state(bench) == ["due"]

    form = {"about": "default:A", "why": "again"}
    await ana.get("acts/call-back", about="default:A")
    form["form"] = ana.form()
    assert [(await ana.post("acts/call-back", **form)).status for _ in range(2)] == [200, 409]
    recorded = await bench.audit.recorded("callbacks-resend:")
    assert {(each["subject"], each["by"]) for each in recorded} == {("default:A", "ana")}


async def test_an_order_that_is_not_there_is_no_call_back(ana: Browser) -> None:
    """Refused by the command, in words."""
    for about in ("default:X", "?"):
        assert "The ledger has no order" in (await ana.get("acts/call-back", about=about)).body


async def test_all_since_a_moment_is_told_again(bench: Bench, ana: Browser) -> None:
    """On the list that was shown: a form about another list does nothing."""
    page = (await ana.get("callbacks", shop="default")).body
    assert page.count("acts/call-back-since?about=default%20") == 3

    await ana.get("acts/call-back-since", about=SINCE)
    assert "1 events" in ana.page.body
    form = {"about": SINCE, "why": "the receiver lost them", "form": ana.form()}
    assert [(await ana.post("acts/call-back-since", **form)).status for _ in range(2)] == [200, 409]
    assert await state(bench) == ["due"]


@pytest.mark.parametrize("about", ["default", "default yesterday", "", "default 2020-01-01 x"])
async def test_a_moment_that_is_none_has_no_page(ana: Browser, about: str) -> None:
    """An address that somebody typed."""
    assert (await ana.get("acts/call-back-since", about=about)).status == 404
    assert (await ana.post("acts/call-back-since", about=about, form="x", why="x")).status == 404


@pytest.mark.parametrize("status", [204, 500])
async def test_a_test_is_posted_and_its_answer_shown(
    bench: Bench, ana: Browser, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """By the command's own way out."""
    posted: list[str] = []

    async def send(request: object, _limits: object) -> Answer:
        posted.append(str(getattr(request, "url", "")))
        return Answer(status=status, headers={}, body=b"", host="shop.example")

    async def posting_of(_parts: object, *, clock: object) -> Posting:
        assert clock is bench.clock
        return Posting(send=send, clock=bench.clock)

    monkeypatch.setattr(command, "posting_of", posting_of)
    done = await ana.act("call-back-test", "default")

    assert (done.status, f"HTTP {status}" in done.body) == (200, True)
    assert posted == [ADDRESS["CALLBACK_URL"]]


async def test_a_viewer_looks_and_tells_nobody(bench: Bench, ana: Browser) -> None:
    """No button, and no act."""
    joao = Browser(ana.console)
    await joao.sign_in(JOAO)

    assert "call-back" not in (await joao.get("order", id="A")).body
    assert "acts/" not in (await joao.get("callbacks", shop="default")).body
    for name, about in (("call-back", "default:A"), ("call-back-since", SINCE), ("call-back-test", "default")):
        assert (await joao.get(f"acts/{name}", about=about)).status == 403
    assert await state(bench) == ["told"]
