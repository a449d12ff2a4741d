"""
Who sent a request, and may this sender send another one.

Checked in this order: has the client's address used up its rate, can the body be an order, who signed
it, has that shop used up its rate. A request that is refused before its signature proved anything
counts against the client's address; a signed one counts against its shop alone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.errors import BadSignature, BodyTooLarge, MalformedOrder, NotJson
from distributor.rates import Window
from distributor.webhook.rate_limiter import RateLimiter
from distributor.webhook.refusal_lines import RefusalLines
from distributor.webhook.signature import QUESTION_REFUSAL, REFUSAL, Key, Verified, check_signature
from distributor.webhook.signature_schemes import Refusal
from foundation import logs
from foundation.clock import Clock
from foundation.errors import ConfigurationError, Rejected, ServiceError

_CLOSED = (
    "The secret of a shop cannot be used; /ready names the setting. A signature that fits no other shop may be its own"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """A request as it travelled: its headers, whose names may be in any case, and its raw body."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """The shop that signed a request, and what is left of its rate; None where no rate is set."""

    verified: Verified
    window: Window | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Authentication:
    """Tell who sent a request; needs the shops' secrets and the request counters, and no ledger."""

    rate_limiter: RateLimiter
    keys: Callable[[], Sequence[Key]] = field(repr=False)
    """The secrets that count at this moment."""
    clock: Clock
    refusal_lines: RefusalLines
    """Whose refused requests were logged in this minute."""
    require_timestamp: bool = False
    """Refuse signatures that do not cover a time."""
    closes_a_shop: Callable[[], bool] = lambda: False
    """Says whether some shop's secret cannot be used, so that its requests look like forged ones."""

    async def authenticate(self, request: WebhookRequest, *, body_bytes_max: int) -> Sender:
        """
        Return the shop that signed *request*, before anything in its body is read.

        Raises:
            Rejected: The body cannot be an order, or the signature is wrong. Counts against the address.
            RateLimited: The address or the shop has used up its rate.
            ConfigurationError: Nobody is known to have signed so, and a shop's secret cannot be used. Counts, too.
        """

        def verified() -> Verified:
            _check_body(request, body_bytes_max)
            return self.verify(request)

        return await self._sender(request, verified, self.rate_limiter.consume)

    async def authenticate_question(self, headers: Mapping[str, str], asked: str) -> Sender:
        """
        Return the shop that signed the question *asked*: its method and path, such as ``GET /shop/orders/1001``.

        The signature is a webhook's over these bytes in place of a body, and always with a time: posted to the
        webhook it is no order, and an order's is no signature of a question. Questions have a rate of their own, so
        that a shop that asks often is not refused its orders.

        Raises:
            Rejected: The signature is wrong, or covers no time. Counts against the address.
            RateLimited: The address or the shop has used up its rate.
            ConfigurationError: Nobody is known to have signed so, and a shop's secret cannot be used. Counts, too.
        """
        request = WebhookRequest(headers=headers, body=asked.encode("utf-8", "surrogatepass"))
        return await self._sender(
            request, lambda: self.verify(request, question=True), self.rate_limiter.consume_question
        )

    async def _sender(
        self,
        request: WebhookRequest,
        verify: Callable[[], Verified],
        consume: Callable[[str], Awaitable[Window | None]],
    ) -> Sender:
        forwarded_for = _header(request, "x-forwarded-for", "")
        client = self.rate_limiter.client(forwarded_for)
        logs.hush(on=self.refusal_lines.spent(client))
        try:
            verified = await self._authenticated(verify, forwarded_for)
        except ServiceError:
            self.refusal_lines.spend(client)
            raise
        logs.hush(on=False)
        return Sender(verified=verified, window=await consume(verified.source))

    async def _authenticated(self, verify: Callable[[], Verified], forwarded_for: str) -> Verified:
        client = await self.rate_limiter.check(forwarded_for)
        try:
            return verify()
        except (Rejected, ConfigurationError):
            await self.rate_limiter.penalize(client)
            raise

    def verify(self, request: WebhookRequest, *, question: bool = False) -> Verified:
        """
        Return whose secret signed *request*; of a *question* only with a time.

        Raises:
            BadSignature: With one text, whatever the cause.
            ConfigurationError: It may be the shop whose secret cannot be used. It is not told that it signs wrongly:
                it would send nothing again.
        """
        found = check_signature(
            request.headers,
            request.body,
            self.keys(),
            self.clock(),
            require_timestamp=self.require_timestamp or question,
        )
        if isinstance(found, Refusal):
            logs.info(_log, "signature_refused", cause=found)
            if found is Refusal.MISMATCH and self.closes_a_shop():
                raise ConfigurationError(_CLOSED)
            raise BadSignature(QUESTION_REFUSAL if question else REFUSAL)
        logs.info(_log, "signature_verified", source=found.source, secret=found.secret, scheme=found.scheme)
        return found


def _check_body(request: WebhookRequest, bytes_max: int) -> None:
    """Raise BodyTooLarge, MalformedOrder when there is no body, or NotJson."""
    if len(request.body) > bytes_max:
        raise BodyTooLarge(f"The body has more than {bytes_max} bytes, which no order sent here has.")
    if not request.body:
        # The host delivers no body that came without Content-Length. Say so before the signature of a
        # body that never arrived is called wrong.
        raise MalformedOrder("The request has no body: send it with Content-Length, not chunked.", code="body_empty")
    media_type = _header(request, "content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson("The content type must be application/json.")


def _header(request: WebhookRequest, name: str, default: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name), default)
