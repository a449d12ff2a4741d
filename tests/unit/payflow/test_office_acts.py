"""What an office does on its page: every act by its button, shown first, bound to what was seen, recorded."""

from __future__ import annotations

import re
from typing import Any

import pytest

from foundation.clock import UnixMs
from foundation.console.sessions import IDLE_MS
from foundation.errors import Contention, StoreUnavailable
from payflow.delivery.manual_actions import ManualActions
from payflow.delivery.payers import LaneRecipients
from payflow.ledger import keys
from payflow.mail.formats import brl
from payflow.model import BaixaId, Centavos, CustomerId, PaymentTerms
from payflow.office.acts import ACTS, MARKED_MAX
from payflow.office.words import REASONS
from payflow.state import After, CompanyStatus, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.fakes.office import Browser, OfficeWorld
from tests.fakes.payflow import COMPANY, NOW, a_delivery
from tests.unit.payflow.test_office_site import SCRIPT, add

BY = "office f***@example.org"
LONG_AGO = UnixMs(NOW - 3_600_000)
S = ReceiptState
IS_NOW = PaymentTerms(amount=Centavos(160_000), paid_on="2026-01-02", customer=CustomerId("c2"))


@pytest.fixture
async def world() -> OfficeWorld:
    """A company with a contact."""
    return await OfficeWorld().founded()


@pytest.fixture
async def office(world: OfficeWorld) -> Browser:
    """Somebody of the office who is signed in."""
    return await Browser(world).sign_in()


async def receipt(world: OfficeWorld, baixa: str = "b1") -> Receipt:
    """Return a receipt as it is now."""
    found = await world.book.lane.receipt(BaixaId(baixa))
    assert found
    return found


async def status(world: OfficeWorld) -> CompanyStatus:
    """Return the company's status."""
    found = await world.book.lane.read_company()
    assert found
    return found.status


def held(reason: Reason = Reason.NO_DOCUMENT) -> dict[str, Any]:
    """Return what a held receipt has."""
    return {"state": S.HELD, "reason": reason}


def a_mail(baixa: str = "b1", state: DeliveryState = DeliveryState.UNKNOWN, **changes: Any) -> Any:
    """Return a mail that was tried long ago."""
    given = {"state": state, "message_id": f"<{baixa}@x>", "attempt_deadline_ms": LONG_AGO, **changes}
    return a_delivery(baixa, **given)


def said(world: OfficeWorld) -> list[tuple[str, str, str]]:
    """Return what the audit has."""
    return [(str(one["what"]), str(one["subject"]), str(one["by"])) for one in world.audit.entries.values()]


# every way out ------------------------------------------------------------------------------------

STATES: dict[str, dict[str, Any]] = {
    "unknown": {"state": S.UNKNOWN},
    "refused": {"state": S.REFUSED, "document_sha256": "d" * 64},
    "waiting_document": {"state": S.WAITING_DOCUMENT},
    Reason.NO_RECIPIENT: {"state": S.READY, "reason": Reason.NO_RECIPIENT},
    After.CHANGED: {"state": S.SENT, "after": After.CHANGED, "flagged_ms": NOW, "now_is": IS_NOW},
    After.UNDONE: {"state": S.SENT, "after": After.UNDONE, "flagged_ms": NOW, "gone": True},
}
MAILED = {"unknown": DeliveryState.UNKNOWN, "refused": DeliveryState.REFUSED}
AFTER = {
    "release": S.FOUND,
    "skip": S.SKIPPED,
    "arrived": S.SENT,
    "again": S.SENDING,
    "resend": S.SENDING,
    "correct": S.FOUND,
    "no_correction": S.SENT,
    "address": S.FOUND,
    "no_mail": S.FOUND,
}


