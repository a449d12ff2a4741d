"""A payment that changes after its receipt was mailed: asked about once, corrected by a person, never by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foundation.clock import DAY_MS, UnixMs
from foundation.errors import Rejected
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Row
from payflow import corrections
from payflow.delivery import bounced, case, choices, decisions, rules, steps
from payflow.delivery.choices import Decider
from payflow.delivery.ports import delivery_key
from payflow.delivery.purging import Purging
from payflow.delivery.retention import CompanyRetention
from payflow.ledger import backup, exporting, listing, verifying
from payflow.ledger.listing import Wish
from payflow.looking.changed import edited, vanished
from payflow.mail.bounces import Bounce
from payflow.model import Baixa, BaixaId, Centavos, Composition, Customer, CustomerId, InstalmentId, PaymentTerms
from payflow.office import acts
from payflow.office import letters as office_letters
from payflow.office.views import ReceiptView
from payflow.state import After, Delivery, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.payflow import NOW, Book, a_delivery, a_receipt, an_instalment

S, D = ReceiptState, DeliveryState
B1, BY, LATER = BaixaId("b1"), Decider(name="office", now=NOW), UnixMs(NOW + 60_000)
ANA = Customer(id=CustomerId("c1"), name="Dra. Ana Canária")
IS_NOW = PaymentTerms(
    amount=Centavos(160_000), paid_on="2026-01-02", customer=CustomerId("c1"), customer_name="Dra. Ana Canária"
)
SENT = a_receipt(state=S.SENT, document_sha256="d" * 64)
FLAGGED = replace(SENT, after=After.CHANGED, flagged_ms=NOW, now_is=IS_NOW)


def a_baixa(amount: int = 160_000, paid_on: str = "2026-01-02", revision: int = 2) -> Baixa:
    """Return the payment as Conta Azul shows it now."""
    return Baixa(
        id=B1,
        instalment=InstalmentId("p1"),
        revision=revision,
        paid_on=paid_on,
        composition=Composition(gross=Centavos(amount)),
        method="PIX",
        updated_ms=NOW,
    )


def a_mail(kind: str = "receipt", state: DeliveryState = D.SENT, number: int = 1, **changes: Any) -> Delivery:
    """Return a mail with an id of its own."""
    given = {"message_id": f"<{kind}-{number}@x>", "tried_ms": NOW, **changes}
    return a_delivery(kind=kind, state=state, number=number, **given)


async def stored(receipt: Receipt, *mails: Delivery) -> Book:
    """Return a ledger with a receipt and its mails."""
    book = Book()
    await book.lane.add(None, an_instalment(), [receipt], [])
    for mail in mails:
        write = AtomicWrite()
        book.lane.insert_mail(write, mail)
        await commit(book.lane.rows, write, marker_row=write.writes[0].key)
    return book


def nameless(terms: PaymentTerms) -> PaymentTerms:
    """Return what a purge leaves of terms."""
    return replace(terms, customer_name="")


async def receipt_in(book: Book) -> Receipt:
    """Return the receipt as it is stored."""
    found = await book.lane.receipt(B1)
    assert found
    return found


# Seen ------------------------------------------------------------------------------------------------


def test_a_change_is_asked_about_once() -> None:
    """The same change read again is known; answered, only another change is asked about."""
    first = edited(SENT, a_baixa(), ANA, NOW)
    assert (first.after, first.flagged_ms, first.now_is, first.amount) == (After.CHANGED, NOW, IS_NOW, SENT.amount)
    assert edited(first, a_baixa(), ANA, LATER) == first

    answered = corrections.answered(first)
    assert edited(answered, a_baixa(), ANA, LATER).flagged_ms == 0
    assert edited(answered, a_baixa(170_000), ANA, LATER).flagged_ms == LATER


def test_a_change_that_is_taken_back_ends_the_flag() -> None:
    """The mail says what the payment is."""
    after = edited(FLAGGED, a_baixa(150_000, "2026-01-01"), ANA, LATER)

    assert (after.after, after.flagged_ms, after.now_is) == (None, 0, PaymentTerms())


def test_a_flag_of_a_version_before_is_asked_about_when_it_is_read() -> None:
    """It has no amount of now, and no time."""
    after = edited(replace(SENT, after=After.CHANGED), a_baixa(), ANA, LATER)

    assert (after.flagged_ms, after.now_is) == (LATER, IS_NOW)


def test_of_an_emptied_receipt_no_name_comes_back() -> None:
    """Its time is over."""
    after = edited(replace(SENT, emptied_ms=NOW, customer_name=""), a_baixa(), ANA, LATER)

    assert after.now_is == replace(IS_NOW, customer_name="")


def test_an_undone_payment_is_asked_about() -> None:
    """Also one whose correction was ordered and had not gone out: the mail before is what the payer has."""
    assert vanished(SENT, LATER).flagged_ms == LATER
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)

    gone = vanished(began, LATER, mailed=S.SENT)

    assert (gone.state, gone.after, gone.gone, gone.flagged_ms) == (S.SENT, After.UNDONE, True, LATER)
    assert (gone.amount, gone.document_sha256, gone.was_mailed) == (SENT.amount, "d" * 64, PaymentTerms())


async def test_what_is_asked_about_is_found_by_an_index() -> None:
    """It is listed, verified and left out of a backup; answered, its index row goes."""
    book = await stored(FLAGGED, a_mail())
    assert [one.baixa for one in await book.lane.flagged(limit=9)] == [B1]
    page = await listing.receipt_page(book.lane, Wish(flagged=True))
    assert [one.baixa for one in page.receipts] == [B1]
    assert (await listing.receipt_page(book.lane, Wish(flagged=True, prefix="other"))).receipts == []
    assert (await verifying.verify_company(book.lane)).faults == []
    kept = await backup.take_backup(book.lane.rows, ledger_id="l", company=book.lane.company, now=NOW)
    assert not [key for key in kept.rows if key.startswith("flagged:")]

    await choices.decline_correction(book.lane, B1, BY)

    assert [key for key in book.company_rows.dump() if key.startswith("flagged:")] == []
    with pytest.raises(Rejected, match="nothing is asked"):
        await choices.decline_correction(book.lane, B1, BY)


async def test_what_changed_is_sealed_and_a_row_of_a_version_before_is_read() -> None:
    """The new columns are optional."""
    book = await stored(FLAGGED)
    key = next(key for key in book.company_rows.dump() if key.startswith("receipt:"))
    values = dict(book.company_rows.dump()[key])
    assert "Canária" not in str(values)
    assert (await receipt_in(book)).now_is == IS_NOW

    for name in ("flagged_ms", "now_is", "correction", "was_mailed", "was_sha256"):
        del values[name]
    old = book.lane.codec.decode(Receipt, Row(key=key, values=values, version=UNSTORED))

    assert old == replace(SENT, after=After.CHANGED)


# Ordered ---------------------------------------------------------------------------------------------


async def test_a_correction_begins_anew_with_what_the_payment_is() -> None:
    """Its number is its own; what was mailed is kept until it goes out."""
    book = await stored(FLAGGED, a_mail())

    after = await choices.order_correction(book.lane, B1, BY)

    assert (after.state, after.amount, after.paid_on, after.correction) == (S.FOUND, 160_000, "2026-01-02", 1)
    assert (after.was_mailed, after.was_sha256, after.document_sha256) == (SENT.terms, "d" * 64, "")
    assert (after.after, after.decided_by, corrections.kind_of_now(after)) == (After.CHANGED, "office", "correction-1")
    with pytest.raises(Rejected, match="that is found cannot be corrected"):
        await choices.order_correction(book.lane, B1, BY)


@pytest.mark.parametrize(
    ("receipt", "mail", "why"),
    [
        (replace(FLAGGED, gone=True), a_mail(), "undone"),
        (replace(FLAGGED, state=S.REFUSED), a_mail(state=D.REFUSED), "refused"),
        (replace(FLAGGED, emptied_ms=NOW), a_mail(), "empty"),
        (FLAGGED, a_mail(state=D.UNKNOWN), "arrived"),
    ],
)
async def test_what_cannot_be_corrected(receipt: Receipt, mail: Delivery, why: str) -> None:
    """A payment that is gone, another state, no personal data, a mail of which nobody knows."""
    book = await stored(receipt, mail)

    with pytest.raises(Rejected, match=why):
        await choices.order_correction(book.lane, B1, BY)


@pytest.mark.parametrize(
    ("receipt", "kinds", "number"),
    [
        (SENT, ["receipt"], 1),
        (replace(SENT, correction=2), ["receipt"], 3),
        (SENT, ["receipt", "correction-1", "correction-1-again-1"], 2),
        (SENT, ["test", "test-correction-4"], 5),
    ],
)
def test_no_number_is_used_twice(receipt: Receipt, kinds: list[str], number: int) -> None:
    """Nor one that only the send log of a restored ledger knows."""
    assert corrections.next_number(receipt, [a_mail(kind) for kind in kinds]) == number


def test_an_unknown_correction_is_repeated_under_a_kind_of_its_own() -> None:
    """It belongs to its correction."""
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)
    again = rules.again_kind("correction-1")

    assert again == "correction-1-again-1"
    assert [one.kind for one in corrections.mails_of_now(began, [a_mail(), a_mail(again)])] == [again]


# Ended -----------------------------------------------------------------------------------------------


async def test_a_correction_that_was_mailed_ends_the_flag() -> None:
    """By late evidence, or by the office's word; the next change is a new one."""
    began = replace(corrections.ordered(FLAGGED, [a_mail()], "office", NOW), state=S.UNKNOWN)
    unknown = a_mail("correction-1", D.UNKNOWN)
    book = await stored(began, a_mail(), unknown)

    after = await decisions.decide_arrived(book.lane, delivery_key(unknown), "office", NOW)

    assert (after.state, after.after, after.flagged_ms, after.amount) == (S.SENT, None, 0, 160_000)
    assert (after.was_mailed, after.correction) == (PaymentTerms(), 1)
    again = edited(after, a_baixa(170_000), ANA, LATER)
    assert corrections.ordered(again, [], "office", LATER).correction == 2


