"""
The document of a payment, from an address that Conta Azul names: never trusted, never stored.

Only named hosts, https, checked addresses, three checked redirects at most, a minute and seven megabytes in all. The
access token goes to the API's own host and nowhere else. An address may be signed and expire; the next answer of the
API has another, so a host's refusal is no reason to ask a person, but to ask again later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
    Limits,
    Request,
)
from payflow.documents.pdf import BYTES_MAX
from payflow.errors import ApiUnavailable
from payflow.model import Attachment
from payflow.state import Reason

LIMITS: Final = Limits(deadline_s=60.0, body_bytes_max=BYTES_MAX, redirects_max=3)
_OK: Final = 200


class DocumentNotThere(ApiUnavailable):
    """The document's host gives no document now; it is asked for again."""


class DocumentRefused(Exception):
    """The document may not be mailed as it is: a person looks. Carries the reason and what was seen."""

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class Outgoing(Protocol):
    """The foundation's guard."""

    async def send(self, request: Request, limits: Limits) -> Answer: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """Fetches the documents of one company."""

    outgoing: Outgoing
    hosts: Collection[str]
    """Hosts besides the API's own, ``name`` or ``name:port``."""
    api_url: str
    token: Callable[[], Awaitable[str]]

    async def __call__(self, attachment: Attachment) -> bytes:
        """
        Return the document; whether it is a PDF is not looked at here.

        Raises:
            DocumentRefused: Its host, an address of it or a redirect is not allowed, or it is too large or encoded.
            DocumentNotThere: No answer, or an invalid status.
        """
        request = Request(
            url=attachment.url, headers=await self._headers(attachment.url), hosts={*self.hosts, self._api_host}
        )
        try:
            answer = await self.outgoing.send(request, LIMITS)
        except DestinationRefused as refused:
            raise DocumentRefused(Reason.DOCUMENT_HOST, str(refused)) from None
        except AnswerUnusable as unusable:
            raise DocumentRefused(Reason.UNREADABLE_DOCUMENT, str(unusable)) from None
        except DestinationUnavailable as away:
            raise DocumentNotThere(str(away)) from None
        if answer.status != _OK:
            raise DocumentNotThere(f"the document's host answers with {answer.status}")
        return answer.body

    async def _headers(self, url: str) -> dict[str, str]:
        if _origin(url) != _origin(self.api_url):
            return {}
        return {"Authorization": f"Bearer {await self.token()}"}

    @property
    def _api_host(self) -> str:
        return urlsplit(self.api_url).netloc


def _origin(url: str) -> tuple[str, str]:
    """Return scheme and host; of what is no URL two empty texts, which equal no API's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc
