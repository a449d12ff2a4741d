"""Every state has an exit: what a person may decide in each, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.errors import Rejected
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.delivery import bounced, choices, decisions, rules
from payflow.delivery.choices import Decider, Resend
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import delivery_key
from payflow.mail.bounces import Bounce
from payflow.model import BaixaId, CustomerId
from payflow.model import Person as Payer
from payflow.recipients.choice import choose_recipients
from payflow.recipients.mapping import read_map
from payflow.state import Delivery, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.payflow import NOW, Book, a_company, a_delivery, a_receipt, an_instalment

BY, B1 = Decider(name="office", now=NOW), BaixaId("b1")
ID = "<" + "ab" * 20 + "@payflow.example>"
S, D = ReceiptState, DeliveryState
ALLOWED = {
    S.FOUND: {"skip"},
    S.WAITING_DOCUMENT: {"skip"},
    S.READY: {"skip"},
    S.SENDING: set(),
    S.UNKNOWN: {"arrived", "again"},
    S.SENT: {"resend"},
    S.REFUSED: {"resend", "skip"},
    S.HELD: {"release", "skip"},
    S.COVERED: {"release"},
    S.WITHDRAWN: set(),
    S.SKIPPED: {"release"},
}
"""The table of states and decisions, as ``choices`` documents it."""
MAILS = {S.SENT: D.SENT, S.REFUSED: D.REFUSED, S.UNKNOWN: D.UNKNOWN, S.SENDING: D.SENDING}


async def stored(receipt: Receipt, *mails: Delivery) -> Book:
    """Return a ledger with a receipt and its mails."""
    book = Book()
    await book.lane.add(None, an_instalment(), [receipt], [])
    for mail in mails:
        write = AtomicWrite()
        book.lane.insert_mail(write, mail)
        await commit(book.lane.rows, write, marker_row=write.writes[0].key)
    return book


def a_mail(state: DeliveryState, **changes: Any) -> Delivery:
    """Return a mail that was tried."""
    return a_delivery(**{"state": state, "message_id": ID, "tried_ms": NOW, **changes})


async def decide(book: Book, what: str) -> Receipt:
    """Let the office decide, as the command does."""
    lane = book.lane
    match what:
        case "release":
            return await choices.release(lane, B1, BY)
        case "skip":
            return await choices.skip(lane, B1, BY)
        case "resend":
            return await choices.resend(lane, B1, Resend(domain="payflow.example"), BY)
    key = delivery_key(a_delivery())
    if what == "arrived":
        return await decisions.decide_arrived(lane, key, "office", NOW)
    return await decisions.decide_again(lane, key, "office", NOW, domain="payflow.example")


@pytest.mark.parametrize("what", ["release", "skip", "resend", "arrived", "again"])
@pytest.mark.parametrize("state", S)
async def test_what_may_be_decided_in_each_state(state: ReceiptState, what: str) -> None:
    """As the table says; what is refused changes nothing."""
    receipt = a_receipt(state=state, document_sha256="d" * 64)
    book = await stored(receipt, *([a_mail(MAILS[state])] if state in MAILS else []))
    before = book.company_rows.dump()

    if what in ALLOWED[state]:
        assert (await decide(book, what)).decided_by == "office"
        return
    with pytest.raises(Rejected):
        await decide(book, what)
    assert book.company_rows.dump() == before


def test_every_state_that_waits_for_a_person_has_an_exit() -> None:
    """Held, unknown, refused."""
    assert ALLOWED.keys() == set(S)
    assert all(ALLOWED[state] for state in (S.HELD, S.UNKNOWN, S.REFUSED))


@pytest.mark.parametrize(
    ("receipt", "said"),
    [
        (a_receipt(state=S.READY, reason=Reason.NO_RECIPIENT), "ready cannot be released: it goes on .* an address"),
        (a_receipt(state=S.FOUND), "found cannot be released: it goes on by itself$"),
        (a_receipt(state=S.FOUND, gone=True), "found cannot be released$"),
        (a_receipt(state=S.SENT), "sent cannot be released$"),
    ],
)
async def test_what_cannot_be_released_says_what_it_waits_for(receipt: Receipt, said: str) -> None:
    """A person who types the command wants to know what else to do."""
    book = await stored(receipt)

    with pytest.raises(Rejected, match=said):
        await choices.release(book.lane, B1, BY)


async def test_a_held_mail_is_tried_again_as_it_was() -> None:
    """The server accepted nothing of it, so it is no other mail."""
    held = a_receipt(state=S.HELD, reason=Reason.UNDELIVERABLE, document_sha256="d")
    book = await stored(held, a_mail(D.HELD, attempt=5, counted=2))

    after = await choices.release(book.lane, B1, BY)

    (mail,) = await book.lane.deliveries(B1)
    assert (after.state, mail.state, mail.attempt, mail.counted, mail.message_id) == (S.SENDING, D.READY, 0, 0, ID)
    with pytest.raises(Rejected):
        rules.try_again(mail, NOW)


async def test_a_skipped_receipt_takes_back_its_mails() -> None:
    """One that went out to another address makes it sent."""
    held = a_receipt(state=S.HELD, reason=Reason.PAYMENT_CHANGED)
    book = await stored(held, a_mail(D.READY), a_mail(D.REFUSED, number=2, message_id=ID.replace("ab", "cd")))
    after = await choices.skip(book.lane, B1, BY)
    assert (after.state, after.reason) == (S.SKIPPED, Reason.BY_PERSON)
    assert [one.state for one in await book.lane.deliveries(B1)] == [D.CANCELLED, D.REFUSED]

    sent = await stored(held, a_mail(D.SENT))
    assert (await choices.skip(sent.lane, B1, BY)).state is S.SENT


async def test_a_further_mail_is_of_another_kind_and_ends_what_was_refused() -> None:
    """To another address; when it arrives the receipt is sent, whatever became of the first."""
    book = await stored(a_receipt(state=S.REFUSED, document_sha256="d"), a_mail(D.REFUSED))
    wish = Resend(domain="payflow.example", address="new@example.org")

    assert (await choices.resend(book.lane, B1, wish, BY)).state is S.SENDING

    first, more = await book.lane.deliveries(B1)
    assert (first.decided_by, more.kind, more.address, more.state) == ("office", "resend-1", "new@example.org", D.READY)
    assert more.message_id != first.message_id
    assert await book.lane.mail_of(more.message_id) == more
    assert await book.lane.mail_of(ID.replace("ab", "ef")) is None


@pytest.mark.parametrize(
    ("receipt", "mails"),
    [
        (a_receipt(state=S.SENT), [a_mail(D.SENT)]),
        (a_receipt(state=S.SENT, document_sha256="d"), []),
        (a_receipt(state=S.SENT, document_sha256="d", gone=True), [a_mail(D.SENT)]),
        (a_receipt(state=S.REFUSED, document_sha256="d"), [a_mail(D.REFUSED), a_mail(D.UNKNOWN, number=2)]),
    ],
)
async def test_what_cannot_be_sent_once_more(receipt: Receipt, mails: list[Delivery]) -> None:
    """No document, no address, no payment, or an outcome that is not known."""
    named = [one if one.number == 1 else a_mail(one.state, number=2, message_id=f"<{'ef' * 20}@p>") for one in mails]
    book = await stored(receipt, *named)
    with pytest.raises(Rejected):
        await decide(book, "resend")
    with pytest.raises(Rejected, match="has no payment"):
        await choices.skip(book.lane, BaixaId("none"), BY)


async def test_what_was_skipped_and_released_is_never_sent_by_a_forgotten_decision() -> None:
    """The decision of the skip ends with the release: a mail that is held or refused once more waits for a person."""
    held = a_receipt(state=S.HELD, reason=Reason.UNDELIVERABLE, document_sha256="d")
    book = await stored(held, a_mail(D.HELD))
    await choices.skip(book.lane, B1, BY)
    await choices.release(book.lane, B1, BY)
    (mail,) = await book.lane.deliveries(B1)
    assert (mail.state, mail.decided_by) == (D.READY, "")

    book = await stored(a_receipt(state=S.REFUSED), a_mail(D.REFUSED))
    await choices.skip(book.lane, B1, BY)
    assert (await choices.release(book.lane, B1, BY)).state is S.FOUND
    (mail,) = await book.lane.deliveries(B1)
    assert (mail.state, mail.decided_by) == (D.CANCELLED, "")


async def test_an_address_that_could_be_another_is_asked_for() -> None:
    """The refused one is meant, not the last one; of two, and of an override's, none."""
    other, test = f"<{'cd' * 20}@p>", f"<{'ef' * 20}@p>"
    refused = a_mail(D.REFUSED, address="a@example.org", address_index="a")
    sent = a_mail(D.SENT, number=2, message_id=other, address="b@example.org", address_index="b")
    book = await stored(a_receipt(state=S.REFUSED, document_sha256="d"), refused, sent)
    await decide(book, "resend")
    assert [one.address for one in await book.lane.deliveries(B1) if one.kind == "resend-1"] == ["a@example.org"]

    two = [a_mail(D.SENT, address="a@example.org", address_index="a"), sent]
    override = [a_mail(D.SENT, kind="test", message_id=test)]
    for mails in (two, override):
        book = await stored(a_receipt(state=S.SENT, document_sha256="d"), *mails)
        with pytest.raises(Rejected, match="--to"):
            await decide(book, "resend")


