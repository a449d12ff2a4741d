"""Azure Communication Services as the carrier, against its strict stand-in over HTTPS: one post for one mail."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trustme

from devstack.acs.serve import acs
from devstack.acs.server import TOKEN, Acs
from foundation.settings.reading import read_group
from payflow.adapters.acs import SCOPE, AcsChannel, client
from payflow.adapters.channels import channels
from payflow.adapters.mail_token import token_source
from payflow.adapters.notice import post
from payflow.delivery import choices, decisions, rules
from payflow.delivery.choices import Decider, Resend
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.delivery.work import Work
from payflow.mail.channel import SmtpChannel
from payflow.mail.codes import Phase, Verdict
from payflow.mail.letters import build
from payflow.model import BaixaId
from payflow.settings.mail import MailSettings
from payflow.state import DeliveryPhase, DeliveryState, ReceiptState
from tests.clinic import OTHER_PDF, PDF, Clinic, key_of
from tests.contract.payflow.test_mail_token import Identity
from tests.contract.payflow.test_smtp import MESSAGE
from tests.fakes.mail_server import FaultyServer
from tests.unit.payflow.test_letters import CONTENT, ENVELOPE

MESSAGE_ID = f"<{'ab' * 20}@payflow.example>"
SENDER = "r@payflow.example"


@pytest.fixture
async def authority() -> trustme.CA:
    """Signs the stand-in's certificate."""
    return trustme.CA()


