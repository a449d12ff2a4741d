"""Which function answers a path: templates, methods, and the paths the host keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devstack.host.config import BadHostConfig
from devstack.host.values import Function

_RESERVED = ("admin", "runtime")
"""First segments that the host answers by itself."""


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP function: where it answers."""

    function: Function
    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    """Empty: every method, also one that nobody knows."""

    @property
    def rank(self) -> tuple[int, ...]:
        """Sort key: a literal segment wins over a parameter, as in ASP.NET routing."""
        return tuple(int(part.startswith("{")) for part in self.template.split("/"))

    @property
    def level(self) -> str:
        return str(self.function.trigger.get("authLevel", "function")).lower()

    def answers(self, method: str) -> bool:
        return not self.methods or method in self.methods


def routes(functions: Sequence[Function], prefix: str) -> list[Route]:
    """Return the routes of the HTTP functions among *functions*, the most literal first."""
    found = [route_of(function, prefix) for function in functions if function.kind == "httpTrigger"]
    return sorted(found, key=lambda route: route.rank)


def route_of(function: Function, prefix: str) -> Route:
    """Return where an HTTP function answers. Raises BadHostConfig for a path that is the host's own."""
    own = function.trigger.get("route")
    template = "/".join(part for part in (prefix, function.name if own is None else own.strip("/")) if part)
    if template.split("/")[0].lower() in _RESERVED:
        raise BadHostConfig(f"the route {template!r} begins with a name that the host keeps for itself")
    methods = function.trigger.get("methods") or ()
    return Route(function, template, _pattern(template), frozenset(str(method).upper() for method in methods))


def _pattern(template: str) -> re.Pattern[str]:
    """Turn ``orders/{id}``, ``{id:int}``, ``{*rest}`` into a pattern; literals ignore case, as in ASP.NET."""
    text = ""
    for part in filter(None, re.split(r"(/?\{[^}]+\})", template)):
        slash, name, kind = _parameter(part)
        if not name:
            text += re.escape(part)
        elif name.startswith("*"):
            text += f"(?:{slash}(?P<{name.lstrip('*')}>.*))?"
        else:
            text += f"{slash}(?P<{name}>{r'-?[0-9]+' if kind == 'int' else '[^/]+'})"
    return re.compile(f"/{text}/?", re.IGNORECASE | re.DOTALL)


def _parameter(part: str) -> tuple[str, str, str]:
    """Return the slash before a parameter, its name and its kind; no name if *part* is literal."""
    if not part.endswith("}"):
        return "", "", ""
    slash, _, inner = part.rpartition("{")
    name, _, kind = inner.removesuffix("}").partition(":")
    return slash, name, kind
