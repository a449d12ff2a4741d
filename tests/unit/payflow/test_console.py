"""The operator's console of PayFlow: who comes in, what the pages show, and what the forms do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from foundation.alarms.model import AlarmState, Fact
from foundation.alarms.notifier import Notifier
from foundation.clock import UnixMs
from foundation.console.sessions import IDLE_MS
from foundation.errors import ConfigurationError, Contention, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.leases import Leases
from foundation.tablestore.memory import MemoryRows
from payflow.cli import commands
from payflow.connection import Token
from payflow.console.acts import ACTS
from payflow.delivery.payers import LaneRecipients
from payflow.ledger import keys
from payflow.ledger.days import count_mail
from payflow.ledger.listing import SHOWN_MAX
from payflow.mail.codes import Phase, Verdict
from payflow.mail.formats import brl
from payflow.mail.smtp import SmtpOutcome
from payflow.model import BaixaId, Centavos, CompanyId, CustomerId, PaymentTerms
from payflow.state import After, CompanyStatus, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.console import JOAO, SETTINGS, Browser, ConsoleWorld
from tests.fakes.payflow import COMPANY, NOW, a_company, a_delivery, a_receipt, an_instalment

SCRIPT = "<script>alert(1)</script>"
LONG_AGO = UnixMs(NOW - 3_600_000)
S = ReceiptState
ONE = f"{COMPANY}:b1"
PAGES = ("", "company", "receipts", "receipt", "sender", "machinery", "acts/pause", "acts/skip")


@pytest.fixture
async def world() -> ConsoleWorld:
    """A company that is served."""
    return await ConsoleWorld().founded()


@pytest.fixture
async def ana(world: ConsoleWorld) -> Browser:
    """An operator who is signed in."""
    return await Browser(world).sign_in()


async def add(world: ConsoleWorld, baixa: str = "b1", *mails: Any, **changes: Any) -> None:
    """Store a receipt with its mails."""
    await world.book.lane.add(None, an_instalment(f"p-{baixa}"), [a_receipt(baixa, **changes)], [])
    for mail in mails:
        write = AtomicWrite()
        world.book.lane.insert_mail(write, mail)
        await commit(world.book.company_rows, write, marker_row=write.writes[0].key)


async def receipt(world: ConsoleWorld, baixa: str = "b1") -> Receipt:
    """Return a receipt as it is now."""
    found = await world.book.lane.receipt(BaixaId(baixa))
    assert found
    return found


def a_mail(state: DeliveryState = DeliveryState.UNKNOWN, **changes: Any) -> Any:
    """Return a mail that was tried long ago."""
    return a_delivery(state=state, message_id="<b1@x>", attempt_deadline_ms=LONG_AGO, **changes)


# who comes in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_anything_without_a_session(world: ConsoleWorld, path: str) -> None:
    """A page leads to the sign-in, a form does nothing, and no row is read for either."""
    stranger = Browser(world)
    before = world.book.company_rows.reads

    page = await stranger.get(path, id=COMPANY, about=COMPANY)
    assert (page.status, page.headers["Location"]) == (303, "/console/sign-in")
    assert (await stranger.post(path, about=COMPANY, why="x", form="forged")).status == 401
    assert world.book.company_rows.reads == before
    assert world.status == "active"


async def test_who_looks_on_cannot_act(world: ConsoleWorld) -> None:
    """No button, no dry run, and no form of somebody else's does anything."""
    await add(world, state=S.HELD, reason=Reason.NO_DOCUMENT)
    joao, ana = await Browser(world).sign_in(JOAO), await Browser(world).sign_in()
    assert "/console/acts/" not in (await joao.get("company", id=COMPANY)).body
    assert "/console/acts/" not in (await joao.get("receipt", company=COMPANY, id="b1")).body
    await ana.get("acts/pause", about=COMPANY)

    assert (await joao.get("acts/pause", about=COMPANY)).status == 403
    assert (await joao.post("acts/pause", about=COMPANY, form=ana.form(), why="x")).status == 403
    assert world.status == "active"


async def test_without_tokens_the_console_is_off() -> None:
    """It is off until somebody has a token."""
    world = await ConsoleWorld(settings={}).founded()

    page = await Browser(world).get()

    assert (page.status, "The console is off" in page.body) == (404, True)