@pytest.mark.parametrize(("status", "suppressed"), [("5.1.1", "bounced: 5.1.1"), ("5.2.2", "")])
async def test_a_bounce_of_ours_is_refused_and_suppresses_what_never_works(status: str, suppressed: str) -> None:
    """A full mailbox passes. The same bounce again, or another's, is nothing."""
    book = await stored(a_receipt(state=S.SENT), a_mail(D.SENT))

    after = await bounced.store_bounce(book.lane, Bounce(message_id=ID, status=status), NOW)

    assert after
    assert after.state is S.REFUSED
    assert (await LaneRecipients(book.lane).mailbox(a_delivery().address)).suppressed == suppressed
    assert await bounced.store_bounce(book.lane, Bounce(message_id=ID, status=status), NOW) is None
    assert await bounced.store_bounce(book.lane, Bounce(message_id=f"<{'00' * 20}@x>", status=status), NOW) is None


async def test_a_bounce_while_another_address_is_sent_to_leaves_the_receipt_to_its_sender() -> None:
    """The mail alone is refused."""
    other = a_mail(D.SENDING, number=2, message_id=f"<{'cd' * 20}@payflow.example>")
    book = await stored(a_receipt(state=S.SENDING), a_mail(D.SENT), other)

    after = await bounced.store_bounce(book.lane, Bounce(message_id=ID, status="5.1.1"), NOW)

    assert after
    assert after.state is S.SENDING
    assert [one.state for one in await book.lane.deliveries(B1)] == [D.REFUSED, D.SENDING]


