"""A mail server that takes access tokens: fresh at each connection, and no delivery's fault where there is none."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import ClientAuthenticationError

from payflow.adapters.mail_token import token_source
from payflow.mail.channel import SmtpChannel
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import Auth, Security, Server
from tests.contract.payflow.test_smtp import MESSAGE
from tests.fakes.mail_server import TOKEN, USER, FaultyServer, mail_server

SCOPE = "https://outlook.office365.com/.default"


class Identity:
    """A credential that gives what it is told."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.scopes = [*tokens], list[str]()

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        self.scopes += scopes
        if not self.tokens:
            raise ClientAuthenticationError("secret place")
        return SimpleNamespace(token=self.tokens.pop(0))


def reached_at(server: FaultyServer) -> Server:
    """Return *server* as the settings name it, for a sign-in by a token."""
    return Server(
        host="localhost",
        port=server.port,
        security=Security.STARTTLS,
        auth=Auth.XOAUTH2,
        user=USER,
        trust=server.client_context(),
    )


async def test_a_fresh_token_logs_in_and_none_stops_the_sender_alone() -> None:
    """The second token has run out: the server says no. Then there is none: words without a secret."""
    identity = Identity(TOKEN, "expired")
    with mail_server() as server:
        smtp = reached_at(server)
        said = []
        for _ in range(3):
            channel = SmtpChannel(smtp, USER, token_source(identity, SCOPE))  # type: ignore[arg-type]
            said.append(await channel.offer("b@example.org", MESSAGE))
            if said[-1] is None:
                said[-1] = await channel.finish(time.monotonic() + 5)
            await channel.close()

    outcomes = [(one.verdict, one.phase) for one in said if one]
    assert outcomes == [
        (Verdict.ACCEPTED, Phase.DOT),
        (Verdict.ACCOUNT, Phase.LOGIN),
        (Verdict.ACCOUNT, Phase.LOGIN),
    ]
    assert said[2]
    assert said[2].words == "no access token for the mail server: ClientAuthenticationError"
    assert identity.scopes == [SCOPE] * 3


async def test_an_account_is_checked_without_a_mail() -> None:
    """Logged in and gone; a token that has run out, none, and a server that is away say why."""
    identity = Identity(TOKEN, "expired")
    with mail_server() as server:
        smtp = reached_at(server)
        channel = SmtpChannel(smtp, USER, token_source(identity, SCOPE))  # type: ignore[arg-type]
        said = [await channel.check() for _ in range(3)]
    away = await SmtpChannel(replace(smtp, auth=Auth.PASSWORD), USER).check()

    assert said[0] is None
    assert [(one.verdict, one.phase) for one in said[1:] if one] == [(Verdict.ACCOUNT, Phase.LOGIN)] * 2
    assert away
    assert (away.verdict, away.phase) == (Verdict.LATER, Phase.CONNECT)
    assert server.accepted == []
