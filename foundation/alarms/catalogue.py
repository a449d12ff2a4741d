"""
Every alarm there is: its code, how bad it is, what it means, what to do, and where the runbook says more.

Codes are promises to alert rules and filters. Texts are in English and Portuguese.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from foundation.errors import require

Language = Literal["en", "pt"]
SIGHTING_MS = 900_000
"""How long a fact without a row of its own counts as standing after it was last seen."""


class Severity(IntEnum):
    """How bad it is; the first is the worst."""

    CRITICAL = 0
    """Money, or mail, may go wrong; or nothing goes out any more."""
    ERROR = 1
    """Something stopped and waits for a person."""
    WARNING = 2
    """Something will stop if nobody looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One sentence on what happened, one on what to do."""

    summary: str
    action: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One code of the catalogue."""

    code: str
    severity: Severity
    texts: Mapping[Language, Text]
    event: bool = False
    """Something that happened, and does not stand: its end is not told."""
    sighting_ms: int = SIGHTING_MS
    """For facts without a row of their own: longer than the time between two looks."""

    @property
    def anchor(self) -> str:
        """The heading of the runbook."""
        return self.code


class Catalogue:
    """
    The kinds by code.

    Raises InvariantBroken at once for a code that is there twice, or lacks a language.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: dict[str, Kind] = {}
        for kind in kinds:
            require(kind.code not in self._kinds, f"alarm {kind.code} is in the catalogue twice")
            require({"en", "pt"} <= kind.texts.keys(), f"alarm {kind.code} lacks a language")
            self._kinds[kind.code] = kind

    @property
    def codes(self) -> frozenset[str]:
        """Every code there is."""
        return frozenset(self._kinds)

    def find(self, code: str) -> Kind:
        """Return the kind; for a code that a newer version wrote one that shows the code itself."""
        return self._kinds.get(code) or _unknown(code)


def _unknown(code: str) -> Kind:
    return Kind(
        code=code,
        severity=Severity.ERROR,
        texts={
            "en": Text(summary=f"Alarm {code}.", action="A newer version raised it: look it up in its runbook."),
            "pt": Text(summary=f"Alarme {code}.", action="Uma versão mais nova o emitiu: consulte o runbook dela."),
        },
    )