async def test_a_correction_that_is_given_up_leaves_what_was_mailed() -> None:
    """A person skips it: nothing is asked any more until the payment changes once more."""
    began = replace(corrections.ordered(FLAGGED, [a_mail()], "office", NOW), state=S.HELD, reason=Reason.NO_DOCUMENT)
    book = await stored(began, a_mail())

    after = await choices.skip(book.lane, B1, BY)

    assert (after.state, after.amount, after.document_sha256) == (S.SENT, SENT.amount, "d" * 64)
    assert (after.after, after.flagged_ms, after.now_is.amount, after.correction) == (After.CHANGED, 0, 160_000, 1)
    assert edited(after, a_baixa(), ANA, LATER).flagged_ms == 0


def test_a_correction_of_nothing_that_changed_leaves_no_flag() -> None:
    """Ordered for another document alone, and given up."""
    began = corrections.ordered(SENT, [a_mail()], "office", NOW)

    after = corrections.correction_ended(replace(began, state=S.SENT), [a_mail()], LATER)

    assert (after.after, after.flagged_ms, after.now_is, after.terms) == (None, 0, PaymentTerms(), SENT.terms)


async def test_a_mail_that_arrived_of_a_payment_that_is_gone_is_asked_about() -> None:
    """The payer has a receipt of nothing."""
    book = await stored(a_receipt(state=S.UNKNOWN, gone=True), a_mail(state=D.UNKNOWN))

    after = await decisions.decide_arrived(book.lane, delivery_key(a_mail()), "office", NOW)

    assert (after.after, after.flagged_ms) == (After.UNDONE, NOW)


