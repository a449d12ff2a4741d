"""What an app brings to its console: its pages, its acts, and how they are looked at before they are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from foundation.console.pages import Pages
from foundation.console.sessions import ConsoleSession
from foundation.console.visit import Visit
from foundation.errors import ServiceError
from foundation.sentences import N_

STALE: Final = N_("What you saw has changed, the form is too old, or it was used before. Nothing was done. Look again.")
NO_WHY: Final = N_("Say why: the words stand in the audit trail.")


class Sorry(ServiceError):
    """The page says why, and what to do; *text* is translated where it is shown."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class ActButton(Protocol):
    """One act: its name in addresses and forms, and the words of its button."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ActOutcome:
    """What an act said on its way, and what it answered; *refused* is why it came to no end."""

    said: tuple[str, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    unknown: bool = False
    """It was to act, and may have: storage fell silent, or a part of it failed behind another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A page that is only looked at: its template, and what fills it."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ActRequest:
    """An act that a person gives: its subject, the person and the reason."""

    act: str
    about: str
    by: str
    why: str
    apply: bool
    """False: only say what it would do."""


class ConsoleApp(Protocol):
    """An app behind the frame. Every method raises Sorry, and StoreUnavailable."""

    @property
    def pages(self) -> Pages: ...

    @property
    def acts(self) -> Mapping[str, ActButton]: ...

    @property
    def brakes(self) -> Sequence[str]:
        """Names of the acts that are offered on a page that says that something is broken."""

    def speaking(self, language: str) -> AbstractContextManager[None]:
        """Use *language* for what is said inside."""

    def why_not(self, error: ServiceError) -> tuple[int, str]:
        """Return the status and the sentence for what does not work now."""

    async def epoch(self) -> int:
        """Return the epoch of sessions: those of another one are over."""

    async def look(self, visit: Visit, session: ConsoleSession) -> Shown | None:
        """Return the page at the visit's path, or None."""

    async def version(self, act: str, about: str) -> str:
        """Return what the thing an act is about looks like now; another text once anybody has written it."""

    async def run(self, order: ActRequest) -> ActOutcome:
        """Say what an act would do, or do it."""


class Brake(Protocol):
    """Counts sign-ins that were refused, by where they came from."""

    async def check(self, forwarded_for: str) -> str:
        """Return the name the client is counted under. Raises Sorry when it has tried too often."""

    async def penalize(self, client: str) -> None:
        """Count a refused sign-in."""
