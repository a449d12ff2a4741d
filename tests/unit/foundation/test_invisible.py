"""What nobody sees is named in a secret and left out of a line."""

from __future__ import annotations

import pytest

from foundation.invisible import first_invisible, is_invisible, without_invisible


@pytest.mark.parametrize(
    "character",
    [
        *("\x00", "\t", "\n", "\x7f", "\x85", "\xa0", "\xad", "\u034f", "\u061c", "\u115f", "\u180e", "\u2003"),
        *("\u200b", "\u200d", "\u200e", "\u2028", "\u202e", "\u2060", "\u2069", "\u2800", "\u3000", "\u3164"),
        *("\ufeff", "\uffa0", "\U000e0041"),
    ],
)
def test_what_nobody_sees_is_invisible(character: str) -> None:
    """Controls, directions, joiners, fillers, and every blank but the plain one."""
    assert is_invisible(character)
    assert first_invisible(f"seen{character}seen") is not None
    assert without_invisible(f"a{character}b").replace(" ", "") == "ab"


@pytest.mark.parametrize("text", ["", "plain text, 1.5", "açaí", "日本語", "❤\ufe0f", "😀"])
def test_what_is_seen_stays(text: str) -> None:
    """Letters of every language, and the selector that belongs to the emoji before it."""
    assert first_invisible(text) is None
    assert without_invisible(text) == text
