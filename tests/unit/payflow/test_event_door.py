"""Reports of a mail service: believed only with the secret, and if they name one of our mails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import Contention, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from payflow.delivery.doors import BadBounceSignature
from payflow.delivery.event_door import EventDoor, UnknownFormat
from payflow.delivery.ports import delivery_key
from payflow.delivery.restore import KnownSend, fold
from payflow.errors import SendLogUnavailable
from payflow.ledger.deliveries import mail_of_operation
from payflow.ledger.keys import RESTORING
from payflow.ledger.send_log import TableSendLog
from payflow.mail import acs_events
from payflow.mail.acs import operation_of
from payflow.model import BaixaId, CompanyId
from payflow.state import CompanyStatus, Delivery, DeliveryState, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_delivery, a_receipt, an_instalment
from tests.fakes.rows import ListAudit
from tests.unit.payflow.test_bounces import ID

SECRET = "a-secret-of-32-plain-signs-at-least"  # pragma: allowlist secret
HEADERS = {"X-Mail-Events-Secret": SECRET}
OPERATION = operation_of(ID)


def event(status: str, words: str = "", *, operation: str = OPERATION, internet: str = "") -> dict[str, Any]:
    """Return a report as the service's documentation shows one."""
    return {
        "id": "0e0df3cb",
        "topic": "/subscriptions/x/providers/microsoft.communication/communicationservices/clinic",
        "subject": f"sender/r@payflow.example/message/{operation}",
        "data": {
            "sender": "r@payflow.example",
            "recipient": "ana@medica.com.br",
            "messageId": operation,
            "internetMessageId": internet,
            "status": status,
            "deliveryStatusDetails": {"statusMessage": words},
            "deliveryAttemptTimeStamp": "2026-01-01T10:00:00Z",
        },
        "eventType": acs_events.REPORT,
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": "2026-01-01T10:00:01Z",
    }


def cloud_event(status: str, **changed: Any) -> dict[str, Any]:
    """Return the same report as Event Grid shows it in the CloudEvents schema."""
    own = event(status)
    told = {
        "id": own["id"],
        "source": own["topic"],
        "subject": own["subject"],
        "data": own["data"],
        "type": acs_events.REPORT,
        "specversion": "1.0",
        "time": own["eventTime"],
    }
    return {**told, **changed}


class World:
    """A company whose mail went out by a service, and the door."""

    def __init__(self, secret: str = SECRET) -> None:
        self.book, self.audit, self.log_rows = Book(), ListAudit(), MemoryRows()
        self.log = TableSendLog(self.log_rows, lambda: NOW, COMPANY, 1)
        self.door = EventDoor(
            entries=self.book.entries,
            lane=lambda _: self.book.lane,
            log=lambda _: self.log,
            audits=[self.audit],
            secret=secret,
            clock=lambda: NOW,
        )

    async def mailed(self, state: DeliveryState = DeliveryState.SENT, *others: Delivery, **mail: Any) -> World:
        write, lane = AtomicWrite(), self.book.lane
        receipt = {
            DeliveryState.SENT: ReceiptState.SENT,
            DeliveryState.UNKNOWN: ReceiptState.UNKNOWN,
            DeliveryState.SENDING: ReceiptState.SENDING,
        }[state]
        await lane.add(None, an_instalment(), [a_receipt(state=receipt)], [])
        named = {"message_id": ID, "operation_id": OPERATION, "owner": "w", **mail}
        lane.insert_mail(write, a_delivery(state=state, **named))
        for other in others:
            lane.put_delivery(write, other)
        await commit(lane.rows, write, marker_row=write.writes[0].key)
        await self.book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
        return self

    async def post(self, *events: object, headers: Mapping[str, str] = HEADERS) -> str:
        return await self.door.post(headers, {}, json.dumps(events).encode())

    async def state(self) -> ReceiptState:
        found = await self.book.lane.receipt(BaixaId("b1"))
        assert found
        return found.state

    async def mails(self) -> list[DeliveryState]:
        return [mail.state for mail in await self.book.lane.deliveries(BaixaId("b1"))]

    def suppressed(self) -> bool:
        rows = self.book.company_rows.dump()
        return any(row.get("suppressed") for key, row in rows.items() if key.startswith("address:"))


@pytest.fixture
async def world() -> World:
    """A mail that went out."""
    return await World().mailed()


