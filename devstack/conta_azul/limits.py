"""600 requests a minute and 10 a second for each connected company [D changelog 2025-11-19]; then 429."""

from __future__ import annotations

from collections import defaultdict, deque

from devstack.conta_azul.books import Now


class Limits:
    """Two sliding windows for each company."""

    def __init__(self, now: Now, *, per_second: int = 10, per_minute: int = 600) -> None:
        self.per_second, self.per_minute = per_second, per_minute
        self.refused = 0
        self._now = now
        self._seen: dict[str, deque[float]] = defaultdict(deque)

    def take(self, company: str) -> bool:
        """Count a request; False when it is one too many. A refused request counts as well [?]."""
        now, seen = self._now(), self._seen[company]
        while seen and seen[0] <= now - 60:
            seen.popleft()
        seen.append(now)
        last_second = sum(1 for at in seen if at > now - 1)
        good = len(seen) <= self.per_minute and last_second <= self.per_second
        self.refused += not good
        return good