async def test_rows_of_payers_and_mailboxes_decide_who_gets_the_mail() -> None:
    """The map by id and by name, no mail, suppressed, confirmed; nothing of it can be read in the rows."""
    book = Book()
    rows, ana = LaneRecipients(book.lane), CustomerId("c1")
    person = Payer(id=ana, name="Ana Lima", document="", emails=("ana@example.org",), billing_emails=())
    assert (await rows.known(a_company(), CustomerId(""), None)).by_customer == {}

    mapped = read_map("id;nome;email\nc1;;mapa@example.org\n;Ana Lima;nome@example.org\n;x;nada")
    assert await rows.store_map(mapped, "office") == 2
    await rows.suppress(book.lane.index.address("ana@example.org"), "", NOW)
    known = await rows.known(a_company(), ana, person)
    assert known.by_customer == {ana: ("mapa@example.org",)}
    assert known.by_name == {"ana lima": ("nome@example.org",)}
    assert (known.suppressed("ana@example.org"), known.suppressed("mapa@example.org")) == (True, False)
    assert "example.org" not in str(book.company_rows.dump())

    await rows.confirm("ana@example.org", "office", NOW)
    await rows.set_no_mail(ana, "office", NOW, no_mail=True)
    known = await rows.known(a_company(), ana, person)
    assert (known.suppressed("ana@example.org"), known.confirmed("ana@example.org")) == (False, True)
    assert known.no_mail == {ana}
    assert known.language == "pt"
    for language in ("en", "pt"):
        await rows.set_language(ana, "office", language)
        assert (await rows.known(a_company(), ana, person)).language == language
    assert known.no_mail_ms == NOW


async def test_an_address_of_five_customers_is_held_until_a_person_confirms_it() -> None:
    """A placeholder of the office: four customers get their mail, the fifth waits, and goes on by the confirmation."""
    book, address = Book(), "x@example.org"
    payer = Payer(id=CustomerId("c5"), name="E", document="", emails=(address,), billing_emails=())
    rows = LaneRecipients(book.lane)
    for number in range(1, 5):
        for key in await rows.not_noted(CustomerId(f"c{number}"), [address, address]):
            book.company_rows.put(key, {})
        assert await rows.not_noted(CustomerId(f"c{number}"), [address.upper()]) == []
    fourth = await rows.known(a_company(), CustomerId("c4"), payer)
    fifth = await rows.known(a_company(), CustomerId("c5"), payer)
    assert (fourth.customers_of(address), fifth.customers_of(address)) == (4, 5)
    assert choose_recipients(CustomerId("c4"), payer, fourth, namesakes=0).addresses == (address,)
    assert choose_recipients(CustomerId("c5"), payer, fifth, namesakes=0).reason is Reason.SHARED_ADDRESS

    waits = [
        a_receipt(state=S.HELD, reason=Reason.SHARED_ADDRESS),
        a_receipt("b2", state=S.HELD, reason=Reason.INTERNAL),
    ]
    await book.lane.add(None, an_instalment(), waits, [])
    await rows.confirm(address, "office", NOW)
    assert await choices.decide_anew(book.lane, Reason.SHARED_ADDRESS, NOW) == 1

    assert (await rows.known(a_company(), CustomerId("c5"), payer)).confirmed(address)
    (due,) = await book.lane.due(NOW, limit=9)
    assert (due.baixa, due.state, due.decided_by) == (B1, S.FOUND, "")


async def test_a_mail_of_an_undone_payment_is_not_sent_again() -> None:
    """Its unknown mail arrived, or did not: that is all a person can say. Said, it waits for nobody."""
    gone = a_receipt(state=S.UNKNOWN, gone=True, document_sha256="d")
    book = await stored(gone, a_mail(D.UNKNOWN))
    with pytest.raises(Rejected, match="was undone"):
        await decide(book, "again")

    after = await choices.skip(book.lane, B1, BY)

    (mail,) = await book.lane.deliveries(B1)
    assert (after.state, mail.state, mail.decided_by) == (S.SKIPPED, D.UNKNOWN, "office")
    assert (await decide(await stored(gone, a_mail(D.UNKNOWN)), "arrived")).state is S.SENT
