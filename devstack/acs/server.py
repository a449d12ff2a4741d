"""
The stand-in as an HTTP server: it takes a mail, and says what became of it.

Sources: **[S]** the service's public description, API version 2023-03-31 and 2025-09-01,
https://github.com/Azure/azure-rest-api-specs/tree/main/specification/communication/data-plane/Email/stable;
**[L]** the official library azure-communication-email 1.1.0; **[?]** not documented: the worst case is taken.

- Two routes, and a required ``api-version`` [S]; ``Operation-Id`` is a UUID [S]. Everything else is an error with
  ``error.code`` and ``x-ms-error-code`` [S].
- ``Authorization`` is a bearer token for ``https://communication.azure.com/.default`` [L]. (HMAC of an access key is
  the other way [S, L]; PayFlow has no key, and the stand-in takes none.)
- 202 with ``Operation-Location``, ``retry-after``, ``id`` and ``status`` [S]; the operation is NotStarted or Running,
  then Succeeded, Failed or Canceled, ``retry-after`` only before its end [S].
- A request is 10 MB at most [S]; over that 413 [?].
- A body with a member that the description does not have, or without a required one, is refused [S; how, ?].
- An operation id that was used already makes a second mail [?]: an app that posts twice is seen by its mailbox.
- An operation that nobody began is 404 [?].
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

VERSIONS: Final = frozenset({"2023-03-31", "2025-09-01"})
BYTES_MAX: Final = 10_000_000
TOKEN: Final = "token-for-communication"  # noqa: S105 -- the stand-in's only one
_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(
        {"headers", "senderAddress", "content", "recipients", "attachments", "replyTo"}
        | {"userEngagementTrackingDisabled"}
    ),
    "content": frozenset({"subject", "plainText", "html"}),
    "recipients": frozenset({"to", "cc", "bcc"}),
    "attachments": frozenset({"name", "contentType", "contentInBase64", "contentId"}),
    "address": frozenset({"address", "displayName"}),
}


@dataclass(kw_only=True)
class Faults:
    """Where the service misbehaves, for the next *times* posts."""

    status: int = 0
    """Answered to a post instead of 202; the mail is taken all the same if ``takes``."""
    takes: bool = False
    retry_after: str = ""
    hang_up: bool = False
    """The mail is taken if ``takes``, and the connection is cut without an answer."""
    late_s: float = 0.0
    asked_status: int = 0
    """Answered to questions about operations."""
    times: int = 1_000_000

    def strike(self) -> bool:
        self.times -= 1
        return self.times >= 0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A mail the service took."""

    operation: str
    mail: Mapping[str, Any]

    @property
    def recipients(self) -> Sequence[str]:
        return [str(one["address"]) for one in self.mail["recipients"]["to"]]

    @property
    def document(self) -> bytes:
        return base64.b64decode(self.mail["attachments"][0]["contentInBase64"])


