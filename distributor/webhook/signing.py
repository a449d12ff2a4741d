"""
Sign a request as a shop does: the other side of ``signature``, for tests of an installation.

Whatever this returns, ``check_signature`` accepts with the same secret, at the same time.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

from distributor.webhook.signature_schemes import Scheme, signing_key


def signed_headers(secret: str, body: bytes, scheme: Scheme, *, now_s: int, message_id: str) -> Mapping[str, str]:
    """
    Return the headers that sign *body*.

    Args:
        secret: The shop's secret, as its setting has it.
        body: The bytes as they are sent.
        scheme: How to sign them.
        now_s: The time, Unix seconds, for the schemes that sign one.
        message_id: The id of the message, for Standard Webhooks.
    """
    key = signing_key(secret, scheme)
    match scheme:
        case Scheme.STANDARD:
            digest = hmac.digest(key, f"{message_id}.{now_s}.".encode() + body, "sha256")
            signature = f"v1,{base64.b64encode(digest).decode()}"
            return {"webhook-id": message_id, "webhook-timestamp": str(now_s), "webhook-signature": signature}
        case Scheme.TIMED:
            digest = hmac.digest(key, f"{now_s}.".encode() + body, "sha256")
            return {"X-WP-Signature": f"t={now_s},v1={digest.hex()}"}
        case Scheme.HEX:
            return {"X-WP-Signature": hmac.digest(key, body, "sha256").hex()}
    return {"X-WC-Webhook-Signature": base64.b64encode(hmac.digest(key, body, "sha256")).decode()}
