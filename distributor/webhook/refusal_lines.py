"""
How many log lines a stranger may write: those of one refused request a minute and address.

Each refused request writes three lines, and each costs money where logs are kept. What else an address sends in that
minute is counted by the rate limiter and answered, and written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.clock import Clock, UnixMs

WINDOW_MS = 60_000
CLIENTS_MAX = 1_000
"""More addresses than these in one window are a flood: the lines of the others are left out."""


@dataclass(slots=True)
class RefusalLines:
    """Remember whose lines were written in this window; each process by itself."""

    clock: Clock
    _since_ms: UnixMs = field(default=UnixMs(0), init=False)
    _clients: set[str] = field(default_factory=set, init=False)

    def spent(self, client: str) -> bool:
        """Say whether *client* has written its lines in this window."""
        clients = self._of_this_window()
        return client in clients or len(clients) >= CLIENTS_MAX

    def spend(self, client: str) -> None:
        """Count the lines of one refused request of *client*."""
        clients = self._of_this_window()
        if len(clients) < CLIENTS_MAX:
            clients.add(client)

    def _of_this_window(self) -> set[str]:
        now_ms = self.clock()
        if not 0 <= now_ms - self._since_ms < WINDOW_MS:
            self._since_ms = now_ms
            self._clients.clear()
        return self._clients
