"""All held orders of one reason at once: those that were shown, as they were then, once, each with an answer."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from urllib.parse import unquote

import pytest

from distributor.caps import Caps
from distributor.ledger.keys import held_row
from distributor.ledger.shop_orders import ShopOrders
from distributor.model import HoldReason, Order, OrderKey
from distributor.units import TokenUnits
from foundation.console import bulk
from foundation.console.bulk import ITEMS_MAX
from foundation.console.requests import FORM_BYTES_MAX
from foundation.console.sessions import IDLE_MS
from foundation.errors import StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from tests.factories import an_order
from tests.fakes.bench import Bench, founded
from tests.unit.test_console import ANA, JOAO, SCRIPT, URL, Browser, a_console

REASON = "simulation"
STALE = "What you saw has changed, the form is too old, or it was used before"


async def a_bench(*order_ids: str, reason: HoldReason = HoldReason.SIMULATION) -> Bench:
    """Return a ledger in which those orders are held."""
    bench = await founded()
    await hold(bench, *order_ids, reason=reason)
    return bench


async def hold(bench: Bench, *order_ids: str, reason: HoldReason = HoldReason.SIMULATION) -> None:
    """Let orders come and be held."""
    await bench.received(*order_ids)
    for each in order_ids:
        await bench.ledger.hold(await bench.order(each), reason, "refused")


async def signed_in(bench: Bench, token: str = ANA, languages: str = "en") -> Browser:
    """Return somebody's browser."""
    browser = Browser(a_console(bench), languages=languages)
    await browser.sign_in(token)
    return browser


async def send(browser: Browser, act: str, count: str, why: str = "mended", origin: str = URL) -> int:
    """Send the form of the page that is open."""
    form = browser.form()
    return (await browser.post(f"bulk/{act}", origin, about=REASON, form=form, count=count, why=why)).status


async def statuses(bench: Bench, *order_ids: str) -> list[str]:
    """Return what the orders are now."""
    return [str((await bench.order(each)).status) for each in order_ids]


def answers(browser: Browser) -> dict[str, list[str]]:
    """Return the table of the page: each order with what is said of it."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', browser.page.body, re.DOTALL)
    return {unescape(name): [unescape(each) for each in re.findall("<td>(.*?)</td>", cells)] for name, cells in rows}


@pytest.mark.parametrize(("act", "after"), [("retry", "received"), ("cancel", "cancelled")])
async def test_the_shown_orders_are_done_each_with_an_answer_and_the_persons_name(act: str, after: str) -> None:
    """The audit trail has each of them, with who and why, and the form besides."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get(f"bulk/{act}", about=REASON)

    assert {name: cells[0] for name, cells in answers(ana).items()} == {"default:A": "yes", "default:B": "yes"}
    assert await statuses(bench, "A", "B") == ["held", "held"]
    assert await send(ana, act, "2") == 200
    assert await statuses(bench, "A", "B") == [after, after]
    assert answers(ana) == {"default:A": ["yes", "Done."], "default:B": ["yes", "Done."]}
    assert "Done: 2 of 2." in ana.page.body
    trail = {key: values for key, values in bench.audit.entries.items() if key.startswith((f"{act}:", "form:"))}
    assert [(values["by"], values["why"]) for values in trail.values()] == [("ana", "mended")] * 3
    (form,) = (values for key, values in trail.items() if key.startswith("form:"))
    assert (form["deed"], form["subject"], form["count"]) == (f"{act}-all", REASON, 2)


async def test_only_the_reason_and_only_what_was_shown() -> None:
    """An order of another reason, one that is held later, one that waits: none of them is touched."""
    bench = await a_bench("A")
    await hold(bench, "OTHER", reason=HoldReason.REVERTED)
    await bench.received("WAITS")
    ana = await signed_in(bench)
    await ana.get("bulk/cancel", about=REASON)
    await hold(bench, "LATER")

    assert await send(ana, "cancel", "1") == 200
    assert await statuses(bench, "A", "OTHER", "WAITS", "LATER") == ["cancelled", "held", "received", "held"]


