"""From a signed body to an order, or to a refusal that names the field."""

import hashlib
import json
import sys
from decimal import Decimal
from typing import Any

import pytest

from distributor.addresses import keccak256
from distributor.errors import MalformedOrder, UnpayableOrder
from distributor.model import Address, Order, OrderStatus
from distributor.order_ids import ref_id
from distributor.settings.chain import ContractSettings
from distributor.units import UINT256_MAX
from distributor.webhook.orders import parse
from foundation.clock import UnixMs
from foundation.errors import Rejected

WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TERMS = ContractSettings(
    chain_id=137,
    token=Address("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
    authority=Address("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"),
    reserve=Address("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
    decimals=18,
    guard=Address("0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa"),
)
NOW = UnixMs(1_800_000_000_000)


def fields(**changes: Any) -> dict[str, Any]:
    """A good order, changed."""
    return {"order_id": "1001", "wallet": WALLET, "amount": "12.50", **changes}


def read(body: bytes | str | dict[str, Any], source: str = "default") -> Order:
    """Parse a body given as bytes, text or fields."""
    raw = json.dumps(body) if isinstance(body, dict) else body
    return parse(raw.encode() if isinstance(raw, str) else raw, source, TERMS, NOW)


def refused(body: bytes | str | dict[str, Any], kind: type[Rejected], code: str) -> str:
    """Assert that a body is refused so, and return the sentence."""
    with pytest.raises(Rejected) as refusal:
        read(body)
    assert (type(refusal.value), refusal.value.code) == (kind, code)
    return str(refusal.value)


def with_amount(literal: str) -> str:
    """A good order with the amount written as *literal*."""
    return f'{{"order_id":"1001","wallet":"{WALLET}","amount":{literal}}}'


def test_an_order_is_read_as_it_was_written() -> None:
    """Every field of a plain order, and nothing that the ledger sets later."""
    order = read(fields(reason="cashback of May", tipo="cashback"))

    assert order == Order(
        source="default",
        order_id="1001",
        wallet=Address(WALLET),
        amount_units=12_500_000_000_000_000_000,  # type: ignore[arg-type]  # the plain figure reads better
        tipo="cashback",
        reason="cashback of May",
        ref_id=order.ref_id,
        fingerprint=order.fingerprint,
        received_ms=NOW,
        updated_ms=NOW,
        status=OrderStatus.RECEIVED,
    )


def test_the_fingerprint_is_written_down() -> None:
    """A changed recipe would make every stored order a conflict: it may not change unseen."""
    canonical = (
        '{"amount_units":"12500000000000000000","chain":137,"tipo":"cashback",'
        f'"token":"{TERMS.token}","wallet":"{WALLET}"}}'
    )

    assert read(fields(tipo="cashback")).fingerprint == hashlib.sha256(canonical.encode()).hexdigest()


def test_the_same_content_has_the_same_fingerprint() -> None:
    """Key order, escapes, the way a number is written, the reason and the wallet's case change nothing."""
    first = read(fields(wallet=MIXED, reason="a")).fingerprint
    second = read(f'{{"amount": 1.25e1, "wallet_address": "{MIXED.lower()}", "reason": "b", "order_id": 1001}}')

    assert second.fingerprint == first


@pytest.mark.parametrize("change", [{"wallet": MIXED}, {"amount": "12.51"}, {"tipo": "refund"}])
def test_other_content_has_another_fingerprint(change: dict[str, str]) -> None:
    """Whom, how much and what kind are what an order is."""
    assert read(fields(**change)).fingerprint != read(fields()).fingerprint


# The body ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b" \r\n", "body_empty"),
        (b"\xff\xfe{}", "not_utf8"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"order_id=1001&amount=5", "not_json"),
        (b'{"order_id": "1001",}', "not_json"),
        (b'{"order_id": "1001"} {}', "not_json"),
        (b"[]", "not_object"),
        (b'"1001"', "not_object"),
        (b"null", "not_object"),
        (b"12", "not_object"),
        (b"{}", "missing_field"),
        (b'{"order_id":"1","order_id":"1"}', "duplicate_key"),
        (b'{"order_id":"1","meta":{"a":1,"a":2}}', "duplicate_key"),
        (b'{"order_id":"1","note":NaN}', "not_json"),
    ],
)
def test_a_body_that_is_no_order_is_malformed(body: bytes, code: str) -> None:
    """Each way a body can fail to be one JSON object has its own code."""
    assert refused(body, MalformedOrder, code)


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_a_depth_bomb_is_a_refusal(bracket: bytes) -> None:
    """As many brackets as a request may hold do not take the process down, whatever raised its limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        refused(bracket * (65_536 // len(bracket)), MalformedOrder, "not_json")
    finally:
        sys.setrecursionlimit(limit)


def test_a_deep_field_nobody_asked_for_is_a_refusal_too() -> None:
    """Depth is met while reading, before anyone knows the field is not ours."""
    bomb = '{"note":' + "[" * 30_000 + "]" * 30_000 + ',"order_id":"1"}'

    assert refused(bomb, MalformedOrder, "not_json") == "The body is nested more than 32 deep."


def test_brackets_inside_a_text_are_no_depth() -> None:
    """A reason may hold any number of them."""
    body = with_amount("1")[:-1] + f',"reason":"{"[" * 50}\\"{"{" * 50}"}}'

    assert read(body).reason.startswith("[" * 50)


def test_fields_we_do_not_know_are_ignored() -> None:
    """A plug-in's new field, with numbers of any size, neither stops nor changes a payment."""
    extra = with_amount('"12.50"')[:-1] + f',"total":1e999999999999999999999,"n":{"9" * 6_000},"deep":{{"amount":7}}}}'

    assert read(extra) == read(fields())


