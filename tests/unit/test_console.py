"""The console: what each person sees, what they can do, and what an attacker cannot."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from distributor.console import site
from distributor.console.filters import amount, when
from distributor.console.site import COOKIE, Console
from distributor.ledger.call_backs import Announced
from distributor.ledger.columns import encode
from distributor.ledger.keys import held_row, order_row
from distributor.model import HoldReason, OrderKey, OrderStatus
from distributor.payout.resumption import Resumption
from distributor.payout.sweep import Sweep
from distributor.rates import Rate
from distributor.state import WaitingReason
from distributor.units import Wei
from distributor.webhook.rate_limiter import RateLimiter
from foundation.console.sessions import IDLE_MS
from foundation.console.settings import ConsoleSettings
from foundation.console.visit import Visit
from foundation.errors import ConfigurationError, Contention, StoreUnavailable
from foundation.http.html import HtmlPage
from foundation.sentences import sentence
from foundation.settings.reading import read_group
from foundation.tablestore.memory import MemoryRows
from tests.factories import BOB, IDENTITY, OPERATOR, a_hash, an_address
from tests.fakes.bench import Bench, founded
from tests.fakes.counters import FakeCounters
from tests.fakes.parts import InMemory
from tests.fakes.status import no_round_runs
from tests.unit.test_wiring import GOOD

URL = "https://payouts.example.com"
ANA, JOAO = "a" * 32, "j" * 32
CONSOLE = {
    "CONSOLE_TOKEN__ANA": ANA,
    "CONSOLE_TOKEN__JOAO": JOAO,
    "CONSOLE_OPERATORS": "ana",
    "CONSOLE_KEY": "k" * 32,
    "CONSOLE_URL": URL,
}
SCRIPT = "<script>alert(1)</script>"


@dataclass
class Browser:
    """A browser: keeps the cookie, says where its forms come from."""

    console: Console
    cookie: str = ""
    languages: str = "en-US,en;q=0.9"
    page: HtmlPage = field(default_factory=lambda: HtmlPage(status=0, body=""))

    async def get(self, path: str = "", **query: str) -> HtmlPage:
        """Open a page."""
        return await self._ask(Visit(method="GET", path=path, query=query))

    async def post(self, path: str, origin: str = URL, **form: str) -> HtmlPage:
        """Send a form."""
        return await self._ask(Visit(method="POST", path=path, form=form, origin=origin))

    async def sign_in(self, token: str) -> HtmlPage:
        """Exchange a token for a session."""
        return await self.post("sign-in", token=token)

    async def act(self, name: str, about: str = "", why: str = "a reason") -> HtmlPage:
        """Look at what an act would do, and send its form."""
        await self.get(f"acts/{name}", about=about)
        return await self.post(f"acts/{name}", about=about, form=self.form(), why=why)

    def form(self) -> str:
        """Return the hidden token of the page that is open."""
        found = re.search(r'name="form" value="([^"]+)"', self.page.body)
        assert found, self.page.body
        return unescape(found[1])

    async def _ask(self, visit: Visit) -> HtmlPage:
        cookies = f"other=1; {self.cookie}" if self.cookie else ""
        self.page = await self.console.answer(replace(visit, cookies=cookies, languages=self.languages))
        if "Set-Cookie" in self.page.headers:
            self.cookie = self.page.headers["Set-Cookie"].partition(";")[0]
        return self.page


@pytest.fixture
async def bench() -> Bench:
    """A ledger with an order in flight, one that waits, and one that is held."""
    bench = await founded()
    await bench.bound("A")
    await bench.received("B", "C", reason=SCRIPT)
    await bench.ledger.hold(await bench.order("C"), HoldReason.SIMULATION, f"refused {SCRIPT}")
    return bench


def a_console(bench: Bench, **settings: str) -> Console:
    """Return the console of one instance; two of them share nothing in memory."""
    return Console(
        settings=read_group(ConsoleSettings, CONSOLE | settings),
        parts=InMemory(GOOD | {"CHAIN_ID": str(IDENTITY.chain_id)} | SAME, bench),
        rate_limiter=RateLimiter(
            counters=FakeCounters(bench.clock),
            per_address=Rate(2, 60),
            per_source=None,
            trusted_proxies=0,
            clock=bench.clock,
        ),
        clock=bench.clock,
    )


SAME = {
    "TOKEN_ADDRESS": IDENTITY.token,
    "AUTHORITY_ADDRESS": IDENTITY.authority,
    "RESERVE_ADDRESS": IDENTITY.reserve,
}


@pytest.fixture
def console(bench: Bench) -> Console:
    """One instance."""
    return a_console(bench)


@pytest.fixture
async def ana(console: Console) -> Browser:
    """An operator who is signed in."""
    browser = Browser(console)
    assert (await browser.sign_in(ANA)).status == 303
    return browser


@pytest.fixture
async def joao(console: Console) -> Browser:
    """A viewer who is signed in."""
    browser = Browser(console, languages="pt-BR")
    await browser.sign_in(JOAO)
    return browser


# who comes in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "order", "acts/pause", "nowhere", "sign-out", "language"])
async def test_nobody_sees_anything_without_a_session(console: Console, path: str) -> None:
    """A page leads to the sign-in; a form is refused, and says that nothing was done."""
    stranger = Browser(console)

    assert (await stranger.get(path)).headers["Location"] == "/console/sign-in"
    assert stranger.page.status == 303
    assert (await stranger.post(path)).status == 401
    assert "Nothing was done" in stranger.page.body


async def test_the_session_is_a_cookie_of_this_host_that_no_script_reads(ana: Browser) -> None:
    """And the token is not in it."""
    await ana.get()
    cookie = ana.page.headers["Set-Cookie"]

    assert cookie.startswith("__Host-console=")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert ANA not in cookie


async def test_a_wrong_token_is_refused_and_counted(console: Console) -> None:
    """Each address may guess as often as at the webhook; the right token is not asked for then either."""
    stranger = Browser(console)

    told = [(await stranger.sign_in(token)).status for token in ("x" * 32, "y" * 32, ANA)]

    assert told == [403, 403, 429]
    assert stranger.cookie == ""


async def test_the_first_page_shows_the_gas_of_every_lane(bench: Bench, ana: Browser) -> None:
    """Each with its operator where several pay; one alone as before, also where the watch of before kept no more."""
    second = an_address("the operator of lane b")
    seen = replace(await bench.ledger.service.monitor_state(), watched_ms=bench.clock(), gas_wei=Wei(7 * 10**18))
    for lane_gas, named in ((None, 0), ((f"{OPERATOR} {7 * 10**18}",), 0), ((f"{OPERATOR} 1", f"{second} 2"), 2)):
        await bench.ledger.service.save_monitor_state(replace(seen, lane_gas=lane_gas))
        seen = replace(seen, version=(await bench.ledger.service.monitor_state()).version)
        page = (await ana.get()).body

        assert page.count("<dt>Gas") == max(1, named)
        assert page.count(f"<dt>Gas <code>{second}</code></dt>") == named // 2
        assert ("<dt>Gas</dt><dd>7 POL" in page) is (named == 0)


async def test_without_tokens_the_console_is_off(bench: Bench) -> None:
    """Every page says so, the sign-in too; nothing is read."""
    off = replace(a_console(bench), settings=read_group(ConsoleSettings, {}))

    for path in ("", "sign-in", "order"):
        assert (await Browser(off).get(path)).status == 404
    assert (await Browser(off).post("sign-in", token="")).status == 404
    assert (await Browser(off).get("style.css")).headers["Content-Type"] == "text/css; charset=utf-8"


async def test_a_session_holds_on_every_instance_until_it_is_idle(bench: Bench, ana: Browser) -> None:
    """A request may meet any of forty instances; a page that is left open over lunch leads to the sign-in."""
    ana.console = a_console(bench)
    assert (await ana.get()).status == 200

    bench.clock.advance(IDLE_MS + 1)

    assert (await ana.get()).status == 303


async def test_signing_out_takes_the_cookie_away(ana: Browser) -> None:
    """The browser forgets it; from another site nobody is signed out."""
    assert (await ana.post("sign-out", origin="https://evil.example")).status == 403
    assert (await ana.get()).status == 200

    await ana.post("sign-out")

    assert ana.cookie == f"{COOKIE}="
    assert "Max-Age=0" in ana.page.headers["Set-Cookie"]
    assert (await ana.get()).status == 303


async def test_everybody_is_signed_out_at_once(bench: Bench, ana: Browser, joao: Browser) -> None:
    """On every instance, who did it too; a token signs in again, and the switch is as it was."""
    before = await bench.ledger.admin.pause_state()
    assert (await ana.act("sign-out-all", why="a laptop was stolen")).status == 200

    for browser in (ana, joao):
        browser.console = a_console(bench)
        assert (await browser.get()).headers["Location"] == "/console/sign-in"
    assert (await ana.sign_in(ANA)).status == 303
    assert (await ana.get()).status == 200
    after = await bench.ledger.admin.pause_state()
    assert (after, after.console_epoch) == (replace(before, console_epoch=1), 1)
    await bench.ledger.admin.pause("ana", "look")
    await bench.ledger.admin.resume("ana", "looked")
    assert (await bench.ledger.admin.pause_state()).console_epoch == 1


# what is seen -------------------------------------------------------------------------------------


async def test_the_first_page_says_what_needs_a_person_and_what_to_do(ana: Browser) -> None:
    """The headline, the held order with its remedy, the alarm, what moves."""
    await (await ana.console.parts.register()).note("pool_view", "node-1", "cannot see the pool")

    body = (await ana.get()).body

    assert "<h1>" in body
    for said in ("default:A", "default:B", "default:C", "simulation", "pool_view", "cannot see the pool", "Nonce"):
        assert said in body
    assert "/console/acts/pause" in body
    assert "/console/acts/seen?about=pool_view" in body
    assert quote("default:C") in body or "default:C" in body


async def test_a_viewer_sees_the_same_and_no_button(joao: Browser) -> None:
    """In Portuguese, as the browser asked."""
    body = (await joao.get()).body

    assert 'lang="pt-BR"' in body
    assert "Pedidos retidos" in body
    assert "default:C" in body
    assert "/acts/" not in body


async def test_orders_are_listed_found_and_kept_in_the_address(bench: Bench, ana: Browser) -> None:
    """By status and the beginning of the id; the next page asks for the same; a wrong filter is named."""
    everything = (await ana.get("orders")).body
    assert [name for name in "ABC" if f"default:{name}<" not in everything] == []
    held = await ana.get("orders", status="held")
    assert "default:C<" in held.body
    assert "default:B<" not in held.body
    assert 'value="B"' in (await ana.get("orders", id="B")).body
    await bench.received(*(f"P{n}" for n in range(60)))

    more = await ana.get("orders", status="received")
    wrong = await ana.get("orders", wallet=SCRIPT)

    assert re.search(r'href="/console/orders\?[^"]*status=received[^"]*cursor=', more.body)
    assert (wrong.status, SCRIPT in wrong.body) == (400, False)
    assert "wallet" in wrong.body


async def test_a_row_that_cannot_be_read_is_named_in_the_list(bench: Bench, ana: Browser) -> None:
    """And hides no other order."""
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(order_row((await bench.order("B")).key), {"status": 7})

    body = (await ana.get("orders")).body

    assert "Rows that cannot be read" in body
    assert "default:C<" in body


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("A", "submitted", "Reference on the chain"),
        ("B", "received", "/console/acts/cancel?about=default%3AB"),
        ("C", "held", "settle default:C --tx"),
        ("default:C", "held", "/console/acts/retry?about=default%3AC"),
    ],
)
async def test_an_order_has_a_page(ana: Browser, name: str, status: str, said: str) -> None:
    """Its state, what can be done here, and the lines that are for the command line alone."""
    page = await ana.get("order", id=name)

    assert page.status == 200
    assert f": {status}</h1>" in page.body
    assert said in page.body.replace("%3a", "%3A").replace("about=default:", "about=default%3A")


async def test_an_order_that_waits_says_why_and_what_to_do(bench: Bench, ana: Browser) -> None:
    """In the catalogue's words; while no round runs, that is the reason, whatever the last one found."""
    await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "0.01 POL at 0xabc")
    short = (await ana.get("order", id="B")).body
    await no_round_runs(bench.ledger, bench.clock())
    off = (await ana.get("order", id="B")).body

    assert "Send POL" in short
    assert "Send POL" not in off
    assert "its function does not run" in off


