"""verify is total: for any headers and any body it returns a source or raises BadSignature."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import BadSignature
from distributor.signature import verify

SECRETS = {"default": ["a secret of sixteen bytes or more", "the one before it, still good"]}
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates included
HEX = st.text("0123456789abcdefABCDEF", min_size=60, max_size=68)
HEADERS = st.dictionaries(
    ANY_TEXT | st.sampled_from(["X-WP-Signature", "x-wp-signature", "X-Wp-Signature"]),
    ANY_TEXT | HEX | HEX.map("sha256={}".format),
)


@given(headers=HEADERS, body=st.binary())
def test_anything_at_all_is_refused_and_nothing_else_is_raised(headers: dict[str, str], body: bytes) -> None:
    """No header found by chance signs a body, and none breaks the reader."""
    try:
        source = verify(headers, body, SECRETS)
    except BadSignature:
        source = ""

    assert not source


@given(body=st.binary(), secret=st.sampled_from(SECRETS["default"]), prefix=st.sampled_from(["", "sha256="]))
def test_what_was_signed_with_a_known_secret_verifies(body: bytes, secret: str, prefix: str) -> None:
    """Every body signed with one of the secrets is accepted, whatever its bytes are."""
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()

    assert verify({"X-WP-Signature": prefix + digest}, body, SECRETS) == "default"
