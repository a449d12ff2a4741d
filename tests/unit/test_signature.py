"""Whose signature is on a body."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from distributor.errors import BadSignature, MalformedOrder
from distributor.settings.chain import ContractSettings
from distributor.webhook.orders import parse
from distributor.webhook.signature import Key, Verified, check_signature
from distributor.webhook.signature_schemes import Refusal, Scheme, is_signed
from foundation.clock import UnixMs
from tests.factories import ALICE, AUTHORITY, BALLX, RESERVE
from tests.fakes.senders import verify

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text(encoding="utf-8"))
BODY = b'{"order_id":"1001"}'
SECRET = "a secret of sixteen bytes or more"
NOW_S = 1_800_000_000
NOW_MS = UnixMs(NOW_S * 1_000 + 999)
KEYS = (Key(source="default", which="current", secret=SECRET),)
WHSEC = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
TERMS = ContractSettings(chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)


def digest(signed: bytes = BODY, secret: str | bytes = SECRET) -> bytes:
    """Sign as a shop does."""
    return hmac.digest(secret.encode() if isinstance(secret, str) else secret, signed, "sha256")


def b64(value: bytes) -> str:
    """Write a digest as WooCommerce does."""
    return base64.b64encode(value).decode()


def timed(body: bytes = BODY, *, at_s: int = NOW_S, secret: str = SECRET) -> str:
    """X-WP-Signature with a time."""
    return f"t={at_s},v1={digest(f'{at_s}.'.encode() + body, secret).hex()}"


def triple(body: bytes = BODY, *, at_s: int = NOW_S, secret: str | bytes = SECRET) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    signature = b64(digest(f"msg_1.{at_s}.".encode() + body, secret))
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{signature}"}


HEX, BASE64 = digest().hex(), b64(digest())
EVERY_SCHEME: dict[str, Mapping[str, str]] = {
    Scheme.STANDARD: triple(),
    Scheme.TIMED: {"X-WP-Signature": timed()},
    Scheme.HEX: {"X-WP-Signature": HEX},
    Scheme.BASE64: {"X-WC-Webhook-Signature": BASE64},
}


def accepted(headers: Mapping[str, str], body: bytes = BODY, keys: Sequence[Key] = KEYS) -> Verified:
    """Verify with the time standing still."""
    return verify(headers, body, keys, NOW_MS)


def refusal(headers: Mapping[str, str], body: bytes = BODY, keys: Sequence[Key] = KEYS) -> str:
    """Assert that the request is refused, and return the sentence."""
    with pytest.raises(BadSignature) as refused:
        accepted(headers, body, keys)
    return str(refused.value)


def cause(headers: Mapping[str, str], body: bytes = BODY, *, now_s: int = NOW_S) -> Refusal | str:
    """Return why a request is refused, or the scheme it is accepted under."""
    judged = check_signature(headers, body, KEYS, UnixMs(now_s * 1_000))
    return judged.scheme if isinstance(judged, Verified) else judged


# What others publish -----------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_what_others_publish_is_read_as_they_read_it(vector: dict[str, Any]) -> None:
    """Digests and refusals from public documents and tests of other senders and receivers."""
    keys = [Key(source="default", which="current", secret=vector["secret"])]
    judged = check_signature(vector["headers"], vector["body"].encode(), keys, UnixMs(vector["now_s"] * 1_000))

    assert isinstance(judged, Verified) is vector["accepted"], judged


@pytest.mark.parametrize("vector", [one for one in VECTORS if one["accepted"]], ids=lambda one: one["name"])
def test_one_byte_more_is_another_body(vector: dict[str, Any]) -> None:
    """The signature is over exactly the bytes that travelled."""
    keys = [Key(source="default", which="current", secret=vector["secret"])]
    now_ms = UnixMs(vector["now_s"] * 1_000)

    assert check_signature(vector["headers"], vector["body"].encode() + b" ", keys, now_ms) is Refusal.MISMATCH


# Every scheme ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
@pytest.mark.parametrize("change", [str, str.lower, str.upper, str.title])
def test_a_headers_name_is_read_in_any_case(scheme: str, change: Any) -> None:
    """The Functions worker writes them in lower case, a person in any."""
    headers = {change(name): value for name, value in EVERY_SCHEME[scheme].items()}

    assert accepted(headers) == Verified(source="default", secret="current", scheme=Scheme(scheme))


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_the_key_that_signed_names_the_shop_and_which_of_its_secrets(scheme: str) -> None:
    """Several shops, and two keys of one shop while one is being replaced."""
    keys = [
        Key(source="default", which="current", secret="another key, not this one"),
        Key(source="shop-b", which="current", secret="the next key of shop b"),
        Key(source="shop-b", which="previous", secret=SECRET),
    ]

    assert accepted(EVERY_SCHEME[scheme], keys=keys) == Verified(
        source="shop-b", secret="previous", scheme=Scheme(scheme)
    )


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_a_foreign_secret_is_a_mismatch(scheme: str) -> None:
    """In every scheme, and with one text."""
    keys = [Key(source="default", which="current", secret="another key, not this one")]

    assert refusal(EVERY_SCHEME[scheme], keys=keys) == refusal({})
    assert check_signature(EVERY_SCHEME[scheme], BODY, keys, NOW_MS) is Refusal.MISMATCH


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_a_doubled_header_is_none(scheme: str) -> None:
    """Which of two would count is not ours to guess; hosts join them with a comma, or hand over both."""
    for name, value in EVERY_SCHEME[scheme].items():
        once = EVERY_SCHEME[scheme]

        assert cause({**once, name: f"{value},{value}"}) is Refusal.MALFORMED
        assert cause({**once, name: f"{value}, {value}"}) is Refusal.MALFORMED
        assert cause({**once, name.swapcase(): value}) is Refusal.MALFORMED


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_an_empty_secret_never_verifies(scheme: str) -> None:
    """A service without a secret refuses; it does not accept what anyone can compute."""
    unkeyed = {
        Scheme.STANDARD: triple(secret=""),
        Scheme.TIMED: {"X-WP-Signature": timed(secret="")},
        Scheme.HEX: {"X-WP-Signature": digest(secret="").hex()},
        Scheme.BASE64: {"X-WC-Webhook-Signature": b64(digest(secret=""))},
    }[Scheme(scheme)]

    assert refusal(unkeyed, keys=[Key(source="default", which="current", secret="")])
    assert refusal(unkeyed, keys=[])


def test_a_refusal_tells_neither_secret_nor_digest() -> None:
    """What is sent back must not help to sign."""
    text = refusal({"X-WP-Signature": "0" * 64})

    assert SECRET not in text
    assert HEX not in text
    assert SECRET not in repr(KEYS)


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_no_unsigned_header_says_whose_order_it_is(scheme: str) -> None:
    """WooCommerce names its shop and topic in headers that nothing signs."""
    unsigned = {
        "X-WC-Webhook-Source": "https://shop-b.example/",
        "X-WC-Webhook-Topic": "order.deleted",
        "X-WC-Webhook-Delivery-ID": "0",
        "X-Source": "shop-b",
    }

    assert accepted({**unsigned, **EVERY_SCHEME[scheme]}) == accepted(EVERY_SCHEME[scheme])
    assert cause(unsigned) is Refusal.UNSIGNED


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_any_signature_header_makes_a_request_a_signed_one(scheme: str) -> None:
    """Whatever it is worth, and in any case; WooCommerce's unsigned ping has none."""
    for name in EVERY_SCHEME[scheme]:
        assert is_signed({"Host": "example", name.upper(): "nonsense"})
    assert not is_signed({"Host": "example", "X-WC-Webhook-Source": "https://shop.example/"})