@pytest.mark.parametrize(("key", "act"), [(key, act) for key, words in REASONS.items() for act in words.acts])
async def test_everything_that_waits_is_ended_here(world: OfficeWorld, office: Browser, key: str, act: str) -> None:
    """Each act of each reason, pressed by its button on the first page; nothing needs a terminal."""
    gone = (key, act) == ("unknown", "skip")
    changes = STATES.get(key) or held(Reason(key))
    changes = {**changes, "gone": gone or key == After.UNDONE}
    await add(world, "b1", *([a_mail(state=MAILED[key])] if key in MAILED else []), **changes)
    home = await office.get()
    assert f'name="act" value="{act}"' in home.body

    done = await office.act(act, "b1", **({"address": "nova@example.org"} if ACTS[act].wants_address else {}))

    assert (done.status, "Feito." in done.body) == (200, True)
    after = await receipt(world)
    assert after.state is AFTER[act]
    assert {by for _, _, by in said(world)} == {BY}
    if act not in ("address", "no_mail"):
        assert after.decided_by == BY


async def test_what_changed_after_its_mail_is_shown_with_both_amounts(world: OfficeWorld, office: Browser) -> None:
    """On the first page and on its own; a sent receipt that nobody asks about can be corrected from its own page."""
    await add(world, "b1", **STATES[After.CHANGED])
    await add(world, "b2", **STATES[After.UNDONE])
    await add(world, "b3", state=S.SENT)

    home, one, undone = await office.get(), await office.get("receipt", id="b1"), await office.get("receipt", id="b2")

    text = f"era {brl(Centavos(150_000))} em 01/01/2026; agora é {brl(Centavos(160_000))} em 02/01/2026"
    assert text in home.body
    assert text in one.body
    assert "de outro cliente" in one.body
    assert f"era {brl(Centavos(150_000))} em 01/01/2026; foi desfeito" in undone.body
    assert 'name="act" value="correct"' in (await office.get("receipt", id="b3")).body
    assert 'name="act" value="correct"' not in undone.body


async def test_an_address_is_the_customers_from_now_on(world: OfficeWorld, office: Browser) -> None:
    """It is asked for first, and shown before the button."""
    await add(world, "b1", **STATES[Reason.NO_RECIPIENT])
    asked = await office.post("ask", act="address", id="b1")
    assert 'type="email"' in asked.body
    assert 'name="form"' not in asked.body
    wrong = await office.post("ask", act="address", id="b1", address="no address")
    assert (wrong.status, 'value="no address"' in wrong.body) == (422, True)
    assert (await office.post("ask", act="address", id="b1", address="naotem@example.org")).status == 422

    shown = await office.post("ask", act="address", id="b1", address=" Ana@Example.org ")
    assert "<strong>Ana@example.org</strong>" in shown.body
    await office.post("do", act="address", id="b1", address="Ana@example.org", form=office.form())

    assert (await LaneRecipients(world.book.lane).payer(CustomerId("c1"))).addresses == ("Ana@example.org",)


async def test_a_form_for_one_address_does_nothing_with_another(world: OfficeWorld, office: Browser) -> None:
    """What is done is what was shown; without an address nothing is."""
    await add(world, "b1", **STATES[Reason.NO_RECIPIENT])
    await office.post("ask", act="address", id="b1", address="ana@example.org")
    form = office.form()

    assert (await office.post("do", act="address", id="b1", address="evil@example.org", form=form)).status == 409
    assert (await office.post("do", act="address", id="b1", form=form)).status == 400
    assert said(world) == []


async def test_a_known_address_is_offered(world: OfficeWorld, office: Browser) -> None:
    """The one that was mailed; without any nothing is done."""
    await add(world, "b1", a_mail(state=DeliveryState.SENT), state=S.SENT, document_sha256="d" * 64)

    assert 'value="ana.canaria@example.org"' in (await office.post("ask", act="resend", id="b1")).body
    assert (await office.post("do", act="resend", id="b1")).status == 400


