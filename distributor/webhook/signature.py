"""
Which shop's secret signed a body.

The signature covers the raw body: it is never parsed and serialised again before the comparison.
``signature_schemes`` describes how requests are signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distributor.settings.shop_secrets import Which
from distributor.webhook.signature_schemes import Refusal, Scheme, SignatureClaim, read_claim, signing_key
from foundation.clock import UnixMs

REFUSAL = (
    "The signature is missing, too old or wrong: sign the exact bytes of the body with HMAC-SHA256 and the shop's "
    "secret, and send one signature header."
)
"""One text for every cause: which part was wrong would help only someone who guesses."""


QUESTION_REFUSAL = (
    "The signature is missing, too old or wrong: sign the time, a full stop, and the method and path as in "
    '"GET /shop/orders/1001", with HMAC-SHA256 and the shop\'s secret. A scheme without a time is not taken here.'
)
"""The same of a question, whose body is empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A secret of a shop, and whether it is the one in use or the one before it."""

    source: str
    which: Which
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """Who signed, with which of its secrets, and how."""

    source: str
    secret: Which
    scheme: Scheme
    signed_with: str = field(default="", repr=False, compare=False)
    """The secret itself, for its fingerprint; never logged."""


def check_signature(
    headers: Mapping[str, str], body: bytes, keys: Sequence[Key], now_ms: UnixMs, *, require_timestamp: bool = False
) -> Verified | Refusal:
    """
    Return whose secret signed *body*, or why it is refused: for our own log, never for the sender.

    Total: it returns for every header and every body.

    Args:
        headers: The request's headers; names in any case.
        body: The raw body.
        keys: The secrets of every shop. An empty one never matches.
        now_ms: The time, for the schemes that sign one.
        require_timestamp: Refuse the schemes that sign no time.
    """
    claim = read_claim(headers, body, now_s=now_ms // 1_000, require_timestamp=require_timestamp)
    if isinstance(claim, Refusal):
        return claim
    # Every key is tried, also after a match: the time taken does not tell which one it was.
    signers = [key for key in keys if _signed(claim, key)]
    if not signers:
        return Refusal.MISMATCH
    signer = signers[0]
    return Verified(source=signer.source, secret=signer.which, scheme=claim.scheme, signed_with=signer.secret)


def _signed(claim: SignatureClaim, key: Key) -> bool:
    """Compare bytes, in constant time, with every digest claimed."""
    secret = signing_key(key.secret, claim.scheme)
    expected = hmac.digest(secret, claim.signed, "sha256")
    matches = [hmac.compare_digest(expected, digest) for digest in claim.digests]
    return bool(secret) and any(matches)