def test_null_is_the_same_as_absent() -> None:
    """PHP writes unset fields as null."""
    assert read(fields(reason=None, tipo=None, wallet_address=None)) == read(fields())
    refused(fields(amount=None), MalformedOrder, "missing_field")


@pytest.mark.parametrize("name", ["order_id", "wallet", "amount"])
def test_a_missing_field_is_named(name: str) -> None:
    """The sender reads which field to add."""
    body = fields()
    del body[name]

    assert refused(body, MalformedOrder, "missing_field") == f"{name} is missing."


# The amount --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "tokens"),
    [
        ("10", "10"),
        ("10.5", "10.5"),
        ('"10.5"', "10.5"),
        ('"10"', "10"),
        ('"10.500000000000000000000"', "10.5"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1e-7", "0.0000001"),
        ('"1.0e+25"', "10000000000000000000000000"),
        ("1E2", "100"),
        ("0.000000000000000001", "0.000000000000000001"),
    ],
)
def test_an_amount_is_exact(literal: str, tokens: str) -> None:
    """A number or a text, with point or exponent: not one unit is lost or made."""
    assert read(with_amount(literal)).amount_units == int(Decimal(tokens).scaleb(18))


def test_the_largest_amount_is_the_contracts() -> None:
    """uint256 is the bound, to the unit."""
    tokens, units = divmod(UINT256_MAX, 10**18)

    assert read(fields(amount=f"{tokens}.{units:018d}")).amount_units == UINT256_MAX
    refused(fields(amount=f"{tokens}.{units + 1:018d}"), UnpayableOrder, "amount_too_large")
    refused(with_amount("1e99"), UnpayableOrder, "amount_too_large")


@pytest.mark.parametrize("literal", ["0", "0.0", "-1", "-0", '"0"', '"-12.50"', "0e5", "-1e-99"])
def test_nothing_and_less_are_never_paid(literal: str) -> None:
    """Zero and negative amounts are refused."""
    assert refused(with_amount(literal), UnpayableOrder, "amount_not_positive")


@pytest.mark.parametrize("literal", ["0.0000000000000000001", '"1.0000000000000000001"', "1e-19", "1e-99"])
def test_an_amount_is_never_rounded(literal: str) -> None:
    """More decimals than the token has are refused, and the sentence says how many it has."""
    assert "18 decimals" in refused(with_amount(literal), UnpayableOrder, "too_many_decimals")


