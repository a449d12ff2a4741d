"""Which version runs: the release of the whole repository, and the commit its package was made of."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

RELEASE = "0.1.0"
"""Of both apps and of the plugin for WordPress; the changelog has a heading for each."""
STAMP = Path(__file__).with_name("stamp.json")
"""Written into a package when it is made, and only there."""


@cache
def version() -> str:
    """Return release and commit, ``0.1.0+3f2a91c04d5e``; from sources that no package was made of, ``0.1.0+source``."""
    return f"{RELEASE}+{json.loads(STAMP.read_text('utf-8'))['commit'] if STAMP.exists() else 'source'}"