@dataclass
class Acs:
    """The whole of it."""

    taken: list[Taken] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    ends: str = "Succeeded"
    """What every operation becomes: Succeeded, Failed, Canceled, or Running for one that does not end."""
    error: Mapping[str, str] = field(
        default_factory=lambda: {"code": "EmailDropped", "message": "Email was dropped after several attempts."}
    )
    asks_before_end: int = 1
    requests: Counter[str] = field(default_factory=Counter)
    base_url: str = ""
    _asked: Counter[str] = field(default_factory=Counter)

    def app(self) -> web.Application:
        """Return the application; it answers at ``base_url``, which its caller sets."""
        app = web.Application(client_max_size=BYTES_MAX + 1)
        app.router.add_post("/emails:send", self._send)
        app.router.add_get("/emails/operations/{operation}", self._status)
        app.router.add_route("*", "/{path:.*}", _no_route)
        return app

    async def _send(self, request: web.Request) -> web.StreamResponse:
        self.requests["post"] += 1
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, "RequestTooLarge")
        operation = request.headers.get("Operation-Id", "")
        if wrong := _wrong_request(request) or _wrong_mail(raw):
            return _problem(401 if wrong == "Denied" else 400, wrong)
        return await self._answered(
            request, Taken(operation=_uuid(operation) or str(uuid.uuid4()), mail=json.loads(raw))
        )

    async def _answered(self, request: web.Request, taken: Taken) -> web.StreamResponse:
        faults = self.faults
        strikes = bool(faults.status or faults.hang_up) and faults.strike()
        if not strikes or faults.takes:
            self.taken.append(taken)
        await asyncio.sleep(faults.late_s)
        if strikes and faults.hang_up:
            _cut(request)
        if strikes and faults.status:
            return _problem(faults.status, "Scripted", retry_after=faults.retry_after)
        return self._shown(taken.operation, "Running", 202)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        self.requests["get"] += 1
        operation = _uuid(request.match_info["operation"])
        if wrong := _wrong_request(request):
            return _problem(401 if wrong == "Denied" else 400, wrong)
        if self.faults.asked_status:
            return _problem(self.faults.asked_status, "Scripted")
        if not any(one.operation == operation for one in self.taken):
            return _problem(404, "OperationNotFound")
        self._asked[operation] += 1
        ended = self._asked[operation] > self.asks_before_end
        return self._shown(operation, self.ends if ended else "Running", 200)

    def _shown(self, operation: str, status: str, code: int) -> web.Response:
        body: dict[str, Any] = {"id": operation, "status": status}
        headers = {"Operation-Location": f"{self.base_url}/emails/operations/{operation}?api-version=2023-03-31"}
        if status == "Running":
            headers["retry-after"] = "3"
        elif status != "Succeeded":
            body["error"] = dict(self.error)
        return web.json_response(body, status=code, headers=headers)


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _wrong_request(request: web.Request) -> str:
    """Return what is wrong with a request beside its body; empty if nothing is."""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return "Denied"
    if request.query.get("api-version") not in VERSIONS or len(request.query) != 1:
        return "InvalidApiVersion"
    given = request.headers.get("Operation-Id")
    return "InvalidOperationId" if given is not None and not _uuid(given) else ""


def _wrong_mail(raw: bytes) -> str:
    """Return what is wrong with a mail, by the description; empty if nothing is."""
    try:
        mail = json.loads(raw)
        return _unknown_member(mail) or _wrong_values(mail)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        return f"InvalidRequest: {type(error).__name__}"


def _unknown_member(mail: Mapping[str, Any]) -> str:
    people = [*mail["recipients"]["to"], *mail.get("replyTo", [])]
    parts = [("", mail), ("content", mail["content"]), ("recipients", mail["recipients"])]
    parts += [("attachments", one) for one in mail.get("attachments", [])] + [("address", one) for one in people]
    unknown = [name for kind, part in parts for name in part if name not in _MEMBERS[kind]]
    return f"UnknownMember: {unknown[0]}" if unknown else ""


def _wrong_values(mail: Mapping[str, Any]) -> str:
    texts = [mail["senderAddress"], mail["content"]["subject"], *(one["address"] for one in mail["recipients"]["to"])]
    for attachment in mail.get("attachments", []):
        base64.b64decode(attachment["contentInBase64"], validate=True)
        texts += [attachment["name"], attachment["contentType"]]
    texts += mail.get("headers", {}).values()
    good = all(isinstance(text, str) and text and not set(text) & {"\r", "\n"} for text in texts)
    return "" if good and mail["recipients"]["to"] else "InvalidValue"


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _problem(status: int, code: str, *, retry_after: str = "") -> web.Response:
    headers = {"x-ms-error-code": code.partition(":")[0]} | ({"Retry-After": retry_after} if retry_after else {})
    body = {"error": {"code": code, "message": "see ana@medica.com.br"}}
    return web.json_response(body, status=status, headers=headers)


async def _no_route(_request: web.Request) -> web.StreamResponse:
    return _problem(404, "NotFound")