@pytest.mark.parametrize(
    "literal",
    [
        *('"+10"', '" 10"', '"10 "', '".5"', '"5."', '"010"', '"0x10"', '"1_000"', '""', '"ten"', '"١٢"'),
        *('"NaN"', '"Infinity"', '"-Infinity"', "1e400", "1e-400", "1e999999999999999999999", '"1e100"'),
        *("true", "false", "[10]", '{"value":10}', "1" * 101, "0." + "1" * 99, '"1\\n"'),
    ],
)
def test_an_amount_nobody_can_misread(literal: str) -> None:
    """One grammar for numbers and texts; a bool is no number, and an endless one is never converted."""
    assert refused(with_amount(literal), MalformedOrder, "bad_amount").startswith("amount must be")


@pytest.mark.parametrize("literal", ['"10,5"', '"1.000,50"', '"1,000.50"', '","'])
def test_a_comma_in_an_amount_is_named(literal: str) -> None:
    """A shop in Brazil writes 10,5: the refusal says what to write instead."""
    assert refused(with_amount(literal), MalformedOrder, "bad_amount") == (
        'amount has a comma: write the decimal point as ".", as in "10.5", and nothing between thousands.'
    )


def test_a_point_is_never_a_mark_between_thousands() -> None:
    """1.000 is one token, in every country: documented, because it cannot be distinguished."""
    assert read(with_amount('"1.000"')).amount_units == 10**18


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_know_is_not_json(literal: str) -> None:
    """Python's reader would take them; JSON's would not."""
    assert refused(with_amount(literal), MalformedOrder, "not_json")


# The wallet --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wallet", [MIXED, MIXED.lower(), "0x" + MIXED[2:].upper()])
def test_a_wallet_is_kept_with_its_checksum(wallet: str) -> None:
    """However it was written, one wallet is one value."""
    assert read(fields(wallet=wallet)).wallet == MIXED


def test_a_wrong_checksum_is_refused() -> None:
    """A digit mistyped in an address of mixed case is caught before it costs anything."""
    assert "checksum" in refused(fields(wallet=MIXED.replace("E94C9b", "e94C9b")), UnpayableOrder, "wallet_checksum")


@pytest.mark.parametrize(
    "wallet", ["", MIXED[2:], MIXED[:-1], MIXED + "0", "0x" + "g" * 40, f" {MIXED}", "vitalik.eth"]
)
def test_what_is_no_address_is_malformed(wallet: str) -> None:
    """0x and 40 hex digits, and nothing around them."""
    assert refused(fields(wallet=wallet), MalformedOrder, "bad_wallet").startswith("wallet is not an address")


@pytest.mark.parametrize("wallet", [7, True, [MIXED], {"address": MIXED}, 1.5])
def test_a_wallet_is_a_text(wallet: Any) -> None:
    """A number is no address, not even a large one."""
    assert refused(fields(wallet=wallet), MalformedOrder, "bad_wallet") == "wallet must be a text."


FORBIDDEN = [
    *("0x" + "0" * 40, "0x" + "0" * 39 + "1", "0x" + "0" * 36 + "1010", "0x" + "0" * 36 + "ffff"),
    *(TERMS.token, TERMS.authority, TERMS.reserve.lower(), str(TERMS.guard)),
]


@pytest.mark.parametrize("wallet", FORBIDDEN)
def test_tokens_are_never_sent_where_they_would_be_lost(wallet: str) -> None:
    """Nor back to where they came from."""
    assert refused(fields(wallet=wallet), UnpayableOrder, "wallet_forbidden")


def test_wallet_address_is_another_name_for_wallet() -> None:
    """Both may be sent when they agree; when they do not, neither is believed."""
    body = fields(wallet_address=WALLET)
    del body["wallet"]

    assert read(body) == read(fields()) == read(fields(wallet_address=WALLET.lower()))
    refused(fields(wallet_address=MIXED), MalformedOrder, "wallet_conflict")
    assert refused(fields(wallet_address="0x1"), MalformedOrder, "bad_wallet").startswith("wallet_address is not")


# Names and texts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order_id", ["1", "a" * 64, "WC-1001.2_b", 1001, 10**40])
def test_an_order_id_is_a_short_name(order_id: str | int) -> None:
    """A text, or a JSON integer taken as its decimal digits."""
    assert read(fields(order_id=order_id)).order_id == str(order_id)


