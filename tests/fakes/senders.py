"""Who signs in tests, and how a test asks who signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distributor.webhook.authentication import Authentication, WebhookRequest
from distributor.webhook.rate_limiter import RateLimiter
from distributor.webhook.refusal_lines import RefusalLines
from distributor.webhook.signature import Key, Verified
from foundation.clock import Clock, UnixMs
from tests.fakes.counters import FakeCounters


def authentication(keys: Sequence[Key], clock: Clock, *, require_timestamp: bool = False) -> Authentication:
    """Return an authentication with *keys* and without rate limits."""
    rate_limiter = RateLimiter(
        counters=FakeCounters(clock), per_address=None, per_source=None, trusted_proxies=0, clock=clock
    )
    return Authentication(
        rate_limiter=rate_limiter,
        keys=lambda: keys,
        clock=clock,
        refusal_lines=RefusalLines(clock),
        require_timestamp=require_timestamp,
    )


def verify(
    headers: Mapping[str, str], body: bytes, keys: Sequence[Key], now_ms: UnixMs, *, require_timestamp: bool = False
) -> Verified:
    """Return whose secret signed *body*, or raise BadSignature."""
    asked = authentication(keys, lambda: now_ms, require_timestamp=require_timestamp)
    return asked.verify(WebhookRequest(headers=headers, body=body))
