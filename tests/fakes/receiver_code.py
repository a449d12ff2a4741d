"""The receivers of the call-backs' page, as a shop's developer copies them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": _DOCS / "callbacks.md", "pt": _DOCS / "pt-BR" / "callbacks.md"}

Receive = Callable[[str, Mapping[str, str], bytes], dict[str, Any] | None]


def code_of(language: str, page: str = "en") -> str:
    """Return the example in *language*."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page].read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def python_receiver(page: str = "en") -> Receive:
    """Return the example in Python."""
    names: dict[str, Any] = {}
    exec(code_of("python", page), names)  # noqa: S102 -- the page's own example
    receive: Receive = names["receive"]
    return receive
