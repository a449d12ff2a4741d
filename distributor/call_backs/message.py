"""
What a shop gets: a signed note that something became of an order, and no more than that.

It is a wake-up and not the truth: a receiver that is in doubt asks for the order. The signature is Standard Webhooks',
with a key of its own, made from the shop's secret for this use alone: a call-back that is posted back to ``/webhook``
is refused there, and an order that is posted to the shop's receiver is refused by the receiver.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from distributor.ledger.call_records import CallBack
from distributor.model import OrderKey, OrderStatus
from distributor.settings.shop_secrets import WHSEC
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.signing import signed_headers
from foundation.clock import UnixMs
from foundation.version import version

PURPOSE = b"ballx call-back v1"
"""What the key is made for; another use of the shop's secret has another label."""
TEST = "test"
_REOPENED = "order.reopened"


def call_back_secret(secret: str) -> str:
    """
    Return what a receiver verifies with, in the form of Standard Webhooks: ``whsec_`` and base64.

    The key is HMAC-SHA256 of ``PURPOSE`` under the shop's secret as it is written, in UTF-8.
    """
    return WHSEC + base64.b64encode(hmac.digest(secret.encode(), PURPOSE, "sha256")).decode()


def event_id(key: OrderKey, sequence: int) -> str:
    """Return the id of an event, the same at each attempt; a receiver that has seen it needs to do nothing."""
    return "evt_" + hashlib.sha256(f"{key}:{sequence}".encode()).hexdigest()[:32]


def event_type(status: OrderStatus) -> str:
    """Return what became of an order: ``order.paid``, ``order.held``, ``order.cancelled``, ``order.reopened``."""
    return _REOPENED if status is OrderStatus.RECEIVED else f"order.{status}"


def body_of(call_back: CallBack) -> bytes:
    """Return the body of a call-back, the same at each attempt: no wallet, no amount, no reason."""
    return _document(
        event_type(call_back.status),
        call_back.at_ms,
        {
            "event_id": event_id(call_back.key, call_back.sequence),
            "source": call_back.source,
            "order_id": call_back.order_id,
            "status": str(call_back.status),
            "sequence": call_back.sequence,
        },
    )


def body_of_test(source: str, now: UnixMs) -> bytes:
    """Return the body of a test, which is about no order."""
    return _document(TEST, now, {"event_id": id_of_test(source, now), "source": source})


def id_of_test(source: str, now: UnixMs) -> str:
    """Return the id of a test."""
    return event_id(OrderKey(source, "test"), now)


def headers_of(body: bytes, message_id: str, secrets: Sequence[str], now: UnixMs) -> Mapping[str, str]:
    """Return the headers of one attempt, signed with each of a shop's *secrets*: two while it changes them."""
    now_s = now // 1_000
    signed = [
        signed_headers(call_back_secret(secret), body, Scheme.STANDARD, now_s=now_s, message_id=message_id)
        for secret in secrets
    ]
    return {
        **signed[0],
        "webhook-signature": " ".join(each["webhook-signature"] for each in signed),
        "Content-Type": "application/json",
        "User-Agent": f"ballx-distributor/{version()}",
    }


def _document(kind: str, at_ms: UnixMs, data: Mapping[str, object]) -> bytes:
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": moment, "data": data}, separators=(",", ":")).encode()
