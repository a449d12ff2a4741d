"""What people do is done first and recorded then, in both accounts, for every person and every entrance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from foundation.clock import UnixMs
from foundation.errors import Rejected, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.delivery import since
from payflow.delivery.manual_actions import ManualActions, SenderAddresses
from payflow.delivery.payers import LaneRecipients
from payflow.ledger import keys
from payflow.model import BaixaId, CustomerId
from payflow.state import Company, CompanyStatus, Delivery, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_company, a_delivery, a_receipt, an_instalment
from tests.fakes.rows import ListAudit

B1, C1 = BaixaId("b1"), CustomerId("c1")


class Mute(ListAudit):
    """A second account that takes nothing, or does not answer."""

    def __init__(self, trouble: Exception | None = None) -> None:
        super().__init__()
        self._trouble = trouble

    async def record(self, key: str, values: Any) -> None:
        """Lose it."""

    async def recorded(self, prefix: str) -> Sequence[Any]:
        if self._trouble:
            raise self._trouble
        return await super().recorded(prefix)


@dataclass
class World:
    """A company, both audits, and who acts."""

    book: Book = field(default_factory=Book)
    first: ListAudit = field(default_factory=ListAudit)
    second: ListAudit = field(default_factory=ListAudit)
    sender: SenderAddresses = field(default_factory=lambda: SenderAddresses(domain="payflow.example"))
    unrecorded: int = 0
    now: UnixMs = NOW

    @property
    def actions(self) -> ManualActions:
        return ManualActions(
            lane=self.book.lane,
            audits=(self.first, self.second),
            sender=self._sender,
            clock=lambda: self.now,
            by="office",
            unrecorded=self._unrecorded,
        )

    async def _sender(self) -> SenderAddresses:
        return self.sender

    def _unrecorded(self) -> None:
        self.unrecorded += 1

    async def add(self, receipt: Receipt, *mails: Delivery) -> None:
        await self.book.lane.add(None, an_instalment(f"p-{receipt.baixa}"), [receipt], [])
        for mail in mails:
            write = AtomicWrite()
            self.book.lane.insert_mail(write, mail)
            await commit(self.book.lane.rows, write, marker_row=write.writes[0].key)

    async def company(self, **changes: Any) -> Company:
        return await self.book.lane.write_company(a_company(**changes))

    async def receipt(self, baixa: BaixaId = B1) -> Receipt:
        found = await self.book.lane.receipt(baixa)
        assert found
        return found

    def said(self) -> list[tuple[str, str, str]]:
        """Return what both accounts have: what, about what, by which person; the ledger's has it by its subject too."""
        every = self.second.entries.values()
        by_subject = {
            f"{keys.audit_prefix(COMPANY, str(one['subject']))}{int(one['at_ms']):015d}": one for one in every
        }
        assert self.first.entries == {**self.second.entries, **by_subject}
        return [(str(one["what"]), str(one["subject"]), str(one["by"])) for one in self.second.entries.values()]


@pytest.fixture
def world() -> World:
    """Nothing yet."""
    return World()


def unknown(**changes: Any) -> Delivery:
    """Return a mail whose answer was lost an hour ago."""
    mail = a_delivery(state=DeliveryState.UNKNOWN, message_id="<1@x>", attempt_deadline_ms=UnixMs(NOW - 3_600_000))
    return mail if not changes else a_delivery(**changes)


async def test_each_decision_is_recorded_with_its_instalment(world: World) -> None:
    """A restore asks the second account for it."""
    await world.add(a_receipt(state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))

    assert (await world.actions.release(B1)).state is ReceiptState.FOUND
    world.now = UnixMs(NOW + 1)
    assert (await world.actions.skip(B1)).state is ReceiptState.SKIPPED

    assert world.said() == [("release", "b1", "office"), ("skip", "b1", "office")]
    assert [one["instalment"] for one in world.second.entries.values()] == ["p1", "p1"]


async def test_an_unknown_mail_arrived(world: World) -> None:
    """By a person's word."""
    await world.add(a_receipt(state=ReceiptState.UNKNOWN), unknown())

    assert (await world.actions.arrived(B1, "receipt", 1)).state is ReceiptState.SENT
    assert world.said() == [("arrived", "b1", "office")]


async def test_an_unknown_mail_goes_again(world: World) -> None:
    """From the sender's domain, under another kind."""
    await world.add(a_receipt(state=ReceiptState.UNKNOWN), unknown())

    assert (await world.actions.again(B1, "receipt", 1)).state is ReceiptState.SENDING
    mails = {mail.kind: mail for mail in await world.book.lane.deliveries(B1)}
    assert mails["receipt-again-1"].message_id.endswith("@payflow.example>")
    assert world.said() == [("again", "b1", "office")]


async def test_a_receipt_is_mailed_once_more(world: World) -> None:
    """To the address that is given; outside production to the override, under a kind of its own."""
    sent = a_receipt(state=ReceiptState.SENT, document_sha256="d" * 64)
    await world.add(sent, a_delivery(state=DeliveryState.SENT, message_id="<1@x>"))

    await world.actions.resend(B1, "nova@example.org")

    mails = {mail.kind: mail.address for mail in await world.book.lane.deliveries(B1)}
    assert mails["resend-1"] == "nova@example.org"

    beside = World(sender=SenderAddresses(domain="payflow.example", override="teste@payflow.example"))
    await beside.add(sent, a_delivery(state=DeliveryState.SENT, message_id="<1@x>"))
    await beside.actions.resend(B1, "nova@example.org")
    mails = {mail.kind: mail.address for mail in await beside.book.lane.deliveries(B1)}
    assert mails["test-resend-1"] == "teste@payflow.example"


