"""
Read a signed body as JSON: every number as it was written, every name once, nothing nested without end.

A number stays text until the field it belongs to takes it, so no float exists and no digits are
converted before they are counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from distributor.errors import MalformedOrder
from foundation.json_depth import nests_deeper

DEPTH_MAX = 32
"""An order is one flat object; what a plug-in adds may nest a little."""

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it was written."""

    text: str


def read_object(body: bytes) -> Mapping[str, Any]:
    """
    Return the members of the JSON object that *body* is; ``null`` is the same as an absent member.

    Raises:
        MalformedOrder: It is not UTF-8, not JSON, not an object, names a member twice, or nests too deep.
    """
    if not body.strip():
        raise MalformedOrder("The request has no body: send the order as JSON.", code="body_empty")
    try:
        text = body.decode("utf-8")
        if text.startswith(_BYTE_ORDER_MARK):
            raise MalformedOrder("The body begins with a byte order mark: send UTF-8 without one.", code="not_json")
        if nests_deeper(text, DEPTH_MAX):
            raise MalformedOrder(f"The body is nested more than {DEPTH_MAX} deep.", code="not_json")
        document = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_not_json_constant,
        )
    except UnicodeDecodeError:
        raise MalformedOrder("The body is not UTF-8 text.", code="not_utf8") from None
    except json.JSONDecodeError as error:
        raise MalformedOrder(f"The body is not JSON: {error.msg} at character {error.pos}.", code="not_json") from None
    if not isinstance(document, dict):
        raise MalformedOrder("The body must be a JSON object.", code="not_object")
    return {name: value for name, value in document.items() if value is not None}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name given twice: readers differ on which of the two counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedOrder("The body names a field twice.", code="duplicate_key")
    return found


def _not_json_constant(constant: str) -> NoReturn:
    raise MalformedOrder(f"The body is not JSON: {constant} is no JSON number.", code="not_json")
