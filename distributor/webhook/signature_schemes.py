"""
What a request claims: which scheme signs it, over which bytes, and when.

==================  ============================================  =====================================
scheme              headers                                       signed bytes
==================  ============================================  =====================================
standard-webhooks   webhook-id, webhook-timestamp,                ``{id}.{timestamp}.{body}``
                    webhook-signature: ``v1,<base64>``, several
                    separated by spaces
timed-hex           X-WP-Signature: ``t=<unix>,v1=<hex>``,        ``{t}.{body}``
                    several ``v1=``
hex                 X-WP-Signature: 64 hex digits, optionally     ``{body}``
                    after ``sha256=``
base64              X-WP-Webhook-Signature, else                  ``{body}``
                    X-WC-Webhook-Signature: 44 characters
==================  ============================================  =====================================

The digest is always HMAC-SHA256. The strongest scheme that any header names decides alone: a
request that fails under it is not read again under a weaker one. A header that comes twice is no
header, whether as two names that differ in case or as one value joined by a comma.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
https://docs.stripe.com/webhooks#verify-manually, and for the base64 schemes WC_Webhook::generate_signature,
https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor import base64_text
from distributor.settings.shop_secrets import WHSEC, whsec_key

WINDOW_S = 300
"""A signed time may be this far from ours, before or after."""

_ID, _TIME, _SIGNATURES = "webhook-id", "webhook-timestamp", "webhook-signature"
_TRIPLE = frozenset((_ID, _TIME, _SIGNATURES))
_PLAIN = "x-wp-signature"
_BASE64 = ("x-wp-webhook-signature", "x-wc-webhook-signature")
_NAMES = _TRIPLE | {_PLAIN, *_BASE64}

_HEX = re.compile(r"(?:sha256=)?([0-9A-Fa-f]{64})")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
_UNIX_S = re.compile(r"[0-9]{1,11}")
# The specification wants no full stop in an id: it separates what is signed. No comma either: a doubled header has one.
_MESSAGE_ID = re.compile(r"[!-+\-/-~]{1,256}")
_NAMED = re.compile(r"([A-Za-z0-9]+)=([!-~]*)")
_VERSIONED = re.compile(r"(v[0-9]+[a-z]?),([0-9A-Za-z+/=]*)")
_DIGEST_BYTES = 32


class Scheme(StrEnum):
    """How a request is signed."""

    STANDARD = "standard-webhooks"
    TIMED = "timed-hex"
    HEX = "hex"
    BASE64 = "base64"


class Refusal(StrEnum):
    """Why a request is nobody's; for our own log, never for its sender."""

    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    STALE = "stale"
    """The signed time is too far from ours: an old request sent again, or a clock that is wrong."""
    UNTIMED = "untimed"
    """The scheme signs no time, and WEBHOOK_REQUIRE_TIMESTAMP wants one."""
    MISMATCH = "mismatch"
    """No secret gives this signature: another secret, or other bytes than those signed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignatureClaim:
    """What the sender says it signed; any one of the digests proves it."""

    scheme: Scheme
    signed: bytes
    digests: Sequence[bytes]
    sent_s: int | None = None
    """The signed time, Unix seconds; None where the scheme signs none."""


def read_claim(
    headers: Mapping[str, str], body: bytes, *, now_s: int, require_timestamp: bool
) -> SignatureClaim | Refusal:
    """Return what the headers claim of *body*, or why they claim nothing that counts. Never raises."""
    claim = _claim(headers, body)
    if isinstance(claim, Refusal):
        return claim
    if claim.sent_s is None:
        return Refusal.UNTIMED if require_timestamp else claim
    return claim if abs(now_s - claim.sent_s) <= WINDOW_S else Refusal.STALE


def is_signed(headers: Mapping[str, str]) -> bool:
    """Tell whether any header claims a signature, whatever it is worth."""
    return any(name.lower() in _NAMES for name in headers)


def signing_key(secret: str, scheme: Scheme) -> bytes:
    """
    Return the key in *secret*: its bytes as they are written, in UTF-8.

    Only Standard Webhooks knows a secret that is itself encoded: there the key is the base64 after
    ``whsec_``. Senders of the other schemes use such a text unchanged. Empty: no key.
    """
    if scheme is Scheme.STANDARD and secret.startswith(WHSEC):
        return whsec_key(secret)
    return secret.encode()


def _claim(headers: Mapping[str, str], body: bytes) -> SignatureClaim | Refusal:
    found = [(name.lower(), value) for name, value in headers.items() if name.lower() in _NAMES]
    values = dict(found)
    if len(values) < len(found):
        return Refusal.MALFORMED
    if values.keys() & _TRIPLE:
        return _standard(values, body)
    if _PLAIN in values:
        plain = _HEX.fullmatch(values[_PLAIN])
        return _hex(plain[1], body) if plain else _timed(values[_PLAIN], body)
    base64s = [values[name] for name in _BASE64 if name in values]
    return _base64(base64s[0], body) if base64s else Refusal.UNSIGNED


def _standard(values: Mapping[str, str], body: bytes) -> SignatureClaim | Refusal:
    message_id, sent, signatures = (values.get(name, "") for name in (_ID, _TIME, _SIGNATURES))
    versioned = [_VERSIONED.fullmatch(one) for one in signatures.split(" ")]
    digests = [_digest(one[2]) for one in versioned if one and one[1] == "v1"]
    if not (_MESSAGE_ID.fullmatch(message_id) and _UNIX_S.fullmatch(sent) and all(versioned)):
        return Refusal.MALFORMED
    return _timed_claim(Scheme.STANDARD, f"{message_id}.{sent}.".encode() + body, digests, sent)


def _timed(value: str, body: bytes) -> SignatureClaim | Refusal:
    """Read ``t=…,v1=…``; what other names hold belongs to schemes we do not know."""
    parts = [_NAMED.fullmatch(part) for part in value.split(",")]
    times = [part[2] for part in parts if part and part[1] == "t"]
    digests = [_hex_digest(part[2]) for part in parts if part and part[1] == "v1"]
    if not (all(parts) and len(times) == 1 and _UNIX_S.fullmatch(times[0])):
        return Refusal.MALFORMED
    return _timed_claim(Scheme.TIMED, f"{times[0]}.".encode() + body, digests, times[0])


def _timed_claim(scheme: Scheme, signed: bytes, digests: Sequence[bytes | None], sent: str) -> SignatureClaim | Refusal:
    """Return the claim; one malformed digest invalidates the whole list."""
    whole = [digest for digest in digests if digest is not None]
    if not whole or len(whole) < len(digests):
        return Refusal.MALFORMED
    return SignatureClaim(scheme=scheme, signed=signed, digests=whole, sent_s=int(sent))


def _hex(digits: str, body: bytes) -> SignatureClaim:
    return SignatureClaim(scheme=Scheme.HEX, signed=body, digests=[bytes.fromhex(digits)])


def _base64(value: str, body: bytes) -> SignatureClaim | Refusal:
    digest = _digest(value)
    return Refusal.MALFORMED if digest is None else SignatureClaim(scheme=Scheme.BASE64, signed=body, digests=[digest])


def _hex_digest(text: str) -> bytes | None:
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else None


def _digest(text: str) -> bytes | None:
    """Return the 32 bytes that strict base64 encodes."""
    value = base64_text.decoded(text)
    return value if value is not None and len(value) == _DIGEST_BYTES else None