async def test_a_payment_without_a_customer_gets_no_address(world: OfficeWorld, office: Browser) -> None:
    """It would be everybody's who has none; it ends without a mail."""
    await add(world, "b1", **STATES[Reason.NO_RECIPIENT], customer=CustomerId(""))

    page = (await office.get()).body

    assert re.findall(r'name="act" value="(address|no_mail|skip)"', page) == ["skip"]
    assert (await office.act("address", "b1", address="ana@example.org")).status == 409


# in bulk ------------------------------------------------------------------------------------------


async def test_what_is_marked_is_done_together(world: OfficeWorld, office: Browser) -> None:
    """And nothing else."""
    for baixa in ("b1", "b2", "b3"):
        await add(world, baixa, **held())

    page = await office.act("skip", "b1", "b3")

    assert page.body.count("Feito.") == 2
    assert [(await receipt(world, baixa)).state for baixa in ("b1", "b2", "b3")] == [S.SKIPPED, S.HELD, S.SKIPPED]


async def test_a_whole_reason_is_done_together(world: OfficeWorld, office: Browser) -> None:
    """Without marking each; another reason stays."""
    for baixa in ("b1", "b2"):
        await add(world, baixa, **held())
    await add(world, "b3", **held(Reason.UNDELIVERABLE))
    shown = await office.post("ask", act="release", all="1", reason="no_document")
    ids = re.findall(r'name="id" value="([^"]+)"', shown.body)
    assert ids == ["b1", "b2"]

    await office.post("do", act="release", id=ids, form=office.form())

    assert [(await receipt(world, baixa)).state for baixa in ("b1", "b2", "b3")] == [S.FOUND, S.FOUND, S.HELD]


async def test_fifty_at_a_time(world: OfficeWorld, office: Browser) -> None:
    """The others stay on the page."""
    for number in range(MARKED_MAX + 2):
        await add(world, f"b{number:03d}", **held())

    shown = await office.post("ask", act="skip", all="1", reason="no_document")

    assert shown.body.count('name="id"') == MARKED_MAX


async def test_what_cannot_be_meant_is_said(world: OfficeWorld, office: Browser) -> None:
    """Nothing marked, no such act, receipts of two customers for one address, another company's receipt."""
    await add(world, "b1", **held(Reason.SHARED_ADDRESS))
    await add(world, "b2", **held(Reason.SHARED_ADDRESS), customer=CustomerId("c2"))

    assert (await office.post("ask", act="skip")).status == 400
    assert (await office.post("ask", act="skip", all="1", reason="nothing")).status == 400
    assert (await office.post("ask", act="purge", id="b1")).status == 404
    assert (await office.post("ask", act="address", id=["b1", "b2"])).status == 400
    assert (await office.post("ask", act="skip", id=["b1", "of-another-company"])).status == 404
    assert said(world) == []


# what can send twice ------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["again", "resend"])
async def test_a_second_mail_is_said_before_the_button(world: OfficeWorld, office: Browser, act: str) -> None:
    """In plain words, as an alert."""
    await add(world, "b1", a_mail(), state=S.UNKNOWN)
    page = await office.post("ask", act=act, id="b1", address="a@example.org")

    assert re.search(r'<p class="wrong" role="alert">[^<]*(recebe dois|recebe outra vez)', page.body)


async def test_going_on_warns_where_the_payer_may_have_it(world: OfficeWorld, office: Browser) -> None:
    """Not where nothing can have gone out."""
    await add(world, "b1", **held(Reason.MAYBE_RECREATED))
    await add(world, "b2", **held(Reason.NO_DOCUMENT))

    assert "pela segunda vez" in (await office.post("ask", act="release", id="b1")).body
    assert "pela segunda vez" not in (await office.post("ask", act="release", id="b2")).body


