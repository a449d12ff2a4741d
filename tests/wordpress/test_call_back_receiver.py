"""The receiver in PHP of the call-backs' page, on the PHP that WordPress is tested on."""

from __future__ import annotations

import subprocess

import pytest

from devstack.wordpress.parts import Parts
from distributor.call_backs.message import body_of, headers_of
from distributor.ledger.call_records import CallBack
from distributor.model import OrderStatus
from foundation.clock import UnixMs, system_clock
from tests.fakes.receiver import OURS
from tests.fakes.receiver_code import code_of


@pytest.mark.parametrize("page", ["en", "pt"])
def test_the_receiver_in_php_takes_what_is_signed_and_nothing_else(parts: Parts, page: str) -> None:
    """What it remembers is the order, its status and its number."""
    now = system_clock()
    call = CallBack(
        source="default", order_id="1001", sequence=now, status=OrderStatus.PAID, at_ms=now, next_ms=UnixMs(now)
    )

    assert _answered(parts, page, call, [OURS], now) == f"1001 paid {now} 204"
    assert _answered(parts, page, call, ["the new secret of the shop, 32 byte", OURS], now) == f"1001 paid {now} 204"
    assert _answered(parts, page, call, ["the new secret of the shop, 32 byte"], now) == ""
    assert _answered(parts, page, call, [OURS], UnixMs(now - 301_000)) == ""


def _answered(parts: Parts, page: str, call: CallBack, secrets: list[str], now: UnixMs) -> str:
    """Return what the example remembered and answered; it ends at once where it refuses."""
    body = body_of(call)
    headers = headers_of(body, "evt_1", secrets, now)
    server = "".join(
        f"$_SERVER['HTTP_{name.upper().replace('-', '_')}'] = '{value}';"
        for name, value in headers.items()
        if name.startswith("webhook-")
    )
    code = code_of("php", page).removeprefix("<?php").replace("php://input", "php://stdin")
    remember = "function remember(...$what) { echo implode(' ', $what), ' '; }"
    ran = subprocess.run(
        parts.php("-r", f"{remember} {server} {code} echo http_response_code();"),
        env={**parts.environment(), "WEBHOOK_SECRET": OURS},
        input=body.decode(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout.strip()