# No weaker scheme after a stronger one -----------------------------------------------------------

STRONGER_FIRST = [
    ({"webhook-id": "msg_1"}, {"X-WP-Signature": timed()}),
    ({"webhook-timestamp": str(NOW_S)}, {"X-WP-Signature": HEX}),
    ({"webhook-signature": "v1," + b64(bytes(32))}, {"X-WC-Webhook-Signature": BASE64}),
    (triple(at_s=NOW_S - 301), {"X-WP-Signature": HEX}),
    ({"X-WP-Signature": timed(at_s=NOW_S - 301)}, {"X-WC-Webhook-Signature": BASE64}),
    ({"X-WP-Signature": "0" * 64}, {"X-WC-Webhook-Signature": BASE64}),
    ({"X-WP-Signature": ""}, {"X-WP-Webhook-Signature": BASE64}),
    ({"X-WP-Webhook-Signature": b64(bytes(32))}, {"X-WC-Webhook-Signature": BASE64}),
]


@pytest.mark.parametrize(("failing", "good"), STRONGER_FIRST)
def test_what_fails_under_the_stronger_scheme_is_not_tried_under_a_weaker(
    failing: dict[str, str], good: dict[str, str]
) -> None:
    """Otherwise anybody who can add a header chooses the scheme."""
    assert accepted(good).source == "default"
    assert refusal({**failing, **good})