async def test_going_on_after_one_address_was_mailed_is_a_correction() -> None:
    """Nobody is left with a receipt of what the payment was; what was held of the old one is not tried again."""
    held = replace(SENT, state=S.HELD, reason=Reason.PAYMENT_CHANGED)
    book = await stored(held, a_mail(), a_mail(number=2, state=D.HELD))

    after = await choices.release(book.lane, B1, BY)

    assert (after.state, after.correction, after.was_mailed) == (S.FOUND, 1, SENT.terms)
    assert [one.state for one in await book.lane.deliveries(B1)] == [D.SENT, D.HELD]


async def test_a_held_correction_goes_on_with_its_own_mails_alone() -> None:
    """A mail of before that was never accepted stays let be."""
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)
    held = replace(began, state=S.HELD, reason=Reason.UNDELIVERABLE, document_sha256="e" * 64)
    let_be = a_mail(number=2, state=D.HELD, decided_by="office")
    book = await stored(held, a_mail(), let_be, a_mail("correction-1", D.HELD))

    assert (await choices.release(book.lane, B1, BY)).state is S.SENDING

    states = {(one.kind, one.number): one.state for one in await book.lane.deliveries(B1)}
    assert states == {("receipt", 1): D.SENT, ("receipt", 2): D.HELD, ("correction-1", 1): D.READY}


