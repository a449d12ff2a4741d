"""Bounces that are posted: believed only when they are signed and name one of our mails."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import UnixMs
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.delivery.doors import BadBounceSignature, BounceDoor
from payflow.ledger.keys import RESTORING
from payflow.mail import signed
from payflow.model import BaixaId
from payflow.state import CompanyStatus, DeliveryState, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_delivery, a_receipt, an_instalment
from tests.fakes.rows import ListAudit
from tests.unit.payflow.test_bounces import ID, REPORT

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = REPORT.encode()


def headers(body: bytes = BODY, *, at_s: int = NOW // 1000, secret: str = SECRET, more: str = "") -> Mapping[str, str]:
    """Return the headers of a post."""
    signature = signed.sign_post(secret, "m1", at_s, body)
    return {"Webhook-Id": "m1", "webhook-timestamp": str(at_s), "webhook-signature": f"{more}{signature}"}


class World:
    """A company whose mail went out, and the door."""

    def __init__(self, secret: str = SECRET) -> None:
        self.book, self.audit = Book(), ListAudit()
        self.door = BounceDoor(
            entries=self.book.entries,
            lane=lambda _: self.book.lane,
            audits=[self.audit],
            secret=secret,
            clock=lambda: NOW,
        )

    async def mailed(self) -> World:
        write, lane = AtomicWrite(), self.book.lane
        await lane.add(None, an_instalment(), [a_receipt(state=ReceiptState.SENT)], [])
        lane.insert_mail(write, a_delivery(state=DeliveryState.SENT, message_id=ID))
        await commit(lane.rows, write, marker_row=write.writes[0].key)
        await self.book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
        return self

    async def state(self) -> ReceiptState:
        found = await self.book.lane.receipt(BaixaId("b1"))
        assert found
        return found.state


@pytest.fixture
async def world() -> World:
    """A mail that went out."""
    return await World().mailed()


async def test_a_signed_bounce_of_ours_is_taken_once(world: World) -> None:
    """The receipt waits for a person; the audit has it; the same post again is nothing, and so is another secret's."""
    rotated = headers(more="v1,AAAA v2,x ")
    for _ in range(2):
        await world.door.post(rotated, BODY)

    assert await world.state() is ReceiptState.REFUSED
    (entry,) = world.audit.entries.values()
    assert (entry["what"], entry["subject"]) == ("bounce 5.1.1", "b1")


@pytest.mark.parametrize(
    "body", [b"", b"no mail at all", REPORT.replace(ID, f"<{'00' * 20}@payflow.example>").encode()]
)
async def test_what_names_no_mail_of_ours_changes_nothing(world: World, body: bytes) -> None:
    """And is answered as any other."""
    before = world.book.company_rows.dump()
    await world.door.post(headers(body), body)
    assert world.book.company_rows.dump() == before
    assert not world.audit.entries


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, BODY),
        (headers(), BODY + b" "),
        (headers(at_s=NOW // 1000 - 301), BODY),
        (headers(at_s=NOW // 1000 + 301), BODY),
        (headers(secret="whsec_" + base64.b64encode(bytes(32)).decode()), BODY),
        ({**headers(), "webhook-timestamp": "٣"}, BODY),
        ({**headers(), "webhook-timestamp": "9" * 13}, BODY),
        ({**headers(), "Webhook-Id": ""}, BODY),
        ({**headers(), "webhook-signature": "v1," + "A" * 2000}, BODY),
        (headers(b"x" * 1_000_001), b"x" * 1_000_001),
    ],
)
async def test_what_is_not_signed_is_refused(world: World, given: Mapping[str, str], body: bytes) -> None:
    """Another body, time, secret or id; and a body that is too large is not even hashed."""
    with pytest.raises(BadBounceSignature):
        await world.door.post(given, body)
    assert await world.state() is ReceiptState.SENT


async def test_without_a_secret_the_door_is_shut() -> None:
    """Nothing can be signed with an empty one."""
    with pytest.raises(BadBounceSignature):
        await (await World(secret="").mailed()).door.post(headers(), BODY)


async def test_while_a_company_is_restored_its_bounces_come_again(world: World) -> None:
    """The post is answered with 503, and repeated by its sender."""
    world.book.company_rows.put(RESTORING, {"number": 2})
    with pytest.raises(Contention):
        await world.door.post(headers(), BODY)
    assert await world.state() is ReceiptState.SENT


@pytest.mark.parametrize("secret", ["whsec_x", "whsec_" + base64.b64encode(bytes(23)).decode()])
def test_what_is_no_secret_is_named(secret: str) -> None:
    """Too short, or no base64."""
    with pytest.raises(ValueError, match="whsec_ and base64"):
        signed.webhook_key(secret)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_any_headers_are_judged(given_headers: Mapping[str, str], body: bytes) -> None:
    """Total."""
    assert not signed.verify_post(given_headers, body, SECRET, UnixMs(NOW))
