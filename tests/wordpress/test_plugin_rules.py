"""The plugin's own arithmetic and rules, against the distributor's and against Python's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.wordpress.parts import Parts
from distributor.addresses import ZERO_ADDRESS, WrongChecksum, keccak256, parse_address
from distributor.errors import BadSignature, UnpayableOrder
from distributor.webhook.json_body import Number
from distributor.webhook.refunds import kept, refunds_of
from distributor.webhook.signature import Key
from foundation.clock import UnixMs
from tests.fakes.senders import verify
from tests.wordpress.php_calls import Php, Problem, php_calls

SECRET = "a secret with ç and 😀"
BODY = b'{"order_id":"1","reason":"\\u00e7\\/"}'
NOW_S = 1_800_000_000
# Source: https://eips.ethereum.org/EIPS/eip-55#test-cases
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
NUMBERS = st.decimals(min_value=0, max_value=10**30, places=18, allow_nan=False) | st.decimals(0, 1000, places=2)


@pytest.fixture(scope="module")
def php(parts: Parts) -> Iterator[Php]:
    """One PHP for this module's calls."""
    with php_calls(parts) as calls:
        yield calls


def problem(php: Php, name: str, *arguments: object) -> str:
    """Return the code with which the plugin refuses, an empty text when it takes it."""
    try:
        php.call(name, *arguments)
    except Problem as found:
        return str(found)
    return ""


def test_keccak_is_ethereums(php: Php) -> None:
    """At every length around the block of 136 bytes the digest is that of the library the distributor uses."""
    texts = [bytes((length * 7 + place) % 256 for place in range(length)) for length in range(280)]

    assert [php.call("Keccak256::hex", text) for text in texts] == [keccak256(text).hex() for text in texts]


@pytest.mark.parametrize("address", EIP_55)
def test_an_address_keeps_or_gets_its_checksum(php: Php, address: str) -> None:
    """What carries the right checksum is taken; what carries none gets it; blanks around it do not matter."""
    digits = address[2:]
    checksummed = parse_address(address)

    for typed in (address, "0x" + digits.lower(), "0x" + digits.upper(), f"  {address}\n"):
        assert php.call("Wallet::parse", typed) == checksummed


@settings(max_examples=150, deadline=None)
@given(text=st.from_regex(r"0x[0-9a-fA-F]{40}", fullmatch=True) | st.text(max_size=50))
def test_shop_and_distributor_take_the_same_addresses(php: Php, text: str) -> None:
    """Nothing passes at the checkout that the distributor then refuses for its form."""
    text = text.strip()
    try:
        expected = parse_address(text)
    except WrongChecksum:
        assert problem(php, "Wallet::parse", text) == "wallet_checksum"
    except ValueError:
        assert problem(php, "Wallet::parse", text) == "bad_wallet"
    else:
        assert expected == ZERO_ADDRESS or php.call("Wallet::parse", text) == expected


def test_the_zero_address_is_nobodys(php: Php) -> None:
    """Tokens sent there are lost."""
    assert problem(php, "Wallet::parse", ZERO_ADDRESS) == "wallet_forbidden"


@settings(max_examples=150, deadline=None)
@given(total=NUMBERS, rate=NUMBERS, places=st.sampled_from([0, 2, 18]))
def test_total_times_rate_is_exact_and_rounded_down(php: Php, total: Decimal, rate: Decimal, places: int) -> None:
    """PHP without bcmath gives what Python's decimals give: never a token unit too much."""
    with localcontext(prec=200):
        exact = (total * rate).quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN)
        product = Decimal(php.call("Decimal::product", f"{total:f}", f"{rate:f}", places))

        assert product == exact


@pytest.mark.parametrize(
    ("total", "rate", "expected"),
    [
        ("29.35", "0.333333333333333333", "9.783333333333333323"),
        ("0.000000000000000001", "0.9", "0"),
        ("0.01", "0.10", "0.001"),
        ("007", "1", "7"),
        ("9" * 60, "9" * 60, str((10**60 - 1) ** 2)),
    ],
)
def test_a_product_is_written_without_needless_digits(php: Php, total: str, rate: str, expected: str) -> None:
    """No zeros before or behind, no point without digits."""
    assert php.call("Decimal::product", total, rate, 18) == expected


@settings(max_examples=100, deadline=None)
@given(total=NUMBERS, refunded=NUMBERS)
def test_what_was_refunded_is_taken_off_exactly(php: Php, total: Decimal, refunded: Decimal) -> None:
    """And never more than there was."""
    with localcontext(prec=200):
        assert Decimal(php.call("Decimal::difference", f"{total:f}", f"{refunded:f}")) == max(total - refunded, 0)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e3", "1.", ".5", "1,5", "0x10", "NaN", "1" * 61, "1 000", "\u0661"])
def test_what_is_no_plain_decimal_is_refused(php: Php, text: str) -> None:
    """A shop's total with a comma or an exponent is never guessed at."""
    assert problem(php, "Decimal::parse", text) == "bad_amount"