async def test_a_correction_that_comes_back_waits_for_a_person() -> None:
    """As any mail does."""
    corrected = replace(SENT, correction=1)
    book = await stored(corrected, a_mail(), a_mail("correction-1"))

    after = await bounced.store_bounce(book.lane, Bounce(message_id="<correction-1-1@x>", status="5.1.1"), NOW)

    assert after
    assert after.state is S.REFUSED


# Personal data ---------------------------------------------------------------------------------------


async def test_what_changed_is_emptied_by_a_purge_and_not_by_age_while_a_person_is_asked() -> None:
    """The name of now is a person's, as the one of before is."""
    book = await stored(replace(FLAGGED, was_mailed=SENT.terms), a_mail())
    long_after = UnixMs(NOW + 400 * DAY_MS)
    retention = CompanyRetention(ledger=book.lane, audits=(), clock=lambda: long_after, days=180)
    assert (await retention.run())["receipt"] == 0

    await Purging(ledger=book.lane, apply=True).person(CustomerId("c1"))

    found = await receipt_in(book)
    assert (found.now_is, found.was_mailed, found.was_sha256) == (nameless(IS_NOW), nameless(SENT.terms), "")
    assert (
        office_letters.changed(found)
        == "era R$\N{NO-BREAK SPACE}1.500,00 em 01/01/2026; agora é R$\N{NO-BREAK SPACE}1.600,00 em 02/01/2026"
    )
    assert edited(found, a_baixa(revision=1), ANA, LATER) == found
    assert (await Purging(ledger=book.lane, apply=False).person(CustomerId("c1"))).total() == 0
    await choices.decline_correction(book.lane, B1, BY)


@pytest.mark.parametrize("whose", ["c1", "c2"])
async def test_a_payment_that_became_another_customers_is_erased_of_each_alone(whose: str) -> None:
    """The receipt is one customer's, what changed or was mailed the other's; so is each mail."""
    other = replace(IS_NOW, customer=CustomerId("c2"), customer_name="Dra. Bia")
    began = corrections.ordered(replace(FLAGGED, now_is=other), [a_mail()], "office", NOW)
    book = await stored(began, a_mail(customer=CustomerId("c1")), a_mail("correction-1", customer=CustomerId("c2")))

    dry = await Purging(ledger=book.lane, apply=False).person(CustomerId(whose))
    assert await Purging(ledger=book.lane, apply=True).person(CustomerId(whose)) == dry

    found = await receipt_in(book)
    names = {"c2": found.customer_name, "c1": found.was_mailed.customer_name}
    assert [bool(names[each]) for each in (whose, "c1" if whose == "c2" else "c2")] == [False, True]
    assert found.was_mailed.amount == SENT.amount
    assert {one.customer for one in await book.lane.deliveries(B1) if not one.address} == {whose}


