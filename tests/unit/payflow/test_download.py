"""Documents: from named hosts only, the token to the API alone, and each refusal named."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
    Limits,
    OutgoingGuard,
    Request,
)
from payflow.documents.download import DocumentNotThere, DocumentRefused, Download
from payflow.model import Attachment
from payflow.state import Reason

API = "https://api-v2.contaazul.example"


@dataclass
class Host:
    """A host that answers as the test says."""

    answer: Answer | Exception
    asked: list[Request] = field(default_factory=list)

    async def send(self, request: Request, limits: Limits) -> Answer:
        assert (limits.redirects_max, limits.body_bytes_max) == (3, 7_000_000)
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def answered(status: int = 200, body: bytes = b"%PDF-1.7") -> Answer:
    """Return a host's answer."""
    return Answer(status=status, headers={}, body=body, host="x")


def download(host: Host) -> Download:
    """Return the download of one company."""

    async def token() -> str:
        return "secret"

    return Download(outgoing=host, hosts=("files.example",), api_url=API, token=token)


def at(url: str) -> Attachment:
    """Return an attachment there."""
    return Attachment(id="a", name="recibo.pdf", url=url, kind="RECIBO", is_file=True)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"{API}/v1/x", {"Authorization": "Bearer secret"}),
        ("https://files.example/x", {}),
        ("http://api-v2.contaazul.example/v1/x", {}),
        ("https://api-v2.contaazul.example:444/x", {}),
        ("https://api-v2.contaazul.example@evil.example/x", {}),
        ("https://[broken", {}),
    ],
)
async def test_the_token_goes_to_the_api_alone(url: str, headers: dict[str, str]) -> None:
    """Scheme, host and port, to the letter."""
    host = Host(answered())

    assert await download(host)(at(url)) == b"%PDF-1.7"
    assert host.asked[0].headers == headers
    assert host.asked[0].hosts == {"files.example", "api-v2.contaazul.example"}


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(DestinationRefused(), Reason.DOCUMENT_HOST), (AnswerUnusable(), Reason.UNREADABLE_DOCUMENT)],
)
async def test_what_a_person_must_look_at_is_named(trouble: Exception, reason: Reason) -> None:
    """A host that nobody allowed, a document that is too large."""
    with pytest.raises(DocumentRefused) as caught:
        await download(Host(trouble))(at("https://files.example/x"))

    assert caught.value.reason is reason


@pytest.mark.parametrize("answer", [answered(403), answered(404), answered(503), DestinationUnavailable()])
async def test_a_host_that_has_none_is_asked_again(answer: Answer | Exception) -> None:
    """A signed address expires; the next answer of the API has another."""
    with pytest.raises(DocumentNotThere):
        await download(Host(answer))(at("https://files.example/x"))


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "127.0.0.1", "10.1.2.3", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "169.254.169.254"]
)
async def test_an_allowed_host_that_leads_inside_is_refused(address: str) -> None:
    """Every answer of the name server is checked, by the foundation's guard."""

    async def resolve(_: str, __: int) -> list[str]:
        return ["93.184.215.14", address]

    async def token() -> str:
        return "secret"

    guarded = Download(outgoing=OutgoingGuard(resolve=resolve), hosts=("files.example",), api_url=API, token=token)

    with pytest.raises(DocumentRefused) as caught:
        await guarded(at("https://files.example/x"))
    assert caught.value.reason is Reason.DOCUMENT_HOST


@pytest.mark.parametrize("url", ["http://files.example/x", "https://evil.example/x", "file:///etc/passwd", ""])
async def test_other_addresses_are_refused(url: str) -> None:
    """By the guard, before anything is sent."""

    async def resolve(_: str, __: int) -> list[str]:
        return ["93.184.215.14"]

    async def token() -> str:
        return "secret"

    guarded = Download(outgoing=OutgoingGuard(resolve=resolve), hosts=("files.example",), api_url=API, token=token)

    with pytest.raises(DocumentRefused):
        await guarded(at(url))
