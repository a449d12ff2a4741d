"""
Use case: let nobody ask so often that others cannot.

Two limits guard the webhook. An address is charged for each request that is refused before a
signature proved who sent it; once it has spent its rate, nothing more of it is looked at. A source
is charged for each request it signed. So a client that floods the service with guesses runs out of them,
and a shop, whose requests are signed, is never locked out by what it sells.

A limit guards our machines, never money: an order that was signed is paid once, however often it
comes. So counters that cannot be read refuse nobody (see docs/decisions/0023).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from distributor.errors import CountersUnavailable, RateLimited
from distributor.ports import Counters
from distributor.rates import Rate, Window
from distributor.webhook.client_ip import UNKNOWN_CLIENT, rate_limit_key
from foundation import logs
from foundation.clock import Clock, UnixMs

OUTAGE_MS = 10_000
"""After the counters failed, requests pass uncounted so long: a store that hangs must not slow each order."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Outage:
    until_ms: UnixMs = UnixMs(0)


@dataclass(frozen=True, kw_only=True)
class RateLimiter:
    """Count what comes in, by address and by source; a rate of None is off."""

    counters: Counters
    per_address: Rate | None
    per_source: Rate | None
    trusted_proxies: int | None
    """
    Trusted proxies in front of the platform's front end, each of which appends to X-Forwarded-For.

    None: there is no front end, and the client writes that header itself. Then all clients share one name, and only
    what proved nothing is counted and refused under it: one bucket must not shut the shops out.
    """
    clock: Clock
    _outage: _Outage = field(default_factory=_Outage, init=False, repr=False)

    def client(self, forwarded_for: str) -> str:
        """Return the name the client is counted under; all share one where no front end names them."""
        if self.trusted_proxies is None:
            return UNKNOWN_CLIENT
        return rate_limit_key(forwarded_for, trusted_proxies=self.trusted_proxies)

    async def check(self, forwarded_for: str) -> str:
        """Return the name the client is counted under. Raises RateLimited when it has spent its rate."""
        client = self.client(forwarded_for)
        if self.trusted_proxies is None:
            return client
        window = await self._counted(self.counters.left, self.per_address, f"address:{client}")
        if window and window.remaining < 1:
            _refuse("address", client, window)
        return client

    async def penalize(self, client: str) -> None:
        """
        Count a request of *client* that was refused before it proved anything.

        Raises RateLimited where no front end names the client and all of them together have spent their rate.
        """
        window = await self._counted(self.counters.take, self.per_address, f"address:{client}")
        if self.trusted_proxies is None and window and window.remaining < 0:
            _refuse("address", client, window)

    async def consume(self, source: str) -> Window | None:
        """Count an order that *source* signed; None when nothing is counted. Raises RateLimited."""
        return await self._consume(source, f"source:{source}")

    async def consume_question(self, source: str) -> Window | None:
        """Count a question that *source* signed, apart from its orders, at the same rate. Raises RateLimited."""
        return await self._consume(source, f"questions:{source}")

    async def _consume(self, source: str, key: str) -> Window | None:
        window = await self._counted(self.counters.take, self.per_source, key)
        if window and window.remaining < 0:
            _refuse("source", source, window)
        return window

    async def _counted(
        self, count: Callable[[str, Rate], Awaitable[Window]], rate: Rate | None, key: str
    ) -> Window | None:
        """Return the window of *key*; None where there is no limit, or no sight of the counters."""
        if rate is None or self.clock() < self._outage.until_ms:
            return None
        try:
            return await count(key, rate)
        except CountersUnavailable as error:
            self._outage.until_ms = UnixMs(self.clock() + OUTAGE_MS)
            logs.warning(_log, "rate_limiter_unavailable", why=str(error), until_ms=self._outage.until_ms)
            return None


def _refuse(policy: str, who: str, window: Window) -> None:
    if not logs.hushed():
        logs.warning(_log, "rate_limited", policy=policy, who=who, amount=window.rate.amount, reset_s=window.reset_s)
    raise RateLimited(policy=policy, window=window)