async def test_a_paid_order_can_only_be_reopened_on_the_command_line(bench: Bench, ana: Browser) -> None:
    """No button beside it."""
    assert isinstance(bench.rows, MemoryRows)
    paid = replace(await bench.order("B"), status=OrderStatus.PAID, paid_hash=a_hash("paid"), paid_block=7)
    bench.rows.put(order_row(paid.key), encode(paid))

    body = (await ana.get("order", id="B")).body

    assert "reopen default:B --tx" in body
    assert "acts/" not in body


async def test_the_first_page_says_when_the_last_good_backup_was_made(bench: Bench, ana: Browser) -> None:
    """Its name too, which `restore` asks for; and that there is none."""
    assert "none yet" in (await ana.get()).body
    await bench.ledger.service.note_backup(bench.clock(), "distributor/137/one")

    body = (await ana.get()).body

    assert "<code>distributor/137/one</code>" in body
    assert "none yet" not in body


async def test_an_order_shows_what_its_shop_was_told(bench: Bench, ana: Browser) -> None:
    """With what was answered; nothing where nothing was told, and no button where the shop has no address."""
    assert "What the shop was told" not in (await ana.get("order", id="B")).body
    backs = bench.ledger.call_backs
    for announced in (await backs.announced(limit=10))[0]:
        assert isinstance(announced, Announced)
        await backs.fan_out(announced, {"default"})
    (call,) = await backs.of_order(OrderKey("default", "C"), limit=10)
    await backs.save(call, replace(call, attempts=1, answer=SCRIPT))

    body = (await ana.get("order", id="C")).body

    assert "order.held" in body
    assert "acts/call-back" not in body
    assert SCRIPT not in body


