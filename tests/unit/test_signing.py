"""What ``sign`` signs, the service accepts: with the same secret, in every scheme."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.cli.sign import curl
from distributor.settings.shop_secrets import whsec_key
from distributor.webhook.signature import Key, Verified, check_signature
from distributor.webhook.signature_schemes import Refusal, Scheme
from distributor.webhook.signing import signed_headers
from foundation.clock import UnixMs

NOW_S = 1_800_000_000
SECRETS = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
    st.just("whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()),
)


@given(secret=SECRETS, body=st.binary(max_size=200), scheme=st.sampled_from(Scheme))
def test_the_service_accepts_what_is_signed_here(secret: str, body: bytes, scheme: Scheme) -> None:
    """And knows the shop, and the scheme."""
    headers = signed_headers(secret, body, scheme, now_s=NOW_S, message_id="msg_1")

    found = check_signature(headers, body, [Key(source="loja", which="current", secret=secret)], UnixMs(NOW_S * 1_000))
    if secret.startswith("whsec_") and scheme is Scheme.STANDARD and whsec_key(secret) == b"":
        assert found is Refusal.MISMATCH  # no key is behind this whsec_
    else:
        assert found == Verified(source="loja", secret="current", scheme=scheme)


@pytest.mark.parametrize("scheme", Scheme)
def test_another_body_is_refused(scheme: Scheme) -> None:
    """The signature covers every byte."""
    headers = signed_headers("a secret", b"{}", scheme, now_s=NOW_S, message_id="msg_1")

    keys = [Key(source="loja", which="current", secret="a secret")]
    assert check_signature(headers, b"{ }", keys, UnixMs(NOW_S * 1_000)) is Refusal.MISMATCH


def test_the_curl_command_sends_the_bytes_of_the_file() -> None:
    """Quoted for the shell."""
    command = curl("https://a.example/webhook", {"X-WP-Signature": "t=1,v1=ab"}, Path("an order.json"))

    assert command == (
        "curl -i https://a.example/webhook -H 'X-WP-Signature: t=1,v1=ab' --data-binary '@an order.json'"
    )
