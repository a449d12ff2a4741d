"""Whose signature is on a body."""

import hmac
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from distributor.errors import BadSignature
from distributor.signature import verify

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "hmac_hex.json").read_text(encoding="utf-8"))
BODY = b'{"order_id":"1001"}'
SECRET = "a secret of sixteen bytes or more"
SECRETS = {"default": [SECRET]}
GOOD = hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()


def refusal(headers: Mapping[str, str], body: bytes = BODY, secrets: Mapping[str, list[str]] = SECRETS) -> str:
    """Assert that the request is refused, and return the sentence."""
    with pytest.raises(BadSignature) as refused:
        verify(headers, body, secrets)
    return str(refused.value)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_signatures_others_publish_are_ours(vector: dict[str, str]) -> None:
    """Digests from public documents and tests of other senders verify over exactly their bytes."""
    body, secrets = vector["body"].encode(), {"default": [vector["secret"]]}

    assert verify({"X-WP-Signature": vector["hex"]}, body, secrets) == "default"
    assert verify({"X-WP-Signature": f"sha256={vector['hex']}"}, body, secrets) == "default"
    assert refusal({"X-WP-Signature": vector["hex"]}, body + b" ", secrets)


@pytest.mark.parametrize("name", ["X-WP-Signature", "x-wp-signature", "X-WP-SIGNATURE"])
@pytest.mark.parametrize("value", [GOOD, GOOD.upper(), f"sha256={GOOD}"])
def test_case_and_prefix_do_not_matter(name: str, value: str) -> None:
    """The header's name and the hex digits are read in either case, with or without their prefix."""
    assert verify({name: value, "Content-Type": "application/json"}, BODY, SECRETS) == "default"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha256=",
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"),
        "g" * 64,
        "é" * 64,
        "\u0661" * 64,
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}, {GOOD}",
        f"{GOOD},{GOOD}",
        f"sha256= {GOOD}",
        f"SHA256={GOOD}",
        f"sha256=sha256={GOOD}",
        f"sha1={GOOD[:40]}",
        f"t=1614265330,v1={GOOD}",
        "gEg8TZ7kbzGyFcQ2LeGpHzi9y5K0IB7vNUtaJQfPXd0=",
        "\ud800" * 64,
        SECRET,
    ],
)
def test_any_other_header_is_refused_with_one_text(value: str) -> None:
    """Missing, cut, doubled, foreign or unreadable: the answer never says which."""
    assert refusal({"X-WP-Signature": value}) == refusal({})


def test_two_headers_that_differ_in_case_are_none() -> None:
    """Which of two would count is not ours to guess."""
    assert refusal({"X-WP-Signature": GOOD, "x-wp-signature": GOOD})


def test_the_key_that_signed_names_the_source() -> None:
    """Several shops, and several keys of one shop while one is being replaced."""
    secrets = {"default": ["another key, not this one"], "shop-b": ["the next key of shop b", SECRET]}

    assert verify({"X-WP-Signature": GOOD}, BODY, secrets) == "shop-b"


def test_an_empty_secret_never_verifies() -> None:
    """A service without a secret refuses; it does not accept what anyone can compute."""
    unkeyed = hmac.new(b"", BODY, "sha256").hexdigest()

    assert refusal({"X-WP-Signature": unkeyed}, secrets={"default": [""]})
    assert refusal({"X-WP-Signature": unkeyed}, secrets={"default": []})
    assert refusal({"X-WP-Signature": unkeyed}, secrets={})


def test_a_refusal_tells_neither_secret_nor_digest() -> None:
    """What is sent back must not help to sign."""
    text = refusal({"X-WP-Signature": "0" * 64})

    assert SECRET not in text
    assert GOOD not in text