async def test_what_is_stored_of_a_customer_on_anothers_receipt_is_exported() -> None:
    """What was mailed of it before, and to whom; a mail of a version before is its receipt's customer's."""
    other = replace(IS_NOW, customer=CustomerId("c2"), customer_name="Dra. Bia")
    began = corrections.ordered(replace(FLAGGED, now_is=other), [a_mail()], "office", NOW)
    book = await stored(began, a_mail(customer=CustomerId("c1")), a_mail("resend-1"))

    ana, bia = [await exporting.of_person(book.lane, CustomerId(each)) for each in ("c1", "c2")]

    assert [len(ana[part]) for part in ("receipts", "of_other_receipts", "mails")] == [0, 1, 1]
    assert [len(bia[part]) for part in ("receipts", "of_other_receipts", "mails")] == [1, 0, 1]
    assert "Bia" not in str(ana)


# Attacked --------------------------------------------------------------------------------------------


async def test_a_refused_correction_that_is_sent_to_another_address_is_mailed() -> None:
    """The payer has it: nothing is asked again, and what was mailed is what the correction said."""
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)
    refused = replace(began, state=S.REFUSED, document_sha256="e" * 64)
    book = await stored(refused, a_mail(), a_mail("correction-1", D.REFUSED))

    after = await choices.resend(book.lane, B1, choices.Resend(domain="x", address="ana@nova.com.br"), BY)
    mails = await book.lane.deliveries(B1)
    (again,) = [one for one in mails if one.state is D.READY]
    sent = [replace(one, state=D.SENT) if one == again else one for one in mails]
    await case.store(book.lane, after, steps.settled(sent), LATER, mails=sent)

    found = await receipt_in(book)
    assert again.kind == "correction-1-resend-1"
    assert (found.state, found.amount, found.after, found.flagged_ms) == (S.SENT, 160_000, None, 0)


@pytest.mark.parametrize(
    ("kind", "called"), [("resend", "correction-1-resend"), ("test-resend", "test-correction-1-resend")]
)
def test_a_further_mail_is_of_the_correction_that_is_on_its_way(kind: str, called: str) -> None:
    """Else nobody would know that the correction went out; without one it is called as ever."""
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)

    assert corrections.kind_of_further(began, kind) == called
    assert [one.kind for one in corrections.mails_of_now(began, [a_mail(), a_mail(called)])] == [called]
    assert corrections.kind_of_further(SENT, kind) == kind


async def test_a_held_receipt_that_one_address_has_keeps_what_was_mailed() -> None:
    """The look reads the payment again before a person goes on: the correction says what it replaces."""
    held = replace(SENT, state=S.HELD, reason=Reason.UNDELIVERABLE)
    changed = edited(held, a_baixa(), ANA, LATER, partly=True)
    assert (changed.state, changed.reason, changed.terms) == (S.HELD, Reason.PAYMENT_CHANGED, SENT.terms)
    assert (changed.after, changed.now_is, changed.flagged_ms) == (After.CHANGED, IS_NOW, LATER)
    book = await stored(changed, a_mail(), a_mail(number=2, state=D.HELD))

    after = await choices.release(book.lane, B1, BY)

    assert (after.was_mailed, after.amount, after.correction) == (SENT.terms, 160_000, 1)
    unchanged = edited(held, a_baixa(150_000, "2026-01-01"), ANA, LATER, partly=True)
    assert unchanged == replace(held, revision=2)


async def test_a_held_mail_of_a_payment_that_became_anothers_is_made_anew() -> None:
    """It was addressed to the customer before, who must not read whose payment it is now."""
    held = replace(SENT, state=S.HELD, reason=Reason.UNDELIVERABLE)
    bia = Customer(id=CustomerId("c2"), name="Dra. Bia")
    changed = edited(held, a_baixa(150_000, "2026-01-01"), bia, LATER)
    book = await stored(changed, a_mail(state=D.HELD))

    after = await choices.release(book.lane, B1, BY)

    assert (after.state, after.customer, after.document_sha256) == (S.FOUND, "c2", "")
    assert [one.state for one in await book.lane.deliveries(B1)] == [D.CANCELLED]


