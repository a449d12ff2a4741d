"""
Characters that nobody sees: zero width, direction marks, fillers.

In a secret such a character is never meant: it came along with a copied text, and no signature ever matches. In a
line that people read, a direction mark shows the text in another order than it is written.

Source: https://www.unicode.org/reports/tr44/#General_Category_Values (Cc, Cf, Zl, Zp, and Zs but the plain space), and
the fillers of https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point).
Variation selectors are not among them: they belong to the emoji before them.
"""

from __future__ import annotations

import unicodedata

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SPACE = " "
_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_SHOWN_ON_THE_PAGE = frozenset({"Zs", "Zl", "Zp"})


def is_invisible(character: str) -> bool:
    """Say whether nobody sees *character*, or takes it for a plain space."""
    return character != _SPACE and (unicodedata.category(character) in _CATEGORIES or character in _FILLERS)


def first_invisible(text: str) -> str | None:
    """Return the name of the first invisible character in *text*, such as ``U+200B ZERO WIDTH SPACE``."""
    found = next((character for character in text if is_invisible(character)), None)
    return None if found is None else f"U+{ord(found):04X} {unicodedata.name(found, 'control character')}"


def without_invisible(text: str) -> str:
    """Return *text* without its invisible characters; what only takes up room becomes a plain space."""
    return text.translate({ord(character): _room(character) for character in set(text) if is_invisible(character)})


def _room(invisible: str) -> str:
    return _SPACE if unicodedata.category(invisible) in _SHOWN_ON_THE_PAGE else ""
