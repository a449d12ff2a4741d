"""A clock that stands still until a test moves it."""

from dataclasses import dataclass

from foundation.clock import UnixMs


@dataclass(slots=True)
class FrozenClock:
    """A ``Clock``: returns *now_ms* until it is advanced."""

    now_ms: int = 1_767_225_600_000  # 2026-01-01T00:00:00Z

    def __call__(self) -> UnixMs:
        return UnixMs(self.now_ms)

    def advance(self, ms: int) -> None:
        """Let *ms* milliseconds pass."""
        assert ms >= 0, "time does not go back"
        self.now_ms += ms