@pytest.mark.parametrize(
    ("status", "words", "suppressed", "said"),
    [
        ("Bounced", "550 5.1.1 no such user", True, "5.1.1"),
        ("Bounced", "550 5.4.5 daily limit of 10.5.1.1", False, "5.4.5"),
        ("Bounced", "", False, "Bounced"),
        ("Suppressed", "in the list", False, "Suppressed"),
        ("Quarantined", "", False, "Quarantined"),
        ("FilteredSpam", "", False, "FilteredSpam"),
        ("Failed", "", False, "Failed"),
    ],
)
async def test_a_mail_that_came_back_is_refused_once(
    world: World, status: str, words: str, suppressed: bool, said: str
) -> None:
    """A person is asked; the address is suppressed only for a code that says it never works."""
    for _ in range(2):
        assert await world.post(event(status, words)) == ""

    assert await world.state() is ReceiptState.REFUSED
    assert world.suppressed() is suppressed
    (entry,) = world.audit.entries.values()
    assert (entry["what"], entry["by"]) == (f"mail event {said}", "mail events")


@pytest.mark.parametrize("status", ["Delivered", "Expanded", "OutForDelivery", ""])
async def test_a_word_that_says_nothing_new_changes_nothing(world: World, status: str) -> None:
    """Also one that nobody knows yet."""
    before = world.book.company_rows.dump()
    await world.post(event(status))
    assert (world.book.company_rows.dump(), world.audit.entries) == (before, {})


async def test_an_unknown_mail_that_was_delivered_is_sent() -> None:
    """Nobody has to decide, and a *send again* that nobody has claimed is taken back."""
    world = await World().mailed(DeliveryState.UNKNOWN)
    await world.post(event("Delivered"))
    assert (await world.state(), await world.mails()) == (ReceiptState.SENT, [DeliveryState.SENT])

    again = a_delivery(kind="receipt-again-1")
    world = await World().mailed(DeliveryState.UNKNOWN, again, decided_by="office")
    await world.post(event("Delivered"))
    assert sorted(await world.mails()) == [DeliveryState.CANCELLED, DeliveryState.SENT]


async def test_a_mail_to_another_address_goes_on() -> None:
    """What is due elsewhere keeps the receipt with its lane."""
    other = a_delivery(number=2, state=DeliveryState.READY)
    world = await World().mailed(DeliveryState.UNKNOWN, other)
    lane = world.book.lane
    receipt = await lane.receipt(BaixaId("b1"))
    assert receipt
    await lane.save(receipt, a_receipt(state=ReceiptState.SENDING))

    await world.post(event("Delivered"))
    assert await world.state() is ReceiptState.SENDING
    assert sorted(await world.mails()) == [DeliveryState.READY, DeliveryState.SENT]


async def test_the_send_log_knows_what_arrived_before_the_ledger_does() -> None:
    """A restore asks the log: it would ask a person about a mail that the service has confirmed."""
    world = await World().mailed(DeliveryState.UNKNOWN)
    [mail] = await world.book.lane.deliveries(BaixaId("b1"))
    await world.log.begin(delivery_key(mail), mail.owner)

    world.log_rows.after_next_read(world.book.company_rows.go_down)
    with pytest.raises(StoreUnavailable):
        await world.post(event("Delivered"))
    world.book.company_rows.come_back()
    await world.post(event("Delivered"))

    records = await world.log.records("")
    assert fold(records[delivery_key(mail)]) is KnownSend.ACCEPTED
    assert len(records[delivery_key(mail)]) == 2
    assert await world.state() is ReceiptState.SENT


async def test_a_mail_by_the_services_relay_is_found_by_its_message_id() -> None:
    """There the service has ids of its own."""
    world = await World().mailed(operation_id="")
    await world.post(event("Failed", operation="4a0f0000-0000-0000-0000-000000000000", internet=ID))
    assert await world.state() is ReceiptState.REFUSED


@pytest.mark.parametrize(
    "operation", ["", "no uuid", operation_of(f"<{'0' * 40}@payflow.example>"), OPERATION[:-1] + "0"]
)
async def test_what_names_no_mail_of_ours_changes_nothing(world: World, operation: str) -> None:
    """Also an id that begins as one of ours does."""
    before = world.book.company_rows.dump()
    await world.post(event("Bounced", operation=operation, internet="<x@y>"))
    assert world.book.company_rows.dump() == before
    assert await mail_of_operation(world.book.lane, OPERATION.upper())


@pytest.mark.parametrize("status", ["Delivered", "Bounced"])
async def test_a_mail_that_is_still_being_sent_is_told_of_again(status: str) -> None:
    """Its worker is first; Event Grid posts it again."""
    world = await World().mailed(DeliveryState.SENDING)
    with pytest.raises(Contention):
        await world.post(event(status))