async def test_an_order_that_changed_meanwhile_says_so_and_the_others_are_done() -> None:
    """Somebody else retried it, and it was held again: for the same word, and not as it was seen."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/cancel", about=REASON)
    await bench.ledger.admin.retry(await bench.order("A"), "ben", "other")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused again")

    assert await send(ana, "cancel", "2") == 200
    assert await statuses(bench, "A", "B") == ["held", "cancelled"]
    assert answers(ana)["default:A"] == ["no", "It has changed since the list was shown. Nothing was done with it."]
    assert "Done: 1 of 2." in ana.page.body


async def test_a_form_sent_twice_does_nothing_the_second_time() -> None:
    """Nor does it act on what it was refused the first time."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    page = ana.page
    await send(ana, "retry", "2")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")
    before, trail = await bench.values(), dict(bench.audit.entries)
    ana.page = page

    assert await send(ana, "retry", "2") == 409
    assert STALE in ana.page.body
    assert await bench.values() == before
    assert bench.audit.entries == trail


async def test_two_that_are_sent_at_once_act_once() -> None:
    """A double click: the rows decide."""
    bench = await a_bench("A", "B")
    ana, twin = await signed_in(bench), Browser(a_console(bench))
    await ana.get("bulk/retry", about=REASON)
    twin.cookie, twin.page = ana.cookie, ana.page
    await asyncio.gather(send(ana, "retry", "2"), send(twin, "retry", "2"))

    assert await statuses(bench, "A", "B") == ["received", "received"]
    assert len([key for key in bench.audit.entries if key.startswith("retry:")]) == 2


@pytest.mark.parametrize("count", ["", "1", "3", "two", "2 ;", "-2"])
async def test_a_wrong_count_does_nothing(count: str) -> None:
    """It is asked again, with the list as it is now."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/cancel", about=REASON)

    assert await send(ana, "cancel", count) == 422
    assert "The number is not that of the list" in ana.page.body
    assert await statuses(bench, "A", "B") == ["held", "held"]
    assert await send(ana, "cancel", "2") == 200


async def test_without_a_why_nothing_is_done() -> None:
    """As with every act."""
    bench = await a_bench("A")
    ana = await signed_in(bench)
    await ana.get("bulk/cancel", about=REASON)

    assert await send(ana, "cancel", "1", why=" ") == 422
    assert "Say why" in ana.page.body
    assert await statuses(bench, "A") == ["held"]


async def test_a_viewer_is_refused() -> None:
    """The list is shown to them, without a button; neither the form nor what it sends is theirs."""
    bench = await a_bench("A")
    ana, joao = await signed_in(bench), await signed_in(bench, JOAO)
    await ana.get("bulk/cancel", about=REASON)

    assert (await joao.get("held", reason=REASON)).status == 200
    assert "default:A" in joao.page.body
    assert "bulk/" not in joao.page.body
    assert (await joao.get("bulk/cancel", about=REASON)).status == 403
    assert (await joao.post("bulk/cancel", about=REASON, form=ana.form(), count="1", why="x")).status == 403
    assert await statuses(bench, "A") == ["held"]


async def test_another_site_another_session_and_another_act_are_refused() -> None:
    """The form is bound to who saw it, on this console, for this act and reason."""
    bench = await a_bench("A")
    ana, again = await signed_in(bench), await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)

    assert await send(ana, "retry", "1", origin="https://evil.example") == 403
    await ana.get("bulk/retry", about=REASON)
    for browser, act, about in ((again, "retry", REASON), (ana, "cancel", REASON), (ana, "retry", "reverted")):
        form, page = ana.form(), ana.page
        told = await browser.post(f"bulk/{act}", about=about, form=form, count="1", why="x")
        ana.page = page
        assert told.status == 409
    assert (await ana.post("bulk/retry", about=REASON, form="nonsense", count="1", why="x")).status == 409
    assert await statuses(bench, "A") == ["held"]


async def test_a_form_of_one_order_is_none_for_many() -> None:
    """And the other way round: what is signed says what it is for."""
    bench = await a_bench("A")
    ana = await signed_in(bench)
    await ana.get("acts/cancel", about="default:A")
    single = ana.form()

    for about in (REASON, "default:A"):
        assert (await ana.post("bulk/cancel", about=about, form=single, count="1", why="x")).status == 409
    await ana.get("bulk/cancel", about=REASON)
    assert (await ana.post("acts/cancel", about="default:A", form=ana.form(), why="x")).status == 409
    assert await statuses(bench, "A") == ["held"]


async def test_a_form_that_is_too_old_does_nothing() -> None:
    """Half an hour, as every form; the session is renewed meanwhile."""
    bench = await a_bench("A")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    page = ana.page
    for _ in range(2):
        bench.clock.advance(IDLE_MS // 2 + 1)
        await ana.get("orders")
    ana.page = page

    assert await send(ana, "retry", "1") == 409
    assert await statuses(bench, "A") == ["held"]


async def test_a_longer_list_is_said_and_its_first_ones_are_done() -> None:
    """As many as are done within an answer; the next form is about the next ones."""
    names = [f"O{number:02}" for number in range(ITEMS_MAX + 2)]
    bench = await a_bench(*names)
    ana = await signed_in(bench)
    await ana.get("held", reason=REASON)
    assert f"Only the first {ITEMS_MAX} are shown." in ana.page.body
    await ana.get("bulk/retry", about=REASON)

    assert f"There are more than the {ITEMS_MAX} of this form." in ana.page.body
    assert await send(ana, "retry", str(ITEMS_MAX)) == 200
    assert await statuses(bench, *names) == ["received"] * ITEMS_MAX + ["held"] * 2
    await ana.get("bulk/retry", about=REASON)
    assert await send(ana, "retry", "2") == 200


async def test_orders_that_are_refused_keep_no_later_one_from_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole list of refused ones has a next list; a wrong count leads back to the same one."""
    names = [f"O{number:02}" for number in range(ITEMS_MAX + 1)]
    bench = await a_bench(*names)
    ana = await signed_in(bench)

    async def obstacle(_ledger: object, _guard: object, order: Order) -> str:
        return "" if order.order_id == names[-1] else "Paid elsewhere."

    monkeypatch.setattr("distributor.payout.guard_record.retry_obstacle", obstacle)
    await ana.get("bulk/retry", about=REASON)
    assert 'name="form"' not in ana.page.body
    (after,) = re.findall(r"after=([^\"]+)\"", ana.page.body)
    await ana.get("bulk/retry", about=REASON, after=unquote(after))
    assert list(answers(ana)) == [f"default:{names[-1]}"]
    told = await ana.post("bulk/retry", about=REASON, form=ana.form(), after=unquote(after), count="9", why="x")

    assert (told.status, list(answers(ana))) == (422, [f"default:{names[-1]}"])
    assert await send(ana, "retry", "1") == 200
    assert await statuses(bench, *names) == ["held"] * ITEMS_MAX + ["received"]


