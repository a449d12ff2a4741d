"""What passes between the host and its worker process: functions, values, results. Knows neither of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Binding = Mapping[str, Any]


class InvocationFailed(Exception):
    """The function raised, ran too long, or its output could not be bound."""


class HostEnds(Exception):
    """The platform's host process would end here; the message says why."""


@dataclass(frozen=True, slots=True)
class Datum:
    """A value with its kind, as the worker library passes it: text, bytes, JSON, or the parts of an HTTP message."""

    value: Any
    type: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """One indexed function: its trigger and its output bindings, as the worker described them."""

    name: str
    function_id: str
    trigger: Binding
    outputs: Mapping[str, Binding]

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a function returned, and the values it set on its output bindings."""

    returned: Datum
    outputs: Sequence[tuple[str, Datum]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One invocation: the host asks for it under a number."""

    number: int
    function: Function
    value: Datum
    metadata: Mapping[str, Datum]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How the call of that number ended; a failure has words instead of a result."""

    number: int
    result: Result | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexed:
    """The worker's first words: the functions it found, and what it found wrong."""

    functions: Sequence[Function]
    trouble: Sequence[str] = ()