def test_the_distributor_verifies_what_the_plugin_signs(php: Php) -> None:
    """The header's scheme, the key as UTF-8, and the time in it."""
    headers = {"X-WP-Signature": php.call("Signature::of", BODY, SECRET, NOW_S)}
    keys = [Key(source="shop", which="current", secret=SECRET)]

    assert verify(headers, BODY, keys, UnixMs(NOW_S * 1000), require_timestamp=True).source == "shop"
    with pytest.raises(BadSignature):
        verify(headers, BODY, keys, UnixMs((NOW_S + 3600) * 1000))
    with pytest.raises(BadSignature):
        verify(headers, BODY + b" ", keys, UnixMs(NOW_S * 1000))


def test_waits_grow_and_end(php: Php) -> None:
    """10 s, 1 m, 5 m, 30 m, 2 h, 6 h, 24 h: eight attempts in all."""
    attempts = php.call("RetrySchedule::attempts")
    waits = [php.call("RetrySchedule::waitAfter", attempt) for attempt in range(1, attempts + 1)]

    assert attempts == 8
    assert waits == [10, 60, 300, 1800, 7200, 21600, 86400, 86400]


def test_questions_begin_soon_and_end_hourly(php: Php) -> None:
    """An order is usually paid within seconds; one that is held waits for a person."""
    assert [php.call("RetrySchedule::waitToAsk", asked) for asked in (0, 1, 6, 700)] == [10, 20, 3600, 3600]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("9" * 30, 86400),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 15 Jan 2100 07:00:00 GMT", 86400),
    ],
)
def test_retry_after_is_read_in_both_its_forms(php: Php, header: str, seconds: int) -> None:
    """Seconds or a date; nonsense says nothing, and nobody makes us wait longer than a day."""
    assert php.call("RetrySchedule::retryAfter", header, NOW_S) == seconds


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_final_answer_ends_the_sending(php: Php, status: int) -> None:
    """The same bytes would be refused again."""
    assert php.call("Verdict::of", status, False) == "Refused"


@pytest.mark.parametrize("status", [0, 204, 301, 302, 403, 404, 408, 409, 429, 500, 502, 503, 504])
def test_every_other_answer_may_pass(php: Php, status: int) -> None:
    """No answer, a redirect, a route that is not deployed yet, a service that is down."""
    assert php.call("Verdict::of", status, True) == "TryAgain"


def test_only_a_distributors_own_answer_is_an_acceptance(php: Php) -> None:
    """A parked domain says 200 to everything."""
    for status in (200, 202):
        assert php.call("Verdict::of", status, True) == "Accepted"
        assert php.call("Verdict::of", status, False) == "TryAgain"


CENTS = st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False)


@settings(deadline=None)
@given(total=CENTS, refunds=st.lists(CENTS.map(lambda amount: f"-{amount}"), max_size=5))
def test_plugin_and_distributor_subtract_refunds_alike(php: Php, total: Decimal, refunds: list[str]) -> None:
    """One rule in two languages: a shop pays the same with the plugin and without it."""
    ours = kept(total, [Decimal(one) for one in refunds])

    assert Decimal(php.call("Refunds::kept", str(total), refunds)) == ours


@pytest.mark.parametrize("refund", [None, "", "5.00", "-", "-R$ 2", 7, ["-1"]])
def test_both_hold_an_order_whose_refund_has_no_amount(php: Php, refund: object) -> None:
    """Never the full sum."""
    assert problem(php, "Refunds::kept", "10", ["-1", refund]) == "refund_without_amount"
    with pytest.raises(UnpayableOrder) as held:
        refunds_of({"refunds": [{"id": Number("1"), "total": refund}]})
    assert held.value.code == "refund_without_amount"


@pytest.mark.parametrize(
    ("stored", "statuses"),
    [
        ("completed", ["completed"]),
        ("wc-completed", ["completed"]),
        (" Completed , wc-on-hold", ["completed", "on-hold"]),
        ("", []),
        (" , ", []),
        ("<b>", []),
    ],
)
def test_statuses_are_read_as_hooks_name_them(php: Php, stored: str, statuses: list[str]) -> None:
    """With wc-, in capitals or empty, a status was saved with which nothing was ever sent."""
    assert php.call("SettingRules::statusList", stored) == statuses
    assert php.call("SettingRules::statuses", stored) == ("" if statuses else "bad_status")


@pytest.mark.parametrize("status", ["cancelled", "wc-refunded", "failed", "completed,trash", "checkout-draft"])
def test_a_status_in_which_nothing_is_owed_is_no_choice(php: Php, status: str) -> None:
    """Each such order was refused when it came, so nothing was ever sent."""
    assert php.call("SettingRules::statuses", status) == "bad_status"


@pytest.mark.parametrize(
    ("days", "code"), [("0", ""), ("365", ""), ("366", "bad_days"), ("", "bad_days"), ("-1", "bad_days")]
)
def test_days_are_a_number_of_at_most_a_year(php: Php, days: str, code: str) -> None:
    """A delay of a thousand days is a slip."""
    assert php.call("SettingRules::days", days) == code