async def test_a_wrong_token_is_nobody(world: ConsoleWorld) -> None:
    """In the browser's language."""
    browser = Browser(world, languages="pt-BR")

    page = await browser.post("sign-in", token="x" * 40)

    assert (page.status, "Este token não é de ninguém." in page.body) == (403, True)


async def test_the_language_is_the_persons(ana: Browser) -> None:
    """As the browser asks, then as they choose; a page that is not there says so in it too."""
    assert "Last look" in (await ana.get()).body
    await ana.post("language", to="pt")

    assert "Última leitura" in (await ana.get()).body
    assert "Essa empresa não existe." in (await ana.get("company", id="other")).body


async def test_another_key_signs_everybody_out(world: ConsoleWorld, ana: Browser) -> None:
    """There is no other way to end every session at once."""
    world.settings |= {"CONSOLE_KEY": "n" * 40}

    assert (await ana.get()).status == 303


# what forms do --------------------------------------------------------------------------------------


async def test_a_form_of_another_site_does_nothing(world: ConsoleWorld, ana: Browser) -> None:
    """Although it has the person's cookie and a token that is right."""
    for origin in ("https://evil.example", "null", ""):
        await ana.get("acts/pause", about=COMPANY)
        page = await ana.post("acts/pause", origin=origin, about=COMPANY, form=ana.form(), why="x")
        assert page.status == 403

    assert world.status == "active"


async def test_a_form_acts_once_for_one_session_act_and_subject(world: ConsoleWorld, ana: Browser) -> None:
    """Not in another session, not for another act or receipt, not after the row was written, not too late."""
    for baixa in ("b1", "b2"):
        await add(world, baixa, state=S.HELD, reason=Reason.NO_DOCUMENT)
    other = await Browser(world).sign_in()
    await ana.get("acts/skip", about=ONE)
    form = ana.form()

    assert (await other.post("acts/skip", about=ONE, form=form, why="x")).status == 409
    assert (await ana.post("acts/release", about=ONE, form=form, why="x")).status == 409
    assert (await ana.post("acts/skip", about=f"{COMPANY}:b2", form=form, why="x")).status == 409
    assert (await ana.post("acts/skip", about=ONE, form=form, why="x")).status == 200
    assert (await ana.post("acts/skip", about=ONE, form=form, why="x")).status == 409
    assert (await receipt(world, "b2")).state is S.HELD
    await ana.get("acts/release", about=f"{COMPANY}:b2")
    form = ana.form()
    world.now = UnixMs(world.now + IDLE_MS - 1)
    await ana.get()
    world.now = UnixMs(world.now + 2)
    assert (await ana.post("acts/release", about=f"{COMPANY}:b2", form=form, why="x")).status == 409


async def test_what_changed_since_it_was_seen_is_not_acted_on(world: ConsoleWorld, ana: Browser) -> None:
    """A lane moved the mail on while the person read."""
    await add(world, "b1", a_mail(), state=S.UNKNOWN)
    await ana.get("acts/arrived", about=ONE)
    form = ana.form()
    (mail,) = await world.book.lane.deliveries(BaixaId("b1"))
    await world.book.lane.write_delivery(replace(mail, reply="late"))

    assert (await ana.post("acts/arrived", about=ONE, form=form, why="x")).status == 409
    assert (await receipt(world)).state is S.UNKNOWN


async def test_nothing_is_done_without_a_reason(world: ConsoleWorld, ana: Browser) -> None:
    """The form comes back, with the same dry run."""
    page = await ana.act("pause", COMPANY, why=" ")

    assert (page.status, "Say why" in page.body, world.status) == (422, True, "active")


async def test_a_page_that_is_only_opened_changes_nothing(world: ConsoleWorld, ana: Browser) -> None:
    """Every page and every dry run, of a receipt in every state."""
    for state in S:
        await add(world, f"b-{state}", state=state, reason=Reason.NO_DOCUMENT if state is S.HELD else None)
    before = (world.book.company_rows.dump(), world.book.entry_rows.dump(), dict(world.first.entries))

    for path in ("", "receipts", "sender", "machinery"):
        await ana.get(path, company=COMPANY)
    await ana.get("company", id=COMPANY)
    for state in S:
        assert (await ana.get("receipt", company=COMPANY, id=f"b-{state}")).status == 200
        for act in ACTS:
            assert (await ana.get(f"acts/{act}", about=f"{COMPANY}:b-{state}")).status == 200

    assert (world.book.company_rows.dump(), world.book.entry_rows.dump(), world.first.entries) == before


