"""Bodies byte for byte as PHP's json_encode makes them: they verify, and mean what PHP meant."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from distributor.settings.chain import ContractSettings
from distributor.webhook.orders import parse
from distributor.webhook.signature import Key, Verified, check_signature
from distributor.webhook.signature_schemes import Refusal, Scheme
from foundation.clock import UnixMs
from tests.factories import AUTHORITY, BALLX, RESERVE

MADE = json.loads((Path(__file__).parents[1] / "vectors" / "php_bodies.json").read_text(encoding="utf-8"))
BODIES = MADE["bodies"]
KEYS = (Key(source="default", which="current", secret=MADE["secret"]),)
NOW_MS = UnixMs(MADE["now_s"] * 1_000)
TERMS = ContractSettings(chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)
each = pytest.mark.parametrize("made", BODIES, ids=[made["name"] for made in BODIES])


@each
def test_what_php_signed_verifies(made: Mapping[str, str]) -> None:
    """With hash_hmac, in hex, in base64 and with a time."""
    body = made["body"].encode()
    headers = [
        {"X-WP-Signature": made["timed"]},
        {"X-WP-Signature": made["hex"]},
        {"X-WC-Webhook-Signature": made["base64"]},
    ]
    judged = [check_signature(sent, body, KEYS, NOW_MS) for sent in headers]

    assert [one.scheme for one in judged if isinstance(one, Verified)] == [Scheme.TIMED, Scheme.HEX, Scheme.BASE64]


@each
def test_what_php_wrote_means_what_it_meant(made: Mapping[str, str]) -> None:
    """To the last unit, also where a float had lost the shop's decimals before it got here."""
    order = parse(made["body"].encode(), "default", TERMS, NOW_MS)

    assert (order.order_id, str(order.amount_units), order.reason) == (
        made["order_id"],
        made["amount_units"],
        made["reason"],
    )


@each
def test_the_same_json_written_again_is_not_what_was_signed(made: Mapping[str, str]) -> None:
    """The commonest mistake of receivers: parse, write again, compare."""
    again = json.dumps(json.loads(made["body"])).encode()

    assert check_signature({"X-WP-Signature": made["hex"]}, again, KEYS, NOW_MS) is Refusal.MISMATCH
