"""What a browser receives: a page that nothing may load into, frame or keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class HtmlPage:
    """An answer for a browser; among its headers is its ``Content-Type``."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def cookie_in(header: str, name: str) -> str:
    """
    Return the cookie *name* of a Cookie header; empty if it is not there.

    Functions host 4.1037 joins repeated headers, this one too, with commas.
    """
    pairs = (part.strip().partition("=") for part in header.replace(",", ";").split(";"))
    return next((value for found, _, value in pairs if found == name), "")
