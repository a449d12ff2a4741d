"""
How deep a JSON text nests, found before the parser meets it.

Python's parser is recursive C: 60,000 opening brackets end in a RecursionError at best, and in the end of the whole
process where a library has raised the interpreter's recursion limit.
"""

from __future__ import annotations

import json
import re
from typing import Any

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A string, or the rest of the text after a quote that never closes: each character is read once."""
_BRACKET = re.compile(r"[\[\]{}]")


def nests_deeper(text: str, depth_max: int) -> bool:
    """
    Say whether more than *depth_max* objects and arrays are open at once somewhere in *text*.

    Brackets inside strings do not count. The time grows with the length of *text* and not faster.
    """
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > depth_max:
            return True
    return False


def read_shallow(body: bytes, depth_max: int) -> Any:
    """
    Return what the JSON in *body* says, if it nests no more than *depth_max* deep.

    Raises ValueError if it is not UTF-8, not JSON, or nests deeper.
    """
    text = body.decode("utf-8")
    if nests_deeper(text, depth_max):
        raise ValueError(f"nested more than {depth_max} deep")
    return json.loads(text)
