"""When an office is told that something waits: once a day, in its hours, and never for nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from foundation.clock import UnixMs
from payflow.conta_azul.values import SAO_PAULO
from payflow.delivery import choices
from payflow.delivery.choices import Decider
from payflow.model import BaixaId, Centavos, CompanyId, CustomerId, PaymentTerms
from payflow.office.digest import RETRY_MS, Digests
from payflow.office.letters import Letters
from payflow.state import After, Company, CompanyStatus, Reason, ReceiptState
from tests.fakes.office import OfficeWorld
from tests.fakes.payflow import COMPANY, NOW, a_company
from tests.unit.payflow.test_office_site import add

LETTERS = Letters(sender="noreply@payflow.example", origin="https://payflow.example")
CHANGED: dict[str, Any] = {
    "state": ReceiptState.SENT,
    "after": After.CHANGED,
    "flagged_ms": NOW,
    "now_is": PaymentTerms(amount=Centavos(160_000), paid_on="2026-01-02", customer=CustomerId("c1")),
}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def at(text: str) -> UnixMs:
    """Return a moment of São Paulo."""
    return UnixMs(int(datetime.fromisoformat(text).replace(tzinfo=SAO_PAULO).timestamp() * 1000))


@dataclass
class Told:
    """What was mailed, while the mail server takes it."""

    mails: list[Mapping[str, int]] = field(default_factory=list)
    takes: bool = True

    changes: list[Sequence[str]] = field(default_factory=list)

    async def __call__(self, company: Company, waiting: Mapping[str, int], changes: Sequence[str]) -> bool:
        assert company.id == COMPANY
        self.mails.append(waiting)
        self.changes.append(changes)
        return self.takes


@pytest.fixture
async def world() -> OfficeWorld:
    """A company at which something waits, on a Thursday at ten."""
    world = await OfficeWorld(now=at("2026-01-08 10:00")).founded()
    await add(world, "b1", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT)
    await add(world, "b2", state=ReceiptState.READY, reason=Reason.NO_RECIPIENT)
    await add(world, "b3", state=ReceiptState.WAITING_DOCUMENT)
    return world


def digests(world: OfficeWorld) -> Digests:
    """Return the use case."""
    return Digests(door=world.door, clock=lambda: world.now)


async def test_what_waits_is_told_once_a_day(world: OfficeWorld) -> None:
    """By reason; what goes on by itself is left out. The next working day once more."""
    told = Told()
    assert await digests(world).due() == [COMPANY]
    assert await digests(world).mail(COMPANY, told)
    assert told.mails == [{"Sem endereço de e-mail": 1, "Sem recibo no Conta Azul há três dias": 1}]

    world.now = UnixMs(world.now + 2 * HOUR_MS)
    assert await digests(world).due() == []
    assert not await digests(world).mail(COMPANY, told)
    world.now = at("2026-01-09 08:00")
    assert await digests(world).due() == [COMPANY]


async def test_what_changed_after_its_mail_is_told_with_both_amounts() -> None:
    """And what was undone; no payer is named. Answered, it is told no more."""
    world = await OfficeWorld(now=at("2026-01-08 10:00")).founded()
    await add(world, "b1", **CHANGED)
    other = replace(CHANGED["now_is"], customer=CustomerId("c2"))
    await add(world, "b2", **{**CHANGED, "now_is": other})
    await add(world, "b3", state=ReceiptState.SENT, after=After.UNDONE, gone=True, flagged_ms=NOW)
    told = Told()

    assert await digests(world).mail(COMPANY, told)

    assert told.mails == [
        {"Alterado depois do envio do recibo": 2, "Desfeito depois do envio do recibo": 1},
    ]
    was = "era R$\N{NO-BREAK SPACE}1.500,00 em 01/01/2026"
    is_now = f"{was}; agora é R$\N{NO-BREAK SPACE}1.600,00 em 02/01/2026"
    assert sorted(told.changes[0]) == [f"{is_now}", f"{is_now}, de outro cliente", f"{was}; foi desfeito"]
    letter = LETTERS.digest(a_company(), told.mails[0], told.changes[0], NOW)
    assert "foi desfeito" in message_from_bytes(letter, policy=default).get_content()
    for baixa in ("b1", "b2", "b3"):
        await choices.decline_correction(world.book.lane, BaixaId(baixa), Decider(name="office", now=NOW))
    world.now = at("2026-01-09 10:00")
    assert not await digests(world).mail(COMPANY, told)


async def test_a_company_whose_row_cannot_be_read_is_passed_over(
    world: OfficeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """The timer asks for every company in one go, and what it raises leaves every lane asleep."""
    rows = world.book.company_rows
    key = next(key for key in rows.dump() if key.startswith("receipt:"))
    whole = rows.dump()[key]
    rows.put(key, {**whole, "state": 7})

    assert await digests(world).due() == []
    (line,) = map(json.loads, caplog.messages)
    assert (line["event"], line["company"]) == ("row_unreadable", COMPANY)
    rows.put(key, whole)
    assert await digests(world).due() == [COMPANY]


@pytest.mark.parametrize("moment", ["2026-01-08 07:50", "2026-01-08 20:00", "2026-01-10 10:00", "2026-01-11 10:00"])
async def test_nobody_is_told_while_the_office_is_shut(world: OfficeWorld, moment: str) -> None:
    """At night, on Saturday, on Sunday; also a wake-up that comes late."""
    told = Told()
    world.now = at(moment)

    assert await digests(world).due() == []
    assert not await digests(world).mail(COMPANY, told)
    assert told.mails == []


async def test_the_timer_asks_each_ten_minutes(world: OfficeWorld) -> None:
    """A company costs few reads."""
    world.now = at("2026-01-08 10:01")

    assert await digests(world).due() == []


async def test_a_mail_that_was_not_taken_is_tried_again(world: OfficeWorld) -> None:
    """After half an hour, and not at each wake-up."""
    told = Told(takes=False)
    assert not await digests(world).mail(COMPANY, told)
    assert not await digests(world).mail(COMPANY, told)
    assert len(told.mails) == 1
    assert await digests(world).due() == []

    told.takes = True
    world.now = UnixMs(world.now + RETRY_MS)
    assert await digests(world).due() == [COMPANY]
    assert await digests(world).mail(COMPANY, told)


async def test_of_two_workers_one_mails(world: OfficeWorld) -> None:
    """The try is stored before the mail, on the row's version: the other one finds it there."""
    told = Told()

    async def post(company: Company, waiting: Mapping[str, int], changes: Sequence[str]) -> bool:
        assert not await digests(world).mail(COMPANY, told)
        return await told(company, waiting, changes)

    assert await digests(world).mail(COMPANY, post)
    assert len(told.mails) == 1


@pytest.mark.parametrize(
    "changes", [{"contact": ""}, {"status": CompanyStatus.CONFIRM}, {"status": CompanyStatus.DISCONNECTED}]
)
async def test_without_somebody_to_tell_nothing_is_mailed(changes: dict[str, object]) -> None:
    """No contact, not confirmed, not served any more."""
    world = await OfficeWorld(now=at("2026-01-08 10:00")).founded(**changes)
    await add(world, "b1", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT)

    assert await digests(world).due() == []


async def test_nothing_is_told_when_nothing_waits() -> None:
    """What is on its way, or waits for Conta Azul alone."""
    world = await OfficeWorld(now=at("2026-01-08 10:00")).founded()
    await add(world, "b1", state=ReceiptState.WAITING_DOCUMENT)
    told = Told()

    assert await digests(world).due() == []
    assert not await digests(world).mail(COMPANY, told)
    assert not await digests(world).mail(CompanyId("nobody"), told)
    assert told.mails == []
