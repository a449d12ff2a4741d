"""What is kept of the office's page of one company: who may sign in now, and what was mailed about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One browser that asked for a code."""

    browser: str
    """Digest of the cookie that was given to the browser: a code is taken from the browser alone that asked for it."""
    asked_ms: UnixMs
    code: str = ""
    """Blind index of the code; empty until one was made to be mailed. The code itself is nowhere but in the mail."""
    expires_ms: UnixMs = UnixMs(0)
    tries: int = 0
    """Wrong codes that the browser has typed."""

    def line(self) -> str:
        """Return the ask as one line of its row."""
        return f"{self.browser} {self.asked_ms} {self.code or '-'} {self.expires_ms} {self.tries}"

    @classmethod
    def of(cls, line: str) -> Ask:
        """Return the ask of a line. Raises ValueError for any other line."""
        browser, asked, code, expires, tries = line.split(" ")
        return cls(
            browser=browser,
            asked_ms=UnixMs(int(asked)),
            code="" if code == "-" else code,
            expires_ms=UnixMs(int(expires)),
            tries=int(tries),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The row of one company."""

    epoch: int = 1
    """Raising it ends every session of the company."""
    asks: tuple[Ask, ...] = ()
    asked: tuple[UnixMs, ...] = ()
    """When codes were asked for, the last day: what bounds the mails."""
    digest_ms: UnixMs = UnixMs(0)
    """When the last digest was accepted by the mail server."""
    digest_tried_ms: UnixMs = UnixMs(0)
    paused_ms: UnixMs = UnixMs(0)
    """``status_ms`` of the pause that the office began: it may end this one, and no other."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)
