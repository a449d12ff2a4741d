"""Every parser that reads a stranger's bytes costs as much as they are long, and not more."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal

import pytest

from distributor.model import Address
from distributor.settings.chain import ContractSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.webhook import orders, woocommerce
from distributor.webhook.client_ip import rate_limit_key
from distributor.webhook.signature import Key, check_signature
from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.json_depth import nests_deeper

NOW = UnixMs(1_800_000_000_000)
SMALL, LARGE = 60_000, 240_000
GROWTH_MAX = 9.0
"""Four times the bytes cost four times as much where reading is linear, and sixteen times where it is quadratic."""
RULES = ContractSettings(
    chain_id=137,
    token=Address("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
    authority=Address("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"),
    reserve=Address("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
)
SHOP = WooCommerceSettings(tokens_per_unit=Decimal(1), currency="BRL", wallet_meta="w")
KEYS = [Key(source="default", which="current", secret="a secret of more than 16 bytes")]  # pragma: allowlist secret
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"


def order(body: str) -> None:
    """Read it as an order of the plain route."""
    with suppress(Rejected):
        orders.parse(body.encode(), "default", RULES, NOW)


def shop_order(body: str) -> None:
    """Read it as an order of WooCommerce."""
    woocommerce.read_order(body.encode(), "default", RULES, SHOP, NOW)


def signed_by(name: str) -> Callable[[str], None]:
    """Read it as the header *name*."""
    return lambda value: _check({name: value})


def _check(headers: Mapping[str, str]) -> None:
    check_signature({"webhook-id": "m", "webhook-timestamp": "1", **headers}, b"{}", KEYS, NOW)


def forwarded(value: str) -> None:
    """Read it as X-Forwarded-For."""
    rate_limit_key(value, trusted_proxies=0)


def ping(body: str) -> None:
    """Read it as the ping of a saved webhook."""
    woocommerce.is_ping({}, body.encode())


def nesting(text: str) -> None:
    """Count its brackets."""
    nests_deeper(text, 1_000_000)


PLAIN = (f'{{"order_id":"1","wallet":"{WALLET}","amount":"1","reason":"', '"}')
PAID = ('{"id":1,"status":"completed","currency":"BRL","total":"1","number":"', '"}')
META = ('{"id":1,"status":"completed","currency":"BRL","total":"1","meta_data":[', '{"key":"w"}]}')
REFUNDS = (
    '{"id":1,"status":"completed","currency":"BRL","total":"1","meta_data":[{"key":"w","value":"x"}],"refunds":[',
    "0]}",
)


def cases() -> Iterator[tuple[Callable[[str], None], str, str, str]]:
    """Yield a reader, what comes before, what is repeated, and what comes after."""
    for unit in ['\\"', '"', '\\\\"', '"\\', '["', "[]", '{"a":"', "\\", ",", "1", " "]:
        yield nesting, '"', unit, ""
        yield order, "", unit, ""
        yield shop_order, "", unit, ""
    for unit in ["x", "\\u200b", "\\ud800", "\\n", " ", "é", "\\u202e "]:
        yield order, PLAIN[0], unit, PLAIN[1]
        yield shop_order, PAID[0], unit, PAID[1]
    yield order, '{"a":[', "1,", "1]}"
    yield order, '{"amount":"', "1", '"}'
    yield order, '{"amount":', "1", "}"
    yield shop_order, META[0], '{"key":"w","value":"a"},', META[1]
    yield shop_order, REFUNDS[0], '{"id":1,"total":"-1"},', REFUNDS[1]
    for name in ("X-WP-Signature", "X-WC-Webhook-Signature", "webhook-signature", "webhook-id", "webhook-timestamp"):
        for unit in ["a", "=", "A=", "v1,", "v1=a,", "v1,AAAA ", "t=1,", ",", " ", "1"]:
            yield signed_by(name), "", unit, ""
    for unit in ["1", ".", ":", "[", "1.", "a:", ",", "[::1]:1,", "%"]:
        yield forwarded, "", unit, ""
    yield ping, "webhook_id=", "1", ""


@pytest.mark.parametrize(("read", "before", "unit", "after"), list(cases()))
def test_four_times_the_bytes_cost_about_four_times_as_much(
    read: Callable[[str], None], before: str, unit: str, after: str
) -> None:
    """Processor time, the best of some runs: what the machine does besides does not count."""

    def cost_s(size: int) -> float:
        text = before + unit * (size // len(unit)) + after
        return min(_cost_s(read, text) for _ in range(4))

    floor_s = 0.002  # below this a clock's own steps decide
    assert cost_s(LARGE) / max(cost_s(SMALL), floor_s) < GROWTH_MAX


def _cost_s(read: Callable[[str], None], text: str) -> float:
    """Return the processor time of one reading; the collector, whose work grows with all other objects, rests."""
    gc.disable()
    try:
        begun = time.process_time()
        read(text)
        return time.process_time() - begun
    finally:
        gc.enable()