@pytest.fixture
async def service(authority: trustme.CA) -> AsyncIterator[Acs]:
    """The stand-in, with TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with acs(tls) as server:
        yield server


@pytest.fixture
async def http(authority: trustme.CA) -> AsyncIterator[httpx.AsyncClient]:
    """The app's client, which trusts the stand-in's authority alone."""
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with client(trust) as made:
        yield made


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def channel_to(service: Acs, http: httpx.AsyncClient, *tokens: str, monotonic: Any = time.monotonic) -> AcsChannel:
    """Return a channel that has these tokens, or one for good."""
    token = token_source(Identity(*(tokens or (TOKEN,) * 50)), SCOPE)  # type: ignore[arg-type]  # a credential's one method
    return AcsChannel(http, service.base_url, SENDER, token, sleep=_no_sleep, monotonic=monotonic)


async def posted(channel: AcsChannel) -> tuple[Verdict, Phase]:
    """Send one mail through *channel*; return how it ended."""
    channel.named(MESSAGE_ID)
    outcome = await channel.offer("ana@medica.com.br", MESSAGE) or await channel.finish(time.monotonic() + 5)
    assert outcome
    return outcome.verdict, outcome.phase


async def test_a_mail_is_posted_once_and_its_operation_watched(service: Acs, http: httpx.AsyncClient) -> None:
    """Under the id that was stored; accepted once the operation has succeeded."""
    service.asks_before_end = 2

    assert await posted(channel_to(service, http)) == (Verdict.ACCEPTED, Phase.DOT)
    (taken,) = service.taken
    assert taken.operation == channel_to(service, http).named(MESSAGE_ID)
    assert taken.recipients == ["ana@medica.com.br"]
    assert service.requests == {"post": 1, "get": 3}


@pytest.mark.parametrize(
    ("status", "takes", "verdict"),
    [
        (400, False, Verdict.SENDER),
        (403, False, Verdict.ACCOUNT),
        (413, False, Verdict.TOO_LARGE),
        (429, False, Verdict.ACCOUNT),
        (409, True, Verdict.UNKNOWN),
        (500, True, Verdict.UNKNOWN),
        (503, False, Verdict.UNKNOWN),
        (504, True, Verdict.UNKNOWN),
    ],
)
async def test_no_answer_makes_the_post_again(
    service: Acs, http: httpx.AsyncClient, status: int, takes: bool, verdict: Verdict
) -> None:
    """Not even with Retry-After, where the official library would."""
    service.faults.status, service.faults.takes, service.faults.retry_after = status, takes, "1"

    assert await posted(channel_to(service, http)) == (verdict, Phase.DOT)
    assert (service.requests["post"], len(service.taken)) == (1, int(takes))


@pytest.mark.parametrize("takes", [True, False])
async def test_a_connection_cut_after_the_post_is_unknown(service: Acs, http: httpx.AsyncClient, takes: bool) -> None:
    """Whether the service took the mail, its operation says when it is asked; an unknown operation says nothing."""
    service.faults.hang_up, service.faults.takes, service.asks_before_end = True, takes, 0
    channel = channel_to(service, http)

    assert await posted(channel) == (Verdict.UNKNOWN, Phase.DOT)
    asked = await channel_to(service, http).ask(channel.named(MESSAGE_ID))
    assert (asked.verdict if asked else None) == (Verdict.ACCEPTED if takes else None)
    assert service.requests["post"] == 1


@pytest.mark.parametrize(("ends", "verdict"), [("Failed", Verdict.DROPPED), ("Canceled", Verdict.DROPPED)])
async def test_an_operation_that_fails_is_a_mail_given_up(
    service: Acs, http: httpx.AsyncClient, ends: str, verdict: Verdict
) -> None:
    """The service took it all the same: it is not posted again."""
    service.ends = ends

    assert await posted(channel_to(service, http)) == (verdict, Phase.DOT)


async def test_an_operation_that_does_not_end_is_left_to_be_asked_for(service: Acs, http: httpx.AsyncClient) -> None:
    """A step has its time; also where the questions themselves are refused."""
    service.ends = "Running"
    clock = iter([0.0, 0.0, *(10.0 * step for step in range(100))])

    channel = channel_to(service, http, monotonic=lambda: next(clock))
    channel.named(MESSAGE_ID)
    await channel.offer("ana@medica.com.br", MESSAGE)
    outcome = await channel.finish(1.0)
    assert outcome
    assert (outcome.verdict, outcome.stops) == (Verdict.UNKNOWN, False)

    service.faults.asked_status = 429
    assert await channel_to(service, http).ask(channel.named(MESSAGE_ID)) is None


async def test_a_worker_that_was_frozen_posts_nothing(service: Acs, http: httpx.AsyncClient) -> None:
    """Too late after the mark."""
    channel = channel_to(service, http)
    channel.named(MESSAGE_ID)
    await channel.offer("ana@medica.com.br", MESSAGE)

    assert await channel.finish(time.monotonic() - 1) is None
    await channel.close()
    assert service.requests["post"] == 0


async def test_without_a_connection_nothing_was_posted(service: Acs, http: httpx.AsyncClient) -> None:
    """Nobody listens, or with another's certificate: the mail is tried later, and nothing is unknown."""
    nowhere = Acs(base_url="https://localhost:1")
    assert await posted(channel_to(nowhere, http)) == (Verdict.LATER, Phase.CONNECT)
    assert await channel_to(nowhere, http).ask("0") is None

    async with client() as distrusts:
        assert await posted(channel_to(service, distrusts)) == (Verdict.LATER, Phase.CONNECT)
    assert not service.taken


async def test_without_a_token_the_sender_stops_and_nobody_is_asked(service: Acs, http: httpx.AsyncClient) -> None:
    """No mail is to blame for the identity."""
    channel = channel_to(service, http, TOKEN)
    assert await posted(channel) == (Verdict.ACCEPTED, Phase.DOT)

    assert await posted(channel) == (Verdict.ACCOUNT, Phase.LOGIN)
    assert await channel.ask("0") is None
    assert await channel.check()


async def test_a_mail_too_large_is_not_posted(service: Acs, http: httpx.AsyncClient) -> None:
    """10 MB a request, base64 included."""
    channel = channel_to(service, http)
    channel.named(MESSAGE_ID)
    large = build(ENVELOPE, CONTENT, bytes(8_000_000))

    outcome = await channel.offer("ana@medica.com.br", large)
    assert outcome
    assert (outcome.verdict, service.requests) == (Verdict.TOO_LARGE, {})


