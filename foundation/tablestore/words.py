"""
Words that rows hold: a later version may know more of them than this code.

A word that this code does not know is read as itself and written back as it was. It is equal to no
member, so no rule applies to it; ``is_known`` says which it is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class StoredWord(StrEnum):
    """An enumeration in a column, open to the words of later versions."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this code knows the word."""
        return self._name_ in type(self).__members__
