"""
From the bytes of a request's target to what a route sees.

Decoded once, dot segments removed, a slash that was encoded left encoded.

Source: github.com/dotnet/aspnetcore, UrlDecoder.cs and PathNormalizer.cs; seen on host 4.1037.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import quote, unquote_plus, urlsplit

from devstack.host.wire import Refused

_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SLASH = re.compile(r"(%2[Ff])")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEPT = "/:@!$&'()*+,;=~-._%"


def split(target: str, host: str) -> tuple[str, str]:
    """Return path and query of a request's target. Raises Refused for a target of another host, or of no form."""
    if not target.startswith("/"):
        found = urlsplit(target)
        if not found.netloc or found.netloc != host:
            raise Refused(HTTPStatus.BAD_REQUEST)
        target = target.split("//", 1)[1].removeprefix(found.netloc) or "/"
    path, _, query = target.partition("?")
    return path, query


def normalised(path: str) -> str:
    """Return the decoded path without dot segments. Raises Refused if a zero byte is in it."""
    decoded = _ENCODED.sub(lambda run: _decoded(run[0]), path)
    if "\0" in decoded:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return _without_dots(decoded)


def display(path: str) -> str:
    """Return the path as a function sees it in its URL."""
    return quote(_LONE_PERCENT.sub("%25", path), safe=_KEPT)


def query_values(query: str) -> dict[str, str]:
    """Return the query as a function sees it: names merged whatever their case, empty values dropped."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = (unquote_plus(piece, errors="replace") for piece in part.partition("="))
        if value:
            found.setdefault(names.setdefault(name.lower(), name), []).append(value)
    return {name: ",".join(values) for name, values in found.items()}


def _decoded(run: str) -> str:
    """Decode what is UTF-8 and no slash; the rest stays as it was written."""
    return "".join(piece if _SLASH.fullmatch(piece) else "".join(_characters(piece)) for piece in _SLASH.split(run))


def _characters(run: str) -> Iterator[str]:
    text = bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")
    for character in text:
        lone = "\udc80" <= character <= "\udcff"
        yield f"%{ord(character) - 0xDC00:02X}" if lone else character


def _without_dots(path: str) -> str:
    """Walk the segments, as RFC 3986 section 5.2.4 does; the root has nothing above it."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join([*kept, *_ending(segments)])


def _ending(segments: Sequence[str]) -> list[str]:
    return [""] if segments[-1] in {".", ".."} else []
