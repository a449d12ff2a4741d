"""What is between the functions and the app in tests: a container of use cases, an output, an invocation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import azure.functions as func

from distributor.errors import BadSignature
from distributor.ledger import Ledger
from distributor.model import DEFAULT_SOURCE
from distributor.ports import Alarm
from distributor.rates import Rate
from distributor.webhook import intake, woocommerce_intake
from distributor.webhook.authentication import Authentication, Sender, WebhookRequest
from distributor.webhook.rate_limiter import RateLimiter
from distributor.webhook.refusal_lines import RefusalLines
from distributor.webhook.signature import Verified
from distributor.webhook.signature_schemes import Scheme
from tests.fakes.clock import FrozenClock
from tests.fakes.counters import FakeCounters

Act = Callable[..., Awaitable[Any]]


BODY_BYTES_MAX = {"intake": intake.BODY_BYTES_MAX, "woocommerce": woocommerce_intake.BODY_BYTES_MAX}


class FakeAuthentication(Authentication):
    """Every signature is right, or none where a time is required."""

    def verify(self, request: WebhookRequest, *, question: bool = False) -> Verified:  # noqa: ARG002 -- as the real one is asked
        if self.require_timestamp:
            raise BadSignature
        return Verified(source=DEFAULT_SOURCE, secret="current", scheme=Scheme.HEX)


@dataclass
class FakeIntake:
    """Authenticate as the real intakes do; then do what a test says."""

    authentication: Authentication
    act: Act
    body_bytes_max: int

    async def accept(self, request: WebhookRequest) -> tuple[Sender, Any]:
        """Answer with what the test's act returns."""
        sender = await self.authentication.authenticate(request, body_bytes_max=self.body_bytes_max)
        return sender, await self.act(sender.verified.source, request.body)


async def _never(*_asked: Any) -> Any:
    raise AssertionError("nothing was to be taken")


@dataclass
class FakeContainer:
    """Gives use cases that do what a test says, or are the real ones, or cannot be built."""

    acts: dict[str, Act | Exception | Ledger] = field(default_factory=dict)
    alarms_raised: list[Alarm] = field(default_factory=list)
    alarm_sweeps: int = 0
    forged: bool = False
    limits: tuple[Rate | None, Rate | None] | Exception = (None, None)
    """What an address and a shop may send."""
    clock: FrozenClock = field(default_factory=FrozenClock)

    dead_sweep_looks: int = 0
    """How often a turn looked whether the sweep is dead."""
    heartbeats: int = 0
    """How often a sweep was whole."""
    wakes: int = 0
    """How often the payouts were woken."""

    def __post_init__(self) -> None:
        self.counters = FakeCounters(self.clock)

    @property
    def payouts(self) -> FakeContainer:
        """The use cases that move money are here too."""
        return self

    def __getattr__(self, name: str) -> Callable[[], Awaitable[Any]]:
        async def build() -> Any:
            act = self.acts.get(name, _never) if name in BODY_BYTES_MAX else self.acts[name]
            if isinstance(act, Exception):
                raise act
            if not callable(act):
                return act
            if name in BODY_BYTES_MAX:
                return FakeIntake(await self.authentication(), act, BODY_BYTES_MAX[name])
            verb = {
                "status": "of",
                "shop_reading": "of",
                "order_list": "document",
                "distribution": "drain",
                "settlement": "follow",
            }
            return SimpleNamespace(**{verb.get(name, "report" if name == "readiness" else "run"): act})

        return build

    async def authentication(self) -> Authentication:
        """Find every request signed by the default shop, unless *forged* says otherwise."""
        return FakeAuthentication(
            rate_limiter=await self.rate_limiter(),
            keys=list,
            clock=self.clock,
            refusal_lines=RefusalLines(self.clock),
            require_timestamp=self.forged,
        )

    async def rate_limiter(self) -> RateLimiter:
        """Let everybody in, unless *limits* says otherwise."""
        if isinstance(self.limits, Exception):
            raise self.limits
        per_address, per_source = self.limits
        return RateLimiter(
            counters=self.counters, per_address=per_address, per_source=per_source, trusted_proxies=0, clock=self.clock
        )

    async def heartbeat(self) -> None:
        """Count the whole sweeps."""
        self.heartbeats += 1

    async def wake_distribution(self) -> None:
        """Count the wake-ups."""
        self.wakes += 1

    async def alarm_sweep(self) -> Any:
        """Count how often the standing alarms were sent, or fail if set to."""

        async def run() -> None:
            self.alarm_sweeps += 1
            if isinstance(failure := self.acts.get("alarm_sweep"), Exception):
                raise failure

        return SimpleNamespace(run=run)

    async def stand_in(self) -> Any:
        """Count how often a turn looked whether the sweep is dead, or fail if set to."""

        async def run() -> None:
            self.dead_sweep_looks += 1
            if isinstance(failure := self.acts.get("dead_sweep"), Exception):
                raise failure

        return SimpleNamespace(run=run)

    async def alarms(self) -> Any:
        """Collect alarms."""

        async def raise_(alarm: Alarm) -> None:
            self.alarms_raised.append(alarm)

        return SimpleNamespace(raise_=raise_)


def returns(value: Any) -> Act:
    """A use case that returns *value*."""

    async def act(*_asked: Any) -> Any:
        return value

    return act


def raises(error: Exception) -> Act:
    """A use case that fails with *error*."""

    async def act(*_asked: Any) -> Any:
        raise error

    return act


class Out(func.Out[str]):
    """A queue output binding that keeps what was set."""

    def __init__(self) -> None:
        self.message: str | None = None

    def set(self, val: str) -> None:
        self.message = val

    def get(self) -> str:
        return self.message or ""


def a_context(name: str = "receive_order", trace_parent: str = "") -> Any:
    """The invocation as the host describes it."""
    return SimpleNamespace(
        function_name=name, invocation_id="inv-1", trace_context=SimpleNamespace(trace_parent=trace_parent)
    )