CHANGED: dict[str, Any] = {
    "state": S.SENT,
    "document_sha256": "d" * 64,
    "after": After.CHANGED,
    "flagged_ms": NOW,
    "now_is": PaymentTerms(amount=Centavos(160_000), paid_on="2026-01-02", customer=CustomerId("c1")),
}


async def test_what_changed_after_its_mail_is_found_and_shown(world: ConsoleWorld, ana: Browser) -> None:
    """By the filter; a correction in progress says what it replaces."""
    await add(world, "b1", **CHANGED)
    await add(world, "b2", state=S.SENT)
    await add(world, "b3", state=S.FOUND, correction=2, was_mailed=CHANGED["now_is"])
    listed = (await ana.get("receipts", company=COMPANY, state="flagged")).body

    assert ("<code>b1</code>" in listed, "<code>b2</code>" in listed) == (True, False)
    change = f"was {brl(Centavos(150_000))} on 01/01/2026, is {brl(Centavos(160_000))} on 02/01/2026"
    assert change in listed
    one = (await ana.get("receipt", company=COMPANY, id="b1")).body
    assert (change in one, "resend 5f0a-clinic b1 --correction" in one) == (True, True)
    corrected = (await ana.get("receipt", company=COMPANY, id="b3")).body
    assert f"number 2, replaces {brl(Centavos(160_000))} on 02/01/2026" in corrected


CASES: dict[str, tuple[dict[str, Any], list[Any], S, str]] = {
    "release": ({"state": S.HELD, "reason": Reason.NO_DOCUMENT}, [], S.FOUND, "release"),
    "skip": ({"state": S.WAITING_DOCUMENT}, [], S.SKIPPED, "skip"),
    "arrived": ({"state": S.UNKNOWN}, [a_mail()], S.SENT, "arrived"),
    "again": ({"state": S.UNKNOWN}, [a_mail()], S.SENDING, "again"),
    "resend": (
        {"state": S.SENT, "document_sha256": "d" * 64},
        [a_mail(DeliveryState.SENT, sent_ms=LONG_AGO)],
        S.SENDING,
        "resend",
    ),
    "correct": (CHANGED, [a_mail(DeliveryState.SENT, sent_ms=LONG_AGO)], S.FOUND, "correction"),
    "no_correction": (CHANGED, [], S.SENT, "no-correction"),
}


@pytest.mark.parametrize("act", CASES)
async def test_a_decision_is_shown_then_done_then_recorded(world: ConsoleWorld, ana: Browser, act: str) -> None:
    """The dry run names the state that the receipt has afterwards; the audit has the person, and why, sealed."""
    changes, mails, after, what = CASES[act]
    await add(world, "b1", *mails, **changes)
    assert f"/console/acts/{act}?about=" in (await ana.get("receipt", company=COMPANY, id="b1")).body
    dry = await ana.get(f"acts/{act}", about=ONE)
    assert f"The receipt of payment b1 becomes {after}" in dry.body
    assert (await receipt(world)).state is changes["state"]

    done = await ana.post(f"acts/{act}", about=ONE, form=ana.form(), why="asked the payer")

    assert (done.status, "Done." in done.body) == (200, True)
    assert ((await receipt(world)).state, (await receipt(world)).decided_by) == (after, "ana")
    assert world.decided() == [(what, "b1", "ana")]
    assert [one["why"] for one in world.second.entries.values()] == ["sealed asked the payer"]
    shown = await ana.get("receipt", company=COMPANY, id="b1")
    assert ("asked the payer" in shown.body, "Decided by" in shown.body) == (True, True)


async def test_a_second_mail_is_warned_of(world: ConsoleWorld, ana: Browser) -> None:
    """Before the button, by the words of the office's page."""
    await add(world, "b1", a_mail(), state=S.UNKNOWN)

    page = await ana.get("acts/again", about=ONE)

    assert "If the first mail did arrive, the payer gets two." in page.body
    assert "Its mail receipt-again 1" in page.body or "again" in page.body
    assert "ana.canaria@example.org" not in page.body