@pytest.mark.parametrize("name", ["Z", "", "a/b/c", "../x", "é", SCRIPT])
async def test_an_order_that_is_not_there_has_none(ana: Browser, name: str) -> None:
    """Whatever is asked for, and it is never part of the page's code."""
    page = await ana.get("order", id=name)

    assert page.status == 404
    assert SCRIPT not in page.body


async def test_what_a_shop_wrote_is_text(ana: Browser) -> None:
    """A script in a reason or in a node's words is shown, and nothing may run on the page at all."""
    for page in (await ana.get(), await ana.get("order", id="C")):
        assert SCRIPT not in page.body
        assert "&lt;script&gt;" in page.body
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert " style=" not in page.body
        assert page.headers["Cache-Control"] == "no-store"


async def test_the_language_can_be_changed(ana: Browser) -> None:
    """For this browser, and it stays so."""
    await ana.post("language", to="pt")
    assert 'lang="pt-BR"' in (await ana.get()).body

    await ana.post("language", to="en")
    assert 'lang="en"' in (await ana.get()).body


async def test_there_is_no_other_page(ana: Browser) -> None:
    """Also no act of another name, and none by another method."""
    for path in ("nowhere", "acts", "acts/settle", "sign-out", "language", "order/x"):
        assert (await ana.get(path)).status == 404 or path == "order/x"
    assert (await ana.post("")).status == 404


