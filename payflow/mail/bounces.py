"""
A bounce, read from a delivery status notification (RFC 3464).

It is believed only if it names the Message-ID of one of our mails, in the headers of the mail that it returns. A
stranger would have to guess 160 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from typing import Final

BYTES_MAX: Final = 1_000_000
PARTS_MAX: Final = 50
_ID: Final = re.compile(r"<[0-9a-f]{40}@[A-Za-z0-9.-]{1,253}>")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounce:
    """A mail came back for good: its Message-ID, and the enhanced status (RFC 3463)."""

    message_id: str
    status: str


def parse_bounce(data: bytes) -> Bounce | None:
    """Return the bounce that *data* is; None if it is no bounce, reports only a delay, or names no mail of our form."""
    if len(data) > BYTES_MAX:
        return None
    message = message_from_bytes(data, policy=policy.compat32)
    parts = [part for part, _ in zip(message.walk(), range(PARTS_MAX), strict=False)]
    failed = next((status for part in parts for status in _failures(part)), "")
    named = next((found for part in parts[1:] for found in _ids(part)), "")
    return Bounce(message_id=named, status=failed) if failed and named else None


def _failures(part: Message) -> Iterator[str]:
    """Yield the status of each recipient whose delivery failed."""
    if str(part.get("Action", "")).strip().lower() == "failed":
        status = _STATUS.search(str(part.get("Status", "")))
        yield status[0] if status else "5.0.0"


def _ids(part: Message) -> Iterator[str]:
    """Yield the Message-ID of a returned mail, or of its returned headers."""
    texts = [str(part.get("Message-ID", ""))]
    if part.get_content_type() == "text/rfc822-headers":
        inner = part.get_payload(decode=True)
        texts.append(str(message_from_bytes(inner).get("Message-ID", "")) if isinstance(inner, bytes) else "")
    for text in texts:
        if found := _ID.fullmatch(text.strip()):
            yield found[0]
