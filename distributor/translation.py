"""
What was stored or raised in English, said in another language: details of alarms and of orders, errors.

A row keeps the English sentence for every reader. ``distributor/locale/pt_BR/details.json`` has each of
them with its translation; a value in it is a name in braces. What is known of a text is translated, sentence by
sentence; the rest stays as it is: the words of a node or of a contract, names, numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from foundation.alarms.catalogue import Language

LOCALE: Final = Path(__file__).parent / "locale"
_VALUE: Final = re.compile(r"\{(\w+)\}")
_LEADING: Final = re.compile(r"^\{\w+\} (?=[A-Z{])")
"""A sentence before this one: each is looked up by itself."""
_BOUNDARY: Final = re.compile(r"(?<=[.;:]) ")
_ANYTHING, _NO_SENTENCE_END = "(?P<{name}>.*?)", r"(?P<{name}>(?:(?!\. [A-Z]).)*?)"
_CHARS_MAX: Final = 2_000
"""A longer text was not written by this program; it stays as it is."""
_ENDS_MAX: Final = 24
"""Nor was a text that could end at more places: trying all of them would take a process up to minutes."""
_DEPTH_MAX: Final = 3
"""How deep a value is looked into, which may be a sentence itself."""


class _Known(NamedTuple):
    """A sentence as patterns of the English text, and its translation."""

    strict: re.Pattern[str]
    """No value has the end of a sentence in it: this is one sentence and no more."""
    loose: re.Pattern[str]
    translation: str


def translated(text: str, language: Language) -> str:
    """Return *text* in *language*, as far as its sentences are known."""
    foreign = len(text) > _CHARS_MAX or len(_BOUNDARY.findall(text)) > _ENDS_MAX
    return text if language == "en" or foreign else _said(text, _DEPTH_MAX)


def _said(text: str, depth: int) -> str:
    """Take one sentence after the other, the longest that is known; else one that has others in its values."""
    ends = [len(text), *(found.start() for found in reversed(list(_BOUNDARY.finditer(text))))]
    for strict in (True, False):
        for end in ends:
            known = _sentence(text[:end], depth, strict=strict)
            if known is not None:
                return known + _rest(text[end:], depth)
    return text[: ends[-1]] + _rest(text[ends[-1] :], depth)


def _rest(text: str, depth: int) -> str:
    """Return the translation of what follows a sentence, with the space before it."""
    return f" {_said(text[1:], depth)}" if text else ""


def _sentence(text: str, depth: int, *, strict: bool) -> str | None:
    """Return the translation of a text that is one known sentence; None for any other text."""
    for known in _sentences():
        if found := (known.strict if strict else known.loose).fullmatch(text):
            values = found.groupdict()
            inner = {name: _said(value, depth - 1) if depth else value for name, value in values.items()}
            return known.translation.format(**inner)
    return None


@cache
def _sentences() -> Sequence[_Known]:
    """Return every sentence that is known; one with more words of its own comes first."""
    written: dict[str, str] = json.loads((LOCALE / "pt_BR" / "details.json").read_text("utf-8"))
    alone = dict(_alone(text, translation) for text, translation in written.items())
    by_words = sorted(alone, key=lambda text: -len(_VALUE.sub("", text)))
    return [_Known(_pattern(text, _NO_SENTENCE_END), _pattern(text, _ANYTHING), alone[text]) for text in by_words]


def _alone(text: str, translation: str) -> tuple[str, str]:
    """Return both without a sentence before them, which is a value of its own."""
    text, translation = text.strip(" ;"), translation.strip(" ;")
    before = _LEADING.match(text)
    return (text, translation) if before is None else (text[before.end() :], translation.removeprefix(before[0]))


def _pattern(text: str, value: str) -> re.Pattern[str]:
    parts = _VALUE.split(text)
    fixed = [re.escape(part.replace("{{", "{").replace("}}", "}")) for part in parts[::2]]
    names = parts[1::2]
    named = [f"(?P={name})" if name in names[:at] else value.format(name=name) for at, name in enumerate(names)]
    return re.compile("".join(part for pair in zip(fixed, [*named, ""], strict=True) for part in pair), re.DOTALL)
