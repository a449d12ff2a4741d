"""``Channel`` over SMTP: the blocking session in a thread, one connection for one message."""

from __future__ import annotations

import asyncio

from payflow.mail.smtp import Outcome, Server, Session


class SmtpChannel:
    """One connection to the mail server; used by one worker for one delivery."""

    def __init__(self, server: Server, sender: str) -> None:
        self._session, self._sender = Session(server), sender

    async def offer(self, recipient: str, data: bytes) -> Outcome | None:
        return await asyncio.to_thread(self._offer, recipient, data)

    async def finish(self, not_after_s: float) -> Outcome | None:
        return await asyncio.to_thread(self._session.finish, not_after_s)

    async def close(self) -> None:
        self._session.close()

    def _offer(self, recipient: str, data: bytes) -> Outcome | None:
        return self._session.open() or self._session.offer(self._sender, recipient, data)