async def test_the_longest_form_can_be_sent() -> None:
    """Names as long as they may be."""
    names = [f"{number:02}" + "x" * 62 for number in range(ITEMS_MAX)]
    bench = await a_bench(*names)
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)

    assert len(ana.form()) + 4 * 500 < FORM_BYTES_MAX


async def test_what_the_command_refuses_is_shown_and_not_in_the_form() -> None:
    """An order that may have been paid is never put back by the console, also not among others."""
    bench = await a_bench("A", reason=HoldReason.NO_TRANSFER)
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about="no_transfer")

    assert answers(ana)["default:A"][0] == "no"
    assert "may have been paid" in answers(ana)["default:A"][1]
    assert 'name="form"' not in ana.page.body
    assert "nothing here that this act could be done to" in ana.page.body


async def test_what_needs_approval_is_not_put_back() -> None:
    """It leaves by ``approve`` alone, by another person: the list shows that, and has no form."""
    bench = await a_bench("A", reason=HoldReason.NEEDS_APPROVAL)
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about="needs_approval")

    assert answers(ana)["default:A"][0] == "no"
    assert "approve" in answers(ana)["default:A"][1]
    assert 'name="form"' not in ana.page.body


async def test_an_order_that_the_command_refuses_meanwhile_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is as it was, and the guard has its payment since: the answer is the command's."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    refused = {"default:A": "The guard has recorded a payment."}

    async def obstacle(_ledger: object, _guard: object, order: object) -> str:
        return refused.get(str(getattr(order, "key", "")), "")

    monkeypatch.setattr("distributor.payout.guard_record.retry_obstacle", obstacle)

    assert await send(ana, "retry", "2") == 200
    assert answers(ana)["default:A"] == ["no", "The guard has recorded a payment."]
    assert await statuses(bench, "A", "B") == ["held", "received"]


async def test_a_store_that_falls_silent_is_said_of_that_order() -> None:
    """Whether it was done is not known; none of the others is hidden by it."""
    bench = await a_bench("A")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    assert isinstance(bench.rows, MemoryRows)
    for _ in range(3):
        bench.rows.lose_next_answer(done=False)

    assert await send(ana, "retry", "1") == 409
    assert "Whether this was done is not known" in answers(ana)["default:A"][1]