async def test_while_a_company_is_restored_its_reports_come_again(world: World) -> None:
    """503, and Event Grid repeats."""
    world.book.company_rows.put(RESTORING, {"number": 2})
    with pytest.raises(Contention):
        await world.post(event("Bounced"))
    assert await world.state() is ReceiptState.SENT


async def test_a_report_that_must_wait_holds_no_other_of_its_post() -> None:
    """A restore that was cut may stay for days, and Event Grid forgets a post after one: the others are stored."""
    another = f"<{'0' * 40}@payflow.example>"
    named = operation_of(another)
    first, second = await World().mailed(), await World().mailed(message_id=another, operation_id=named)
    first.book.company_rows.put(RESTORING, {"number": 2})
    other = CompanyId("other")
    await first.book.entries.lower(other, NOW, CompanyStatus.ACTIVE)
    lanes = {COMPANY: first.book.lane, other: second.book.lane}
    door = replace(first.door, lane=lanes.__getitem__)

    with pytest.raises(Contention):
        await door.post(HEADERS, {}, json.dumps([event("Bounced"), event("Bounced", operation=named)]).encode())

    assert (await first.state(), await second.state()) == (ReceiptState.SENT, ReceiptState.REFUSED)


async def test_a_send_log_that_is_away_holds_no_other_report_of_its_post(world: World) -> None:
    """The confirmed mail comes again with the next post; the one that came back is stored now."""
    another = f"<{'0' * 40}@payflow.example>"
    named = operation_of(another)
    unknown = await World().mailed(DeliveryState.UNKNOWN, message_id=another, operation_id=named)
    other = CompanyId("other")
    await world.book.entries.lower(other, NOW, CompanyStatus.ACTIVE)
    lanes = {COMPANY: world.book.lane, other: unknown.book.lane}
    world.log_rows.go_down()
    door = replace(world.door, lane=lanes.__getitem__)

    with pytest.raises(SendLogUnavailable):
        await door.post(HEADERS, {}, json.dumps([event("Delivered", operation=named), event("Bounced")]).encode())

    assert (await unknown.state(), await world.state()) == (ReceiptState.UNKNOWN, ReceiptState.REFUSED)


async def test_a_post_of_event_grids_largest_size_is_read_and_a_larger_one_refused(world: World) -> None:
    """A megabyte is 1,048,576 bytes; what is not read is never answered as if it were."""
    body = json.dumps([event("Bounced")]).encode()
    with pytest.raises(UnknownFormat):
        await world.door.post(HEADERS, {}, body.ljust(1_048_577))
    assert await world.state() is ReceiptState.SENT
    await world.door.post(HEADERS, {}, body.ljust(1_048_576))
    assert await world.state() is ReceiptState.REFUSED


async def test_a_mail_without_a_receipt_is_left(world: World) -> None:
    """A restore may have taken the receipt's row away."""
    world = World()
    write, lane = AtomicWrite(), world.book.lane
    lane.insert_mail(write, a_delivery(state=DeliveryState.UNKNOWN, message_id=ID, operation_id=OPERATION))
    await commit(lane.rows, write, marker_row=write.writes[0].key)
    await world.book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)

    await world.post(event("Delivered"), event("Bounced"))
    assert not world.audit.entries


async def test_a_handshake_is_answered_with_its_code(world: World) -> None:
    """And by nobody who has not the secret."""
    shake = {"eventType": acs_events.VALIDATION, "data": {"validationCode": "512d38b6", "validationUrl": "https://x"}}

    assert await world.post(shake) == "512d38b6"
    assert await world.door.post({}, {"secret": SECRET}, json.dumps([shake]).encode()) == "512d38b6"
    with pytest.raises(BadBounceSignature):
        await world.post(shake, headers={})


async def test_cloud_events_say_the_same(world: World) -> None:
    """
    One alone, or several in a list; an unset attribute may be null, and an extension is no reason to refuse.

    Source: the JSON event format of CloudEvents 1.0.2, sections 2.2, 3 and 4.
    """
    alone = cloud_event("Bounced", datacontenttype=None, comexampleextension="value")
    assert await world.door.post(HEADERS, {}, json.dumps(alone).encode()) == ""
    assert await world.state() is ReceiptState.REFUSED

    unknown = await World().mailed(DeliveryState.UNKNOWN)
    await unknown.post(cloud_event("Expanded"), cloud_event("Delivered"))
    assert await unknown.state() is ReceiptState.SENT