# what is done -------------------------------------------------------------------------------------


async def test_an_act_shows_what_it_would_do_and_does_it_once(bench: Bench, ana: Browser) -> None:
    """Opened it changes nothing; sent it acts, with name and reason in the audit trail; sent again it does not."""
    await ana.get("acts/pause")
    form = ana.form()
    assert "Dry run: would stop all binding" in ana.page.body
    assert not (await bench.ledger.admin.pause_state()).paused

    done = await ana.post("acts/pause", form=form, why=" market closed ")
    state = await bench.ledger.admin.pause_state()
    again = await ana.post("acts/pause", form=form, why="market closed")

    assert (done.status, again.status) == (200, 409)
    assert (state.paused_by, state.paused_why) == ("ana", "market closed")
    assert "Look again" in again.body
    assert await bench.ledger.admin.pause_state() == state


async def test_a_held_order_is_put_back_with_name_and_reason(bench: Bench, ana: Browser) -> None:
    """As `retry` does it."""
    page = await ana.act("retry", "default:C", "the reserve is filled")

    assert page.status == 200
    assert (await bench.order("C")).status is OrderStatus.RECEIVED
    deeds = [entry for key, entry in bench.audit.entries.items() if key.startswith("retry:")]
    assert [(entry["by"], entry["why"]) for entry in deeds] == [("ana", "the reserve is filled")]


async def test_nobody_acts_on_what_has_changed_since_they_looked(bench: Bench, ana: Browser) -> None:
    """Another operator was first: the order waits already, and this one meant to cancel a held order."""
    await ana.get("acts/cancel", about="default:C")
    form = ana.form()
    await bench.ledger.admin.retry(await bench.order("C"), "joao", "first")

    page = await ana.post("acts/cancel", about="default:C", form=form, why="late")

    assert page.status == 409
    assert (await bench.order("C")).status is OrderStatus.RECEIVED