async def test_an_address_lets_what_waits_for_it_go_on(world: World) -> None:
    """Held, or asked for each hour; of that customer alone, and nothing that waits for something else."""
    await world.add(a_receipt("b1", state=ReceiptState.HELD, reason=Reason.SHARED_ADDRESS))
    later = UnixMs(NOW + 3_600_000)
    await world.add(a_receipt("b2", state=ReceiptState.READY, reason=Reason.NO_RECIPIENT, due_ms=later))
    await world.add(a_receipt("b3", state=ReceiptState.HELD, reason=Reason.SHARED_ADDRESS, customer=CustomerId("c2")))
    await world.add(a_receipt("b4", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))
    await world.add(a_receipt("b5", state=ReceiptState.SENDING, due_ms=later))

    assert await world.actions.give_address(C1, "ana@example.org") == 2

    states = [(await world.receipt(BaixaId(f"b{number}"))).state for number in range(1, 6)]
    found, held, sending = ReceiptState.FOUND, ReceiptState.HELD, ReceiptState.SENDING
    assert states == [found, found, held, held, sending]
    assert (await world.receipt(BaixaId("b2"))).due_ms == NOW
    assert (await LaneRecipients(world.book.lane).payer(C1)).addresses == ("ana@example.org",)
    assert world.said() == [("address-of", "c1", "office")]
    assert "ana@example.org" not in str(world.second.entries)


async def test_a_customer_gets_no_receipts_and_gets_them_again(world: World) -> None:
    """The words are those that a restore puts back; what waits for an address is decided anew, and ends."""
    await world.add(a_receipt(state=ReceiptState.HELD, reason=Reason.SHARED_ADDRESS))
    await world.actions.set_no_mail(C1, no_mail=True)
    assert (await world.receipt()).state is ReceiptState.FOUND
    assert (await LaneRecipients(world.book.lane).payer(C1)).no_mail
    world.now = UnixMs(NOW + 1)
    await world.actions.set_no_mail(C1, no_mail=False)

    assert [what for what, _, _ in world.said()] == list(since.NO_MAIL)


async def test_payments_without_a_customer_have_nothing_in_common(world: World) -> None:
    """An address for one would be an address for all of them."""
    with pytest.raises(Rejected, match="no customer"):
        await world.actions.give_address(CustomerId(""), "ana@example.org")
    with pytest.raises(Rejected, match="no customer"):
        await world.actions.set_no_mail(CustomerId(""), no_mail=True)
    assert world.said() == []


async def test_whose_documents_is_the_companys(world: World) -> None:
    """A person gets no document from us."""
    after = await world.actions.set_policy(await world.company(), DocumentPolicy.ERP_THEN_OWN)
    assert after.policy is DocumentPolicy.ERP_THEN_OWN
    assert world.said() == [("policy erp_then_own", COMPANY, "office")]

    person = World()
    company = await person.company(document="12345678909")
    with pytest.raises(Rejected):
        await person.actions.set_policy(company, DocumentPolicy.OWN)
    assert (await person.actions.set_policy(company, DocumentPolicy.ERP)).policy is DocumentPolicy.ERP


async def test_a_pause_is_recorded_and_is_nothing_to_repeat_after_a_restore(world: World) -> None:
    """A restore leaves the company paused, whatever was said."""
    after = await world.actions.set_status(await world.company(), CompanyStatus.PAUSED)

    entry = await world.book.entries.get(COMPANY)
    assert entry
    assert (after.status, after.status_ms, entry.status) == (CompanyStatus.PAUSED, NOW, CompanyStatus.PAUSED)
    assert world.said() == [("status paused", COMPANY, "office")]
    assert since.read_since(list(world.second.entries.values()), NOW).others == []


async def test_while_a_restore_is_under_way_nothing_is_decided(world: World) -> None:
    """It would be lost with the rows."""
    await world.add(a_receipt(state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))
    company = await world.company()
    world.book.company_rows.put(keys.RESTORING, {"number": 1})
    actions = world.actions

    for act in (
        actions.release(B1),
        actions.skip(B1),
        actions.arrived(B1, "receipt", 1),
        actions.again(B1, "receipt", 1),
        actions.resend(B1),
        actions.give_address(C1, "a@example.org"),
        actions.set_no_mail(C1, no_mail=True),
        actions.set_policy(company, DocumentPolicy.ERP),
    ):
        with pytest.raises(Rejected, match="restore"):
            await act
    assert world.said() == []


@pytest.mark.parametrize("second", [Mute(), Mute(StoreUnavailable("no answer"))])
async def test_a_record_that_the_second_account_did_not_take_is_told(second: ListAudit) -> None:
    """The action is done; a restore would not know of it."""
    world = World(second=second)
    await world.add(a_receipt(state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))

    assert (await world.actions.skip(B1)).state is ReceiptState.SKIPPED
    assert world.unrecorded == 1