@pytest.mark.parametrize("scheme", [Scheme.STANDARD, Scheme.TIMED, Scheme.HEX])
def test_the_strongest_scheme_decides_alone(scheme: str) -> None:
    """A weaker header beside it is not even read: WordPress plug-ins send several."""
    weaker = {"X-WC-Webhook-Signature": "nonsense", **EVERY_SCHEME[scheme]}

    assert accepted(weaker).scheme == scheme


def test_a_plug_ins_own_signature_goes_before_woocommerces() -> None:
    """WP Webhooks sends WooCommerce's header too, signed with an empty key unless it was given one."""
    headers = {"X-WC-Webhook-Signature": b64(digest(secret="")), "X-WP-Webhook-Signature": BASE64}

    assert accepted(headers).scheme is Scheme.BASE64


@pytest.mark.parametrize("scheme", [Scheme.STANDARD, Scheme.TIMED])
def test_a_timed_signature_stripped_of_its_time_signs_no_order(scheme: str) -> None:
    """Shown as a plain signature it is over other bytes, and those are no JSON: an old request stays old."""
    order = json.dumps({"order_id": "1", "wallet": ALICE, "amount": "1"}).encode()
    stripped = f"{NOW_S - 9_999}.".encode() + order
    if scheme is Scheme.STANDARD:
        stripped = b"msg_1." + stripped

    assert accepted({"X-WP-Signature": digest(stripped).hex()}, stripped).scheme is Scheme.HEX
    with pytest.raises(MalformedOrder):
        parse(stripped, "default", TERMS, NOW_MS)


# The time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_a_time_within_five_minutes_counts(off_s: int) -> None:
    """Before ours or after it: clocks differ both ways."""
    assert cause(triple(at_s=NOW_S + off_s)) is Scheme.STANDARD
    assert cause({"X-WP-Signature": timed(at_s=NOW_S + off_s)}) is Scheme.TIMED


@pytest.mark.parametrize("off_s", [-301, 301, -86_400, 86_400])
def test_a_time_further_off_is_stale(off_s: int) -> None:
    """What was overheard cannot be sent again later, and nothing can be signed for later."""
    assert cause(triple(at_s=NOW_S + off_s)) is Refusal.STALE
    assert cause({"X-WP-Signature": timed(at_s=NOW_S + off_s)}) is Refusal.STALE


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_a_time_may_be_required(scheme: str) -> None:
    """WEBHOOK_REQUIRE_TIMESTAMP leaves the two schemes that sign one."""
    judged = check_signature(EVERY_SCHEME[scheme], BODY, KEYS, NOW_MS, require_timestamp=True)

    assert isinstance(judged, Verified) is (scheme in (Scheme.STANDARD, Scheme.TIMED))
    assert isinstance(judged, Verified) or judged is Refusal.UNTIMED


# Each scheme's own header ------------------------------------------------------------------------


