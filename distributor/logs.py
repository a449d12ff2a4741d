"""
Structured logs: every line is one JSON object, from the first day.

The Functions worker keeps a line's level and message and nothing else, so the fields travel in the
message. Wei and token amounts are written as text: JSON readers turn large numbers into floats.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Field = str | int | bool | None

_context: ContextVar[dict[str, Field]] = ContextVar("log_context", default={})  # noqa: B039 -- never mutated
_SAFE_INT = 2**53


@contextmanager
def bound(**fields: Field) -> Iterator[None]:
    """Add *fields* to every line written inside the block, by this task and the tasks it starts."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def info(logger: logging.Logger, event: str, **fields: Field) -> None:
    """Write one line about the ordinary course of things."""
    _write(logger, logging.INFO, event, fields)


def warning(logger: logging.Logger, event: str, **fields: Field) -> None:
    """Write one line about trouble that passes by itself."""
    _write(logger, logging.WARNING, event, fields)


def error(logger: logging.Logger, event: str, **fields: Field) -> None:
    """Write one line about trouble a person must look at."""
    _write(logger, logging.ERROR, event, fields)


def _write(logger: logging.Logger, level: int, event: str, fields: dict[str, Field]) -> None:
    if logger.isEnabledFor(level):
        line = {"event": event, **_context.get(), **fields}
        logger.log(level, "%s", json.dumps({key: _exact(value) for key, value in line.items()}, ensure_ascii=False))


def _exact(value: Field) -> Field:
    return str(value) if isinstance(value, int) and abs(value) > _SAFE_INT else value
