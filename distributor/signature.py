"""
Who sent this body: the shop whose secret signed it.

One scheme today, the plain contract: ``X-WP-Signature`` holds HMAC-SHA256 of the raw body, keyed
with the UTF-8 bytes of the secret, as 64 hex digits in either case, optionally after ``sha256=``.
The body is signed as it travels; it is never parsed and written again before the comparison.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from distributor.errors import BadSignature

HEADER = "X-WP-Signature"

_PLAIN = re.compile(r"(?:sha256=)?([0-9A-Fa-f]{64})")
# One text for every cause: which part was wrong would help only someone who guesses.
_REFUSAL = f"The signature is missing or wrong: {HEADER} must be the HMAC-SHA256 of the exact body sent, in hex."


def verify(headers: Mapping[str, str], body: bytes, secrets: Mapping[str, Sequence[str]]) -> str:
    """
    Return the source whose secret signed *body*.

    Total: whatever the headers and the body are, it returns or raises BadSignature. The digests are
    compared as bytes and in constant time, and every secret is tried, so the time tells nothing.

    Args:
        headers: The request's headers; names in any case.
        body: The raw body.
        secrets: The secrets of each source; several while one is being replaced. An empty one never matches.

    Raises:
        BadSignature: Always the same text.
    """
    claimed = _claimed(headers)
    signers = [source for source, keys in secrets.items() for key in keys if _signed(body, key, claimed)]
    return signers[0] if signers else _refuse()


def _claimed(headers: Mapping[str, str]) -> bytes:
    """Read the one signature header; a doubled one (two names, or two values joined by a comma) is none."""
    values = [value for name, value in headers.items() if name.lower() == HEADER.lower()]
    match = _PLAIN.fullmatch(values[0]) if len(values) == 1 else None
    return bytes.fromhex(match[1]) if match else _refuse()


def _signed(body: bytes, key: str, claimed: bytes) -> bool:
    return bool(key) and hmac.compare_digest(hmac.digest(key.encode(), body, "sha256"), claimed)


def _refuse() -> NoReturn:
    raise BadSignature(_REFUSAL)
