"""verify is total: for any headers and any body it says who signed or raises BadSignature."""

import base64
import hmac
from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from distributor.errors import BadSignature
from distributor.webhook.signature import Key, Verified
from foundation.clock import UnixMs
from tests.fakes.senders import verify

KEYS = (
    Key(source="default", which="current", secret="a secret of sixteen bytes or more"),
    Key(source="default", which="previous", secret="the one before it, still good"),
    Key(source="shop-b", which="current", secret="whsec_" + base64.b64encode(bytes(range(24))).decode()),
)
NOW_S = 1_800_000_000
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates included
HEX = st.text("0123456789abcdefABCDEF", min_size=60, max_size=68)
BASE64 = st.binary(min_size=30, max_size=34).map(lambda value: base64.b64encode(value).decode())
TIMES = st.integers(NOW_S - 400, NOW_S + 400).map(str) | st.integers().map(str)
NAMES = st.sampled_from(
    [
        *("X-WP-Signature", "x-wp-signature", "X-WC-Webhook-Signature", "x-wp-webhook-signature"),
        *("webhook-id", "Webhook-Timestamp", "webhook-timestamp", "webhook-signature"),
    ]
)
VALUES = (
    ANY_TEXT
    | HEX
    | BASE64
    | TIMES
    | HEX.map("sha256={}".format)
    | st.lists(BASE64.map("v1,{}".format) | ANY_TEXT).map(" ".join)
    | st.builds("t={},v1={}".format, TIMES, HEX)
    | st.lists(st.builds("{}={}".format, ANY_TEXT, HEX)).map(",".join)
)
HEADERS = st.dictionaries(ANY_TEXT | NAMES, VALUES)


@given(headers=HEADERS, body=st.binary())
@example(headers={"webhook-id": "\ud800", "webhook-timestamp": "1", "webhook-signature": "v1,a,b"}, body=b"\xff")
def test_anything_at_all_is_refused_and_nothing_else_is_raised(headers: dict[str, str], body: bytes) -> None:
    """No header found by chance signs a body, and none breaks the reader."""
    try:
        verified = verify(headers, body, KEYS, UnixMs(NOW_S * 1_000))
    except BadSignature:
        verified = None

    assert verified is None


def signed(scheme: str, body: bytes, key: Key, message_id: str) -> Mapping[str, str]:
    """Sign *body* as a sender of *scheme* does, by the words of its specification."""
    decoded = base64.b64decode(key.secret[6:]) if key.secret.startswith("whsec_") else key.secret.encode()
    secret = decoded if scheme == "standard-webhooks" else key.secret.encode()
    before = {"standard-webhooks": f"{message_id}.{NOW_S}.", "timed-hex": f"{NOW_S}."}.get(scheme, "")
    digest = hmac.new(secret, before.encode() + body, "sha256")
    encoded = base64.b64encode(digest.digest()).decode()
    return {
        "standard-webhooks": {
            "webhook-id": message_id,
            "webhook-timestamp": str(NOW_S),
            "webhook-signature": f"v1,{encoded}",
        },
        "timed-hex": {"X-WP-Signature": f"t={NOW_S},v1={digest.hexdigest()}"},
        "hex": {"X-WP-Signature": digest.hexdigest()},
        "base64": {"X-WC-Webhook-Signature": encoded},
    }[scheme]


@given(
    scheme=st.sampled_from(["standard-webhooks", "timed-hex", "hex", "base64"]),
    body=st.binary(),
    key=st.sampled_from(KEYS),
    message_id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=".,"), min_size=1),
)
def test_what_was_signed_with_a_known_secret_verifies(scheme: str, body: bytes, key: Key, message_id: str) -> None:
    """Every body signed with one of the secrets is accepted, whatever its bytes are."""
    verified = verify(signed(scheme, body, key, message_id), body, KEYS, UnixMs(NOW_S * 1_000))

    assert (verified.source, verified.secret, verified.scheme) == (key.source, key.which, scheme)
    assert isinstance(verified, Verified)