async def test_an_alarm_is_marked_as_known(ana: Browser) -> None:
    """With the person's name; what was not sent cannot be known yet, and the command says so."""
    register = await ana.console.parts.register()
    await register.note("pool_view", "node-1", "cannot see the pool")

    page = await ana.get("acts/seen", about="pool_view")

    assert page.status == 200
    assert "pool_view was not sent" in page.body
    assert 'name="form"' not in page.body


async def test_what_the_command_refuses_is_said(ana: Browser) -> None:
    """A bound order may be paid at any moment: the page says why there is no button."""
    page = await ana.get("acts/cancel", about="default:A")

    assert "only one that waits or is held can be cancelled" in page.body
    assert 'name="form"' not in page.body


async def test_a_refusal_between_looking_and_acting_is_said_too(
    bench: Bench, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage fails while it acts: the page says neither that it is done nor that it is not."""
    await ana.get("acts/pause")
    form = ana.form()

    async def down(*_: Any) -> Any:
        raise StoreUnavailable("storage is down")

    monkeypatch.setattr(type(bench.ledger.admin), "pause", down)
    page = await ana.post("acts/pause", form=form, why="x")

    assert page.status == 503
    assert "storage is down" in page.body
    assert "Whether this was done is not known" in page.body
    assert "Done." not in page.body


async def test_what_storage_did_although_its_answer_was_lost_is_not_called_refused(
    bench: Bench, ana: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A round's binding follows the pause, and the nonce cannot be written behind it: the switch is closed all the same.

    The log names the person before it is done; the sentence is in the person's language.
    """
    await ana.post("language", to="pt")
    await ana.get("acts/pause")
    form = ana.form()

    async def beaten(*_: Any) -> Any:
        assert "console_act_begins" in caplog.text
        raise Contention(sentence("bindings kept going on behind the pause"))

    monkeypatch.setattr(type(bench.ledger.admin), "_touch", beaten)
    with caplog.at_level("INFO"):
        page = await ana.post("acts/pause", form=form, why="x")

    assert (await bench.ledger.admin.pause_state()).paused
    assert page.status == 503
    assert "Não se sabe se isto foi feito" in page.body
    assert "bindings kept going on" not in page.body


async def test_nobody_ends_a_halt_that_came_while_they_resumed(
    bench: Bench, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What speaks against a resume is asked of the nodes, for seconds; in them another person pulls the brake.

    Their halt stays, and so does the sign that a round noted meanwhile.
    """
    await bench.ledger.admin.pause("ana", "a look")

    async def quiet(_: Resumption) -> list[str]:
        return []

    async def halts(_: Resumption) -> list[str]:
        await bench.ledger.admin.halt("joao", "a thief")
        await bench.ledger.signs.note(WaitingReason.NONCE_AHEAD, "the chain is ahead")
        return []

    monkeypatch.setattr(Resumption, "obstacles", quiet)
    await ana.get("acts/resume")
    form = ana.form()
    monkeypatch.setattr(Resumption, "obstacles", halts)
    page = await ana.post("acts/resume", form=form, why="looked")

    state = await bench.ledger.admin.pause_state()
    assert (state.halted_by, state.paused_by) == ("joao", "ana")
    assert "somebody turned the switch meanwhile" in page.body
    assert page.status == 409
    assert "Done." not in page.body
    assert await bench.ledger.signs.noted() is not None


async def test_a_row_that_cannot_be_read_is_not_called_an_outage(bench: Bench, ana: Browser) -> None:
    """Trying again helps nobody: the page says which command lists it."""
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(order_row((await bench.order("B")).key), {"status": 7})

    page = await ana.get("order", id="B")

    assert page.status == 500
    assert "order:default:B" in page.body
    assert "`verify` lists" in page.body
    assert "Try again" not in page.body


async def test_the_brake_can_be_reached_where_the_first_page_cannot_be_shown(
    bench: Bench, ana: Browser, joao: Browser
) -> None:
    """A row of the day's total is torn; pausing reads none of it. A viewer sees no button."""
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(next(key for key in bench.rows.dump() if key.startswith("spent:")), {"units": "x"})

    page = await ana.get()

    assert (page.status, "/console/acts/pause" in page.body, "/console/acts/halt" in page.body) == (500, True, True)
    assert "acts/" not in (await joao.get()).body
    assert "acts/" not in (await ana.get("nowhere")).body
    assert (await ana.act("pause")).status == 200
    assert (await bench.ledger.admin.pause_state()).paused


async def test_more_held_orders_than_are_read_are_not_counted_as_all(bench: Bench, ana: Browser) -> None:
    """The headline says "at least", and a filter that fits none of the first rows says that there are more."""
    assert isinstance(bench.rows, MemoryRows)
    held = await bench.order("C")
    for number in range(250):
        each = replace(held, order_id=f"H{number:03d}")
        bench.rows.put(order_row(each.key), encode(each))
        bench.rows.put(held_row(each.key), encode(each.key))
    await bench.ledger.admin.resume("ana", "x")
    await Sweep(ledger=bench.ledger, clock=bench.clock).run()

    assert "At least 50 orders are held" in (await ana.get()).body
    page = (await ana.get("orders", status="held", wallet=BOB)).body
    assert "There are more: the next page goes on" in page
    assert "cursor=" in page


@pytest.mark.parametrize(
    "origin", ["", "null", "https://evil.example", "http://payouts.example.com", URL + ".evil.com"]
)
async def test_a_form_of_another_site_does_nothing(bench: Bench, ana: Browser, origin: str) -> None:
    """Also with a right token in it, and also one that would sign in."""
    await ana.get("acts/halt")

    page = await ana.post("acts/halt", origin, form=ana.form(), why="x")

    assert page.status == 403
    assert not (await bench.ledger.admin.pause_state()).halted
    assert (await Browser(ana.console).post("sign-in", origin, token=ANA)).status == 403


async def test_a_viewer_neither_looks_at_an_act_nor_does_it(bench: Bench, ana: Browser, joao: Browser) -> None:
    """Also not with a form that an operator was shown."""
    await ana.get("acts/pause")

    assert (await joao.get("acts/pause")).status == 403
    assert (await joao.post("acts/pause", form=ana.form(), why="x")).status == 403
    assert not (await bench.ledger.admin.pause_state()).paused


async def test_a_form_of_another_session_does_nothing(bench: Bench, ana: Browser) -> None:
    """The same person on another machine has forms of their own."""
    other = Browser(ana.console)
    await other.sign_in(ANA)
    await other.get("acts/pause")

    page = await ana.post("acts/pause", form=other.form(), why="x")

    assert page.status == 409
    assert not (await bench.ledger.admin.pause_state()).paused


async def test_without_a_reason_nothing_is_done_and_the_form_is_shown_again(bench: Bench, ana: Browser) -> None:
    """Blanks are none."""
    page = await ana.act("pause", why="  ")

    assert page.status == 422
    assert "Say why" in page.body
    assert ana.form()
    assert not (await bench.ledger.admin.pause_state()).paused


async def test_an_id_that_no_order_can_have_is_not_asked_of_the_table(ana: Browser) -> None:
    """It may not even be a key."""
    assert (await ana.get("acts/cancel", about="a/b#c")).status == 404


# what does not work now ---------------------------------------------------------------------------


async def test_storage_that_does_not_answer_is_a_page(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the cause, and still signed in."""

    async def down(*_: Any) -> Any:
        raise StoreUnavailable("the ledger did not answer.")

    monkeypatch.setattr(InMemory, "ledger", down)
    page = await ana.get()

    assert page.status == 503
    assert "the ledger did not answer." in page.body
    assert ana.cookie


async def test_a_setting_that_is_wrong_is_a_page(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named."""

    async def wrong(*_: Any) -> Any:
        raise ConfigurationError("LEDGER_TABLE is wrong")

    monkeypatch.setattr(InMemory, "ledger", wrong)

    assert "LEDGER_TABLE is wrong" in (await ana.get()).body


async def test_what_takes_too_long_is_a_page_and_not_called_done(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame around every route would answer a program's document."""

    async def hangs(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(site, "ANSWER_S_MAX", 0.5)
    monkeypatch.setattr(InMemory, "ledger", hangs)
    page = await ana.get()

    assert page.status == 503
    assert "whether it was done is not known" in page.body


def test_times_have_their_zones_and_amounts_their_groups() -> None:
    """Brasília first, UTC beside; a word that is no time stays, and nothing is a dash."""
    assert when("2026-11-29T02:30:00.000Z") == "28/11/2026 23:30:00 Brasília (02:30:00 UTC)"
    assert (when("not seen yet"), when(None), amount(None), amount("1234567.5")) == (
        "not seen yet",
        "-",
        "-",
        "1,234,567.5",
    )
