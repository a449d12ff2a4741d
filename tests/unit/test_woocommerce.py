"""What a WooCommerce webhook's body means: an order, or why it pays nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from distributor.errors import BadSignature
from distributor.model import Order
from distributor.settings.chain import ContractSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.webhook.orders import parse
from distributor.webhook.signature import Key, Verified
from distributor.webhook.signature_schemes import Scheme
from distributor.webhook.woocommerce import (
    AmountByRate,
    AmountInMeta,
    NotPaid,
    NotPaidKind,
    amount_of,
    fingerprints_before_refunds,
    is_ping,
    read_order,
)
from foundation.errors import ConfigurationError
from tests.factories import ALICE, AUTHORITY, BALLX, BOB, NOW_MS, RESERVE, TOKEN
from tests.fakes.senders import verify

TERMS = ContractSettings(chain_id=137, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)
BY_RATE = WooCommerceSettings(
    paid_statuses=frozenset({"completed", "shipped"}),
    wallet_meta="_ballx_wallet",
    tokens_per_unit=Decimal("1.5"),
    currency="BRL",
)
IN_META = BY_RATE.model_copy(update={"amount_meta": "_ballx_amount", "tokens_per_unit": None, "currency": None})
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "woocommerce_bodies.json").read_text("utf-8"))


def meta(key: str, value: Any) -> dict[str, Any]:
    """A custom field as WooCommerce shows it."""
    return {"id": 13106, "key": key, "value": value}


WALLET = meta("_ballx_wallet", ALICE)


def amount(value: Any) -> dict[str, Any]:
    """The custom field with the tokens to pay."""
    return meta("_ballx_amount", value)


def an_order(*metas: Any, **changes: Any) -> dict[str, Any]:
    """An order that is paid, changed."""
    order = {"id": 727, "status": "completed", "currency": "BRL", "total": "29.35", "number": "727"}
    return {**order, "meta_data": list(metas or [WALLET]), **changes}


def seen(
    body: dict[str, Any] | bytes, rules: WooCommerceSettings = BY_RATE, payment_rules: ContractSettings = TERMS
) -> Order | NotPaid:
    """Read a body given as bytes or fields."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    return read_order(raw, "shop-b", payment_rules, rules, NOW_MS)


def paid(body: dict[str, Any], rules: WooCommerceSettings = BY_RATE, payment_rules: ContractSettings = TERMS) -> Order:
    """Read a body that is to be paid."""
    order = seen(body, rules, payment_rules)
    assert isinstance(order, Order)
    return order


def not_paid(
    body: dict[str, Any] | bytes, verdict: NotPaidKind, reason: str, rules: WooCommerceSettings = BY_RATE
) -> NotPaid:
    """Assert that a body pays nothing and why, and return it all."""
    unpaid = seen(body, rules)
    assert isinstance(unpaid, NotPaid)
    assert (unpaid.verdict, unpaid.reason) == (verdict, reason)
    return unpaid