@pytest.mark.parametrize(
    "changed",
    [{"type": "x"}, {"type": None}, {"id": ""}, {"id": None}, {"source": ""}, {"source": 7}, {"data": "text"}],
)
async def test_a_cloud_event_without_what_it_needs_says_nothing(world: World, changed: Mapping[str, object]) -> None:
    """``id``, ``source`` and ``type`` are required, and never empty; a report is an object."""
    await world.post({**cloud_event("Bounced"), **changed})
    assert await world.state() is ReceiptState.SENT


async def test_what_mixes_both_schemas_is_a_cloud_event(world: World) -> None:
    """Its ``eventType`` is an extension that says nothing."""
    await world.post(cloud_event("Bounced", type="x", eventType=acs_events.REPORT))
    assert await world.state() is ReceiptState.SENT


@pytest.mark.parametrize("version", ["2.0", "0.3", "", None, 1.0])
async def test_a_cloud_event_of_another_version_is_refused(world: World, version: object) -> None:
    """415, and not an answer after which Event Grid forgets it."""
    with pytest.raises(UnknownFormat):
        await world.post(cloud_event("Bounced", specversion=version))
    assert await world.state() is ReceiptState.SENT


async def test_a_cloud_event_in_headers_is_refused(world: World) -> None:
    """The binary mode of HTTP, which Event Grid does not use: its body alone would say nothing."""
    with pytest.raises(UnknownFormat):
        await world.post(event("Bounced")["data"], headers={**HEADERS, "CE-SpecVersion": "1.0"})


def test_a_sender_of_cloud_events_is_let_in() -> None:
    """
    By its own name, which it then repeats with each post; at any rate, since we never answer 429.

    Source: HTTP webhooks of CloudEvents 1.0.2, section 4.2; Event Grid's origin is eventgrid.azure.net.
    """
    door, origin = World().door, "eventgrid.azure.net"
    asked = {"WebHook-Request-Origin": origin, "WebHook-Request-Rate": "120"}
    allowed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}

    assert door.handshake({**HEADERS, **asked}, {}) == allowed
    assert door.handshake({name.lower(): value for name, value in asked.items()}, {"secret": SECRET}) == allowed
    assert door.handshake(HEADERS, {}) == {}
    for foreign in ("", "a b", "a\r\nX: y", "x" * 254, "*"):
        assert door.handshake({**HEADERS, "WebHook-Request-Origin": foreign}, {}) == {}
    with pytest.raises(BadBounceSignature):
        door.handshake(asked, {"secret": "another"})


@pytest.mark.parametrize(
    ("headers", "query"),
    [({}, {}), ({"x-mail-events-secret": SECRET[:-1]}, {}), ({}, {"secret": ""}), ({}, {"secret": "é" * 32})],
)
async def test_without_the_secret_nothing_is_believed(
    world: World, headers: Mapping[str, str], query: Mapping[str, str]
) -> None:
    """Neither is anything read."""
    with pytest.raises(BadBounceSignature):
        await world.door.post(headers, query, json.dumps([event("Bounced")]).encode())
    assert await world.state() is ReceiptState.SENT


@pytest.mark.parametrize("given_secret", ["", SECRET])
async def test_a_door_without_a_secret_is_shut(given_secret: str) -> None:
    """An empty one is nobody's."""
    door = (await World(secret="").mailed()).door
    with pytest.raises(BadBounceSignature):
        await door.post({"x-mail-events-secret": given_secret}, {}, b"[]")


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda any_: json.dumps(any_).encode())
)
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    """Total: what is no list of events says nothing."""
    assert acs_events.parse_events(body) == acs_events.Post(reports=[])


@pytest.mark.parametrize(
    "body",
    [
        b" " * (acs_events.BYTES_MAX + 1),
        b"[" * 100_000,
        json.dumps([{"eventType": acs_events.REPORT, "data": 1}]).encode(),
        json.dumps([{"eventType": acs_events.REPORT, "data": {"status": ["Bounced"]}}]).encode(),
        json.dumps([{"eventType": acs_events.VALIDATION, "data": {"validationCode": 7}}]).encode(),
    ],
)
def test_what_has_another_shape_says_nothing(body: bytes) -> None:
    """Too large, too deep, or other kinds of values."""
    assert acs_events.parse_events(body) == acs_events.Post(reports=[])


def test_details_may_be_missing() -> None:
    """The status alone is enough; one event need not be in a list."""
    bare = {**event("Bounced"), "data": {"status": "Bounced", "messageId": OPERATION, "deliveryStatusDetails": None}}

    (report,) = acs_events.parse_events(json.dumps(bare).encode()).reports
    assert (report.status, report.message_id, report.delivered) == ("Bounced", "", False)