async def test_a_customer_gets_no_more_receipts(world: ConsoleWorld, ana: Browser) -> None:
    """By the page of one that waits."""
    await add(world, "b1", state=S.HELD, reason=Reason.NO_RECIPIENT)

    dry = await ana.get("acts/no_mail", about=ONE)
    assert "The customer c1 gets no receipts by e-mail from now on." in dry.body
    assert (await ana.act("no_mail", ONE)).status == 200

    known = await LaneRecipients(world.book.lane).known(a_company(), CustomerId("c1"), None)
    assert known.no_mail
    assert world.decided() == [("no-mail", "c1", "ana")]


async def test_a_company_rests_and_goes_on(world: ConsoleWorld, ana: Browser) -> None:
    """Its lane is woken, and the audit says who."""
    dry = await ana.get("acts/pause", about=COMPANY)
    assert f"The company {COMPANY} becomes paused." in dry.body
    assert (await ana.act("pause", COMPANY)).status == 200
    assert world.status == "paused"
    world.now = UnixMs(NOW + 1)
    assert "/console/acts/resume" in (await ana.get("company", id=COMPANY)).body

    assert (await ana.act("resume", COMPANY)).status == 200

    assert world.status == "active"
    assert [what for what, _, by in world.decided() if by == "ana"] == ["status paused", "status active"]


async def test_name_and_document_are_confirmed(ana: Browser) -> None:
    """As `confirm` does."""
    world = ana.world
    await world.book.lane.write_company(
        replace(await _company(world), status=CompanyStatus.CONFIRM, name="Clínica Nova")
    )
    assert "/console/acts/confirm" in (await ana.get("company", id=COMPANY)).body

    await ana.act("confirm", COMPANY)

    assert world.status == "active"


async def _company(world: ConsoleWorld) -> Any:
    found = await world.book.lane.read_company()
    assert found
    return found


@pytest.mark.parametrize(
    ("act", "status", "why"),
    [
        ("pause", CompanyStatus.PAUSED, "a company that is paused cannot be paused"),
        ("resume", CompanyStatus.ACTIVE, "the company is active"),
        ("resume", CompanyStatus.DISCONNECTED, "the company is disconnected"),
        ("confirm", CompanyStatus.ACTIVE, "the company is active"),
        ("skip", CompanyStatus.ACTIVE, "this is about a receipt, and none was named"),
    ],
)
async def test_what_cannot_be_done_says_why(ana: Browser, act: str, status: CompanyStatus, why: str) -> None:
    """In the dry run, which then has no form."""
    await ana.world.book.lane.write_company(replace(await _company(ana.world), status=status))

    page = await ana.get(f"acts/{act}", about=COMPANY)

    assert (page.status, f"This is not possible now: {why}." in page.body) == (200, True)
    assert 'name="form"' not in page.body


async def test_nothing_begins_while_a_restore_is_under_way(world: ConsoleWorld, ana: Browser) -> None:
    """Neither a company nor a receipt."""
    await add(world, state=S.HELD, reason=Reason.NO_DOCUMENT)
    world.book.company_rows.put(keys.RESTORING, {"number": 0})
    await world.book.lane.write_company(replace(await _company(world), status=CompanyStatus.PAUSED))

    assert "run `restore` again first" in (await ana.get("acts/resume", about=COMPANY)).body
    assert "a restore of company" in (await ana.get("acts/release", about=ONE)).body


async def test_an_undecided_mail_is_needed(world: ConsoleWorld, ana: Browser) -> None:
    """Two people look; one has decided."""
    await add(world, "b1", a_mail(decided_by="joao"), state=S.SENT)

    assert "no mail of this receipt is undecided" in (await ana.get("acts/arrived", about=ONE)).body


