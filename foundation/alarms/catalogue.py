"""
Every alarm there is: its code, how bad it is, what it means, what to do, and where the runbook says more.

Codes are promises to alert rules and filters. Texts are in English and Portuguese.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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


def as_it_is(detail: str, language: Language) -> str:  # noqa: ARG001 -- the shape of every translation
    """Return *detail* in English."""
    return detail


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmKind:
    """One code of the catalogue."""

    code: str
    severity: Severity
    texts: Mapping[Language, Text]
    event: bool = False
    """Something that happened, and does not stand: its end is not sent."""
    stops: bool = True
    """Whether the service is not ready while it holds; a warning and an event never stop it."""
    sighting_ms: int = SIGHTING_MS
    """For facts without a row of their own: longer than the time between two looks."""
    detail_in: Callable[[str, Language], str] = as_it_is
    """Says the detail of a fact in a language; details are kept in English."""

    @property
    def blocks(self) -> bool:
        """Whether what comes in now may not be worked on while it holds."""
        return self.stops and not self.event and self.severity is not Severity.WARNING

    def beside_summary(self, words: str) -> str:
        """Return what *words* say in English beyond the summary, which every message has already."""
        return words.removeprefix(self.texts["en"].summary).strip()

    @property
    def anchor(self) -> str:
        """The heading of the runbook."""
        return self.code


TARGET_FAILING = AlarmKind(
    code="alarm_target_failing",
    severity=Severity.ERROR,
    texts={
        "en": Text(
            summary="Alarms do not reach one of their targets.",
            action="Read the detail, correct the target's settings, and send a test alarm.",
        ),
        "pt": Text(
            summary="Os alarmes não chegam a um de seus destinos.",
            action="Leia o detalhe, corrija as configurações do destino e envie um alarme de teste.",
        ),
    },
    sighting_ms=300_000,
)
"""Of both apps: the subject is the target's name. A message that is due is tried again at each sweep."""

ALARM_TEST = AlarmKind(
    code="alarm_test",
    severity=Severity.WARNING,
    texts={
        "en": Text(summary="This is a test of the alarms.", action="Nothing: this target works."),
        "pt": Text(summary="Este é um teste dos alarmes.", action="Nada: este destino funciona."),
    },
    event=True,
    sighting_ms=300_000,
)
"""Of both apps: what a person sends to see that each target works. It goes the way of every other alarm."""

SHARED = (TARGET_FAILING, ALARM_TEST)
"""What is in the catalogue of every app."""


class Catalogue:
    """
    The kinds by code.

    Raises InvariantBroken at once for a code that is there twice, or lacks a language.
    """

    def __init__(self, kinds: Iterable[AlarmKind]) -> None:
        self._kinds: dict[str, AlarmKind] = {}
        for kind in kinds:
            require(kind.code not in self._kinds, f"alarm {kind.code} is in the catalogue twice")
            require({"en", "pt"} <= kind.texts.keys(), f"alarm {kind.code} lacks a language")
            self._kinds[kind.code] = kind

    @property
    def codes(self) -> frozenset[str]:
        """Every code there is."""
        return frozenset(self._kinds)

    def find(self, code: str) -> AlarmKind:
        """Return the kind; for a code that a newer version wrote one that shows the code itself."""
        return self._kinds.get(code) or _unknown(code)


def _unknown(code: str) -> AlarmKind:
    return AlarmKind(
        code=code,
        severity=Severity.ERROR,
        texts={
            "en": Text(summary=f"Alarm {code}.", action="A newer version raised it: look it up in its runbook."),
            "pt": Text(summary=f"Alarme {code}.", action="Uma versão mais nova o emitiu: consulte o runbook dela."),
        },
    )
