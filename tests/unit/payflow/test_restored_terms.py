"""A payment that was edited between a backup and its mail: after a restore the receipt is what was mailed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstack.conta_azul.books import Payment
from foundation.tablestore.ports import UNSTORED, Row
from payflow import corrections
from payflow.delivery import choices
from payflow.model import NO_TERMS, BaixaId, Centavos, CustomerId, PaymentTerms
from payflow.progress import LookKind
from payflow.state import After, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.payflow import NOW, Book, a_delivery, a_receipt
from tests.properties.payflow.receipt_world import ReceiptHistory

SAID = PaymentTerms(amount=Centavos(200_00), paid_on="2026-01-02", customer=CustomerId("c1"))
SENT = a_receipt(state=ReceiptState.SENT)
MAIL = a_delivery(state=DeliveryState.SENT, said=SAID)


class Story(ReceiptHistory):
    """One payment of 100 reais, step by step."""

    async def begin(self, *, backup_first: bool = False) -> None:
        """Book the payment and take the backup: after a look has found it, or before."""
        await self.look(LookKind.BASELINE)
        if backup_first:
            await self.back_up()
        self._book(100_00)
        await self.look()
        if not backup_first:
            await self.back_up()

    async def edited(self, amount: int) -> None:
        """Edit the payment in Conta Azul."""
        self.time.now_s += 5
        self.books.edit(self.payment, gross=amount)

    async def goes_on(self) -> Receipt:
        """Look, and let what is due go out; return the receipt."""
        for _ in range(4):
            await self.look()
            await self.advance()
        return await self.receipt()

    async def is_corrected(self) -> Receipt:
        """Order a correction and let it go out."""
        await choices.order_correction(self.lane, BaixaId(self.payment.id), self._person())
        return await self.goes_on()

    async def has_begun(self) -> Receipt:
        """Look until the payment is found; return the receipt."""
        await self.look()
        return await self.receipt()

    async def receipt(self) -> Receipt:
        (found,) = await self.receipts()
        return found

    @property
    def payment(self) -> Payment:
        (found,) = self.parcela.payments
        return found

    @property
    def said(self) -> list[list[int]]:
        """The amounts in each mail, in their order."""
        return [list(amounts) for _, _, amounts in self.accepted]


@pytest.mark.parametrize("backup_first", [False, True])
async def test_a_payment_that_was_edited_back_after_its_mail_is_asked_about(backup_first: bool) -> None:
    """The backup says 100, the mail 200, Conta Azul 100: the payer holds another amount than the books."""
    story = Story(0)
    await story.begin(backup_first=backup_first)
    await story.edited(200_00)
    assert (await story.goes_on()).state is ReceiptState.SENT
    await story.edited(100_00)
    await story.restore()

    asked = await story.goes_on()

    assert (asked.state, asked.amount) == (ReceiptState.SENT, 200_00)
    assert (asked.after, asked.now_is.amount, asked.flagged_ms > 0) == (After.CHANGED, 100_00, True)
    assert (await story.is_corrected()).amount == 100_00
    assert story.said == [[200_00], [100_00, 200_00]]


@pytest.mark.parametrize("backup_first", [False, True])
async def test_a_payment_that_is_what_was_mailed_is_not_asked_about(backup_first: bool) -> None:
    """The payer has the mail of the change already; a later change is asked about with the amount that was mailed."""
    story = Story(0)
    await story.begin(backup_first=backup_first)
    await story.edited(200_00)
    await story.goes_on()
    await story.restore()

    known = await story.goes_on()

    assert (known.state, known.amount, known.after, known.flagged_ms) == (ReceiptState.SENT, 200_00, None, 0)
    await story.edited(300_00)
    assert (await story.goes_on()).now_is.amount == 300_00
    await story.is_corrected()
    assert story.said == [[200_00], [300_00, 200_00]]


async def test_a_correction_after_the_backup_is_what_was_mailed() -> None:
    """The backup knows the first mail alone; the payment is edited back to what that one said."""
    story = Story(0)
    await story.begin()
    await story.goes_on()
    await story.back_up()
    await story.edited(200_00)
    await story.goes_on()
    await story.is_corrected()
    await story.edited(100_00)
    await story.restore()

    asked = await story.goes_on()

    assert (asked.amount, asked.now_is.amount, asked.flagged_ms > 0) == (200_00, 100_00, True)
    await story.is_corrected()
    assert story.said == [[100_00], [200_00, 100_00], [100_00, 200_00]]


async def test_a_lost_answer_that_arrived_is_what_its_mail_said() -> None:
    """The log knows that it was begun, and with which amount; a person says that it arrived."""
    story = Story(0)
    await story.begin()
    await story.edited(200_00)
    story.fates = ["arrives"]
    assert (await story.goes_on()).state is ReceiptState.UNKNOWN
    await story.edited(100_00)
    await story.restore()
    await story.goes_on()
    await story._say(await story.receipt())

    asked = await story.receipt()

    assert (asked.state, asked.amount) == (ReceiptState.SENT, 200_00)
    assert (asked.now_is.amount, asked.flagged_ms > 0) == (100_00, True)


async def test_one_address_that_has_its_mail_is_not_forgotten() -> None:
    """Only the log knows it. The payment is edited before the other one has its mail: what is replaced was mailed."""
    story = Story(0, addresses=2)
    await story.begin(backup_first=True)
    await story.edited(200_00)
    while not story.accepted:
        await story.look()
        await story.advance()
    await story.edited(100_00)
    await story.restore()
    while (await story.has_begun()).state is not ReceiptState.SENDING:
        await story.advance()
    await story.edited(300_00)
    await story.advance()

    held = await story.receipt()

    assert (held.state, held.reason, held.amount) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED, 200_00)
    await choices.release(story.lane, held.baixa, story._person())
    await story.goes_on()
    assert story.said == [[200_00], [300_00, 200_00], [300_00, 200_00]]


# The rule --------------------------------------------------------------------------------------------


def test_a_receipt_is_flagged_with_what_its_row_said() -> None:
    """The next look says what the payment is; where it is what was mailed, that look ends the flag."""
    after = corrections.as_mailed(SENT, [MAIL], NOW)

    assert after.terms == replace(SAID, customer_name=SENT.customer_name)
    assert (after.after, after.flagged_ms, after.now_is) == (After.CHANGED, NOW, SENT.terms)
    assert corrections.as_mailed(after, [MAIL], NOW) == after
    assert corrections.flagged(after, after.terms, NOW).after is None


def test_what_changes_nothing() -> None:
    """No word of the log, the same terms, a receipt that waits, a mail that did not arrive, one that was corrected."""
    same = replace(MAIL, said=SENT.terms.without_names())
    waits = replace(SENT, state=ReceiptState.UNKNOWN)
    held = replace(SENT, state=ReceiptState.HELD, reason=Reason.UNDELIVERABLE)
    corrected = replace(SENT, correction=1)

    assert corrections.as_mailed(SENT, [a_delivery(state=DeliveryState.SENT)], NOW) == SENT
    assert corrections.as_mailed(SENT, [same], NOW) == SENT
    assert corrections.as_mailed(waits, [MAIL], NOW) == waits
    assert corrections.as_mailed(held, [MAIL], NOW) == held
    assert corrections.as_mailed(SENT, [replace(MAIL, state=DeliveryState.UNKNOWN)], NOW) == SENT
    assert corrections.as_mailed(corrected, [MAIL], NOW) == corrected


def test_the_last_correction_is_what_was_mailed() -> None:
    """Whatever order the mails are read in."""
    last = replace(MAIL, kind="correction-2", said=replace(SAID, amount=Centavos(300_00)))

    for mails in ([MAIL, last], [last, MAIL]):
        assert corrections.as_mailed(SENT, mails, NOW).amount == 300_00


def test_another_customers_name_is_not_known() -> None:
    """The log has no names: the receipt says none rather than a wrong one. One that is gone keeps that flag."""
    anothers = replace(MAIL, said=replace(SAID, customer=CustomerId("c2")))
    gone = replace(SENT, gone=True, after=After.UNDONE, flagged_ms=NOW)

    after, still = (corrections.as_mailed(one, [anothers], NOW) for one in (SENT, gone))

    assert (after.customer, after.customer_name, after.now_is.customer) == ("c2", "", "c1")
    assert (still.customer, still.after, still.now_is) == ("c2", After.UNDONE, NO_TERMS)


def test_a_mails_row_keeps_what_the_mail_said() -> None:
    """And a row of a version before says nothing."""
    codec = Book().lane.codec
    stored = codec.encode(MAIL)
    before = {name: value for name, value in stored.items() if name != "said"}

    assert codec.decode(type(MAIL), Row(key="delivery:x", values=stored, version=UNSTORED)).said == SAID
    assert codec.decode(type(MAIL), Row(key="delivery:x", values=before, version=UNSTORED)).said == NO_TERMS