async def test_storage_that_falls_silent_is_not_called_done(
    world: ConsoleWorld, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor undone: whether it was is not known."""
    await ana.get("acts/pause", about=COMPANY)
    form = ana.form()

    async def silent(*_: Any) -> Any:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(type(world.book.lane), "write_company", silent)
    page = await ana.post("acts/pause", about=COMPANY, form=form, why="x")

    assert (page.status, "Whether this was done is not known" in page.body) == (503, True)
    assert "Done." not in page.body


async def test_a_race_is_told(world: ConsoleWorld, ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker was first, behind the check of the form."""
    await ana.get("acts/pause", about=COMPANY)
    form = ana.form()

    async def beaten(*_: Any) -> Any:
        raise Contention("another worker was first")

    monkeypatch.setattr(type(world.book.lane), "write_company", beaten)

    assert (await ana.post("acts/pause", about=COMPANY, form=form, why="x")).status == 503


async def test_what_the_second_account_did_not_take_is_told(
    world: ConsoleWorld, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done; a restore would not know of it."""

    async def nothing(_prefix: str) -> list[Any]:
        return []

    await ana.get("acts/pause", about=COMPANY)
    monkeypatch.setattr(world.second, "recorded", nothing)

    page = await ana.post("acts/pause", about=COMPANY, form=ana.form(), why="x")

    assert (page.status, "a restore would not know of it" in page.body) == (200, True)


# what pages show ------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["other-clinic", "", "a:b", "../identity", "companies", SCRIPT, "x" * 99])
async def test_another_companys_key_leads_nowhere(ana: Browser, asked: str) -> None:
    """No partition is read that is no connected company's, by no page and by no act."""
    for page in (
        await ana.get("company", id=asked),
        await ana.get("receipt", company=asked, id="b1"),
        await ana.get("acts/pause", about=asked),
        await ana.get("acts/skip", about=f"{asked}:b1"),
    ):
        assert (page.status, SCRIPT in page.body) == (404, False)
    assert (await ana.get("receipts", company=asked)).status == (404 if asked else 200)
    assert all(rows.reads == 0 for rows in ana.world.others.values())


async def test_a_receipt_is_found_in_its_own_company_alone(world: ConsoleWorld, ana: Browser) -> None:
    """Another connected company has no such payment."""
    await add(world)
    other = CompanyId("other-clinic")
    await world.book.entries.lower(other, NOW, CompanyStatus.ACTIVE)
    await world.lane(other).write_company(replace(a_company(), id=other))

    assert (await ana.get("receipt", company=other, id="b1")).status == 404
    assert (await ana.get("receipt", company=COMPANY, id="b2")).status == 404
    assert (await ana.get("receipt", company=COMPANY)).status == 404
    assert (await ana.get("acts/skip", about=f"{other}:b1")).status == 404
    assert (await ana.get("receipt", company=COMPANY, id="b1")).status == 200


async def test_what_somebody_typed_is_text(world: ConsoleWorld, ana: Browser) -> None:
    """A script in a name, in the server's words, in a reason, in a search; and the policy runs none anyway."""
    await world.book.lane.write_company(replace(await _company(world), name=SCRIPT))
    await add(world, "b1", a_mail(DeliveryState.REFUSED, reply=SCRIPT), state=S.REFUSED, customer_name=SCRIPT)
    await ana.act("skip", ONE, why=SCRIPT)

    for page in (
        await ana.get(),
        await ana.get("company", id=COMPANY),
        await ana.get("receipts", company=COMPANY),
        await ana.get("receipts", company=COMPANY, payment=SCRIPT),
        await ana.get("receipt", company=COMPANY, id="b1"),
    ):
        assert page.status == 200
        assert SCRIPT not in page.body
        assert "&lt;script&gt;" in page.body
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_no_address_is_shown_whole(world: ConsoleWorld, ana: Browser) -> None:
    """Neither a payer's nor the office's."""
    await add(world, "b1", a_mail(DeliveryState.SENT), state=S.SENT, after=After.CHANGED)

    shown = await ana.get("receipt", company=COMPANY, id="b1")
    assert ("a***@example.org" in shown.body, "ana.canaria@" in shown.body) == (True, False)
    company = await ana.get("company", id=COMPANY)
    assert ("f***@example.org" in company.body, "financeiro.canaria@" in company.body) == (True, False)


async def test_a_company_is_shown_with_its_connection(world: ConsoleWorld, ana: Browser) -> None:
    """Token, looks, what waits, lane, backup, charts, and the commands for what is not here."""
    token = Token(generation=7, access="secret-a", refresh="secret-r", expires_ms=UnixMs(NOW + 1), refused_ms=NOW)
    world.book.company_rows.put(keys.TOKEN, world.book.lane.codec.encode(token))
    world.book.company_rows.put(keys.BACKUP, {"at_ms": NOW - 60_000})
    await Leases(world.book.company_rows, lambda: NOW).acquire(f"lane:{COMPANY}", "host-1", ttl_ms=60_000)
    await add(world, "b1", state=S.HELD, reason=Reason.NO_DOCUMENT)
    also = await count_mail(
        world.book.lane, a_receipt(found_ms=NOW), a_mail(DeliveryState.SENT, sent_ms=UnixMs(NOW + 45_000)), NOW
    )
    assert also
    write = AtomicWrite()
    also(write)
    await commit(world.book.company_rows, write, marker_row=write.writes[0].key)

    page = (await ana.get("company", id=COMPANY)).body

    for words in ("generation 7", "refused since", "host-1", "no_document", "1 mails went out and 0 failed", "1 min"):
        assert words in page, words
    assert f"python3 -m payflow disconnect {COMPANY}" in page
    assert "secret-" not in page
    assert "secret-" not in (await ana.get()).body
    await ana.post("language", to="pt")
    assert "01/01/2026" in (await ana.get("company", id=COMPANY)).body


async def test_companies_by_pages(world: ConsoleWorld, ana: Browser) -> None:
    """Fifty, and the next; one of which only the entry is stored is shown by its id."""
    for number in range(60):
        await world.book.entries.lower(CompanyId(f"z{number:02d}"), NOW, CompanyStatus.CONFIRM)

    first = (await ana.get()).body
    assert ("z48" in first, "z49" in first, "after=z48" in first) == (True, False, True)
    assert "z59" in (await ana.get(after="z48")).body
    assert "No company is connected yet" in (await ana.get(after="z59")).body


async def test_receipts_are_searched(world: ConsoleWorld, ana: Browser) -> None:
    """By state, day in São Paulo, and beginning of the id; pages; nothing that a person did not mean."""
    await add(world, "held-1", state=S.HELD, reason=Reason.NO_DOCUMENT)
    for number in range(SHOWN_MAX + 1):
        await add(world, f"sent-{number:02d}", state=S.SENT, found_ms=UnixMs(NOW - 86_400_000 + number))

    async def rows(**query: str) -> int:
        return (await ana.get("receipts", **query)).body.count("<code>sent-") + ana.page.body.count("<code>held-")

    assert await rows() == SHOWN_MAX
    following = ana.page.body.partition("after=")[2].partition('"')[0].replace("%3A", ":")
    assert await rows(company=COMPANY, after=following.partition("&")[0]) == 2
    assert await rows(company=COMPANY, state="held") == 1
    assert await rows(company=COMPANY, since="2026-01-01") == 1
    assert await rows(company=COMPANY, until="2025-12-31", payment="sent-5") == 1
    assert await rows(company=COMPANY, until="2025-12-30") == 0
    assert "None of the rows of this page fits." in ana.page.body
    for wrong in ({"since": "31/12/2025"}, {"until": "9999-12-31"}, {"state": "gone"}, {"after": "company"}):
        assert (await ana.get("receipts", company=COMPANY, **wrong)).status == 400


async def test_of_several_companies_one_is_chosen_first(world: ConsoleWorld, ana: Browser) -> None:
    """No page reads the receipts of all."""
    await add(world)
    await world.book.entries.lower(CompanyId("other"), NOW, CompanyStatus.CONFIRM)

    page = await ana.get("receipts")

    assert ("Say which company first." in page.body, "b1" in page.body) == (True, False)


async def test_the_pages_cost_the_same_however_many_there_were(world: ConsoleWorld, ana: Browser) -> None:
    """A company's page and a receipt's page, with ten receipts and with three hundred behind them."""

    async def reads() -> list[int]:
        found = []
        for path, query in (("company", {"id": COMPANY}), ("receipt", {"company": COMPANY, "id": "b1"}), ("", {})):
            before = world.book.company_rows.reads
            assert (await ana.get(path, **query)).status == 200
            found.append(world.book.company_rows.reads - before)
        return found

    await add(world, "b1", a_mail(DeliveryState.SENT), state=S.SENT)
    few = await reads()
    for number in range(300):
        await add(world, f"more-{number}", state=S.SENT)

    assert await reads() == few
    assert max(few) < 12


async def test_a_receipt_says_all_that_is_known(world: ConsoleWorld, ana: Browser) -> None:
    """Payment, document, mails, the server's words, a restore that has not ended."""
    await add(
        world,
        "b1",
        a_mail(DeliveryState.REFUSED, reply="550 5.1.1 no such user", attempt=3, reason=Reason.REFUSED_CONTENT),
        state=S.REFUSED,
        document_sha256="d" * 64,
        document_source="own",
        gone=True,
        frozen=True,
    )
    await add(world, "b2", state=S.WAITING_DOCUMENT, asks=4)

    page = (await ana.get("receipt", company=COMPANY, id="b1")).body

    for words in ("550 5.1.1 no such user", "d" * 64, "our own", "by a restore that has not ended", "undone", "--to"):
        assert words in page, words
    assert "none yet, asked for 4 times" in (await ana.get("receipt", company=COMPANY, id="b2")).body


async def test_the_sender(world: ConsoleWorld, ana: Browser) -> None:
    """Slots, counts, who waits; since when it has stopped, and by whose words."""
    desk = await world.desk()
    await desk.admit(COMPANY, "host-1", UnixMs(0))
    await desk.admit(CompanyId("late"), "host-2", UnixMs(0))
    page = (await ana.get("sender")).body
    for words in ("The mail account sends", "host-1", "1 / 70", "late"):
        assert words in page, words

    await desk.heard(SmtpOutcome(verdict=Verdict.SENDER, phase=Phase.LOGIN, words=f"535 5.7.8 {SCRIPT}"), "")
    world.mail_is_wrong = True
    page = (await ana.get("sender")).body
    for words in ("The mail account has stopped since", "535 5.7.8 &lt;script&gt;", "SMTP_HOST is missing"):
        assert words in page, words


async def test_the_machinery(world: ConsoleWorld, ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues, version, alarms with what to do; a queue that does not answer is not called empty."""
    world.queues = {"payflow-lanes": 3, "payflow-office-poison": 2}
    await world.register.note("poison_message", COMPANY, "")
    await _told(world, "poison_message")
    await Leases(world.alarm_rows, lambda: NOW).acquire("alarms", "host-9", ttl_ms=60_000)

    page = (await ana.get("machinery")).body

    for words in (
        "<dd>3</dd>",
        "<strong>2</strong>",
        "production",
        "ledger-1",
        "host-9",
        "poison_message",
        "+source",
        "1 (known: 1)",
    ):
        assert words in page, words
    assert "poison_message" in (await ana.get()).body

    async def silent(_queue: str) -> int:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(world, "waiting_messages", silent)
    assert "not known: the account does not answer" in (await ana.get("machinery")).body


async def _told(world: ConsoleWorld, code: str) -> None:
    """Let a sweep tell what was noted."""
    fact = Fact(code=code, subject=COMPANY, detail="", since_ms=NOW)
    await Notifier(register=world.register, targets={}, holder="test").run([fact])
    assert [each.state for each in await world.register.standing()] == [AlarmState.STANDS]


async def test_storage_that_does_not_answer_is_a_page(
    world: ConsoleWorld, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a setting that is wrong, and a row that cannot be read."""
    world.book.company_rows.put(keys.TOKEN, {"generation": "seven"})
    page = await ana.get("company", id=COMPANY)
    assert (page.status, "`verify` lists the rows" in page.body) == (500, True)

    async def down(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("storage is down")

    async def wrong(*_: Any, **__: Any) -> Any:
        raise ConfigurationError("MASTER_KEY is wrong")

    monkeypatch.setattr(MemoryRows, "scan", wrong)
    page = await ana.get()
    assert (page.status, "The service is not configured: MASTER_KEY is wrong" in page.body) == (503, True)
    monkeypatch.setattr(MemoryRows, "scan", down)
    page = await ana.get()
    assert (page.status, "storage is down" in page.body) == (503, True)


@pytest.mark.parametrize("path", ["home", "nothing", "acts/nothing", "company/x"])
async def test_there_is_no_such_page(ana: Browser, path: str) -> None:
    """And no act of another name."""
    assert (await ana.get(path)).status == 404
    assert (await ana.post(path, about=COMPANY, form="x", why="x")).status == 404
    assert SETTINGS["CONSOLE_URL"]


async def test_every_line_to_copy_is_a_command(world: ConsoleWorld, ana: Browser) -> None:
    """As the command line reads it: a line that is copied must not end in a usage message."""
    await add(world, "b1", a_mail(DeliveryState.SENT), state=S.SENT)
    pages = [
        await ana.get("company", id=COMPANY),
        await ana.get("receipt", company=COMPANY, id="b1"),
        await ana.get("sender"),
    ]

    lines = [line for page in pages for line in re.findall(r"<pre>python3 -m payflow (.+)</pre>", page.body)]

    assert len(lines) == 8
    for line in lines:
        assert commands._parser().parse_args(line.split()).command == line.split()[0]
