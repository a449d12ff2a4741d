"""
Azure Communication Services as a carrier of mail: what is posted, and what its answers mean. No network here.

The contract is the service's public description, version 2023-03-31:
https://github.com/Azure/azure-rest-api-specs/blob/main/specification/communication/data-plane/Email/stable/2023-03-31/CommunicationServicesEmail.json

======================================  =============  ===============================================================
answer                                  class          what follows
======================================  =============  ===============================================================
202 to the post                         none yet       the operation is asked until it ends
429 to the post                         ``ACCOUNT``    the sender stops until the time the service names
401, 403, 404 to the post               ``ACCOUNT``    the sender stops: identity, role or endpoint are wrong
413 to the post                         ``TOO_LARGE``  held
any other 4xx to the post               ``SENDER``     the sender stops; counted once something is accepted
408, 409, anything else, no answer      ``UNKNOWN``    the operation is asked for 15 minutes; the sender stops
no connection                           ``LATER``      nothing was written: the same mail again, by the ladder
operation Succeeded                     ``ACCEPTED``   sent
operation Failed, Canceled              ``DROPPED``    refused: the service took the mail and gave it up
operation NotStarted, Running, unknown  none yet       asked again
======================================  =============  ===============================================================
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final
from uuid import UUID

from foundation.json_depth import read_shallow
from payflow.mail.codes import Phase, Verdict
from payflow.mail.formats import header_safe, without_addresses
from payflow.mail.smtp import SmtpOutcome

API_VERSION: Final = "2023-03-31"
BYTES_MAX: Final = 10_000_000
"""The service takes 10 MB a request, attachments in base64 included."""
DEPTH_MAX: Final = 32
"""An answer is an object with an error and its details."""
RETRY_S_MAX: Final = 86_400
ERROR_MAX: Final = 200
_ID_DIGITS: Final = 40
_ID: Final = re.compile(rf"<([0-9a-f]{{{_ID_DIGITS}}})@[^<>]*>")
_ACCEPTED, _TOO_MANY, _TOO_LARGE, _SERVER_ERROR = 202, 429, 413, 500
_OF_THE_ACCOUNT: Final = frozenset({401, 403, 404})
_MAYBE_TAKEN: Final = frozenset({408, 409})
"""The request may have been read whole; or its id is known already."""


def operation_of(message_id: str) -> str:
    """
    Return the operation id of the mail with *message_id*: a UUID made of the same hash, so always the same.

    Its first twelve digits are the Message-ID's: a report that names the operation finds the mail's row by them.
    Raises ValueError if it is not one of our Message-IDs.
    """
    found = _ID.fullmatch(message_id)
    if found is None:
        raise ValueError("no Message-ID of a mail of ours")
    return str(UUID(hex=found[1][:32], version=5))


def message_prefix(operation_id: str) -> str:
    """Return what the Message-ID of an operation begins with; empty if *operation_id* is no UUID."""
    try:
        return UUID(operation_id).hex[:12]
    except ValueError:
        return ""


def payload(sender: str, recipient: str, data: bytes) -> bytes:
    """
    Return the request's body for the mail *data*, to *recipient* alone.

    Only ``X-`` headers are passed on: which standard ones the service lets a sender set is not documented.
    """
    mail = message_from_bytes(data, policy=default)
    bodies = {"plainText": mail.get_body(("plain",)), "html": mail.get_body(("html",))}
    wanted: dict[str, Any] = {
        "senderAddress": sender,
        "recipients": {"to": [{"address": recipient}]},
        "content": {
            "subject": str(mail["Subject"]),
            **{name: part.get_content() for name, part in bodies.items() if part},
        },
        "attachments": [_attachment(part) for part in mail.iter_attachments()],
        "headers": {"X-PayFlow-Message": str(mail["Message-ID"]), "X-Auto-Response-Suppress": "All"},
        "userEngagementTrackingDisabled": True,
    }
    if reply_to := mail["Reply-To"]:
        wanted["replyTo"] = [{"address": reply_to.addresses[0].addr_spec}]
    return json.dumps(wanted, ensure_ascii=False).encode()


def _attachment(part: EmailMessage) -> dict[str, str]:
    content = b64encode(part.get_payload(decode=True) or b"").decode()  # type: ignore[arg-type]  # bytes: no multipart
    return {"name": part.get_filename() or "", "contentType": part.get_content_type(), "contentInBase64": content}


def after_post(status: int, retry_after: str, body: bytes) -> SmtpOutcome | None:
    """Return what the answer to the post means; None: the service has taken the mail, and its operation is asked."""
    if status == _ACCEPTED:
        return None
    words = _words(status, body)
    if status == _TOO_MANY:
        return SmtpOutcome(verdict=Verdict.ACCOUNT, phase=Phase.DOT, words=words, retry_s=requested_wait_s(retry_after))
    if status in _MAYBE_TAKEN or not 400 <= status < _SERVER_ERROR:  # noqa: PLR2004 -- 4xx
        return unknown(words, stops=status not in _MAYBE_TAKEN)
    verdict = Verdict.ACCOUNT if status in _OF_THE_ACCOUNT else Verdict.SENDER
    return SmtpOutcome(verdict=Verdict.TOO_LARGE if status == _TOO_LARGE else verdict, phase=Phase.DOT, words=words)


def after_asking(status: int, body: bytes) -> SmtpOutcome | None:
    """Return how the operation ended; None: it has not, or nobody knows."""
    if status != 200:  # noqa: PLR2004 -- OK
        return None
    match _object(body).get("status"):
        case "Succeeded":
            return SmtpOutcome(verdict=Verdict.ACCEPTED, phase=Phase.DOT, words="Succeeded")
        case "Failed" | "Canceled" as word:
            return SmtpOutcome(verdict=Verdict.DROPPED, phase=Phase.DOT, words=f"{word} {_error(body)}".strip())
    return None


def unknown(words: str, *, stops: bool) -> SmtpOutcome:
    """Return that nobody knows what became of a post; *stops*: the service itself is in trouble."""
    return SmtpOutcome(verdict=Verdict.UNKNOWN, phase=Phase.DOT, words=words, stops=stops)


def requested_wait_s(said: str) -> float:
    """Return what a ``Retry-After`` says, at most a day; 0 if it says no number of seconds."""
    plain = said.isascii() and said.isdecimal() and len(said) <= 9  # noqa: PLR2004 -- digits
    return float(min(int(said), RETRY_S_MAX)) if plain else 0.0


def _words(status: int, body: bytes) -> str:
    return f"{status} {_error(body)}".strip()


def _error(body: bytes) -> str:
    """Return code and message of an error, without addresses."""
    error = _object(body).get("error")
    if not isinstance(error, dict):
        return ""
    said = ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))
    return header_safe(without_addresses(said), ERROR_MAX)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = read_shallow(body, DEPTH_MAX)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
