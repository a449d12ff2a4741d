"""What a browser asks a console for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """A request of a browser."""

    method: str
    path: str
    """Behind ``/console``, without slashes at its ends."""
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = field(default_factory=dict)
    """None: what was sent is no form of the console."""
    cookies: str = ""
    origin: str = ""
    forwarded_for: str = ""
    languages: str = ""
    """``Accept-Language``."""
    principal: str | None = None
    """Who the platform says has signed in with Entra ID; None: it was not asked."""

    def said(self, name: str) -> str:
        """Return a field of the form; empty if it is not there."""
        return (self.form or {}).get(name, "")

    @property
    def language(self) -> str:
        return "pt" if self.languages.strip().lower().startswith("pt") else "en"