# What PHP really writes --------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_bytes_that_php_made_are_read_to_the_right_amount(vector: dict[str, Any]) -> None:
    """Escaped slashes, escapes for every letter beyond ASCII, floats in the items, objects for lists."""
    rate = vector["amount"].get("tokens_per_unit")
    rules = BY_RATE.model_copy(update={"tokens_per_unit": Decimal(rate)}) if rate else IN_META

    found = seen(vector["body"].encode(), rules)

    told = (
        {"order_id": found.order_id, "amount_units": str(found.amount_units), "reason": found.reason}
        if isinstance(found, Order)
        else {"verdict": found.verdict, "reason": found.reason}
    )
    assert told == vector["expected"]
    assert not isinstance(found, Order) or found.wallet == VECTORS["wallet"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_bytes_that_php_signed_are_the_shops(vector: dict[str, Any]) -> None:
    """The signature holds for the exact bytes; written a second time by another library they are nobody's."""
    keys = [Key(source="shop-b", which="current", secret=VECTORS["key"])]
    headers = {"X-WC-Webhook-Signature": vector["signature"]}
    body = vector["body"].encode()

    assert verify(headers, body, keys, NOW_MS) == Verified(source="shop-b", secret="current", scheme=Scheme.BASE64)
    with pytest.raises(BadSignature):
        verify(headers, json.dumps(json.loads(body)).encode(), keys, NOW_MS)


# What is paid ------------------------------------------------------------------------------------


def test_an_order_in_a_paid_status_is_an_order() -> None:
    """The shop's number for it, the wallet and the amount; named for the customer on chain."""
    order = paid(an_order(number="2026-A7"))

    assert (order.source, order.order_id, order.wallet) == ("shop-b", "727", ALICE)
    assert order.amount_units == 44_025 * 10**15
    assert (order.tipo, order.reason) == ("woocommerce", "Order #2026-A7")
    assert (order.received_ms, order.updated_ms) == (NOW_MS, NOW_MS)


def test_it_is_the_same_order_as_the_plain_webhook_makes_of_it() -> None:
    """One id, one reference on chain and one fingerprint, whichever way it came in."""
    plain = {"order_id": 727, "wallet": ALICE, "amount": "44.025", "tipo": "woocommerce", "reason": "Order #727"}

    assert paid(an_order()) == parse(json.dumps(plain).encode(), "shop-b", TERMS, NOW_MS)


def test_every_configured_status_is_paid() -> None:
    """A shop has statuses of its own."""
    assert paid(an_order(status="shipped")).order_id == "727"


@pytest.mark.parametrize(
    ("rate", "total", "decimals", "units"),
    [
        ("1.5", "29.35", 18, 44_025 * 10**15),
        ("0.333333333333333333", "0.1", 18, 33_333_333_333_333_333),
        ("1", "29.99", 1, 299),
        ("1", "29.99", 0, 29),
        ("0.000001", "0.01", 8, 1),
        ("2", "1000000.00", 6, 2_000_000_000_000),
    ],
)
def test_a_total_at_a_rate_is_rounded_down(rate: str, total: str, decimals: int, units: int) -> None:
    """Exact to the token's smallest unit; what is finer is dropped, never added."""
    rules = BY_RATE.model_copy(update={"tokens_per_unit": Decimal(rate)})

    order = paid(an_order(total=total), rules, TERMS.model_copy(update={"decimals": decimals}))

    assert order.amount_units == units


@pytest.mark.parametrize(("value", "units"), [("12.50", 125 * 10**17), (15, 15 * TOKEN), (0.5, TOKEN // 2)])
def test_an_amount_in_a_custom_field_is_taken_as_written(value: Any, units: int) -> None:
    """A text or a number; the total and its currency play no part."""
    order = paid(an_order(WALLET, amount(value), currency="USD", total="0.00"), IN_META)

    assert order.amount_units == units


def test_only_the_wallet_and_the_amount_make_another_order() -> None:
    """A snapshot with another note, status or customer is the same order."""
    first = paid(an_order(customer_note="", number="1"))
    again = paid(an_order(customer_note="please hurry", number="2", status="shipped", date_paid="2026-11-20T18:03:44"))

    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != paid(an_order(total="29.36")).fingerprint
    assert first.fingerprint != paid(an_order(meta("_ballx_wallet", BOB))).fingerprint


@pytest.mark.parametrize(
    "metas",
    [
        [WALLET, WALLET],
        [meta("_ballx_wallet", f" {ALICE}\n")],
        [meta("_ballx_wallet", ""), WALLET],
        [meta("_ballx_wallet", None), WALLET],
        [meta("_ballx_wallet_old", BOB), WALLET],
        ["odd", 7, {"value": BOB}, WALLET],
    ],
    ids=["twice the same", "pasted with spaces", "one empty", "one null", "another key", "odd entries"],
)
def test_the_wallet_is_found_among_the_custom_fields(metas: list[Any]) -> None:
    """Plug-ins leave all kinds of entries there."""
    assert paid(an_order(*metas)).wallet == ALICE


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (None, "Order #727"),
        (" ", "Order #727"),
        (727, "Order #727"),
        ("A\n7", "Order #A 7"),
        ("\ud83c", "Order #?"),
        ("9" * 100, "Order #" + "9" * 57),
    ],
    ids=["none", "blank", "a number", "two lines", "half a character", "long"],
)
def test_a_strange_number_stops_no_payment(number: Any, reason: str) -> None:
    """It is a text for people, and decides nothing."""
    assert paid(an_order(number=number)).reason == reason


# What pays nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"id": 727}, "not_an_order"),
        ({"action": "woocommerce_order_status_completed", "arg": 727}, "not_an_order"),
        ({"order": {"id": 727, "status": "completed"}}, "not_an_order"),
        ({"id": 12, "status": 7}, "not_an_order"),
        ({"id": 93, "name": "Camiseta", "status": "publish", "price": "9.67"}, "not_an_order"),
        (an_order(status="pending"), "status_not_paid"),
        (an_order(status="wc-completed"), "status_not_paid"),
        (an_order(status="refunded"), "status_not_paid"),
        (an_order(parent_id=700), "part_of_order"),
        (an_order(parent_id=700, meta_data=[]), "part_of_order"),
        (an_order(total="0.00"), "nothing_to_pay"),
        (an_order(total="0.0000000000000000001"), "nothing_to_pay"),
        (an_order(meta("other", ALICE)), "no_wallet"),
        (an_order(meta("_ballx_wallet", " ")), "no_wallet"),
        (an_order(meta_data=[]), "no_wallet"),
        ({"id": 727, "status": "completed"}, "no_wallet"),
    ],
)
def test_what_owes_nothing_is_ignored(body: dict[str, Any], reason: str) -> None:
    """Other topics, unpaid orders, and customers who gave no wallet: nobody has to look."""
    not_paid(body, NotPaidKind.IGNORED, reason)