async def test_doctor_sees_whether_the_service_takes_the_identity(service: Acs, http: httpx.AsyncClient) -> None:
    """By a question about an unknown operation; no mail is begun."""
    assert await channel_to(service, http).check() is None
    refused = await channel_to(service, http, "another").check()
    away = await channel_to(Acs(base_url="https://localhost:1"), http).check()

    assert refused
    assert away
    assert (refused.verdict, away.verdict) == (Verdict.ACCOUNT, Verdict.LATER)
    assert not service.taken


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"headers": {"Authorization": "Bearer x"}}, 401),
        ({"params": {"api-version": "1999-01-01"}}, 400),
        ({"headers": {"Authorization": f"Bearer {TOKEN}", "Operation-Id": "7"}}, 400),
        ({"json": {"senderAddress": SENDER}}, 400),
        ({"json": {"senderAddress": SENDER, "content": {"subject": "s"}, "recipients": {"to": []}}}, 400),
        ({"json": {"sender": 1, "content": {"subject": "s"}, "recipients": {"to": []}}}, 400),
        (
            {"json": {"senderAddress": "a\nb", "content": {"subject": "s"}, "recipients": {"to": [{"address": "a"}]}}},
            400,
        ),
    ],
)
async def test_the_stand_in_is_strict(
    service: Acs, http: httpx.AsyncClient, changed: dict[str, Any], status: int
) -> None:
    """What the description does not have is refused."""
    request: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "params": {"api-version": "2023-03-31"},
        "json": {},
    }
    assert (await http.post(f"{service.base_url}/emails:send", **{**request, **changed})).status_code == status
    assert (await http.get(f"{service.base_url}/emails")).status_code == 404


async def test_a_mail_to_an_office_goes_the_same_way(service: Acs, http: httpx.AsyncClient) -> None:
    """It is no delivery and has none of our names: each has an operation of its own."""
    mail = b"Subject: codigo\r\nMessage-ID: <office-1@x>\r\n\r\n123456"

    assert [await post(channel_to(service, http), "office@x.com", mail) for _ in range(2)] == [True, True]
    assert len({taken.operation for taken in service.taken}) == 2
    assert service.taken[0].mail["content"] == {"subject": "codigo", "plainText": "123456"}


# The whole work over this carrier ------------------------------------------------------------------


class AcsClinic(Clinic):
    """A clinic whose mails a service carries."""

    service: Acs
    http: httpx.AsyncClient

    def work(self) -> Work:
        return Work(
            office=self.office,
            desk=SenderDesk(self.sender_rows, lambda: self.now, SendingLimits()),
            channel=lambda: channel_to(self.service, self.http),
            send_log=self.log,
            download=self._download,
            known=self._known,
            clock=lambda: self.now,
        )


@pytest.fixture
async def clinic(service: Acs, http: httpx.AsyncClient) -> AcsClinic:
    """A clinic with one payer."""
    made = AcsClinic(FaultyServer())  # its mail server is not started: nothing goes there
    made.service, made.http = service, http
    return made


async def test_a_receipt_goes_out_by_the_service(clinic: AcsClinic) -> None:
    """One post, the document byte for byte, and the operation's id in the row."""
    payment = clinic.paid()
    await clinic.found(payment)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT
    (taken,), (mail,) = clinic.service.taken, await clinic.deliveries(payment)
    assert (taken.operation, taken.document, taken.recipients) == (mail.operation_id, PDF, ["ana@medica.com.br"])


async def test_a_lost_answer_is_asked_for_and_nobody_decides(clinic: AcsClinic) -> None:
    """The row stays marked until its deadline; then the service says that it has the mail. One post in all."""
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.service.faults.hang_up = clinic.service.faults.takes = True
    clinic.service.asks_before_end = 0

    sending = await clinic.advance(payment, 2)
    (mail,) = await clinic.deliveries(payment)
    assert (sending.state, mail.phase) == (ReceiptState.SENDING, DeliveryPhase.TERMINATING)
    assert sending.due_ms > mail.attempt_deadline_ms

    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert clinic.service.requests["post"] == 1