@pytest.mark.parametrize("reason", [Reason.RECREATED, Reason.SAME_DOCUMENT])
def test_a_covered_payment_that_is_changed_is_held(reason: Reason) -> None:
    """The mail that was its receipt says something else now; a new revision alone changes nothing."""
    covered = replace(SENT, state=S.COVERED, reason=reason)

    after = edited(covered, a_baixa(), ANA, LATER)

    assert (after.state, after.reason, after.amount) == (S.HELD, Reason.PAYMENT_CHANGED, 160_000)
    assert edited(covered, a_baixa(150_000, "2026-01-01"), ANA, LATER) == replace(covered, revision=2)


def test_a_change_that_is_taken_back_ends_its_correction() -> None:
    """Nothing of it went out: the payer would get a correction that says what the receipt said."""
    began = corrections.ordered(FLAGGED, [a_mail()], "office", NOW)

    back = edited(began, a_baixa(150_000, "2026-01-01"), ANA, LATER)

    assert (back.state, back.terms, back.document_sha256) == (S.SENT, SENT.terms, "d" * 64)
    assert (back.after, back.flagged_ms, back.was_mailed, back.correction) == (None, 0, PaymentTerms(), 1)
    for_another_document = corrections.ordered(SENT, [a_mail()], "office", NOW)
    assert edited(for_another_document, a_baixa(150_000, "2026-01-01"), ANA, LATER).state is S.FOUND


def test_a_change_during_a_correction_that_is_given_up_is_asked_about() -> None:
    """It was ordered for another document alone, so nothing was flagged yet."""
    began = corrections.ordered(SENT, [a_mail()], "office", NOW)
    changed = edited(began, a_baixa(), ANA, NOW)

    after = corrections.correction_ended(replace(changed, state=S.SENT), [a_mail()], LATER)

    assert (after.after, after.flagged_ms, after.now_is, after.terms) == (After.CHANGED, LATER, IS_NOW, SENT.terms)


async def test_every_mail_of_a_receipt_is_read() -> None:
    """Eleven corrections to five addresses: none of them is left out, whatever its kind sorts behind."""
    mails = [a_mail(f"correction-{n}", number=number) for n in range(1, 12) for number in range(1, 6)]
    book = await stored(SENT, a_mail(), *mails)

    assert len(await book.lane.deliveries(B1)) == 56


async def test_a_correction_that_only_the_send_log_knows_has_a_way_out() -> None:
    """It has no address, so it is not sent again: a person says that it did not arrive, and orders it anew."""
    lost = a_mail("correction-1", D.UNKNOWN, address="", address_index="")
    book = await stored(replace(FLAGGED, state=S.UNKNOWN), a_mail(), lost)
    item = ReceiptView(receipt=await receipt_in(book), mails=await book.lane.deliveries(B1))
    assert [acts.may(name, item, LATER) for name in ("skip", "again")] == [True, False]
    with pytest.raises(Rejected, match="`skip`"):
        await decisions.decide_again(book.lane, delivery_key(lost), "office", UnixMs(NOW + DAY_MS), domain="x")

    after = await choices.skip(book.lane, B1, BY)

    assert (after.state, after.amount) == (S.SENT, SENT.amount)
    assert (await choices.order_correction(book.lane, B1, BY)).correction == 2


async def test_an_unknown_mail_with_an_address_is_not_skipped() -> None:
    """It can be sent again."""
    book = await stored(replace(SENT, state=S.UNKNOWN), a_mail(state=D.UNKNOWN))

    with pytest.raises(Rejected, match="arrived"):
        await choices.skip(book.lane, B1, BY)
