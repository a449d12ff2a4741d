"""``Channel`` over SMTP: the blocking session in a thread, one connection for one message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import Server, SmtpOutcome, SmtpSession

TokenSource = Callable[[], Awaitable[str]]
"""Returns a fresh access token. Raises NoToken."""


class NoToken(Exception):
    """There is no access token for the mail server: no delivery is to blame."""


class SmtpChannel:
    """One connection to the mail server; used by one worker for one delivery."""

    def __init__(self, server: Server, sender: str, token: TokenSource | None = None) -> None:
        self._server, self._session, self._sender, self._token = server, SmtpSession(server), sender, token

    def named(self, message_id: str) -> str:  # noqa: ARG002 -- an SMTP server has no name for a mail
        return ""

    async def ask(self, operation_id: str) -> SmtpOutcome | None:  # noqa: ARG002 -- and answers no question
        return None

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        return await self._signed() or await asyncio.to_thread(self._offer, recipient, data)

    async def check(self) -> SmtpOutcome | None:
        """Connect, encrypt, log in, and close; None when all of it was taken. No mail is begun."""
        refused = await self._signed() or await asyncio.to_thread(self._session.open)
        await self.close()
        return refused

    async def _signed(self) -> SmtpOutcome | None:
        """Get an access token where one signs in; return why there is none."""
        if self._token:
            try:
                token = await self._token()
            except NoToken as none:
                return SmtpOutcome(verdict=Verdict.ACCOUNT, phase=Phase.LOGIN, words=str(none))
            self._session = SmtpSession(replace(self._server, secret=lambda: token))
        return None

    async def finish(self, not_after_s: float) -> SmtpOutcome | None:
        return await asyncio.to_thread(self._session.finish, not_after_s)

    async def close(self) -> None:
        self._session.close()

    def _offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        return self._session.open() or self._session.offer(self._sender, recipient, data)