@pytest.mark.parametrize("value", [HEX, HEX.upper(), f"sha256={HEX}"])
def test_hex_is_read_in_either_case_with_or_without_its_prefix(value: str) -> None:
    """As GitHub and Coinbase write it."""
    assert cause({"X-WP-Signature": value}) is Scheme.HEX


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha256=",
        HEX[:-1],
        HEX + "0",
        "g" * 64,
        "é" * 64,
        "\u0661" * 64,
        f" {HEX}",
        f"{HEX}\n",
        f"sha256= {HEX}",
        f"SHA256={HEX}",
        f"sha256=sha256={HEX}",
        f"sha1={HEX[:40]}",
        f"v1={HEX}",
        f"t=,v1={HEX}",
        f"t={NOW_S}",
        f"t={NOW_S},v1=",
        f"t={NOW_S};v1={HEX}",
        f"t=+{NOW_S},v1={HEX}",
        f"t={'9' * 12},v1={HEX}",
        f"t=\u0661,v1={HEX}",
        f"t={NOW_S}, v1={HEX}",
        f"v1,t={NOW_S},s={HEX}",
        BASE64,
        "\ud800" * 64,
        SECRET,
    ],
)
def test_any_other_value_of_x_wp_signature_is_refused_with_one_text(value: str) -> None:
    """Cut, foreign or unreadable, or the secret itself: the answer never says which."""
    assert cause({"X-WP-Signature": value}) is Refusal.MALFORMED
    assert refusal({"X-WP-Signature": value}) == refusal({})


LOOSE = BASE64[:42] + chr(ord(BASE64[42]) + 1) + "="  # the same bytes to a lenient reader: only spare bits differ


@pytest.mark.parametrize(
    "value",
    ["", "=", HEX, BASE64[:-1], BASE64 + "=", f"{BASE64}!!\n", f" {BASE64}", "é" * 44, LOOSE, b64(bytes(31))],
)
@pytest.mark.parametrize("header", ["X-WC-Webhook-Signature", "X-WP-Webhook-Signature"])
def test_base64_is_read_strictly(header: str, value: str) -> None:
    """One text for one digest; Python's own decoder takes several of these for the right one."""
    assert cause({header: value}) is Refusal.MALFORMED


def test_the_loose_base64_is_the_same_digest_to_a_lenient_reader() -> None:
    """Otherwise the case above would prove nothing."""
    assert LOOSE != BASE64
    assert base64.b64decode(LOOSE) == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""},
        {"webhook-id": "msg.1"},
        {"webhook-id": "msg 1"},
        {"webhook-id": "msg_é"},
        {"webhook-id": "m" * 257},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": f" {NOW_S}"},
        {"webhook-timestamp": f"{NOW_S}.0"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "\u0661"},
        {"webhook-signature": ""},
        {"webhook-signature": f"v1,{BASE64} "},
        {"webhook-signature": f"v1,{BASE64}\tv1,{BASE64}"},
        {"webhook-signature": f"V1,{BASE64}"},
        {"webhook-signature": f"v1={BASE64}"},
        {"webhook-signature": f"v1,{HEX}"},
        {"webhook-signature": f"v1,{LOOSE}"},
        {"webhook-signature": f"v1,{BASE64[:-1]}"},
        {"webhook-signature": "v1,\ud800"},
    ],
)
def test_any_other_value_of_the_three_headers_is_refused(change: dict[str, str]) -> None:
    """Each is well-formed or there is no signature."""
    assert cause({**triple(), **change}) is Refusal.MALFORMED


def test_a_secret_with_whsec_is_decoded_for_standard_webhooks_only() -> None:
    """Senders of the other schemes sign with the text itself, as Stripe does with its own whsec_ secrets."""
    keys = [Key(source="default", which="current", secret=WHSEC)]

    decoded = [triple(secret=b"a key of twenty-four byte")]
    as_it_stands = [
        {"X-WP-Signature": timed(secret=WHSEC)},
        {"X-WP-Signature": digest(secret=WHSEC).hex()},
        {"X-WC-Webhook-Signature": b64(digest(secret=WHSEC))},
    ]

    assert [accepted(headers, keys=keys).scheme for headers in decoded + as_it_stands] == list(Scheme)
    assert refusal(triple(secret=WHSEC), keys=keys)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!!", "whsec_" + "A" * 5])
def test_a_whsec_secret_that_is_no_base64_has_no_key(secret: str) -> None:
    """A lenient decoder makes an empty key of it, and then anyone can sign."""
    keys = [Key(source="default", which="current", secret=secret)]

    assert refusal(triple(secret=b""), keys=keys)
    assert refusal(triple(secret=secret), keys=keys)
