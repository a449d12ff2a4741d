"""One attempt at a shop's address, through the outgoing guard: checked, pinned, no redirect, fifteen seconds in all."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from distributor.call_backs.message import headers_of
from distributor.call_backs.schedule import Meaning, Reply, read_reply
from foundation.clock import Clock
from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
    Limits,
    Request,
)

DEADLINE_S: Final = 15
"""Of one attempt, from the name server to the last byte of the answer."""
NOT_ALLOWED: Final = "not allowed"
"""Nothing is posted to this address. The words name neither it nor what it resolves to."""

Send = Callable[[Request, Limits], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Where a shop is told, and what it verifies with."""

    source: str
    url: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    """The shop's secrets, the current one first; none while it has none that counts."""

    @property
    def url_id(self) -> str:
        """A digest of the address: a changed one is another, which did not fail."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """Post to receivers; what goes wrong is a reply."""

    send: Send
    clock: Clock

    async def post(self, receiver: Receiver, body: bytes, message_id: str) -> Reply:
        """Post *body* once and return what was answered. Raises nothing for what the receiver does."""
        headers = headers_of(body, message_id, receiver.secrets, self.clock())
        request = Request(url=receiver.url, method="POST", headers=headers, body=body)
        try:
            answer = await self.send(request, Limits(deadline_s=DEADLINE_S))
        except DestinationRefused:
            return Reply(meaning=Meaning.FAILED, words=NOT_ALLOWED)
        except (AnswerUnusable, DestinationUnavailable) as error:
            return Reply(meaning=Meaning.FAILED, words=str(error))
        return read_reply(answer, self.clock())
