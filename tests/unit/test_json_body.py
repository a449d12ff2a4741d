"""A body as JSON: exactly as written, or refused with a code."""

import pytest

from distributor.errors import MalformedOrder
from distributor.webhook.json_body import DEPTH_MAX, Number, read_object


def test_numbers_stay_as_they_were_written() -> None:
    """No float and no conversion: what PHP wrote is what is read."""
    read = read_object(b'{"a":10.0,"b":1.0e+25,"c":14.309999999999999,"d":-0}')

    assert read == {"a": Number("10.0"), "b": Number("1.0e+25"), "c": Number("14.309999999999999"), "d": Number("-0")}


def test_null_is_the_same_as_absent() -> None:
    """PHP writes null for what was never set."""
    assert read_object(b'{"a":null,"b":""}') == {"b": ""}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b" \n", "body_empty"),
        (b"\xff", "not_utf8"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"webhook_id=12", "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b"[" * 60_000, "not_json"),
        (b"[1]", "not_object"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"meta":[{"key":1,"key":2}]}', "duplicate_key"),
    ],
)
def test_what_is_no_object_is_refused_with_a_code(body: bytes, code: str) -> None:
    """The sender learns which of them it is."""
    with pytest.raises(MalformedOrder) as refused:
        read_object(body)

    assert refused.value.code == code


def test_brackets_in_a_text_are_no_depth() -> None:
    """A product may be called what it likes; real nesting has its limit."""
    deep = b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX

    assert read_object(b'{"name":"' + b"[" * 1_000 + b'\\""}')["name"] == "[" * 1_000 + '"'
    assert read_object(deep)
    with pytest.raises(MalformedOrder):
        read_object(b'{"a":' + deep + b"}")


def test_a_byte_order_mark_is_named() -> None:
    """The answer is ours, not Python's advice about its codecs."""
    with pytest.raises(MalformedOrder, match="byte order mark: send UTF-8 without one"):
        read_object(b"\xef\xbb\xbf{}")