@pytest.mark.parametrize("parent", [0, None, "", "700", -1, 1.5, [700], "absent"])
def test_an_order_that_is_part_of_no_other_is_paid(parent: Any) -> None:
    """WooCommerce writes 0; what is no number of an order says nothing."""
    body = an_order(parent_id=parent)
    if parent == "absent":
        del body["parent_id"]

    assert paid(body).order_id == "727"


def test_a_part_with_an_amount_of_its_own_is_looked_at() -> None:
    """Marketplaces copy custom fields to the parts: paid, it would be paid twice; ignored, nobody would know."""
    not_paid(an_order(amount("5"), parent_id=700), NotPaidKind.UNPAYABLE, "part_of_order", IN_META)
    not_paid(an_order(WALLET, parent_id=700), NotPaidKind.IGNORED, "part_of_order", IN_META)


def test_an_order_without_wallet_and_amount_is_not_ours() -> None:
    """Where the shop writes the amount, an order with neither was never meant to pay tokens."""
    not_paid(an_order(meta("other", "1")), NotPaidKind.IGNORED, "no_wallet", IN_META)
    not_paid(an_order(amount("0")), NotPaidKind.IGNORED, "nothing_to_pay", IN_META)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (an_order(WALLET), "no_amount"),
        (an_order(amount("5")), "no_wallet"),
        (an_order(WALLET, amount("-5")), "amount_not_positive"),
        (an_order(WALLET, amount("5,00")), "bad_amount"),
        (an_order(WALLET, amount(["5"])), "bad_amount"),
        (an_order(WALLET, amount(True)), "bad_amount"),
        (an_order(WALLET, amount("0." + "1" * 19)), "too_many_decimals"),
        (an_order(WALLET, amount("1e60")), "amount_too_large"),
        (an_order(WALLET, amount("5"), amount("6")), "meta_differs"),
        (an_order(WALLET, amount("5"), amount(5)), "meta_differs"),
    ],
)
def test_an_amount_nobody_can_pay_is_unpayable(body: dict[str, Any], reason: str) -> None:
    """It is never rounded and never guessed; somebody waits for tokens, so a person looks."""
    assert not_paid(body, NotPaidKind.UNPAYABLE, reason, IN_META).order_id == "727"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (an_order(total="-1.00"), "amount_not_positive"),
        (an_order(total=None), "bad_amount"),
        (an_order(total="R$ 29,35"), "bad_amount"),
        (an_order(total="9" * 100), "amount_too_large"),
        (an_order(total="1e99"), "amount_too_large"),
        (an_order(currency="USD"), "wrong_currency"),
        (an_order(currency=None), "wrong_currency"),
        (an_order(meta("_ballx_wallet", "0x1234")), "bad_wallet"),
        (an_order(meta("_ballx_wallet", ["0x1234"])), "bad_wallet"),
        (an_order(meta("_ballx_wallet", ALICE.swapcase().replace("0X", "0x"))), "wallet_checksum"),
        (an_order(meta("_ballx_wallet", RESERVE)), "wallet_forbidden"),
        (an_order(meta("_ballx_wallet", "0x" + "0" * 40)), "wallet_forbidden"),
        (an_order(WALLET, meta("_ballx_wallet", BOB)), "meta_differs"),
        (an_order(meta_data="none"), "bad_meta_data"),
    ],
)
def test_an_order_that_cannot_be_paid_is_unpayable(body: dict[str, Any], reason: str) -> None:
    """It shows a paid status, so a person gets an alarm and it is not passed over."""
    assert not_paid(body, NotPaidKind.UNPAYABLE, reason).order_id == "727"


