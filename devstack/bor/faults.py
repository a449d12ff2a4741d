"""
The script of faults of the proxy: a list of rules, which may be changed while it runs.

A rule strikes requests that hold one of its methods, a number of times, or by chance with a seed,
so that a run can be repeated. Several rules may strike the same request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any


class Kind(StrEnum):
    """What goes wrong on the wire."""

    DELAY = "delay"
    """The request reaches the node ``after_s`` late."""
    DROP_REQUEST = "drop_request"
    """The node never sees it; the connection ends ``after_s`` later without an answer."""
    DROP_ANSWER = "drop_answer"
    """The node acts; the connection ends ``after_s`` later without an answer."""
    RESET = "reset"
    """The connection is reset; the node never sees the request."""
    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    SERVER_ERROR = "server_error"
    """HTTP ``status``."""
    HTML = "html"
    """A page that says welcome, with HTTP 200."""
    TRUNCATED = "truncated"
    """The node acts; half of its answer arrives."""
    DUPLICATE = "duplicate"
    """The node gets every call twice; a batch has both answers, the first ones first."""
    REORDER = "reorder"
    """The calls of a batch are done, and answered, last first."""
    STALE = "stale"
    """The node answers what it would have ``blocks`` ago."""


REFUSING = frozenset({Kind.DROP_REQUEST, Kind.RESET, Kind.RATE_LIMITED, Kind.SERVER_ERROR, Kind.HTML})
"""Faults of requests the node never sees."""
LOSING = frozenset({Kind.DROP_ANSWER, Kind.TRUNCATED})
"""Faults of answers after the node acted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One rule."""

    kind: Kind
    methods: frozenset[str] = frozenset()
    """It strikes requests that hold one of these; every request when empty."""
    times: int | None = None
    """How often it strikes; until it is taken out when None."""
    chance: float = 1.0
    after_s: float = 0.0
    blocks: int = 0
    status: int = 503


def fault(kind: str, *methods: str, **options: Any) -> Fault:
    """Return a rule for requests that hold one of *methods*."""
    return Fault(kind=Kind(kind), methods=frozenset(methods), **options)


def parse(written: Mapping[str, Any]) -> Fault:
    """Return the rule that a JSON object describes. Raises ValueError or TypeError if it is not a rule."""
    options = {name: value for name, value in written.items() if name not in {"kind", "methods"}}
    return fault(written["kind"], *written.get("methods", ()), **options)


class Script:
    """The rules that stand, and how often each kind has struck."""

    def __init__(self, seed: int = 0) -> None:
        self.struck: Counter[Kind] = Counter()
        self._rules: list[Fault] = []
        self._left: list[int | None] = []
        self._chance = Random(seed)  # noqa: S311 -- a run that can be repeated, no secret

    def set(self, *rules: Fault) -> None:
        """Let *rules* stand and no others."""
        self._rules, self._left = list(rules), [rule.times for rule in rules]

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.set()

    def strike(self, methods: Sequence[str]) -> list[Fault]:
        """Return the rules that strike a request with *methods*; those with a count have one less left."""
        found = []
        for at, rule in enumerate(self._rules):
            if self._hits(rule, self._left[at], methods):
                self.struck[rule.kind] += 1
                found.append(rule)
                left = self._left[at]
                self._left[at] = None if left is None else left - 1
        return found

    def _hits(self, rule: Fault, left: int | None, methods: Sequence[str]) -> bool:
        meant = not rule.methods or not rule.methods.isdisjoint(methods)
        return meant and left != 0 and (rule.chance >= 1 or self._chance.random() < rule.chance)
