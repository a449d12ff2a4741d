"""
Structured logs: every line is one JSON object, from the first day.

The Functions worker keeps a line's level and message and nothing else, so the fields travel in the
message. Wei and token amounts are written as text: JSON readers turn large numbers into floats.

A wallet leads to everything its owner ever did on the chain, and a reason may name a person: both
are personal data. Below WARNING a wallet is written masked, enough to find its lines when one knows
it already, and a reason not at all, unless ``LOG_PERSONAL_DATA=1`` asks for them whole.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Field = str | int | bool | None

_context: ContextVar[dict[str, Field]] = ContextVar("log_context", default={})  # noqa: B039 -- never mutated
_hush: ContextVar[list[bool] | None] = ContextVar("log_hush", default=None)
_SAFE_INT = 2**53
_LINE = json.JSONEncoder(ensure_ascii=False)
PERSONAL = frozenset({"wallet", "reason"})
"""Fields that are masked; a name means the same in every line."""
_HEAD, _TAIL = 6, 4
"""What is left of a masked address: ``0x5290…9EE7``. Of other texts nothing is."""


class _Personal:
    """Whether personal data may be written whole; set once, when the process starts to serve."""

    shown = False


def show_personal_data(*, shown: bool) -> None:
    """Write personal data whole in every line, or masked below WARNING."""
    _Personal.shown = shown


def quieten(environ: Mapping[str, str], *, ours: Iterable[str], loud: Iterable[str]) -> None:
    """
    Let only this service speak below WARNING. A wrong ``LOG_LEVEL`` means INFO; the settings' checks name it.

    Args:
        environ: The settings.
        ours: The packages of this service.
        loud: Libraries that log each request, with its address, at INFO or DEBUG.
    """
    for name in loud:
        logging.getLogger(name).setLevel(logging.WARNING)
    level = logging.getLevelNamesMapping().get(environ.get("LOG_LEVEL", "").strip().upper(), logging.INFO)
    for name in ours:
        logging.getLogger(name).setLevel(level)


@contextmanager
def bound(**fields: Field) -> Iterator[None]:
    """Add *fields* to every line written inside the block, by this task and the tasks it starts."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


@contextmanager
def hushable() -> Iterator[None]:
    """Let ``hush`` inside the block silence what is below WARNING, until the block ends."""
    token = _hush.set([False])
    try:
        yield
    finally:
        _hush.reset(token)


def hush(*, on: bool) -> None:
    """Leave out the lines below WARNING of this invocation from now on, or write them again."""
    switch = _hush.get()
    if switch is not None:
        switch[0] = on


def hushed() -> bool:
    """Say whether lines below WARNING are left out now."""
    return (_hush.get() or [False])[0]


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
    if logger.isEnabledFor(level) and not (level < logging.WARNING and hushed()):
        line = {"event": event, **_context.get(), **fields}
        whole = _Personal.shown or level >= logging.WARNING
        written = {key: _exact(value if whole else _masked(key, value)) for key, value in line.items()}
        # As ``logger.log`` does, but that nobody is asked which line of code this is: the event says it.
        logger.handle(logger.makeRecord(logger.name, level, "", 0, "%s", (_LINE.encode(written),), None))


def _masked(key: str, value: Field) -> Field:
    if key not in PERSONAL or not isinstance(value, str) or not value:
        return value
    return f"{value[:_HEAD]}…{value[-_TAIL:]}" if value.startswith("0x") else "…"


def _exact(value: Field) -> Field:
    return str(value) if isinstance(value, int) and abs(value) > _SAFE_INT else value