async def test_what_the_service_does_not_know_a_person_decides(clinic: AcsClinic) -> None:
    """Asked each minute for a quarter of an hour after the deadline; *send again* is another operation."""
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.service.faults.hang_up, clinic.service.faults.times = True, 1

    await clinic.advance(payment, 2)
    asked = 0
    while (await clinic.advance(payment)).state is ReceiptState.SENDING:
        asked += 1
    (mail,) = await clinic.deliveries(payment)
    assert (mail.state, clinic.service.requests["post"]) == (DeliveryState.UNKNOWN, 1)
    assert asked == rules.ASKED_MS // 60_000 - 1

    clinic.time.now_s += rules.IDLE_MS / 1000
    await decisions.decide_again(clinic.lane, key_of(payment), "office", clinic.now, domain="payflow.example")
    sent = await clinic.advance(payment)
    while sent.state is ReceiptState.SENDING:  # the trouble had stopped the sender: its probe waits its turn
        sent = await clinic.advance(payment)
    assert sent.state is ReceiptState.SENT
    assert [one.operation != mail.operation_id for one in clinic.service.taken] == [True]


async def test_too_many_requests_stop_the_sender_until_the_service_says(clinic: AcsClinic) -> None:
    """No mail is to blame, and none is tried meanwhile; afterwards all go out, each once."""
    payments = [clinic.paid(), clinic.paid(OTHER_PDF)]
    for payment in payments:
        await clinic.found(payment)
        await clinic.advance(payment)
    clinic.service.faults.status, clinic.service.faults.retry_after, clinic.service.faults.times = 429, "600", 1
    began_ms = clinic.now

    await clinic.advance(payments[0])
    assert (await clinic.advance(payments[1])).due_ms == began_ms + 600_000
    assert clinic.service.requests["post"] == 1

    states = [(await clinic.advance(payment)).state for payment in reversed(payments)]
    assert states == [ReceiptState.SENT] * 2
    assert len(clinic.service.taken) == 2


async def test_a_mail_that_was_given_up_waits_for_a_person(clinic: AcsClinic) -> None:
    """Refused, its words in the row, the address not suppressed; a resend is another operation."""
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.service.ends = "Failed"

    refused = await clinic.advance(payment, 2)
    (mail,) = await clinic.deliveries(payment)
    assert refused.state is ReceiptState.REFUSED
    assert mail.reply == "Failed EmailDropped: Email was dropped after several attempts."
    suppressed = [row for key, row in clinic.book.company_rows.dump().items() if key.startswith("address:")]
    assert not any(row.get("suppressed") for row in suppressed)

    clinic.service.ends = "Succeeded"
    again = Resend(domain="payflow.example")
    await choices.resend(clinic.lane, BaixaId(payment.id), again, Decider(name="office", now=clinic.now))
    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert len({one.operation for one in clinic.service.taken}) == 2


# Which carrier -------------------------------------------------------------------------------------


async def test_the_settings_choose_the_carrier(http: httpx.AsyncClient) -> None:
    """Identity and client are asked for only where they are needed."""
    asked = list[str]()

    async def identity() -> Any:
        asked.append("identity")
        return Identity(TOKEN)

    async def pool() -> httpx.AsyncClient:
        asked.append("http")
        return http

    base = {"SMTP_FROM": SENDER, "OVERRIDE_RECIPIENT_EMAIL": "t@payflow.example"}
    smtp = base | {"SMTP_HOST": "mail.example", "SMTP_USER": "u"}
    service = base | {"MAIL": "acs", "ACS_ENDPOINT": "https://x.communication.azure.com"}
    made = [
        (await channels(read_group(MailSettings, said), identity, pool))()
        for said in (smtp, smtp | {"SMTP_AUTH": "xoauth2"}, service)
    ]

    assert [type(one) for one in made] == [SmtpChannel, SmtpChannel, AcsChannel]
    assert (made[0].named(MESSAGE_ID), await made[0].ask("0")) == ("", None)  # an SMTP server knows a mail by no id
    assert asked == ["identity", "http", "identity"]