async def test_sending_again_is_offered_when_no_dot_can_follow(world: OfficeWorld, office: Browser) -> None:
    """Until then the page says from when on; a form made for it does nothing either."""
    await add(world, "b1", a_mail(attempt_deadline_ms=UnixMs(world.now + 1)), state=S.UNKNOWN)
    page = await office.get()
    assert "Pode ser enviado de novo a partir de" in page.body
    assert 'value="again"' not in page.body
    assert "Pode ser enviado de novo" in (await office.get("receipt", id="b1")).body

    done = await office.act("again", "b1")

    assert (done.status, "não é possível agora" in done.body) == (409, True)
    assert said(world) == []


async def test_an_undone_payment_is_never_sent_again(world: OfficeWorld, office: Browser) -> None:
    """It arrived, or not; no address is asked for."""
    await add(world, "b1", a_mail(), state=S.UNKNOWN, gone=True)
    page = (await office.get()).body

    assert 'value="again"' not in page
    assert "Pode ser enviado de novo" not in page
    assert 'value="skip"' in page


async def test_what_is_decided_already_is_refused(world: OfficeWorld, office: Browser) -> None:
    """No mail is open any more."""
    await add(world, "b1", a_mail(decided_by="somebody"), state=S.UNKNOWN)

    assert (await office.act("arrived", "b1")).status == 409


# forged, repeated, too late -----------------------------------------------------------------------


async def test_a_form_acts_once(world: OfficeWorld, office: Browser) -> None:
    """The same form again, also by the back button: the row has another version."""
    await add(world, "b1", **held())
    await office.post("ask", act="release", id="b1")
    form = office.form()
    await office.post("do", act="release", id="b1", form=form)

    again = await office.post("do", act="release", id="b1", form=form)

    assert (again.status, "Nada foi feito" in again.body) == (409, True)
    assert len(said(world)) == 1


async def test_nobody_acts_on_what_they_have_not_seen(world: OfficeWorld, office: Browser) -> None:
    """A form of another act, another receipt, another session, no form at all, or one that is too old."""
    for baixa in ("b1", "b2"):
        await add(world, baixa, **held())
    await office.post("ask", act="skip", id="b1")
    form = office.form()
    world.now = UnixMs(world.now + 61_000)
    other = await Browser(world).sign_in()

    assert (await office.post("do", act="release", id="b1", form=form)).status == 409
    assert (await office.post("do", act="skip", id="b2", form=form)).status == 409
    assert (await office.post("do", act="skip", id=["b1", "b2"], form=form)).status == 409
    assert (await other.post("do", act="skip", id="b1", form=form)).status == 409
    assert (await office.post("do", act="skip", id="b1")).status == 409
    assert (await office.post("do", act="skip", id="b1", form=form, origin="https://evil.example")).status == 403
    await office.get()
    world.now = UnixMs(world.now + IDLE_MS - 1)
    assert (await office.post("do", act="skip", id="b1", form=form)).status == 409
    assert said(world) == []


