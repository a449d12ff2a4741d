"""
How far this machine's clock is from the storage service's, by the ``Date`` of its answers.

A wrong clock pays nobody twice, but it makes leases void, times of rows wrong and signed requests too old or
too new; and nobody else can tell: every host believes its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from foundation.clock import Clock

_SECOND_MS = 1_000


@dataclass(slots=True)
class ServiceClock:
    """Keeps what the newest answer said; each answer of the service carries its time, so nothing is asked for it."""

    clock: Clock
    ahead_ms: int | None = None
    """How far this machine's clock is ahead, milliseconds, negative when behind; None before the first answer."""
    _said: str = field(default="", init=False, repr=False)
    _service_ms: int | None = field(default=None, init=False, repr=False)
    """What ``_said`` means; it is read once for all answers of its second."""

    def note(self, answer: Any) -> None:
        """
        Compare with the answer's ``Date``; one without, or with another text there, says nothing.

        The header counts whole seconds (RFC 9110, 5.6.7), so a clock within that second is no further than 0.
        """
        said = answer.http_response.headers.get("Date")
        if said == self._said and self._service_ms is not None:  # the header changes once a second
            self.ahead_ms = _beyond(self.clock() - self._service_ms)
            return
        try:
            service_ms = int(parsedate_to_datetime(said).timestamp()) * _SECOND_MS if said else None
        except ValueError:
            return
        if service_ms is not None:
            self._said, self._service_ms = said, service_ms
            self.ahead_ms = _beyond(self.clock() - service_ms)


def _beyond(difference_ms: int) -> int:
    """Return the difference to the nearest moment of the service's second."""
    return difference_ms if difference_ms < 0 else max(0, difference_ms - _SECOND_MS + 1)
