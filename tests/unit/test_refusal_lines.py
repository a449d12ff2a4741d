"""What a stranger may write into the log: the lines of one refused request a minute and address."""

from __future__ import annotations

import json
import logging

import pytest

from distributor.errors import BadSignature
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.refusal_lines import CLIENTS_MAX, WINDOW_MS, RefusalLines
from distributor.webhook.signature import Key
from foundation import logs
from tests.fakes.clock import FrozenClock
from tests.fakes.senders import authentication

KEYS = [Key(source="default", which="current", secret="sixteen bytes or more")]  # pragma: allowlist secret
STRANGER = WebhookRequest(headers={"X-Forwarded-For": "192.0.2.1:4"}, body=b"{}")


def test_an_address_writes_its_lines_once_a_window(clock: FrozenClock) -> None:
    """Another address has lines of its own, until there are too many."""
    lines = RefusalLines(clock)
    lines.spend("a")

    assert (lines.spent("a"), lines.spent("b")) == (True, False)
    for number in range(CLIENTS_MAX + 5):
        lines.spend(str(number))
    assert lines.spent("b")
    clock.advance(WINDOW_MS)
    assert not lines.spent("a")


async def test_a_flood_of_unsigned_requests_writes_the_lines_of_one(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is rightly signed is always logged, also from an address that floods."""
    asked = authentication(KEYS, clock)
    own = logging.getLogger("distributor.functions")
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            with logs.hushable():
                with pytest.raises(BadSignature):
                    await asked.authenticate(STRANGER, body_bytes_max=99)
                logs.info(own, "request_refused")
                logs.warning(own, "trouble")

    events = [json.loads(record.getMessage())["event"] for record in caplog.records]
    assert {event: events.count(event) for event in set(events)} == {
        "signature_refused": 1,
        "request_refused": 1,
        "trouble": 100,
    }
    assert not logs.hushed()
