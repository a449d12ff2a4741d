"""The nesting of a JSON text is known before the recursive parser reads it."""

from __future__ import annotations

import time

import pytest

from foundation.json_depth import nests_deeper, read_shallow


@pytest.mark.parametrize(
    ("text", "deeper"),
    [
        ("", False),
        ("[[[]]]", False),
        ("[[[[]]]]", True),
        ('{"a":[{"b":1}]}', False),
        ('{"a":[{"b":{}}]}', True),
        ('["[[[[[["]', False),
        (r'["\"[[[[[["]', False),
        ('"[[[[[[', False),
        ("]]]][[[[", False),
        ("[" * 100_000, True),
    ],
)
def test_brackets_outside_strings_are_counted(text: str, deeper: bool) -> None:
    """Three open at once are allowed here."""
    assert nests_deeper(text, 3) is deeper


def test_a_shallow_text_is_read_and_every_other_is_a_value_error() -> None:
    """Not UTF-8, not JSON, or too deep."""
    assert read_shallow(b'[{"a": [1]}]', 3) == [{"a": [1]}]
    for body in (b"\xff", b"{", b"[[[[1]]]]"):
        with pytest.raises(ValueError, match=r"utf-8|Expecting|nested"):
            read_shallow(body, 3)


@pytest.mark.parametrize("unit", ['\\"', '"', '\\\\"', '"\\', '["', "[]", '{"a":"', "\\"])
def test_the_time_grows_with_the_length_alone(unit: str) -> None:
    """Four times the input costs about four times as much; a quadratic reading would cost sixteen times."""

    def cost_s(size: int) -> float:
        text = '"' + unit * (size // len(unit))
        best = min(_timed(text) for _ in range(3))
        return max(best, 1e-6)

    assert cost_s(400_000) / cost_s(100_000) < 10


def _timed(text: str) -> float:
    begun = time.process_time()
    nests_deeper(text, 1_000_000)
    return time.process_time() - begun
