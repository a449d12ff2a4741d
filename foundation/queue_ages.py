"""How long the messages of a queue have been there."""

from __future__ import annotations

from typing import NamedTuple

from foundation.clock import UnixMs


class Oldest(NamedTuple):
    """When the first messages were put that anybody could take now; None if there is none."""

    put_ms: UnixMs | None = None
    """The first of all, those too that came back because nobody finished them."""
    untaken_ms: UnixMs | None = None
    """The first that nobody has ever taken."""