@pytest.mark.parametrize("number", [None, "727", 0, -1, 7.5, 10**20, True])
def test_an_order_without_its_number_is_unpayable(number: Any) -> None:
    """Without it nobody could tell one order from another."""
    assert not_paid(an_order(id=number), NotPaidKind.UNPAYABLE, "bad_order_id").order_id == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "body_empty"), (b"webhook_id=7", "not_json"), (b"\xff", "not_utf8"), (b"[]", "not_object")],
)
def test_signed_bytes_that_are_no_body_are_unpayable(body: bytes, reason: str) -> None:
    """Nobody can know what was in them."""
    not_paid(body, NotPaidKind.UNPAYABLE, reason)


def test_no_sentence_repeats_what_a_customer_wrote() -> None:
    """The sentences go into alarms and answers; wallets and names are personal data."""
    wrong = not_paid(an_order(meta("_ballx_wallet", "0xJOAO")), NotPaidKind.UNPAYABLE, "bad_wallet")

    assert "JOAO" not in wrong.detail
    assert "_ballx_wallet" in wrong.detail


# The ping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"webhook_id=7", b"webhook_id=0", b"webhook_id=" + b"9" * 20])
def test_the_ping_is_known_by_its_whole_body(body: bytes) -> None:
    """A number and nothing beside it."""
    assert is_ping({"Content-Type": "application/x-www-form-urlencoded"}, body)


@pytest.mark.parametrize(
    "body",
    [b"", b"webhook_id=", b"webhook_id=7\n", b"webhook_id=7&a=b", b" webhook_id=7", b"webhook_id=-7", b"webhook_id="
     + b"9" * 21, b"webhook_id=\xd9\xa7", b'{"webhook_id":7}', b"Webhook_id=7"],
)  # fmt: skip
def test_nothing_else_is_a_ping(body: bytes) -> None:
    """What is not exactly a ping must be signed."""
    assert not is_ping({}, body)


@pytest.mark.parametrize(
    "header",
    ["X-WC-Webhook-Signature", "X-WP-Webhook-Signature", "x-wp-signature", "webhook-id", "Webhook-Signature"],
)
def test_a_signed_ping_is_none(header: str) -> None:
    """A shop that signs wants the signature to be looked at."""
    assert not is_ping({header: ""}, b"webhook_id=7")


def test_an_amount_in_a_field_of_its_own_is_not_changed_by_a_refund() -> None:
    """So an order that comes again after one had no other amount before."""
    body = json.dumps(an_order(WALLET, amount("10"), refunds=[{"id": 1, "total": "-5.00"}])).encode()
    assert (
        fingerprints_before_refunds(body, paid(an_order(WALLET, amount("10")), IN_META), TERMS, IN_META) == frozenset()
    )


# The settings ------------------------------------------------------------------------------------


def test_the_amount_comes_from_what_is_set() -> None:
    """A field or a rate; that both are not set at once is a rule of the settings."""
    assert amount_of(WooCommerceSettings(amount_meta="tokens")) == AmountInMeta("tokens")
    assert amount_of(WooCommerceSettings(tokens_per_unit=Decimal(2))) == AmountByRate(Decimal(2))
    with pytest.raises(ConfigurationError, match="WOO_AMOUNT_META or WOO_TOKENS_PER_UNIT must be set"):
        amount_of(WooCommerceSettings())