async def test_an_order_that_cannot_be_read_now_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done before and behind it is on the page, with its answer."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    find = ShopOrders.find

    async def silent(self: ShopOrders, key: OrderKey) -> Order | None:
        if key.order_id == "A":
            raise StoreUnavailable("The table did not answer.")
        return await find(self, key)

    monkeypatch.setattr(ShopOrders, "find", silent)

    assert await send(ana, "retry", "2") == 200
    assert answers(ana)["default:A"] == ["no", "The table did not answer. Nothing was done with it."]
    assert await statuses(bench, "A", "B") == ["held", "received"]


async def test_what_cannot_begin_in_time_is_left_for_another_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is due; nothing was done with those."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    monkeypatch.setattr(bulk, "BEGIN_S", -1.0)

    assert await send(ana, "retry", "2") == 409
    assert all("There was no time left" in said for _, said in answers(ana).values())
    assert await statuses(bench, "A", "B") == ["held", "held"]
    await ana.get("bulk/retry", about=REASON)
    assert 'name="form"' not in ana.page.body


async def test_an_order_that_is_gone_from_the_list_is_no_reason_to_stop() -> None:
    """Its row was lost between list and form."""
    bench = await a_bench("A", "B")
    ana = await signed_in(bench)
    await ana.get("bulk/retry", about=REASON)
    assert isinstance(bench.rows, MemoryRows)
    del bench.rows._rows["order:default:A"], bench.rows._rows[held_row((await bench.order("B")).key).replace("B", "A")]

    assert await send(ana, "retry", "2") == 200
    assert "It has changed" in answers(ana)["default:A"][1]


async def test_nothing_destructive_lies_beside_it() -> None:
    """The page of one act has that act alone; the first page and the reason's list lead to both, apart."""
    bench = await a_bench("A")
    ana = await signed_in(bench)
    await ana.get()
    assert f"/console/held?reason={REASON}" in ana.page.body
    await ana.get("held", reason=REASON)
    assert ana.page.body.count("<section>") == 2
    await ana.get("bulk/retry", about=REASON)

    assert "bulk/cancel" not in ana.page.body
    assert "acts/" not in ana.page.body


async def test_names_and_reasons_are_escaped_and_unknown_ones_are_empty() -> None:
    """A reason comes from the address."""
    ana = await signed_in(await a_bench("A"))
    for path in ("held", "bulk/retry"):
        await ana.get(path, reason=SCRIPT, about=SCRIPT)
        assert ana.page.status == 200
        assert "<script" not in ana.page.body
        assert "Nothing." in ana.page.body
    assert (await ana.get("bulk/pause", about=REASON)).status == 404
    assert (await ana.get("bulk", about=REASON)).status == 404


async def test_it_speaks_portuguese() -> None:
    """Answers too."""
    bench = await a_bench("A")
    ana = await signed_in(bench, languages="pt-BR")
    await ana.get("bulk/retry", about=REASON)
    assert "Devolver todos estes à fila" in ana.page.body
    await send(ana, "retry", "1")

    assert answers(ana)["default:A"] == ["sim", "Feito."]


async def test_orders_that_wait_for_approval_are_approved_and_not_put_back_but_for_ones_own() -> None:
    """What the person uploaded themselves is shown as refused and is not part of the form."""
    bench = await founded()
    limit = Caps(approval_units=TokenUnits(1))
    for name, asked_by in (("A", None), ("MINE", "Ana"), ("THEIRS", "rui")):
        await bench.ledger.insert(an_order(name, asked_by=asked_by), limit)
    ana = await signed_in(bench)
    page = (await ana.get("held", reason="needs_approval")).body
    assert "/bulk/approve?" in page
    assert "/bulk/retry?" not in page
    await ana.get("bulk/retry", about="needs_approval")
    assert {cells[0] for cells in answers(ana).values()} == {"no"}

    await ana.get("bulk/approve", about="needs_approval")
    shown = {name: cells[0] for name, cells in answers(ana).items()}
    assert shown == {"default:A": "yes", "default:MINE": "no", "default:THEIRS": "yes"}
    await ana.post("bulk/approve", about="needs_approval", form=ana.form(), count="2", why="asked each shop")

    assert await statuses(bench, "A", "MINE", "THEIRS") == ["received", "held", "received"]
    approval = (await bench.order("A")).approval
    assert approval is not None
    assert approval.by == "ana"
