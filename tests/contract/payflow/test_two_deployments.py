"""Two deployments on one clinic: one of them mails, the other stands aside, and a change of places loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow.delivery import choices
from payflow.delivery.choices import Decider
from payflow.delivery.ports import SendLog
from payflow.delivery.restoring import Restoring
from payflow.errors import SendLogUnavailable, ServedElsewhere
from payflow.ledger.send_log import TableSendLog
from payflow.model import BaixaId, CompanyId
from payflow.state import CompanyStatus, DeliveryState, DocumentPolicy, ReceiptState
from tests.clinic import Clinic
from tests.fakes.mail_server import FaultyServer, mail_server
from tests.fakes.payflow import COMPANY, a_company
from tests.fakes.rows import ListAudit

OLD, NEW = "https://old.example/oauth/callback", "https://new.example/oauth/callback"


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module."""
    with mail_server() as server:
        yield server


@dataclass
class Deployment(Clinic):
    """A ledger of its own; the clinic's books and the second account are those of the other one too."""

    where: str = ""

    def log(self, company: CompanyId, epoch: int) -> SendLog:
        assert company == COMPANY
        return self.own_log(epoch)

    def own_log(self, epoch: int = 1) -> TableSendLog:
        return TableSendLog(self.log_rows, lambda: self.now, COMPANY, epoch, f"ledger of {self.where}", self.where)

    async def adopt(self) -> None:
        """Take the clinic over, as `resume` does."""
        audit = ListAudit()
        restoring = Restoring(ledger=self.lane, log=self.own_log(), audit=audit, clock=lambda: self.now)
        await restoring.adopt(UnixMs(self.now - 1000))


@pytest.fixture
async def both(shared: FaultyServer) -> tuple[Deployment, Deployment]:
    """The old deployment and a new one, connected to one clinic."""
    shared.accepted.clear()
    company = a_company(policy=DocumentPolicy.OWN)
    old = Deployment(shared, company=company, where=OLD)
    new = Deployment(shared, company=company, where=NEW, time=old.time, log_rows=old.log_rows)
    new.books, new.api, new.ana = old.books, old.api, old.ana
    for one in (old, new):
        await one.lane.write_company(company)
        await one.lane.entries.lower(COMPANY, UnixMs(0), CompanyStatus.ACTIVE)
    await old.own_log().claim()
    return old, new


async def test_the_second_deployment_mails_nothing(both: tuple[Deployment, Deployment]) -> None:
    """Both found the payment; the one that the log belongs to mails it, the other says who that is."""
    old, new = both
    payment = old.paid(None)
    for one in both:
        await one.found(payment)
    await new.advance(payment)

    with pytest.raises(ServedElsewhere, match="https://old"):
        await new.advance(payment)
    with pytest.raises(ServedElsewhere):
        await new.own_log().claim()
    with pytest.raises(ServedElsewhere):
        await new.own_log().give_up()
    with pytest.raises(ServedElsewhere):
        await new.own_log().raise_epoch()

    assert (await old.advance(payment, 2)).state is ReceiptState.SENT
    assert len(old.server.accepted) == 1
    (waits,) = await new.deliveries(payment)
    assert (waits.state, waits.faults) == (DeliveryState.READY, 0)


async def test_a_clinic_is_taken_over_without_a_second_mail(both: tuple[Deployment, Deployment]) -> None:
    """What the old one mailed is sent here too, also what only the log names; what it did not mail goes out here."""
    old, new = both
    mailed, unseen, open_ = old.paid(None), old.paid(None), old.paid(None)
    for payment in (mailed, unseen):
        await old.found(payment)
        assert (await old.advance(payment, 2)).state is ReceiptState.SENT
    for payment in (mailed, open_):
        await new.found(payment)
    with pytest.raises(ServedElsewhere):
        await new.adopt()
    await old.own_log().give_up()

    await new.adopt()

    assert len(old.server.accepted) == 2
    found = await new.lane.receipt(BaixaId(mailed.id))
    assert found
    assert found.state is ReceiptState.SENT
    await new.found(unseen)
    assert (await new.advance(unseen, 2)).state is ReceiptState.SENT
    after = await new.advance(open_, 4)
    assert after.state is ReceiptState.SENT, await new.deliveries(open_)
    assert len(old.server.accepted) == 3
    with pytest.raises(ServedElsewhere, match="https://new"):
        await old.own_log().begin(next(iter(await old.own_log().records("2000-01-01"))), "late")


async def test_a_clinic_that_is_taken_over_is_what_the_other_one_mailed(both: tuple[Deployment, Deployment]) -> None:
    """The payment was edited before its mail there; here it is still what it was, and a person is asked."""
    old, new = both
    payment = old.paid(None)
    for one in both:
        await one.found(payment)
    old.books.edit(payment, gross=200_00)
    assert (await old.advance(payment, 3)).state is ReceiptState.SENT
    await old.own_log().give_up()

    await new.adopt()

    found = await new.lane.receipt(BaixaId(payment.id))
    assert found
    assert (found.state, found.amount, found.now_is.amount) == (ReceiptState.SENT, 200_00, 100_00)
    assert found.flagged_ms


@pytest.mark.parametrize("lost", [False, True])
async def test_a_clinic_whose_correction_was_mailed_is_taken_over(
    both: tuple[Deployment, Deployment], lost: bool
) -> None:
    """The log alone knows the correction; of a lost answer a person is asked, and nothing is mailed."""
    old, new = both
    payment = old.paid(None)
    for one in both:
        await one.found(payment)
    assert (await old.advance(payment, 2)).state is ReceiptState.SENT
    office = Decider(name="office", now=old.now)
    await choices.order_correction(old.lane, BaixaId(payment.id), office)
    await old.advance(payment)
    old.server.faults.cut_at = "after_dot" if lost else ""
    await old.advance(payment)
    old.server.faults.cut_at = ""
    await old.own_log().give_up()
    accepted = len(old.server.accepted)

    await new.adopt()
    taken = await new.advance(payment, 2) if lost else await new.lane.receipt(BaixaId(payment.id))

    assert taken
    assert taken.state is (ReceiptState.UNKNOWN if lost else ReceiptState.SENT)
    assert {one.kind for one in await new.deliveries(payment)} == {"receipt", "correction-1"}
    if lost:
        assert (await choices.skip(new.lane, BaixaId(payment.id), office)).state is ReceiptState.SENT
    assert (await choices.order_correction(new.lane, BaixaId(payment.id), office)).correction == 2
    assert len(old.server.accepted) == accepted


async def test_a_log_of_a_version_before_belongs_to_the_first_that_begins() -> None:
    """Its row has the number alone; what was written without a ledger is read, and claimed."""
    rows = MemoryRows()
    rows.put("epoch", {"number": 1, "owner": "x"})
    await TableSendLog(rows, lambda: UnixMs(0), COMPANY, 1, "one", OLD).claim()

    with pytest.raises(ServedElsewhere):
        await TableSendLog(rows, lambda: UnixMs(0), COMPANY, 1, "two", NEW).claim()


@pytest.mark.parametrize("act", ["claim", "give_up"])
async def test_a_claim_that_loses_every_race_gives_up(act: str) -> None:
    """Others write the row each time: nothing is claimed, and that is said."""
    rows = MemoryRows()
    log = TableSendLog(rows, lambda: UnixMs(0), COMPANY, 1, "one", OLD)
    await log.claim()
    for _ in range(20):
        rows.after_next_read(lambda: rows.put("epoch", dict(rows.dump()["epoch"])))

    with pytest.raises(SendLogUnavailable, match="without a pause"):
        await getattr(log, act)()
