"""
Who may post to us: a signature over id, time and body, as Standard Webhooks has it.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Signature scheme":
``webhook-signature`` is a list of ``v1,<base64 of HMAC-SHA256 over "id.timestamp.body">``, with blanks between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from foundation.clock import UnixMs

TOLERANCE_S: Final = 300
PREFIX: Final = "whsec_"
SECRET_BYTES_MIN: Final = 24
_HEADER_MAX: Final = 1_000


def webhook_key(secret: str) -> bytes:
    """Return the key of a secret, ``whsec_`` and base64. Raises ValueError if malformed or shorter than 24 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("must be whsec_ and base64") from None
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError("must be whsec_ and base64 of at least 24 random bytes")
    return key


def sign_post(secret: str, name: str, at_s: int, body: bytes) -> str:
    """Return the signature of a post."""
    signed = hmac.new(webhook_key(secret), f"{name}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def verify_post(headers: Mapping[str, str], body: bytes, secret: str, now: UnixMs) -> bool:
    """Say whether *body* was signed with *secret* within five minutes. Total; constant time in what is compared."""
    given = {name.lower(): value for name, value in headers.items()}
    name, at, signatures = (given.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (at.isascii() and at.isdecimal() and len(at) <= 12 and name) or len(name + signatures) > _HEADER_MAX:  # noqa: PLR2004 -- seconds
        return False
    if abs(now // 1000 - int(at)) > TOLERANCE_S:
        return False
    wanted = sign_post(secret, name, int(at), body).encode()
    return any(hmac.compare_digest(wanted, one.encode()) for one in signatures.split())