async def test_what_moves_meanwhile_is_told_receipt_by_receipt(
    world: OfficeWorld, office: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are done; what is silent is not called done."""
    for baixa in ("b1", "b2"):
        await add(world, baixa, **held())
    real = ManualActions.skip

    async def skip(self: ManualActions, baixa: BaixaId) -> Receipt:
        if baixa == "b1":
            raise Contention("another was first")
        return await real(self, baixa)

    monkeypatch.setattr(ManualActions, "skip", skip)
    page = await office.act("skip", "b1", "b2")
    assert (page.status, page.body.count("Feito."), page.body.count("mudou nesse meio tempo")) == (200, 1, 1)

    async def silent(*_: object) -> Receipt:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(ManualActions, "skip", silent)
    page = await office.act("skip", "b1")
    assert (page.status, "não se sabe se foi feito" in page.body) == (503, True)


async def test_a_record_that_is_missing_is_said(
    world: OfficeWorld, office: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action is done; the operator must know."""

    async def nothing(_prefix: str) -> list[Any]:
        return []

    monkeypatch.setattr(world.audit, "recorded", nothing)
    await add(world, "b1", **held())

    assert "Avise o operador" in (await office.act("skip", "b1")).body


async def test_nothing_is_decided_while_a_restore_is_under_way(world: OfficeWorld, office: Browser) -> None:
    """It would be lost with the rows."""
    await add(world, "b1", **held())
    world.book.company_rows.put(keys.RESTORING, {"number": 1})

    assert (await office.act("skip", "b1")).status == 409
    assert (await receipt(world)).state is S.HELD


async def test_a_script_in_a_name_or_an_address_is_text(world: OfficeWorld, office: Browser) -> None:
    """On every page that shows it."""
    await add(world, "b1", **held(Reason.SHARED_ADDRESS), customer_name=SCRIPT)

    for page in (
        await office.get(),
        await office.get("receipt", id="b1"),
        await office.get("sent", q=SCRIPT),
        await office.post("ask", act="address", id="b1", address=SCRIPT),
        await office.act("skip", "b1"),
        await office.get("sent"),
    ):
        assert "<script" not in page.body
        assert page.status in (200, 422)


# the company --------------------------------------------------------------------------------------


async def test_the_office_pauses_and_goes_on(world: OfficeWorld, office: Browser) -> None:
    """Its own pause alone: the operator's is the operator's to end."""
    assert 'value="pause"' in (await office.get()).body
    assert (await office.act("pause")).status == 303
    assert await status(world) is CompanyStatus.PAUSED
    home = (await office.get()).body
    assert "Pausado: nada é procurado nem enviado." in home
    assert ('value="resume"' in home, 'value="pause"' in home) == (True, False)
    world.now = UnixMs(world.now + 1000)
    assert (await office.act("resume")).status == 303
    assert await status(world) is CompanyStatus.ACTIVE
    assert [what for what, _, _ in said(world)] == ["status paused", "status active"]

    stored = await world.book.lane.read_company()
    assert stored
    actions = await world.actions(COMPANY, "operator", lambda: None)
    await actions.set_status(stored, CompanyStatus.PAUSED)
    assert 'value="resume"' not in (await office.get()).body
    assert (await office.act("resume")).status == 409
    assert await status(world) is CompanyStatus.PAUSED


async def test_the_office_takes_our_own_documents() -> None:
    """Where the company is no person; once it has them, it is not asked again."""
    world = await OfficeWorld().founded()
    office = await Browser(world).sign_in()
    await office.act("own_documents")
    company = await world.book.lane.read_company()
    assert company
    assert company.policy is DocumentPolicy.ERP_THEN_OWN
    assert "own_documents" not in (await office.get()).body

    person = await OfficeWorld().founded(document="12345678909")
    assert "own_documents" not in (await (await Browser(person).sign_in()).get()).body


async def test_the_office_connects_again() -> None:
    """By the invitation's own page, for its own company; the link is made by the button alone."""
    world = await OfficeWorld().founded(status=CompanyStatus.NEEDS_RECONNECT)
    office = await Browser(world).sign_in()
    assert "não aceita mais a conexão" in (await office.get()).body
    assert world.invited == []

    moved = await office.act("reconnect")

    assert (moved.status, moved.headers["Location"]) == (303, "/connect/secret-of-the-invitation")
    assert world.invited == [(COMPANY, BY)]
    assert said(world) == [("reconnect", COMPANY, BY)]


async def test_a_company_act_that_is_refused_is_said(world: OfficeWorld, office: Browser) -> None:
    """While a restore is under way."""
    world.book.company_rows.put(keys.RESTORING, {"number": 1})

    assert (await office.act("own_documents")).status == 409


# looking back -------------------------------------------------------------------------------------


async def test_what_was_sent_is_found(world: OfficeWorld, office: Browser) -> None:
    """By name without accents, amount, day, payment; older ones and what was paid before are not there."""
    await add(world, "b1", a_mail(state=DeliveryState.SENT), state=S.SENT, document_sha256="d" * 64)
    await add(world, "b2", state=S.SENT, customer_name="Dr. João", amount=99_90, changed_ms=UnixMs(NOW - 5))
    await add(world, "b3", state=S.SKIPPED, reason=Reason.BEFORE_CONNECTION, customer_name="Antes")
    await add(world, "b4", state=S.SENT, customer_name="Velho", changed_ms=UnixMs(NOW - 31 * 86_400_000))
    await add(world, "b5", state=S.HELD, reason=Reason.NO_DOCUMENT, customer_name="Aberto")
    await add(world, "b6", state=S.WITHDRAWN, customer_name="", paid_on="")

    everything = (await office.get("sent")).body
    assert everything.index("Dra. Ana") < everything.index("Dr. João")
    assert not any(name in everything for name in ("Antes", "Velho", "Aberto"))
    for search in ("joao", "99,90", "dr. joão", "b2", "01/01/2026 joao"):
        found = (await office.get("sent", q=search)).body
        assert ("Dr. João" in found, "Dra. Ana" in found) == (True, False), search
    assert "Dra. Ana" in (await office.get("sent", q="1500,00")).body
    assert "Nada encontrado" in (await office.get("sent", q="ninguém")).body


async def test_many_are_cut_and_said(world: OfficeWorld, office: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are shown; a page reads no further than it may."""
    for baixa in ("b1", "b2"):
        await add(world, baixa, state=S.SENT)
    monkeypatch.setattr("payflow.office.sent.SHOWN_MAX", 1)
    assert "Procure os outros" in (await office.get("sent")).body
    monkeypatch.setattr("payflow.office.sent.SHOWN_MAX", 9)
    monkeypatch.setattr("payflow.office.sent.ROWS_MAX", 1)
    page = (await office.get("sent")).body
    assert ("Procure os outros" in page, page.count("/receipt?id=")) == (True, 1)


async def test_a_sent_receipt_goes_to_another_address(world: OfficeWorld, office: Browser) -> None:
    """From its own page, after the warning."""
    await add(world, "b1", a_mail(state=DeliveryState.SENT), state=S.SENT, document_sha256="d" * 64)
    page = await office.get("receipt", id="b1")
    assert 'value="resend"' in page.body
    assert "ana.canaria@example.org" in page.body

    await office.act("resend", "b1", address="nova@example.org")

    mails = {mail.kind: mail.address for mail in await world.book.lane.deliveries(BaixaId("b1"))}
    assert mails["resend-1"] == "nova@example.org"


@pytest.mark.parametrize(("state", "act"), [(S.SKIPPED, "release"), (S.COVERED, "release"), (S.SENDING, "")])
async def test_what_ended_without_a_mail_can_go_on(
    world: OfficeWorld, office: Browser, state: ReceiptState, act: str
) -> None:
    """What is on its way is left to its sender."""
    await add(world, "b1", state=state)

    page = (await office.get("receipt", id="b1")).body

    assert re.findall(r'name="act" value="(\w+)"', page) == ([act] if act else [])


async def test_a_receipt_says_what_the_server_said(world: OfficeWorld, office: Browser) -> None:
    """And who decided; a mail that only the log knows has no address."""
    refused = a_mail(state=DeliveryState.REFUSED, reply=f"550 {SCRIPT}", address="")
    await add(world, "b1", refused, state=S.REFUSED, decided_by="ana")

    page = (await office.get("receipt", id="b1")).body

    assert "550 &lt;script" in page
    assert "endereço desconhecido" in page
    assert "ana</dd>" in page


async def test_another_companys_receipt_is_not_there(office: Browser) -> None:
    """A receipt is found by its company and its payment together."""
    assert (await office.get("receipt", id="of-another-company")).status == 404
    assert (await office.get("receipt")).status == 404


def test_every_act_of_a_reason_is_one() -> None:
    """And none waits for an act that the page does not have."""
    assert {act for words in REASONS.values() for act in words.acts} | {"own_documents", "pause", "resume"} == (
        ACTS.keys() - {"reconnect"}
    )
