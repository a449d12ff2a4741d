"""A shop's receiver of call-backs: verifies, keeps the highest event of each order, and answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.call_backs.message import call_back_secret
from distributor.webhook.signature import Key, Verified, check_signature
from foundation.outgoing.guard import Answer, Limits, Request
from tests.fakes.clock import FrozenClock

URL = "https://shop.example/ballx"
OURS = "secret of the default shop, 32 bytes"  # pragma: allowlist secret


@dataclass
class FakeReceiver:
    """Answers 204, or what ``answers`` has next: a status, or an error to raise."""

    clock: FrozenClock
    secret: str = OURS
    answers: list[int | Exception] = field(default_factory=list)
    down: int | Exception | None = None
    """What it answers for as long as it is set."""
    reply_headers: dict[str, str] = field(default_factory=dict)
    got: list[Request] = field(default_factory=list)
    knows: dict[str, str] = field(default_factory=dict)
    """The status of each order, as the shop has it."""
    seen: dict[str, int] = field(default_factory=dict)
    before: Callable[[Request], None] | None = None
    """What happens when a request comes, before it is answered."""

    async def send(self, request: Request, limits: Limits) -> Answer:
        """Take one call-back, as the outgoing guard would hand it over."""
        assert limits.deadline_s == 15
        assert limits.redirects_max == 0
        self.got.append(request)
        if self.before is not None:
            self.before(request)
        answer = self.down or (self.answers.pop(0) if self.answers else 204)
        if isinstance(answer, Exception):
            raise answer
        if answer < 300:
            self.take(request.body or b"", request.headers)
        return Answer(status=answer, headers=self.reply_headers, body=b"", host="shop.example")

    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Verify a call-back and keep it if it is newer than what is known of its order."""
        assert self.verifies(body, headers)
        data = json.loads(body)["data"]
        if "order_id" in data and data["sequence"] > self.seen.get(data["order_id"], 0):
            self.seen[data["order_id"]] = data["sequence"]
            self.knows[data["order_id"]] = data["status"]

    def verifies(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Say whether the receiver's key signs *body*."""
        key = Key(source="shop", which="current", secret=call_back_secret(self.secret))
        verified = check_signature(headers, body, [key], self.clock(), require_timestamp=True)
        return isinstance(verified, Verified)

    @property
    def ids(self) -> Sequence[str]:
        """The ids of what came, in order."""
        return [request.headers["webhook-id"] for request in self.got]

    @property
    def told(self) -> Sequence[tuple[str, str]]:
        """Which order came as what, in order."""
        documents = [json.loads(request.body or b"{}") for request in self.got]
        return [(each["data"].get("order_id", "-"), each["type"]) for each in documents]
