"""Alarms by e-mail, against a real mail server with TLS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from foundation.alarms.mail_target import MailServer, MailTarget
from foundation.alarms.targets import NotDelivered
from foundation.outgoing.addresses import parse_networks
from foundation.outgoing.guard import DestinationRefused, OutgoingGuard
from tests.fakes.mail_server import HOST, PASSWORD, USER, FaultyServer, mail_server
from tests.unit.foundation.test_alarm_targets import MESSAGE

LOOPBACK = parse_networks("127.0.0.0/8")


async def _here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """TLS by STARTTLS."""
    with mail_server() as found:
        yield found


def a_target(server: FaultyServer, *, starttls: bool = True, inside: bool = True) -> MailTarget:
    """Return a target that knows the server's authority."""
    return MailTarget(
        guard=OutgoingGuard(inside=LOOPBACK if inside else (), resolve=_here),
        server=MailServer(host=HOST, port=server.port, starttls=starttls, user=USER, password=PASSWORD),
        sender="alarms@ballx.example",
        recipients=["ana@ballx.example", "rui@ballx.example"],
        title="BALLX payouts",
        tls=server.client_context(),
    )


async def test_one_mail_says_it_to_everybody(server: FaultyServer) -> None:
    """After STARTTLS and a sign-in; the password is in no repr."""
    target = a_target(server)
    await target.deliver([MESSAGE])

    (mail,) = server.accepted
    assert mail.recipients == ("ana@ballx.example", "rui@ballx.example")
    assert str(mail.message["Subject"]).startswith("BALLX payouts: An order was refused.")
    assert "To do: Retry it." in mail.message.get_content()
    assert PASSWORD not in repr(target)


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot", "rcpt:rui@ballx.example"])
async def test_what_the_server_refuses_is_not_delivered(server: FaultyServer, phase: str) -> None:
    """Also for one of the recipients: it is due again for all."""
    server.faults.replies = {phase: "451 4.3.0 later"}

    with pytest.raises(NotDelivered):
        await a_target(server).deliver([MESSAGE])


async def test_a_wrong_password_or_certificate_is_not_delivered(server: FaultyServer) -> None:
    """Nothing is sent in the clear, or to another server."""
    target = a_target(server)
    for wrong in (
        replace(target, server=replace(target.server, password="other")),
        replace(target, tls=None),
        replace(target, server=replace(target.server, starttls=False)),
    ):
        with pytest.raises(NotDelivered):
            await wrong.deliver([MESSAGE])
    assert server.accepted == []


async def test_an_inside_server_is_asked_only_where_the_operator_lists_it(server: FaultyServer) -> None:
    """As every other target."""
    with pytest.raises(DestinationRefused):
        await a_target(server, inside=False).deliver([MESSAGE])


async def test_tls_from_the_first_byte() -> None:
    """Port 465's way."""
    with mail_server(tls="tls") as server:
        await a_target(server, starttls=False).deliver([MESSAGE])

    assert len(server.accepted) == 1


async def test_a_server_that_wants_no_sign_in_gets_none() -> None:
    """A relay inside a network; the way there is encrypted all the same."""
    with mail_server(login=False) as server:
        target = a_target(server)
        await replace(target, server=replace(target.server, user="", password="")).deliver([MESSAGE])

    assert len(server.accepted) == 1