@pytest.mark.parametrize(
    "order_id",
    [
        *("", "a" * 65, "-1", "a/b", "a\\b", "#1001", "a b", "a?b", "á", "1\n", "%2f", "a:b"),
        -1,
        1.0,
        True,
        [1],
        10**64,
    ],
)
def test_any_other_order_id_is_refused(order_id: Any) -> None:
    """The refusal says which characters may be used."""
    assert "A-Z a-z 0-9 . _ -" in refused(fields(order_id=order_id), MalformedOrder, "bad_order_id")


def test_an_order_is_found_in_an_explorer_under_its_id() -> None:
    """The bytes32 on chain is the id itself, with its shop before it when it is not the default one."""
    assert bytes.fromhex(read(fields(order_id="WC-1001")).ref_id[2:]) == b"WC-1001".ljust(32, b"\0")
    assert bytes.fromhex(read(fields(), source="shop-b").ref_id[2:]) == b"shop-b:1001".ljust(32, b"\0")
    assert bytes.fromhex(ref_id("default", "a" * 32)[2:]) == b"a" * 32


def test_a_long_id_is_hashed() -> None:
    """What does not fit 32 bytes is found under its keccak256."""
    assert ref_id("default", "a" * 33) == "0x" + keccak256(b"a" * 33).hex()
    assert ref_id("shop-b", "a" * 26) == "0x" + keccak256(b"shop-b:" + b"a" * 26).hex()


@pytest.mark.parametrize(
    ("sent", "on_chain"),
    [
        ({}, "distribuicao - BALLX"),
        ({"tipo": "cashback"}, "cashback - BALLX"),
        ({"reason": "", "tipo": ""}, "distribuicao - BALLX"),
        ({"reason": " \n "}, "distribuicao - BALLX"),
        ({"reason": "Devolução ♥"}, "Devolução ♥"),
        ({"reason": "one\r\ntwo\tthree\u2028four\x00"}, "one two three four"),
        ({"reason": "x" * 70}, "x" * 64),
        ({"reason": "x" * 63 + "é"}, "x" * 63),
        ({"reason": "x" * 61 + "😀"}, "x" * 61),
        ({"reason": "x" * 60 + "😀"}, "x" * 60 + "😀"),
        ({"reason": "paid \u202e0001\u202c to \u200bAna\ufeff"}, "paid 0001 to Ana"),
        ({"reason": "a\u00a0b"}, "a b"),
        ({"reason": "\u200b\u2066\u3164", "tipo": "bonus"}, "bonus - BALLX"),
        ({"reason": "caf\u00e9 \u2764\ufe0f"}, "caf\u00e9 \u2764\ufe0f"),
    ],
)
def test_the_reason_on_chain_is_one_short_line(sent: dict[str, str], on_chain: str) -> None:
    """The order's reason or its kind, at most 64 bytes, cut at a character, without control or invisible characters."""
    assert read(fields(**sent)).reason == on_chain


@pytest.mark.parametrize("name", ["reason", "tipo"])
@pytest.mark.parametrize("value", [7, 1.5, True, [], {}])
def test_a_text_field_is_a_text(name: str, value: Any) -> None:
    """Nothing is turned into a text that was none."""
    assert refused(fields(**{name: value}), MalformedOrder, f"bad_{name}") == f"{name} must be a text."


@pytest.mark.parametrize("name", ["reason", "tipo", "wallet"])
def test_half_a_character_is_refused(name: str) -> None:
    """A lone surrogate has no UTF-8, so neither the chain nor the ledger could take it."""
    assert refused(fields(**{name: "a\ud800"}), MalformedOrder, "bad_text").startswith(name)


def test_a_tipo_is_short() -> None:
    """It is stored as it is, so it has a bound."""
    assert read(fields(tipo="t" * 64)).tipo == "t" * 64
    refused(fields(tipo="t" * 65), MalformedOrder, "bad_tipo")


def test_a_tipo_keeps_its_characters() -> None:
    """It is part of the fingerprint: written another way, a repeated order would be another order."""
    assert read(fields(tipo="bo\u200bnus")).tipo == "bo\u200bnus"
    assert read(fields(tipo="bo\u200bnus")).reason == "bonus - BALLX"
